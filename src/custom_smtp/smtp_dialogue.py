"""What is said to an SMTP server, from greeting to QUIT: a state machine without wires.

A driver reads bytes and hands them to `hear`, writes what `pieces` gives it, makes the line secret when `wants_tls`
says so, and closes when there is nothing more to say. Sockets, waiting and event loops are its business; every word,
and what each answer means for each mail, is decided here, so that every driver keeps the same rules.

Three rules keep mails apart, however many are on their way at once:

1. Answers come in the order of the commands (RFC 2920 section 3.1), so each is booked to the command that stands
   first in line. An answer that nobody waits for ends the conversation.
2. A mail is *gone* from the moment its last piece is handed to the driver: the one with the final dot, or its BDAT
   chunk. Before that a broken line means that it has not arrived; after that, that nobody knows (RFC 1047).
3. After a failure that can leave a transaction open, and after every BDAT (RFC 3030 section 4.2: its failure leaves
   the state indeterminate), goes an RSET: no recipient of one mail can become the recipient of another. And by BDAT
   all good answers are alike, so a mail counts as accepted only when its RSET was answered well too: an answer too
   many, which moves all that follow, would otherwise pass for the answer to a content that was refused.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import define, field

from .addresses import Address
from .errors import (
    ConnectError,
    NoAnswerError,
    Refusal,
    RefusedError,
    Step,
    TransportError,
    UncertainError,
)
from .outgoing import Channel, Outcome, Outgoing, Receipt
from .replies import Reply
from .servers import Pace, Server
from .smtp_commands import domains_of, mail_command, rcpt_command, stuffed, unfit
from .smtp_offers import Offers
from .smtp_opening import Opening, Words, refusal_of
from .smtp_replies import ReplyReader
from .smtp_transactions import Ended, Transaction


@define
class _Piece:
    """Words to be written in one go.

    Attributes:
        words: what to write, in parts.
        replies: how many replies they ask for.
        begins: the mail whose content this is.
        completes: the mail that is gone once this is written.
        closed: whether what is said next goes in another piece.
    """

    words: list[bytes]
    replies: int = 0
    begins: Transaction | None = None
    completes: Transaction | None = None
    closed: bool = False


_OF_AN_ADDRESS = "2.1."
"""Enhanced codes that speak of an address (RFC 3463 section 3.2), and so never of a content."""

_CHALLENGE = 334
_CLOSING = 421
_AT_ONCE = 65536
"""Octets of a content that goes in one piece with its final dot. A larger one is on its way for a while, in which the
server may turn it away or go: so the dot waits for a last look."""

_REFUSED_IN_A_ROW = 4
"""After so many refused mails the line is changed, in good order. Servers hold refusals against a line: Postfix answers
slowly after 10 and hangs up after 20 (smtpd_soft_error_limit, smtpd_hard_error_limit), Exim hangs up after 10 commands
that bring no mail (smtp_accept_max_nonmail); and whoever hangs up leaves others in doubt."""

_Answered = Callable[[Reply, Transaction, Address], None]
_Command = tuple[bytes, _Answered, Transaction | None, Address | None]


@define(eq=False)
class Dialogue:
    """One conversation with one server.

    Attributes:
        server: with whom.
        name: what we call ourselves in EHLO.
        nonce: what no conversation had before, for mechanisms that need it.
        now: when it begins, in the driver's seconds.
        transcript: is told each line, ours with ``>`` in front and the server's with ``<``; never credentials, never a
            mail's content. What it raises is passed over: whoever looks on changes nothing.
        offers: what the server offers, once it has said so.
        channel: how secret the line is; None in clear.
        wants_tls: the driver shall make the line secret now, and call `encrypted`.
        ready: mails can be submitted.
        over: there is nothing more to say or to hear.
        begun: how many mails were begun on this line.
        pieces: what is to be written; `next_piece` takes it.
    """

    server: Server
    name: str
    nonce: str
    _now: float
    transcript: Callable[[str], None] | None = None
    offers: Offers = field(factory=Offers)
    channel: Channel | None = None
    wants_tls: bool = False
    ready: bool = False
    over: bool = False
    begun: int = 0
    pieces: "deque[_Piece]" = field(factory=deque)
    _ended: list[Ended] = field(factory=list)
    _reader: ReplyReader = field(factory=ReplyReader)
    _expected: "deque[tuple[_Answered, Any, Any]]" = field(factory=deque)
    _since: float = 0.0
    _asked: int = 1
    _named: str = ""
    _waiting: "deque[Transaction]" = field(factory=deque)
    _again: "deque[Transaction]" = field(factory=deque)
    _unsaid: deque[_Command] = field(factory=deque)
    _envelope: Transaction | None = None
    _unanswered: "list[Transaction]" = field(factory=list)
    _handed_out: Transaction | None = None
    _needs_rset: bool = False
    _unconfirmed: Transaction | None = None
    _closing: bool = False
    _hanging_up: bool = False
    _refused_in_a_row: int = 0
    _pipelining: bool = False
    _window: int = 0
    _most: int = 1
    _mails: int | None = None
    _most_domains: int | None = None
    _domains: frozenset[str] = frozenset()
    _opening: Opening = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self._now
        self._named = str(self.server)
        self._opening = Opening(self.server, self.name, self.nonce)
        self._expected.append((self._opened, None, None))
        if self.transcript is not None:
            self.transcript = _looking_on(self.transcript)

    # What a driver asks and tells

    @property
    def room(self) -> bool:
        """Whether another mail can be submitted now."""
        return self.ready and not self._closing and not self._waiting and not self._again

    @property
    def idle(self) -> bool:
        """Whether no mail is on its way, and none will be begun: the others are `unattempted`."""
        if self._envelope or self._unanswered:
            return False
        return self._closing or not (self._waiting or self._again)

    @property
    def closing(self) -> bool:
        """Whether the server has announced that it closes, or has taken as many mails as it takes on one line."""
        return self._closing

    @property
    def listening(self) -> bool:
        """Whether the next word is the server's."""
        return bool(self._expected)

    @property
    def wants_a_look(self) -> bool:
        """Whether the driver shall look for words from the server before it writes the next piece.

        It is the one with the final dot. A server that has turned the content away, or has gone, is found out while it
        is still certain that the mail has not arrived.
        """
        if not self.pieces or self.pieces[0].completes is None:
            return False
        return self.pieces[0].begins is not None or self.pieces[0].completes.begun

    @property
    def deadline(self) -> float:
        """Until when the next reply must be there, whole, in the driver's seconds."""
        limits = self.server.limits
        answered, transaction, _ = self._expected[0]
        if transaction is None:
            return self._since + (limits.greeting if self._opening.awaits_greeting else limits.reply)
        patience = limits.final if answered in (self._content_answered, self._chunk_answered) else limits.reply
        begun: float = transaction.since
        return min(self._since + patience, begun + limits.transaction)

    @property
    def has_ended(self) -> bool:
        """Whether there is something for `take_ended`."""
        return bool(self._ended)

    def take_ended(self) -> list[Ended]:
        """The mails whose end has become known since this was last asked."""
        ended, self._ended = self._ended, []
        return ended

    def submit(self, outgoing: Outgoing, ticket: int, now: float) -> None:
        """Take a mail; what becomes of it is told by `take_ended`, under its ticket."""
        self._now = now
        self._waiting.append(Transaction(outgoing, ticket))
        self._compose()

    def rest(self) -> None:
        """No mail can be begun for now: say the RSET that the last one waits for, where no other will bring it."""
        brought = not self._closing and (self._waiting or self._again) and len(self._unanswered) > 1
        if self._unconfirmed is not None and not brought:
            self._say([self._begin_anew()])

    def next_piece(self, now: float) -> bytes | None:
        """What to write next, all of it; None if nothing. From now on it counts as written."""
        if not self.pieces:
            return None
        piece = self.pieces.popleft()
        self._asked += piece.replies
        if piece.begins is not None:
            piece.begins.begun = True
        if piece.completes is not None:
            piece.completes.gone = True
        self._handed_out = piece.completes
        self._since = now
        return piece.words[0] if len(piece.words) == 1 else b"".join(piece.words)

    def unwritten(self, *, untouched: bool) -> None:
        """The last piece could not be written to its end, or not a byte of it: a mail that ends there has not gone."""
        transaction = self._handed_out
        if transaction is None or not (untouched or self._window):
            return  # behind a final dot stands the next envelope: the dot may have left
        transaction.gone = False
        transaction.begun = transaction.begun or not untouched

    def hear(self, data: bytes, now: float) -> None:
        """Take in what the server said.

        Raises:
            TransportError: there will be no conversation; while mails are on their way, only a ConnectError, after
                which `broken` says what became of them.
        """
        for reply in self._reader.read(data):
            if self.wants_tls:
                break
            if self._asked <= 0 and not self._turned_away_half_way():
                raise ConnectError(f"{self.server} spoke out of turn: {str(reply)!r}")
            answered, transaction, recipient = self._expected.popleft()
            self._asked -= 1
            if self.transcript is not None:
                _show(reply, self.transcript)
            self._since = self._now = now
            # RFC 5321 section 3.8: after a 421 the server closes, and has not looked at what was said behind it.
            self._hanging_up = reply.code == _CLOSING
            if self._hanging_up:
                self._closing = True
            if transaction is not None:
                transaction.answered = True
            answered(reply, transaction, recipient)
        else:
            if not (self.wants_tls and self._reader.waiting):
                if self._waiting or self._again:
                    self._compose()
                if self._reader.waiting and self._expected and now > self.deadline:
                    raise NoAnswerError(f"{self.server} did not answer in time, but for a part of a reply")
                return
        raise self._opening.injected()

    def encrypted(self, channel: Channel) -> None:
        """The line is secret now."""
        self._go_on_opening(self._opening.encrypted(channel))

    def broken(self, error: ConnectError) -> TransportError:
        """The line broke: each mail on its way ends as what it is. Returns the error, as it is to be told.

        Mails of which the server has heard nothing that matters have no end yet: `unattempted` hands them back.
        """
        self.over, self.ready = True, False
        self.pieces.clear()
        self._unsaid.clear()
        untouched = []
        for transaction in (*self._unanswered, *filter(None, [self._envelope])):
            result = self._end_of(transaction, error)
            if result is None:
                untouched.append(Transaction(transaction.outgoing, transaction.ticket))
            else:
                self._end(transaction, result)
        self._waiting.extendleft(reversed(untouched))
        self._envelope = self._unconfirmed = None
        self._unanswered.clear()
        self._expected.clear()
        return error if self._opening.complete else self._opening.ended(error)

    def unattempted(self) -> list[tuple[int, Outgoing]]:
        """The mails that were submitted and of which the server heard nothing that matters, with their tickets."""
        left = [*self._again, *self._waiting]
        self._again.clear()
        self._waiting.clear()
        return [(transaction.ticket, transaction.outgoing) for transaction in left]

    def quit(self) -> None:
        """Say goodbye, if it is our turn."""
        self.ready = False
        if self._expected or self.pieces:
            self.over = True
        elif not self.over:
            self._say([(b"QUIT\r\n", self._goodbye, None, None)])

    def _turned_away_half_way(self) -> bool:
        """Whether a reply is due though all words were answered: to a content before its final dot."""
        return bool(self._expected) and self.wants_a_look

    # Opening

    def _opened(self, reply: Reply, _transaction: Transaction, _recipient: Address) -> None:
        try:
            words = self._opening.hear(reply)
        finally:
            self.offers = self._opening.offers  # where it ends here, they tell why
        self._go_on_opening(words)

    def _go_on_opening(self, words: Words | None) -> None:
        opening = self._opening
        self.offers, self.channel, self.wants_tls = opening.offers, opening.channel, opening.wants_tls
        self._reader.secrets = opening.secrets
        if words is not None:
            self._say([(words.octets, self._opened, None, None)], shown=words.shown)
        elif opening.complete:
            self._be_ready()

    def _be_ready(self) -> None:
        self.ready = True
        pace = Pace.careful() if self._opening.careful else self.server.pace
        self._pipelining = self.server.pace.pipelining and "PIPELINING" in self.offers
        self._window = pace.window if self._pipelining and "CHUNKING" in self.offers else 0
        self._most = self._window or (2 if self._pipelining and pace.piggyback else 1)
        named = (self.server.pace.mails_per_connection, self.offers.limit("MAILMAX"))
        self._mails = min((limit for limit in named if limit is not None), default=None)
        self._most_domains = self.offers.recipient_domains

    # One mail

    def _compose(self) -> None:
        """Say as much as may be said now."""
        while (self._waiting or self._again) and self._envelope is None and (transaction := self._next()) is not None:
            self._begin(transaction)

    def _next(self) -> Transaction | None:
        if not self.ready or self._closing:
            return None
        queue = self._again or self._waiting
        if self._unanswered and len(self._unanswered) >= self._ahead(queue[0]):
            return None
        if self._most_domains is not None and self._goes_too_far(queue[0], self._most_domains):
            self._closing = True
            return None
        return queue.popleft()

    def _goes_too_far(self, transaction: Transaction, most: int) -> bool:
        """Whether another line has room for its domains and this one has not any more (RFC 9422 section 4.3)."""
        domains = domains_of(transaction.outgoing)
        return bool(self._domains) and len(domains) <= most < len(self._domains | domains)

    def _ahead(self, transaction: Transaction) -> int:
        """How many mails may be unanswered when this one is begun, itself included."""
        if transaction.alone or (self._unanswered and self._unanswered[-1].alone):
            return 1
        return self._most

    def _begin(self, transaction: Transaction) -> None:
        refusal = unfit(transaction.outgoing, self.offers, secret=self.channel is not None)
        if refusal is not None:
            self._end(transaction, refusal)
            return
        self.begun += 1
        if self._most_domains is not None:
            self._domains |= domains_of(transaction.outgoing)
        transaction.since = self._now
        if self.begun == self._mails:
            self._closing = True
        commands = [self._begin_anew()] if self._needs_rset else []
        commands += self._envelope_of(transaction)
        if self._window:
            self._send_in_a_chunk(transaction, commands)
            return
        self._envelope = transaction
        commands.append((b"DATA\r\n", self._data_answered, transaction, None))
        if self._pipelining:
            self._say(commands)
        else:
            self._unsaid.extend(commands)
            self._say_one()

    def _begin_anew(self) -> _Command:
        unconfirmed, self._needs_rset, self._unconfirmed = self._unconfirmed, False, None
        return b"RSET\r\n", self._reset, unconfirmed, None

    def _envelope_of(self, transaction: Transaction) -> list[_Command]:
        outgoing, offers = transaction.outgoing, self.offers
        return [
            (mail_command(outgoing, offers), self._mail_answered, transaction, None),
            *[
                (rcpt_command(outgoing, recipient, offers), self._rcpt_answered, transaction, recipient)
                for recipient in outgoing.envelope.recipients
            ],
        ]

    def _say_one(self) -> None:
        """Without PIPELINING each command waits for the answer to the one before."""
        self._say([self._unsaid.popleft()])

    def _mail_answered(self, reply: Reply, transaction: Transaction, _recipient: Address) -> None:
        if not reply.positive:
            transaction.mail_refusal = RefusedError(refusal_of(self.server, reply), at=Step.MAIL)
        if self._unsaid:
            self._go_on(transaction)

    def _rcpt_answered(self, reply: Reply, transaction: Transaction, recipient: Address) -> None:
        if reply.positive:
            transaction.taken += 1
        else:
            transaction.refused.append(Refusal(recipient, RefusedError(refusal_of(self.server, reply), at=Step.RCPT)))
        if self._unsaid:
            self._go_on(transaction)

    def _go_on(self, transaction: Transaction) -> None:
        if (refusal := transaction.turned_away) is None:
            self._say_one()
            return
        self._unsaid.clear()
        self._envelope = None
        self._needs_rset = transaction.mail_refusal is None
        self._end(transaction, refusal)

    def _data_answered(self, reply: Reply, transaction: Transaction, _recipient: Address) -> None:
        if reply.code == 354:
            self._envelope = None
            self._content_wanted(transaction)
            return
        refusal = transaction.turned_away or RefusedError(refusal_of(self.server, reply), at=Step.DATA)
        self._envelope = None
        self._needs_rset = transaction.mail_refusal is None
        if self._out_of_step(reply, transaction):
            self._once_more(transaction)
        else:
            self._end(transaction, refusal)

    def _content_wanted(self, transaction: Transaction) -> None:
        if transaction.mail_refusal is not None:
            # On whose envelope? Not a byte of this mail may follow.
            if self._out_of_step(transaction.mail_refusal.reply, transaction):
                self._once_more(transaction)
            else:
                self._end(transaction, transaction.mail_refusal)
            raise ConnectError(f"{self.server} wants content for a mail that it refused")
        if not transaction.taken:
            # RFC 2920 section 3.1: a server may want it all the same; it gets a lone dot, and nobody gets a mail.
            self._say([(b".\r\n", self._nothing_answered, transaction, None)])
            self._envelope = transaction
            return
        self._unanswered.append(transaction)
        content = stuffed(transaction.outgoing.content)
        if self.transcript is not None:
            self.transcript(f"> ({len(content)} octets of content)")
        together = len(content) <= _AT_ONCE
        self.pieces.append(_Piece([content], begins=transaction, closed=not together))
        self._say([(b".\r\n", self._content_answered, transaction, None)]).completes = transaction

    def _nothing_answered(self, _reply: Reply, transaction: Transaction, _recipient: Address) -> None:
        self._envelope = None
        self._end(transaction, transaction.turned_away or transaction.refused[0].error)

    def _content_answered(self, reply: Reply, transaction: Transaction, _recipient: Address) -> None:
        self._unanswered.remove(transaction)
        if reply.code >= 400 and self._envelope is None:
            # RFC 5321 section 4.1.1.4: the transaction is over. Where it costs little, we do not rely on it.
            self._needs_rset = True
        if reply.positive and transaction.gone:
            self._end(transaction, self._accepted(reply, transaction))
            return
        self._settle(transaction, self._verdict(reply, transaction))
        if not transaction.gone:
            raise ConnectError(f"{self.server} answered before the mail was whole: {reply!s}")

    def _send_in_a_chunk(self, transaction: Transaction, commands: list[_Command]) -> None:
        content = transaction.outgoing.content
        commands.append((b"BDAT %d LAST\r\n" % len(content), self._chunk_answered, transaction, None))
        piece = self._say(commands)
        piece.words.append(content)
        piece.completes, piece.closed = transaction, True  # should writing it fail, it has not gone, nor has the next
        self._unanswered.append(transaction)
        self._needs_rset, self._unconfirmed = True, transaction

    def _chunk_answered(self, reply: Reply, transaction: Transaction, _recipient: Address) -> None:
        if reply.positive and transaction.taken and transaction.gone and not reply.text.startswith(_OF_AN_ADDRESS):
            transaction.receipt = self._accepted(reply, transaction)
            return
        self._unanswered.remove(transaction)
        if self._unconfirmed is transaction:
            self._unconfirmed = None
        if reply.positive and reply.text.startswith(_OF_AN_ADDRESS):
            self._settle(transaction, UncertainError(f"the mail was sent whole, and its answer is another's: {reply}"))
        if self._out_of_step(reply, transaction):
            self._once_more(transaction)
        else:
            self._settle(transaction, transaction.turned_away or self._verdict(reply, transaction))

    def _once_more(self, transaction: Transaction) -> None:
        self._needs_rset = True
        self._again.append(Transaction(transaction.outgoing, transaction.ticket, alone=True))

    def _out_of_step(self, reply: Reply, transaction: Transaction) -> bool:
        """Whether the server refused the sequence (503), not the mail: then the mail was never attempted."""
        refusal = transaction.mail_refusal
        return (
            refusal is not None and refusal.reply.code == 503 == reply.code and self.begun > 1 and not transaction.alone
        )

    def _settle(self, transaction: Transaction, result: Receipt | TransportError) -> None:
        self._end(transaction, result)
        if isinstance(result, UncertainError):
            raise ConnectError(str(result))

    def _verdict(self, reply: Reply, transaction: Transaction) -> Receipt | TransportError:
        if reply.code >= 400:
            return RefusedError(reply, at=Step.CONTENT)
        if not transaction.gone:
            return ConnectError(f"{self.server} answered before the mail was whole: {reply!s}")
        if reply.positive:
            return self._accepted(reply, transaction)
        return UncertainError(f"the mail was sent whole, and its answer is none: {reply!s}")

    def _accepted(self, reply: Reply, transaction: Transaction) -> Receipt:
        return Receipt(
            transaction.outgoing.delivery_id,
            reply,
            self._named,
            self.channel,
            refused=tuple(transaction.refused),
        )

    def _reset(self, reply: Reply, transaction: Transaction | None, _recipient: Address) -> None:
        if transaction is not None and transaction.receipt is not None:
            self._unanswered.remove(transaction)
            if reply.positive or reply.code == _CLOSING:
                self._end(transaction, transaction.receipt)
            else:
                self._settle(transaction, UncertainError(f"its RSET was refused, or that is its own answer: {reply}"))
        if reply.positive:
            if self._unsaid:
                self._say_one()
        elif reply.code != _CLOSING or not self._pipelining:
            raise ConnectError(f"{self.server} does not begin anew: {reply}")
        # After a 421, what comes next tells: the end of the line, or answers to what stands behind.

    def _goodbye(self, _reply: Reply, _transaction: Transaction, _recipient: Address) -> None:
        self.over = True

    # Ends

    def _end(self, transaction: Transaction, result: Receipt | TransportError) -> None:
        by_the_server = isinstance(result, RefusedError) and result.at is not Step.EHLO
        self._refused_in_a_row = self._refused_in_a_row + 1 if by_the_server else 0
        if isinstance(result, TransportError) and len(transaction.outgoing.envelope.recipients) > 1:
            result.refused = tuple(transaction.refused)
        if self._refused_in_a_row == _REFUSED_IN_A_ROW:
            self._closing = True
        self._ended.append(Ended(transaction.ticket, Outcome(transaction.outgoing.delivery_id, result)))

    def _end_of(self, transaction: Transaction, error: ConnectError) -> Receipt | TransportError | None:
        """What a broken line means for a mail; None where it was not attempted."""
        if transaction.receipt is not None:
            return transaction.receipt
        if self._hanging_up and not transaction.answered and not isinstance(error, NoAnswerError):
            return None
        refusal = transaction.turned_away
        if refusal is not None and not (transaction.gone and transaction.taken):
            return refusal
        if transaction.gone:
            return UncertainError(f"the mail was sent whole, and then: {error}")
        if transaction.begun or transaction.answered or self.begun <= 1:
            return ConnectError(str(error))
        return None

    # Words

    def _say(self, commands: list[_Command], *, shown: str = "") -> _Piece:
        """Words that ask for replies. Returns the piece that they end: the last, where more may stand behind it.

        In the transcript they stand as ``shown``, where they hold a secret.
        """
        if not self.pieces or self.pieces[-1].closed:
            self.pieces.append(_Piece([]))
        piece = self.pieces[-1]
        piece.replies += len(commands)
        for words, answered, transaction, recipient in commands:
            self._expected.append((answered, transaction, recipient))
            piece.words.append(words)
            if self.transcript is not None:
                self.transcript(f"> {shown or words.decode('utf-8', 'backslashreplace').rstrip()}")
        return piece


def _show(reply: Reply, transcript: Callable[[str], None]) -> None:
    """Tell the transcript; what a challenge holds is for the login alone."""
    said = f"{reply}" if reply.code != _CHALLENGE else "334 ..."
    for line in said.split("\n"):
        transcript(f"< {line}")


def _looking_on(transcript: Callable[[str], None]) -> Callable[[str], None]:
    def tell(line: str) -> None:
        # A terminal that cannot spell a server's answer must not make an accepted mail look like one that failed.
        with suppress(Exception):
            transcript(line)

    return tell
