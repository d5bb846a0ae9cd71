"""The wire to an SMTP server: opened, made secret, written to and read from, with every wait bounded.

It knows no word of SMTP: what is said is the dialogue's.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from ..dane import Tlsa
from ..errors import ConnectError, NoAnswerError, TlsError
from ..outgoing import Channel
from ..servers import Server
from .smtp_tls import TlsLayer

_CHUNK = 65536

Dial = Callable[[Server], socket.socket]
"""Opens a connection to a server; what it cannot, it tells by an OSError."""


class SmtpLine(smtplib.SMTP):
    """A connection to one server. Each failure is one of our errors.

    Of smtplib it is the connection: what is said on it, and how replies are bounded, smtplib knows nothing of.
    """

    sock: socket.socket
    untouched: bool = True
    """Whether not a byte has left of what was to be written last."""

    def __init__(self, server: Server, context: ssl.SSLContext, dial: Dial, published: Sequence[Tlsa] = ()) -> None:
        super().__init__(local_hostname=server.helo_name or "localhost", timeout=server.limits.connect)
        self._server = server
        self._context = context
        self._dial = dial
        self._published = published
        self._tls: TlsLayer | None = None
        self._early = b""

    def open(self) -> None:
        """Reach the server.

        Raises:
            ConnectError: it cannot be reached.
        """
        try:
            self.sock = self._dial(self._server)
        except OSError as error:
            raise ConnectError(f"{self._server} cannot be reached: {_words(error)}") from error
        # Without it, a small write waits until the one before is acknowledged (Nagle's rule), and that takes its time.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def name(self) -> str:
        """What we call ourselves: the address we call from, where we have no name (RFC 5321 section 4.1.3)."""
        if self._server.helo_name:
            return self._server.helo_name
        address: str = self.sock.getsockname()[0].partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def encrypt(self) -> Channel:
        """Make the line secret.

        Raises:
            TlsError: it cannot be, or it is not the server whose name we know.
        """
        until = monotonic() + self._server.limits.connect
        layer = TlsLayer(self._server, self._context, self._published)
        try:
            self._send(layer.shake_hands(b""), until)
            while layer.channel is None:
                self._send(layer.shake_hands(self._receive(until)), until)
        except TlsError:
            # The alert that says which certificate was not taken: a courtesy, which may fail.
            with suppress(ConnectError):
                self._send(layer.last_words(), until)
            raise
        except ConnectError as error:
            raise layer.failed(error) from error
        self._tls = layer
        # What came in one packet with the end of the handshake.
        self._early = layer.opened(b"")
        return layer.channel

    def write(self, words: bytes) -> None:
        """Write all of it, within the server's limit for a reply.

        Raises:
            ConnectError: the line broke, or the server takes nothing in any more.
        """
        self.untouched = True
        sealed = words if self._tls is None else self._tls.sealed(words)
        self._send(sealed, monotonic() + self._server.limits.reply)

    def read(self, until: float) -> bytes:
        """Whatever comes next, before this moment of the monotonic clock.

        Raises:
            ConnectError: nothing came in time, or the line broke.
        """
        words, self._early = self._early, b""
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
        if self._early:
            words, self._early = self._early, b""
            return words
        try:
            came = self._received(0)
        except BlockingIOError:
            return b""
        return came if self._tls is None else self._tls.opened(came)

    def _send(self, raw: bytes, until: float) -> None:
        rest = memoryview(raw)
        while rest:
            left = until - monotonic()
            if left <= 0:
                raise ConnectError(f"{self._server} takes nothing in any more")
            self.sock.settimeout(left)
            try:
                rest = rest[self.sock.send(rest) :]
            except OSError as error:
                raise ConnectError(f"the line to {self._server} broke: {_words(error)}") from error
            self.untouched = False

    def _receive(self, until: float) -> bytes:
        left = until - monotonic()
        if left <= 0:
            raise NoAnswerError(f"{self._server} did not answer in time")
        try:
            return self._received(left)
        except TimeoutError as error:
            raise NoAnswerError(f"{self._server} did not answer in time") from error

    def _received(self, patience: float) -> bytes:
        self.sock.settimeout(patience)
        try:
            received: bytes = self.sock.recv(_CHUNK)
        except (TimeoutError, BlockingIOError):
            raise
        except OSError as error:
            raise ConnectError(f"the line to {self._server} broke: {_words(error)}") from error
        if not received:
            raise ConnectError(f"{self._server} closed the line")
        return received


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
