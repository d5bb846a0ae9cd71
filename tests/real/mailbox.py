"""Where a real server puts what it was handed, read once it has put everything there."""

import re
from pathlib import Path
from time import monotonic, sleep

from attrs import field, frozen

_PATIENCE = 30.0
"""Seconds in which a server delivers what it has taken."""


@frozen
class Arrived:
    """One mail in the mailbox, and whose it is."""

    recipient: str
    stored: bytes = field(repr=lambda stored: f"<{len(stored)} bytes>")
    line_end: bytes = b"\n"

    def holds(self, content: bytes) -> bool:
        """Whether this is that content, byte for byte.

        A server puts its own trace in front, and most write line feeds to disk; that is all that may be different.
        """
        ours = content.replace(b"\r\n", self.line_end)
        trace = self.stored.removesuffix(ours)
        lines = trace.split(self.line_end)
        return trace != self.stored and lines.pop() == b"" and all(lines)


@frozen
class Mailbox:
    """A server that is running, and what it has delivered.

    Attributes:
        port: where it listens.
        new: the folder that mails come into, a file each.
        queues: the folders that a mail is in from the server's 250 until it is delivered.
        recipient_header: the line of the server's trace that tells whose copy it is.
        log: what the server wrote.
        line_end: how lines end in its files.
    """

    port: int
    new: Path
    queues: tuple[Path, ...]
    recipient_header: str
    log: Path
    line_end: bytes = b"\n"

    def arrived(self, mark: bytes) -> list[Arrived]:
        """Every mail that holds this mark, once the server has nothing left to deliver."""
        ends = monotonic() + _PATIENCE
        while self._is_busy():
            assert monotonic() < ends, self.log.read_text()
            sleep(0.02)
        stored = [path.read_bytes() for path in self.new.iterdir()] if self.new.is_dir() else []
        return [self._read(each) for each in stored if mark in each]

    def _is_busy(self) -> bool:
        return any(not path.is_dir() for queue in self.queues for path in queue.rglob("*"))

    def _read(self, stored: bytes) -> Arrived:
        found = re.search(rf"^{self.recipient_header}: <?([^>\s]*)".encode(), stored, re.MULTILINE)
        assert found, stored[:2000]
        return Arrived(found[1].decode(), stored, self.line_end)
