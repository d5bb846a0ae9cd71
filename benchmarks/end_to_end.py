"""How fast a campaign goes out, from the first field to the server's answer: custom_smtp, and peers put together.

    python benchmarks/end_to_end.py [--rounds N] [--mails N]

Each mail is written for its person (20 KB, a name, 12 links), its links are tracked, it gets a pixel, is signed by
RSA-2048, its copy is kept on disk before it leaves, and it is handed over by STARTTLS. The peers are EmailMessage,
pytracking, dkimpy, sqlite3 as it comes, and smtplib on a kept connection with TCP_NODELAY.

In each round every contestant has its turn, in an order that rotates. Each is a process of its own
(`clients/campaign.py`), which counts and looks at what it kept; so is the server (`native/sink.c`), which counts what
it takes: a mail too few ends the run. The server shares the machine's cores with the client.

It needs what `smtp.py` needs, and ``pip install -r benchmarks/writing.peers.txt``. Copies are kept in
``.cache/benchmarks``, on the disk that the project is on, and removed at the end.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from sqlite3 import sqlite_version
from ssl import OPENSSL_VERSION

from contests import BOUNDS_HEAD, bound_row, in_turns, require_peers
from figures import machine, spread
from smtp import Client, Row, Took, Workshop

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "benchmarks"
PEERS = {"pytracking": "pytracking", "lxml": "lxml", "dkimpy": "dkim"}
SWIFT = 10
"""Ours sends so many times as many mails, for it would be done before a clock shows it."""


@dataclass(frozen=True)
class Contestant:
    """A manner of `clients/campaign.py`, and how many threads it has."""

    name: str
    manner: str
    threads: int

    @property
    def swift(self) -> bool:
        return self.manner != "peers"


@dataclass(frozen=True)
class Bound:
    """What is promised: one contestant against another."""

    what: str
    ours: Contestant
    theirs: Contestant
    hold: float
    aim: float
    by_cpu: bool = False


def _both(name: str, manner: str) -> Iterator[Contestant]:
    """On one thread, and on two."""
    yield Contestant(f"{name}, one thread", manner, 1)
    yield Contestant(f"{name}, two threads", manner, 2)


TEMPLATE, TEMPLATE_2 = _both("custom_smtp, template, batch=50", "template-50")
MAIL, MAIL_2 = _both("custom_smtp, Mail each, batch=50", "mail-50")
SINGLE, SINGLE_2 = _both("custom_smtp, template, batch=1", "template-1")
TOGETHER, TOGETHER_2 = _both("peers", "peers")
CONTESTANTS = (TEMPLATE, MAIL, SINGLE, TOGETHER, TEMPLATE_2, MAIL_2, SINGLE_2, TOGETHER_2)
BOUNDS = (
    Bound("one thread, times the peers", TEMPLATE, TOGETHER, 15, 25),
    Bound("the same by CPU", TEMPLATE, TOGETHER, 15, 25, by_cpu=True),
    Bound("the same, a transaction for each mail", SINGLE, TOGETHER, 15, 25),
    Bound("two threads, times the peers on one", TEMPLATE_2, TOGETHER, 24, 40),
    Bound("two threads, times the peers on two", TEMPLATE_2, TOGETHER_2, 24, 40),
)

Round = Mapping[Contestant, Took]


def main() -> int:
    told = _told()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the server ends with us
    require_peers(PEERS, "writing.peers.txt")
    os.environ["PYTHONPATH"] = str(HERE)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        workshop = Workshop.fitted(Path(folder), None, nodemailer=False)
        print(f"{machine()}.")
        print(", ".join(f"{package} {version(package)}" for package in PEERS), end=", ")
        print(f"SQLite {sqlite_version}, {OPENSSL_VERSION}.")
        print(f"{datetime.now(UTC):%Y-%m-%d}; {told.rounds} rounds of {told.mails} mails by the peers and ", end="")
        print(f"{told.mails * SWIFT} by ours, in turns; medians (least to most).\n", flush=True)
        done = measure(workshop, told.rounds, told.mails)
    print("\n".join([*table_of(done), "", *bounds_table(done)]))
    return 0


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how fast a campaign goes out.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant has its turn")
    parser.add_argument(
        "--mails", type=int, default=200, help=f"how many the peers send; ours sends {SWIFT} times that"
    )
    return parser.parse_args()


# --- Measuring --------------------------------------------------------------------------------------------------------


def measure(workshop: Workshop, rounds: int, mails: int) -> list[Round]:
    turns = {each: partial(_sent, workshop, each, mails * (SWIFT if each.swift else 1)) for each in CONTESTANTS}
    return list(in_turns(turns, rounds))


def _sent(workshop: Workshop, contestant: Contestant, mails: int) -> Took:
    client = Client(contestant.name, (sys.executable, str(HERE / "clients" / "campaign.py")), contestant.manner)
    row = Row(secret=True, octets=20_000, connections=contestant.threads, round_trip=0)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kept-", dir=CACHE) as folder, workshop.server(row) as server:
        os.environ["FOLDER"] = folder
        seconds, cpu, _growth = workshop.told(client, row, mails, server)
        if (taken := server.mails) < mails:
            sys.exit(f"{contestant.name} says that it sent {mails} mails; {taken} came")
    return Took(mails, seconds, cpu)


# --- Telling ----------------------------------------------------------------------------------------------------------


def table_of(done: Sequence[Round]) -> Iterator[str]:
    yield "| | mails/s | / peers, one thread | CPU for a mail |"
    yield "|---|---|---|---|"
    for each in CONTESTANTS:
        rates = spread([one[each].rate for one in done], ".0f")
        cpu = statistics.median(one[each].cpu_of_one for one in done)
        yield f"| {each.name} | {rates} | {spread(_ratios(done, each, TOGETHER), '.1f')} | {cpu:.0f} µs |"


def bounds_table(done: Sequence[Round]) -> Iterator[str]:
    """What is promised, and what is."""
    yield from BOUNDS_HEAD
    for bound in BOUNDS:
        ratios = _ratios(done, bound.ours, bound.theirs, by_cpu=bound.by_cpu)
        yield bound_row(bound.what, ratios, bound.hold, bound.aim, ".1f")


def _ratios(done: Sequence[Round], ours: Contestant, theirs: Contestant, *, by_cpu: bool = False) -> list[float]:
    if by_cpu:
        return [each[theirs].cpu_of_one / each[ours].cpu_of_one for each in done]
    return [each[ours].rate / each[theirs].rate for each in done]


if __name__ == "__main__":
    sys.exit(main())
