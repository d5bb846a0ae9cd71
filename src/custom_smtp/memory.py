"""An archive, a journal and a link table in memory: what the ports mean, in the fewest lines, for trials and tests.

They keep nothing over a restart and look through everything on each question; `custom_smtp.edge.sqlite` does neither.
Each change is one step of one dict, whose keys are plain text, so that threads may share them without a lock.
"""

from collections.abc import Mapping
from datetime import timedelta

from .addresses import recipient_key
from .archive import Copy
from .errors import ArchiveError
from .events import Event
from .identifiers import DeliveryId
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
        if self._copies.setdefault(copy.delivery_id, copy) != copy:
            raise ArchiveError(f"another copy stands under {copy.delivery_id!r}: give each mail an id of its own")

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

    def _events(self) -> list[Event]:
        return [event for [event] in list(self._pages.values())]


class MemoryLinkTable:
    """Keeps what short tokens leave out for as long as the program runs (see `ports.LinkTable`)."""

    def __init__(self) -> None:
        self._rests: dict[str, str] = {}

    def store(self, rests: Mapping[str, str], /) -> None:
        """Keep the rest of each token under the token."""
        self._rests.update(rests)

    def find(self, token: str, /) -> str | None:
        """The rest of just this token, letter case and all; None if there is none."""
        return self._rests.get(token)


def _made(copy: Copy) -> timedelta:
    return copy.at - EPOCH


def _happened(event: Event) -> timedelta:
    return event.about.at - EPOCH
