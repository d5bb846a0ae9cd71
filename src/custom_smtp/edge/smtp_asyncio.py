"""Hands mail to an SMTP server on an event loop: the twin of `custom_smtp.edge.smtp`, driven by the same dialogue."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, cast

from attrs import define, evolve, field, frozen

from ..dane import Tlsa
from ..errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    NoAnswerError,
    RefusedError,
    TransportError,
)
from ..outgoing import Channel, Outcome, Outgoing, Receipt
from ..ports import ValidatingResolver
from ..sasl import fresh_token
from ..server_report import ServerReport, report_on
from ..servers import OAuthCredentials, Server, Tls
from ..smtp_dialogue import Dialogue
from ..smtp_transactions import Ended
from ..system import new_nonce
from .reaching import HEAD_START, Dial, address_literal, dialled, words_of
from .smtp_tls import TlsLayer, check_resolver, published_for, verifying_context, warn_of_clear_text

_UNREAD = 1 << 18
"""Octets that came and were not looked at yet, before no more are taken in."""

_PENDING_EACH = 16
"""Mails under way or waiting for each line of a session, before no more are asked for."""


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
            conversation = await self._open()
        except TransportError as error:
            return ServerReport(str(self.server), failure=error)
        conversation.leave()
        return report_on(self.server, conversation.dialogue.offers, conversation.dialogue.channel)

    async def _open(self) -> "_Conversation":
        published: Sequence[Tlsa] = ()
        if self.resolver is not None:
            published = await asyncio.to_thread(published_for, self.server, self.resolver)
        server = await _with_token(self.server)
        reached = await _reached(server, self.dial)
        return await _Conversation.begin(server, reached, self._verifying, self.transcript, published)


@define(eq=False)
class AsyncSmtpSession:
    """Lines to one server that are kept between mails; the twin of `SmtpSession`. One loop over it at a time.

    Attributes:
        server: where to.
        connections: how many lines there may be.
    """

    server: Server
    connections: int
    _open: "Callable[[], Coroutine[Any, Any, _Conversation]]" = field(repr=False)
    _unclaimed: list[Outcome] = field(factory=list, init=False, repr=False)
    _running: AsyncGenerator[Outcome] | None = field(default=None, init=False, repr=False)
    _kept: "deque[_Conversation]" = field(factory=deque, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.connections, int) or not 1 <= self.connections <= 1000:
            raise ConfigurationError(f"connections is {self.connections!r}: use 1 to 1000")

    async def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over. Raises what `AsyncSmtpTransport.deliver` does."""
        source = _Source()
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
        crew = _Crew(self._serve, self.connections, _asynchronous(outgoings))
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

    async def _serve(self, source: "_Source") -> AsyncIterator[Ended]:
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

    def _fit(self) -> "_Conversation | None":
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


_Mail = tuple[int, Outgoing]


@define(eq=False)
class _Source:
    """Mails to send; those that were given back come first.

    Attributes:
        interrupted: what is known of mails that were on their way when something else than the line broke.
    """

    interrupted: list[Ended] = field(factory=list, init=False)
    _mails: "deque[_Mail]" = field(factory=deque, init=False)
    _finished: bool = field(default=False, init=False)
    _more: asyncio.Event = field(factory=asyncio.Event, init=False)

    def give(self, mail: _Mail) -> None:
        """One more at the end."""
        self._mails.append(mail)
        self._more.set()

    def give_back(self, mails: Iterable[_Mail]) -> None:
        """These were not attempted: they go first, in their order."""
        self._mails.extendleft(reversed(list(mails)))
        self._more.set()

    def finish(self) -> None:
        """There will be no more."""
        self._finished = True
        self._more.set()

    def next(self) -> _Mail | None:
        """The next mail, if there is one now."""
        return self._mails.popleft() if self._mails else None

    async def wait(self) -> _Mail | None:
        """The next mail, once there is one; None when there will be no more."""
        while not self._mails and not self._finished:
            self._more.clear()
            await self._more.wait()
        return self.next()

    def drop(self) -> None:
        """Forget what nobody has begun, and finish."""
        self._mails.clear()
        self.finish()


class _Crew:
    """A task for each line, fed from one source."""

    def __init__(
        self,
        serve: Callable[[_Source], AsyncIterator[Ended]],
        size: int,
        outgoings: AsyncIterator[Outgoing],
    ) -> None:
        self._source = _Source()
        self._ended: deque[Ended] = deque()
        self._pending = 0
        self._most = size * _PENDING_EACH
        self._failure: Exception | None = None
        self._outgoings = outgoings
        self._given = 0
        self._changed = asyncio.Event()
        self._feeding = asyncio.create_task(self._feed())
        self._working = size
        self._tasks = [asyncio.create_task(self._work(serve)) for _ in range(size)]

    async def ended(self) -> AsyncIterator[Ended]:
        """Everything that ends, as it ends."""
        while True:
            while self._ended:
                yield self._ended.popleft()
            if self._feeding.done() and not (self._pending and self._working):
                return
            self._changed.clear()
            await self._changed.wait()

    def told(self) -> None:
        """One more was told to whoever waits. What has ended behind a mail that has not is kept too, so it counts."""
        self._pending -= 1
        self._changed.set()

    async def dismiss(self) -> None:
        """End the work when what is on its way has ended."""
        self._feeding.cancel()
        self._source.drop()
        await asyncio.gather(self._feeding, *self._tasks, return_exceptions=True)

    def rest(self) -> list[Ended]:
        """What nobody has heard of."""
        left, self._ended = [*self._ended, *self._source.interrupted], deque()
        return left

    def raise_failure(self) -> None:
        """Raise what kept the mails from coming, if anything did."""
        if self._failure is not None:
            raise self._failure

    async def _feed(self) -> None:
        try:
            async for outgoing in self._outgoings:
                self._source.give((self._given, outgoing))
                self._given += 1
                self._pending += 1
                while self._pending >= self._most:
                    self._changed.clear()
                    await self._changed.wait()
        except Exception as error:  # noqa: BLE001 - raised again when what is on its way has ended
            self._failure = error
        finally:
            self._source.finish()
            self._changed.set()

    async def _work(self, serve: Callable[[_Source], AsyncIterator[Ended]]) -> None:
        try:
            async for ended in serve(self._source):
                self._ended.append(ended)
                self._changed.set()
        except Exception as error:  # noqa: BLE001 - raised again when what is on its way has ended
            self._failure = self._failure or error
            self._feeding.cancel()
            self._source.drop()
        finally:
            self._working -= 1
            self._changed.set()


class _Wire(asyncio.Protocol):
    """What asyncio tells about a connection, made awaitable.

    Attributes:
        transport: the connection, once there is one.
        lost: why nothing more will come.
        writable: whether all that was written has left.
    """

    def __init__(self) -> None:
        self._came = bytearray()
        self.transport: asyncio.Transport | None = None
        self.lost: ConnectError | None = None
        self._news: asyncio.Future[None] | None = None
        self.writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._came += data
        if len(self._came) > _UNREAD and self.transport is not None:
            self.transport.pause_reading()
        self._tell()

    def take(self) -> bytes:
        """What has come and was not taken yet."""
        came, self._came = bytes(self._came), bytearray()
        if len(came) > _UNREAD and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
        return came

    def eof_received(self) -> None:
        """The other side has said all it will say."""
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is closed."""
        if self.lost is None:
            self.lost = ConnectError(f"the line broke: {exc}" if exc else "the other side closed the line")
        self._tell()

    def pause_writing(self) -> None:
        """The other side does not keep up."""
        self.writable = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self.writable = True
        self._tell()

    async def news(self, until: float) -> None:
        """Wait until something came, or the line broke.

        Raises:
            ConnectError: neither happened in time.
        """
        await self._until(lambda: bool(self._came) or self.lost is not None, until, "did not answer in time")

    async def drained(self, until: float) -> None:
        """Wait until there is room for more to be written.

        Raises:
            ConnectError: the other side takes nothing in any more.
        """
        await self._until(lambda: self.writable or self.lost is not None, until, "takes nothing in any more")

    async def _until(self, happened: Callable[[], bool], until: float, otherwise: str) -> None:
        loop = asyncio.get_running_loop()
        while not happened():
            self._news = loop.create_future()
            alarm = loop.call_at(until, self._tell)
            try:
                await self._news
            finally:
                alarm.cancel()
                self._news = None
            if loop.time() >= until and not happened():
                raise NoAnswerError(f"the server {otherwise}")

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


async def _with_token(server: Server) -> Server:
    """The server, with its token at hand: whoever gives it may have to fetch it, which would hold up the loop."""
    if not isinstance(server.credentials, OAuthCredentials):
        return server
    token = await asyncio.to_thread(fresh_token, server.credentials)
    return evolve(server, credentials=evolve(server.credentials, token=lambda: token))


_Reached = tuple[asyncio.Transport, _Wire]


async def _reached(server: Server, dial: Dial | None) -> _Reached:
    loop = asyncio.get_running_loop()
    source = (server.source_address, 0) if server.source_address else None
    try:
        async with asyncio.timeout(server.limits.connect):
            if dial is not None:
                return await _adopted(await _dialled(dial, server))
            return await loop.create_connection(
                _Wire, server.host, server.port, happy_eyeballs_delay=HEAD_START, local_addr=source
            )
    except TransportError:
        raise
    except Exception as error:
        # A loop tells more than by OSError: of a socket that it cannot use, say.
        raise ConnectError(f"{server} cannot be reached: {words_of(error)}") from error


async def _adopted(connection: socket.socket) -> _Reached:
    try:
        return await asyncio.get_running_loop().create_connection(_Wire, sock=connection)
    except BaseException:
        connection.close()
        raise


async def _dialled(dial: Dial, server: Server) -> socket.socket:
    """In a thread; a connection that comes when nobody waits for it any more is closed."""
    dialling = asyncio.get_running_loop().run_in_executor(None, dialled, dial, server)
    try:
        return await asyncio.shield(dialling)
    except asyncio.CancelledError:
        dialling.add_done_callback(_close)
        raise


def _close(dialling: "asyncio.Future[socket.socket]") -> None:
    if not dialling.cancelled() and dialling.exception() is None:
        dialling.result().close()


@define(eq=False)
class _Conversation:
    """A line, and the dialogue on it."""

    wire: _Wire
    transport: asyncio.Transport
    dialogue: Dialogue
    _context: ssl.SSLContext
    _published: Sequence[Tlsa]
    _tls: TlsLayer | None = None
    _last_used: float = 0.0

    @classmethod
    async def begin(
        cls,
        server: Server,
        reached: "_Reached",
        context: ssl.SSLContext,
        transcript: Callable[[str], None] | None,
        published: Sequence[Tlsa] = (),
    ) -> Self:
        """Make the line secret, log in."""
        loop = asyncio.get_running_loop()
        transport, wire = reached
        # What was written counts as gone, so it must not lie in a buffer here while the line breaks.
        transport.set_write_buffer_limits(high=0)
        name = server.helo_name or address_literal(transport.get_extra_info("sockname"))
        conversation = cls(
            wire, transport, Dialogue(server, name, new_nonce(), loop.time(), transcript), context, published
        )
        try:
            if server.tls is Tls.IMPLICIT:
                conversation.dialogue.encrypted(await conversation._encrypt())
            while not conversation.dialogue.ready:
                await conversation._step()
        except (RefusedError, AuthError):
            conversation.leave()
            raise
        except BaseException:
            transport.abort()
            raise
        return conversation

    async def converse(self, source: _Source) -> AsyncIterator[Ended]:
        """Send what there is, as far as this line goes; what it did not attempt is given back."""
        dialogue, loop = self.dialogue, asyncio.get_running_loop()
        try:
            while True:
                # What the caller does with an outcome, and for the next mail, is done while the server works.
                await self._guarded(self._write)
                for ended in dialogue.take_ended():
                    yield ended
                while dialogue.room and (mail := source.next()) is not None:
                    dialogue.submit(mail[1], mail[0], loop.time())
                if dialogue.over or (dialogue.idle and not dialogue.has_ended):
                    break
                await self._guarded(self._rest_and_read)
            for ended in dialogue.take_ended():
                yield ended
        except BaseException as interruption:
            self.transport.abort()
            if not dialogue.over:
                dialogue.broken(ConnectError("interrupted"))
            for ended in dialogue.take_ended():
                source.interrupted.append(ended)
                # Whoever waits for this mail alone hears what is known of it: `custom_smtp.sender.outcome_of`.
                interruption.outcome = ended.outcome.result  # type: ignore[attr-defined]  # see above
            raise
        source.give_back(dialogue.unattempted())
        self._last_used = loop.time()

    def is_fit(self, longest_idle: float) -> bool:
        """Whether the line can be used again: not idle for too long, not closed, and not a word waiting on it."""
        idle = asyncio.get_running_loop().time() - self._last_used
        fit = idle <= longest_idle and self.wire.lost is None and self._says_nothing_new()
        self.dialogue.over = not fit
        return fit

    def _says_nothing_new(self) -> bool:
        try:
            words = self._heard()
            if words and self.dialogue.listening:
                # The answer to the RSET behind a mail that was refused is nothing to wait for.
                self.dialogue.hear(words, asyncio.get_running_loop().time())
                words = b""
        except ConnectError:
            words = b"closed"
        return not words

    def leave(self) -> None:
        """Say goodbye, and close without waiting for the answer: each mail's end is known already."""
        self.dialogue.quit()
        with suppress(ConnectError):
            while (piece := self.dialogue.next_piece(asyncio.get_running_loop().time())) is not None:
                self.transport.write(self._sealed(piece))
        self.transport.close()

    async def _step(self) -> None:
        """Write what is to be written, and hear what comes."""
        await self._guarded(self._write, opening=True)
        await self._guarded(self._read, opening=True)

    async def _write(self) -> None:
        dialogue, now = self.dialogue, asyncio.get_running_loop().time
        # What the server said before it went tells more than a broken line: nothing more is written then.
        while dialogue.has_words and self.wire.lost is None:
            while dialogue.wants_a_look and (words := self._heard()):
                dialogue.hear(words, now())
            if (piece := dialogue.next_piece(now())) is not None:
                await self._write_piece(piece)

    async def _write_piece(self, piece: bytes) -> None:
        try:
            self.transport.write(self._sealed(piece))
            if self.transport.is_closing():
                # The write found a broken line; the loop has to turn once before the wire knows.
                self.dialogue.unwritten(untouched=True)
                await asyncio.sleep(0)
                return
            await self.wire.drained(asyncio.get_running_loop().time() + self.dialogue.server.limits.reply)
        except ConnectError:
            self.dialogue.unwritten(untouched=False)
            # What the server said meanwhile tells more than that it takes nothing in.
            with suppress(ConnectError):
                while words := self._heard():
                    self.dialogue.hear(words, asyncio.get_running_loop().time())
            raise
        if not self.wire.writable:
            self.dialogue.unwritten(untouched=False)

    async def _rest_and_read(self) -> None:
        if not self.dialogue.has_words:
            self.dialogue.rest()
        if not self.dialogue.has_words or self.wire.lost is not None:
            await self._read()

    async def _read(self) -> None:
        dialogue, now = self.dialogue, asyncio.get_running_loop().time
        while dialogue.listening:
            if words := self._heard():
                dialogue.hear(words, now())
                break
            await self.wire.news(dialogue.deadline)
        if dialogue.wants_tls:
            dialogue.encrypted(await self._encrypt())

    async def _guarded(self, talk: Callable[[], Coroutine[Any, Any, None]], *, opening: bool = False) -> None:
        """Talk; a line that breaks ends the mails on it as what they are, or the opening with an error."""
        try:
            await talk()
        except ConnectError as error:
            told = self.dialogue.broken(error)
            self.transport.abort()
            if opening:
                raise told from (error if told is not error else error.__cause__)

    def _heard(self) -> bytes:
        """What has come and can be read. Raises ConnectError where nothing has, and nothing more will."""
        came = self.wire.take()
        words = came if self._tls is None else self._tls.opened(came)
        if not words and self.wire.lost is not None:
            raise self.wire.lost
        return words

    def _sealed(self, words: bytes) -> bytes:
        return words if self._tls is None else self._tls.sealed(words)

    async def _encrypt(self) -> Channel:
        layer = TlsLayer(self.dialogue.server, self._context, self._published)
        until = asyncio.get_running_loop().time() + self.dialogue.server.limits.connect
        came = b""
        while True:
            try:
                self.transport.write(layer.shake_hands(came))
            except TransportError:
                self.transport.write(layer.last_words())
                raise
            if layer.channel is not None:
                self._tls = layer
                return layer.channel
            try:
                await self.wire.news(until)
                came = self.wire.take()
                if not came and self.wire.lost is not None:
                    raise self.wire.lost
            except ConnectError as error:
                raise layer.failed(error) from error
