"""An SMTP server's bytes, read as replies: bounded in lines and bytes, so that nothing endless is ever kept."""

import re
from collections.abc import Iterator

from attrs import define, field

from .errors import ConnectError
from .replies import Reply

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\x00]*))?")
_LINE_OCTETS = 4096  # RFC 5321 section 4.5.3.1.5 has 512; real servers write more
_REPLY_LINES = 200


@define
class ReplyReader:
    """Bytes in, whole replies out. What is no reply ends it with a `ConnectError`."""

    _heard: bytearray = field(factory=bytearray, init=False)
    _code: bytes = field(default=b"", init=False)
    _texts: list[bytes] = field(factory=list, init=False)

    @property
    def waiting(self) -> bytes:
        """What was heard and is no whole reply yet."""
        return b"\n".join(self._texts) + bytes(self._heard)

    def read(self, data: bytes) -> Iterator[Reply]:
        """The replies that these bytes complete.

        Raises:
            ConnectError: a line is no reply line, or too long; or a reply has too many lines.
        """
        self._heard += data
        while (end := self._heard.find(b"\n")) >= 0:
            line = bytes(self._heard[:end]).removesuffix(b"\r")
            del self._heard[: end + 1]
            if (reply := self._line(line)) is not None:
                yield reply
        if len(self._heard) > _LINE_OCTETS:
            raise ConnectError(f"the server gave a reply line of over {_LINE_OCTETS} octets")

    def _line(self, line: bytes) -> Reply | None:
        found = _LINE.fullmatch(line)
        if found is None or len(line) > _LINE_OCTETS:
            raise ConnectError(
                f"the server said what is no SMTP reply: {line[:200].decode('ascii', 'backslashreplace')!r}"
            )
        if self._texts and found[1] != self._code:
            raise ConnectError(f"the server mixes {self._code.decode()} and {found[1].decode()} in one reply")
        self._code = found[1]
        self._texts.append(found[3] or b"")
        if found[2] == b"-":
            if len(self._texts) == _REPLY_LINES:
                raise ConnectError(f"the server gave a reply of over {_REPLY_LINES} lines")
            return None
        text = b"\n".join(self._texts).decode("utf-8", "backslashreplace")
        self._texts = []
        return Reply(int(self._code), text)
