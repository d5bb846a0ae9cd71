"""An SMTP server's bytes, read as replies: bounded in lines and bytes, so that nothing endless is ever kept."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from attrs import define, field

from .errors import ConnectError
from .replies import Reply

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\x00]*))?")
_LINE_OCTETS = 4096  # RFC 5321 section 4.5.3.1.5 has 512; real servers write more
_REPLY_LINES = 200
_CHALLENGE = b"334"
_CONTROL = re.compile(r"[\x01-\x08\x0a-\x1f\x7f-\x9f]")


@define
class ReplyReader:
    """Bytes in, whole replies out. What is no reply ends it with a `ConnectError`.

    Attributes:
        secrets: what is not to be repeated: it is taken out of all replies but challenges, which are read, not shown.
    """

    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    _heard: bytes = field(default=b"", init=False)
    _code: bytes = field(default=b"", init=False)
    _texts: list[bytes] = field(factory=list, init=False)

    @property
    def waiting(self) -> bool:
        """Whether something was heard that is no whole reply yet."""
        return bool(self._texts or self._heard)

    def read(self, words: bytes) -> Iterable[Reply]:
        """The replies that these bytes complete.

        Raises:
            ConnectError: behind the last reply that is one, a line is no reply line, or too long; or a reply has too
                many lines.
        """
        said = self._heard + words
        masks = [secret for secret in self.secrets if secret in said] if self.secrets else []
        *lines, self._heard = said.split(b"\n")
        if not (masks or self._texts or self._heard):
            # As a rule all are of one line, and were heard before.
            replies = [reply for line in lines if (reply := _simple(line)) is not None]
            if len(replies) == len(lines):
                return replies
        return self._one_by_one(lines, masks)

    def _one_by_one(self, lines: list[bytes], masks: list[bytes]) -> Iterator[Reply]:
        for line in lines:
            reply = None if masks or self._texts else _simple(line)
            if reply is not None or (reply := self._line(line.removesuffix(b"\r"), masks)) is not None:
                yield reply
        if len(self._heard) > _LINE_OCTETS:
            raise ConnectError(f"the server gave a reply line of over {_LINE_OCTETS} octets")

    def _line(self, line: bytes, masks: list[bytes]) -> Reply | None:
        if masks and not line.startswith(_CHALLENGE):
            # Never in the code: a password may be three digits.
            code, text = line[:3], line[3:]
            for secret in masks:
                text = text.replace(secret, b"***")
            line = code + text
        found = _LINE.fullmatch(line)
        if found is None or len(line) > _LINE_OCTETS:
            raise ConnectError(
                f"the server said what is no SMTP reply: {line[:200].decode('utf-8', 'backslashreplace')!r}"
            )
        code, mark, text = found.groups()
        if self._texts and code != self._code:
            raise ConnectError(f"the server mixes {self._code.decode()} and {code.decode()} in one reply")
        self._code = code
        self._texts.append(text or b"")
        if mark == b"-":
            if len(self._texts) == _REPLY_LINES:
                raise ConnectError(f"the server gave a reply of over {_REPLY_LINES} lines")
            return None
        whole = "\n".join(map(_spelled, self._texts))
        self._texts = []
        return Reply(int(code), whole)


@lru_cache(maxsize=64)
def _simple(line: bytes) -> Reply | None:
    """A reply of one line, as most are, and most of them again and again; None for anything else."""
    found = _LINE.fullmatch(line.removesuffix(b"\r"))
    if found is None or found[2] == b"-" or len(line) > _LINE_OCTETS:
        return None
    return Reply(int(found[1]), _spelled(found[3] or b""))


def _spelled(text: bytes) -> str:
    """A line's text, in which nothing can take a terminal or a log over that it is shown on."""
    decoded = text.decode("utf-8", "backslashreplace")
    return decoded if decoded.isprintable() else _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", decoded)
