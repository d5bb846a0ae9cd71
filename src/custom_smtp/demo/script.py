"""The story that the demo plays: what the servers say, what is reported, and what each person does.

The figures that the report must show are worked out from this page alone (see `expected`).
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from itertools import cycle, repeat

from attrs import evolve, frozen

from ..mail import Mail
from .letters import Letter
from .people import PEOPLE, Person
from .relays import PLAIN, RELAYS

UNKNOWN = "550 5.1.1 no such user here"
BUSY = "451 4.2.0 the mailbox is busy, try again later"


class Told(Enum):
    """What is reported of a mail after a server took it: by its provider, or, of the plain server's, by mail."""

    DELIVERED = auto()
    DEFERRED = auto()
    BOUNCED = auto()
    FULL = auto()
    COMPLAINED = auto()
    UNSUBSCRIBED = auto()
    AWAY = auto()


class Reads(Enum):
    """How a mail is read."""

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
        reads: how it is read, one after the other; never, where it stands for nobody.
        follows: the words of the links that the person clicks then.
    """

    refused: str = ""
    told: tuple[Told, ...] = (Told.DELIVERED,)
    reads: tuple[Reads, ...] = ()
    follows: tuple[str, ...] = ()


def _clicks(*words: str, reads: Reads = Reads.IN_A_BROWSER) -> Role:
    return Role(reads=(reads,), follows=words)


def _by_a_plain_server(role: Role, *told: Told) -> Role:
    """The same, where nobody says that a mail was delivered."""
    return evolve(role, told=told)


_SILENT = Role()
_ON_ITS_WAY = Role(told=())
_OPENS = Role(reads=(Reads.IN_A_BROWSER,))
_OPENS_IN_GMAIL = Role(reads=(Reads.BY_GMAIL,))
_IS_PREFETCHED = Role(reads=(Reads.PREFETCHED,))
_IS_SCANNED = Role(reads=(Reads.SCANNED,))
_DOES_NOT_EXIST = Role(refused=UNKNOWN)
_IS_BUSY = Role(refused=BUSY)
_BOUNCES = Role(told=(Told.BOUNCED,))
_BOUNCES_LATER = Role(told=(Told.DELIVERED, Told.BOUNCED))
_LEAVES = Role(told=(Told.DELIVERED, Told.UNSUBSCRIBED), reads=(Reads.IN_A_BROWSER,), follows=("Unsubscribe",))
_IS_PUT_OFF = Role(told=(Told.DEFERRED, Told.DELIVERED))
_COMPLAINS = Role(
    told=(Told.DELIVERED, Told.COMPLAINED),
    reads=(Reads.SCANNED, Reads.BY_GMAIL, Reads.IN_A_BROWSER),
    follows=("See the Huila",),
)
"""The whole way: a filter looks at the links, a proxy shows the mail, a person clicks, and then calls it spam."""

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
        (_BOUNCES, 1),
        (_COMPLAINS, 1),
        (_BOUNCES_LATER, 1),
        (_IS_PUT_OFF, 2),
        (_ON_ITS_WAY, 1),
        (_DOES_NOT_EXIST, 2),
        (_IS_BUSY, 1),
    ),
    Letter.SHIPPING: (
        (_by_a_plain_server(_clicks("Where is it now?")), 6),
        (_by_a_plain_server(_clicks("Where is it now?", "How we brew it")), 2),
        (_by_a_plain_server(_clicks("https://parcels.example/track", reads=Reads.AS_TEXT)), 1),
        (_by_a_plain_server(_OPENS), 2),
        (_by_a_plain_server(_IS_PREFETCHED), 2),
        (_by_a_plain_server(_SILENT), 1),
        (_by_a_plain_server(_OPENS, Told.COMPLAINED), 1),
        (_by_a_plain_server(_SILENT, Told.AWAY), 1),
        (_by_a_plain_server(_SILENT, Told.BOUNCED), 1),
        (_by_a_plain_server(_SILENT, Told.FULL), 1),
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


@frozen
class Part:
    """One person, the mail they get, the server that it goes through, and their role."""

    person: Person
    letter: Letter
    server: str
    role: Role

    @property
    def mail(self) -> Mail:
        """The mail to them."""
        return self.letter.written_to(self.person, lot(self.letter, self.server))


def lot(letter: Letter, server: str) -> str:
    """A campaign type of one's own: this mail, to those who get it through this server."""
    return f"{letter.title}, {server}"


def _servers(letter: Letter) -> Iterator[str]:
    """The shipping notices go through the plain server; of anything else each relay gets a sixth, to be compared."""
    return repeat(PLAIN) if letter is Letter.SHIPPING else cycle(RELAYS)


def _parts() -> Iterator[Part]:
    people = iter(PEOPLE)
    for letter, roles in CAST.items():
        servers = _servers(letter)
        for role, count in roles:
            for _ in range(count):
                yield Part(next(people), letter, next(servers), role)


PARTS = tuple(_parts())
"""Everybody's part."""


def of_letter(letter: Letter, parts: Iterable[Part] = PARTS) -> tuple[Part, ...]:
    """The parts of those who get this mail."""
    return tuple(part for part in parts if part.letter is letter)


def through(server: str, parts: Iterable[Part] = PARTS) -> tuple[Part, ...]:
    """The parts of those whose mail goes through this server."""
    return tuple(part for part in parts if part.server == server)
