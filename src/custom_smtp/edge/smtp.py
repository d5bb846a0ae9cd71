"""Hands mail to an SMTP server: `SmtpTransport` a mail at a time, `SmtpSession` many over lines that are kept.

What is said, and what it means, is decided in `custom_smtp.smtp_dialogue`; here are the sockets, the waiting and the
threads.
"""

import ssl
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from ..errors import ConfigurationError, ConnectError, TransportError
from ..outgoing import Outcome, Outgoing, Receipt
from ..ports import ValidatingResolver
from ..server_report import ServerReport
from ..servers import Server
from ..smtp_transactions import Ended
from ._smtp_conversation import Conversation
from ._smtp_crew import PENDING_EACH, Crew, InOrder, Source
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
            conversation = self._reach()
        except TransportError as error:
            return ServerReport(str(self.server), failure=error)
        return conversation.verify()

    def _open(self) -> Conversation:
        conversation = self._reach()
        conversation.begin()
        return conversation

    def _reach(self) -> Conversation:
        published = published_for(self.server, self.resolver)
        line = SmtpLine(self.server, self._verifying, self.dial, published)
        return Conversation.reaching(line, self.server, self.transcript)


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
    _open: Callable[[], Conversation] = field(repr=False)
    _unclaimed: list[Outcome] = field(factory=list, init=False, repr=False)
    _running: Generator[Outcome] | None = field(default=None, init=False, repr=False)
    _kept: deque[Conversation] = field(factory=deque, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.connections, int) or not 1 <= self.connections <= 1000:
            raise ConfigurationError(f"connections is {self.connections!r}: use 1 to 1000")

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over. Raises what `SmtpTransport.deliver` does."""
        source = Source(lambda _: None)
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
        source, order = Source(lambda _: next(mails, None)), InOrder()
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
        source, order, crew = Source(lambda _: next(mails, None)), InOrder(), Crew(self._serve, self.connections)
        try:
            while (mail := source.next(wait=True)) is not None:
                crew.give(mail)
                # What has ended behind a mail that has not is kept too, so it counts.
                while crew.pending + order.held > self.connections * PENDING_EACH or crew.has_ended:
                    yield from order.told(crew.next())
            for ended in crew.finish():
                yield from order.told(ended)
        finally:
            self._unclaimed += [outcome for ended in crew.finish() for outcome in order.told(ended)] + order.rest()
        crew.raise_failure()
        source.raise_failure()

    def _serve(self, source: Source) -> Iterator[Ended]:
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

    def _line(self) -> Conversation:
        with suppress(IndexError):
            while True:
                conversation = self._kept.popleft()
                if conversation.is_fit(self.server.pace.idle):
                    return conversation
                conversation.leave()
        return self._open()

    def _keep(self, conversation: Conversation) -> None:
        if conversation.dialogue.over or conversation.dialogue.closing:
            conversation.leave()
        else:
            self._kept.append(conversation)
