"""When things happen in the demo: a day that goes by in a second, the same one each time."""

from datetime import UTC, datetime, timedelta

from .letters import Letter
from .script import Part, Told, of_letter

BEGIN = datetime(2026, 10, 23, 7, tzinfo=UTC)
"""The morning on which the newsletter leaves."""

END = BEGIN + timedelta(hours=13)
"""The evening on which everything has been reported."""

_LEAVES = {
    Letter.NEWSLETTER: (timedelta(0), timedelta(seconds=4)),
    Letter.SHIPPING: (timedelta(minutes=50), timedelta(minutes=27)),
    Letter.RESTOCK: (timedelta(hours=5), timedelta(seconds=4)),
}
"""When the first mail of each kind leaves, and how long after it the next."""

_TOLD = {
    Told.DEFERRED: timedelta(seconds=3),
    Told.DELIVERED: timedelta(seconds=2),
    Told.BOUNCED: timedelta(minutes=3),
    Told.FULL: timedelta(minutes=48),
    Told.AWAY: timedelta(minutes=1),
    Told.UNSUBSCRIBED: timedelta(hours=3),
    Told.COMPLAINED: timedelta(hours=3, minutes=20),
}
"""How long after the mail was sent each thing happens, after whatever was told of it before."""

SCANNED = timedelta(seconds=9)
PREFETCHED = timedelta(seconds=40)
BETWEEN = timedelta(seconds=48)
"""How long a person takes from one thing to the next."""


def sent_at(part: Part) -> datetime:
    """When this person's mail leaves."""
    first, apart = _LEAVES[part.letter]
    return BEGIN + first + apart * of_letter(part.letter).index(part)


def told_at(part: Part, told: Told) -> datetime:
    """When what is reported of it happened: one that was put off is delivered later."""
    before = part.role.told[: part.role.told.index(told)] if told in part.role.told else ()
    late = timedelta(minutes=14) if Told.DEFERRED in before else timedelta(0)
    return sent_at(part) + _TOLD[told] + late


def read_at(part: Part) -> datetime:
    """When the person looks at it: most soon, some not until the evening."""
    return sent_at(part) + timedelta(minutes=4) * 1.16 ** (part.person.number * 7 % 27)
