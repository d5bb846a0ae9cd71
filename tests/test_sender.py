"""The send path: what happens in which order, and what is kept when something fails."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve, field

from custom_smtp import (
    Address,
    AsyncSender,
    DeliveryId,
    Failover,
    FeedbackEndpoint,
    Mail,
    MemoryArchive,
    MemoryJournal,
    Outgoing,
    Preparation,
    Receipt,
    Reply,
    Sender,
    SendingDomain,
    Server,
    Tokens,
    Tracker,
)
from custom_smtp.archive import Copy
from custom_smtp.edge.threads import ArchiveInThread, InThread, JournalInThread
from custom_smtp.errors import (
    ArchiveError,
    AuthError,
    ConfigurationError,
    ConnectError,
    MailError,
    RefusedError,
    Retry,
    Step,
    TlsError,
    TransportError,
    UncertainError,
    UnrecordedError,
)
from custom_smtp.events import Accepted, Attempted, Event, Refused, Uncertain
from custom_smtp.mail import Headers
from custom_smtp.ports import Archive, Journal, Transport
from custom_smtp.providers.postmark import Postmark
from custom_smtp.testing import FrozenClock, RecordingTransport, SerialIds
from custom_smtp.web import Request

D1 = DeliveryId("d1")
SHOP = SendingDomain(
    name="shop.example",
    mail_host="send.shop.example",
    link_host="links.shop.example",
    link_target="track.eu.example.",
    mail_exchange="10 mx.eu.example.",
    spf_include="_spf.eu.example",
    dkim_selector="s1",
    dkim_record="v=DKIM1; k=ed25519; p=11qYAYKx",
)
MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("Ada@example.net", "Ada"),
    subject="Your order",
    text="See https://shop.example/7 now",
    campaign="receipts",
)


def raising(error: TransportError) -> Callable[[Outgoing], Reply]:
    def answer(_outgoing: Outgoing) -> Reply:
        raise error

    return answer


def preparation(**parts: object) -> Preparation:
    return Preparation(clock=FrozenClock(), new_id=SerialIds(), **parts)  # type: ignore[arg-type]  # checked by use


def send(transport: Transport, archive: Archive | None = None, journal: Journal | None = None) -> Receipt:
    return Sender(transport, preparation(), archive=archive, journal=journal).send(MAIL)


def send_on_a_loop(transport: Transport, archive: Archive | None = None, journal: Journal | None = None) -> Receipt:
    sender = AsyncSender(
        InThread(transport),
        preparation(),
        archive=ArchiveInThread(archive) if archive is not None else None,
        journal=JournalInThread(journal) if journal is not None else None,
    )
    return asyncio.run(sender.send(MAIL))


both = pytest.mark.parametrize("send", [send, send_on_a_loop])
Sending = Callable[..., Receipt]


@define
class FullDisk:
    """An archive and a journal that keep nothing more."""

    asked: int = 0

    def store(self, copy: Copy, /) -> None:
        self.asked += 1
        raise ArchiveError("the disk is full")

    def store_all(self, copies: Iterable[Copy], /) -> None:
        for copy in copies:
            self.store(copy)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        return []

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        return None

    def erase(self, recipient: str, /) -> int:
        return 0

    def record(self, event: Event, /) -> bool:
        self.asked += 1
        raise ArchiveError("the disk is full")

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        return []

    def of_recipient(self, recipient: str, /) -> list[Event]:
        return []


# Order


@both
def test_the_copy_is_the_very_bytes_that_left(send: Sending) -> None:
    transport, archive = RecordingTransport(), MemoryArchive()
    send(transport, archive)
    copy = archive.get(D1)
    assert copy is not None
    assert copy.content == transport.delivered[0].content
    assert (copy.recipient, copy.subject, copy.campaign) == ("Ada@example.net", "Your order", "receipts")
    assert copy.at == FrozenClock().now


@both
def test_where_the_archive_fails_no_mail_leaves(send: Sending) -> None:
    transport, journal = RecordingTransport(), MemoryJournal()
    with pytest.raises(ArchiveError, match="full"):
        send(transport, FullDisk(), journal)
    assert not transport.delivered
    assert not journal.of_delivery(D1)


@both
def test_the_copy_of_a_refused_mail_is_kept(send: Sending) -> None:
    archive = MemoryArchive()
    with pytest.raises(RefusedError):
        send(RecordingTransport(lambda _: Reply(550, "5.1.1 no")), archive)
    assert archive.get(D1) is not None


# What came of it


@both
def test_an_accepted_mail_is_written_down_with_the_servers_words(send: Sending) -> None:
    journal = MemoryJournal()
    receipt = send(RecordingTransport(lambda _: Reply(250, "2.0.0 queued as 7")), None, journal)
    [event] = journal.of_delivery(D1)
    assert isinstance(event, Accepted)
    assert event.reply == receipt.reply == Reply(250, "2.0.0 queued as 7")
    assert (event.about.source, event.about.recipient, event.about.at) == ("smtp", "Ada@example.net", FrozenClock().now)
    assert journal.of_recipient("ada@example.net") == [event]


FAILURES: list[tuple[TransportError, type[Event]]] = [
    (ConnectError("no route"), Attempted),
    (TlsError("stripped", retry=Retry.NEVER), Attempted),
    (AuthError("wrong", reply=Reply(535, "no")), Attempted),
    (TransportError("something else"), Attempted),
    (RefusedError(Reply(451, "4.2.0 greylisted"), at=Step.RCPT), Refused),
    (UncertainError("the line broke"), Uncertain),
]


@both
@pytest.mark.parametrize(("error", "kind"), FAILURES)
def test_a_failure_is_written_down_and_raised(send: Sending, error: TransportError, kind: type[Event]) -> None:
    journal = MemoryJournal()
    with pytest.raises(type(error)) as caught:
        send(RecordingTransport(raising(error)), None, journal)
    assert caught.value is error
    [event] = journal.of_delivery(D1)
    assert isinstance(event, kind)
    match event:
        case Attempted(error=words, retry=retry):
            assert words == f"{type(error).__name__}: {error}"
            assert retry is error.retry
        case Refused():
            assert (event.reply, event.at_step, event.permanent) == (Reply(451, "4.2.0 greylisted"), Step.RCPT, False)
        case Uncertain(error=words):
            assert words == "the line broke"


@both
@pytest.mark.parametrize("ending", [None, UncertainError("the line broke"), ConnectError("no route")])
def test_a_journal_that_fails_after_the_server_answered_must_not_lead_to_a_second_mail(
    send: Sending, ending: TransportError | None
) -> None:
    transport = RecordingTransport(raising(ending)) if ending else RecordingTransport()
    unsafe = ending is None or ending.retry is Retry.RISKY
    advice = "do not send it again" if unsafe else "mails nobody twice"
    with pytest.raises(UnrecordedError, match=advice) as caught:
        send(transport, None, FullDisk())
    outcome = caught.value.outcome
    assert outcome is ending if ending else isinstance(outcome, Receipt)
    assert isinstance(caught.value.__cause__, ArchiveError)


@both
def test_servers_tried_before_are_written_down_too(send: Sending) -> None:
    journal = MemoryJournal()
    dead, busy = RecordingTransport(raising(ConnectError("no route"))), RecordingTransport(lambda _: Reply(421, "busy"))

    def busy_at_the_door(_outgoing: Outgoing) -> Reply:
        raise RefusedError(Reply(421, "busy"), at=Step.CONNECT)

    busy.answers = busy_at_the_door
    receipt = send(Failover((dead, busy, RecordingTransport())), None, journal)
    assert [type(error) for error in receipt.earlier] == [ConnectError, RefusedError]
    assert [type(event) for event in journal.of_delivery(D1)] == [Attempted, Refused, Accepted]


def test_two_attempts_at_one_delivery_are_two_events() -> None:
    from custom_smtp.sender import what_happened

    prepared = preparation().prepare(MAIL)
    now = FrozenClock().now
    first = what_happened(prepared.copy, ConnectError("no route"), now)
    again = what_happened(prepared.copy, ConnectError("no route"), now + timedelta(minutes=5))
    journal = MemoryJournal()
    assert [journal.record(event) for event in (*first, *again, *again)] == [True, True, False]


def test_an_interrupted_send_is_uncertain() -> None:
    def interrupted(_outgoing: Outgoing) -> Reply:
        raise KeyboardInterrupt

    journal = MemoryJournal()
    with pytest.raises(KeyboardInterrupt):
        send(RecordingTransport(interrupted), None, journal)
    [event] = journal.of_delivery(D1)
    assert isinstance(event, Uncertain)


def test_an_interruption_that_knows_the_outcome_is_believed() -> None:
    def interrupted(outgoing: Outgoing) -> Reply:
        interruption = KeyboardInterrupt()
        interruption.outcome = Receipt(outgoing.delivery_id, Reply(250))  # type: ignore[attr-defined]
        raise interruption

    journal = MemoryJournal()
    with pytest.raises(KeyboardInterrupt):
        send(RecordingTransport(interrupted), None, journal)
    assert [type(event) for event in journal.of_delivery(D1)] == [Accepted]


@both
def test_a_journal_that_fails_does_not_hold_up_an_interruption(send: Sending) -> None:
    def interrupted(_outgoing: Outgoing) -> Reply:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        send(RecordingTransport(interrupted), None, FullDisk())
    assert "could not be written down" in caught.value.__notes__[0]


def test_a_cancelled_send_is_uncertain() -> None:
    class Stuck:
        async def deliver(self, _outgoing: Outgoing, /) -> Receipt:
            await asyncio.Event().wait()
            raise AssertionError

    journal = MemoryJournal()

    async def cancel() -> None:
        sender = AsyncSender(Stuck(), preparation(), journal=JournalInThread(journal))
        sending = asyncio.create_task(sender.send(MAIL))
        await asyncio.sleep(0)
        sending.cancel()
        await sending

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    [event] = journal.of_delivery(D1)
    assert isinstance(event, Uncertain)


# Preparation


def test_without_parts_a_mail_is_only_written() -> None:
    [content] = [preparation().prepare(MAIL).outgoing.content]
    assert b"https://shop.example/7" in content
    assert b"Message-ID: <d1@shop.example>" in content


def test_links_are_tracked_headers_marked_and_the_whole_signed_last() -> None:
    @define
    class Stamp:
        seen: list[tuple[bytes, datetime]] = field(factory=list)

        def sign(self, content: bytes, at: datetime, /) -> bytes:
            self.seen.append((content, at))
            return b"X-Stamp: yes\r\n" + content

    stamp = Stamp()
    tracker = Tracker(base_url="https://links.shop.example", tokens=Tokens((b"k" * 32,)))
    prepared = preparation(tracker=tracker, feedback=Postmark("user", "word"), signer=stamp).prepare(MAIL)
    content = prepared.outgoing.content
    assert content.startswith(b"X-Stamp: yes\r\n")
    [(signed, at)] = stamp.seen
    assert b"https://links.shop.example/c/" in signed.replace(b"=\r\n", b"")
    assert b"X-PM-Metadata-delivery-id: d1" in signed
    assert at == FrozenClock().now
    assert prepared.copy.content == content


def test_the_envelope_is_the_person_and_where_bounces_go() -> None:
    from attrs import evolve

    mail = evolve(MAIL, bounces_to=Address("bounces@shop.example"), shown_to=(Address("team@example.net"),))
    envelope = preparation().prepare(mail).outgoing.envelope
    assert envelope.sender == Address("bounces@shop.example")
    assert envelope.recipients == (MAIL.to,)


@pytest.mark.parametrize("domains", [["shop.example"], [SHOP], ["SHOP.example."]])
def test_a_domain_that_was_added_may_send(domains: list[str | SendingDomain]) -> None:
    assert preparation(domains=domains).prepare(MAIL).outgoing.delivery_id == D1


def test_a_from_address_on_another_domain_is_refused() -> None:
    transport, archive = RecordingTransport(), MemoryArchive()
    sender = Sender(transport, preparation(domains=["other.example", "third.example"]), archive=archive)
    with pytest.raises(MailError, match=r"shop\.example is not a sending domain.*other\.example, third\.example"):
        sender.send(MAIL)
    assert not transport.delivered
    assert not archive.find("ada@example.net")


@pytest.mark.parametrize("domains", [[], (), "shop.example", [None], [MAIL.to], [b"shop.example"]])
def test_domains_that_allow_nothing_are_a_mistake(domains: object) -> None:
    with pytest.raises(ConfigurationError, match="domains"):
        preparation(domains=domains)


@pytest.mark.parametrize("domains", [["a b"], ["x@shop.example"], [""]])
def test_domains_that_are_none_are_refused(domains: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        preparation(domains=domains)


# Strangers' parts, written from ports.py alone


@define
class Pigeon:
    """A transport."""

    carried: list[bytes] = field(factory=list)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        self.carried.append(outgoing.content)
        return Receipt(outgoing.delivery_id, Reply(250, "coo"))


@define
class Drawer:
    """An archive and a journal in one."""

    copies: dict[str, Copy] = field(factory=dict)
    events: dict[tuple[str, str], Event] = field(factory=dict)

    def store(self, copy: Copy, /) -> None:
        self.copies[copy.delivery_id] = copy

    def store_all(self, copies: Iterable[Copy], /) -> None:
        for copy in copies:
            self.store(copy)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        return [copy for copy in self.copies.values() if copy.recipient.lower() == recipient.lower()][:limit]

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        return self.copies.get(delivery_id)

    def erase(self, recipient: str, /) -> int:
        return sum(self.copies.pop(copy.delivery_id) is not None for copy in self.find(recipient))

    def record(self, event: Event, /) -> bool:
        return self.events.setdefault((event.about.source, event.about.key), event) is event

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        return [event for event in self.events.values() if event.about.delivery_id == delivery_id]

    def of_recipient(self, recipient: str, /) -> list[Event]:
        return [event for event in self.events.values() if event.about.recipient == recipient]


class Ring:
    """A provider."""

    name = "ring"

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        return (*headers, ("X-Ring", delivery_id))

    def read(self, _request: Request, /) -> list[Event]:
        return []


def test_a_strangers_transport_archive_and_provider_work_together() -> None:
    pigeon, drawer = Pigeon(), Drawer()
    transport: Transport = pigeon
    archive: Archive = drawer
    journal: Journal = drawer
    sender = Sender(transport, preparation(feedback=Ring()), archive=archive, journal=journal)
    assert sender.send(MAIL).reply.text == "coo"
    assert b"X-Ring: d1\r\n" in pigeon.carried[0]
    assert [copy.content for copy in drawer.find("ada@example.net")] == pigeon.carried
    assert [type(event) for event in drawer.of_delivery(D1)] == [Accepted]
    assert drawer.erase("ada@example.net") == 1


def test_a_mail_without_a_text_gets_one_of_its_html() -> None:
    mail = evolve(MAIL, text=None, html='<p>Your <a href="https://shop.example/7">order</a></p>')
    assert b"\r\nYour order <https://shop.example/7>\r\n" in Preparation().prepare(mail).outgoing.content
    assert b"text/plain" not in Preparation(text_from_html=False).prepare(mail).outgoing.content
    assert b"text/plain" not in Preparation().prepare(evolve(mail, html="<img src=x>")).outgoing.content


@pytest.mark.parametrize("kind", [Sender, AsyncSender])
def test_what_delivers_nothing_is_no_transport(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"a Server delivers nothing: .* Sender\(SmtpTransport\(server\)\)"):
        kind(Server("smtp.shop.example"))


@pytest.mark.parametrize("kind", [Sender, AsyncSender])
def test_an_archive_in_place_of_the_preparation_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="a MemoryArchive is no preparation: write"):
        kind(RecordingTransport(), MemoryArchive())


@pytest.mark.parametrize("name", ["tracker", "unsubscribe", "feedback", "returns", "signer"])
def test_a_part_that_cannot_do_what_it_is_for_is_refused(name: str) -> None:
    parts: dict[str, Any] = {name: FeedbackEndpoint(Postmark(username="pm", password="hook"))}
    with pytest.raises(ConfigurationError, match=rf"^{name} is a FeedbackEndpoint, which has no \w+\(\)"):
        Preparation(**parts)
