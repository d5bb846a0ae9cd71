"""Waiting for one socket, by poll and by select: whichever a system has, they answer alike."""

import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

import pytest

from custom_smtp.edge._smtp_line import _Poll, _Select

Waiting = type[_Poll | _Select]
WAYS = [
    pytest.param(_Poll, marks=pytest.mark.skipif(not hasattr(select, "poll"), reason="this system has no poll")),
    _Select,
]
BOTH = pytest.mark.parametrize("waiting", WAYS)


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end, which never waits by itself, and the other."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        yield ours, theirs


@BOTH
def test_a_quiet_line_can_be_written_to_and_not_read_from(
    waiting: Waiting, line: tuple[socket.socket, socket.socket]
) -> None:
    wait = waiting(line[0])
    assert not wait.readable(0)
    assert wait.writable(0)


@BOTH
def test_what_came_can_be_read_until_it_is_taken(waiting: Waiting, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    wait = waiting(ours)
    theirs.send(b"220 mail.test\r\n")
    assert wait.readable(0)
    assert wait.readable(5)
    ours.recv(100)
    assert not wait.readable(0)


@BOTH
def test_nothing_is_waited_for_for_longer_than_was_said(
    waiting: Waiting, line: tuple[socket.socket, socket.socket]
) -> None:
    wait = waiting(line[0])
    began = monotonic()
    assert not wait.readable(0.05)
    assert 0.04 < monotonic() - began < 3


@BOTH
def test_when_the_time_is_over_nothing_can_be_done_any_more(
    waiting: Waiting, line: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = line
    wait = waiting(ours)
    theirs.send(b"220 mail.test\r\n")
    assert not wait.readable(-0.001)
    assert not wait.writable(-0.001)


@BOTH
def test_a_full_line_cannot_be_written_to_until_the_other_side_reads(
    waiting: Waiting, line: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = line
    wait = waiting(ours)
    written = 0
    with suppress(BlockingIOError):
        while True:
            written += ours.send(bytes(65536))
    assert not wait.writable(0)
    while written:
        written -= len(theirs.recv(65536))
    assert wait.writable(5)


@BOTH
def test_the_end_of_a_line_can_be_read(waiting: Waiting, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    theirs.close()
    assert waiting(ours).readable(0)
