"""Opens a connection to a server that may have several addresses, some of which may be dead ends.

The addresses are tried in turn, IPv6 and IPv4 by turns, each a quarter of a second after the one before, and the first
connection that stands is taken (RFC 8305). Whoever goes another way, through a proxy say, hands in a `Dial`.
"""

import selectors
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import zip_longest
from os import strerror
from threading import Thread
from time import monotonic
from typing import Any

from ..errors import ConnectError
from ..servers import Server

__all__ = ["HEAD_START", "Dial", "address_literal", "dialled", "in_turns", "reach", "unconnected", "words_of"]

HEAD_START = 0.25
"""Seconds between one attempt and the next (RFC 8305 section 5, "Connection Attempt Delay")."""

Dial = Callable[[Server], socket.socket]
"""Opens a connection to a server, within its ``limits.connect``; where it cannot, it raises."""

_Address = tuple[socket.AddressFamily, tuple[Any, ...]]
_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


def reach(server: Server) -> socket.socket:
    """A connection to the server, within its limit for connecting.

    Raises:
        OSError: none of its addresses can be reached in time, or it has none.
    """
    ends = monotonic() + server.limits.connect
    waiting = in_turns(_addresses(server))
    trying: list[socket.socket] = []
    failure: OSError = TimeoutError("timed out")
    try:
        while waiting or trying:
            if waiting:
                try:
                    trying.append(_begin(*waiting.pop(0), server.source_address))
                except OSError as error:
                    failure = error
            patience = min(ends, monotonic() + HEAD_START) if waiting else ends
            while trying and (left := patience - monotonic()) > 0:
                connection = _first_done(trying, left)
                if connection is None:
                    break
                trying.remove(connection)
                number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number == 0:
                    return connection
                connection.close()
                failure = OSError(number, strerror(number))
            if monotonic() >= ends:
                break
    finally:
        for connection in trying:
            connection.close()
    raise failure


def dialled(dial: Dial, server: Server) -> socket.socket:
    """A connection by whatever was handed in, made quick.

    Raises:
        ConnectError: there is none.
    """
    try:
        connection = dial(server)
        connection.getsockname()
    except OSError as error:
        raise ConnectError(f"{server} cannot be reached: {words_of(error)}") from error
    except Exception as error:
        # A stranger's words, in which a proxy's password may stand.
        raise ConnectError(f"{server} cannot be reached: {type(error).__name__}") from error
    with suppress(OSError):
        # Without it, a small write waits until the one before is acknowledged (Nagle's rule), and that takes its time.
        # Only TCP knows of it, and not everything that is dialled is TCP.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def in_turns(found: Sequence[_Found]) -> list[_Address]:
    """What ``getaddrinfo`` found: families by turns, in the order that the system prefers (RFC 8305 section 4)."""
    families: dict[socket.AddressFamily, list[_Address]] = {}
    for family, _type, _protocol, _name, address in found:
        families.setdefault(family, []).append((family, address))
    return [each for turn in zip_longest(*families.values()) for each in turn if each is not None]


def unconnected(family: socket.AddressFamily, source_address: str) -> socket.socket:
    """A socket that waits for nothing, to be connected from this address; from any, where it is empty.

    Raises:
        OSError: there is no such address here.
    """
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        if source_address:
            connection.bind((source_address, 0))
    except BaseException:
        connection.close()
        raise
    return connection


def address_literal(name: object) -> str:
    """The address we call from, as EHLO wants it where there is no name (RFC 5321 section 4.1.3).

    ``name`` is the connection's own; what is none of the internet's, such as a pipe's to a proxy, is this machine's.
    """
    address = str(name[0]).partition("%")[0] if isinstance(name, tuple) else "127.0.0.1"
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def words_of(error: Exception) -> str:
    """What an error says, without its number."""
    said = str(getattr(error, "strerror", None) or error)
    return said or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)


def _addresses(server: Server) -> Sequence[_Found]:
    """Where the server is. The system's own lookup keeps no limit: it is left behind in its thread in time."""
    answer: Future[Sequence[_Found]] = Future()

    def look_up() -> None:
        try:
            answer.set_result(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            answer.set_exception(error)

    Thread(target=look_up, daemon=True).start()
    try:
        return answer.result(server.limits.connect)
    except TimeoutError as error:
        raise TimeoutError("its name was not looked up in time") from error


def _first_done(trying: list[socket.socket], patience: float) -> socket.socket | None:
    with selectors.DefaultSelector() as selector:
        for connection in trying:
            selector.register(connection, selectors.EVENT_WRITE, connection)
        return next((key.data for key, _ in selector.select(patience)), None)


def _begin(family: socket.AddressFamily, address: tuple[Any, ...], source_address: str) -> socket.socket:
    connection = unconnected(family, source_address)
    try:
        with suppress(BlockingIOError):
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
