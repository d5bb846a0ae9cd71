"""One line and the dialogue on it: what the dialogue says is written, what the server answers is heard."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Self

from attrs import define

from ..errors import AuthError, ConnectError, RefusedError, TransportError
from ..server_report import ServerReport, report_on
from ..servers import Server, Tls
from ..smtp_dialogue import Dialogue
from ..smtp_transactions import Ended
from ..system import new_nonce
from ._smtp_crew import Source
from ._smtp_line import SmtpLine

_A_WHILE = 0.01
"""Seconds with an outcome, or for the next mail, after which a line is looked at before it is used on."""


@define(eq=False)
class Conversation:
    """A line, and the dialogue on it."""

    line: SmtpLine
    dialogue: Dialogue
    _last_used: float = 0.0

    @classmethod
    def reaching(cls, line: SmtpLine, server: Server, transcript: Callable[[str], None] | None) -> Self:
        """Reach the server; nothing is said yet."""
        line.open()
        return cls(line, Dialogue(server, line.name, new_nonce(), monotonic(), transcript))

    def begin(self) -> None:
        """Make the line secret, log in. Where that fails, the line is closed."""
        try:
            if self.dialogue.server.tls is Tls.IMPLICIT:
                self.dialogue.encrypted(self.line.encrypt())
            while not self.dialogue.ready:
                self._guarded(self._talk, opening=True)
        except (RefusedError, AuthError):
            self.leave()
            raise
        except BaseException:
            self.line.close()
            raise

    def verify(self) -> ServerReport:
        """Begin, and leave: what was found."""
        failure = None
        try:
            self.begin()
            self.leave()
        except TransportError as error:
            failure = error
        dialogue = self.dialogue
        return report_on(dialogue.server, dialogue.offers, dialogue.channel, failure)

    def converse(self, source: Source) -> Iterator[Ended]:
        """Send what there is, as far as this line goes; what it did not attempt is given back."""
        dialogue = self.dialogue
        try:
            while True:
                # What the caller does with an outcome, and for the next mail, is done while the server works.
                self._guarded(self._talk)
                looked = monotonic()
                yield from dialogue.take_ended()
                # One that can be begun is written before the next is asked for, which may take its time.
                while dialogue.room and not dialogue.pieces and (mail := source.next(wait=False)) is not None:
                    if (now := monotonic()) - looked > _A_WHILE:
                        self._guarded(self._listen)
                        looked = now = monotonic()
                    dialogue.submit(mail[1], mail[0], now)
                if dialogue.over or (dialogue.idle and not dialogue.has_ended):
                    break
            yield from dialogue.take_ended()
        except BaseException as interruption:
            self.line.close()
            if not dialogue.over:
                dialogue.broken(ConnectError("interrupted"))
            for ended in dialogue.take_ended():
                source.interrupted.append(ended)
                # Whoever waits for this mail alone hears what is known of it: `custom_smtp.sender.outcome_of`.
                interruption.outcome = ended.outcome.result  # type: ignore[attr-defined]  # see above
            raise
        source.give_back(dialogue.unattempted())
        self._last_used = monotonic()

    def is_fit(self, longest_idle: float) -> bool:
        """Whether the line can be used again: not idle for too long, not closed, and not a word waiting on it."""
        if monotonic() - self._last_used > longest_idle:
            return False
        try:
            words = self.line.look()
            if words and self.dialogue.listening:
                # The answer to the RSET behind a mail that was refused is nothing to wait for.
                self.dialogue.hear(words, monotonic())
                words = b""
        except ConnectError:
            words = b"closed"
        self.dialogue.over = bool(words)
        return not words

    def leave(self) -> None:
        """Say goodbye, and close without waiting for the answer: each mail's end is known already."""
        self.dialogue.quit()
        with suppress(ConnectError):
            while (piece := self.dialogue.next_piece(monotonic())) is not None:
                self.line.write(piece)
        self.line.close()

    def _talk(self) -> None:
        """Write what there is to be written; with nothing to write, hear what comes, and write what follows."""
        dialogue = self.dialogue
        if not dialogue.pieces:
            dialogue.rest()
        if not dialogue.pieces:
            if dialogue.listening:
                dialogue.hear(self.line.read(dialogue.deadline), monotonic())
            if dialogue.wants_tls:
                dialogue.encrypted(self.line.encrypt())
        self._write()

    def _write(self) -> None:
        dialogue = self.dialogue
        while dialogue.pieces:
            while dialogue.wants_a_look and (words := self.line.look()):
                dialogue.hear(words, monotonic())
            if (piece := dialogue.next_piece(monotonic())) is not None:
                try:
                    self.line.write(piece)
                except ConnectError:
                    dialogue.unwritten(untouched=self.line.untouched)
                    # What the server said before it went tells more than the broken line.
                    with suppress(ConnectError):
                        self._listen()
                    raise

    def _listen(self) -> None:
        """Hear what has come by itself: a server that has gone gets no more mail."""
        while words := self.line.look():
            self.dialogue.hear(words, monotonic())

    def _guarded(self, talk: Callable[[], None], *, opening: bool = False) -> None:
        """Talk; a line that breaks ends the mails on it as what they are, or the opening with an error."""
        try:
            talk()
        except ConnectError as error:
            told = self.dialogue.broken(error)
            self.line.close()
            if opening:
                raise told from (error if told is not error else error.__cause__)
