"""The archive, the journal, the link table and the owed posts in SQLite."""

import os
import random
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Tokens
from custom_smtp.claims import Claim
from custom_smtp.edge.sqlite import Erasure, SqliteArchive, SqliteJournal, SqliteLinkTable, SqliteOwedPosts
from custom_smtp.errors import ArchiveError, ConfigurationError
from custom_smtp.events import Delivered
from custom_smtp.identifiers import DeliveryId
from custom_smtp.ports import Archive, Arrivals, Journal, LinkTable, OwedPosts
from custom_smtp.posts import Health, OwedPost, Standing
from custom_smtp.short_tokens import ShortTokens
from custom_smtp.testing import FrozenClock

from .keeping_contract import (
    NOON,
    ArchiveContract,
    ArrivalsContract,
    JournalContract,
    LinkTableContract,
    OwedPostsContract,
    a_copy,
    about,
)

OUR_MARK = 0x43534D54
SECRET = b"a secret of Ada's, in clear"


class TestSqliteArchive(ArchiveContract):
    @contextmanager
    def fresh(self) -> Iterator[Archive]:
        with TemporaryDirectory() as folder, SqliteArchive(Path(folder, "mail.db")) as archive:
            yield archive


class TestSqliteJournal(JournalContract):
    @contextmanager
    def fresh(self) -> Iterator[Journal]:
        with TemporaryDirectory() as folder, SqliteJournal(Path(folder, "mail.db")) as journal:
            yield journal


class TestSqliteLinkTable(LinkTableContract):
    @contextmanager
    def fresh(self) -> Iterator[LinkTable]:
        with TemporaryDirectory() as folder, SqliteLinkTable(Path(folder, "mail.db")) as table:
            yield table


class TestSqliteArrivals(ArrivalsContract):
    @contextmanager
    def fresh_arrivals(self) -> Iterator[tuple[Journal, Arrivals]]:
        with TemporaryDirectory() as folder, SqliteJournal(Path(folder, "mail.db")) as journal:
            yield journal, journal


class TestSqliteOwedPosts(OwedPostsContract):
    @contextmanager
    def fresh(self) -> Iterator[OwedPosts]:
        with TemporaryDirectory() as folder, SqliteOwedPosts(Path(folder, "mail.db")) as owed:
            yield owed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mail.db"


def test_archive_and_journal_share_a_file_and_find_it_again(path: Path) -> None:
    with SqliteArchive(path) as archive, SqliteJournal(str(path)) as journal:
        archive.store(a_copy("d1"))
        journal.record(Delivered(about("k1")))
    with SqliteArchive(path) as archive, SqliteJournal(path) as journal:
        assert archive.find("ada@example.net") == [a_copy("d1")]
        assert journal.of_delivery(DeliveryId("d1")) == [Delivered(about("k1"))]
        assert not journal.record(Delivered(about("k1")))


def asked(path: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def changed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_the_file_keeps_a_write_ahead_log_and_says_whose_it_is(path: Path) -> None:
    SqliteArchive(path).close()
    assert asked(path, "PRAGMA journal_mode") == [("wal",)]
    assert asked(path, "PRAGMA application_id") == [(OUR_MARK,)]
    assert asked(path, "PRAGMA user_version") == [(3,)]


def test_each_commit_is_synced(path: Path) -> None:
    with SqliteArchive(path) as archive:
        assert archive._database.rows("PRAGMA synchronous", ()) == [(2,)]
        assert archive._database.rows("PRAGMA secure_delete", ()) == [(1,)]


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM copies WHERE person = 'x' ORDER BY at DESC, arrival DESC",
        "SELECT * FROM copies WHERE delivery_id = 'x'",
        "SELECT * FROM events WHERE person = 'x' ORDER BY at, arrival",
        "SELECT * FROM events WHERE delivery_id = 'x' ORDER BY at, arrival",
        "SELECT rest FROM links WHERE token = 'x'",
    ],
)
def test_every_question_has_its_index(path: Path, question: str) -> None:
    SqliteArchive(path).close()
    plan = " ".join(str(row[3]) for row in asked(path, f"EXPLAIN QUERY PLAN {question}"))
    assert "USING INDEX" in plan
    assert "SORT" not in plan
    assert "TEMP" not in plan


def test_a_file_of_the_first_format_is_brought_up_to_date_with_all_it_holds(path: Path) -> None:
    with SqliteArchive(path) as archive:
        archive.store(a_copy("d1"))
    for name in ("links", "destinations", "owed_posts"):
        changed(path, f"DROP TABLE {name}")
    changed(path, "PRAGMA user_version = 1")
    with SqliteLinkTable(path) as table, SqliteArchive(path) as archive:
        table.store({"token": "rest"})
        assert table.find("token") == "rest"
        assert archive.find("ada@example.net") == [a_copy("d1")]
    assert asked(path, "PRAGMA user_version") == [(3,)]


def test_a_file_of_the_second_format_is_brought_up_to_date_too(path: Path) -> None:
    with SqliteLinkTable(path) as table:
        table.store({"token": "rest"})
    for name in ("destinations", "owed_posts"):
        changed(path, f"DROP TABLE {name}")
    changed(path, "PRAGMA user_version = 2")
    with SqliteOwedPosts(path) as owed, SqliteLinkTable(path) as table:
        assert owed.owe("crm", since=0, up_to=1, places=[1], due=NOON)
        assert table.find("token") == "rest"


def test_what_is_owed_is_found_again(path: Path) -> None:
    with SqliteOwedPosts(path) as owed:
        owed.owe("crm", since=0, up_to=3, places=[1, 3], due=NOON)
        owed.settle("crm", OwedPost(1, 2, None), paid=False, health=Health(failures=1))
        owed.close()
        with pytest.raises(ArchiveError, match="closed"):
            owed.standing("crm")
    with SqliteOwedPosts(path) as owed:
        assert owed.standing("crm") == Standing(reached=3, owed=1, given_up=1, health=Health(failures=1))


def test_of_two_workers_one_goes_on_and_the_other_sees_it(path: Path) -> None:
    with SqliteOwedPosts(path) as one, SqliteOwedPosts(path) as other:
        assert one.owe("crm", since=0, up_to=2, places=[1, 2], due=NOON)
        assert not other.owe("crm", since=0, up_to=2, places=[1, 2], due=NOON)
        assert len(other.claim("crm", at=NOON, until=NOON + timedelta(hours=1), limit=1)) == 1
        assert [due.place for due in one.claim("crm", at=NOON, until=NOON + timedelta(hours=1), limit=9)] == [2]


def test_links_are_found_again(path: Path) -> None:
    with SqliteLinkTable(path) as table:
        table.store({"token": "rest"})
        with SqliteLinkTable(path) as beside:
            assert beside.find("token") == "rest"
    with SqliteLinkTable(path) as table:
        assert table.find("token") == "rest"


def test_links_are_kept_together_or_not_at_all(path: Path) -> None:
    with SqliteLinkTable(path) as table:
        with pytest.raises(ArchiveError, match="NOT NULL"):
            table.store({"one": "rest", "other": None})  # type: ignore[dict-item]  # what no row can be
        assert table.find("one") is None


def test_links_are_erased_by_the_day_of_their_latest_issue(path: Path) -> None:
    clock = FrozenClock(NOON)
    with SqliteLinkTable(path, clock=clock) as table:
        table.store({"once": "rest", "weekly": "rest"})
        clock.advance(timedelta(days=7))
        table.store({"weekly": "rest", "late": "rest"})
        assert table.erase(NOON) == 0
        assert table.erase(NOON + timedelta(days=7)) == 1
        assert [table.find(token) for token in ("once", "weekly", "late")] == [None, "rest", "rest"]


def test_a_clock_set_back_makes_no_link_older(path: Path) -> None:
    clock = FrozenClock(NOON)
    with SqliteLinkTable(path, clock=clock) as table:
        table.store({"token": "rest"})
        clock.advance(timedelta(days=-30))
        table.store({"token": "rest"})
        assert table.erase(NOON) == 0


def test_a_day_to_erase_before_needs_a_time_zone(path: Path) -> None:
    with SqliteLinkTable(path) as table, pytest.raises(ConfigurationError, match="no time zone"):
        table.erase(NOON.replace(tzinfo=None))


def test_content_is_compressed_where_that_helps(path: Path) -> None:
    with SqliteArchive(path) as archive:
        archive.store(a_copy("long", content=b"the same line\r\n" * 1000))
        archive.store(a_copy("short", content=b"\r\n"))
    rows = asked(path, "SELECT delivery_id, packing, length(content) < 500 FROM copies ORDER BY arrival")
    assert rows == [("long", "zlib", 1), ("short", "none", 1)]


def test_text_can_be_read_with_any_tool(path: Path) -> None:
    with SqliteArchive(path) as archive, SqliteJournal(path) as journal:
        archive.store(a_copy("d1"))
        journal.record(Delivered(about("k1")))
    assert asked(path, "SELECT delivery_id, person, subject FROM copies") == [("d1", "ada@example.net", "Welcome")]
    [(told,)] = asked(path, "SELECT CAST(content AS TEXT) FROM events")
    assert told.startswith('{"v":1,"event":"Delivered"')


def test_a_copy_packed_by_another_zlib_is_the_same_copy(path: Path) -> None:
    copy = a_copy("d1", content=b"the same line\r\n" * 100)
    with SqliteArchive(path) as archive:
        archive.store(copy)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE copies SET packing = 'none', content = ?", (copy.content,))
    with SqliteArchive(path) as archive:
        archive.store(copy)
        assert archive.find("ada@example.net") == [copy]


def every_byte(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def test_erased_bytes_are_in_no_file(path: Path) -> None:
    with SqliteArchive(path) as archive, SqliteJournal(path):
        archive.store(evolve(a_copy("d1", content=SECRET + b"\r\n"), subject="a subject of Ada's"))
        archive.store(a_copy("d2", "bob@example.net"))
        assert SECRET in every_byte(path)
        archive.erase("ada@example.net")
        for gone in (SECRET, b"a subject of Ada's", b"ada@example.net"):
            assert gone not in every_byte(path)
        assert b"bob@example.net" in every_byte(path)


def test_erasing_leaves_a_tombstone(path: Path) -> None:
    with SqliteArchive(path, clock=lambda: NOON) as archive:
        archive.store(a_copy("d1"))
        archive.store(a_copy("d2"))
        archive.erase("ada@example.net")
        archive.erase("ada@example.net")  # nothing to erase, nothing to tell
        assert archive.erasures("ADA@example.net") == [Erasure(2, NOON)]
        assert archive.erasures("bob@example.net") == []


def test_an_erasure_that_a_reader_holds_up_is_an_error_and_can_be_finished(path: Path) -> None:
    with SqliteArchive(path, timeout=0) as archive:
        archive.store(a_copy("d1", content=SECRET + b"\r\n"))
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM copies").fetchall()
            with pytest.raises(ArchiveError, match="erase once more"):
                archive.erase("ada@example.net")
            assert archive.find("ada@example.net") == []
            reader.execute("COMMIT")
        assert archive.erase("ada@example.net") == 0
        assert SECRET not in every_byte(path)


def test_an_erasure_is_whole_or_not_at_all(path: Path) -> None:
    with SqliteArchive(path) as archive:
        archive.store(a_copy("d1"))
        changed(path, "DROP TABLE erasures")
        with pytest.raises(ArchiveError, match="no such table"):
            archive.erase("ada@example.net")
        assert archive.find("ada@example.net") == [a_copy("d1")]
        archive.store(a_copy("d2"))


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    changed(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="a path of its own"):
        SqliteArchive(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("pragma", ["application_id = 7", "user_version = 3"])
def test_an_empty_database_with_a_mark_is_another_programs(path: Path, pragma: str) -> None:
    changed(path, f"PRAGMA {pragma}")
    with pytest.raises(ArchiveError, match="a path of its own"):
        SqliteJournal(path)


def test_a_later_format_asks_for_an_upgrade(path: Path) -> None:
    SqliteArchive(path).close()
    changed(path, "PRAGMA user_version = 4")
    with pytest.raises(ArchiveError, match="upgrade custom_smtp"):
        SqliteArchive(path)


def test_an_empty_file_is_taken(path: Path) -> None:
    path.touch()
    with SqliteArchive(path) as archive:
        archive.store(a_copy("d1"))


def test_what_is_no_database_is_refused_with_its_cause(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 100)
    with pytest.raises(ArchiveError, match="no SQLite database") as caught:
        SqliteArchive(path)
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


@pytest.mark.parametrize("name", ["", "missing/mail.db"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="make its folder"):
        SqliteArchive(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (":memory:", "MemoryArchive"),
        (Path(":memory:"), "MemoryArchive"),
        ("", "no path"),
        ("a\0b", "no path"),
        (7, "no path"),
    ],
)
def test_what_is_no_path_is_refused(path: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        SqliteArchive(path)


@pytest.mark.parametrize("timeout", [-1, 3601, "10", None, float("nan")])
def test_what_is_no_time_to_wait_is_refused(path: Path, timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="seconds"):
        SqliteJournal(path, timeout=timeout)


def test_a_change_of_directory_does_not_lose_the_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    here = Path.cwd()
    request.addfinalizer(lambda: os.chdir(here))
    os.chdir(tmp_path)
    with SqliteArchive("mail.db") as archive:
        os.chdir("/")
        archive.store(a_copy("d1"))
    assert asked(tmp_path / "mail.db", "SELECT count(*) FROM copies") == [(1,)]


def test_a_locked_database_is_an_error_after_the_timeout(path: Path) -> None:
    with SqliteArchive(path, timeout=0.05) as archive, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError, match="another connection holds its lock"):
            archive.store(a_copy("d1"))
        other.execute("ROLLBACK")
        archive.store(a_copy("d1"))
        assert archive.find("ada@example.net") == [a_copy("d1")]


def test_a_full_disk_is_an_error_and_harms_nothing(path: Path) -> None:
    with SqliteArchive(path) as archive:
        archive.store(a_copy("d1"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        try:
            with pytest.raises(ArchiveError, match="disk") as caught:
                archive.store(a_copy("d2", content=random_bytes(1_000_000)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        archive.store(a_copy("d3"))
        assert [copy.delivery_id for copy in archive.find("ada@example.net")] == ["d3", "d1"]


def random_bytes(length: int) -> bytes:
    return random.Random(7).randbytes(length)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE copies SET packing = 'zlib'",
        "UPDATE copies SET packing = 'brotli'",
        "UPDATE copies SET at = 9223372036854775807",
        "UPDATE copies SET at = 'noon'",
        "UPDATE copies SET delivery_id = 'no id'",
        "UPDATE copies SET subject = x'ff'",
    ],
)
def test_a_damaged_row_is_our_error(path: Path, damage: str) -> None:
    with SqliteArchive(path) as archive:
        archive.store(a_copy("d1"))
        changed(path, damage)
        with pytest.raises(ArchiveError, match="restore a backup"):
            archive.find("ada@example.net")


def test_a_damaged_event_is_our_error(path: Path) -> None:
    with SqliteJournal(path) as journal:
        journal.record(Delivered(about("k1")))
        changed(path, "UPDATE events SET packing = 'none', content = x'7b'")
        with pytest.raises(ArchiveError, match="not an event"):
            journal.of_delivery(DeliveryId("d1"))


def test_an_event_that_json_cannot_hold_is_our_error(path: Path) -> None:
    with SqliteJournal(path) as journal, pytest.raises(ArchiveError, match="cannot be written as JSON"):
        journal.record(Delivered(evolve(about("k1"), raw={"file": object()})))


def test_half_a_surrogate_pair_is_not_what_it_is_written_as(path: Path) -> None:
    with SqliteJournal(path) as journal:
        assert journal.record(Delivered(about("\ud800")))
        assert journal.record(Delivered(about("\\ud800")))
        assert not journal.record(Delivered(about("\ud800")))


def test_closing_twice_does_nothing_and_using_it_then_is_an_error(path: Path) -> None:
    archive, journal, table = SqliteArchive(path), SqliteJournal(path), SqliteLinkTable(path)
    table.close()
    table.close()
    with pytest.raises(ArchiveError, match="open it again"):
        table.find("token")
    archive.close()
    archive.close()
    journal.close()
    with pytest.raises(ArchiveError, match="open it again"):
        archive.find("ada@example.net")
    with pytest.raises(ArchiveError, match="open it again"):
        journal.record(Delivered(about("k1")))


def test_threads_share_an_archive(path: Path) -> None:
    failures: list[BaseException] = []

    def store(worker: int) -> None:
        try:
            for number in range(10):
                archive.store(a_copy(f"w{worker}-{number}"))
                archive.store(a_copy(f"shared-{number}"))
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            failures.append(error)

    with SqliteArchive(path) as archive:
        workers = [threading.Thread(target=store, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not failures
        assert len(archive.find("ada@example.net")) == 4 * 10 + 10


def test_threads_share_a_link_table(path: Path) -> None:
    told: list[object] = []

    def issue(tokens: ShortTokens) -> None:
        try:
            for number in range(10):
                claim = Claim(DeliveryId(f"d{number}"), "ada@example.net", "https://shop.example")
                told.append(tokens.read(tokens.issue(claim)) == claim)
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            told.append(error)

    with SqliteLinkTable(path) as table:
        tokens = ShortTokens(Tokens((b"k" * 32,)), table)
        workers = [threading.Thread(target=issue, args=(tokens,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert told == [True] * 40
    assert asked(path, "SELECT count(*) FROM links") == [(10,)]


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


STORE_TEN = """
import sys
from datetime import UTC, datetime
from custom_smtp.archive import Copy
from custom_smtp.edge.sqlite import SqliteArchive
from custom_smtp.identifiers import DeliveryId

with SqliteArchive(sys.argv[1]) as archive:
    for number in range(10):
        archive.store(Copy(delivery_id=DeliveryId(f"p{sys.argv[2]}-{number}"), recipient="ada@example.net",
                           at=datetime(2026, 1, 2, tzinfo=UTC), content=b"x"))
"""


def test_processes_make_and_share_one_file(path: Path) -> None:
    workers = [python(STORE_TEN, str(path), str(worker)) for worker in range(3)]
    assert [worker.communicate()[0] for worker in workers] == [""] * 3
    with SqliteArchive(path) as archive:
        assert len(archive.find("ada@example.net")) == 30


ISSUE_TEN = """
import sys
from custom_smtp import DeliveryId, Tokens
from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.edge.sqlite import SqliteLinkTable
from custom_smtp.short_tokens import ShortTokens

with SqliteLinkTable(sys.argv[1]) as table:
    tokens = ShortTokens(Tokens((b"k" * 32,)), table)
    for number in range(10):
        claim = Claim(DeliveryId(f"d{number}"), "ada@example.net", "https://shop.example")
        print(*tokens.issue_all([(claim, [Lead(purpose, claim.url) for purpose in Purpose])]))
"""


def test_processes_issue_the_same_links_side_by_side(path: Path) -> None:
    workers = [python(ISSUE_TEN, str(path)) for _ in range(3)]
    [told] = {worker.communicate()[0] for worker in workers}
    assert asked(path, "SELECT count(*) FROM links") == [(30,)]
    with SqliteLinkTable(path) as table:
        tokens = ShortTokens(Tokens((b"k" * 32,)), table)
        read = [tokens.read(line.split()[0]).delivery_id for line in told.splitlines()]
    assert read == [f"d{number}" for number in range(10)]


FORK = """
import os, sys
from custom_smtp.edge.sqlite import SqliteArchive
from custom_smtp.errors import ArchiveError

fresh, used = SqliteArchive(sys.argv[1]), SqliteArchive(sys.argv[2])
used.find("ada@example.net")
child = os.fork()
if child == 0:
    assert fresh.find("ada@example.net") == []
    fresh.close()
    try:
        used.find("ada@example.net")
    except ArchiveError as error:
        print(error)
    used.close()
    sys.exit(0)
os.waitpid(child, 0)
print(len(used.find("ada@example.net")))
used.close()
"""


def test_an_archive_may_be_made_before_a_fork_and_not_used(path: Path) -> None:
    told, _ = python(FORK, str(path), str(path.with_name("used.db"))).communicate()
    assert "which SQLite forbids" in told
    assert told.endswith("\n0\n")
