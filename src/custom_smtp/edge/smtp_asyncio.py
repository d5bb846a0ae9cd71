"""Hands mail to an SMTP server on an event loop: the twin of `custom_smtp.edge.smtp`, driven by the same dialogue."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from attrs import define, evolve, field, frozen

from ..dane import Tlsa
from ..errors import ConfigurationError, ConnectError, TransportError
from ..outgoing import Outcome, Outgoing, Receipt
from ..ports import ValidatingResolver
from ..sasl import fresh_token
from ..server_report import ServerReport
from ..servers import OAuthCredentials, Server
from ..smtp_transactions import Ended
from ._asyncio_conversation import Conversation
from ._asyncio_crew import Crew, Source
from ._asyncio_line import reached
from .reaching import Dial
from .smtp_tls import check_resolver, published_for, verifying_context, warn_of_clear_text


@frozen
class AsyncSmtpTransport:
    """An `AsyncTransport` to one server, always over TLS: a line for each mail, or `session` for many.

    Attributes:
        server: where, as whom, how long to wait, and how far ahead to speak.
        context: TLS settings of your own, such as a private authority or a client certificate, in place of
            ``server.ca_file`` and the system's trust.
        resolver: as of `SmtpTransport`; it is asked in a thread.
        transcript: is told each line of every dialogue, without credentials and content: for looking at what goes on.
        dial: as of `SmtpTransport`; it is called in a thread, and its connection must not be an ``ssl.SSLSocket``. Left
            out, the loop itself connects.

    Raises:
        ConfigurationError: the authority's file cannot be read, or the context would take any certificate.

    Warns:
        InsecureTransportWarning: the server is set to `Tls.OPPORTUNISTIC`.
    """

    server: Server
    context: ssl.SSLContext | None = field(default=None, kw_only=True, repr=False)
    resolver: ValidatingResolver | None = field(default=None, kw_only=True, repr=False)
    transcript: Callable[[str], None] | None = field(default=None, kw_only=True, repr=False)
    dial: Dial | None = field(default=None, kw_only=True, repr=False)
    _verifying: ssl.SSLContext = field(init=False, repr=False, eq=False)

    @_verifying.default
    def _loaded(self) -> ssl.SSLContext:
        # Once for all mails: reading the system's authorities takes longer than sending.
        return verifying_context(self.server, self.context)

    def __attrs_post_init__(self) -> None:
        check_resolver(self.server, self.resolver)
        warn_of_clear_text(self.server)

    async def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over, on a line of its own. Raises what `SmtpTransport.deliver` does.

        A cancelled delivery closes the line; what is known of the mail is the ``outcome`` of the cancellation.
        """
        async with self.session() as session:
            return await session.deliver(outgoing)

    def session(self, *, connections: int = 1) -> "AsyncSmtpSession":
        """Lines that are kept, for many mails; use it in an ``async with`` block.

        Raises:
            ConfigurationError: there is no such number of connections.
        """
        return AsyncSmtpSession(self.server, connections, self._open)

    async def verify(self) -> ServerReport:
        """Reach the server, make the line secret, log in, say goodbye: what it offers, and what is wrong. No mail."""
        try:
            conversation = await self._reach()
        except TransportError as error:
            return ServerReport(str(self.server), failure=error)
        return await conversation.verify()

    async def _open(self) -> Conversation:
        conversation = await self._reach()
        await conversation.begin()
        return conversation

    async def _reach(self) -> Conversation:
        published: Sequence[Tlsa] = ()
        if self.resolver is not None:
            published = await asyncio.to_thread(published_for, self.server, self.resolver)
        server = await _with_token(self.server)
        line = await reached(server, self.dial)
        return Conversation.over(server, line, self._verifying, self.transcript, published)


@define(eq=False)
class AsyncSmtpSession:
    """Lines to one server that are kept between mails; the twin of `SmtpSession`. One loop over it at a time.

    Attributes:
        server: where to.
        connections: how many lines there may be.
    """

    server: Server
    connections: int
    _open: Callable[[], Coroutine[Any, Any, Conversation]] = field(repr=False)
    _unclaimed: list[Outcome] = field(factory=list, init=False, repr=False)
    _running: AsyncGenerator[Outcome] | None = field(default=None, init=False, repr=False)
    _kept: deque[Conversation] = field(factory=deque, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.connections, int) or not 1 <= self.connections <= 1000:
            raise ConfigurationError(f"connections is {self.connections!r}: use 1 to 1000")

    async def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over. Raises what `AsyncSmtpTransport.deliver` does."""
        source = Source()
        source.give((0, outgoing))
        source.finish()
        [ended] = [ended async for ended in self._serve(source)]
        if isinstance(ended.outcome.result, TransportError):
            raise ended.outcome.result
        return ended.outcome.result

    def deliver_all(self, outgoings: Iterable[Outgoing] | AsyncIterable[Outgoing], /) -> AsyncIterator[Outcome]:
        """Hand many mails over; tell what became of each, in their order."""
        self._running = self._in_tasks(outgoings)
        return self._running

    async def _in_tasks(self, outgoings: Iterable[Outgoing] | AsyncIterable[Outgoing]) -> AsyncGenerator[Outcome]:
        crew = Crew(self._serve, self.connections, _asynchronous(outgoings))
        early: dict[int, Outcome] = {}
        told = 0
        try:
            async for ended in crew.ended():
                early[ended.ticket] = ended.outcome
                while told in early:
                    told += 1
                    crew.told()
                    yield early.pop(told - 1)
        finally:
            # Left half-way: what is on its way is waited for, so that its end is known.
            try:
                await crew.dismiss()
            finally:
                early |= {ended.ticket: ended.outcome for ended in crew.rest()}
                self._unclaimed += [early[ticket] for ticket in sorted(early)]
        crew.raise_failure()

    async def take_unclaimed(self) -> list[Outcome]:
        """What became of mails that were on their way when the loop over `deliver_all` was left; it ends here."""
        await self._end_loop()
        unclaimed, self._unclaimed = self._unclaimed, []
        return unclaimed

    async def close(self) -> None:
        """Say goodbye on every line. A loop over `deliver_all` that was left ends here, if it has not before."""
        try:
            await self._end_loop()
        finally:
            while self._kept:
                self._kept.popleft().leave()

    async def _end_loop(self) -> None:
        if self._running is not None and not self._running.ag_running:  # type: ignore[attr-defined]  # generators have it
            await self._running.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _serve(self, source: Source) -> AsyncIterator[Ended]:
        """One line after the other, until nothing is left to be sent."""
        while (first := await source.wait()) is not None:
            try:
                conversation = self._fit() or await self._open()
            except TransportError as error:
                yield Ended(first[0], Outcome(first[1].delivery_id, error))
                continue
            except BaseException as interruption:
                never_begun = ConnectError("interrupted before the mail was begun")
                interruption.outcome = never_begun  # type: ignore[attr-defined]  # read by `sender.outcome_of`
                raise
            source.give_back([first])
            async for ended in conversation.converse(source):
                yield ended
            if conversation.dialogue.over or conversation.dialogue.closing:
                conversation.leave()
            else:
                self._kept.append(conversation)

    def _fit(self) -> Conversation | None:
        while self._kept:
            conversation = self._kept.popleft()
            if conversation.is_fit(self.server.pace.idle):
                return conversation
            conversation.leave()
        return None


async def _asynchronous(outgoings: Iterable[Outgoing] | AsyncIterable[Outgoing]) -> AsyncIterator[Outgoing]:
    if isinstance(outgoings, AsyncIterable):
        async for outgoing in outgoings:
            yield outgoing
    else:
        for outgoing in outgoings:
            yield outgoing


async def _with_token(server: Server) -> Server:
    """The server, with its token at hand: whoever gives it may have to fetch it, which would hold up the loop."""
    if not isinstance(server.credentials, OAuthCredentials):
        return server
    token = await asyncio.to_thread(fresh_token, server.credentials)
    return evolve(server, credentials=evolve(server.credentials, token=lambda: token))
