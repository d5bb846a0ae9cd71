"""Hands mail to an SMTP server: `SmtpTransport` a mail at a time, `SmtpSession` many over lines that are kept.

What is said, and what it means, is decided in `custom_smtp.smtp_dialogue`; here are the sockets, the waiting and the
threads.
"""

import ssl
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from ..errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    RefusedError,
    TransportError,
)
from ..outgoing import Outcome, Outgoing, Receipt
from ..ports import ValidatingResolver
from ..server_report import ServerReport, report_on
from ..servers import Server, Tls
from ..smtp_dialogue import Dialogue
from ..smtp_transactions import Ended
from ..system import new_nonce
from ._smtp_line import SmtpLine
from .reaching import Dial, reach
from .smtp_tls import check_resolver, published_for, verifying_context, warn_of_clear_text


@frozen
class SmtpTransport:
    """A `Transport` to one server, always over TLS: a line for each mail, or `session` for many.

    It may be shared by threads. Nothing is opened until the first mail.

    Attributes:
        server: where, as whom, how long to wait, and how far ahead to speak.
        context: TLS settings of your own, such as a private authority or a client certificate, in place of
            ``server.ca_file`` and the system's trust.
        resolver: who is asked what the server's certificate has to be, where ``server.dane`` is set: a
            `custom_smtp.edge.dnspython.DnsValidatingResolver`, say. Asked anew for each line, before it is opened.
        transcript: is told each line of every dialogue, without credentials and content: for looking at what goes on.
        dial: opens the connection: hand in your own to go through a proxy. What it raises is told as a `ConnectError`.

    Raises:
        ConfigurationError: the authority's file cannot be read, or the context would take any certificate;
            or there is `Dane` without a resolver.

    Warns:
        InsecureTransportWarning: the server is set to `Tls.OPPORTUNISTIC`.
    """

    server: Server
    context: ssl.SSLContext | None = field(default=None, kw_only=True, repr=False)
    resolver: ValidatingResolver | None = field(default=None, kw_only=True, repr=False)
    transcript: Callable[[str], None] | None = field(default=None, kw_only=True, repr=False)
    dial: Dial = field(default=reach, kw_only=True, repr=False)
    _verifying: ssl.SSLContext = field(init=False, repr=False, eq=False)

    @_verifying.default
    def _loaded(self) -> ssl.SSLContext:
        # Once for all mails: reading the system's authorities takes longer than sending.
        return verifying_context(self.server, self.context)

    def __attrs_post_init__(self) -> None:
        check_resolver(self.server, self.resolver)
        warn_of_clear_text(self.server)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over, on a line of its own.

        Raises:
            ConnectError: there was no conversation, or it broke before the last byte.
            TlsError: there is no secret channel; nothing was said.
            AuthError: the credentials were not taken.
            RefusedError: the server said no.
            UncertainError: the line broke after the last byte: the mail may have arrived.
        """
        with self.session() as session:
            return session.deliver(outgoing)

    def session(self, *, connections: int = 1) -> "SmtpSession":
        """Lines that are kept, for many mails; use it in a ``with`` block.

        Raises:
            ConfigurationError: there is no such number of connections.
        """
        return SmtpSession(self.server, connections, self._open)

    def verify(self) -> ServerReport:
        """Reach the server, make the line secret, log in, say goodbye: what it offers, and what is wrong. No mail."""
        try:
            conversation = self._open()
        except TransportError as error:
            return ServerReport(str(self.server), failure=error)
        conversation.leave()
        return report_on(self.server, conversation.dialogue.offers, conversation.dialogue.channel)

    def _open(self) -> "_Conversation":
        published = published_for(self.server, self.resolver)
        line = SmtpLine(self.server, self._verifying, self.dial, published)
        return _Conversation.begin(line, self.server, self.transcript)


@define(eq=False)
class SmtpSession:
    """Lines to one server that are kept between mails.

    A line is opened when it is first needed, looked at before it is used again, and given up after any doubt. One
    thread at a time may use a session.

    Attributes:
        server: where to.
        connections: how many lines there may be.
    """

    server: Server
    connections: int
    _open: "Callable[[], _Conversation]" = field(repr=False)
    _unclaimed: list[Outcome] = field(factory=list, init=False, repr=False)
    _running: Generator[Outcome] | None = field(default=None, init=False, repr=False)
    _kept: "deque[_Conversation]" = field(factory=deque, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.connections, int) or not 1 <= self.connections <= 1000:
            raise ConfigurationError(f"connections is {self.connections!r}: use 1 to 1000")

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over. Raises what `SmtpTransport.deliver` does."""
        source = _Source(lambda _: None)
        source.give_back([(0, outgoing)])
        [ended] = self._serve(source)
        if isinstance(ended.outcome.result, TransportError):
            raise ended.outcome.result
        return ended.outcome.result

    def deliver_all(self, outgoings: Iterable[Outgoing], /) -> Iterator[Outcome]:
        """Hand many mails over; tell what became of each, in their order.

        The next mail is asked for while those before are on their way: an iterable that waits holds them up.
        """
        several = self._in_turns if self.connections == 1 else self._in_threads
        self._running = several(enumerate(outgoings))
        return self._running

    def take_unclaimed(self) -> list[Outcome]:
        """What became of mails that were on their way when the loop over `deliver_all` was left; it ends here."""
        self._end_loop()
        unclaimed, self._unclaimed = self._unclaimed, []
        return unclaimed

    def close(self) -> None:
        """Say goodbye on every line. A loop over `deliver_all` that was left ends here, if it has not before."""
        self._end_loop()
        while self._kept:
            self._kept.popleft().leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end_loop(self) -> None:
        if self._running is not None and not self._running.gi_running:  # type: ignore[attr-defined]  # generators have it
            self._running.close()

    def _in_turns(self, mails: Iterator[tuple[int, Outgoing]]) -> Generator[Outcome]:
        source, order = _Source(lambda _: next(mails, None)), _InOrder()
        ends = self._serve(source)
        try:
            for ended in ends:
                yield from order.told(ended)
        finally:
            # Left half-way: what is on its way is waited for, so that its end is known.
            source.stop()
            try:
                for ended in ends:
                    self._unclaimed += order.told(ended)
            finally:
                self._unclaimed += [outcome for ended in source.interrupted for outcome in order.told(ended)]
                self._unclaimed += order.rest()
        source.raise_failure()

    def _in_threads(self, mails: Iterator[tuple[int, Outgoing]]) -> Generator[Outcome]:
        source, order, crew = _Source(lambda _: next(mails, None)), _InOrder(), _Crew(self._serve, self.connections)
        try:
            while (mail := source.next(wait=True)) is not None:
                crew.give(mail)
                # What has ended behind a mail that has not is kept too, so it counts.
                while crew.pending + order.held > self.connections * _PENDING_EACH or crew.has_ended:
                    yield from order.told(crew.next())
            for ended in crew.finish():
                yield from order.told(ended)
        finally:
            self._unclaimed += [outcome for ended in crew.finish() for outcome in order.told(ended)] + order.rest()
        crew.raise_failure()
        source.raise_failure()

    def _serve(self, source: "_Source") -> Iterator[Ended]:
        """One line after the other, until nothing is left to be sent."""
        while (first := source.next(wait=True)) is not None:
            try:
                conversation = self._line()
            except TransportError as error:
                yield Ended(first[0], Outcome(first[1].delivery_id, error))
                continue
            except BaseException as interruption:
                never_begun = ConnectError("interrupted before the mail was begun")
                interruption.outcome = never_begun  # type: ignore[attr-defined]  # read by `sender.outcome_of`
                raise
            source.give_back([first])
            yield from conversation.converse(source)
            self._keep(conversation)

    def _line(self) -> "_Conversation":
        with suppress(IndexError):
            while True:
                conversation = self._kept.popleft()
                if conversation.is_fit(self.server.pace.idle):
                    return conversation
                conversation.leave()
        return self._open()

    def _keep(self, conversation: "_Conversation") -> None:
        if conversation.dialogue.over or conversation.dialogue.closing:
            conversation.leave()
        else:
            self._kept.append(conversation)


_PENDING_EACH = 16
"""Mails under way or waiting for each line of a session with several, before the first outcome is waited for."""

_A_WHILE = 0.01
"""Seconds with an outcome, or for the next mail, after which a line is looked at before it is used on."""

_Mail = tuple[int, Outgoing]


@define(eq=False)
class _Source:
    """Mails to send; those that were given back come first.

    Attributes:
        interrupted: what is known of mails that were on their way when something else than the line broke.
    """

    _take: Callable[[bool], _Mail | None]
    interrupted: list[Ended] = field(factory=list, init=False)
    _back: "deque[_Mail]" = field(factory=deque, init=False)
    _stopped: bool = field(default=False, init=False)
    _failure: Exception | None = field(default=None, init=False)

    def next(self, *, wait: bool) -> _Mail | None:
        """The next mail; None where there is none, now or, having waited, ever."""
        if self._back:
            return self._back.popleft()
        if self._stopped:
            return None
        try:
            return self._take(wait)
        except Exception as error:  # noqa: BLE001 - raised again when what is on its way has ended
            self._failure = error
            self._stopped = True
            return None

    def give_back(self, mails: Iterable[_Mail]) -> None:
        """These were not attempted: they go first, in their order."""
        self._back.extendleft(reversed(list(mails)))

    def raise_failure(self) -> None:
        """Raise what kept the mails from coming, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True
        self._back.clear()


@define(eq=False)
class _InOrder:
    """Outcomes as they come, told in the order of their mails."""

    _next: int = 0
    _early: dict[int, Outcome] = field(factory=dict)

    def told(self, ended: Ended) -> Iterator[Outcome]:
        self._early[ended.ticket] = ended.outcome
        while self._next in self._early:
            self._next += 1
            yield self._early.pop(self._next - 1)

    @property
    def held(self) -> int:
        """How many came behind a gap."""
        return len(self._early)

    def rest(self) -> list[Outcome]:
        """What came behind a gap."""
        return [self._early[ticket] for ticket in sorted(self._early)]


class _Crew:
    """A thread for each line, fed by one queue.

    Attributes:
        pending: how many mails were given and have not come back.
    """

    def __init__(self, serve: Callable[[_Source], Iterator[Ended]], size: int) -> None:
        self._work: SimpleQueue[_Mail | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended | BaseException] = SimpleQueue()
        self.pending = 0
        self._threads = [Thread(target=self._serve, args=(serve,), daemon=True) for _ in range(size)]
        self._dismissed = False
        self._failure: BaseException | None = None
        for thread in self._threads:
            thread.start()

    def give(self, mail: _Mail) -> None:
        self._work.put(mail)
        self.pending += 1

    @property
    def has_ended(self) -> bool:
        """Whether there is something that `next` need not wait for."""
        return not self._ended.empty()

    def finish(self) -> Iterator[Ended]:
        """Everything that is still pending."""
        if not self._dismissed:
            self._dismissed = True
            for _ in self._threads:
                self._work.put(None)
        while self.pending and self._failure is None:
            yield self.next()
        for thread in self._threads:
            thread.join()
        # After a failure the mails that its line never began are not heard of; all others are.
        while self.has_ended:
            ended = self._ended.get()
            if isinstance(ended, Ended):
                yield ended
            else:
                self._failure = self._failure or ended

    def raise_failure(self) -> None:
        """Raise what went wrong on a line, if anything did."""
        if self._failure is not None:
            raise self._failure

    def next(self) -> Ended:
        """The next that ends."""
        ended = self._ended.get()
        self.pending -= 1
        if isinstance(ended, BaseException):
            self._failure = ended
            raise ended
        return ended

    def _serve(self, serve: Callable[[_Source], Iterator[Ended]]) -> None:
        source = _Source(self._take)
        try:
            for ended in serve(source):
                self._ended.put(ended)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for outcomes
            for ended in source.interrupted:
                self._ended.put(ended)
            self._ended.put(error)

    def _take(self, wait: bool) -> _Mail | None:
        try:
            mail = self._work.get(block=wait)
        except Empty:
            return None
        if mail is None:
            self._work.put(None)
        return mail


@define(eq=False)
class _Conversation:
    """A line, and the dialogue on it."""

    line: SmtpLine
    dialogue: Dialogue
    _last_used: float = 0.0

    @classmethod
    def begin(cls, line: SmtpLine, server: Server, transcript: Callable[[str], None] | None) -> Self:
        """Reach the server, make the line secret, log in."""
        line.open()
        conversation = cls(line, Dialogue(server, line.name, new_nonce(), monotonic(), transcript))
        try:
            if server.tls is Tls.IMPLICIT:
                conversation.dialogue.encrypted(line.encrypt())
            while not conversation.dialogue.ready:
                conversation._step()
        except (RefusedError, AuthError):
            conversation.leave()
            raise
        except BaseException:
            line.close()
            raise
        return conversation

    def converse(self, source: _Source) -> Iterator[Ended]:
        """Send what there is, as far as this line goes; what it did not attempt is given back."""
        dialogue = self.dialogue
        try:
            while True:
                # What the caller does with an outcome, and for the next mail, is done while the server works.
                self._guarded(self._write)
                looked = monotonic()
                yield from dialogue.take_ended()
                # One that can be begun is written before the next is asked for, which may take its time.
                while dialogue.room and not dialogue.has_words and (mail := source.next(wait=False)) is not None:
                    if monotonic() - looked > _A_WHILE:
                        self._guarded(self._listen)
                        looked = monotonic()
                    dialogue.submit(mail[1], mail[0], monotonic())
                if dialogue.over or (dialogue.idle and not dialogue.has_ended):
                    break
                if not dialogue.has_words:
                    dialogue.rest()
                if not dialogue.has_words:
                    self._guarded(self._read)
            yield from dialogue.take_ended()
        except BaseException as interruption:
            self.line.close()
            if not dialogue.over:
                dialogue.broken(ConnectError("interrupted"))
            for ended in dialogue.take_ended():
                source.interrupted.append(ended)
                # Whoever waits for this mail alone hears what is known of it: `custom_smtp.sender.outcome_of`.
                interruption.outcome = ended.outcome.result  # type: ignore[attr-defined]  # see above
            raise
        source.give_back(dialogue.unattempted())
        self._last_used = monotonic()

    def is_fit(self, longest_idle: float) -> bool:
        """Whether the line can be used again: not idle for too long, not closed, and not a word waiting on it."""
        if monotonic() - self._last_used > longest_idle:
            return False
        try:
            words = self.line.look()
            if words and self.dialogue.listening:
                # The answer to the RSET behind a mail that was refused is nothing to wait for.
                self.dialogue.hear(words, monotonic())
                words = b""
        except ConnectError:
            words = b"closed"
        self.dialogue.over = bool(words)
        return not words

    def leave(self) -> None:
        """Say goodbye, and close without waiting for the answer: each mail's end is known already."""
        self.dialogue.quit()
        with suppress(ConnectError):
            while (piece := self.dialogue.next_piece(monotonic())) is not None:
                self.line.write(piece)
        self.line.close()

    def _step(self) -> None:
        """Write what is to be written, and hear what comes."""
        self._guarded(self._write, opening=True)
        self._guarded(self._read, opening=True)

    def _write(self) -> None:
        dialogue = self.dialogue
        while dialogue.has_words:
            while dialogue.wants_a_look and (words := self.line.look()):
                dialogue.hear(words, monotonic())
            if (piece := dialogue.next_piece(monotonic())) is not None:
                self._write_piece(piece)

    def _write_piece(self, piece: bytes) -> None:
        try:
            self.line.write(piece)
        except ConnectError:
            self.dialogue.unwritten(untouched=self.line.untouched)
            # What the server said before it went tells more than the broken line.
            with suppress(ConnectError):
                while words := self.line.look():
                    self.dialogue.hear(words, monotonic())
            raise

    def _listen(self) -> None:
        """Hear what has come while the caller was busy: a server that has gone gets no more mail."""
        while words := self.line.look():
            self.dialogue.hear(words, monotonic())

    def _read(self) -> None:
        dialogue = self.dialogue
        if dialogue.listening:
            dialogue.hear(self.line.read(dialogue.deadline), monotonic())
        if dialogue.wants_tls:
            dialogue.encrypted(self.line.encrypt())

    def _guarded(self, talk: Callable[[], None], *, opening: bool = False) -> None:
        """Talk; a line that breaks ends the mails on it as what they are, or the opening with an error."""
        try:
            talk()
        except ConnectError as error:
            told = self.dialogue.broken(error)
            self.line.close()
            if opening:
                raise told from (error if told is not error else error.__cause__)
