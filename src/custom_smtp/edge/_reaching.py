"""Opens a connection to a server that may have several addresses, some of which may be dead ends.

The addresses are tried in turn, IPv6 and IPv4 by turns, each a quarter of a second after the one before, and the first
connection that stands is taken (RFC 8305).
"""

import selectors
import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from os import strerror
from time import monotonic
from typing import Any

from ..servers import Server

_HEAD_START = 0.25  # seconds, RFC 8305 section 5's connection attempt delay

_Address = tuple[socket.AddressFamily, tuple[Any, ...]]
_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


def reach(server: Server) -> socket.socket:
    """A connection to the server, within its limit for connecting.

    Raises:
        OSError: none of its addresses can be reached in time, or it has none.
    """
    ends = monotonic() + server.limits.connect
    waiting = _in_turns(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM))
    trying: list[socket.socket] = []
    failure: OSError = TimeoutError("timed out")
    try:
        while waiting or trying:
            if waiting:
                try:
                    trying.append(_begin(*waiting.pop(0), server.source_address))
                except OSError as error:
                    failure = error
            patience = min(ends, monotonic() + _HEAD_START) if waiting else ends
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


def _first_done(trying: list[socket.socket], patience: float) -> socket.socket | None:
    with selectors.DefaultSelector() as selector:
        for connection in trying:
            selector.register(connection, selectors.EVENT_WRITE, connection)
        return next((key.data for key, _ in selector.select(patience)), None)


def _in_turns(found: Sequence[_Found]) -> list[_Address]:
    """RFC 8305 section 4: families by turns, in the order in which the system prefers them."""
    families: dict[socket.AddressFamily, list[_Address]] = {}
    for family, _type, _protocol, _name, address in found:
        families.setdefault(family, []).append((family, address))
    return [each for turn in zip_longest(*families.values()) for each in turn if each is not None]


def _begin(family: socket.AddressFamily, address: tuple[Any, ...], source_address: str) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        if source_address:
            connection.bind((source_address, 0))
        with suppress(BlockingIOError):
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
