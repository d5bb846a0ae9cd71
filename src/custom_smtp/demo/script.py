"""The story that the demo plays: what the servers say, what is reported, and what each person does.

The figures that the report must show are worked out from this page alone (see `expected`).
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto

from attrs import frozen

from .letters import Letter
from .people import PEOPLE, Person

UNKNOWN = "550 5.1.1 no such user here"
BUSY = "451 4.2.0 the mailbox is busy, try again later"


class Told(Enum):
    """What is reported of a mail after our server took it."""

    DELIVERED = auto()
    DEFERRED = auto()
    BOUNCED = auto()
    BOUNCED_BY_MAIL = auto()
    COMPLAINED = auto()
    UNSUBSCRIBED = auto()


class Reads(Enum):
    """How a mail is read, if it is."""

    NOT = auto()
    IN_A_BROWSER = auto()
    BY_GMAIL = auto()
    """Google's proxy loads the pictures in the person's stead."""
    WITHOUT_PICTURES = auto()
    AS_TEXT = auto()
    PREFETCHED = auto()
    """Apple's mail privacy loads the pictures, whether or not anybody looks."""
    SCANNED = auto()
    """A mail filter asks with HEAD where each link leads."""


@frozen(kw_only=True)
class Role:
    """What becomes of one mail.

    Attributes:
        refused: what our server answers to RCPT, where it does not take the mail.
        told: what is reported afterwards.
        reads: how it is read.
        follows: the words of the links that the person clicks.
    """

    refused: str = ""
    told: tuple[Told, ...] = (Told.DELIVERED,)
    reads: Reads = Reads.NOT
    follows: tuple[str, ...] = ()


def _clicks(*words: str, reads: Reads = Reads.IN_A_BROWSER) -> Role:
    return Role(reads=reads, follows=words)


_SILENT = Role()
_ON_ITS_WAY = Role(told=())
_OPENS = Role(reads=Reads.IN_A_BROWSER)
_OPENS_IN_GMAIL = Role(reads=Reads.BY_GMAIL)
_IS_PREFETCHED = Role(reads=Reads.PREFETCHED)
_IS_SCANNED = Role(reads=Reads.SCANNED)
_DOES_NOT_EXIST = Role(refused=UNKNOWN)
_IS_BUSY = Role(refused=BUSY)
_BOUNCES_LATER = Role(told=(Told.DELIVERED, Told.BOUNCED))
_BOUNCES_BY_MAIL = Role(told=(Told.BOUNCED_BY_MAIL,))
_COMPLAINS = Role(told=(Told.DELIVERED, Told.COMPLAINED), reads=Reads.IN_A_BROWSER)
_LEAVES = Role(told=(Told.DELIVERED, Told.UNSUBSCRIBED), reads=Reads.IN_A_BROWSER, follows=("Unsubscribe",))
_IS_PUT_OFF = Role(told=(Told.DEFERRED, Told.DELIVERED))

CAST: dict[Letter, tuple[tuple[Role, int], ...]] = {
    Letter.NEWSLETTER: (
        (_clicks("Taste all five"), 4),
        (_clicks("Taste all five", "See the Huila"), 1),
        (_clicks("See the Sidama", reads=Reads.BY_GMAIL), 2),
        (_clicks("Read what he found →"), 2),
        (_clicks("Keep me a chair", reads=Reads.WITHOUT_PICTURES), 1),
        (_OPENS, 4),
        (_OPENS_IN_GMAIL, 2),
        (_IS_PREFETCHED, 3),
        (_IS_SCANNED, 1),
        (_LEAVES, 1),
        (_COMPLAINS, 1),
        (_BOUNCES_LATER, 1),
        (_IS_PUT_OFF, 1),
        (_SILENT, 2),
        (_ON_ITS_WAY, 1),
        (_DOES_NOT_EXIST, 2),
        (_IS_BUSY, 1),
    ),
    Letter.SHIPPING: (
        (_clicks("Where is it now?"), 6),
        (_clicks("Where is it now?", "How we brew it"), 2),
        (_clicks("https://parcels.example/track", reads=Reads.AS_TEXT), 1),
        (_OPENS, 3),
        (_IS_PREFETCHED, 2),
        (_SILENT, 1),
        (_BOUNCES_LATER, 2),
        (_BOUNCES_BY_MAIL, 1),
    ),
    Letter.RESTOCK: (
        (_clicks("Keep a bag for me"), 4),
        (_clicks("The farm, in eleven pictures", reads=Reads.BY_GMAIL), 1),
        (_OPENS, 2),
        (_IS_PREFETCHED, 1),
        (_IS_SCANNED, 1),
        (_SILENT, 1),
        (_DOES_NOT_EXIST, 1),
        (_IS_BUSY, 1),
    ),
}
"""How many people play each role, for each mail: sixty in all."""


BULK = (Letter.NEWSLETTER, Letter.RESTOCK)
"""What goes through a server of its own; the rest goes through the one for all mails."""


@frozen
class Part:
    """One person, the mail they get, and their role."""

    person: Person
    letter: Letter
    role: Role


def _parts() -> Iterator[Part]:
    people = iter(PEOPLE)
    for letter, roles in CAST.items():
        for role, count in roles:
            for _ in range(count):
                yield Part(next(people), letter, role)


PARTS = tuple(_parts())
"""Everybody's part."""


def of_letter(letter: Letter, parts: Iterable[Part] = PARTS) -> tuple[Part, ...]:
    """The parts of those who get this mail."""
    return tuple(part for part in parts if part.letter is letter)
