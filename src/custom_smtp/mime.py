"""Writes a mail as the bytes that travel: RFC 5322 with MIME (RFC 2045 to 2049), CRLF line ends, 7-bit.

Only an address that is itself beyond ASCII puts raw UTF-8 into a header (RFC 6532); everything else is encoded. The
same mail, id and time always give the same bytes.
"""

import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from attrs import frozen

from .addresses import Address, quoted
from .identifiers import DeliveryId
from .mail import FOLDS, Attachment, Mail, is_free_text
from .outgoing import WireForm

_LINE = 78  # RFC 5322 section 2.1.1
_ENCODED_WORD = 75  # RFC 2047 section 2
_LINE_OCTETS = 998  # RFC 5322 section 2.1.1
_MOSTLY_ASCII = 6  # base64 grows text by a third; quoted-printable grows each byte beyond ASCII by two

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_NOT_SEVEN_BIT = re.compile(rb"[^\t\r\n -~]|[ \t]\r\n|=_")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOOKS_ENCODED = re.compile(r"=\?[^?]*\?[bBqQ]\?")  # where some program may see an encoded word begin
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 section 5 (3)
_SHORT_NAME = 60
_PIECE = re.compile(r"(?:%..|[^%]){1,20}")  # of a percent-encoded value, no octet cut in two


def render(mail: Mail, delivery_id: DeliveryId, at: datetime) -> WireForm:
    """The whole mail, as it is archived, signed and sent.

    Args:
        mail: what to write.
        delivery_id: becomes the Message-ID's left side, so that bounce mail finds its delivery.
        at: the Date header.
    """
    head = b"".join(line.encode() + b"\r\n" for line in _header_lines(mail, delivery_id, at))
    body = _body(mail, delivery_id)
    # A header's name comes first on its line, or a space: only a line of the body can begin with a dot.
    return WireForm.written(head + body, dotted=b"\n." in body)


def message_id(mail: Mail, delivery_id: DeliveryId) -> str:
    """The mail's Message-ID, angle brackets and all: our id at the sender's domain."""
    return f"<{delivery_id}@{mail.sender.domain}>"


def _header_lines(mail: Mail, delivery_id: DeliveryId, at: datetime) -> Iterable[str]:
    yield _addresses("From", (mail.sender,))
    yield _addresses("To", mail.shown_to or (mail.to,))
    if mail.shown_cc:
        yield _addresses("Cc", mail.shown_cc)
    if mail.reply_to is not None:
        yield _addresses("Reply-To", (mail.reply_to,))
    yield _unstructured("Subject", mail.subject)
    yield f"Date: {format_datetime(at)}"
    yield f"Message-ID: {message_id(mail, delivery_id)}"
    yield "MIME-Version: 1.0"
    for name, value in mail.headers:
        yield _unstructured(name, value) if is_free_text(name) else _folded(f"{name}: {value}")


# Headers


def _unstructured(name: str, value: str) -> str:
    """A header of free text, folded where it has spaces, encoded where it must be."""
    if _is_plain(value):
        folded = _folded(f"{name}: {value}")
        if max(map(len, folded.split("\r\n"))) <= _LINE_OCTETS:
            return folded
    return f"{name}: " + _encoded_words(value, room=_LINE - len(name) - 2)


def _is_plain(text: str) -> bool:
    return text.isascii() and not _LOOKS_ENCODED.search(text)


def _folded(line: str) -> str:
    """A header in lines of 78 octets at most, or as few more as there are between two places to fold at."""
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


def _addresses(name: str, addresses: Iterable[Address]) -> str:
    lines = [f"{name}:"]
    for address in addresses:
        written = _mailbox(address)
        if lines[-1].endswith(","):
            lines.append("")
        lines[-1] += f" {written},"
    return "\r\n".join(lines)[:-1]


def _mailbox(address: Address) -> str:
    if not address.name:
        return address.wire
    return f"{_phrase(address.name)} <{address.wire}>"


def _phrase(name: str) -> str:
    """A display name (RFC 5322 section 3.2.5): as it is, quoted, or as encoded words."""
    if _is_plain(name) and len(name) <= _SHORT_NAME:
        return name if _ATOMS.fullmatch(name) else quoted(name)
    return _encoded_words(name, room=_SHORT_NAME)


def _encoded_words(text: str, *, room: int) -> str:
    """RFC 2047: UTF-8 in words of at most 75 characters, none of which splits a character; `room` is the first's."""
    raw = text.encode()
    literal = sum(byte in _Q_SAFE or byte == 0x20 for byte in raw)
    spell, cost = (_q, _q_cost) if 3 * (len(raw) - literal) + literal <= len(raw) * 4 / 3 else (_b, _b_cost)
    overhead = len("=?utf-8?q??=")
    words: list[str] = []
    word, used = "", 0.0
    limit = max(min(room, _ENCODED_WORD), 2 * overhead) - overhead
    for letter in text:
        width = cost(letter)
        if word and used + width > limit:
            words.append(spell(word))
            word, used, limit = "", 0.0, _ENCODED_WORD - overhead
        word += letter
        used += width
    words.append(spell(word))
    return "\r\n ".join(words)


def _q(text: str) -> str:
    spelled = "".join(
        chr(byte) if byte in _Q_SAFE else "_" if byte == 0x20 else f"={byte:02X}" for byte in text.encode()
    )
    return f"=?utf-8?q?{spelled}?="


def _q_cost(letter: str) -> float:
    return sum(1 if byte in _Q_SAFE or byte == 0x20 else 3 for byte in letter.encode())


def _b(text: str) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(text.encode(), newline=False).decode()}?="


def _b_cost(letter: str) -> float:
    # Four letters for three bytes; the padding's share is kept back by counting each byte a little dearer.
    return len(letter.encode()) * 1.4


def _parameter(name: str, value: str) -> str:
    """A parameter of a Content header: quoted, or by RFC 2231 where it is long or beyond ASCII."""
    if value.isascii() and len(value) <= _SHORT_NAME:
        return f";\r\n {name}={quoted(value)}"
    pieces = _PIECE.findall("utf-8''" + quote(value, safe=""))
    if len(pieces) == 1:
        return f";\r\n {name}*={pieces[0]}"
    return "".join(f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces))


# The body


@frozen
class _Part:
    """A piece of the body: its own headers, ready to be nested, and its content, which ends with CRLF."""

    headers: bytes
    content: bytes

    def __bytes__(self) -> bytes:
        return self.headers + b"\r\n" + self.content


def _body(mail: Mail, delivery_id: DeliveryId) -> bytes:
    pictures = [one for one in mail.attachments if one.content_id is not None and mail.html is not None]
    files = [one for one in mail.attachments if one not in pictures]
    readable = []
    if mail.text is not None:
        readable.append(_text("plain", mail.text))
    if mail.html is not None:
        html = _text("html", mail.html)
        readable.append(_multipart("related", [html, *map(_file, pictures)], delivery_id) if pictures else html)
    body = readable[0] if len(readable) == 1 else _multipart("alternative", readable, delivery_id)
    return bytes(_multipart("mixed", [body, *map(_file, files)], delivery_id) if files else body)


def _multipart(kind: str, parts: Iterable[_Part], delivery_id: DeliveryId) -> _Part:
    # No encoded part can hold "=_", and text that does is encoded: so the boundary cannot occur inside.
    boundary = f"=_{kind[0]}_{delivery_id}"
    mark = f"--{boundary}".encode()
    return _Part(
        f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n'.encode(),
        b"".join(mark + b"\r\n" + bytes(part) + b"\r\n" for part in parts) + mark + b"--\r\n",
    )


def _text(subtype: str, text: str) -> _Part:
    raw = _LINE_ENDS.sub("\r\n", text).encode()
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    encoding, content = _encoded(raw)
    charset = "us-ascii" if raw.isascii() else "utf-8"
    return _Part(
        f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n".encode(),
        content,
    )


def _encoded(raw: bytes) -> tuple[str, bytes]:
    """Text with CRLF line ends in the encoding that suits it (RFC 2045 section 6)."""
    if not _NOT_SEVEN_BIT.search(raw) and max(map(len, raw.split(b"\r\n"))) <= _LINE_OCTETS:
        return "7bit", raw
    beyond = len(raw) - len(raw.decode().encode("ascii", "ignore"))
    if beyond * _MOSTLY_ASCII <= len(raw):
        return "quoted-printable", binascii.b2a_qp(raw)
    return "base64", _base64(raw)


def _file(attachment: Attachment) -> _Part:
    shown = attachment.content_id is not None
    headers = f"Content-Type: {attachment.content_type}\r\nContent-Transfer-Encoding: base64\r\n"
    headers += (
        f"Content-Disposition: {'inline' if shown else 'attachment'}{_parameter('filename', attachment.name)}\r\n"
    )
    if shown:
        headers += f"Content-ID: <{attachment.content_id}>\r\n"
    return _Part(headers.encode(), _base64(attachment.content))


def _base64(raw: bytes) -> bytes:
    line = 57  # bytes that make 76 characters, the longest line that RFC 2045 section 6.8 allows
    starts = range(0, len(raw), line)
    return b"\r\n".join([binascii.b2a_base64(raw[at : at + line], newline=False) for at in starts]) + b"\r\n"
