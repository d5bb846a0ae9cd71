"""Events as JSON, for journals and queues: written with a version, and read back equal or not written at all."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, get_args

import attrs

from .errors import ArchiveError, Retry, Step
from .events import About, BounceKind, Cause, DropKind, Dropped, Event
from .identifiers import DeliveryId
from .replies import Reply

VERSION = 1

_CLASS_OF: dict[str, type] = {kind.__name__: kind for kind in get_args(Event)}

_READ: dict[str, Callable[[Any], object]] = {
    "about": lambda told: About(
        delivery_id=None if told["delivery_id"] is None else DeliveryId(told["delivery_id"]),
        recipient=told["recipient"],
        at=datetime.fromisoformat(told["at"]),
        source=told["source"],
        key=told["key"],
        raw=told["raw"],
    ),
    "reply": lambda told: told if isinstance(told, str) else Reply(**told),
    "retry": Retry,
    "at_step": Step,
    "kind": BounceKind,
    "cause": Cause,
}
"""How a field becomes a value again, where JSON alone does not say it."""

_READ_OF: dict[type, dict[str, Callable[[Any], object]]] = {Dropped: {**_READ, "kind": DropKind}}
"""The same for the events whose field has a name of `_READ` and another meaning."""


def write_event(event: Event) -> str:
    """One event as one line of JSON.

    Raises:
        ArchiveError: its ``raw``, or a field of it, holds what JSON cannot, or would read back as something else: a
            time, a tuple, a name that is a number.
    """
    try:
        told = {"v": VERSION, "event": type(event).__name__, **_plain_fields(event)}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=_plain_mapping)
        same = _same(read_event(text), event)
    except (TypeError, ValueError, RecursionError, ArchiveError) as error:
        raise ArchiveError(f"the event {event.about.key!r} cannot be written as JSON: {error}") from error
    if not same:
        raise ArchiveError(
            f"the event {event.about.key!r} would not read back as it is: give it only what JSON has, which is text, "
            "numbers, true, false, null, lists, and objects whose names are text"
        )
    return text


def _same(kept: Event, event: Event) -> bool:
    # The time stands apart: in the hour that a clock sets back, Python holds two equal times of two zones for unequal.
    there = attrs.evolve(kept.about, at=event.about.at)
    return kept.about.at.isoformat() == event.about.at.isoformat() and attrs.evolve(kept, about=there) == event


def read_event(text: str) -> Event:
    """The event that `write_event` wrote.

    Raises:
        ArchiveError: it is not one, or a later version wrote it.
    """
    try:
        told: dict[str, Any] = json.loads(text)
        if (version := told.pop("v")) != VERSION:
            raise ArchiveError(
                f"an event of format {version!r}: this version reads format {VERSION}; upgrade custom_smtp"
            )
        kind = _CLASS_OF[told.pop("event")]
        read = _READ_OF.get(kind, _READ)
        event: Event = kind(**{name: read[name](value) if name in read else value for name, value in told.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"not an event: {text[:80]!r}") from error
    return event


def _plain_fields(value: attrs.AttrsInstance) -> dict[str, object]:
    return {one.name: _plain(getattr(value, one.name)) for one in attrs.fields(type(value)) if one.init}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case About() | Reply():
            return _plain_fields(value)
    # A raw report is left to the encoder, which goes deeper than we could.
    return value


def _plain_mapping(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is nothing that JSON has")
