"""What is in the journal is forwarded though the worker is killed at any moment."""

import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from custom_smtp.edge.sqlite import SqliteJournal, SqliteOwedPosts
from custom_smtp.forwarding import Forwarding
from custom_smtp.posts import Post, Posted
from custom_smtp.system import utc_now
from custom_smtp.webhooks_out import StandardWebhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

FORWARDS_UNTIL_KILLED = f"""
import itertools, sys
from datetime import UTC, datetime, timedelta
from custom_smtp.edge.sqlite import SqliteJournal, SqliteOwedPosts
from custom_smtp.events import About, Delivered
from custom_smtp.forwarding import Forwarding
from custom_smtp.identifiers import DeliveryId
from custom_smtp.posts import Posted
from custom_smtp.system import utc_now
from custom_smtp.webhooks_out import StandardWebhook

class Printed:
    def post(self, post):
        print(dict(post.headers)["webhook-id"], flush=True)
        return Posted(status=200)

path, first = sys.argv[1], int(sys.argv[2])
journal, at = SqliteJournal(path), datetime(2026, 1, 2, tzinfo=UTC)
crm = StandardWebhook(name="crm", url="https://crm.example/", secrets={SECRET!r})
forwarding = Forwarding(journal, SqliteOwedPosts(path), (crm,), lease=timedelta(microseconds=1))
for number in itertools.count(first):
    name = DeliveryId(f"d{{number}}")
    journal.record(Delivered(About(delivery_id=name, recipient="ada@example.net", at=at, source="s", key=name)))
    if number % 3 == 0:
        forwarding.forward(Printed(), utc_now)
"""


@pytest.mark.parametrize("until", [1, 7, 40])
def test_what_is_recorded_is_forwarded_after_any_kill(tmp_path: Path, until: int) -> None:
    path, taken = tmp_path / "mail.db", Counter[str]()
    for kill in range(3):
        command = [sys.executable, "-c", FORWARDS_UNTIL_KILLED, str(path), str(kill * 10_000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            taken.update(worker.stdout.readline().strip() for _ in range(until))
            worker.kill()
            taken.update(worker.stdout.read().split("\n")[:-1])

    class Counting:
        def post(self, post: Post, /) -> Posted:
            taken[dict(post.headers)["webhook-id"]] += 1
            return Posted(status=200)

    with SqliteJournal(path) as journal, SqliteOwedPosts(path) as owed:
        crm = StandardWebhook(name="crm", url="https://crm.example/", secrets=SECRET)
        forwarding = Forwarding(journal, owed, (crm,), lease=timedelta(microseconds=1))
        while forwarding.forward(Counting(), utc_now).taken:
            pass
        recorded = journal.arrivals(0, limit=10**6)
        assert {dict(crm.post(event, utc_now()).headers)["webhook-id"] for _, event in recorded} == set(taken)
        assert max(taken.values()) <= 4
        assert forwarding.standing("crm").owed == 0
