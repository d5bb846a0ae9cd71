"""How a body travels: as it is, in quoted-printable, or in base64 (RFC 2045 section 6), in lines of the wire.

Pure functions of text and bytes. What they write has CRLF line ends, is ASCII, and has no line that begins with a dot
or, in text, with the word "From" and a space: so nobody has to double the one (RFC 5321 section 4.5.2) or quote the
other (RFC 4155).
"""

import binascii
import re
from enum import Enum
from struct import Struct

LONGEST_LINE = 998
"""Octets of a line that may travel, its CRLF apart (RFC 5322 section 2.1.1)."""

QP_LINE = 75
"""Octets of a line of quoted-printable, the ``=`` of its soft line break apart (RFC 2045 section 6.7 (5))."""

_QP_PIECE = 73  # two less, for what a repair puts in front
_BASE64_LINE = 76  # RFC 2045 section 6.8
_MOSTLY_ASCII = 6  # base64 grows text by a third; quoted-printable grows each byte beyond ASCII by two
_FEW = 64

_LITERAL = bytes((0x09, 0x0A, *range(0x20, 0x7F)))
_NOT_LITERAL = re.compile(r"[^\t\n -~]")
# What must not stand around a line end as it is: white space at the end (RFC 2045 section 6.7 (3)), a dot, "From " or
# what might be a boundary of ours at the beginning. All begin with the line feed, since that is quick to search for.
_EDGE = re.compile(r"\n(?:(?<=[ \t]\n)|\.|From |--=_)")
_ESCAPE = re.compile(b"=")
_BAD_BEGINNING = re.compile(rb"[.F]")
# They cut many lines at one go, which is quicker than one by one; the second ends with an empty one.
_QP_CUTTER = Struct(f"{_QP_PIECE}s" * 32)
_BASE64_CUTTER = Struct(f"{_BASE64_LINE}s" * 128 + "0s")
_BASE64_BLOCK = 128 * _BASE64_LINE * 3 // 4


class Encoding(Enum):
    """The Content-Transfer-Encoding of a part."""

    SEVEN_BIT = "7bit"
    EIGHT_BIT = "8bit"
    QUOTED_PRINTABLE = "quoted-printable"
    BASE64 = "base64"


def encode_text(text: str) -> tuple[Encoding, bytes]:
    """Text in the encoding that suits it, its last line ended.

    As it is, where it is ASCII that no server alters; in quoted-printable, where most of it is ASCII; or in base64.
    """
    text = in_lines(text)
    odd = _beyond_literals(text)
    if not odd and not _has_edges(text) and len(max(text.split("\n"), key=len)) <= LONGEST_LINE:
        return Encoding.SEVEN_BIT, text.replace("\n", "\r\n").encode()
    octets = len(odd.encode())
    if octets * _MOSTLY_ASCII <= len(text) - len(odd) + octets:
        return Encoding.QUOTED_PRINTABLE, _quoted_printable(text, odd)
    return Encoding.BASE64, base64(text.replace("\n", "\r\n").encode())


def in_lines(text: str) -> str:
    """Text with its lines, the last one too, ended by a line feed each, however they were."""
    text = _with_line_feeds(text)
    return text if text.endswith("\n") else text + "\n"


def quoted_printable(text: str) -> bytes:
    """Text in quoted-printable (RFC 2045 section 6.7), as UTF-8.

    It can be used in pieces: what two texts become, joined by `SOFT_BREAK`, is read as the two joined, if no CRLF is
    cut in two between them.
    """
    if len(text) <= QP_LINE and text.isprintable() and not text.startswith((".", "F")):
        line = binascii.b2a_qp(text.encode())
        if len(line) <= QP_LINE:  # a name, say
            return line
    text = _with_line_feeds(text)
    return _quoted_printable(text, _beyond_literals(text))


SOFT_BREAK = b"=\r\n"
"""Ends a line of quoted-printable where the text has no line end."""


def base64(content: bytes) -> bytes:
    """Any bytes in base64 (RFC 2045 section 6.8), in lines of 76 characters, each ended."""
    return b"".join(base64_blocks(content))


def base64_blocks(content: bytes) -> tuple[bytes, ...]:
    """The same in blocks of several lines, for whoever joins them with more."""
    # Small enough for all of it to happen near to the processor.
    return tuple([_base64_block(content[at : at + _BASE64_BLOCK]) for at in range(0, len(content), _BASE64_BLOCK)])


def _base64_block(content: bytes) -> bytes:
    letters = binascii.b2a_base64(content, newline=False)
    if len(content) == _BASE64_BLOCK:
        return b"\r\n".join(_BASE64_CUTTER.unpack(letters))
    lines = [letters[at : at + _BASE64_LINE] for at in range(0, len(letters), _BASE64_LINE)]
    return b"\r\n".join([*lines, b""])


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _beyond_literals(text: str) -> str:
    """The characters, in their order, that are no printable ASCII: in C, where a search would look at each."""
    try:
        return text.encode("latin-1").translate(None, _LITERAL).decode("latin-1")
    except UnicodeEncodeError:
        return text.encode().translate(None, _LITERAL).decode()


def _has_edges(text: str) -> bool:
    if text.startswith((".", "From ", "--=_")) or text.endswith((" ", "\t")):
        return True
    return _EDGE.search(text) is not None


def _quoted_printable(text: str, odd: str) -> bytes:
    lines = _escaped(text, odd).encode().split(b"\n")
    if _has_edges(text):
        lines = [_with_edges_escaped(line) for line in lines]
    if long := [place for place, line in enumerate(lines) if len(line) > QP_LINE]:
        softened = _softened(b"\0".join([lines[place] for place in long]))
        for place, several in zip(long, softened.split(b"\0"), strict=True):
            lines[place] = several
    return b"\r\n".join(lines)


def _escaped(text: str, odd: str) -> str:
    text = text.replace("=", "=3D")
    letters = set(odd)
    if len(letters) > _FEW:  # one pass for each would take too long
        escape_of = {letter: _escape(letter) for letter in letters}
        return _NOT_LITERAL.sub(lambda found: escape_of[found[0]], text)
    # The highest first: the text takes less room once they are gone.
    for letter in sorted(letters, reverse=True):
        text = text.replace(letter, _escape(letter))
    return text


def _escape(letter: str) -> str:
    return "=" + letter.encode().hex("=").upper()


def _with_edges_escaped(line: bytes) -> bytes:
    if line.startswith((b".", b"From ")):
        line = b"=%02X" % line[0] + line[1:]
    return line[:-1] + b"=%02X" % line[-1] if line.endswith((b" ", b"\t")) else line


def _softened(lines: bytes) -> bytes:
    """Long lines, with NULs between them, with soft breaks.

    All are cut at even distances, and together, which is many times quicker than to look where each is best cut. What
    a cut has harmed is seen to afterwards: an escape cut in two moves to the next piece, whole.
    """
    pieces = _cut(lines)
    for octets in (1, 2):
        # Of each piece, the octet that stands so far from its end.
        for found in _ESCAPE.finditer(lines[_QP_PIECE - octets :: _QP_PIECE]):
            at = found.start()  # never the last piece: the whole of an escape is there
            pieces[at + 1] = pieces[at][-octets:] + pieces[at + 1]
            pieces[at] = pieces[at][:-octets]
    for found in _BAD_BEGINNING.finditer(lines[_QP_PIECE::_QP_PIECE]):
        at = found.start() + 1
        if pieces[at].startswith(found[0]):  # and it is no part of an escape that moved
            pieces[at] = b"=%02X" % pieces[at][0] + pieces[at][1:]
    return SOFT_BREAK.join(pieces)


def _cut(lines: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    many = len(lines) - len(lines) % _QP_CUTTER.size
    for at in range(0, many, _QP_CUTTER.size):
        pieces += _QP_CUTTER.unpack_from(lines, at)
    return pieces + [lines[at : at + _QP_PIECE] for at in range(many, len(lines), _QP_PIECE)]
