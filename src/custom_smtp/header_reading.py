"""Headers read as they come from other programs: where they begin and end, and what they say, as far as it is sure.

Nothing here fails, whatever stands there, and every function takes time that grows with what it is given.
"""

import binascii
import re
from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from operator import itemgetter

from attrs import frozen

from .addresses import Address
from .checks import CONTROL, MailError
from .part_texts import codec_of

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")  # RFC 5322 sections 3.6.8 and 4.5: there may be blanks before the colon


@frozen(slots=False)  # quicker to make, and there are many
class RawField:
    """One header as it stands: its name, and where its lines begin and end."""

    name: str
    start: int
    end: int


@frozen(slots=False)
class Head:
    """The headers of a mail or of a part.

    Attributes:
        fields: in their order.
        body: where what they belong to begins.
        separated: whether an empty line stands before it, as it must.
    """

    fields: tuple[RawField, ...]
    body: int
    separated: bool


def head_at(content: bytes, start: int, limit: int) -> Head:
    """The headers that begin at ``start``; they end before ``limit`` at the latest.

    They end with an empty line, or before one that is neither a header nor goes on with one.
    """
    fields: list[RawField] = []
    name, begun, at = "", start, start

    def ended() -> tuple[RawField, ...]:
        return (*fields, RawField(name, begun, at)) if name else ()

    while at < limit:
        end = content.find(b"\n", at, limit) + 1 or limit
        if not content[at:end].rstrip(b"\r\n"):
            return Head(ended(), end, separated=True)
        if found := _NAME.match(content, at, end):
            if name:
                fields.append(RawField(name, begun, at))
            name, begun = found[1].decode("ascii"), at
        elif not (name and content[at] in b" \t"):
            return Head(ended(), at, separated=False)
        at = end
    return Head(ended(), limit, separated=False)


_LINE_END = re.compile(rb"[\r\n]+")


def value_of(content: bytes, field: RawField) -> str:
    """What stands behind the colon, unfolded (RFC 5322 section 2.2.3): UTF-8, or else each byte a character."""
    raw = _LINE_END.sub(b"", content[field.start : field.end]).partition(b":")[2].strip(b" \t")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


# --- Content-Type and its like ----------------------------------------------------------------------------------------

_TYPE = re.compile(r"[ \t]*([^\s()<>@,;:\\\"/\[\]?=]+/[^\s()<>@,;:\\\"/\[\]?=]+)[ \t]*(?=[;(]|\Z)")
_PARAMETER = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


@frozen
class Media:
    """What a Content-Type says, or a Content-Disposition.

    Attributes:
        type: in lower case; empty where programs may differ about it.
        parameters: by lower-case name; None where there are several values.
    """

    type: str
    parameters: dict[str, str | None]

    def sure(self, name: str) -> bool:
        """Whether a parameter is there once, or not at all, in a form that every program knows (not RFC 2231's)."""
        return self.parameters.get(name, "") is not None and not any(
            each.startswith(f"{name}*") for each in self.parameters
        )


def media(value: str) -> Media:
    """A Content-Type's value (RFC 2045 section 5.1)."""
    found = _TYPE.match(value)
    return Media(found[1].lower() if found else "", parameters(value))


def parameters(value: str) -> dict[str, str | None]:
    """The parameters in a header's value."""
    told: dict[str, str | None] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        parameter = re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        told[name.lower()] = parameter if told.get(name.lower(), parameter) == parameter else None
    return told


# --- Encoded words ----------------------------------------------------------------------------------------------------

_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\s]*)\?=")


def decoded(value: str) -> str:
    """A header's value as people read it: encoded words decoded (RFC 2047), in one line."""
    told: list[str] = []
    pending: list[tuple[str, bytes]] = []
    at = 0
    for found in _WORD.finditer(value):
        between = value[at : found.start()]
        if not (pending and not between.strip()):
            told += _joined(pending)
            told.append(between)
            pending = []
        pending.append((found[1].lower(), _octets(found[2], found[3])))
        at = found.end()
    told += [*_joined(pending), value[at:]]
    return " ".join(CONTROL.sub(" ", "".join(told)).split())


def _octets(kind: str, told: str) -> bytes:
    raw = told.encode("utf-8", "replace")
    if kind in "qQ":
        return binascii.a2b_qp(raw, header=True)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _joined(words: list[tuple[str, bytes]]) -> Iterator[str]:
    """Words that follow each other: a character may be cut in two between words of one charset."""
    for charset, run in groupby(words, key=itemgetter(0)):
        yield b"".join(octets for _, octets in run).decode(codec_of(charset) or "latin-1", "replace")


# --- Addresses --------------------------------------------------------------------------------------------------------


class Place(Enum):
    """Where in an address list a piece of it stands."""

    PLAIN = "plain"
    QUOTED = "quoted"
    COMMENT = "comment"
    ANGLE = "angle"


_PIECE = re.compile(r'[^"()<>,;:\\]+|\\.|.', re.DOTALL)


def pieces(value: str) -> Iterator[tuple[Place, str]]:
    """An address list (RFC 5322 section 3.4) in pieces, quotes, brackets and all."""
    place, depth = Place.PLAIN, 0
    for piece in _PIECE.findall(value):
        if place is Place.QUOTED:
            yield place, piece
            place = Place.PLAIN if piece == '"' else place
        elif depth or piece == "(":
            depth += {"(": 1, ")": -1}.get(piece, 0)
            yield Place.COMMENT, piece
        elif place is Place.PLAIN and piece == '"':
            place = Place.QUOTED
            yield place, piece
        elif place is Place.PLAIN and piece == "<":
            place = Place.ANGLE
            yield place, piece
        else:
            yield place, piece
            place = Place.PLAIN if piece == ">" else place


_DOUBTFUL = frozenset(f"\\{sign}" for sign in '<>()[],;:@"\\')
"""A backslash outside of quotes, where none belongs: some programs take the sign behind it as it is, others do not."""


def addresses(value: str) -> list[Address | None]:
    """The addresses in a list, groups dissolved; None for each that cannot be one."""
    found: list[Address | None] = []
    name: list[str] = []
    angle: list[str] = []
    for place, piece in [*pieces(value), (Place.PLAIN, ",")]:
        if place is Place.PLAIN and piece in (",", ";"):
            _take(found, "".join(name), "".join(angle))
            name, angle = [], []
        elif place is Place.PLAIN and piece in _DOUBTFUL:
            angle.append(piece)  # makes it no address
        elif place is Place.PLAIN and piece == ":" and not angle:
            name = []  # a group's name
        elif place is Place.ANGLE:
            angle.append(piece)
        elif place is not Place.COMMENT:
            name.append(piece)
    return found


_QUOTING = re.compile(r'\\(.)|"', re.DOTALL)


def _take(found: list[Address | None], name: str, angle: str) -> None:
    if not (name.strip() or angle):
        return
    # A source route (RFC 5322 section 4.4) is to be ignored.
    email = (angle.strip("<>").rpartition(":")[2] if angle.startswith("<@") else angle.strip("<>")) or name
    shown = _QUOTING.sub(lambda found: found[1] or "", name) if angle else ""
    try:
        found.append(Address(email.strip(), decoded(shown), smtputf8=True))
    except MailError:
        found.append(None)
