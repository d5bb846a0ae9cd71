"""A mail server in this process: aiosmtpd on 127.0.0.1, which insists on STARTTLS and a login."""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from attrs import define, field, frozen

from ..servers import Credentials, Server

T = TypeVar("T")

_SECONDS = 10.0
"""How long starting and stopping may take."""


@frozen
class Taken:
    """A mail as a server has it.

    Attributes:
        content: every byte.
        return_path: where its failures are to be reported.
    """

    content: bytes
    return_path: str


@define
class _Mailbox:
    """What aiosmtpd asks at each step of a conversation: its hooks are found by these names."""

    name: str
    refuses: Mapping[str, str]
    received: dict[str, Taken] = field(factory=dict)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the recipient, or say why not."""
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 go on"

    async def handle_DATA(  # noqa: N802  # likewise
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail."""
        content = envelope.original_content or b""
        for address in envelope.rcpt_tos:
            self.received[address] = Taken(content, envelope.mail_from or "")
        return f"250 2.0.0 queued as {self.name}-{len(self.received)}"


class Sink(AbstractContextManager["Sink"]):
    """A server that runs inside a ``with`` block.

    Args:
        name: what it calls itself.
        context: its certificate.
        server: whose login it asks for, and no other.
        refuses: what it answers to RCPT for these addresses.
    """

    def __init__(self, name: str, context: ssl.SSLContext, server: Server, refuses: Mapping[str, str]) -> None:
        self._mailbox = _Mailbox(name, refuses)
        self._context = context
        self._login = server.credentials
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"demo-{name}", daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def received(self) -> Mapping[str, Taken]:
        """Every mail that was taken, by recipient."""
        return self._mailbox.received

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._server = self._await(self._listen())
        except BaseException:
            self._end()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._await(self._hang_up())
        finally:
            self._end()

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._conversation, "127.0.0.1", 0)

    def _conversation(self) -> SMTP:
        return SMTP(
            self._mailbox,
            hostname=f"{self._mailbox.name}.example",
            tls_context=self._context,
            require_starttls=True,
            auth_required=True,
            authenticator=self._check,
            timeout=_SECONDS,
            loop=self._loop,
        )

    def _check(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, told: object
    ) -> AuthResult:
        login = self._login
        known = isinstance(login, Credentials) and told == LoginPassword(
            login.username.encode(), login.password.encode()
        )
        # Not handled: aiosmtpd is to answer, with 235 or 535.
        return AuthResult(success=known, handled=False)

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()
