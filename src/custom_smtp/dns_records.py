"""A record that the owner of a domain must publish."""

import re
from typing import Any, Literal

from attrs import Attribute, field, frozen

from .addresses import ascii_domain
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
