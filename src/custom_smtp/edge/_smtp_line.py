"""The wire to an SMTP server: opened, made secret, written to and read from, with every wait bounded.

It knows no word of SMTP: what is said is the dialogue's. What smtplib brings for closing is kept; its reading, which
has no limits, and its STARTTLS, which drops plaintext in silence, are not used.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable
from time import monotonic

from ..errors import ConnectError, Retry, TlsError
from ..outgoing import Channel
from ..servers import Server

_CHUNK = 65536

Dial = Callable[[Server], socket.socket]
"""Opens a connection to a server; what it cannot, it tells by an OSError."""


class SmtpLine(smtplib.SMTP):
    """A connection to one server. Each failure is one of our errors."""

    sock: socket.socket

    def __init__(self, server: Server, context: ssl.SSLContext, dial: Dial) -> None:
        super().__init__(local_hostname=server.helo_name or "localhost", timeout=server.limits.connect)
        self._server = server
        self._context = context
        self._dial = dial

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
        self.sock.settimeout(self._server.limits.connect)
        try:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._server.tls_name)
        except ssl.SSLCertVerificationError as error:
            raise untrusted(self._server, error) from error
        except (OSError, ValueError) as error:
            raise TlsError(f"no TLS with {self._server}, so nothing was said: {_words(error)}") from error
        return channel_of(self.sock)

    def write(self, words: bytes) -> None:
        """Write all of it, within the server's limit for a reply.

        Raises:
            ConnectError: the line broke, or the server takes nothing in any more.
        """
        self.sock.settimeout(self._server.limits.reply)
        try:
            self.sock.sendall(words)
        except OSError as error:
            raise ConnectError(f"the line to {self._server} broke: {_words(error)}") from error

    def read(self, until: float) -> bytes:
        """Whatever comes next, before this moment of the monotonic clock.

        Raises:
            ConnectError: nothing came in time, or the line broke.
        """
        left = until - monotonic()
        if left <= 0:
            raise ConnectError(f"{self._server} did not answer in time")
        self.sock.settimeout(left)
        try:
            return self._received()
        except TimeoutError as error:
            raise ConnectError(f"{self._server} did not answer in time") from error

    def look(self) -> bytes:
        """What is there already, without waiting; nothing, as a rule.

        Raises:
            ConnectError: the line is closed or broken.
        """
        self.sock.settimeout(0)
        try:
            return self._received()
        except BlockingIOError:
            return b""

    def _received(self) -> bytes:
        try:
            received: bytes = self.sock.recv(_CHUNK)
        except (TimeoutError, BlockingIOError):
            raise
        except ssl.SSLWantReadError as error:
            raise BlockingIOError from error
        except OSError as error:
            raise ConnectError(f"the line to {self._server} broke: {_words(error)}") from error
        if not received:
            raise ConnectError(f"{self._server} closed the line")
        return received


def untrusted(server: Server, error: ssl.SSLCertVerificationError) -> TlsError:
    """A certificate that does not prove who the server is."""
    return TlsError(
        f"the certificate of {server} cannot be trusted, so nothing was said: {error.verify_message}",
        retry=Retry.NEVER,
    )


def channel_of(encrypted: ssl.SSLSocket | ssl.SSLObject) -> Channel:
    """What TLS agreed on."""
    cipher = encrypted.cipher()
    return Channel(encrypted.version() or "", cipher[0] if cipher else "")


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
