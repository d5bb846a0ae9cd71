"""What makes a value right: the checks that several values share, and the errors they raise.

Everything else takes these errors from `custom_smtp.errors`, where the whole tree is drawn; they stand here because a
`Reply` is checked too, and errors carry replies.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from attrs import Attribute

T = TypeVar("T")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Every control character, and the line breaks of Unicode: none may stand in a command argument, a header or a URL."""

SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half of a surrogate pair, which no encoding can carry."""


class CustomSmtpError(Exception):
    """Anything that this library raises."""


class ConfigurationError(CustomSmtpError, ValueError):
    """A server, plan, key or domain that cannot be; the message says what to write instead."""


class MailError(CustomSmtpError, ValueError):
    """A mail, address or header that cannot be written; the message says what to change."""


Check = Callable[[object, "Attribute[Any]", Any], None]


def shown(told: object) -> str:
    """What was given, as an error shows it: quoted, and cut off where it is long."""
    return repr(told[:60]) + "..." if isinstance(told, str) and len(told) > 60 else repr(told)


def writable(text: str, what: str, *, one_line: bool) -> None:
    """Raise `MailError` unless ``text`` can be put into a mail as it is.

    Half of a surrogate pair never can; in one line no control character can either (RFC 5322 section 2.2).
    """
    if not isinstance(text, str):
        raise MailError(f"{what} is {type(text).__name__}, not text: decode it first")
    if one_line and text.isprintable():  # which none of what is looked for below is
        return
    if one_line and (found := CONTROL.search(text)):
        raise MailError(
            f"{what} holds a line break or control character ({found[0]!r} at {found.start()}): take it out"
        )
    if "\x00" in text:
        raise MailError(f"{what} holds a NUL at {text.index(chr(0))}: take it out")
    try:
        text.encode()  # many times as quick as a search
    except UnicodeEncodeError as error:
        raise MailError(
            f"{what} holds half of a surrogate pair at {error.start}: decode its source with errors='replace'"
        ) from error


def one_line(what: str) -> Check:
    """The attrs validator for text that must be writable in one line."""

    def check(_instance: object, _attribute: "Attribute[Any]", text: str) -> None:
        writable(text, what, one_line=True)

    return check


def aware(_instance: object, attribute: "Attribute[Any]", moment: datetime | None) -> None:
    """The attrs validator for a moment: a naive one is off by hours somewhere, so it is refused."""
    if moment is None:
        return
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ConfigurationError(f"{attribute.name} is {moment!r}, with no time zone: use datetime.now(UTC)")


def seconds_up_to(most: float) -> Check:
    """The attrs validator for a span in seconds: a number above zero, and not above ``most``."""

    def check(_instance: object, attribute: "Attribute[Any]", seconds: object) -> None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= most:
            raise ConfigurationError(f"{attribute.name} is {seconds!r}: use seconds above 0, up to {most}")

    return check


def above_zero(_instance: object, attribute: "Attribute[Any]", number: object) -> None:
    """The attrs validator for a count of which there is at least one."""
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(f"{attribute.name} is {number!r}: use a whole number above 0")


def a_port(use: str) -> Check:
    """The attrs validator for a TCP or UDP port; ``use`` names those to write instead."""

    def check(_instance: object, _attribute: "Attribute[Any]", port: object) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            raise ConfigurationError(f"{port!r} is no port: use {use}")

    return check


def one_of(choices: type[Enum], error: type[CustomSmtpError] = ConfigurationError) -> Check:
    """The attrs validator for one of several choices, such as a `Mode`: its name or value alone is refused."""

    def check(_instance: object, attribute: "Attribute[Any]", told: object) -> None:
        if not isinstance(told, choices):
            *others, last = (f"{choices.__name__}.{choice.name}" for choice in choices)
            raise error(f"{attribute.name} is {shown(told)}: use {', '.join(others)} or {last}")

    return check


def yes_or_no(error: type[CustomSmtpError]) -> Check:
    """The attrs validator for what is True or False: many another thing would count as one of them."""

    def check(_instance: object, attribute: "Attribute[Any]", told: object) -> None:
        if not isinstance(told, bool):
            raise error(f"{attribute.name} is {shown(told)}: write True or False")

    return check


def each_a(kind: type, what: str) -> Check:
    """The attrs validator for a tuple of one kind of thing, so that a slip shows where it was made."""

    def check(_instance: object, attribute: "Attribute[Any]", items: Iterable[object]) -> None:
        for item in items:
            if not isinstance(item, kind):
                raise MailError(f"{attribute.name} holds {item!r}: {what}")

    return check


def several(items: Iterable[T], what: str) -> tuple[T, ...]:
    """Several things as a tuple. One alone, given where several belong, is a slip: `MailError`."""
    if type(items) is tuple:
        return items
    if isinstance(items, str) or not isinstance(items, Iterable):
        raise MailError(f"{what} is {type(items).__name__}, not several: write ({what},) or [{what}]")
    return tuple(items)
