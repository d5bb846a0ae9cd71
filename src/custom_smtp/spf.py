"""SPF records as receivers read them (RFC 7208): their terms, and what makes a whole record count as none.

Whether a given mail passes is another question, and not asked here: that takes the address it came from, and the DNS.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

MOST_LOOKUPS = 10
"""How many terms may ask the DNS, those of included records among them; with more, a record counts as none (4.6.4)."""

_LOOKING_UP = ("include", "a", "mx", "ptr", "exists")
_ONCE = ("redirect=", "exp=")  # section 6


@frozen
class Term:
    """A term that receivers can read: a mechanism, or a modifier.

    Attributes:
        text: as it stands in the record.
        qualifier: what becomes of a mail that it matches: ``-``, ``~``, ``?``, ``+``, or empty, which means ``+``.
        name: in lower case; a modifier's with its ``=``.
        argument: what stands behind the name, a mechanism's with its ``:`` or ``/``.
    """

    text: str
    qualifier: str
    name: str
    argument: str

    @classmethod
    def read(cls, text: str) -> "Term | None":
        """A term by the grammar (section 12); None where it breaks it."""
        found = _TERM.fullmatch(text)
        if found is None:
            return None
        term = cls(text, found["qualifier"], found["name"].lower(), found["argument"])
        return term if term._is_right() else None

    def _is_right(self) -> bool:
        if self.name.endswith("="):
            return not self.qualifier and _MODIFIERS.get(self.name, _is_macro_string)(self.argument)
        return self.name in _MECHANISMS and _MECHANISMS[self.name](self.argument)

    @property
    def lets_pass(self) -> bool:
        """Whether a mail that it matches passes."""
        return self.qualifier in ("", "+")

    def includes(self, domain: str) -> bool:
        """Whether whatever passes the record of this domain (in lower case, without a last dot) passes here too."""
        return (
            self.name == "include"
            and self.lets_pass
            and self.argument.removeprefix(":").removesuffix(".").lower() == domain
        )


@frozen
class SpfRecord:
    """An SPF record, taken apart.

    Attributes:
        terms: those that can be read, in their order.
        unreadable: those that cannot: one is enough to make the whole record count as none (section 4.6).
    """

    terms: tuple[Term, ...]
    unreadable: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> "SpfRecord | None":
        """The record in the text of a TXT record; None where it is none (section 4.5), as ``v=spf10`` is not."""
        version, _, rest = text.partition(" ")
        if version.lower() != "v=spf1":
            return None
        told = [(each, Term.read(each)) for each in rest.split(" ") if each]
        return cls(
            tuple(term for _, term in told if term is not None),
            tuple(each for each, term in told if term is None),
        )

    @property
    def repeated(self) -> tuple[str, ...]:
        """The modifiers that stand there more than once, which makes the whole record count as none (section 6)."""
        names = [term.name for term in self.terms]
        return tuple(name for name in _ONCE if names.count(name) > 1)

    @property
    def closing(self) -> Term | None:
        """Its ``all``: what becomes of every mail that no term before it matches; None where it has none."""
        return next((term for term in self.terms if term.name == "all"), None)

    @property
    def lookups(self) -> int:
        """How many of its own terms ask the DNS."""
        # Beside an all redirect is never looked at (section 6.1).
        redirects = self.closing is None and any(term.name == "redirect=" for term in self.terms)
        return sum(term.name in _LOOKING_UP for term in self._reached()) + redirects

    def includes(self, domain: str) -> bool:
        """Whether whatever passes the record of this domain passes this one, too."""
        return any(term.includes(domain) for term in self._reached())

    def _reached(self) -> tuple[Term, ...]:
        """What stands before its ``all``; nothing behind it is ever looked at (section 5.1)."""
        return self.terms if self.closing is None else self.terms[: self.terms.index(self.closing)]


_TERM = re.compile(r"(?P<qualifier>[+?~-]?)(?P<name>[a-z][a-z0-9_.-]*+=?)(?P<argument>.*)", re.IGNORECASE | re.DOTALL)

_MACRO = re.compile(r"%(?:\{[slodiphv](?:0*+[1-9][0-9]*+)?r?[-.+,/_=]*+\}|[%_-])", re.IGNORECASE)
_VISIBLE = re.compile(r"[!-~]*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


def _is_macro_string(text: str) -> bool:
    return bool(_VISIBLE.fullmatch(text)) and "%" not in _MACRO.sub("", text)


def is_domain_spec(text: str) -> bool:
    """Whether it is a domain-spec (section 7.1): two labels or more, the last no number; or it ends with a macro."""
    if not _is_macro_string(text):
        return False
    plain = _MACRO.sub("%", text)
    *front, last = labels = plain.removesuffix(".").split(".")
    if not all(0 < len(label) <= 63 for label in labels):
        return False
    return plain.endswith("%") or (bool(front) and bool(_LABEL.fullmatch(last)) and not last.isdigit())


_NETWORK_SIZES = re.compile(r"(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?", re.DOTALL)


def _names(argument: str) -> bool:
    return argument.startswith(":") and is_domain_spec(argument[1:])


def _may_name(argument: str) -> bool:
    return not argument or _names(argument)


def _may_name_with_sizes(argument: str) -> bool:
    found = _NETWORK_SIZES.fullmatch(argument)
    return found is not None and int(found[2] or 0) <= 32 and int(found[3] or 0) <= 128 and _may_name(found[1])


def _is_network(argument: str, kind: type[IPv4Address] | type[IPv6Address], bits: int) -> bool:
    address, slash, size = argument.removeprefix(":").partition("/")
    if not argument.startswith(":") or "%" in address or (slash and not _SIZE.fullmatch(size)):
        return False
    try:
        kind(address)
    except ValueError:
        return False
    return int(size or 0) <= bits


_SIZE = re.compile(r"0|[1-9][0-9]{0,2}")

_MECHANISMS: dict[str, Callable[[str], bool]] = {
    "all": lambda argument: not argument,
    "include": _names,
    "a": _may_name_with_sizes,
    "mx": _may_name_with_sizes,
    "ptr": _may_name,
    "ip4": lambda argument: _is_network(argument, IPv4Address, 32),
    "ip6": lambda argument: _is_network(argument, IPv6Address, 128),
    "exists": _names,
}
"""What may stand behind each mechanism's name (section 5)."""

_MODIFIERS: dict[str, Callable[[str], bool]] = {"redirect=": is_domain_spec, "exp=": is_domain_spec}
"""What may stand behind a modifier's ``=``; any other is passed over, if it is one at all (section 6)."""
