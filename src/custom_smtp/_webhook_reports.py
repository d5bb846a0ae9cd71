"""From a proven body to events: bounded JSON, what providers write into it, and what becomes of the odd.

A batch that is read costs little more than parsing it, so each function here does one thing, once.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from math import isinf
from typing import Any, NoReturn

from .bounce_phrases import CAUSE_OF_STATUS
from .checks import SURROGATE
from .errors import MalformedError
from .events import About, Cause, Event, Unrecognised
from .identifiers import DeliveryId, delivery_id_in
from .system import EPOCH
from .web import BODY_LIMIT, Request

_logger = logging.getLogger("custom_smtp.webhooks")

BATCH_LIMIT = 5_000
"""Reports in one body."""

DEPTH_LIMIT = 32
"""Levels of arrays and objects inside each other, where a body is one report.

In a batch a deeper one is read, so that it does not lose the others; what the parser's own recursion limit stops at is
refused everywhere.
"""

NO_REPORT = "no report"
"""Under which name something in a batch is kept that is no object: a null, a number, a text."""

UNKNOWN_TIME = EPOCH
"""The time of what nobody dates: neither the report nor the door that took it."""


# ---- bodies ----------------------------------------------------------------------------------------------------------


def json_body(request: Request) -> list[dict[str, Any]]:
    """The reports in a request's JSON body: see `json_reports`."""
    return json_reports(request.body)


def json_reports(body: bytes) -> list[dict[str, Any]]:
    """The reports in a JSON text: an array's objects, or the one object that it is.

    Where an object names a key twice, the last one holds. Half a surrogate pair, which no store can keep, is replaced
    by U+FFFD. Something else among the objects of an array is kept in an object, as `NO_REPORT`.

    Raises:
        MalformedError: it is cut off, not UTF-8 or not JSON, holds no object, or exceeds `BODY_LIMIT`, `BATCH_LIMIT`,
            `DEPTH_LIMIT` or the parser's recursion limit.
    """
    if len(body) > BODY_LIMIT:
        raise MalformedError(f"the body has {len(body)} bytes: at most {BODY_LIMIT} are read")
    parsed = _parsed(body)
    reports: list[dict[str, Any]] = [parsed] if type(parsed) is dict else _batch(parsed)
    if len(reports) == 1 and _too_deep(body, reports[0]):
        raise MalformedError(f"the report is nested deeper than {DEPTH_LIMIT} levels")
    return _without_half_pairs(reports) if b"\\" in body and _ESCAPED_SURROGATE.search(body) else reports


def _batch(parsed: Any) -> list[dict[str, Any]]:
    """The reports of an array; something odd among them is put into an object of its own."""
    told = parsed if type(parsed) is list else [parsed]
    if len(told) > BATCH_LIMIT:
        raise MalformedError(f"the body holds {len(told)} reports: at most {BATCH_LIMIT} are read")
    if _OBJECTS.issuperset(map(type, told)):
        return told
    if dict not in map(type, told):
        raise MalformedError(f"the body holds a {type(told[0]).__name__} where a report should be")
    return [report if type(report) is dict else {NO_REPORT: report} for report in told]


def _parsed(body: bytes) -> Any:
    try:
        text = body.decode().strip(_BLANKS)
        parsed, end = _JSON.raw_decode(text)
    except UnicodeDecodeError as error:
        raise MalformedError(f"the body is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise MalformedError("the body is nested too deep") from error
    except ValueError as error:
        raise MalformedError(f"the body is not JSON, or cut off: {type(error).__name__}") from error
    if end != len(text):
        raise MalformedError("the body is JSON with something behind it")
    return parsed


_BLANKS = " \t\n\r\ufeff"  # RFC 8259 section 2; and the byte order mark, which it lets a reader ignore (section 8.1)

_OBJECTS = frozenset({dict})

_CONTAINERS = frozenset({dict, list})

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


def _a_finite_number(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError("a number too large to be kept")
    return number


_JSON = json.JSONDecoder(parse_constant=_no_number, parse_float=_a_finite_number)


def _too_deep(body: bytes, report: dict[str, Any]) -> bool:
    # With no more brackets than that, strings and all, it cannot be, and needs no walk.
    if body.count(b"{") + body.count(b"[") <= DEPTH_LIMIT:
        return False
    level: list[Any] = [report]
    for _ in range(DEPTH_LIMIT):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in _CONTAINERS
        ]
    return bool(level)


def _without_half_pairs(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        return [_storable(report) for report in reports]
    except RecursionError as error:
        raise MalformedError("the body is nested too deep") from error


def _storable(parsed: Any) -> Any:
    match parsed:
        case str():
            return SURROGATE.sub("\ufffd", parsed)
        case dict():
            return {_storable(name): _storable(value) for name, value in parsed.items()}
        case list():
            return [_storable(value) for value in parsed]
    return parsed


# ---- events ----------------------------------------------------------------------------------------------------------


def events_of(
    reports: Iterable[dict[str, Any]],
    read: Callable[[dict[str, Any]], Event],
    *,
    source: str,
    kind: str,
    person: tuple[str, ...] | Callable[[dict[str, Any]], str],
    came: datetime,
) -> tuple[Event, ...]:
    """One event for each report; one that ``read`` stumbles over is kept as `Unrecognised`, and no other is lost.

    So is one that holds something else where an event has text: a link that is a number, a reason that is a list.

    Args:
        reports: what `json_body` found.
        read: the adapter's own conversion; it may raise what an unexpected report makes Python raise. A batch with an
            odd report is read again from its beginning, so it must do nothing else.
        source: the adapter's name.
        kind: the field that names a report's kind.
        person: the fields that may name the recipient, or the adapter's own way to find them in an odd report.
        came: when the request came: the time of a report whose own cannot be read.
    """
    reports = list(reports)
    try:
        return tuple(map(read, reports))
    except _ODD:  # one of them
        pass
    events: list[Event] = []
    for report in reports:
        try:
            events.append(read(report))
        except _ODD as error:
            # The class of the error alone: its message may quote an address.
            _logger.warning("%s: a report is kept unrecognised (%s)", source, type(error).__name__)
            about = About(
                delivery_id=None,
                recipient=person(report) if callable(person) else text_in(report, *person),
                at=came,
                source=source,
                key=_fingerprint(report),
                raw=report,
            )
            events.append(Unrecognised(about, text_in(report, kind)))
    return tuple(events)


_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a report of an unexpected shape raises: ours that are a ValueError too, and Python's."""


def _fingerprint(report: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(report, sort_keys=True).encode(), digest_size=16).hexdigest()


# ---- what stands in a report -----------------------------------------------------------------------------------------


def text_in(report: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that says something, as text; empty where none does."""
    for name in names:
        told = report.get(name)
        if type(told) is str:
            if told:
                return told
        elif type(told) is int:  # no bool
            return str(told)
    return ""


def bare_address(told: object) -> str:
    """An address that may stand there as in a mail's To, ``Ada <ada@example.net>``; empty where it is no text."""
    if not isinstance(told, str):
        return ""
    return told[told.rindex("<") + 1 : -1] if told.endswith(">") and "<" in told else told


def came_at(request: Request) -> datetime:
    """When the request came; `UNKNOWN_TIME` where nobody says."""
    return request.received_at or UNKNOWN_TIME


def moment(stamp: object, *, otherwise: datetime) -> datetime:
    """A time as providers tell it, in UTC: seconds or milliseconds since 1970 (a number, or its digits), or ISO 8601.

    A time without a zone is UTC; fractions of a second may have any number of digits. Where none is told, or none that
    can be read, it is ``otherwise``: a complaint is not lost for its clock.
    """
    try:
        if type(stamp) is str or type(stamp) is int:
            return _moment_of(stamp)
        return _moment_of_seconds(stamp) if type(stamp) is float else otherwise
    except (ArithmeticError, ValueError):
        return otherwise


@lru_cache(maxsize=1024)  # what is told at once happened in a few seconds
def _moment_of(stamp: str | int) -> datetime:
    if isinstance(stamp, int):
        return _moment_of_seconds(stamp)
    if stamp.isdigit() and stamp.isascii() and len(stamp) <= _STAMP_DIGITS:
        return _moment_of_seconds(int(stamp))
    if _FRACTION.fullmatch(stamp):
        return _moment_of_seconds(float(stamp))
    read = datetime.fromisoformat(stamp)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


def _moment_of_seconds(seconds: float) -> datetime:
    if abs(seconds) >= _YEAR_5138:
        seconds /= 1000
    # Faster than the sum, in the years that every platform has.
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds < _YEAR_3000 else EPOCH + timedelta(seconds=seconds)


_STAMP_DIGITS = 15
_FRACTION = re.compile(r"[0-9]{1,15}\.[0-9]{1,9}")
_YEAR_3000 = 32_503_680_000
_YEAR_5138 = 100_000_000_000  # of milliseconds, the year 1973


def enhanced_status(*texts: str) -> str:
    """The first enhanced status code (RFC 3463), such as ``5.1.1``, in these texts; empty where there is none."""
    for text in texts:
        if status := _status_in(text) if len(text) > _SHORT else _status_in_short(text):
            return status
    return ""


def _status_in(text: str) -> str:
    found = _STATUS.search(text)
    return found[0] if found else ""


_SHORT = 12
_status_in_short = lru_cache(maxsize=512)(_status_in)  # a field for the status alone has one of a few


# What stands before it is looked at last, so that the search skips from one first digit to the next.
_STATUS = re.compile(r"[245]\.(?<![\d.]..)\d{1,3}\.\d{1,3}(?!\.?\d)", re.ASCII)


def told_cause(cause: Cause, status: str) -> Cause:
    """The cause that a provider names; where it names none, the one that the enhanced status stands for."""
    return cause if cause is not _NOT_NAMED or not status else CAUSE_OF_STATUS.get(status[2:], cause)


_NOT_NAMED = Cause.UNKNOWN


def synthetic_key(
    *,
    source: str,
    kind: str,
    message: str,
    recipient: str,
    time: str,
    url: str = "",
    scope: str = "",
    reader: str = "",
) -> str:
    """A key for a report that has none of its own: the same report told again has the same one.

    Everything belongs into it that tells two reports of one second apart.

    Args:
        source: the adapter's name.
        kind: what the report is.
        message: the provider's id for the mail.
        recipient: whom it is about.
        time: when, as it was told.
        url: the link that was followed.
        scope: the group or stream that it holds for.
        reader: who opened or clicked: an address, a program.
    """
    parts = (source, kind, message, recipient, time, url, scope, reader)
    told = "\n".join(parts)
    if told.count("\n") >= len(parts):  # so that no text can pass for two
        told = json.dumps(parts)
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def delivery_id_in_message_id(value: object) -> DeliveryId | None:
    """Our id from a Message-ID of ours, ``<id@domain>``; None where it cannot be one."""
    if not isinstance(value, str):
        return None
    return delivery_id_in(value.strip().removeprefix("<").partition("@")[0])
