"""Mailings to a real server, and what must become of each of their mails: the same facts for every server.

Whatever the server refuses in the middle, every other mail is in the mailbox exactly once, byte for byte, in its own
recipient's copy, and the outcomes say just that.
"""

import secrets
from collections import Counter
from collections.abc import Sequence

from attrs import field, frozen

from custom_smtp import Address, DeliveryId, Outgoing, Receipt, Server, SmtpTransport
from custom_smtp.errors import RefusedError, Step, UncertainError
from custom_smtp.outgoing import Envelope, Outcome
from custom_smtp.servers import Pace

from .mailbox import Mailbox

SENDER = Address("hello@shop.example")
BANNED = Address("banned@shop.example")
NO_SUCH = Address("nosuch@example.net")
GREY = Address("grey@example.net")

AWKWARD = (
    b".\r\n..\r\n.leading\r\n. \r\nFrom here on\r\n>From there\r\nQUIT\r\nRSET\r\nMAIL FROM:<x@example.net>\r\n"
    b"BDAT 0 LAST\r\n250 2.0.0 Ok\r\n"
    + "Grüße, 998 Oktette: 🎉\r\n".encode()
    + b"x" * 998
    + b"\r\n \r\n\t\r\n"
    + bytes(byte for byte in range(1, 256) if byte not in b"\r\n")
    + b"\r\n.\r\n\r\n\r\n"
)
"""Everything that a mail may hold and a careless line would trip over."""

PACES = {
    "careful": Pace.careful(),
    "dot": Pace(window=0),
    "bdat": Pace(window=4),
    "wide": Pace(window=20),
    "short": Pace(window=4, mails_per_connection=7),
}
"""How far ahead to speak: nothing, by DATA, by BDAT, by BDAT and far, and on lines that are exchanged in between."""

SIZES = (0, 300, 5_000, 70_000)


def person(number: int) -> Address:
    """Somebody whose mail can be told from everybody else's."""
    return Address(f"person{number}@example.net")


@frozen
class Expected:
    """A mail, and what must become of it.

    Attributes:
        outgoing: the mail.
        reached: who gets it.
        refused: what becomes of everybody else: the step, the code and the enhanced code, by recipient; under None
            the answer to the mail as a whole.
    """

    outgoing: Outgoing
    reached: tuple[Address, ...]
    refused: dict[Address | None, tuple[Step, int, str]] = field(factory=dict)


class Mailing:
    """Mails with a mark of their own, in the order in which they are sent."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        self.mails: list[Expected] = []

    def add(
        self,
        *recipients: Address,
        refused: dict[Address | None, tuple[Step, int, str]] | None = None,
        sender: Address = SENDER,
        spam: bool = False,
    ) -> None:
        """Add a mail to these recipients; nobody else gets it than who is not refused."""
        refused = refused or {}
        number = len(self.mails)
        content = _content(self.mark, number, spam=spam)
        outgoing = Outgoing(DeliveryId(f"{self.mark}-{number}"), Envelope(sender, recipients), content)
        reached = () if None in refused else tuple(each for each in recipients if each not in refused)
        self.mails.append(Expected(outgoing, reached, refused))

    def send(self, server: Server, connections: int = 1) -> list[Outcome]:
        """Hand all of them over; one outcome each, in their order."""
        with SmtpTransport(server).session(connections=connections) as session:
            return list(session.deliver_all(mail.outgoing for mail in self.mails))

    def check(self, outcomes: Sequence[Outcome], mailbox: Mailbox) -> None:
        """Every outcome is right, and the mailbox holds what it says: no more, no less, no other."""
        assert [outcome.delivery_id for outcome in outcomes] == [mail.outgoing.delivery_id for mail in self.mails]
        pairs = list(zip(map(_told, outcomes), map(_to_be_told, self.mails), strict=True))
        wrong = [f"mail {number}: {told}, not {right}" for number, (told, right) in enumerate(pairs) if told != right]
        assert not wrong, "\n".join(wrong)
        arrived = mailbox.arrived(self.mark.encode())
        contents = {person.email: mail.outgoing.content for mail in self.mails for person in mail.reached}
        found = Counter(each.recipient for each in arrived)
        lost, extra = Counter(contents.keys()) - found, found - Counter(contents.keys())
        assert not lost, f"not there: {lost}"
        assert not extra, f"too many: {extra}"
        altered = [each.recipient for each in arrived if not each.holds(contents[each.recipient])]
        assert not altered, f"not as they were sent: {altered}"

    def check_honest(self, outcomes: Sequence[Outcome], mailbox: Mailbox) -> None:
        """Where the server falls over: whoever is told of has just that, and an uncertain mail came once or not."""
        assert [outcome.delivery_id for outcome in outcomes] == [mail.outgoing.delivery_id for mail in self.mails]
        arrived = mailbox.arrived(self.mark.encode())
        found = Counter(each.recipient for each in arrived)
        told = {outcome.delivery_id: outcome.result for outcome in outcomes}
        for mail in self.mails:
            result = told[mail.outgoing.delivery_id]
            at_most = 1 if isinstance(result, Receipt | UncertainError) else 0
            at_least = 1 if isinstance(result, Receipt) else 0
            wrong = [each.email for each in mail.reached if not at_least <= found.pop(each.email, 0) <= at_most]
            assert not wrong, f"{result!r}, but {wrong}"
        assert not found, f"what nobody was to get: {found}"
        contents = {person.email: mail.outgoing.content for mail in self.mails for person in mail.reached}
        assert [each.recipient for each in arrived if not each.holds(contents[each.recipient])] == []


def to_many(count: int = 40) -> Mailing:
    """Small and large mails, one recipient each; none is refused."""
    mailing = Mailing()
    for number in range(count):
        mailing.add(person(number))
    return mailing


def with_refusals(count: int = 40) -> Mailing:
    """Mails to many, with refused recipients in their midst: alone, side by side, and at both ends."""
    mailing = Mailing()
    for number in range(count):
        if number in {0, 7, 8, 20, 30, count - 1}:
            mailing.add(NO_SUCH, refused={NO_SUCH: (Step.RCPT, 550, "5.1.1")})
        elif number in {9, 21, 23, 31}:
            mailing.add(GREY, refused={GREY: (Step.RCPT, 451, "4.2.0")})
        else:
            mailing.add(person(number))
    return mailing


def with_every_refusal(count: int = 24, *, spam: bool = True) -> Mailing:
    """Refusals at each step that has one, in turns: the sender, a recipient, the content, some recipients of several.

    Args:
        count: how many mails.
        spam: whether the server looks at the content.
    """
    mailing = Mailing()
    for number in range(count):
        match number % 8:
            case 1:
                mailing.add(person(number), sender=BANNED, refused={None: (Step.MAIL, 550, "5.7.1")})
            case 3 if spam:
                mailing.add(person(number), spam=True, refused={None: (Step.CONTENT, 550, "5.7.1")})
            case 4:
                mailing.add(NO_SUCH, refused={NO_SUCH: (Step.RCPT, 550, "5.1.1")})
            case 6:
                mailing.add(
                    person(number),
                    NO_SUCH,
                    person(1000 + number),
                    GREY,
                    refused={NO_SUCH: (Step.RCPT, 550, "5.1.1"), GREY: (Step.RCPT, 451, "4.2.0")},
                )
            case 7:
                mailing.add(
                    GREY, NO_SUCH, refused={GREY: (Step.RCPT, 451, "4.2.0"), NO_SUCH: (Step.RCPT, 550, "5.1.1")}
                )
            case _:
                mailing.add(person(number))
    return mailing


def with_a_run_of_refusals() -> Mailing:
    """Thirty recipients in a row who are refused, between others: an old list."""
    mailing = Mailing()
    for number in range(60):
        if 15 <= number < 45:
            mailing.add(NO_SUCH, refused={NO_SUCH: (Step.RCPT, 550, "5.1.1")})
        else:
            mailing.add(person(number))
    return mailing


def _content(mark: str, number: int, *, spam: bool) -> bytes:
    size = SIZES[number % len(SIZES)]
    lines = b"".join(b"%s line %d of mail %d\r\n" % (mark.encode(), line, number) for line in range(size // 30))
    return (
        (
            f"From: Shop <{SENDER.email}>\r\nTo: undisclosed-recipients:;\r\nSubject: Mail {number}\r\n"
            f"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: <{mark}.{number}@shop.example>\r\n"
            f"{'X-Spam: yes' if spam else 'X-Ham: yes'}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        ).encode()
        + (AWKWARD if number % 2 else b"")
        + lines
        + (b"" if number % 3 else b"\r\n\r\n")
    )


_Told = tuple[str, int, dict[str | None, tuple[Step, int, str]]]


def _told(outcome: Outcome) -> _Told | str:
    if isinstance(outcome.result, Receipt):
        refused: dict[str | None, tuple[Step, int, str]] = {
            each.recipient.email: (each.error.at, each.error.reply.code, each.error.reply.enhanced)
            for each in outcome.result.refused
        }
        return "accepted", outcome.result.reply.code, refused
    if isinstance(outcome.result, RefusedError):
        error = outcome.result
        return "refused", error.reply.code, {None: (error.at, error.reply.code, error.reply.enhanced)}
    return repr(outcome.result)


def _to_be_told(mail: Expected) -> _Told:
    if mail.reached:
        return "accepted", 250, {address.email if address else None: said for address, said in mail.refused.items()}
    said = next(iter(mail.refused.values()))
    return "refused", said[1], {None: said}
