"""The file that archive, journal, link table and owed posts share: its tables, its connection, its errors as ours."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import ArchiveError, ConfigurationError

APPLICATION_ID = 0x43534D54  # "CSMT", in the file's header

FIRST_FORMAT = """
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

SECOND_FORMAT = """
CREATE TABLE links (
    arrival INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    rest TEXT NOT NULL,          -- what the token leaves out, sealed
    day INTEGER NOT NULL         -- of the latest issue: days since 1970, UTC
);
"""

THIRD_FORMAT = """
CREATE TABLE destinations (
    name TEXT PRIMARY KEY,
    reached INTEGER NOT NULL,    -- the arrival of the last event that was looked at for it
    failures INTEGER NOT NULL,
    rests_until INTEGER,
    stopped INTEGER NOT NULL
);
CREATE TABLE owed_posts (
    destination TEXT NOT NULL,
    place INTEGER NOT NULL,      -- the event's arrival
    due INTEGER,                 -- NULL: given up
    attempts INTEGER NOT NULL,
    PRIMARY KEY (destination, place)
);
CREATE INDEX owed_posts_by_due ON owed_posts (destination, due, place);
"""

FORMATS = (FIRST_FORMAT, SECOND_FORMAT, THIRD_FORMAT)
"""What each format of the file adds to the one before; the last one is written."""

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


class Database:
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
                f"{self._path} was in use when this process was forked, which SQLite forbids: make archives, "
                "journals and link tables after a fork, or close them before it"
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
        self._format(connection)  # before a word is written: the file may be somebody else's
        [(mode,)] = connection.execute("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise ArchiveError(f"{self._path} can have no write-ahead log: put it on a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        if self._format(connection) == len(FORMATS):
            return
        connection.execute("BEGIN IMMEDIATE")
        for missing in FORMATS[self._format(connection) :]:  # asked again: another process may just have made it
            for statement in missing.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(FORMATS)}")
        connection.execute("COMMIT")

    def _format(self, connection: sqlite3.Connection) -> int:
        """Which of our formats the file has; 0 for an empty one."""
        [(application, version, tables)] = connection.execute(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
            "FROM pragma_application_id, pragma_user_version"
        )
        if (application, version, tables) == (0, 0, 0):
            return 0
        if application != APPLICATION_ID:
            raise ArchiveError(f"{self._path} is another program's database: give a path of its own")
        if version > len(FORMATS):
            raise ArchiveError(
                f"{self._path} has format {version}; this version reads up to {len(FORMATS)}: upgrade custom_smtp"
            )
        return int(version)

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
        raise ConfigurationError(
            "':memory:' is no file: use MemoryArchive, MemoryJournal or MemoryLinkTable, which need none"
        )
    if not isinstance(path, str | Path) or not text or "\x00" in text:
        raise ConfigurationError(f"{path!r} is no path: write one such as 'mail.db'")
    return Path(path).absolute()  # the working directory may change before the file is opened again
