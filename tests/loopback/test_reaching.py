"""Reaching a server: by any of its addresses, from an address of our own, through whatever is handed in."""

import asyncio
import gc
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from custom_smtp import Address, DeliveryId, Outgoing, Receipt, Server, SmtpTransport
from custom_smtp.edge.reaching import HEAD_START, Dial, reach
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.errors import ConnectError, Retry
from custom_smtp.outgoing import Envelope
from custom_smtp.servers import Limits
from custom_smtp.testing import ScriptedServer
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.scripts import polite
from custom_smtp.testing.server import Conversation, client_context

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


def sync(server: Server, dial: Dial = reach) -> Receipt:
    return SmtpTransport(server, context=TRUSTED, dial=dial).deliver(OUTGOING)


def on_a_loop(server: Server, dial: Dial | None = None) -> Receipt:
    return asyncio.run(AsyncSmtpTransport(server, context=TRUSTED, dial=dial).deliver(OUTGOING))


DRIVERS = pytest.mark.parametrize("deliver", [sync, on_a_loop])
Deliver = Callable[[Server, Dial], Receipt]


@DRIVERS
def test_a_connection_of_ones_own_is_used_and_made_quick(deliver: Deliver) -> None:
    dialled: list[socket.socket] = []

    def by_hand(server: Server) -> socket.socket:
        connection = socket.socket()
        connection.connect((server.host, server.port))
        dialled.append(connection.dup())
        return connection

    with ScriptedServer(polite(certificate=GOOD)) as server:
        assert deliver(server_at("127.0.0.1", server.port), by_hand).reply.code == 250
    [connection] = dialled
    with connection:
        # Without it, a small write waits until the one before is acknowledged.
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def pumping(one: socket.socket, other: socket.socket) -> None:
    """Hand on what comes, until it ends."""

    def pump(from_here: socket.socket, to_there: socket.socket) -> None:
        with suppress(OSError):
            while words := from_here.recv(65536):
                to_there.sendall(words)
        for end in (from_here, to_there):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def both() -> None:
        with one, other:
            back = Thread(target=pump, args=(other, one), daemon=True)
            back.start()
            pump(one, other)
            back.join()

    Thread(target=both, daemon=True).start()


@DRIVERS
def test_a_pipe_to_a_proxy_is_a_connection_too(deliver: Deliver) -> None:
    """As of a program that speaks to the proxy for us; a pipe has no address to call from."""

    def through_a_pipe(server: Server) -> socket.socket:
        ours, its = socket.socketpair()
        pumping(its, socket.create_connection((server.host, server.port)))
        return ours

    with ScriptedServer(polite(certificate=GOOD)) as server:
        assert deliver(server_at("127.0.0.1", server.port), through_a_pipe).reply.code == 250
    assert server.heard_in_clear.startswith(b"EHLO [127.0.0.1]\r\n")


def test_a_proxy_may_be_reached_over_tls(tmp_path: Path) -> None:
    """An event loop takes no such socket, and says so."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(*GOOD.write(tmp_path, "proxy"))
    large = Outgoing(DeliveryId("d2"), OUTGOING.envelope, OUTGOING.content + (b"x" * 70 + b"\r\n") * 3000)

    def over_tls(server: Server) -> socket.socket:
        its, ours = socket.socketpair()
        far = socket.create_connection((server.host, server.port))
        Thread(target=lambda: pumping(theirs.wrap_socket(its, server_side=True), far), daemon=True).start()
        return TRUSTED.wrap_socket(ours, server_hostname="localhost")

    with ScriptedServer(polite(certificate=GOOD)) as server:
        where = server_at("127.0.0.1", server.port)
        assert SmtpTransport(where, context=TRUSTED, dial=over_tls).deliver(large).reply.code == 250
        with pytest.raises(ConnectError, match="SSLSocket"):
            on_a_loop(where, over_tls)


def raising(error: Exception) -> Dial:
    def dial(_server: Server) -> socket.socket:
        raise error

    return dial


def closed(_server: Server) -> socket.socket:
    connection = socket.socket()
    connection.close()
    return connection


@DRIVERS
@pytest.mark.parametrize(
    ("dial", "says"),
    [
        (raising(OSError("the proxy says 403")), "the proxy says 403"),
        (raising(TimeoutError()), "timed out"),
        (raising(RuntimeError("user:s3cret@proxy is down")), "RuntimeError"),
        (closed, "cannot be reached"),
        (lambda _server: None, "cannot be reached"),
    ],
)
def test_a_proxy_that_fails_is_a_connect_error(dial: Dial, says: str, deliver: Deliver) -> None:
    with pytest.raises(ConnectError, match=says) as caught:
        deliver(Server("mail.test"), dial)
    assert caught.value.retry is Retry.LATER
    assert "s3cret" not in str(caught.value)


def test_on_a_loop_a_proxy_is_not_waited_for_long_and_what_comes_late_is_closed() -> None:
    goes_on, closed_late = Event(), Event()

    class Dialled(socket.socket):
        def close(self) -> None:
            super().close()
            closed_late.set()

    dialled = Dialled()

    def late(_server: Server) -> socket.socket:
        goes_on.wait(5)
        return dialled

    async def impatient() -> None:
        began = monotonic()
        with pytest.raises(ConnectError, match="timed out"):
            await AsyncSmtpTransport(where, context=TRUSTED, dial=late).deliver(OUTGOING)
        assert monotonic() - began < 2
        goes_on.set()
        assert await asyncio.to_thread(closed_late.wait, 5)

    where = Server("mail.test", limits=Limits.all_of(0.2))
    asyncio.run(asyncio.wait_for(impatient(), 5))


@pytest.mark.parametrize("dial", [None, reach], ids=["the loop's", "one's own"])
def test_on_a_loop_a_delivery_that_is_cancelled_leaves_no_connection_open(dial: Dial | None) -> None:
    """At whichever turn of the loop it is: also when the connection stands, and nobody has heard of it yet."""

    async def cancelled(where: Server, turns: int) -> None:
        transport = AsyncSmtpTransport(where, context=TRUSTED, dial=dial)
        delivery = asyncio.create_task(transport.deliver(OUTGOING))
        for _ in range(turns):
            await asyncio.sleep(0)
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery

    gc.collect()
    with (
        ScriptedServer(polite(greeting=Conversation.hear_nothing)) as server,
        warnings.catch_warnings(record=True) as left,
    ):
        warnings.simplefilter("always", ResourceWarning)
        for turns in range(30):
            asyncio.run(cancelled(server_at("127.0.0.1", server.port), turns))
        gc.collect()
    assert not [str(warning.message) for warning in left]


@contextmanager
def silent(host: str, port: int) -> Iterator[int]:
    """A listener that takes nobody in: the system holds a few callers, and lets the rest wait. Its port."""
    with ExitStack() as callers, socket.create_server((host, port), backlog=0) as listener:
        port = listener.getsockname()[1]
        for _ in range(8):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex((host, port))
        yield port


@pytest.mark.parametrize("deliver", [sync, on_a_loop])
def test_the_next_address_is_tried_while_the_first_says_nothing(
    deliver: Callable[[Server], Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_addresses(*_asked: object, **_how: object) -> list[tuple[object, ...]]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.2", server.port)), (*kind, ("127.0.0.1", server.port))]

    with ScriptedServer(polite(certificate=GOOD)) as server, silent("127.0.0.2", server.port):
        monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
        began = monotonic()
        assert deliver(server_at("mail.test", server.port, certificate_name="127.0.0.1")).reply.code == 250
        assert monotonic() - began >= HEAD_START


@pytest.mark.parametrize("deliver", [sync, on_a_loop])
def test_where_no_address_answers_the_last_failure_is_told(
    deliver: Callable[[Server], Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_how: found)
    with pytest.raises(ConnectError, match="cannot be reached"):
        deliver(server_at("mail.test", port))
    found.clear()
    with pytest.raises(ConnectError, match="cannot be reached"):
        deliver(server_at("mail.test", port))


def test_a_name_that_is_looked_up_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = Event()

    def stalled(*_asked: object, **_how: object) -> list[object]:
        goes_on.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stalled)
    began = monotonic()
    with pytest.raises(ConnectError, match="not looked up in time"):
        sync(Server("mail.test", limits=Limits.all_of(0.2)))
    assert monotonic() - began < 2
    goes_on.set()


@pytest.mark.parametrize("deliver", [sync, on_a_loop])
def test_an_address_of_the_sixth_version_is_reached_by_its_literal(deliver: Callable[[Server], Receipt]) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    with ScriptedServer(polite(certificate=GOOD)) as server, listener:

        def hand_on() -> None:
            caller, _ = listener.accept()
            pumping(caller, socket.create_connection(("127.0.0.1", server.port)))

        Thread(target=hand_on, daemon=True).start()
        assert deliver(server_at("::1", listener.getsockname()[1])).reply.code == 250
    assert server.heard_in_clear.startswith(b"EHLO [IPv6:::1]\r\n")


def test_a_server_whose_queue_is_full_is_not_waited_for_long() -> None:
    with silent("127.0.0.1", 0) as port:
        where = Server("127.0.0.1", port, limits=Limits.all_of(0.5))
        for deliver in (
            SmtpTransport(where, context=TRUSTED).deliver,
            lambda mail: asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(mail)),
        ):
            began = monotonic()
            with pytest.raises(ConnectError):
                deliver(OUTGOING)
            assert monotonic() - began < 3
