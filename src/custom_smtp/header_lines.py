"""Header lines: folded where they are long, encoded where they must be (RFC 5322 section 2.2, RFC 2047, RFC 2231).

Each function gives a whole header, name and all, of one line or several; the last one is not yet ended.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote

from .addresses import Address, quoted
from .body_encodings import LONGEST_LINE
from .headers import FOLDS, is_free_text
from .identifiers import DeliveryId

_LINE = 78  # RFC 5322 section 2.1.1
_ENCODED_WORD = 75  # RFC 2047 section 2

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOOKS_ENCODED = re.compile(r"=\?[^?]*\?[bBqQ]\?")  # where some program may see an encoded word begin
_SHORT_NAME = 60
_PIECE = re.compile(r"(?:%..|[^%]){1,20}")  # of a percent-encoded value, no octet cut in two


def header_line(name: str, value: str) -> str:
    """A header of any name: free text where it is for people to read; for programs as it stands, folded."""
    return unstructured(name, value) if is_free_text(name) else folded(f"{name}: {value}")


def unstructured(name: str, value: str) -> str:
    """A header of free text, folded where it has spaces, encoded where it must be."""
    if _is_plain(value):
        line = folded(f"{name}: {value}")
        if len(line) <= LONGEST_LINE or max(map(len, line.split("\r\n"))) <= LONGEST_LINE:
            return line
    return f"{name}: " + _encoded_words(value, room=_LINE - len(name) - 2)


def _is_plain(text: str) -> bool:
    return text.isascii() and not _LOOKS_ENCODED.search(text)


def folded(line: str) -> str:
    """A header in lines of 78 octets at most, or as few more as there are between two places to fold at."""
    if len(line) <= _LINE:
        return line
    lines, start, last = [], 0, -1
    for found in FOLDS.finditer(line, line.index(":") + 2):
        if found.start() - start > _LINE and last > start:
            lines.append(line[start:last])
            start = last
        last = found.start()
    if len(line) - start > _LINE and last > start:
        lines.append(line[start:last])
        start = last
    return "\r\n".join([*lines, line[start:]])


@lru_cache(maxsize=64)
def author(sender: Address) -> str:
    """The From header. A campaign has one, or a few."""
    return mailboxes("From", (sender,))


def mailboxes(name: str, several: Iterable[Address]) -> str:
    """A header of addresses, each on a line of its own."""
    begun = len(name) + 2
    return f"{name}: " + ",\r\n ".join([_mailbox(address, begun) for address in several])


def _mailbox(address: Address, begun: int) -> str:
    if not address.name:
        return address.wire
    phrase = _phrase(address.name)
    last = len(phrase) - phrase.rfind("\n") - 1
    too_long = begun + last + len(address.wire) + 3 > _LINE
    return f"{phrase}\r\n <{address.wire}>" if too_long else f"{phrase} <{address.wire}>"


def _phrase(name: str) -> str:
    """A display name (RFC 5322 section 3.2.5): as it is, quoted, or as encoded words."""
    if _is_plain(name) and len(name) <= _SHORT_NAME:
        return name if _ATOMS.fullmatch(name) else quoted(name)
    return _encoded_words(name, room=_SHORT_NAME)


def _encoded_words(text: str, *, room: int) -> str:
    """RFC 2047: UTF-8 in words of at most 75 characters, none of which splits a character; `room` is the first's."""
    raw = text.encode()
    limit = max(min(room, _ENCODED_WORD), 2 * _OVERHEAD) - _OVERHEAD
    if 2 * len(raw.translate(None, _Q_LITERAL)) <= len(raw) / 3:
        return "\r\n ".join(_q_words(raw, limit))
    return _b(raw) if len(raw) <= limit // 4 * 3 else "\r\n ".join(_b_words(raw, limit))


_OVERHEAD = len("=?utf-8?q??=")
_Q_LITERAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/ "  # RFC 2047 section 5 (3)
_Q = [chr(byte) if byte in _Q_LITERAL else f"={byte:02X}" for byte in range(256)]
_Q[ord(" ")] = "_"


def _q_words(raw: bytes, limit: int) -> Iterator[str]:
    spelled = "".join([_Q[byte] for byte in raw])
    at = 0
    while len(spelled) - at > limit:
        end = at + limit
        # Back to where a character ends: neither within an escape nor before one that goes on with a character.
        while "=" in spelled[end - 2 : end] or (spelled[end] == "=" and spelled[end + 1] in "89AB"):
            end -= 1
        yield f"=?utf-8?q?{spelled[at:end]}?="
        at, limit = end, _ENCODED_WORD - _OVERHEAD
    yield f"=?utf-8?q?{spelled[at:]}?="


def _b_words(raw: bytes, limit: int) -> Iterator[str]:
    at, octets = 0, limit // 4 * 3
    while len(raw) - at > octets:
        end = at + octets
        while 0x80 <= raw[end] < 0xC0:  # it goes on with a character
            end -= 1
        yield _b(raw[at:end])
        at, octets = end, (_ENCODED_WORD - _OVERHEAD) // 4 * 3
    yield _b(raw[at:])


def _b(raw: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(raw, newline=False).decode()}?="


def message_id(delivery_id: DeliveryId, domain: str) -> str:
    """The Message-ID header: our id, at the sender's domain."""
    return f"Message-ID: <{delivery_id}@{domain}>"


def date(at: datetime) -> str:
    """The Date header, in the zone of the moment; in UTC where that zone is off by seconds, which no Date can say."""
    return _date(at.isoformat(timespec="seconds"))


@lru_cache(maxsize=4)
def _date(moment: str) -> str:
    """Many mails are of one second."""
    at = datetime.fromisoformat(moment)
    zone = at.utcoffset()
    return f"Date: {format_datetime(at.astimezone(UTC) if zone and zone % timedelta(minutes=1) else at)}"


def parameter(name: str, value: str) -> str:
    """A parameter of a Content header: quoted, or by RFC 2231 where it is long, beyond ASCII or looks encoded."""
    if _is_plain(value) and len(value) <= _SHORT_NAME:
        return f";\r\n {name}={quoted(value)}"
    pieces = _PIECE.findall("utf-8''" + quote(value, safe=""))
    if len(pieces) == 1:
        return f";\r\n {name}*={pieces[0]}"
    return "".join(f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces))
