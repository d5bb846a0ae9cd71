"""Merge fields, such as ``{{ name }}``: where they stand in a text, and a value written as it must be there.

A value is never read as anything but text: there is nothing in it that could end a quotation, begin a tag, leave its
place in a URL or add a header.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from html import escape
from urllib.parse import quote

from attrs import frozen

from .addresses import quoted
from .checks import CONTROL, MailError, shown, writable
from .pieces import Pieces

Value = str | int | Decimal
"""What can be put into a mail. Anything else, such as a date or a float, has many ways to be written: choose one."""

UNSUBSCRIBE_URL = "unsubscribe_url"
"""The name that stands for the mail's link to unsubscribe, which is no field."""


@frozen
class FoundField:
    """A field as it stands in a text.

    Attributes:
        start: where it begins.
        end: where it ends.
        name: its name; empty where it says ``{{`` itself.
    """

    start: int
    end: int
    name: str


_NAME = "([A-Za-z_][A-Za-z0-9_]*)"
_ENCODED = rf"%7[Bb]%7[Bb](?:%20)*{_NAME}(?:%20)*%7[Dd]%7[Dd]"  # as editors leave it in a link
_FIELD = re.compile(rf"\{{\{{ *{_NAME} *\}}\}}|{_ENCODED}")
_BRACES = re.compile(r"\{\{(?:\{\{)?|%7[Bb]%7[Bb]")
_AROUND = 40


def fields_in(text: str, what: str, start: int = 0, end: int | None = None) -> Iterator[FoundField]:
    """The fields that stand in a text, in their order, and each ``{{{{``, which stands for ``{{`` itself.

    Args:
        text: where to look.
        what: what messages call it.
        start: from where on.
        end: up to where; None for all of it.

    Raises:
        MailError: something else begins with ``{{``.
    """
    at, limit = start, len(text) if end is None else end
    while begun := _BRACES.search(text, at, limit):
        start, at = begun.span()
        if begun[0] == "{{{{":
            yield FoundField(start, at, "")
        elif found := _FIELD.match(text, start, limit):
            at = found.end()
            if (name := found[1] or found[2]).lower() != UNSUBSCRIBE_URL:
                yield FoundField(start, at, name)
        elif begun[0] == "{{":
            raise MailError(
                f"{what} holds {shown(text[start : start + _AROUND])}, which is no field: write {{{{ name }}}} with "
                "letters, digits and '_', or {{{{ where two braces shall stand"
            )


def _as_it_is(value: str) -> str:
    return value


def _component(value: str) -> str:
    """One part of a URL (RFC 3986 section 2.1). A full stop at its end might be taken for the end of a sentence."""
    encoded = quote(value, safe="")
    return _LAST_SIGN.sub(lambda sign: f"%{ord(sign[0]):02X}", encoded) if encoded[-1:] in _LAST_SIGNS else encoded


_LAST_SIGNS = (".", "_", "~")
_LAST_SIGN = re.compile(r"[._~]\Z")


def _in_json(value: str) -> str:
    """What stands in a JSON string, in ASCII (RFC 8259 section 7)."""
    return json.dumps(value)[1:-1]


def _in_quotes(value: str) -> str:
    """What stands in a quoted string (RFC 5322 section 3.2.4)."""
    return quoted(value)[1:-1]


def _in_address(value: str) -> str:
    """A part of what ``mailto:`` and ``tel:`` name, in which two more signs mean themselves (RFC 6068, RFC 3966)."""
    return quote(value, safe="@+")


def _words(value: str) -> str:
    """As text that was made of HTML has it: white space is one blank, however much there is."""
    return _SPACE.sub(" ", value)


_SPACE = re.compile(r"[ \t\n\f\r]+")


class Place(Enum):
    """Where a field stands, and so how its value is written."""

    HEADER = "in a header, as text or as the whole of it", _as_it_is
    STRUCTURE = "in a header that programs read, among other things", _as_it_is
    QUOTES = "in a header that programs read, in quotes", _in_quotes
    JSON = "in a header that is JSON, in quotes", _in_json
    TEXT = "in plain text", _as_it_is
    WORDS = "in plain text that is made of the HTML", _words
    HTML = "in the HTML, between tags or in a quoted value", escape
    PATH = "in a URL, before its query", _component
    QUERY = "in a URL's query or fragment", _component
    ADDRESS = "in a link that writes a mail, or calls", _in_address
    HTML_URL = "in the HTML, as a whole URL", escape
    TEXT_URL = "in plain text, as a whole URL", _as_it_is

    written: Callable[[str], str]
    """The value as it stands there."""

    def __init__(self, _where: str, written: Callable[[str], str]) -> None:
        self.written = written


@frozen
class Slot:
    """A field in its place.

    Attributes:
        name: the field.
        place: where it stands.
    """

    name: str
    place: Place


Merged = Pieces[str, Slot]
"""A text in pieces, with its fields between them."""


def filled(merged: Merged, values: Mapping[str, str]) -> str:
    """The text with a value in each place."""
    return merged.filled([slot.place.written(values[slot.name]) for slot in merged.slots])


def text_of_value(name: str, value: object) -> str:
    """A field's value as text.

    Raises:
        MailError: it is of another kind than `Value`, or cannot be written; the message names the field.
    """
    if isinstance(value, str) and value.isprintable():  # which nothing that could not be written is
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:d}"
    if not isinstance(value, str):
        raise MailError(f"the field {name} is {shown(value)}: {_INSTEAD.get(type(value).__name__, _AS_TEXT)}")
    writable(value, f"the field {name}", one_line=False)
    return str(value)


_AS_TEXT = "give it as text, as the reader shall see it"
_INSTEAD = {
    "NoneType": "give it a value, even if that is an empty text",
    "float": "round it as the reader shall see it, as in f'{price:.2f}', or give a Decimal",
    "bytes": "decode it first",
}


def plain_value(name: str, value: str) -> None:
    """Refuse a value that could leave its place in a header that programs read by a grammar.

    Raises:
        MailError: it holds a sign that parts or encloses things there.
    """
    if found := _STRUCTURE.search(value):
        raise MailError(
            f"the field {name} holds {found[0]!r}, and stands in a header where that has a meaning: take it out, or "
            "let one field be the whole header"
        )


_STRUCTURE = re.compile(r'[()<>\[\]{},:;"\\]')


def one_line_value(name: str, value: str) -> None:
    """Refuse a value that cannot stand in a header.

    Raises:
        MailError: it holds a line break or a control character.
    """
    if found := CONTROL.search(value):
        raise MailError(
            f"the field {name} stands in a header, and holds a line break or control character ({found[0]!r} at "
            f"{found.start()}): take it out"
        )
