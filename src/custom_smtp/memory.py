"""An archive, a journal, a link table and a list of owed posts in memory: what the ports mean, in the fewest lines.

For trials and tests: they keep nothing over a restart and look through everything on each question;
`custom_smtp.edge.sqlite` does neither. Each change of the first three is one step of one dict, whose keys are plain
text, so that threads may share them without a lock.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from attrs import evolve

from .addresses import recipient_key
from .archive import Copy
from .errors import ArchiveError
from .events import Event
from .identifiers import DeliveryId
from .posts import Health, OwedPost, Standing
from .system import EPOCH


class MemoryArchive:
    """Keeps copies for as long as the program runs (see `ports.Archive`)."""

    def __init__(self) -> None:
        self._copies: dict[DeliveryId, Copy] = {}

    def store(self, copy: Copy, /) -> None:
        """Keep it. Storing an equal copy again changes nothing.

        Raises:
            ArchiveError: another copy stands under its delivery id.
        """
        self.store_all((copy,))

    def store_all(self, copies: Iterable[Copy], /) -> None:
        """Keep several: all of them, or none.

        Raises:
            ArchiveError: another copy stands under the delivery id of one.
        """
        fresh: dict[DeliveryId, Copy] = {}
        kept = ChainMap(fresh, self._copies)
        for copy in copies:
            _require_same(kept.setdefault(copy.delivery_id, copy), copy)
        for copy in fresh.values():
            # Another thread may have come in between; what it has kept is never replaced.
            _require_same(self._copies.setdefault(copy.delivery_id, copy), copy)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        """What was made for this person, newest first, ``limit`` at most; of one moment, the later stored first."""
        oldest_first = sorted(self._of(recipient), key=_made)
        return oldest_first[::-1][: max(limit, 0)]

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        """One copy, or None."""
        return self._copies.get(delivery_id)

    def erase(self, recipient: str, /) -> int:
        """Forget what was kept for this person; say how many copies that was."""
        gone = [self._copies.pop(copy.delivery_id, None) for copy in self._of(recipient)]
        return len(gone) - gone.count(None)

    def _of(self, recipient: str) -> list[Copy]:
        person = recipient_key(recipient)
        return [copy for copy in list(self._copies.values()) if recipient_key(copy.recipient) == person]


class MemoryJournal:
    """Keeps events for as long as the program runs (see `ports.Journal`)."""

    waits = False
    """See `ports.waits`."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str], list[Event]] = {}

    def record(self, event: Event, /) -> bool:
        """Keep the event, once for each source and key; say whether it was new."""
        page = [event]
        # A fresh list tells our own page from an equal one, and even from one that holds this very event.
        return self._pages.setdefault((event.about.source, event.about.key), page) is page

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        """What happened to one mail, by time; of one moment, in the order of arrival."""
        return sorted((event for event in self._events() if event.about.delivery_id == delivery_id), key=_happened)

    def of_recipient(self, recipient: str, /) -> list[Event]:
        """What happened with one person, by time; of one moment, in the order of arrival."""
        person = recipient_key(recipient)
        return sorted(
            (event for event in self._events() if recipient_key(event.about.recipient) == person), key=_happened
        )

    def arrivals(self, after: int, /, *, limit: int) -> list[tuple[int, Event]]:
        """The first events behind this place, each with its place (see `ports.Arrivals`)."""
        there = list(islice(enumerate(self._events(), 1), max(after, 0), None))
        return there[: max(limit, 0)]

    def last_arrival(self) -> int:
        """The place of the latest event; 0 where there is none."""
        return len(self._pages)

    def _events(self) -> list[Event]:
        return [event for [event] in list(self._pages.values())]


class MemoryLinkTable:
    """Keeps what short tokens leave out for as long as the program runs (see `ports.LinkTable`)."""

    waits = False
    """See `ports.waits`."""

    def __init__(self) -> None:
        self._rests: dict[str, str] = {}

    def store(self, rests: Mapping[str, str], /) -> None:
        """Keep the rest of each token under the token."""
        self._rests.update(rests)

    def find(self, token: str, /) -> str | None:
        """The rest of just this token, letter case and all; None if there is none."""
        return self._rests.get(token)


def _require_same(kept: Copy, copy: Copy) -> None:
    if kept != copy:
        raise ArchiveError(f"another copy stands under {copy.delivery_id!r}: give each mail an id of its own")


class MemoryOwedPosts:
    """Keeps what is owed for as long as the program runs (see `ports.OwedPosts`); for one thread at a time."""

    def __init__(self) -> None:
        self._reached: dict[str, int] = {}
        self._health: dict[str, Health] = {}
        self._owed: dict[str, dict[int, OwedPost]] = {}

    def standing(self, destination: str, /) -> Standing:
        """How far it is; the beginning, for one that is not known."""
        owed = self._of(destination).values()
        given_up = sum(one.due is None for one in owed)
        return Standing(
            reached=self._reached.get(destination, 0),
            owed=len(owed) - given_up,
            given_up=given_up,
            health=self._health.get(destination, Health()),
        )

    def owe(self, destination: str, /, *, since: int, up_to: int, places: Sequence[int], due: datetime) -> bool:
        """Go on from one place to another, and owe it these on the way."""
        if self._reached.get(destination, 0) != since:
            return False
        self._of(destination).update({place: OwedPost(place, 0, due) for place in places})
        self._reached[destination] = up_to
        return True

    def claim(self, destination: str, /, *, at: datetime, until: datetime, limit: int) -> list[OwedPost]:
        """The first that are due at this moment. Nobody else is given them until ``until``."""
        due = [(one.due - EPOCH, one.place, one) for one in self._of(destination).values() if one.due is not None]
        claimed = [one for when, _, one in sorted(due, key=_when) if when <= at - EPOCH][: max(limit, 0)]
        self._of(destination).update({one.place: evolve(one, due=until) for one in claimed})
        return claimed

    def settle(self, destination: str, owed: OwedPost, /, *, paid: bool, health: Health) -> None:
        """Forget one that is paid, or keep it as it is now; and keep how the destination is doing.

        One that another worker's post paid meanwhile stays forgotten.
        """
        self._health[destination] = health
        if paid:
            self._of(destination).pop(owed.place, None)
        elif owed.place in self._of(destination):
            self._of(destination)[owed.place] = owed

    def again(self, destination: str, /, *, due: datetime) -> int:
        """Owe what was given up anew, and take the destination for a healthy one."""
        given_up = [one for one in self._of(destination).values() if one.due is None]
        self._of(destination).update({one.place: OwedPost(one.place, 0, due) for one in given_up})
        self._health.pop(destination, None)
        return len(given_up)

    def _of(self, destination: str) -> dict[int, OwedPost]:
        return self._owed.setdefault(destination, {})


def _when(due: tuple[timedelta, int, OwedPost]) -> tuple[timedelta, int]:
    return due[:2]


def _made(copy: Copy) -> timedelta:
    return copy.at - EPOCH


def _happened(event: Event) -> timedelta:
    return event.about.at - EPOCH
