"""One mail's story, moment by moment: from submission to what forbids writing to that person again.

Its words are for people to read. What decides is in `custom_smtp.state`, and the figures are in `custom_smtp.report`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from itertools import groupby
from typing import Any

from attrs import field, frozen

from .archive import Copy
from .checks import aware
from .events import (
    Accepted,
    Attempted,
    AutoReplied,
    Bounced,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Refused,
    Resubscribed,
    Uncertain,
    Unrecognised,
    Unsubscribed,
)
from .state import Reason, story, why_not_to_write
from .verdicts import JUDGE, Judge, is_human


class Tone(Enum):
    """How a moment is to be shown."""

    PLAIN = "plain"
    GOOD = "good"
    """The mail came nearer to its reader, or was read."""
    MACHINE = "machine"
    """A program did it, not a person."""
    BAD = "bad"
    """It failed, or is not wanted."""


@frozen(kw_only=True)
class Moment:
    """Something that happened to a mail.

    Attributes:
        at: when.
        what: in one word or two, such as ``Clicked``.
        detail: the rest, in words; may be empty.
        told_by: who says so: ``our server``, ``our links``, a provider's name.
        tone: how to show it.
        proof: the event that forbids writing to the person, where this moment says that something does.

    Raises:
        ConfigurationError: the time has no zone.
    """

    at: datetime = field(validator=aware)
    what: str
    detail: str = ""
    told_by: str = ""
    tone: Tone = Tone.PLAIN
    proof: Reason | None = field(default=None, repr=False)


def timeline(
    copy: Copy, events: Iterable[Event], *, known: Iterable[Event] = (), judge: Judge = JUDGE
) -> tuple[Moment, ...]:
    """What happened to one mail, by time; the last moment says whether its reader may be written to again.

    What a machine did several times in a row is one moment.

    Args:
        copy: the mail, as it was kept.
        events: what happened to it: ``journal.of_delivery(copy.delivery_id)``, in any order.
        known: what is known of the person: ``journal.of_recipient(copy.recipient)``. Left out, nothing but this mail.
        judge: who tells people from machines.
    """
    happened = [*events]
    reason = why_not_to_write([*known] or happened)
    told = [_moment([*alike]) for _, alike in groupby(story(happened, judge=judge), _alike)]
    return _submitted(copy), *told, *_forbidden(reason)


def _submitted(copy: Copy) -> Moment:
    return Moment(at=copy.at, what="Submitted", detail=f"a copy of its {len(copy.content):,} bytes is kept")


def _alike(event: Event) -> object:
    """What one moment may gather: opens of machines, clicks of machines; anything else stands for itself."""
    if isinstance(event, Opened | Clicked) and not is_human(event):
        return type(event), event.evidence, event.about.source
    return id(event)


def _moment(alike: list[Event]) -> Moment:
    event = alike[0]
    what, tone, detail = _TOLD[type(event)]
    if isinstance(event, Opened | Clicked) and not is_human(event):
        tone, detail = Tone.MACHINE, _by_a_machine
    return Moment(
        at=event.about.at,
        what=what,
        detail=", ".join(filter(None, (_times(alike), detail(event)))),
        told_by=SAID_BY.get(event.about.source, event.about.source),
        tone=tone,
    )


def _forbidden(reason: Reason | None) -> Iterator[Moment]:
    if reason is not None:
        yield Moment(
            at=reason.about.at,
            what="Suppressed",
            detail=f"no more mail to this person; the proof: {reason.about.source} {reason.about.key}",
            told_by="why_not_to_write",
            tone=Tone.BAD,
            proof=reason,
        )


SAID_BY: Mapping[str, str] = {
    "smtp": "our server",
    "tracking": "our links",
    "unsubscribe": "our links",
    "bounce-mail": "a mail, unproven",
    "proven-bounce-mail": "a mail with our signature",
}
"""Who is meant by the source of an event; a provider's own name says it already."""


def _times(alike: list[Event]) -> str:
    links = {event.url for event in alike if isinstance(event, Clicked)}
    if len(links) > 1:
        return f"{len(links)} links"
    return f"{len(alike)} times" if len(alike) > 1 else ""


def _by_a_machine(event: Any) -> str:
    return _because("by a machine", event)


def _because(verdict: str, event: Any) -> str:
    return f"{verdict}: {', '.join(event.evidence)}" if event.evidence else verdict


def _opened(event: Any) -> str:
    return _because("by a person, through a proxy", event) if event.proxied else "by a person"


def _why(event: Any) -> str:
    return str(event.reason)


def _nothing(_event: Any) -> str:
    return ""


_TOLD: Mapping[type, tuple[str, Tone, Callable[[Any], str]]] = {
    Attempted: ("Not sent", Tone.BAD, lambda event: str(event.error)),
    Accepted: ("Accepted", Tone.GOOD, lambda event: str(event.reply)),
    Refused: ("Refused", Tone.BAD, lambda event: str(event.reply)),
    Uncertain: ("Uncertain", Tone.BAD, lambda event: str(event.error)),
    Delivered: ("Delivered", Tone.GOOD, lambda event: str(event.reply)),
    Deferred: ("Put off", Tone.PLAIN, _why),
    Bounced: ("Bounced", Tone.BAD, _why),
    Dropped: ("Not tried", Tone.BAD, _why),
    Opened: ("Opened", Tone.GOOD, _opened),
    Clicked: ("Clicked", Tone.GOOD, lambda event: f"by a person: {event.url}"),
    Complained: ("Called spam", Tone.BAD, _nothing),
    Unsubscribed: ("Unsubscribed", Tone.BAD, _why),
    Resubscribed: ("Came back", Tone.PLAIN, _nothing),
    AutoReplied: ("Auto-reply", Tone.PLAIN, _why),
    Unrecognised: ("Something else", Tone.PLAIN, lambda event: str(event.name)),
}
"""How each event is called and shown, and what there is to say of it."""

TITLES: Mapping[type, str] = {kind: title for kind, (title, _, _) in _TOLD.items()}
"""What each event is called, in a reader's words."""
