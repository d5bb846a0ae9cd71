"""How fast mail may go to a server and to each recipient domain, and how that grows while an address is new.

It says when the next mail may go, and never waits: `Rates.next_at`, then, when the mail has gone, `Rates.taken`. All
moments are handed in, and counted in UTC, so that neither a zone nor its summer time adds or takes an hour.

Every limit is kept in *any* span of its length, not only between two strokes of a clock: ten a second means that no
second, whenever it begins, sees eleven; and a day is any 24 hours, as the quotas of hosted relays are counted.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Any

from attrs import Attribute, define, evolve, field, frozen

from .addresses import ascii_domain
from .checks import ConfigurationError, MailError, shown

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_MOST_MAILS = 1_000_000_000


def _a_number_of_mails(_instance: object, attribute: "Attribute[Any]", number: int) -> None:
    _mails(number, attribute.name, least=1)


def _mails(number: int, what: str, *, least: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= _MOST_MAILS:
        raise ConfigurationError(f"{what} is {shown(number)}: use a whole number from {least} to {_MOST_MAILS:,}")
    return number


def _a_span(_instance: object, attribute: "Attribute[Any]", span: timedelta) -> None:
    if not isinstance(span, timedelta) or not timedelta() < span <= _DAY:
        raise ConfigurationError(f"{attribute.name} is {shown(span)}: use a timedelta above 0, up to a day")


@frozen
class Rate:
    """So many mails in any span of so long.

    They are spaced evenly; save that, after a pause, ``burst`` of them may go at once. What may go at once is taken out
    of what comes after, so that no span ever sees more than ``mails``: five a second with a burst of four is four at
    once, and then one each half second.

    Attributes:
        mails: how many.
        per: the span; a second unless said otherwise, a day at most.
        burst: how many of them at once.

    Raises:
        ConfigurationError: a number cannot be, or the burst is more than ``mails``.
    """

    mails: int = field(validator=_a_number_of_mails)
    per: timedelta = field(default=timedelta(seconds=1), validator=_a_span)
    burst: int = field(default=1, kw_only=True, validator=_a_number_of_mails)

    def __attrs_post_init__(self) -> None:
        if self.burst > self.mails:
            raise ConfigurationError(f"the burst, {self.burst}, is more than the {self.mails} that may go: make it less")

    @property
    def spacing(self) -> timedelta:
        """The time between two mails that follow each other, rounded up to a microsecond."""
        return -(-self.per // (self.mails - self.burst + 1) // _TICK) * _TICK
