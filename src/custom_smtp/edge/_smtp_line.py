"""The wire to an SMTP server: opened, made secret, written to and read from, with every wait bounded.

It knows no word of SMTP: what is said is the dialogue's.
"""

import select
import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from ..dane import Tlsa
from ..errors import ConnectError, NoAnswerError, TlsError
from ..outgoing import Channel
from ..servers import Server
from .reaching import Dial, address_literal, dialled, words_of
from .smtp_tls import TlsLayer

_CHUNK = 65536
# A socket may be secret by itself, to a proxy. No record of TLS is longer than a chunk, so that it holds nothing back.
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SmtpLine(smtplib.SMTP):
    """A connection to one server. Each failure is one of our errors.

    Of smtplib it is the connection: what is said on it, and how replies are bounded, smtplib knows nothing of.
    """

    sock: socket.socket
    _wait: "_Poll | _Select"
    untouched: bool = True
    """Whether not a byte has left of what was to be written last."""

    def __init__(self, server: Server, context: ssl.SSLContext, dial: Dial, published: Sequence[Tlsa] = ()) -> None:
        super().__init__(local_hostname=server.helo_name or "localhost", timeout=server.limits.connect)
        self._server = server
        self._context = context
        self._dial = dial
        self._published = published
        self._tls: TlsLayer | None = None
        self._fresh = False

    def open(self) -> None:
        """Reach the server.

        Raises:
            ConnectError: it cannot be reached.
        """
        self.sock = dialled(self._dial, self._server)
        # It never waits by itself: how long to wait is another matter for each word.
        self.sock.settimeout(0)
        self._wait = _Waiting(self.sock)

    @property
    def name(self) -> str:
        """What we call ourselves: the address we call from, where we have no name."""
        return self._server.helo_name or address_literal(self.sock.getsockname())

    def encrypt(self) -> Channel:
        """Make the line secret.

        Raises:
            TlsError: it cannot be, or it is not the server whose name we know.
        """
        until = monotonic() + self._server.limits.connect
        layer = TlsLayer(self._server, self._context, self._published)
        try:
            self._send(layer.shake_hands(b""), until - monotonic())
            while layer.channel is None:
                self._send(layer.shake_hands(self._receive(until)), until - monotonic())
        except TlsError:
            # The alert that says which certificate was not taken: a courtesy, which may fail.
            with suppress(ConnectError):
                self._send(layer.last_words(), until - monotonic())
            raise
        except ConnectError as error:
            raise layer.failed(error) from error
        self._tls, self._fresh = layer, True
        return layer.channel

    def write(self, words: bytes) -> None:
        """Write all of it, within the server's limit for a reply.

        Raises:
            ConnectError: the line broke, or the server takes nothing in any more.
        """
        self.untouched = True
        sealed = words if self._tls is None else self._tls.sealed(words)
        self._send(sealed, self._server.limits.reply)

    def read(self, until: float) -> bytes:
        """Whatever comes next, before this moment of the monotonic clock.

        Raises:
            ConnectError: nothing came in time, or the line broke.
        """
        words = self._early() if self._fresh else b""
        if not words and monotonic() >= until:
            # It was the caller who took the time: an answer that came meanwhile is an answer.
            words = self.look()
        while not words:
            came = self._receive(until)
            words = came if self._tls is None else self._tls.opened(came)
        return words

    def look(self) -> bytes:
        """What is there already, without waiting; nothing, as a rule.

        Raises:
            ConnectError: the line is closed or broken.
        """
        if self._fresh and (words := self._early()):
            return words
        came = self._received() if self._wait.readable(0) else b""
        return came if self._tls is None or not came else self._tls.opened(came)

    def _early(self) -> bytes:
        """What came in one packet with the end of the handshake."""
        self._fresh = False
        return b"" if self._tls is None else self._tls.opened(b"")

    def _send(self, raw: bytes, within: float) -> None:
        """All of it, within so many seconds."""
        if (sent := self._sent(raw)) == len(raw):
            return
        until, rest = monotonic() + within, memoryview(raw)
        while sent < len(rest):
            if not self._wait.writable(until - monotonic()):
                raise ConnectError(f"{self._server} takes nothing in any more")
            sent += self._sent(rest[sent:])

    def _sent(self, raw: bytes | memoryview) -> int:
        try:
            sent = self.sock.send(raw)
        except _NOT_YET:
            return 0
        except OSError as error:
            raise ConnectError(f"the line to {self._server} broke: {words_of(error)}") from error
        self.untouched = False
        return sent

    def _receive(self, until: float) -> bytes:
        while self._wait.readable(until - monotonic()):
            if received := self._received():
                return received
        raise NoAnswerError(f"{self._server} did not answer in time")

    def _received(self) -> bytes:
        """What is there; nothing where there is nothing yet."""
        try:
            received: bytes = self.sock.recv(_CHUNK)
        except _NOT_YET:
            return b""
        except OSError as error:
            raise ConnectError(f"the line to {self._server} broke: {words_of(error)}") from error
        if not received:
            raise ConnectError(f"{self._server} closed the line")
        return received


class _Poll:
    """Waiting for one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._reading, self._writing = select.poll(), select.poll()
        self._reading.register(sock, select.POLLIN)
        self._writing.register(sock, select.POLLOUT)

    def readable(self, within: float) -> bool:
        """Whether there is something to read, or will be within so many seconds."""
        return within >= 0 and bool(self._reading.poll(within * 1000))

    def writable(self, within: float) -> bool:
        """Whether something can be written, or will be within so many seconds."""
        return within >= 0 and bool(self._writing.poll(within * 1000))


class _Select:
    """The same where the system has no poll."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def readable(self, within: float) -> bool:
        """As of `_Poll`."""
        return within >= 0 and bool(select.select((self._sock,), (), (), within)[0])

    def writable(self, within: float) -> bool:
        """As of `_Poll`."""
        return within >= 0 and bool(select.select((), (self._sock,), (), within)[1])


# Python's select takes none of a process's many files but its first thousand, where there is poll.
_Waiting: type[_Poll | _Select] = _Poll if hasattr(select, "poll") else _Select
