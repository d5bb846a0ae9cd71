"""One line to an SMTP server: opened, made secret, listened to with patience that ends.

What smtplib brings is kept where it is right. What it lacks stands here: replies bounded in lines, bytes and time,
plaintext behind the STARTTLS reply found out, and not a word into a line on which the server spoke out of turn.
"""

import re
import smtplib
import socket
import ssl
from time import monotonic

from ..errors import ConnectError, Retry, TlsError
from ..outgoing import Channel
from ..replies import Reply
from ..servers import Server, Tls

_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\x00]*))?")
_LINE_OCTETS = 4096  # RFC 5321 section 4.5.3.1.5 has 512; real servers write more
_REPLY_LINES = 200
_CHUNK = 65536


class SmtpLine(smtplib.SMTP):
    """A connection to one server. Each wait has a limit, and each failure is one of our errors."""

    ehlo_msg = "EHLO"
    sock: socket.socket

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        super().__init__(local_hostname=server.helo_name or "[127.0.0.1]", timeout=server.limits.connect)
        self.channel: Channel | None = None
        self.secrets: list[str] = []
        self.server = server
        self._context = context
        self._heard = bytearray()
        self._patience = server.limits.reply

    # Opening

    def open(self) -> Reply:
        """Reach the server, at once secretly where TLS is implicit; return its greeting.

        Raises:
            ConnectError: it cannot be reached, or did not greet.
            TlsError: there is no secret channel.
        """
        try:
            self.sock = socket.create_connection((self.server.host, self.server.port), self.server.limits.connect)
        except OSError as error:
            raise ConnectError(f"{self.server} cannot be reached: {_words(error)}") from error
        # Without it, a small write waits until the one before is acknowledged (Nagle's rule), and that takes its time.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.server.helo_name:
            self.local_hostname = _literal(self.sock)
        if self.server.tls is Tls.IMPLICIT:
            self._encrypt()
        return self.hear(self.server.limits.greeting)

    def upgrade(self) -> None:
        """Make the line secret by STARTTLS (RFC 3207), and forget all that was said before.

        Raises:
            TlsError: the server does not offer it, refuses it, or spoke in clear behind its yes.
        """
        if not self.has_extn("starttls"):
            raise TlsError(
                f"{self.server} does not offer STARTTLS, so nothing was said: use submissions:// on port 465, "
                "or find out who takes the offer away",
                retry=Retry.NEVER,
            )
        try:
            reply = self.ask("STARTTLS")
        except ConnectError as error:
            raise TlsError(f"no STARTTLS: {error}") from error
        if reply.code != 220:
            raise TlsError(
                f"{self.server} refused STARTTLS, so nothing was said: {reply}",
                retry=Retry.LATER if reply.temporary else Retry.NEVER,
            )
        if self._heard:
            raise TlsError(
                f"{self.server} spoke in clear behind its STARTTLS reply: somebody is putting words into the line",
                retry=Retry.NEVER,
            )
        self._encrypt()
        # RFC 3207 section 4.2: what was learnt in clear is forgotten.
        self.helo_resp, self.ehlo_resp, self.esmtp_features, self.does_esmtp = None, None, {}, False

    def _encrypt(self) -> None:
        self.sock.settimeout(self.server.limits.connect)
        try:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.server.host.removesuffix("."))
        except ssl.SSLCertVerificationError as error:
            raise TlsError(
                f"the certificate of {self.server} cannot be trusted, so nothing was said: {error.verify_message}",
                retry=Retry.NEVER,
            ) from error
        except (OSError, ValueError) as error:
            raise TlsError(f"no TLS with {self.server}, so nothing was said: {_words(error)}") from error
        cipher = self.sock.cipher()
        self.channel = Channel(self.sock.version() or "", cipher[0] if cipher else "")

    # Talking

    def ask(self, command: str, *, patience: float | None = None) -> Reply:
        """Say one command and hear its reply.

        Raises:
            ConnectError: the line broke, stalled, or carries something that is no reply.
        """
        self.require_silence()
        self.say(f"{command}\r\n".encode())
        return self.hear(patience or self.server.limits.reply)

    def say(self, words: bytes) -> None:
        """Write all of it.

        Raises:
            ConnectError: the line broke, or the server takes nothing in any more.
        """
        self.sock.settimeout(self.server.limits.reply)
        try:
            self.sock.sendall(words)
        except OSError as error:
            raise ConnectError(f"the line to {self.server} broke: {_words(error)}") from error

    def hear(self, patience: float) -> Reply:
        """One whole reply, within so many seconds however slowly it drips in.

        Raises:
            ConnectError: it did not come, has no end, or is no reply.
        """
        ends = monotonic() + patience
        code, more, text = self._reply_line(ends)
        texts = [text]
        while more:
            if len(texts) == _REPLY_LINES:
                raise ConnectError(f"{self.server} gave a reply of over {_REPLY_LINES} lines")
            next_code, more, text = self._reply_line(ends)
            if next_code != code:
                raise ConnectError(f"{self.server} mixes {code} and {next_code} in one reply")
            texts.append(text)
        said = b"\n".join(texts).decode("utf-8", "backslashreplace")
        # A challenge is read, not shown: masking could damage it.
        return Reply(code, said if code == 334 else self._masked(said))

    def require_silence(self) -> None:
        """Make sure that no word is waiting: it would be taken for the answer to whatever is said next.

        Raises:
            ConnectError: there is one, or the line is closed.
        """
        if not self._heard:
            self.sock.settimeout(0)
            try:
                self._heard += self._received()
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise ConnectError(f"the line to {self.server} broke: {_words(error)}") from error
        said = self._masked(bytes(self._heard[:200]).decode("ascii", "backslashreplace").strip())
        raise ConnectError(f"{self.server} spoke out of turn: {said!r}")

    def leave(self) -> None:
        """Say goodbye where that is quickly done, and close."""
        try:
            self.ask("QUIT", patience=min(self.server.limits.reply, 5))
        except ConnectError:
            # The mail's fate is known already, and a goodbye that nobody hears does not change it.
            pass
        finally:
            self.close()

    def getreply(self) -> tuple[int, bytes]:
        """For smtplib's own commands: our bounded reply, in its form."""
        reply = self.hear(self.server.limits.reply)
        return reply.code, reply.text.encode()

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # typeshed has any buffer; smtplib writes these two
        """For smtplib's own commands: our bounded write, and only into a silent line."""
        self.require_silence()
        self.say(s.encode("ascii") if isinstance(s, str) else s)

    # Listening

    def _reply_line(self, ends: float) -> tuple[int, bool, bytes]:
        line = self._line(ends)
        found = _REPLY_LINE.fullmatch(line)
        if found is None:
            said = self._masked(line[:200].decode("ascii", "backslashreplace"))
            raise ConnectError(f"{self.server} said what is no SMTP reply: {said!r}")
        return int(found[1]), found[2] == b"-", found[3] or b""

    def _line(self, ends: float) -> bytes:
        while (end := self._heard.find(b"\n")) < 0:
            if len(self._heard) > _LINE_OCTETS:
                raise ConnectError(f"{self.server} gave a reply line of over {_LINE_OCTETS} octets")
            left = ends - monotonic()
            if left <= 0:
                raise ConnectError(f"{self.server} did not answer in time")
            self.sock.settimeout(left)
            try:
                self._heard += self._received()
            except TimeoutError as error:
                raise ConnectError(f"{self.server} did not answer in time") from error
            except OSError as error:
                raise ConnectError(f"the line to {self.server} broke: {_words(error)}") from error
        if end > _LINE_OCTETS:
            raise ConnectError(f"{self.server} gave a reply line of over {_LINE_OCTETS} octets")
        line = bytes(self._heard[:end]).removesuffix(b"\r")
        del self._heard[: end + 1]
        return line

    def _received(self) -> bytes:
        received: bytes = self.sock.recv(_CHUNK)
        if not received:
            raise ConnectionResetError("closed by the other side")
        return received

    def _masked(self, text: str) -> str:
        """A server that repeats our credentials does not get them into a log."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def _literal(sock: socket.socket) -> str:
    """The address we call from, as EHLO wants it where there is no name (RFC 5321 section 4.1.3)."""
    address: str = sock.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
