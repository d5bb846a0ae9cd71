"""Where a delivery stands, and why a person must not be written to: worked out from events.

Everything here is order-free and repeat-free: whatever the order in which reports come, and however often, the answer
is the same. Nothing is ever overwritten: a bounce told after "delivered" stays visible, and so does a complaint.

Who opened and clicked, people or machines, is judged here each time, from everything that is known of the delivery (see
`custom_smtp.verdicts`). So what counts as a person's today may turn out to be a machine's when more is told.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from attrs import Attribute, field, frozen

from .bounce_causes import kind_of
from .bounces import PROVEN as PROVEN_BOUNCE_MAIL
from .bounces import SOURCE as BOUNCE_MAIL
from .checks import ConfigurationError, above_zero
from .errors import Step
from .events import (
    Accepted,
    Attempted,
    AutoReplied,
    Bounced,
    BounceKind,
    Cause,
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
from .system import EPOCH
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


def _a_span(_instance: object, attribute: "Attribute[Any]", span: timedelta) -> None:
    if not isinstance(span, timedelta) or span < timedelta(0):
        raise ConfigurationError(f"{attribute.name} is {span!r}: use a timedelta of 0 or more")


@frozen(kw_only=True)
class SoftLimit:
    """How many soft bounces in a row are taken for an address that does not work.

    In a row: with nothing in between that reached the person. Of one day, in UTC, they count as one, so that a burst
    of mails to a server that is down for an hour is no burst of bounces. (So does Mailman, by its score:
    gnu.org/software/mailman/mailman-admin/node25.html.)

    Seven in a row is where Klaviyo gives up (community.klaviyo.com, "How do you clean bounces from your account?"). Two
    weeks, since each soft bounce only says that somebody tried for four or five days (RFC 5321 section 4.5.4.1), and a
    holiday fills a mailbox.

    Attributes:
        bounces: on so many days.
        over: the first and the last of them at least so far apart.

    Raises:
        ConfigurationError: no bounce at all would be enough.
    """

    bounces: int = field(default=7, validator=above_zero)
    over: timedelta = field(default=timedelta(days=14), validator=_a_span)


SOFT_LIMIT = SoftLimit()
"""What `why_not_to_write` and `person_state` take, unless told otherwise."""

ABOUT_THE_ADDRESS = frozenset(
    {
        Cause.NO_SUCH_USER,
        Cause.NO_SUCH_DOMAIN,
        Cause.NO_MAIL_TAKEN,
        Cause.MOVED,
        Cause.MAILBOX_DISABLED,
        Cause.MAILBOX_FULL,
        Cause.LOOP,
        Cause.NETWORK,
        Cause.EXPIRED,
        Cause.SYSTEM_FULL,
        Cause.SYSTEM_ERROR,
        Cause.UNKNOWN,
    }
)
"""The causes for which a soft bounce counts. The others tell of the mail, its sender or its speed: what is mended there
makes the address work again, so that no number of them says anything about it."""

Reason = Bounced | Complained | Unsubscribed
"""What forbids writing to a person: the event that proves it."""


@frozen
class PersonState:
    """What is known about one person: facts, each of which stands for itself.

    Attributes:
        why_not: what forbids writing to them, as `why_not_to_write` tells it; None where nothing does.
        complaint: the last.
        unsubscribed: those that stand, by time; of one source and scope the last.
        bounce: the last hard bounce that stands; a recipient `Refused` for good is told as one.
        soft_bounces: those in a row since the person was last reached, one for each day, by time.
        accepted_at: when our server last took a mail to them.
        reached_at: when it was last known that a mail had reached them.
        last_open: the last that they made themselves.
        last_click: the last that they made themselves.
        auto_reply: the last answer of a machine of theirs.
    """

    why_not: Reason | None = None
    complaint: Complained | None = None
    unsubscribed: tuple[Unsubscribed, ...] = ()
    bounce: Bounced | None = None
    soft_bounces: tuple[Bounced, ...] = ()
    accepted_at: datetime | None = None
    reached_at: datetime | None = None
    last_open: Opened | None = None
    last_click: Clicked | None = None
    auto_reply: AutoReplied | None = None


def person_state(
    events: Iterable[Event],
    *,
    streams: Collection[str] | None = None,
    soft_limit: SoftLimit = SOFT_LIMIT,
    judge: Judge = JUDGE,
) -> PersonState:
    """The state of one person after everything that happened with them, in any order; what is told twice counts once.

    ``streams`` and ``soft_limit`` are those of `why_not_to_write`; ``judge`` is that of `delivery_state`.

    Raises:
        ConfigurationError: ``streams`` is one text.
    """
    told = _believable(events)
    proofs = _Proofs.among(told)
    seen = [event for event in judge.final(_first_hand(told)) if isinstance(event, Opened | Clicked)]
    by_person = [event for event in seen if is_human(event)]
    return PersonState(
        why_not=proofs.strongest(streams, soft_limit),
        complaint=_last(proofs.complaints),
        unsubscribed=tuple({_place(event): event for event in proofs.unsubscribed}.values()),
        bounce=_last(proofs.hard),
        soft_bounces=tuple(proofs.soft),
        accepted_at=_time(_last(_of(Accepted, told))),
        reached_at=_time(_last(_reaching(told))),
        last_open=_last(_of(Opened, by_person)),
        last_click=_last(_of(Clicked, by_person)),
        auto_reply=_last(_of(AutoReplied, told)),
    )


def why_not_to_write(
    events: Iterable[Event],
    *,
    streams: Collection[str] | None = None,
    soft_limit: SoftLimit = SOFT_LIMIT,
) -> Reason | None:
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
    5   `Bounced` with ``BounceKind.SOFT``, over and over (see   likewise; and by anything that reached the person
        `SoftLimit`), for a cause `ABOUT_THE_ADDRESS`            since
    ==  =======================================================  =================================================

    ``streams`` names what the mail goes under: its stream of `Unsubscribe`, and the provider's group or stream if it
    has one. Then an unsubscription from anything else forbids nothing; one without a scope forbids every mail. Without
    ``streams`` each forbids.

    Of several alike the last one is told; 3 and 4 are alike. A single soft bounce, a block and a mail that a provider
    `Dropped` forbid nothing: the first two are not about the address, and the third says that there was an earlier
    reason, without being one.

    A mail has reached a person when it was `Delivered` and did not come back, or was opened, clicked, answered by a
    machine, or unsubscribed from. Plain servers never say "delivered"; so a mail that was `Accepted`, and had not come
    back five days later, is taken to have arrived.

    Anybody can send a bounce mail or a complaint. So what it says counts only where another source told of the same
    delivery to the same person, as the `Accepted` of our own server does: its id is known to nobody but whoever got
    that mail. That holds for a report with our signature too (``proven-bounce-mail``): it proves which mail it speaks
    of, and whoever got that one could still name somebody else in it.

    Raises:
        ConfigurationError: ``streams`` is one text.
    """
    return _Proofs.among(_believable(events)).strongest(streams, soft_limit)


@frozen
class _Proofs:
    """All that may forbid writing to a person, and is lifted by nothing; each kind by time."""

    complaints: list[Complained]
    unsubscribed: list[Unsubscribed]
    hard: list[Bounced]
    soft: list[Bounced]

    @classmethod
    def among(cls, told: list[Event]) -> "_Proofs":
        return cls(
            complaints=_of(Complained, told),
            unsubscribed=_standing(_of(Unsubscribed, told), told),
            hard=_standing([bounce for event in told if (bounce := _hard_bounce(event)) is not None], told),
            soft=_in_a_row(told),
        )

    def strongest(self, streams: Collection[str] | None, soft_limit: SoftLimit) -> Reason | None:
        if isinstance(streams, str):
            raise ConfigurationError(f"streams is one text, {streams!r}: give several, as in {{{streams!r}}}")
        return (
            _last(self.complaints)
            or _last([event for event in self.unsubscribed if _concerns(event, streams)])
            or _last(self.hard)
            or _too_many(self.soft, soft_limit)
        )


def _too_many(in_a_row: list[Bounced], limit: SoftLimit) -> Bounced | None:
    """The last of several soft bounces, if they are too many over too long a time."""
    if len(in_a_row) < limit.bounces or in_a_row[-1].about.at - in_a_row[0].about.at < limit.over:
        return None
    return in_a_row[-1]


def _in_a_row(told: list[Event]) -> list[Bounced]:
    """The soft bounces about the address since something last reached the person; the last of each day."""
    soft = [event for event in _of(Bounced, told) if event.kind is BounceKind.SOFT and event.cause in ABOUT_THE_ADDRESS]
    reached = _last(_reaching(told))
    if reached is not None:
        soft = [event for event in soft if event.about.at > reached.about.at]
    by_day = {_day(event): event for event in _standing(soft, told)}
    return list(by_day.values())


_TIME_TO_COME_BACK = timedelta(days=5)  # RFC 5321 section 4.5.4.1: for how long servers try, as a rule


def _reaching(told: list[Event]) -> list[Event]:
    """What shows that a mail reached the person, by time."""
    bounces = _of(Bounced, told)
    came_back = {bounce.about.delivery_id for bounce in bounces} | {
        drop.about.delivery_id for drop in _of(Dropped, told)
    }
    return [
        event
        for event in told
        if isinstance(event, _REACHED)
        or (
            isinstance(event, Delivered)
            and (event.about.delivery_id is None or event.about.delivery_id not in came_back)
        )
        or (
            isinstance(event, Accepted) and event.about.delivery_id not in came_back and _never_heard_of(event, bounces)
        )
    ]


_REACHED = (Opened, Clicked, AutoReplied, Unsubscribed)
"""What shows that a mail was there: a machine's opens and clicks too, since it had the mail."""


def _never_heard_of(taken: Accepted, bounces: list[Bounced]) -> bool:
    """Whether a mail had the time to come back, and no bounce can be its."""
    latest = taken.about.at + _TIME_TO_COME_BACK
    return (
        bool(bounces)
        and latest <= bounces[-1].about.at
        and not any(
            bounce.about.delivery_id is None and taken.about.at <= bounce.about.at <= latest for bounce in bounces
        )
    )


def _day(event: Event) -> date:
    return (EPOCH + (event.about.at - EPOCH)).date()


def _believable(events: Iterable[Event]) -> list[Event]:
    """Each event once, by time, without what nobody but a mail says."""
    told = _by_time(events)
    ours = {event.about.delivery_id for event in told if event.about.source not in _FROM_ANYBODY}
    return [event for event in told if _believed(event, ours)]


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


_FROM_ANYBODY = frozenset((BOUNCE_MAIL, PROVEN_BOUNCE_MAIL))
"""Sources whose words anybody may have written."""


def _believed(event: Event, ours: Collection[DeliveryId | None]) -> bool:
    about = event.about
    return about.source not in _FROM_ANYBODY or (about.delivery_id is not None and about.delivery_id in ours)


def _hard_bounce(event: Event) -> Bounced | None:
    """The hard bounce that an event is, or amounts to."""
    match event:
        case Bounced(kind=BounceKind.HARD):
            return event
        case Refused(reply=reply, at_step=Step.RCPT) if reply.enhanced.startswith("5.1."):
            verdict = kind_of(reply.enhanced)
            return Bounced(event.about, verdict, reply.text, reply.enhanced) if verdict is BounceKind.HARD else None
    return None
