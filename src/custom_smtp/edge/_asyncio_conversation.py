"""One line on an event loop and the dialogue on it; the twin of the conversation on a socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Self

from attrs import define

from ..dane import Tlsa
from ..errors import AuthError, ConnectError, NoAnswerError, RefusedError, TransportError
from ..outgoing import Channel
from ..server_report import ServerReport, report_on
from ..servers import Server, Tls
from ..smtp_dialogue import Dialogue
from ..smtp_transactions import Ended
from ..system import new_nonce
from ._asyncio_crew import Source
from ._asyncio_line import Reached, Wire
from .reaching import address_literal
from .smtp_tls import TlsLayer


@define(eq=False)
class Conversation:
    """A line, and the dialogue on it."""

    wire: Wire
    transport: asyncio.Transport
    dialogue: Dialogue
    _context: ssl.SSLContext
    _published: Sequence[Tlsa]
    _tls: TlsLayer | None = None
    _last_used: float = 0.0

    @classmethod
    def over(
        cls,
        server: Server,
        reached: "Reached",
        context: ssl.SSLContext,
        transcript: Callable[[str], None] | None,
        published: Sequence[Tlsa] = (),
    ) -> Self:
        """A conversation on a line that stands; nothing is said yet."""
        loop = asyncio.get_running_loop()
        transport, wire = reached
        # What was written counts as gone, so it must not lie in a buffer here while the line breaks.
        transport.set_write_buffer_limits(high=0)
        name = server.helo_name or address_literal(transport.get_extra_info("sockname"))
        dialogue = Dialogue(server, name, new_nonce(), loop.time(), transcript)
        return cls(wire, transport, dialogue, context, published)

    async def begin(self) -> None:
        """Make the line secret, log in. Where that fails, the line is closed."""
        try:
            if self.dialogue.server.tls is Tls.IMPLICIT:
                self.dialogue.encrypted(await self._encrypt())
            while not self.dialogue.ready:
                await self._guarded(self._talk, opening=True)
        except (RefusedError, AuthError):
            self.leave()
            raise
        except BaseException:
            self.transport.abort()
            raise

    async def verify(self) -> ServerReport:
        """Begin, and leave: what was found."""
        failure = None
        try:
            await self.begin()
            self.leave()
        except TransportError as error:
            failure = error
        dialogue = self.dialogue
        return report_on(dialogue.server, dialogue.offers, dialogue.channel, failure)

    async def converse(self, source: Source) -> AsyncIterator[Ended]:
        """Send what there is, as far as this line goes; what it did not attempt is given back."""
        dialogue, loop = self.dialogue, asyncio.get_running_loop()
        try:
            while True:
                # What the caller does with an outcome, and for the next mail, is done while the server works.
                await self._guarded(self._talk)
                for ended in dialogue.take_ended():
                    yield ended
                while dialogue.room and (mail := source.next()) is not None:
                    dialogue.submit(mail[1], mail[0], loop.time())
                if dialogue.over or (dialogue.idle and not dialogue.has_ended):
                    break
            for ended in dialogue.take_ended():
                yield ended
        except BaseException as interruption:
            self.transport.abort()
            if not dialogue.over:
                dialogue.broken(ConnectError("interrupted"))
            for ended in dialogue.take_ended():
                source.interrupted.append(ended)
                # Whoever waits for this mail alone hears what is known of it: `custom_smtp.sender.outcome_of`.
                interruption.outcome = ended.outcome.result  # type: ignore[attr-defined]  # see above
            raise
        source.give_back(dialogue.unattempted())
        self._last_used = loop.time()

    def is_fit(self, longest_idle: float) -> bool:
        """Whether the line can be used again: not idle for too long, not closed, and not a word waiting on it."""
        idle = asyncio.get_running_loop().time() - self._last_used
        fit = idle <= longest_idle and self.wire.lost is None and self._says_nothing_new()
        self.dialogue.over = not fit
        return fit

    def _says_nothing_new(self) -> bool:
        try:
            words = self._heard()
            if words and self.dialogue.listening:
                # The answer to the RSET behind a mail that was refused is nothing to wait for.
                self.dialogue.hear(words, asyncio.get_running_loop().time())
                words = b""
        except ConnectError:
            words = b"closed"
        return not words

    def leave(self) -> None:
        """Say goodbye, and close without waiting for the answer: each mail's end is known already."""
        self.dialogue.quit()
        with suppress(ConnectError):
            while (piece := self.dialogue.next_piece(asyncio.get_running_loop().time())) is not None:
                self.transport.write(self._sealed(piece))
        self.transport.close()

    async def _talk(self) -> None:
        """Write what there is to be written; with nothing to write, hear what comes, and write what follows."""
        dialogue = self.dialogue
        if not dialogue.pieces:
            dialogue.rest()
        if not dialogue.pieces or self.wire.lost is not None:
            await self._read()
        await self._write()

    async def _write(self) -> None:
        dialogue, now = self.dialogue, asyncio.get_running_loop().time
        # What the server said before it went tells more than a broken line: nothing more is written then.
        while dialogue.pieces and self.wire.lost is None:
            while dialogue.wants_a_look and (words := self._heard()):
                dialogue.hear(words, now())
            if (piece := dialogue.next_piece(now())) is not None:
                await self._write_piece(piece)
                if dialogue.wants_a_look:
                    await self.wire.caught_up()

    async def _write_piece(self, piece: bytes) -> None:
        untouched = True
        try:
            self.transport.write(self._sealed(piece))
            untouched = False
            if self.transport.is_closing():
                # The write found a broken line; the loop has to turn once before the wire knows.
                self.dialogue.unwritten(untouched=True)
                await asyncio.sleep(0)
                return
            await self.wire.drained(asyncio.get_running_loop().time() + self.dialogue.server.limits.reply)
        except ConnectError:
            self.dialogue.unwritten(untouched=untouched)
            # What the server said meanwhile tells more than that it takes nothing in.
            with suppress(ConnectError):
                while words := self._heard():
                    self.dialogue.hear(words, asyncio.get_running_loop().time())
            raise
        if not self.wire.writable:
            self.dialogue.unwritten(untouched=False)

    async def _read(self) -> None:
        dialogue = self.dialogue
        if dialogue.listening:
            dialogue.hear(await self._words(dialogue.deadline), asyncio.get_running_loop().time())
        if dialogue.wants_tls:
            dialogue.encrypted(await self._encrypt())

    async def _words(self, until: float) -> bytes:
        """Whatever comes next."""
        late = False
        while not (words := self._heard()):
            if late:
                raise NoAnswerError("the server did not answer in time")
            # Where others took the loop's time, what came meanwhile counts; but not record after record of nothing.
            late = asyncio.get_running_loop().time() >= until
            await self.wire.news(until)
        return words

    async def _guarded(self, talk: Callable[[], Coroutine[Any, Any, None]], *, opening: bool = False) -> None:
        """Talk; a line that breaks ends the mails on it as what they are, or the opening with an error."""
        try:
            await talk()
        except ConnectError as error:
            told = self.dialogue.broken(error)
            self.transport.abort()
            if opening:
                raise told from (error if told is not error else error.__cause__)

    def _heard(self) -> bytes:
        """What has come and can be read. Raises ConnectError where nothing has, and nothing more will."""
        came = self.wire.take()
        words = came if self._tls is None else self._tls.opened(came)
        if not words and self.wire.lost is not None:
            raise self.wire.lost
        return words

    def _sealed(self, words: bytes) -> bytes:
        return words if self._tls is None else self._tls.sealed(words)

    async def _encrypt(self) -> Channel:
        layer = TlsLayer(self.dialogue.server, self._context, self._published)
        now = asyncio.get_running_loop().time
        until, came = now() + self.dialogue.server.limits.connect, b""
        while True:
            try:
                self.transport.write(layer.shake_hands(came))
            except TransportError:
                self.transport.write(layer.last_words())
                raise
            if layer.channel is not None:
                self._tls = layer
                return layer.channel
            try:
                if now() >= until:
                    raise NoAnswerError("the server did not answer in time")
                await self.wire.news(until)
                came = self.wire.take()
                if not came and self.wire.lost is not None:
                    raise self.wire.lost
            except ConnectError as error:
                raise layer.failed(error) from error
