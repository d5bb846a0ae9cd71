"""An archive, a journal, a link table and what is owed to others in SQLite: one file, found again after a crash.

`SqliteArchive`, `SqliteJournal`, `SqliteLinkTable` and `SqliteOwedPosts` may share a file, with any number of threads
and processes beside them; each holds one connection of its own, for one thread at a time. What a method has written
when it returns survives a kill and a loss of power (a write-ahead log, synced at each commit), as far as the disk keeps
its word. The file and the ``-wal`` and ``-shm`` beside it belong together, on a local disk: write-ahead logs do not
work over a network.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from attrs import field, frozen

from ..addresses import recipient_key
from ..archive import Copy
from ..checks import aware
from ..errors import ArchiveError, ConfigurationError
from ..event_json import read_event, write_event
from ..events import Event
from ..identifiers import DeliveryId
from ..ports import Clock
from ..posts import Health, OwedPost, Standing
from ..system import EPOCH, utc_now
from ._database import Database

R = TypeVar("R")

_Stored = str | bytes  # see `_stored`

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_MOST_ROWS = 2**63 - 1


class _InFile:
    """What is kept in the file, over a connection of its own, and lets go of it at the end of a ``with``."""

    def __init__(self, path: str | Path, *, timeout: float = 10) -> None:
        self._database = Database(path, timeout)

    def close(self) -> None:
        """Let go of the file; closing twice does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# ---- copies ----------------------------------------------------------------------------------------------------------


@frozen
class Erasure:
    """The tombstone of a person's copies: that there were some, and when they were erased."""

    copies: int
    at: datetime = field(validator=aware)


class SqliteArchive(_InFile):
    """Keeps copies in a SQLite database (see `ports.Archive`).

    Args:
        path: the database's file; made where there is none.
        clock: says when something was erased.
        timeout: for how many seconds to wait while another connection writes.

    Raises:
        ConfigurationError: there is no file at such a path, ever.
        ArchiveError: the file is not ours, of a later version, or cannot be opened; the message says what to do.
    """

    def __init__(self, path: str | Path, *, clock: Clock = utc_now, timeout: float = 10) -> None:
        super().__init__(path, timeout=timeout)
        self._clock = clock

    def store(self, copy: Copy, /) -> None:
        """Keep it, so that it survives a crash. Storing an equal copy again changes nothing.

        Raises:
            ArchiveError: it could not be kept, or another copy stands under its delivery id.
        """
        self.store_all((copy,))

    def store_all(self, copies: Iterable[Copy], /) -> None:
        """Keep several in one transaction, so that the disk is waited for once: all of them, or none.

        Raises:
            ArchiveError: they could not be kept, or another copy stands under the delivery id of one.
        """
        rows = [_row_of_copy(copy) for copy in copies]  # packed before the file is locked
        if not rows:
            return
        with self._database.change() as connection:
            if connection.executemany(_STORE_COPY, rows).rowcount < len(rows):
                for row in rows:
                    _require_same(connection.execute(_COPY_OF_DELIVERY, row[:1]).fetchall(), row)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        """What was made for this person, newest first, ``limit`` at most; of one moment, the later stored first."""
        asked = (_stored(recipient_key(recipient)), min(max(limit, 0), _MOST_ROWS))
        return _all_read(_copy, self._database.rows(_COPIES_OF_PERSON, asked))

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        """One copy, or None."""
        return next(iter(_all_read(_copy, self._database.rows(_COPY_OF_DELIVERY, (_stored(delivery_id),)))), None)

    def erase(self, recipient: str, /) -> int:
        """Forget what was kept for this person; say how many copies that was.

        Their bytes are overwritten in the file and its log. What the disk itself and backups hold is beyond SQLite. A
        tombstone stays: the SHA-256 of the address, the count and the time.

        Raises:
            ArchiveError: it could not be erased; or it is, but somebody still reads an older state of the database, so
                that the log holds the bytes. Erase once more when they have finished.
        """
        person = _stored(recipient_key(recipient))
        at = _microseconds(self._clock())
        with self._database.change() as connection:
            erased = connection.execute("DELETE FROM copies WHERE person = ?", (person,)).rowcount
            if erased:
                connection.execute("INSERT INTO erasures VALUES (?, ?, ?)", (_hash(recipient), erased, at))
        self._database.empty_log()
        return erased

    def erasures(self, recipient: str, /) -> list[Erasure]:
        """When this person's copies were erased, and how many, oldest first."""
        asked = "SELECT copies, at FROM erasures WHERE person_hash = ? ORDER BY rowid"
        return _all_read(lambda row: Erasure(row[0], _moment(row[1])), self._database.rows(asked, (_hash(recipient),)))


_STORE_COPY = "INSERT INTO copies VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (delivery_id) DO NOTHING"
_COPIES = "SELECT delivery_id, person, at, recipient, subject, campaign, packing, content FROM copies"
_COPY_OF_DELIVERY = f"{_COPIES} WHERE delivery_id = ?"
_COPIES_OF_PERSON = f"{_COPIES} WHERE person = ? ORDER BY at DESC, arrival DESC LIMIT ?"

_CopyRow = tuple[_Stored, _Stored, int, _Stored, _Stored, _Stored, str, bytes]


def _row_of_copy(copy: Copy) -> _CopyRow:
    return (
        _stored(copy.delivery_id),
        _stored(recipient_key(copy.recipient)),
        _microseconds(copy.at),
        _stored(copy.recipient),
        _stored(copy.subject),
        _stored(copy.campaign),
        *_packed(copy.content),
    )


def _copy(row: tuple[Any, ...]) -> Copy:
    delivery_id, _person, at, recipient, subject, campaign, packing, content = row
    return Copy(
        delivery_id=DeliveryId(delivery_id),
        recipient=_text(recipient),
        at=_moment(at),
        content=_unpacked(packing, content),
        subject=_text(subject),
        campaign=_text(campaign),
    )


def _require_same(kept: list[tuple[Any, ...]], row: _CopyRow) -> None:
    [copy] = _all_read(_copy, [row])
    # Contents are compared unpacked: another build of zlib packs the same bytes otherwise.
    if _all_read(_copy, kept) != [copy]:
        raise ArchiveError(f"another copy stands under {copy.delivery_id!r}: give each mail an id of its own")


# ---- events ----------------------------------------------------------------------------------------------------------


class SqliteJournal(_InFile):
    """Keeps events in a SQLite database (see `ports.Journal`).

    Args:
        path: the database's file; made where there is none.
        timeout: for how many seconds to wait while another connection writes.

    Raises:
        ConfigurationError: there is no file at such a path, ever.
        ArchiveError: the file is not ours, of a later version, or cannot be opened; the message says what to do.
    """

    def record(self, event: Event, /) -> bool:
        """Keep the event, once for each source and key; say whether it was new.

        Raises:
            ArchiveError: it could not be kept.
        """
        row = _row_of_event(event)
        with self._database.change() as connection:
            return connection.execute(_RECORD, row).rowcount == 1

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        """What happened to one mail, by time; of one moment, in the order of arrival."""
        return _all_read(_event, self._database.rows(_EVENTS_OF_DELIVERY, (_stored(delivery_id),)))

    def of_recipient(self, recipient: str, /) -> list[Event]:
        """What happened with one person, by time; of one moment, in the order of arrival."""
        return _all_read(_event, self._database.rows(_EVENTS_OF_PERSON, (_stored(recipient_key(recipient)),)))

    def arrivals(self, after: int, /, *, limit: int) -> list[tuple[int, Event]]:
        """The first events behind this place, each with its place (see `ports.Arrivals`)."""
        asked = (max(after, 0), min(max(limit, 0), _MOST_ROWS))
        return _all_read(lambda row: (int(row[0]), _event(row[1:])), self._database.rows(_ARRIVALS, asked))

    def last_arrival(self) -> int:
        """The place of the latest event; 0 where there is none."""
        [(last,)] = self._database.rows("SELECT coalesce(max(arrival), 0) FROM events", ())
        return int(last)


_RECORD = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, key) DO NOTHING"
_EVENTS_OF_DELIVERY = "SELECT packing, content FROM events WHERE delivery_id = ? ORDER BY at, arrival"
_EVENTS_OF_PERSON = "SELECT packing, content FROM events WHERE person = ? ORDER BY at, arrival"
_ARRIVALS = "SELECT arrival, packing, content FROM events WHERE arrival > ? ORDER BY arrival LIMIT ?"


def _row_of_event(event: Event) -> tuple[object, ...]:
    about = event.about
    return (
        _stored(about.source),
        _stored(about.key),
        None if about.delivery_id is None else _stored(about.delivery_id),
        _stored(recipient_key(about.recipient)),
        _microseconds(about.at),
        *_packed(write_event(event).encode("utf-8", "surrogatepass")),
    )


def _event(row: tuple[Any, ...]) -> Event:
    packing, content = row
    return read_event(_unpacked(packing, content).decode("utf-8", "surrogatepass"))


# ---- links -----------------------------------------------------------------------------------------------------------


class SqliteLinkTable(_InFile):
    """Keeps what short tokens leave out in a SQLite database (see `ports.LinkTable`).

    Args:
        path: the database's file; made where there is none.
        clock: says on which day a link was issued.
        timeout: for how many seconds to wait while another connection writes.

    Raises:
        ConfigurationError: there is no file at such a path, ever.
        ArchiveError: the file is not ours, of a later version, or cannot be opened; the message says what to do.
    """

    def __init__(self, path: str | Path, *, clock: Clock = utc_now, timeout: float = 10) -> None:
        super().__init__(path, timeout=timeout)
        self._clock = clock

    def store(self, rests: Mapping[str, str], /) -> None:
        """Keep the rest of each token under the token, in one transaction: all of them, or none.

        Raises:
            ArchiveError: they could not be kept.
        """
        if not rests:
            return
        today = _day(self._clock())
        with self._database.change() as connection:
            connection.executemany(_STORE_LINK, [(token, rest, today) for token, rest in rests.items()])

    def find(self, token: str, /) -> str | None:
        """The rest of just this token, letter case and all; None if there is none."""
        found = self._database.rows("SELECT rest FROM links WHERE token = ?", (_stored(token),))
        return next((str(rest) for (rest,) in found), None)

    def erase(self, before: datetime, /) -> int:
        """Drop the links that were last issued before this day (UTC); say how many. They lead nowhere from then on.

        Raises:
            ConfigurationError: the moment has no time zone.
            ArchiveError: they could not be erased.
        """
        if before.utcoffset() is None:
            raise ConfigurationError(f"before is {before!r}, with no time zone: use datetime.now(UTC)")
        with self._database.change() as connection:
            return connection.execute("DELETE FROM links WHERE day < ?", (_day(before),)).rowcount


_STORE_LINK = (
    "INSERT INTO links VALUES (NULL, ?, ?, ?) "
    "ON CONFLICT (token) DO UPDATE SET day = excluded.day WHERE day < excluded.day"
)


# ---- owed posts ------------------------------------------------------------------------------------------------------


class SqliteOwedPosts(_InFile):
    """Keeps what destinations are owed in a SQLite database (see `ports.OwedPosts`), as that of the journal itself.

    Args:
        path: the database's file; made where there is none.
        timeout: for how many seconds to wait while another connection writes.

    Raises:
        ConfigurationError: there is no file at such a path, ever.
        ArchiveError: the file is not ours, of a later version, or cannot be opened; the message says what to do.
    """

    def standing(self, destination: str, /) -> Standing:
        """How far it is; the beginning, for one that is not known."""
        name = _stored(destination)
        [counted] = self._database.rows(_COUNT_OWED, (name,))
        known = self._database.rows(_STANDING, (name,)) or [(0, 0, None, 0)]
        return _all_read(lambda row: _standing(row, counted), known)[0]

    def owe(self, destination: str, /, *, since: int, up_to: int, places: Sequence[int], due: datetime) -> bool:
        """Go on from one place to another, and owe it these on the way, in one transaction.

        False, and nothing done, where it is not at ``since`` any more: another worker was quicker.
        """
        name, when = _stored(destination), _microseconds(due)
        with self._database.change() as connection:
            connection.execute(_ADD_DESTINATION, (name,))
            moved = connection.execute(_ADVANCE, (up_to, name, since)).rowcount == 1
            if moved:
                connection.executemany(_OWE, [(name, place, when, 0) for place in places])
        return moved

    def claim(self, destination: str, /, *, at: datetime, until: datetime, limit: int) -> list[OwedPost]:
        """The first that are due at this moment. Nobody else is given them until ``until``."""
        name = _stored(destination)
        asked = (name, _microseconds(at), min(max(limit, 0), _MOST_ROWS))
        with self._database.change() as connection:
            due = connection.execute(_DUE, asked).fetchall()
            connection.executemany(_HOLD, [(_microseconds(until), name, place) for place, _, _ in due])
        return _all_read(lambda row: OwedPost(row[0], row[1], _moment(row[2])), due)

    def settle(self, destination: str, owed: OwedPost, /, *, paid: bool, health: Health) -> None:
        """Forget one that is paid, or keep it as it is now; and keep how the destination is doing.

        One that another worker's post paid meanwhile stays forgotten.
        """
        name = _stored(destination)
        due, rests = (None if at is None else _microseconds(at) for at in (owed.due, health.rests_until))
        with self._database.change() as connection:
            connection.execute(_ADD_DESTINATION, (name,))
            connection.execute(_KEEP_HEALTH, (health.failures, rests, health.stopped, name))
            if paid:
                connection.execute("DELETE FROM owed_posts WHERE destination = ? AND place = ?", (name, owed.place))
            else:
                connection.execute(_TRIED, (due, owed.attempts, name, owed.place))

    def again(self, destination: str, /, *, due: datetime) -> int:
        """Owe what was given up anew, and take the destination for a healthy one. Say how many those were."""
        name = _stored(destination)
        with self._database.change() as connection:
            connection.execute(_KEEP_HEALTH, (0, None, False, name))
            return connection.execute(_AGAIN, (_microseconds(due), name)).rowcount


_ADD_DESTINATION = "INSERT INTO destinations VALUES (?, 0, 0, NULL, 0) ON CONFLICT (name) DO NOTHING"
_STANDING = "SELECT reached, failures, rests_until, stopped FROM destinations WHERE name = ?"
_COUNT_OWED = "SELECT count(due), count(*) - count(due) FROM owed_posts WHERE destination = ?"
_ADVANCE = "UPDATE destinations SET reached = ? WHERE name = ? AND reached = ?"
_OWE = (
    "INSERT INTO owed_posts VALUES (?, ?, ?, ?) "
    "ON CONFLICT (destination, place) DO UPDATE SET due = excluded.due, attempts = excluded.attempts"
)
_DUE = "SELECT place, attempts, due FROM owed_posts WHERE destination = ? AND due <= ? ORDER BY due, place LIMIT ?"
_TRIED = "UPDATE owed_posts SET due = ?, attempts = ? WHERE destination = ? AND place = ?"
_HOLD = "UPDATE owed_posts SET due = ? WHERE destination = ? AND place = ?"
_KEEP_HEALTH = "UPDATE destinations SET failures = ?, rests_until = ?, stopped = ? WHERE name = ?"
_AGAIN = "UPDATE owed_posts SET due = ?, attempts = 0 WHERE destination = ? AND due IS NULL"


def _standing(row: tuple[Any, ...], counted: tuple[Any, ...]) -> Standing:
    reached, failures, rests_until, stopped = row
    owed, given_up = counted
    rests = None if rests_until is None else _moment(rests_until)
    health = Health(failures=failures, rests_until=rests, stopped=bool(stopped))
    return Standing(reached=reached, owed=owed, given_up=given_up, health=health)


# ---- rows, and the values in them ------------------------------------------------------------------------------------


def _all_read(read: Callable[[tuple[Any, ...]], R], rows: Iterable[tuple[Any, ...]]) -> list[R]:
    try:
        return [read(row) for row in rows]
    except (ValueError, TypeError, LookupError, OverflowError, zlib.error) as error:
        raise ArchiveError(
            f"the database holds a row that is not what was written ({error}): restore a backup"
        ) from error


_WORTH_PACKING = 512


def _packed(content: bytes) -> tuple[str, bytes]:
    # What is short stays readable with any tool. The fastest level: the next ones gain a fifteenth for twice the time.
    packed = zlib.compress(content, 1) if len(content) >= _WORTH_PACKING else content
    return ("zlib", packed) if len(packed) < len(content) else ("none", content)


_UNPACK: dict[str, Callable[[bytes], bytes]] = {"none": bytes, "zlib": zlib.decompress}


def _unpacked(packing: str, content: bytes) -> bytes:
    return _UNPACK[packing](content)


def _stored(text: str) -> _Stored:
    """Text as SQLite takes it: half a surrogate pair has no UTF-8, so text with one is stored as bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return str(text)


def _text(stored: _Stored) -> str:
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def _hash(recipient: str) -> bytes:
    return hashlib.sha256(recipient_key(recipient).encode("utf-8", "surrogatepass")).digest()


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def _day(at: datetime) -> int:
    return (at - EPOCH) // _DAY


def _moment(microseconds: int) -> datetime:
    return EPOCH + microseconds * _MICROSECOND
