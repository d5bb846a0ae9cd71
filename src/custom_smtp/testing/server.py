"""An SMTP server on loopback that follows a script: polite by default, and wrong exactly where a test wants it to be.

::

    with ScriptedServer(polite({"RCPT": "550 5.1.1 no such user"}, certificate=certificate)) as server:
        SmtpTransport(Server("127.0.0.1", server.port), context=client_context(authority)).deliver(outgoing)
    assert server.heard_in_clear == b"EHLO ..."
"""

import re
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from .certificates import Authority, Certificate

PATIENCE = 20.0
"""Seconds after which a conversation ends, whatever its script wants: no test leaves a server behind."""


_REPLIED = re.compile(rb"^([2-5][0-9][0-9])(?: [^\n]*)?\r?\n", re.MULTILINE)


class HungUp(Exception):
    """The client closed the line: the script's end."""


@frozen
class Taken:
    """A mail that a server has answered for: it said 2xx to its final dot or its last BDAT.

    Attributes:
        sender: as it stood in MAIL.
        recipients: those in whose RCPT it was told, and to whom it was said 2xx.
        content: byte for byte.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@define
class Conversation:
    """One client on the line. Everything it says is kept, in clear and in secret apart.

    Attributes:
        heard_in_clear: what it said before TLS.
        heard_in_secret: what it said after.
        contents: the mails it sent, each up to its final dot and without it, dot-stuffing undone; or up to its last
            BDAT chunk.
        taken: the mails that `polite` has answered for.
        together: what is said waits until all that was heard is answered, and goes in one write.
    """

    _socket: socket.socket
    _stopped: threading.Event
    heard_in_clear: bytes = b""
    heard_in_secret: bytes = b""
    contents: list[bytes] = field(factory=list)
    taken: list[Taken] = field(factory=list)
    together: bool = False
    _waiting: bytes = b""
    _unwritten: bytes = b""
    _said: bytes = b""

    @property
    def secret(self) -> bool:
        """Whether the line is encrypted."""
        return isinstance(self._socket, ssl.SSLSocket)

    def say(self, *lines: str) -> None:
        """Say these lines, each with its line end, in one write."""
        self.say_raw("".join(f"{line}\r\n" for line in lines).encode())

    def say_raw(self, words: bytes) -> None:
        """Say exactly this."""
        self._said += words
        self._unwritten += words
        if not self.together:
            self._write()

    def said_since(self, mark: int) -> int:
        """The code of the first whole reply said since so many octets (`octets_said`) had been said; 0 for none."""
        found = _REPLIED.search(self._said, mark)
        return int(found[1]) if found else 0

    @property
    def octets_said(self) -> int:
        """How many octets were said so far."""
        return len(self._said)

    def drip(self, words: bytes, *, every: float) -> None:
        """Say this a byte at a time, so many seconds apart, until the server stops."""
        for place in range(len(words)):
            self.say_raw(words[place : place + 1])
            self._write()
            if self._stopped.wait(every):
                raise HungUp

    def hear(self) -> str:
        """One line from the client, without its line end."""
        while b"\n" not in self._waiting:
            self._waiting += self._receive()
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.removesuffix(b"\r").decode("utf-8", "backslashreplace")

    def hear_content(self) -> bytes:
        """A mail's content, up to the final dot."""
        while not (self._waiting.startswith(b".\r\n") or b"\r\n.\r\n" in self._waiting):
            self._waiting += self._receive()
        if self._waiting.startswith(b".\r\n"):
            content, self._waiting = b"", self._waiting[3:]
        else:
            content, _, self._waiting = self._waiting.partition(b"\r\n.\r\n")
            content = (b"\r\n" + content + b"\r\n").replace(b"\r\n.", b"\r\n")[2:]
        self.contents.append(content)
        return content

    def hear_octets(self, number: int) -> bytes:
        """So many octets from the client, whatever they are."""
        while len(self._waiting) < number:
            self._waiting += self._receive()
        octets, self._waiting = self._waiting[:number], self._waiting[number:]
        return octets

    def hear_nothing(self) -> None:
        """Wait, without a word, until the client hangs up."""
        while True:
            self._receive()

    def encrypt(self, certificate: Certificate, *, versions: Iterable[ssl.TLSVersion] = ()) -> None:
        """Begin TLS as the server's side, with this certificate."""
        self._write()
        try:
            self._socket.getpeername()  # where the client has gone, ssl itself would leave a socket open
            self._socket = _server_context(certificate, tuple(versions)).wrap_socket(self._socket, server_side=True)
        except OSError as error:
            raise HungUp from error

    def drop(self) -> None:
        """Break the line at once (TCP reset)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()
        raise HungUp

    def close(self) -> None:
        """Close the line in order, without goodbye. Nothing is heard or said any more."""
        with suppress(HungUp):
            self._write()
        self._socket.close()

    def cut(self) -> None:
        """End it from another thread, which closing alone would not."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _write(self) -> None:
        words, self._unwritten = self._unwritten, b""
        try:
            if words:
                self._socket.sendall(words)
        except OSError as error:
            raise HungUp from error

    def _receive(self) -> bytes:
        self._write()
        try:
            received = self._socket.recv(65536)
        except OSError as error:
            raise HungUp from error
        if not received:
            raise HungUp
        if self.secret:
            self.heard_in_secret += received
        else:
            self.heard_in_clear += received
        return received


Script = Callable[[Conversation], None]
Answer = str | Callable[[Conversation], None]


@define
class ScriptedServer:
    """Runs a script for each client, on a free port of 127.0.0.1, until its ``with`` block ends.

    What goes wrong in a script itself, other than the client hanging up, is raised when the block ends.

    Attributes:
        script: what to do with a client.
        conversations: every client so far.
        stopped: set when the block ends.
        port: where it listens.
    """

    script: Script
    conversations: list[Conversation] = field(factory=list, init=False)
    stopped: threading.Event = field(factory=threading.Event, init=False)
    port: int = field(default=0, init=False)
    _listener: socket.socket = field(init=False)
    _threads: list[threading.Thread] = field(factory=list, init=False)
    _wrong: list[BaseException] = field(factory=list, init=False)

    @property
    def heard_in_clear(self) -> bytes:
        """All that any client said without TLS."""
        return b"".join(each.heard_in_clear for each in self.conversations)

    @property
    def heard_in_secret(self) -> bytes:
        """All that any client said inside TLS."""
        return b"".join(each.heard_in_secret for each in self.conversations)

    @property
    def contents(self) -> list[bytes]:
        """Every mail that was sent to its final dot."""
        return [content for each in self.conversations for content in each.contents]

    @property
    def taken(self) -> list[Taken]:
        """Every mail that `polite` has answered for."""
        return [mail for each in self.conversations for mail in each.taken]

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for conversation in self.conversations:
            conversation.cut()
        for thread in self._threads:
            thread.join(PATIENCE)
        if self._wrong and error is None:
            raise self._wrong[0]

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation(client, self.stopped)
            self.conversations.append(conversation)
            self._start(partial(self._serve, conversation))

    def _serve(self, conversation: Conversation) -> None:
        try:
            self.script(conversation)
        except HungUp:
            pass
        except BaseException as error:  # noqa: BLE001 - kept, and raised in the test's own thread when its block ends
            self._wrong.append(error)
        finally:
            conversation.close()


def client_context(*authorities: Authority) -> ssl.SSLContext:
    """What a client uses that trusts these authorities and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for authority in authorities:
        context.load_verify_locations(cadata=authority.pem.decode())
    return context


def _server_context(certificate: Certificate, versions: tuple[ssl.TLSVersion, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if versions:
        context.minimum_version, context.maximum_version = min(versions), max(versions)
        # OpenSSL 3 leaves TLS 1.0 and 1.1 to security level 0.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*certificate.write(Path(folder), "server"))
    return context
