"""How fast mails are handed to a server: custom_smtp, its peers, and what a compiled client reaches, in one run.

    python benchmarks/smtp.py [--quick] [--rows PATTERN ...] [--rounds N] [--anywhere] [--list]
    python benchmarks/smtp.py --memory [MAILS]

A row is one server and one kind of mail, such as ``starttls-20KB-1-0ms``: STARTTLS with AUTH, mails of 20 KB, one
connection, no round trip. In each round every client sends the same number of mails, in an order that rotates, so that
whatever else the machine does falls on all of them. Ratios are taken within a round; what is printed is the median of
the rounds, with the least and the most.

Every client is a process of its own (`clients/`), and so is the server (`native/sink.c`), which counts what it takes:
a mail too few ends the run. Lines stand and are logged in before a client's clock starts.

The server has a core of its own and the client another, as on two machines. Left to the system (``--anywhere``), some
runs have both on one core, where waking each other costs next to nothing, and figures jump by a factor of four.

It needs Linux, gcc, libssl-dev, Node.js with npm, Postfix's smtp-source and ``pip install -e '.[bench]'``. The server
and the limit are compiled, and Nodemailer is installed, into a folder that is removed at the end.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from importlib.metadata import version
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from figures import apart, held, machine, spread

HERE = Path(__file__).parent
NODEMAILER = "nodemailer@10"
PACKAGE_OF = {"gcc": "gcc", "node": "nodejs", "npm": "npm", "smtp-source": "postfix", "postconf": "postfix"}
USUAL = ("*-20KB-*", "*-2KB-*-0ms", "*-100KB-*-0ms")
QUICK = ("*-20KB-1-0ms", "starttls-20KB-4-0ms", "starttls-20KB-1-5ms", "slow-*")


# --- What is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One server, and one kind of mail."""

    secret: bool
    octets: int
    connections: int
    round_trip: int
    queueing: int = 0

    @property
    def name(self) -> str:
        if self.queueing:
            return f"slow-{self.connections}"
        wire = "starttls" if self.secret else "plain"
        return f"{wire}-{self.octets // 1000}KB-{self.connections}-{self.round_trip}ms"

    def mails(self, client: "Client", *, quick: bool) -> int:
        """At least 200 over the rounds; where nobody waits, enough to outweigh how a round begins and ends."""
        if self.round_trip or self.queueing:
            return (70 if self.round_trip > 10 or quick else 200) * self.connections
        return (500 if quick else 1000 if self.octets > 50_000 else 2000) * (5 if client.swift else 1)


ROWS = [
    *(
        Row(secret, octets, connections, round_trip)
        for round_trip in (0, 5, 50)
        for secret in (True, False)
        for octets in (20_000, 2_000, 100_000)
        for connections in (1, 4)
    ),
    *(Row(secret=True, octets=20_000, connections=connections, round_trip=0, queueing=5) for connections in (1, 8)),
]


@dataclass(frozen=True)
class Client:
    """A program that sends mails, and how it is called.

    ``swift`` ones send five times as many mails where nobody waits, for they would be done before a clock shows it.
    """

    name: str
    program: tuple[str, ...]
    manner: str = "-"
    plain_only: bool = False
    swift: bool = False


@dataclass(frozen=True)
class Took:
    """What one client needed for one row, once."""

    mails: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.mails / self.seconds

    @property
    def cpu_of_one(self) -> float:
        """Microseconds for a mail."""
        return self.cpu / self.mails * 1e6


@dataclass(frozen=True)
class Bound:
    """What issue and page promise: one client against another, in the rows of a pattern."""

    what: str
    rows: str
    ours: str
    theirs: str
    hold: float
    aim: float
    by_cpu: bool = False  # then it is a cost, and less is better


DOT, BDAT, RAW_DOT, RAW_BDAT, CAREFUL, ASYNC_DOT, ASYNC_BDAT = (
    "custom_smtp, dot",
    "custom_smtp, BDAT",
    "custom_smtp, dot, raw bytes",
    "custom_smtp, BDAT, raw bytes",
    "custom_smtp, careful",
    "custom_smtp asyncio, dot",
    "custom_smtp asyncio, BDAT",
)
SMTPLIB, AIOSMTPLIB, NODE, SOURCE = "smtplib kept", "aiosmtplib", "Nodemailer pool", "smtp-source"
C_LOCK, C_PIGGY, C_BDAT = "C, lock step", "C, piggyback", "C, BDAT"
LIMIT_OF = dict.fromkeys((DOT, RAW_DOT, ASYNC_DOT), C_PIGGY) | dict.fromkeys((BDAT, RAW_BDAT, ASYNC_BDAT), C_BDAT)

BOUNDS = (
    Bound("STARTTLS, by dot, of smtplib", "starttls-20KB-1-0ms", DOT, SMTPLIB, 4, 5.5),
    Bound("STARTTLS, by dot, of aiosmtplib", "starttls-20KB-1-0ms", DOT, AIOSMTPLIB, 6, 8),
    Bound("STARTTLS, by dot, of the limit", "starttls-20KB-1-0ms", DOT, C_PIGGY, 0.75, 0.95),
    Bound("STARTTLS, BDAT, of smtplib", "starttls-20KB-1-0ms", BDAT, SMTPLIB, 9, 15),
    Bound("STARTTLS, BDAT, of the limit", "starttls-20KB-1-0ms", BDAT, C_BDAT, 0.6, 0.85),
    Bound("plain, by dot, of smtp-source", "plain-20KB-1-0ms", DOT, SOURCE, 1.5, 3),
    Bound("5 ms, by dot, of smtplib", "*-20KB-1-5ms", DOT, SMTPLIB, 3.4, 3.9),
    Bound("5 ms, BDAT, of smtplib", "*-20KB-1-5ms", BDAT, SMTPLIB, 20, 30),
    Bound("50 ms, by dot, of smtplib", "*-20KB-1-50ms", DOT, SMTPLIB, 3.4, 3.9),
    Bound("50 ms, BDAT, of smtplib", "*-20KB-1-50ms", BDAT, SMTPLIB, 20, 30),
    Bound("CPU, by dot, of the limit's", "starttls-20KB-1-0ms", DOT, C_PIGGY, 2, 1.3, by_cpu=True),
    Bound("asyncio, by dot, of the threads", "starttls-20KB-*-0ms", ASYNC_DOT, DOT, 0.6, 1),
)
GENERATED = ((DOT, 1), (BDAT, 4), (ASYNC_DOT, 4))
"""What `--memory` watches, and over how many connections."""

EIGHT_LINES = (6.0, 7.5)
"""With a server that needs 5 ms for a mail: what 8 connections do for one."""

Round = Mapping[str, Took]


def main() -> int:
    told = _told()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the server ends with us
    if told.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    patterns = told.rows or (QUICK if told.quick else (*USUAL, "slow-*"))
    rows = [row for row in ROWS if any(fnmatch(row.name, pattern) for pattern in patterns)]
    rounds = told.rounds or (2 if told.quick else 5)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        workshop = Workshop.fitted(Path(folder), None if told.anywhere else apart(), nodemailer=told.memory is None)
        if told.memory is not None:
            for line in memory_table(workshop, told.memory):
                print(line, flush=True)
            return 0
        print(f"{machine()}.\n{workshop.peers()}.")
        print(f"{datetime.now(UTC):%Y-%m-%d}; {rounds} rounds, in turns; medians (least to most).\n", flush=True)
        measured = {}
        for row in rows:
            measured[row] = measure(workshop, row, rounds, quick=told.quick)
            print(table_of(row, measured[row]), flush=True)
    print(bounds_table(measured))
    return 0


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how fast mails are handed to a server.")
    parser.add_argument("--quick", action="store_true", help="few rows, few mails, two rounds: a look, no figures")
    parser.add_argument("--rows", nargs="+", metavar="PATTERN", help="only these, such as 'starttls-*-1-0ms'")
    parser.add_argument("--rounds", type=int, help="how often each client has its turn in each row")
    parser.add_argument("--list", action="store_true", help="name every row, and end")
    parser.add_argument("--anywhere", action="store_true", help="let the system choose the cores")
    parser.add_argument(
        "--memory",
        nargs="?",
        type=int,
        const=1_000_000,
        metavar="MAILS",
        help="instead: by how much sending so many mails of 2 KB from a generator grows the process",
    )
    return parser.parse_args()


# --- Measuring --------------------------------------------------------------------------------------------------------


def measure(workshop: "Workshop", row: Row, rounds: int, *, quick: bool) -> list[Round]:
    clients = [each for each in workshop.clients() if not (each.plain_only and row.secret)]
    done: list[Round] = []
    with workshop.server(row) as server:
        for number in range(rounds):
            turn = number % len(clients)
            order = clients[turn:] + clients[:turn]
            done.append({each.name: workshop.run(each, row, row.mails(each, quick=quick), server) for each in order})
    return done


@dataclass(frozen=True)
class ListeningServer:
    """The sink, while it runs."""

    port: int

    @property
    def mails(self) -> int:
        """How many it has taken so far."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection, connection.makefile("rb") as heard:
            heard.readline()
            connection.sendall(b"XSTAT\r\nQUIT\r\n")
            return int(heard.readline().split()[1])


@dataclass(frozen=True)
class Workshop:
    """A folder with all that had to be built or installed for a run."""

    folder: Path
    server_core: int | None = None

    @classmethod
    def fitted(cls, folder: Path, server_core: int | None, *, nodemailer: bool) -> "Workshop":
        """Build the server and the limit; install what `pip` cannot. What is missing is said in one line."""
        for program, package in PACKAGE_OF.items():
            if _found(program) is None:
                sys.exit(f"missing: {program} (Debian: apt install {package})")
        if find_spec("aiosmtplib") is None:
            sys.exit("missing: aiosmtplib (pip install -e '.[bench]')")
        for name in ("sink", "client"):
            source, made = HERE / "native" / f"{name}.c", folder / name
            words = ["gcc", "-O2", "-o", str(made), str(source), "-lssl", "-lcrypto"]
            built = subprocess.run(words, check=False, capture_output=True, text=True)
            if built.returncode:
                lacks = "openssl/ssl.h" in built.stderr or "-lssl" in built.stderr
                sys.exit("missing: libssl-dev (Debian: apt install libssl-dev)" if lacks else built.stderr)
        if nodemailer:
            npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NODEMAILER]
            if subprocess.run(npm, check=False).returncode:
                sys.exit(f"missing: {NODEMAILER}, which npm could not install")
        _write_certificate(folder)
        return cls(folder, server_core)

    def clients(self) -> list[Client]:
        python = sys.executable
        ours = (python, str(HERE / "clients" / "ours.py"))
        manners = {DOT: "dot", BDAT: "bdat", RAW_DOT: "dot-raw", RAW_BDAT: "bdat-raw", CAREFUL: "careful"}
        threads = [Client(name, ours, manner) for name, manner in manners.items()]
        loop = (python, str(HERE / "clients" / "ours_asyncio.py"))
        twins = [Client(ASYNC_DOT, loop, "dot"), Client(ASYNC_BDAT, loop, "bdat")]
        native = (str(self.folder / "client"),)
        return [
            *threads,
            *(twins if find_spec("custom_smtp.edge.smtp_asyncio") else []),
            Client(SMTPLIB, (python, str(HERE / "clients" / "smtplib_kept.py"))),
            Client(AIOSMTPLIB, (python, str(HERE / "clients" / "aiosmtplib_kept.py"))),
            Client(NODE, ("node", str(HERE / "clients" / "nodemailer_pool.mjs"))),
            Client(SOURCE, (_found("smtp-source") or "smtp-source",), plain_only=True, swift=True),
            Client(C_LOCK, native, "lock", swift=True),
            Client(C_PIGGY, native, "piggy", swift=True),
            Client(C_BDAT, native, "bdat", swift=True),
        ]

    def peers(self) -> str:
        """Who is measured against, in which version."""
        package = json.loads((self.folder / "node_modules" / "nodemailer" / "package.json").read_text())
        asked = [_found("postconf") or "postconf", "-dh", "mail_version"]
        postfix = subprocess.run(asked, check=True, capture_output=True)
        return (
            f"aiosmtplib {version('aiosmtplib')}, Nodemailer {package['version']}, "
            f"Postfix {postfix.stdout.decode().strip()}, {ssl.OPENSSL_VERSION}"
        )

    @contextmanager
    def server(self, row: Row, seconds: int = 3600) -> Iterator[ListeningServer]:
        words = [str(self.folder / "sink"), "-r", str(row.round_trip), "-q", str(row.queueing), "-t", str(seconds)]
        if row.secret:
            words += ["-c", str(self.folder / "certificate.pem"), "-k", str(self.folder / "key.pem")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as sink:
            try:
                assert sink.stdout is not None
                if self.server_core is not None:
                    os.sched_setaffinity(sink.pid, {self.server_core})
                yield ListeningServer(int(sink.stdout.readline().split()[1]))
            finally:
                sink.terminate()

    def run(self, client: Client, row: Row, mails: int, server: ListeningServer) -> Took:
        before = server.mails
        if client.name == SOURCE:
            took = _by_the_wall(client, row, mails, server)
        else:
            seconds, cpu = self.told(client, row, mails, server)[:2]
            took = Took(mails, seconds, cpu)
        if (taken := server.mails - before) < mails:
            sys.exit(f"{client.name} says that it sent {mails} mails in {row.name}; {taken} came")
        return took

    def told(self, client: Client, row: Row, mails: int, server: ListeningServer) -> list[float]:
        """The figures that a client prints."""
        words = [server.port, mails, row.octets, client.manner, int(row.secret), row.connections]
        ran = subprocess.run(
            [*client.program, *map(str, words), str(self.folder / "certificate.pem")],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "NODEMAILER": str(self.folder)},
        )
        if ran.returncode:
            sys.exit(f"{client.name} failed in {row.name}:\n{ran.stderr[-2000:]}")
        return [float(figure) for figure in ran.stdout.split()]


def _by_the_wall(client: Client, row: Row, mails: int, server: ListeningServer) -> Took:
    """smtp-source has no clock: what its start and first mails take is measured by itself, and taken off."""
    first = [*client.program, "-d", "-l", str(row.octets), "-s", str(row.connections), "-f", "foo@a.test"]

    def took(many: int) -> tuple[float, float]:
        begun, used = time.perf_counter(), _cpu_of_children()
        subprocess.run([*first, "-m", str(many), "-t", "bar@b.test", f"127.0.0.1:{server.port}"], check=True)
        return time.perf_counter() - begun, _cpu_of_children() - used

    start, whole = took(row.connections), took(mails + row.connections)
    return Took(mails, whole[0] - start[0], whole[1] - start[1])


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin")


def _write_certificate(folder: Path) -> None:
    """One that vouches for itself, for this run and this machine alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sink.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


# --- Telling ----------------------------------------------------------------------------------------------------------


def table_of(row: Row, rounds: Sequence[Round]) -> str:
    lines = [
        f"### {row.name}",
        "",
        "| | mails/s | / smtplib | / the C client, same manner | CPU for a mail |",
        "|---|---|---|---|---|",
    ]
    for name in rounds[0]:
        limit = LIMIT_OF.get(name)
        cells = [
            name,
            spread([each[name].rate for each in rounds], ".0f"),
            spread(_ratios(rounds, name, SMTPLIB), ".2f"),
            spread(_ratios(rounds, name, limit), ".2f") if limit else "",
            f"{statistics.median(each[name].cpu_of_one for each in rounds):.0f} us",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def bounds_table(measured: Mapping[Row, Sequence[Round]]) -> str:
    lines = ["| what is promised | row | must hold | aim | is | |", "|---|---|---|---|---|---|"]
    for bound in BOUNDS:
        for row, rounds in measured.items():
            if fnmatch(row.name, bound.rows) and bound.ours in rounds[0] and bound.theirs in rounds[0]:
                ratios = _ratios(rounds, bound.ours, bound.theirs, by_cpu=bound.by_cpu)
                verdict = held(statistics.median(ratios), bound.hold, bound.aim, less=bound.by_cpu)
                lines.append(
                    f"| {bound.what} | {row.name} | {bound.hold} | {bound.aim} | {spread(ratios, '.2f')} | {verdict} |"
                )
    slow = {row.connections: rounds for row, rounds in measured.items() if row.queueing}
    if {1, 8} <= slow.keys():
        for name in (DOT, BDAT):
            ratios = [many[name].rate / one[name].rate for one, many in zip(slow[1], slow[8], strict=True)]
            verdict = held(statistics.median(ratios), *EIGHT_LINES)
            lines.append(
                f"| {name}: 8 connections of 1 | slow | {EIGHT_LINES[0]} | {EIGHT_LINES[1]} "
                f"| {spread(ratios, '.2f')} | {verdict} |"
            )
    return "\n".join(lines)


def memory_table(workshop: Workshop, mails: int) -> Iterator[str]:
    yield f"| {mails:,} mails of 2 KB from a generator | connections | mails/s | grew by |"
    yield "|---|---|---|---|"
    clients = {client.name: client for client in workshop.clients()}
    for name, connections in GENERATED:
        if name in clients:
            row = Row(secret=True, octets=2_000, connections=connections, round_trip=0)
            with workshop.server(row) as server:
                seconds, _cpu, growth = workshop.told(clients[name], row, mails, server)
                if server.mails < mails:
                    sys.exit(f"{name} says that it sent {mails} mails; {server.mails} came")
            yield f"| {name} | {connections} | {mails / seconds:.0f} | {growth:.1f} MiB |"


def _ratios(rounds: Sequence[Round], name: str, other: str, *, by_cpu: bool = False) -> list[float]:
    if by_cpu:
        return [each[name].cpu_of_one / each[other].cpu_of_one for each in rounds]
    return [each[name].rate / each[other].rate for each in rounds]


if __name__ == "__main__":
    sys.exit(main())
