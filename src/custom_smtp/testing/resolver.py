"""A DNS that answers from a table."""

from collections.abc import Mapping, Sequence

from ..dns_records import RecordKind, dns_name, known_kind
from ..errors import ConfigurationError, ResolveError


class StaticResolver:
    """A `ports.Resolver` that answers from a table, and remembers what it was asked.

    ``StaticResolver({("links.shop.example", "CNAME"): ["track.eu.example."]})``: values stand in a zone file's form,
    names in any letter case. A `ResolveError` in place of the values is raised; what is not in the table is absent.

    Attributes:
        asked: every name and kind that was looked up, in order.

    Raises:
        ConfigurationError: a key is not a name in the DNS and a kind of record, or stands there twice.
    """

    def __init__(self, records: Mapping[tuple[str, RecordKind], Sequence[str] | ResolveError] | None = None) -> None:
        self.asked: list[tuple[str, RecordKind]] = []
        self._records: dict[tuple[str, RecordKind], Sequence[str] | ResolveError] = {}
        for (name, kind), values in (records or {}).items():
            key = (dns_name(name), known_kind(kind))
            if key in self._records:
                raise ConfigurationError(f"{key[0]} {kind} stands there twice: put its values into one list")
            if isinstance(values, str):
                raise ConfigurationError(f"the values of {name} {kind} are one text: put it into a list")
            self._records[key] = values

    def lookup(self, name: str, kind: RecordKind, /) -> list[str]:
        """The values in the table; none if there are none.

        Raises:
            ResolveError: the table says so.
        """
        key = (dns_name(name), known_kind(kind))
        self.asked.append(key)
        found = self._records.get(key, ())
        if isinstance(found, ResolveError):
            raise found
        return list(found)
