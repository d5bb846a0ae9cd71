"""An archive and a journal in SQLite: one file, found again after a crash.

`SqliteArchive` and `SqliteJournal` may share a file, with any number of threads and processes beside them; each holds
one connection of its own, for one thread at a time. What a method has written when it returns survives a kill and a
loss of power (a write-ahead log, synced at each commit), as far as the disk keeps its word. The file and the ``-wal``
and ``-shm`` beside it belong together, on a local disk: write-ahead logs do not work over a network.
"""

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
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
from ..system import EPOCH, utc_now

R = TypeVar("R")

APPLICATION_ID = 0x43534D54  # "CSMT", in the file's header
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE copies (
    arrival INTEGER PRIMARY KEY,
    delivery_id TEXT NOT NULL UNIQUE,
    person TEXT NOT NULL,        -- the recipient as `recipient_key` writes it
    at INTEGER NOT NULL,         -- microseconds since 1970, UTC
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    campaign TEXT NOT NULL,
    packing TEXT NOT NULL,       -- 'none' or 'zlib'
    content BLOB NOT NULL
);
CREATE INDEX copies_by_person ON copies (person, at, arrival);
CREATE TABLE events (
    arrival INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    delivery_id TEXT,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    packing TEXT NOT NULL,
    content BLOB NOT NULL,       -- the event as `event_json` writes it
    UNIQUE (source, key)
);
CREATE INDEX events_by_delivery ON events (delivery_id, at, arrival);
CREATE INDEX events_by_person ON events (person, at, arrival);
CREATE TABLE erasures (
    person_hash BLOB NOT NULL,   -- SHA-256 of `person`
    copies INTEGER NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX erasures_by_person ON erasures (person_hash);
"""

ADVICE = {
    sqlite3.SQLITE_BUSY: "another connection holds its lock: give it more time, or end what holds it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: make its folder, and let this process write there",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore a backup",
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_IOERR: "the disk failed or is full: make room, or look at its log",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: give a path of its own",
    sqlite3.SQLITE_PERM: "this process may not use it: let it write to the file and its folder",
    sqlite3.SQLITE_READONLY: "it is read-only here: let this process write to the file and its folder",
}
"""What to do, by SQLite's primary result code."""

_MICROSECOND = timedelta(microseconds=1)
_MOST_ROWS = 2**63 - 1


@frozen
class Erasure:
    """The tombstone of a person's copies: that there were some, and when they were erased."""

    copies: int
    at: datetime = field(validator=aware)


class SqliteArchive:
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
        self._database = _Database(path, timeout)
        self._clock = clock

    def store(self, copy: Copy, /) -> None:
        """Keep it, so that it survives a crash. Storing an equal copy again changes nothing.

        Raises:
            ArchiveError: it could not be kept, or another copy stands under its delivery id.
        """
        row = _row_of_copy(copy)
        with self._database.change() as connection:
            if connection.execute(_STORE, row).rowcount:
                return
            kept = connection.execute(_GET, row[:1]).fetchall()
        if not _same(kept, row):
            raise ArchiveError(f"another copy stands under {copy.delivery_id!r}: give each mail an id of its own")

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        """What was made for this person, newest first, ``limit`` at most; of one moment, the later stored first."""
        asked = (_stored(recipient_key(recipient)), min(max(limit, 0), _MOST_ROWS))
        return _all_read(_copy, self._database.rows(_FIND, asked))

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        """One copy, or None."""
        return next(iter(_all_read(_copy, self._database.rows(_GET, (_stored(delivery_id),)))), None)

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

    def close(self) -> None:
        """Let go of the file; closing twice does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SqliteJournal:
    """Keeps events in a SQLite database (see `ports.Journal`).

    Args:
        path: the database's file; made where there is none.
        timeout: for how many seconds to wait while another connection writes.

    Raises:
        ConfigurationError: there is no file at such a path, ever.
        ArchiveError: the file is not ours, of a later version, or cannot be opened; the message says what to do.
    """

    def __init__(self, path: str | Path, *, timeout: float = 10) -> None:
        self._database = _Database(path, timeout)

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
        return _all_read(_event, self._database.rows(_OF_DELIVERY, (_stored(delivery_id),)))

    def of_recipient(self, recipient: str, /) -> list[Event]:
        """What happened with one person, by time; of one moment, in the order of arrival."""
        return _all_read(_event, self._database.rows(_OF_PERSON, (_stored(recipient_key(recipient)),)))

    def close(self) -> None:
        """Let go of the file; closing twice does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_STORE = "INSERT INTO copies VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (delivery_id) DO NOTHING"
_COPY = "SELECT delivery_id, person, at, recipient, subject, campaign, packing, content FROM copies"
_GET = f"{_COPY} WHERE delivery_id = ?"
_FIND = f"{_COPY} WHERE person = ? ORDER BY at DESC, arrival DESC LIMIT ?"
_RECORD = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, key) DO NOTHING"
_OF_DELIVERY = "SELECT packing, content FROM events WHERE delivery_id = ? ORDER BY at, arrival"
_OF_PERSON = "SELECT packing, content FROM events WHERE person = ? ORDER BY at, arrival"

_Stored = str | bytes
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


def _same(kept: list[tuple[Any, ...]], row: _CopyRow) -> bool:
    # Contents are compared unpacked: another build of zlib packs the same bytes otherwise.
    return _all_read(_copy, kept) == _all_read(_copy, [row])


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


def _moment(microseconds: int) -> datetime:
    return EPOCH + microseconds * _MICROSECOND


class _Database:
    """One file, and one connection to it that its threads take turns with.

    The file is looked at when this is made, but the connection stays open only from the first use on: a server may
    make its archive, then fork its workers, and SQLite forbids to carry a connection over a fork.
    """

    def __init__(self, path: str | Path, timeout: float) -> None:
        if not isinstance(timeout, int | float) or not 0 <= timeout <= 3600:
            raise ConfigurationError(f"timeout is {timeout!r}: use seconds from 0 to 3600")
        self._path = _a_file(path)
        self._timeout = timeout
        self._turn = Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._closed = False
        with self._our_errors():
            self._open().close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may write: all of it is kept, or nothing."""
        with self._held() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # some failures end it themselves
                    connection.execute("ROLLBACK")
                raise

    def rows(self, asked: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """What a question finds."""
        with self._held() as connection:
            return connection.execute(asked, values).fetchall()

    def empty_log(self) -> None:
        """Move the write-ahead log into the file and cut it to nothing, so that it holds no older state."""
        with self._held() as connection:
            [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise ArchiveError(
                f"erased, but another connection still reads an older state of {self._path}, so its log holds the "
                "bytes: erase once more when that has ended"
            )

    def close(self) -> None:
        """Let go of the file, unless the connection is another process's."""
        with self._turn:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
                self._connection = None
            self._closed = True

    @contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        if self._connection is not None and self._process != os.getpid():
            raise ArchiveError(
                f"{self._path} was in use when this process was forked, which SQLite forbids: make archives and "
                "journals after a fork, or close them before it"
            )
        with self._turn, self._our_errors():
            if self._closed:
                raise ArchiveError(f"{self._path} was closed: open it again")
            if self._connection is None:
                self._connection, self._process = self._open(), os.getpid()
            yield self._connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            self._make_ready(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_ready(self, connection: sqlite3.Connection) -> None:
        self._is_new(connection)  # before a word is written: the file may be somebody else's
        [(mode,)] = connection.execute("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise ArchiveError(f"{self._path} can have no write-ahead log: put it on a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        if not self._is_new(connection):
            return
        connection.execute("BEGIN IMMEDIATE")
        if self._is_new(connection):  # asked again, now that no other process can be making it too
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        [(application, version, tables)] = connection.execute(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
            "FROM pragma_application_id, pragma_user_version"
        )
        if (application, version, tables) == (0, 0, 0):
            return True
        if application != APPLICATION_ID:
            raise ArchiveError(f"{self._path} is another program's database: give a path of its own")
        if version > SCHEMA_VERSION:
            raise ArchiveError(
                f"{self._path} has format {version}; this version reads up to {SCHEMA_VERSION}: upgrade custom_smtp"
            )
        return False

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError) as error:  # overflow: a content of over 2 GiB
            advice = ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "see the cause")
            raise ArchiveError(f"{self._path}: {error} ({advice})") from error


def _a_file(path: str | Path) -> Path:
    text = path if isinstance(path, str) else str(path)
    if text == ":memory:":
        raise ConfigurationError("':memory:' is no file: use MemoryArchive and MemoryJournal, which need none")
    if not isinstance(path, str | Path) or not text or "\x00" in text:
        raise ConfigurationError(f"{path!r} is no path: write one such as 'mail.db'")
    return Path(path).absolute()  # the working directory may change before the file is opened again
