"""Reaching a server: by any of its addresses, from an address of our own, through whatever is handed in."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic

import pytest
from attrs import evolve

from custom_smtp import Address, DeliveryId, Outgoing, Server, SmtpTransport
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.errors import ConnectError, Retry
from custom_smtp.outgoing import Envelope
from custom_smtp.servers import Limits
from custom_smtp.testing import ScriptedServer
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.server import client_context, polite

AUTHORITY = Authority(datetime.now(UTC))
GOOD = AUTHORITY.issue("127.0.0.1", "localhost", "::1")
TRUSTED = client_context(AUTHORITY)
OUTGOING = Outgoing(DeliveryId("d1"), Envelope(None, (Address("ada@example.net"),)), b"Subject: x\r\n\r\n")


def server_at(host: str, port: int, **how: str) -> Server:
    return Server(host, port, limits=Limits.all_of(2), **how)  # type: ignore[arg-type]  # Server itself checks them


def test_a_name_with_several_addresses_is_reached_by_the_one_that_answers() -> None:
    """Nobody listens on ::1 there, where that is one of the addresses of localhost."""
    with ScriptedServer(polite(certificate=GOOD)) as server:
        for transport in (
            SmtpTransport(server_at("localhost", server.port), context=TRUSTED),
            SmtpTransport(server_at("127.0.0.1", server.port), context=TRUSTED),
        ):
            assert transport.deliver(OUTGOING).reply.code == 250
        asynchronous = AsyncSmtpTransport(server_at("localhost", server.port), context=TRUSTED)
        assert asyncio.run(asynchronous.deliver(OUTGOING)).reply.code == 250


def test_the_address_to_call_from_can_be_chosen() -> None:
    with ScriptedServer(polite(certificate=GOOD)) as server:
        where = server_at("127.0.0.1", server.port, source_address="127.0.0.2")
        SmtpTransport(where, context=TRUSTED).deliver(OUTGOING)
        asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(OUTGOING))
    assert server.heard_in_clear.count(b"EHLO [127.0.0.2]\r\n") == 2


def test_an_address_that_is_not_ours_cannot_be_called_from() -> None:
    with ScriptedServer(polite(certificate=GOOD)) as server:
        where = server_at("127.0.0.1", server.port, source_address="192.0.2.1")
        with pytest.raises(ConnectError, match="cannot be reached"):
            SmtpTransport(where, context=TRUSTED).deliver(OUTGOING)
        with pytest.raises(ConnectError, match="cannot be reached"):
            asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(OUTGOING))


def test_a_connection_of_ones_own_is_used_and_made_quick() -> None:
    dialled: list[socket.socket] = []

    def through_a_proxy(server: Server) -> socket.socket:
        connection = socket.create_connection((server.host, server.port))
        dialled.append(connection.dup())
        return connection

    with ScriptedServer(polite(certificate=GOOD)) as server:
        transport = SmtpTransport(server_at("127.0.0.1", server.port), context=TRUSTED, dial=through_a_proxy)
        assert transport.deliver(OUTGOING).reply.code == 250
    [connection] = dialled
    with connection:
        # Without it, a small write waits until the one before is acknowledged.
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@contextmanager
def proxy_behind_tls(port: int) -> Iterator[int]:
    """Hands on to this port, as it is, what comes over TLS of its own."""

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer), return_exceptions=True)

    async def serve(listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]]) -> None:
        done = asyncio.Event()
        server = await asyncio.start_server(hand_on, "127.0.0.1", 0, ssl=context)
        listening.set_result((asyncio.get_running_loop(), done, server.sockets[0].getsockname()[1]))
        await done.wait()
        server.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        context.load_cert_chain(*GOOD.write(Path(folder), "proxy"))
    listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()
    thread = Thread(target=lambda: asyncio.run(serve(listening)))
    thread.start()
    loop, done, own_port = listening.result(timeout=5)
    try:
        yield own_port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


def test_a_proxy_that_is_itself_reached_over_tls_is_gone_through() -> None:
    """Many words come at once, more than TLS hands over in one piece, and a large mail goes."""
    offers = [f"X-OFFER-{number} {'x' * 400}" for number in range(60)]
    with ScriptedServer(polite(certificate=GOOD, offers=offers)) as server, proxy_behind_tls(server.port) as port:

        def dial(_server: Server) -> socket.socket:
            return TRUSTED.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")

        transport = SmtpTransport(server_at("127.0.0.1", server.port), context=TRUSTED, dial=dial)
        with transport.session() as session:
            large = evolve(OUTGOING, content=b"Subject: x\r\n\r\n" + b"x\r\n" * 500_000)
            assert session.deliver(OUTGOING).reply.code == 250
            assert session.deliver(large).reply.code == 250
    assert len(server.contents) == 2


def test_a_proxy_that_fails_is_a_connect_error() -> None:
    def refuse(_server: Server) -> socket.socket:
        raise OSError("the proxy says 403")

    with pytest.raises(ConnectError, match="the proxy says 403") as caught:
        SmtpTransport(Server("mail.test"), context=TRUSTED, dial=refuse).deliver(OUTGOING)
    assert caught.value.retry is Retry.LATER


def test_a_server_whose_queue_is_full_is_not_waited_for_long() -> None:
    """A listener that takes nobody in: the system holds a few callers, and lets the rest wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(8):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
            waiting.append(caller)
        where = Server("127.0.0.1", port, limits=Limits.all_of(0.5))
        for deliver in (
            SmtpTransport(where, context=TRUSTED).deliver,
            lambda mail: asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(mail)),
        ):
            began = monotonic()
            with pytest.raises(ConnectError):
                deliver(OUTGOING)
            assert monotonic() - began < 3
        for caller in waiting:
            caller.close()
