"""What was kept survives a kill at any moment."""

import subprocess
import sys
from pathlib import Path

import pytest

from custom_smtp.edge.sqlite import SqliteArchive, SqliteJournal
from custom_smtp.identifiers import DeliveryId

WRITES_UNTIL_KILLED = """
import itertools, sys
from datetime import UTC, datetime
from custom_smtp.archive import Copy
from custom_smtp.edge.sqlite import SqliteArchive, SqliteJournal
from custom_smtp.events import About, Delivered
from custom_smtp.identifiers import DeliveryId

archive, journal = SqliteArchive(sys.argv[1]), SqliteJournal(sys.argv[1])
at = datetime(2026, 1, 2, tzinfo=UTC)
for number in itertools.count():
    name = DeliveryId(f"d{number}")
    archive.store(Copy(delivery_id=name, recipient="ada@example.net", at=at, content=b"a line\\r\\n" * number))
    journal.record(Delivered(About(delivery_id=name, recipient="ada@example.net", at=at, source="s", key=name)))
    print(name, flush=True)
"""


@pytest.mark.parametrize("until", [1, 60])
def test_what_was_kept_is_there_after_a_kill(tmp_path: Path, until: int) -> None:
    path = tmp_path / "mail.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITES_UNTIL_KILLED, path], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        kept = [writer.stdout.readline().strip() for _ in range(until)]
        writer.kill()
        rest = writer.stdout.read()
        kept += rest.split("\n")[:-1]  # the last line may be cut off
    with SqliteArchive(path) as archive, SqliteJournal(path) as journal:
        for number, name in enumerate(kept):
            copy = archive.get(DeliveryId(name))
            assert copy is not None
            assert copy.content == b"a line\r\n" * number
            assert len(journal.of_delivery(DeliveryId(name))) == 1
        assert len(kept) <= len(archive.find("ada@example.net", limit=10**6)) <= len(kept) + 2
