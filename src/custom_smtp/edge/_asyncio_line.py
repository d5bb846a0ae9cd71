"""The wire to an SMTP server on an event loop: reached, and made awaitable. It knows no word of SMTP."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from ..errors import ConnectError, NoAnswerError, TransportError
from ..servers import Server
from .reaching import HEAD_START, Dial, dialled, in_turns, unconnected, words_of

_UNREAD = 1 << 18
"""Octets that came and were not looked at yet, before no more are taken in."""


class Wire(asyncio.Protocol):
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

    async def caught_up(self) -> None:
        """Have what came by now: the loop asks the system in one turn, and tells in the next."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)

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


Reached = tuple[asyncio.Transport, Wire]


async def reached(server: Server, dial: Dial | None) -> Reached:
    """A connection to the server.

    Raises:
        ConnectError: it cannot be reached.
    """
    try:
        async with asyncio.timeout(server.limits.connect):
            return await _adopted(await (_connected(server) if dial is None else _dialled(dial, server)))
    except TransportError:
        raise
    except Exception as error:
        # A loop tells more than by OSError: of a socket that it cannot use, say.
        raise ConnectError(f"{server} cannot be reached: {words_of(error)}") from error


async def _connected(server: Server) -> socket.socket:
    """As `reach` does it, on the loop, whose own way loses a connection when it is cancelled as that comes to stand."""
    loop = asyncio.get_running_loop()
    waiting = in_turns(await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM))
    trying: set[asyncio.Task[socket.socket]] = set()
    failure: BaseException = OSError("it has no address")
    try:
        while waiting or trying:
            if waiting:
                trying.add(loop.create_task(_attempt(*waiting.pop(0), server.source_address)))
            patience = HEAD_START if waiting else None
            done, _ = await asyncio.wait(trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                trying.remove(attempt)
                if (error := attempt.exception()) is None:
                    return attempt.result()
                failure = error
    finally:
        for attempt in trying:
            attempt.cancel()
            attempt.add_done_callback(_close)
    raise failure


async def _attempt(family: socket.AddressFamily, address: tuple[Any, ...], source_address: str) -> socket.socket:
    connection = unconnected(family, source_address)
    try:
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


async def _adopted(connection: socket.socket) -> Reached:
    try:
        return await asyncio.get_running_loop().create_connection(Wire, sock=connection)
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
