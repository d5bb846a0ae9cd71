"""A record that the owner of a domain must publish."""

import re
from typing import Any, Literal

from attrs import Attribute, field, frozen

from .addresses import ascii_domain, quoted
from .checks import CONTROL, ConfigurationError, MailError

RecordKind = Literal["A", "AAAA", "CNAME", "MX", "TXT", "TLSA"]
_NAME = re.compile(r"(?!.{254})[A-Za-z0-9_*-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
KINDS: tuple[RecordKind, ...] = ("A", "AAAA", "CNAME", "MX", "TXT", "TLSA")


def known_kind(kind: RecordKind) -> RecordKind:
    """The kind, if it is one.

    Raises:
        ConfigurationError: it is not among `KINDS`.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is not a kind of record known here: use one of {', '.join(KINDS)}")
    return kind


def _a_name(_instance: object, _attribute: "Attribute[Any]", name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no record's name: write a full name such as 'send.shop.example'")


def _a_value(_instance: object, _attribute: "Attribute[Any]", value: str) -> None:
    if not isinstance(value, str) or not value.strip() or CONTROL.search(value):
        raise ConfigurationError(f"{value!r} is no record's value: write it in one line, as in a zone file")


_PIECE = re.compile(r".{1,255}")
_WIDE_PIECE = re.compile(r".{1,63}")


@frozen
class Record:
    """One DNS record: what to publish, where, and what for.

    Attributes:
        kind: the record's type.
        name: where it stands, as a full domain name without the last dot.
        value: in a zone file's form: ``10 mx.example.`` for MX, the text without quotes for TXT.
        purpose: what it is for, in words for its owner.

    Raises:
        ConfigurationError: such a record cannot be published.
    """

    kind: RecordKind = field(converter=known_kind)
    name: str = field(validator=_a_name)
    value: str = field(validator=_a_value)
    purpose: str = ""

    @property
    def strings(self) -> tuple[str, ...]:
        """A TXT record's text in the pieces that it is published in, of 255 octets at most (RFC 1035 section 3.3.14).

        Most forms to fill in take the whole value and cut it themselves; a zone file and some others do not. Any other
        record is one piece.
        """
        if self.kind != "TXT":
            return (self.value,)
        # A letter beyond ASCII takes four octets at most.
        return tuple((_PIECE if self.value.isascii() else _WIDE_PIECE).findall(self.value))

    @property
    def zone_line(self) -> str:
        """The record as a line of a zone file (RFC 1035 section 5.1)."""
        if self.kind != "TXT":
            return f"{self.name}. IN {self.kind} {self.value}"
        return f"{self.name}. IN TXT ( " + " ".join(map(quoted, self.strings)) + " )"


@frozen
class ValidatedAnswer:
    """What a resolver that checks signatures (DNSSEC) found.

    Attributes:
        values: in a zone file's form; none if there are no such records.
        authentic: whether it says that it has proven this by signatures, absence too (the AD bit, RFC 4035 section
            3.2.3). It is worth as much as the resolver and the way to it.
    """

    values: tuple[str, ...]
    authentic: bool


_UNDERSCORED = re.compile(r"_[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,60}[A-Za-z0-9_])?")  # RFC 8552 section 1.1


def dns_name(name: str) -> str:
    """A name as the DNS knows it: lower case, A-labels for what is beyond ASCII, no last dot.

    Beside host names it takes those of records about a domain, whose labels begin with an underscore:
    ``s1._domainkey.shop.example``.

    Raises:
        ConfigurationError: no record can stand there.
    """
    if not isinstance(name, str) or "[" in name:
        raise ConfigurationError(f"{name!r} is no name in the DNS: write one such as 'links.shop.example'")
    labels = name.removesuffix(".").split(".")
    try:
        found = ".".join(label.lower() if _UNDERSCORED.fullmatch(label) else ascii_domain(label) for label in labels)
    except MailError as error:
        raise ConfigurationError(f"{name!r} is no name in the DNS: write one such as 'links.shop.example'") from error
    if len(found) > 253:
        raise ConfigurationError(f"the name {name[:40]!r}... is over 253 octets: shorten it")
    return found


_IN_A_ZONE_FILE = re.compile(r'[^"\\]+|\\[0-9]{3}|\\.|["\\]', re.DOTALL)


def txt_text(value: str) -> str:
    """The text of a TXT record: its strings put together (RFC 1035 section 5.1, RFC 7208 section 3.3).

    A value that does not begin with a quote is one string. What stands between strings is nobody's, and neither is a
    string without an end.
    """
    pieces = _IN_A_ZONE_FILE.findall(value)
    if not value.lstrip().startswith('"'):
        return "".join(map(_unescaped, pieces))
    text: list[str] = []
    string: list[str] | None = None
    for piece in pieces:
        if piece != '"':
            if string is not None:
                string.append(_unescaped(piece))
        elif string is None:
            string = []
        else:
            text += string
            string = None
    return "".join(text)


def _unescaped(piece: str) -> str:
    if len(piece) < 2 or piece[0] != "\\":
        return piece
    return chr(int(piece[1:])) if len(piece) == 4 else piece[1:]
