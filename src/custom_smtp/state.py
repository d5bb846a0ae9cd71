"""Where a delivery stands, and why a person must not be written to: worked out from events.

Everything here is order-free and repeat-free: whatever the order in which reports come, and however often, the answer
is the same. Nothing is ever overwritten: a bounce told after "delivered" stays visible, and so does a complaint.

Who opened and clicked, people or machines, is judged here each time, from everything that is known of the delivery (see
`custom_smtp.verdicts`). So what counts as a person's today may turn out to be a machine's when more is told.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import TypeVar

from attrs import frozen

from .bounces import SOURCE as BOUNCE_MAIL
from .bounces import kind_of
from .checks import ConfigurationError
from .errors import Step
from .events import (
    Accepted,
    Attempted,
    AutoReplied,
    Bounced,
    BounceKind,
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
    Unsubscribed,
)
from .identifiers import DeliveryId
from .verdicts import JUDGE, Judge, is_human

E = TypeVar("E", bound=Event)


class Stage(Enum):
    """How far a delivery came, in one word for display; the later of these that was reached.

    The facts of `DeliveryState` say more: a mail may have failed, and yet have been delivered before.
    """

    NOTHING = "nothing"
    """Nothing has happened that is known."""
    ATTEMPTED = "attempted"
    """No server could be talked to so far."""
    REFUSED = "refused"
    """Our server refused it, and no other took it."""
    UNCERTAIN = "uncertain"
    """The line broke after the last byte: it may have been accepted."""
    ACCEPTED = "accepted"
    """Our server took it."""
    DEFERRED = "deferred"
    """The recipient's server did not take it yet."""
    DELIVERED = "delivered"
    """The recipient's server took it."""
    OPENED = "opened"
    """A person opened it."""
    CLICKED = "clicked"
    """A person followed a link of it."""
    FAILED = "failed"
    """It was not delivered, or sent back afterwards."""
    COMPLAINED = "complained"
    """The person called it spam."""


STAGE_OF: Mapping[type, Stage] = {
    Attempted: Stage.ATTEMPTED,
    Refused: Stage.REFUSED,
    Uncertain: Stage.UNCERTAIN,
    Accepted: Stage.ACCEPTED,
    Deferred: Stage.DEFERRED,
    Delivered: Stage.DELIVERED,
    AutoReplied: Stage.DELIVERED,
    Unsubscribed: Stage.DELIVERED,
    Opened: Stage.OPENED,
    Clicked: Stage.CLICKED,
    Bounced: Stage.FAILED,
    Dropped: Stage.FAILED,
    Complained: Stage.COMPLAINED,
}
"""The stage that each event alone shows. What a machine opened or followed has been delivered, no more.

`Resubscribed` and `Unrecognised` say nothing about where the mail is.
"""

_ORDER = {stage: place for place, stage in enumerate(Stage)}

_GRAVITY = {
    BounceKind.HARD: 0,
    BounceKind.BLOCK: 1,
    BounceKind.SOFT: 2,
    BounceKind.UNDETERMINED: 3,
}
"""Which of several failures tells most; one that was `Dropped` tells less than any bounce."""


@frozen
class Count:
    """How often, told apart by who did it."""

    human: int = 0
    machine: int = 0

    @property
    def all(self) -> int:
        """People and machines together."""
        return self.human + self.machine


@frozen(kw_only=True)
class DeliveryState:
    """What is known about one delivery: facts, each of which stands for itself.

    Attributes:
        stage: how far it came, in one word.
        attempted: the last time no server could be talked to.
        accepted_at: when our server first took it.
        refused: the last time our server refused it.
        uncertain_at: when the line first broke after the last byte.
        deferred_at: when the recipient's server last put it off.
        delivered_at: when the recipient's server first took it.
        failure: why it failed; the gravest reason, and of two alike the first.
        first_open: the first that a person made; a ``synthetic`` one where only their click shows that there was one.
        first_click: the first that a person made.
        opens: how often it was opened, the synthetic one included.
        clicks: how often a link was followed.
        auto_reply: the first answer of a machine.
        complaint: the first.
        unsubscribed: the last, unless it was lifted later, by the same source and for the same scope.
    """

    stage: Stage = Stage.NOTHING
    attempted: Attempted | None = None
    accepted_at: datetime | None = None
    refused: Refused | None = None
    uncertain_at: datetime | None = None
    deferred_at: datetime | None = None
    delivered_at: datetime | None = None
    failure: Bounced | Dropped | None = None
    first_open: Opened | None = None
    first_click: Clicked | None = None
    opens: Count = Count()
    clicks: Count = Count()
    auto_reply: AutoReplied | None = None
    complaint: Complained | None = None
    unsubscribed: Unsubscribed | None = None


def story(events: Iterable[Event], *, judge: Judge = JUDGE) -> list[Event]:
    """Each event once, by time, and each open and click with its final verdict.

    Where a delivery's clicks were followed by our own links, a provider's reports of clicks are left out, since they
    tell of the same; likewise with opens.
    """
    return judge.final(_first_hand(_by_time(events)))


def delivery_state(events: Iterable[Event], *, judge: Judge = JUDGE) -> DeliveryState:
    """The state of one delivery after these events, in any order; an event told twice counts once."""
    told = story(events, judge=judge)
    failures: list[Bounced | Dropped] = [*_of(Bounced, told), *_of(Dropped, told)]
    opens, clicks = _of(Opened, told), _of(Clicked, told)
    followed = [event for event in clicks if is_human(event)]
    seen = [event for event in opens if is_human(event)] or [_implied(click) for click in followed[:1]]
    by_machines = sum(not is_human(event) for event in opens)
    return DeliveryState(
        stage=max(map(_stage, told), key=_ORDER.__getitem__, default=Stage.NOTHING),
        attempted=_last(_of(Attempted, told)),
        accepted_at=_time(_first(_of(Accepted, told))),
        refused=_last(_of(Refused, told)),
        uncertain_at=_time(_first(_of(Uncertain, told))),
        deferred_at=_time(_last(_of(Deferred, told))),
        delivered_at=_time(_first(_of(Delivered, told))),
        failure=min(failures, key=_gravity, default=None),
        first_open=_first(seen),
        first_click=_first(followed),
        opens=Count(len(seen), by_machines),
        clicks=Count(len(followed), len(clicks) - len(followed)),
        auto_reply=_first(_of(AutoReplied, told)),
        complaint=_first(_of(Complained, told)),
        unsubscribed=_last(_standing(_of(Unsubscribed, told), told)),
    )


def why_not_to_write(
    events: Iterable[Event], *, streams: Collection[str] | None = None
) -> Bounced | Complained | Unsubscribed | None:
    """The event that forbids writing to a person, or None: given everything that happened with them, in any order.

    ==  =======================================================  =================================================
    ..  what forbids it, the strongest first                     lifted by
    ==  =======================================================  =================================================
    1   `Complained`                                             nothing
    2   `Unsubscribed`                                           a later `Resubscribed` of the same source and scope
    3   `Bounced` with ``BounceKind.HARD``                       a later `Resubscribed` of the same source, without
                                                                 a scope
    4   `Refused` for good at RCPT with a status about the       likewise
        address (``5.1.1`` ...), told as the hard bounce it is
    ==  =======================================================  =================================================

    ``streams`` names what the mail goes under: its stream of `Unsubscribe`, and the provider's group or stream if it
    has one. Then an unsubscription from anything else forbids nothing; one without a scope forbids every mail. Without
    ``streams`` each forbids.

    Of several alike the last one is told; 3 and 4 are alike. A soft bounce, a block and a mail that a provider
    `Dropped` forbid nothing: the first two are not about the address, and the third says that there was an earlier
    reason, without being one.

    Anybody can send a bounce mail. So a hard bounce of source ``bounce-mail`` counts only where another source told of
    the same delivery, as the `Accepted` of our own server does: its id is known to nobody but whoever got that mail.

    Raises:
        ConfigurationError: ``streams`` is one text.
    """
    if isinstance(streams, str):
        raise ConfigurationError(f"streams is one text, {streams!r}: give several, as in {{{streams!r}}}")
    told = _by_time(events)
    ours = {event.about.delivery_id for event in told if event.about.source != BOUNCE_MAIL}
    bounces = [bounce for event in told if (bounce := _hard_bounce(event)) is not None and _believed(bounce, ours)]
    return (
        _last(_of(Complained, told))
        or _last([event for event in _standing(_of(Unsubscribed, told), told) if _concerns(event, streams)])
        or _last(_standing(bounces, told))
    )


def _by_time(events: Iterable[Event]) -> list[Event]:
    """Each event once, by time. Where two differ and claim to be the same, one of them is taken whatever the order."""
    unique: dict[tuple[str, str], Event] = {}
    for event in events:
        name = (event.about.source, event.about.key)
        known = unique.setdefault(name, event)
        if known is not event and known != event:
            unique[name] = min(known, event, key=_whole)
    return sorted(unique.values(), key=lambda event: (event.about.at, event.about.source, event.about.key))


def _first_hand(told: list[Event]) -> list[Event]:
    """Without what a provider told of opens, or clicks, that we know of ourselves."""
    reactions = [event for event in told if isinstance(event, Opened | Clicked)]
    own = {(type(event), event.about.delivery_id) for event in reactions if not event.second_hand}
    if not own or len(own) == len(reactions):
        return told
    return [
        event
        for event in told
        if not (
            isinstance(event, Opened | Clicked) and event.second_hand and (type(event), event.about.delivery_id) in own
        )
    ]


def _implied(click: Clicked) -> Opened:
    """The open without which a person could not have clicked."""
    return Opened(
        click.about,
        synthetic=True,
        evidence=("a click",),
        user_agent=click.user_agent,
        client=click.client,
        second_hand=click.second_hand,
    )


def _whole(event: Event) -> tuple[datetime, str, str]:
    return event.about.at, repr(event), repr(event.about.raw)


def _of(kind: type[E], events: Iterable[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def _first(events: list[E]) -> E | None:
    return events[0] if events else None


def _last(events: list[E]) -> E | None:
    return events[-1] if events else None


def _time(event: Event | None) -> datetime | None:
    return None if event is None else event.about.at


def _stage(event: Event) -> Stage:
    if isinstance(event, Opened | Clicked) and not is_human(event):
        return Stage.DELIVERED
    return STAGE_OF.get(type(event), Stage.NOTHING)


def _gravity(failure: Bounced | Dropped) -> tuple[int, datetime, str, str]:
    gravity = _GRAVITY[failure.kind] if isinstance(failure, Bounced) else len(_GRAVITY)
    return gravity, failure.about.at, failure.about.source, failure.about.key


def _standing(events: list[E], told: Iterable[Event]) -> list[E]:
    """Those that no later `Resubscribed` of the same source and scope lifted."""
    lifted = {(event.about.source, event.scope): event.about.at for event in _of(Resubscribed, told)}
    return [event for event in events if event.about.at >= lifted.get(_place(event), event.about.at)]


def _concerns(event: Unsubscribed, streams: Collection[str] | None) -> bool:
    return streams is None or not event.scope or event.scope in streams


def _place(event: Event) -> tuple[str, str]:
    """Who said it, and for which scope; a bounce is about the address as a whole."""
    return event.about.source, event.scope if isinstance(event, Unsubscribed) else ""


def _believed(bounce: Bounced, ours: Collection[DeliveryId | None]) -> bool:
    about = bounce.about
    return about.source != BOUNCE_MAIL or (about.delivery_id is not None and about.delivery_id in ours)


def _hard_bounce(event: Event) -> Bounced | None:
    """The hard bounce that an event is, or amounts to."""
    match event:
        case Bounced(kind=BounceKind.HARD):
            return event
        case Refused(reply=reply, at_step=Step.RCPT) if reply.enhanced.startswith("5.1."):
            verdict = kind_of(reply.enhanced)
            return Bounced(event.about, verdict, reply.text, reply.enhanced) if verdict is BounceKind.HARD else None
    return None
