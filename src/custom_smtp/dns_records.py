"""A record that the owner of a domain must publish."""

from typing import Any, Literal

from attrs import Attribute, field, frozen

from .checks import ConfigurationError

RecordKind = Literal["A", "AAAA", "CNAME", "MX", "TXT"]
KINDS: tuple[RecordKind, ...] = ("A", "AAAA", "CNAME", "MX", "TXT")


def _a_kind(_instance: object, _attribute: "Attribute[Any]", kind: str) -> None:
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is not a kind of record known here: use one of {', '.join(KINDS)}")


@frozen
class Record:
    """One DNS record: what to publish, where, and what for.

    Attributes:
        kind: the record's type.
        name: where it stands, as a full domain name without the last dot.
        value: in a zone file's form: ``10 mx.example.`` for MX, the text without quotes for TXT.
        purpose: what it is for, in words for its owner.
    """

    kind: RecordKind = field(validator=_a_kind)
    name: str
    value: str
    purpose: str = ""
