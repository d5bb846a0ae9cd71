"""Webhooks out: events forwarded to an application's own URLs, and posted again until they are taken.

The queue is the journal itself. For each destination a store keeps how far in the journal it is, and which events on
the way are still owed; so an event that is in the journal is posted at least once, whatever breaks in between, and
twice only where the first answer was lost: the receiver tells by the id, which stays. A destination that fails is left
alone for a while, and holds up no other. What is posted is made in `custom_smtp.webhooks_out`.

Nothing here waits or posts by itself: a worker calls `Forwarding.forward` over and over, or drives `Forwarding.due` and
`Forwarding.settle` itself.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .checks import ConfigurationError, above_zero, shown
from .ports import Arrivals, Clock, Destination, OwedPosts, Posts
from .posts import Health, OwedPost, Post, Posted, Standing

SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long after each failed try an event is posted again: the example of Standard Webhooks, "Deliverability and
reliability", which ends after three days. Up to a tenth is added to each, so that what failed together does not come
back together."""

RESTS = (
    timedelta(0),
    timedelta(0),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(minutes=30),
    timedelta(hours=1),
)
"""How long a destination is left alone after so many failures in a row; the last for all further ones. One event that
it stumbles over does not make it rest, so that the others get through. After a rest a single event is tried first."""

_LONGEST_REST = timedelta(hours=24)
_AT_ONCE = 500


def _several(destinations: Iterable[Destination]) -> tuple[Destination, ...]:
    return tuple(destinations)


def _apart(_instance: object, _attribute: "Attribute[Any]", destinations: tuple[Destination, ...]) -> None:
    names = [destination.name for destination in destinations]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigurationError(f"two destinations are called {min(twice)!r}: give each a name of its own")


def _a_time(_instance: object, attribute: "Attribute[Any]", time: timedelta) -> None:
    if not isinstance(time, timedelta) or time <= timedelta(0):
        raise ConfigurationError(f"{attribute.name} is {time!r}: use a timedelta above 0")


def _waits(waits: Iterable[timedelta]) -> tuple[timedelta, ...]:
    return tuple(waits)


@frozen(kw_only=True)
class Due:
    """One post that is due now.

    Attributes:
        destination: whose.
        owed: the event's place, and how often it was tried before.
        post: what to post, signed for now: settle it before long, or leave it to be due again.
    """

    destination: str
    owed: OwedPost
    post: Post


@frozen(kw_only=True)
class Settled:
    """How things stand when a post is settled.

    Attributes:
        owed: the event, as it is owed now; of one that was taken, as it was.
        well: whether the destination may be posted to at once again.
    """

    owed: OwedPost
    well: bool


@frozen(kw_only=True)
class Forwarded:
    """What one round of `Forwarding.forward` came to.

    Attributes:
        taken: posts that were taken.
        failed: posts that were not, and are tried again later.
        given_up: posts that were not taken after many tries: `Forwarding.again` tries them once more.
    """

    taken: int = 0
    failed: int = 0
    given_up: int = 0


@frozen
class Forwarding:
    """Forwards what a journal holds.

    Several workers may share it: each is given events of its own for as long as ``lease``.

    Attributes:
        journal: what is forwarded, all of it: see `skip_history`.
        owed: keeps what is still to be forwarded; in the same place as the journal, or in one as safe.
        destinations: where to.
        schedule: how long after each failed try an event is posted again; when it ends, the event is given up.
        batch: how many posts of one destination are due at once.
        most_owed: how many events are noted as owed to one destination. Beyond them the journal alone knows, and
            nothing is lost either.
        lease: for how long nobody else is given what is due. A worker that is killed loses its posts so late.

    Raises:
        ConfigurationError: two destinations have one name, or a number cannot be.
    """

    journal: Arrivals
    owed: OwedPosts
    destinations: tuple[Destination, ...] = field(converter=_several, validator=_apart)
    schedule: tuple[timedelta, ...] = field(default=SCHEDULE, converter=_waits, kw_only=True)
    batch: int = field(default=20, validator=above_zero, kw_only=True)
    most_owed: int = field(default=10_000, validator=above_zero, kw_only=True)
    lease: timedelta = field(default=timedelta(minutes=15), validator=_a_time, kw_only=True)

    def forward(self, posts: Posts, clock: Clock, /, *, only: str | None = None) -> Forwarded:
        """Post one batch for each destination that is well, or for ``only`` one of them.

        A worker calls this over and over, and waits for a moment whenever nothing was taken. Where a slow destination
        must not slow others down, each has a worker of its own.

        Raises:
            ConfigurationError: there is no such destination.
            ArchiveError: the journal or the store failed. What was posted may be posted again.
        """
        counts = {"taken": 0, "failed": 0, "given_up": 0}
        for destination in self._asked(only):
            well = True
            for due in self.due(clock(), only=destination.name):
                if not well:
                    self.settle(due, None, clock())
                    continue
                posted = posts.post(due.post)
                settled = self.settle(due, posted, clock())
                well = settled.well
                counts["taken" if posted.taken else "failed" if settled.owed.due else "given_up"] += 1
        return Forwarded(**counts)

    def due(self, at: datetime, /, *, only: str | None = None) -> list[Due]:
        """The posts that are due: a batch for each destination that is well. `settle` each of them.

        Raises:
            ConfigurationError: there is no such destination.
            ArchiveError: the journal or the store failed.
        """
        return [due for destination in self._asked(only) for due in self._due_to(destination, at)]

    def settle(self, due: Due, posted: Posted | None, at: datetime, /) -> Settled:
        """Keep what came of a post; None where it was not tried after all.

        Raises:
            ArchiveError: it could not be kept: the event will be posted again.
        """
        before = self.owed.standing(due.destination).health
        if posted is None:
            owed, health = evolve(due.owed, due=at), before
        elif posted.taken:
            owed, health = due.owed, Health()
        elif posted.unwanted:
            owed, health = evolve(due.owed, due=at), evolve(before, stopped=True)
        else:
            owed, health = self._later(due, posted, at), _resting(before, posted, at)
        self.owed.settle(due.destination, owed, paid=posted is not None and posted.taken, health=health)
        return Settled(owed=owed, well=health.well_at(at))

    def standing(self, destination: str, /) -> Standing:
        """How far a destination is, and how it is doing.

        Raises:
            ConfigurationError: there is no such destination.
        """
        return self.owed.standing(self._asked(destination)[0].name)

    def again(self, destination: str, at: datetime, /) -> int:
        """Try again what was given up, and begin again with a destination that rests or wanted nothing any more.

        Returns:
            How many events had been given up.

        Raises:
            ConfigurationError: there is no such destination.
        """
        return self.owed.again(self._asked(destination)[0].name, due=at)

    def skip_history(self, destination: str, at: datetime, /) -> None:
        """Forward to a new destination only what is recorded from now on.

        Raises:
            ConfigurationError: there is no such destination.
        """
        name = self._asked(destination)[0].name
        reached, last = self.owed.standing(name).reached, self.journal.last_arrival()
        if last > reached:
            self.owed.owe(name, since=reached, up_to=last, places=(), due=at)

    def _asked(self, name: str | None) -> Sequence[Destination]:
        if name is None:
            return self.destinations
        found = [destination for destination in self.destinations if destination.name == name]
        if not found:
            known = ", ".join(destination.name for destination in self.destinations)
            raise ConfigurationError(f"there is no destination {shown(name)}: there is {known or 'none'}")
        return found

    def _due_to(self, destination: Destination, at: datetime) -> list[Due]:
        standing = self.owed.standing(destination.name)
        self._take_over(destination, standing, at)
        health = standing.health
        if not health.well_at(at):
            return []
        limit = self.batch if _rest(health.failures) == timedelta(0) else 1
        claimed = self.owed.claim(destination.name, at=at, until=at + self.lease, limit=limit)
        return [due for owed in claimed if (due := self._made(destination, owed, health, at)) is not None]

    def _take_over(self, destination: Destination, standing: Standing, at: datetime) -> None:
        """Note as owed what the journal holds beyond the place that was reached."""
        room = min(self.most_owed - standing.owed, _AT_ONCE)
        if room <= 0:
            return
        if come := self.journal.arrivals(standing.reached, limit=room):
            places = [place for place, event in come if destination.wants(event)]
            self.owed.owe(destination.name, since=standing.reached, up_to=come[-1][0], places=places, due=at)

    def _made(self, destination: Destination, owed: OwedPost, health: Health, at: datetime) -> Due | None:
        for place, event in self.journal.arrivals(owed.place - 1, limit=1):
            if place == owed.place and destination.wants(event):
                return Due(destination=destination.name, owed=owed, post=destination.post(event, at))
        # It was erased meanwhile, or is not wanted any more.
        self.owed.settle(destination.name, owed, paid=True, health=health)
        return None

    def _later(self, due: Due, posted: Posted, at: datetime) -> OwedPost:
        tried = due.owed.attempts
        if tried >= len(self.schedule):
            return OwedPost(due.owed.place, tried + 1, None)
        wait = max(self.schedule[tried], _asked_for(posted))
        return OwedPost(due.owed.place, tried + 1, at + wait + wait * _spread(due))


def _spread(due: Due) -> float:
    """Between 0 and a tenth, as if by chance, and the same each time it is asked."""
    told = f"{due.destination} {due.owed.place} {due.owed.attempts}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()[0] / 2560


def _resting(before: Health, posted: Posted, at: datetime) -> Health:
    failures = before.failures + 1
    rest = max(_rest(failures), _asked_for(posted))
    return Health(failures=failures, rests_until=at + rest if rest else None)


def _rest(failures: int) -> timedelta:
    return RESTS[min(failures, len(RESTS)) - 1] if failures else timedelta(0)


def _asked_for(posted: Posted) -> timedelta:
    return min(posted.retry_after or timedelta(0), _LONGEST_REST)
