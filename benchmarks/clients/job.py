"""What each client of the benchmark is told to do, and how it tells what that took.

Every client is a program of its own, called with PORT MAILS OCTETS MANNER TLS(0|1) CONNECTIONS AUTHORITY (a file with
the certificate to trust). It opens its lines and logs in, then sends the mails within `Job.clock`, which prints
"SECONDS CPU_SECONDS GROWTH", the last being how many MiB the process grew by meanwhile. A mail that is not taken ends
it with an error.
"""

import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HOST = "127.0.0.1"
SENDER = "foo@a.test"
RECIPIENT = "bar@b.test"
USER, PASSWORD = "u", "p"


@dataclass(frozen=True)
class Job:
    """So many mails of so many octets, over so many connections at once."""

    port: int
    mails: int
    octets: int
    manner: str
    secret: bool
    connections: int
    authority: str

    @classmethod
    def told(cls) -> "Job":
        """The job that the command line tells of."""
        port, mails, octets, manner, secret, connections, authority = sys.argv[1:8]
        return cls(int(port), int(mails), int(octets), manner, secret == "1", int(connections), authority)

    @property
    def context(self) -> ssl.SSLContext:
        """TLS as everybody should have it: the certificate and the name are checked."""
        return ssl.create_default_context(cafile=self.authority)

    def content(self, number: int = 0) -> bytes:
        """A mail of exactly so many octets, in lines of 77 with full stops in them; no other number has the same."""
        return b"Subject: benchmark %09d\r\n\r\n%b" % (number, self._body)

    @cached_property
    def _body(self) -> bytes:
        line = b"A line of a mail, as long as most are. It ends here; another sentence begins.\r\n"
        lines, rest = divmod(self.octets - len(b"Subject: benchmark 000000000\r\n\r\n"), len(line))
        return line * (lines - 1) + b"x" * (len(line) - 2 + rest) + b"\r\n"

    def shares(self) -> list[int]:
        """How many mails each connection sends, where a client does not spread them itself."""
        return [len(range(first, self.mails, self.connections)) for first in range(self.connections)]

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Print what the body took, which is sending all the mails."""
        resident = _kilobytes("VmRSS")
        used, begun = time.process_time(), time.perf_counter()
        yield
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        print(f"{seconds:.6f} {used:.6f} {(_kilobytes('VmHWM') - resident) / 1024:.1f}")


def _kilobytes(what: str) -> int:
    """VmRSS: what of this process is in memory; VmHWM: the most that ever was. (getrusage counts its parent's too.)"""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return int(line.split()[1])
