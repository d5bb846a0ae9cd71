"""One pass over a mailbox, whatever its kind: a mail is recorded before it is taken away, and all is counted."""

import logging
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from attrs import Attribute, define, frozen

from ..checks import ConfigurationError
from ..errors import ArchiveError
from ..events import Event
from ..ports import Journal

Read = Callable[[bytes], Sequence[Event]]
"""Says what a mail tells; nothing where it is not understood."""

OCTETS = 1024 * 1024
"""How much of a mail is read: a report stands before the mail that it returns."""

MAILS = 1_000
"""How many mails one pass looks at."""

_OUT_OF_ORDER = 3  # mails in a row that the journal does not take: it is the journal's fault then, not theirs

_logger = logging.getLogger("custom_smtp.edge.mailboxes")


class Afterwards(Enum):
    """What becomes of a mail that was understood and recorded."""

    DELETE = "delete"
    """It is deleted."""
    MARK = "mark"
    """It is marked as seen, and not looked at again."""
    MOVE = "move"
    """It is moved into another folder."""


@frozen(kw_only=True)
class Passed:
    """What one pass over a mailbox came to.

    Attributes:
        looked_at: mails that were read.
        understood: those that told something; all of it is recorded.
        recorded: events that the journal did not know yet.
        left: mails that told nothing, and stay as they are.
        unrecorded: mails that told something that the journal did not take; they stay as well.
        place: where the next pass is to go on; empty when the end was reached.
    """

    looked_at: int = 0
    understood: int = 0
    recorded: int = 0
    left: int = 0
    unrecorded: int = 0
    place: str = ""


def a_target(instance: Any, _attribute: "Attribute[Any]", target: object) -> None:
    """The attrs validator for where understood mail is moved to: named where it is to be moved, and nowhere else."""
    if bool(target) is not (instance.afterwards is Afterwards.MOVE):
        raise ConfigurationError("move_to names a folder where afterwards is Afterwards.MOVE, and nothing elsewhere")


class OpenMailbox(Protocol):
    """A mailbox that stands open."""

    def take_away(self, name: str) -> None:
        """Do with a mail what is to be done with those that were understood."""
        ...


@define
class Pass:
    """Counts, and sees to it that a mail is recorded before it is taken away."""

    journal: Journal
    read: Read
    looked_at: int = 0
    understood: int = 0
    recorded: int = 0
    left: int = 0
    unrecorded: int = 0
    _in_a_row: int = 0

    def look_at(self, name: str, content: bytes, mailbox: OpenMailbox) -> None:
        """Read one mail, record what it tells, and have it taken away; or leave it where it is."""
        self.looked_at += 1
        told = self.read(content)
        if not told:
            self.left += 1
            return
        try:
            self.recorded += sum([self.journal.record(event) for event in told])
        except ArchiveError as error:
            self._stays(name, error)
            return
        self._in_a_row = 0
        self.understood += 1
        mailbox.take_away(name)

    def _stays(self, name: str, error: ArchiveError) -> None:
        self.unrecorded += 1
        self._in_a_row += 1
        if self._in_a_row >= _OUT_OF_ORDER:
            raise error
        _logger.warning("what the mail %r tells could not be recorded, so it stays: %s", name, error)

    def report(self, place: str) -> Passed:
        """What it came to, and where the next one goes on."""
        return Passed(
            looked_at=self.looked_at,
            understood=self.understood,
            recorded=self.recorded,
            left=self.left,
            unrecorded=self.unrecorded,
            place=place,
        )
