"""How fast mail may go to a server and to each recipient domain, and how that grows while an address is new.

It says when the next mail may go, and never waits: `Rates.next_at`, then, when the mail goes, `Rates.take`. All
moments are handed in, and counted in UTC, so that neither a zone nor its summer time adds or takes an hour.

Every limit is kept in *any* span of its length, not only between two strokes of a clock: ten a second means that no
second, whenever it begins, sees eleven; and a day is any 24 hours, as the quotas of hosted relays are counted.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, takewhile
from typing import Any

from attrs import Attribute, define, field, frozen

from .addresses import ascii_domain
from .checks import ConfigurationError, MailError, shown
from .system import EPOCH

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_BEGIN_OF_TIME = datetime.min.replace(tzinfo=UTC)
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
            raise ConfigurationError(
                f"the burst, {self.burst}, is more than the {self.mails} that may go: make it less"
            )

    @property
    def spacing(self) -> timedelta:
        """The time between two mails that follow each other, rounded up to a microsecond."""
        return -(-(self.per // _TICK) // (self.mails - self.burst + 1)) * _TICK


@frozen
class TokenBucket:
    """A `Rate`, and what has been taken of it.

    Attributes:
        rate: what is allowed.
        full_at: when it is full again, if nothing more is taken.
    """

    rate: Rate
    full_at: datetime = EPOCH

    def next_at(self, moment: datetime, /) -> datetime:
        """When the next mail may go, in UTC: at ``moment``, or as soon as possible after it.

        Raises:
            ConfigurationError: the moment has no time zone.
        """
        at = _utc(moment)
        wait = self.full_at - at
        if wait <= timedelta():
            return at
        return _later(at, max(timedelta(), wait - (self.rate.burst - 1) * self.rate.spacing))

    def taken(self, moment: datetime, /) -> "TokenBucket":
        """The bucket when a mail has gone at ``moment``; one that went too early counts all the same.

        Raises:
            ConfigurationError: the moment has no time zone.
        """
        return TokenBucket(self.rate, _later(max(self.full_at, _utc(moment)), self.rate.spacing))

    def is_full(self, moment: datetime, /) -> bool:
        """Whether it is as good as new."""
        return self.full_at <= _utc(moment)


def _in_order(limits: Mapping[date, int]) -> tuple[tuple[date, int], ...]:
    if not isinstance(limits, Mapping):
        raise ConfigurationError(f"limits is {shown(limits)}: give a table such as {{date(2026, 1, 5): 50, ...}}")
    for day, limit in limits.items():
        if not isinstance(day, date) or isinstance(day, datetime):
            raise ConfigurationError(f"limits names the day {shown(day)}: write date(2026, 1, 5)")
        _mails(limit, f"the limit of {day}", least=0)
    return tuple(sorted(limits.items()))


@frozen
class WarmUp:
    """How many mails in 24 hours, by date, while an address is new.

    Each limit holds from its date (UTC) until the next. Before the first, no mail goes.

    Attributes:
        limits: the dates and their limits; given as a mapping, kept in order.

    Raises:
        ConfigurationError: there is no limit, one cannot be, or the last one is 0, so that mail would wait for ever.
    """

    limits: tuple[tuple[date, int], ...] = field(converter=_in_order)

    def __attrs_post_init__(self) -> None:
        if not self.limits:
            raise ConfigurationError("limits is empty: name at least one date and its limit")
        if not self.limits[-1][1]:
            raise ConfigurationError(
                "the last limit is 0, so mail would wait for ever: name a date from which it may go"
            )

    @classmethod
    def always(cls, limit: int) -> "WarmUp":
        """The same limit on every day there is."""
        return cls({date.min: limit})

    @classmethod
    def growing(cls, *, start: date, first: int, growth: float, top: int) -> "WarmUp":
        """From ``first`` mails on the day ``start``, each day ``growth`` times as many, up to ``top``.

        Raises:
            ConfigurationError: a number cannot be; ``growth`` is 1.01 to 10.
        """
        _mails(first, "first", least=1)
        _mails(top, "top", least=first)
        if isinstance(growth, bool) or not isinstance(growth, int | float) or not 1.01 <= growth <= 10:
            raise ConfigurationError(f"growth is {shown(growth)}: use 1.01 to 10, such as 1.5 for half as many again")
        if not isinstance(start, date) or isinstance(start, datetime):
            raise ConfigurationError(f"start is {shown(start)}: write date(2026, 1, 5)")
        climb = takewhile(lambda limit: limit < top, (int(first * growth**day) for day in count()))
        try:
            return cls({start + day * _DAY: limit for day, limit in enumerate((*climb, top))})
        except OverflowError as error:
            raise ConfigurationError(f"from {start} on, the calendar ends before {top} is reached") from error

    def on(self, day: date, /) -> int:
        """How many on that day (UTC)."""
        place = bisect_right(self.limits, day, key=lambda entry: entry[0])
        return self.limits[place - 1][1] if place else 0


_QUARTER = timedelta(minutes=15)
_QUARTERS_COUNTED = _DAY // _QUARTER + 1


@frozen
class DayTally:
    """A `WarmUp`, and what has gone in the last 24 hours, at any moment no more than that day's limit.

    It is counted by quarters of an hour, each of them until all of it is 24 hours past: so a mail may be told to wait
    up to 15 minutes longer than it must, and never less.

    Attributes:
        warm_up: what is allowed.
        quarters: how many went, by quarters of an hour since 1970; those past are left out.
    """

    warm_up: WarmUp
    quarters: tuple[tuple[int, int], ...] = ()

    def next_at(self, moment: datetime, /) -> datetime:
        """When the next mail may go, in UTC: at ``moment``, or as soon as possible after it.

        Raises:
            ConfigurationError: the moment has no time zone.
        """
        at = max(_utc(moment), self._last)
        if self._allows(at):
            return at
        # Between two of these nothing changes.
        changes = [_begin(quarter + _QUARTERS_COUNTED) for quarter, _ in self.quarters]
        changes += [datetime.combine(day, time(), UTC) for day, _ in self.warm_up.limits]
        return next((change for change in sorted(changes) if change > at and self._allows(change)), _END_OF_TIME)

    def taken(self, moment: datetime, /) -> "DayTally":
        """The tally when a mail has gone at ``moment``; one that went too early counts all the same.

        Raises:
            ConfigurationError: the moment has no time zone.
        """
        now = _quarter(max(_utc(moment), self._last))
        *before, (last, mails) = self._counted(now) or ((now, 0),)
        latest = ((now, mails + 1),) if last == now else ((last, mails), (now, 1))
        return DayTally(self.warm_up, (*before, *latest))

    def is_empty(self, moment: datetime, /) -> bool:
        """Whether it is as good as new."""
        return not self._counted(_quarter(_utc(moment)))

    @property
    def _last(self) -> datetime:
        # A clock that goes back would find what it had counted forgotten: until it has caught up, it stands still.
        return _begin(self.quarters[-1][0]) if self.quarters else _BEGIN_OF_TIME

    def _allows(self, at: datetime) -> bool:
        return sum(mails for _, mails in self._counted(_quarter(at))) < self.warm_up.on(at.date())

    def _counted(self, now: int) -> tuple[tuple[int, int], ...]:
        return self.quarters[bisect_right(self.quarters, now - _QUARTERS_COUNTED, key=_when) :]


def _quarter(at: datetime) -> int:
    return (at - EPOCH) // _QUARTER


def _begin(quarter: int) -> datetime:
    return _later(EPOCH, quarter * _QUARTER)


def _when(quarter: tuple[int, int]) -> int:
    return quarter[0]


def _warm_up(daily: "int | WarmUp | None") -> WarmUp | None:
    return daily if daily is None or isinstance(daily, WarmUp) else WarmUp.always(_mails(daily, "daily", least=1))


def _a_rate(_instance: object, _attribute: "Attribute[Any]", rate: Rate | None) -> None:
    if rate is not None and not isinstance(rate, Rate):
        raise ConfigurationError(f"rate is {shown(rate)}: write Rate(10) for ten a second")


@frozen
class Allowance:
    """How much mail may go somewhere. Left out, a limit is none.

    Attributes:
        rate: how many in a short while.
        daily: how many in any 24 hours: a number, or a `WarmUp`.

    Raises:
        ConfigurationError: a limit cannot be.
    """

    rate: Rate | None = field(default=None, validator=_a_rate)
    daily: WarmUp | None = field(default=None, converter=_warm_up)


@frozen
class _Account:
    """An allowance, and what has been taken of it."""

    bucket: TokenBucket | None
    tally: DayTally | None

    @classmethod
    def opened(cls, allowance: Allowance) -> "_Account":
        return cls(
            None if allowance.rate is None else TokenBucket(allowance.rate),
            None if allowance.daily is None else DayTally(allowance.daily),
        )

    def next_at(self, at: datetime) -> datetime:
        if self.bucket is not None:
            at = self.bucket.next_at(at)
        return at if self.tally is None else self.tally.next_at(at)

    def taken(self, at: datetime) -> "_Account":
        return _Account(
            None if self.bucket is None else self.bucket.taken(at),
            None if self.tally is None else self.tally.taken(at),
        )

    def is_new(self, at: datetime) -> bool:
        return (self.bucket is None or self.bucket.is_full(at)) and (self.tally is None or self.tally.is_empty(at))


_UNLIMITED = _Account.opened(Allowance())


def _by_name(domains: Mapping[str, Allowance]) -> dict[str, Allowance]:
    if not isinstance(domains, Mapping):
        raise ConfigurationError(f"domains is {shown(domains)}: give a table such as {{'example.net': Allowance(...)}}")
    return {_name(domain): allowance for domain, allowance in domains.items()}


def _allowances(
    _instance: object, attribute: "Attribute[Any]", allowances: Allowance | Mapping[str, Allowance]
) -> None:
    for allowance in allowances.values() if isinstance(allowances, Mapping) else [allowances]:
        if not isinstance(allowance, Allowance):
            raise ConfigurationError(
                f"{attribute.name} names {shown(allowance)}: write Allowance(Rate(10), daily=5000)"
            )


def _some_domains(_instance: object, attribute: "Attribute[Any]", most: int) -> None:
    _mails(most, attribute.name, least=1)


@define(eq=False, kw_only=True)
class Rates:
    """How fast mail may go to one server, and through it to each recipient domain.

    Ask `next_at` when a mail may go, and tell `take` when it goes: not before, since what is taken for later holds up
    everybody else. Moments are told in their order. One thread at a time may use it.

    What was taken is kept in memory: after a restart, `take` what the journal says of the last 24 hours.

    Attributes:
        server: for all mail.
        domain: for each recipient domain that is not named in ``domains``.
        domains: for domains of their own kind, by name.
        most_domains: how many domains are remembered at a time, at some 500 bytes each. Those beyond share one
            allowance until another domain has been quiet for so long that it can be forgotten: they may be held up, and
            never go too fast.

    Raises:
        ConfigurationError: a part is not what it should be.
    """

    server: Allowance = field(default=Allowance(), validator=_allowances)
    domain: Allowance = field(default=Allowance(), validator=_allowances)
    domains: Mapping[str, Allowance] = field(factory=dict, converter=_by_name, validator=_allowances)
    most_domains: int = field(default=50_000, validator=_some_domains)
    _all: _Account = field(init=False, repr=False)
    _named: dict[str, _Account] = field(init=False, repr=False)
    _remembered: "OrderedDict[str, _Account]" = field(factory=OrderedDict, init=False, repr=False)
    _others: _Account = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._all = _Account.opened(self.server)
        self._named = {name: _Account.opened(allowance) for name, allowance in self.domains.items()}
        self._others = _Account.opened(self.domain)

    def next_at(self, moment: datetime, domain: str, /) -> datetime:
        """When a mail to somebody at that domain may go, in UTC: at ``moment``, or as soon as possible after it.

        Raises:
            ConfigurationError: the moment has no time zone, or the domain is none.
        """
        at, name = _utc(moment), _name(domain)
        accounts = (self._all, self._named.get(name) or self._remembered.get(name, self._others))
        while at != (later := accounts[1].next_at(accounts[0].next_at(at))):
            at = later
        return at

    def take(self, moment: datetime, domain: str, /) -> None:
        """A mail to somebody at that domain goes, at ``moment``; one that goes too early counts all the same.

        Raises:
            ConfigurationError: the moment has no time zone, or the domain is none.
        """
        at, name = _utc(moment), _name(domain)
        self._all = self._all.taken(at)
        if name in self._named:
            self._named[name] = self._named[name].taken(at)
        elif self._others == _UNLIMITED:
            return
        elif name in self._remembered or self._has_room(at):
            # A domain not known so far may be among those that shared: what they took may have been its own.
            self._remembered[name] = self._remembered.get(name, self._others).taken(at)
            self._remembered.move_to_end(name)
        else:
            self._others = self._others.taken(at)

    def _has_room(self, at: datetime) -> bool:
        """Whether another domain can be remembered, if need be in place of the one that was quiet for longest."""
        if len(self._remembered) >= self.most_domains and next(iter(self._remembered.values())).is_new(at):
            self._remembered.popitem(last=False)
        return len(self._remembered) < self.most_domains


def _name(domain: str) -> str:
    if not isinstance(domain, str):
        raise ConfigurationError(f"the domain is {shown(domain)}: write its name, such as 'example.net'")
    try:
        return ascii_domain(domain)
    except MailError as error:
        raise ConfigurationError(f"mail to the domain {shown(domain)} goes nowhere: {error}") from error


def _utc(moment: datetime) -> datetime:
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ConfigurationError(f"the moment is {moment!r}, with no time zone: use datetime.now(UTC)")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ConfigurationError(f"the moment is {moment}, which UTC has no year for") from error


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return _END_OF_TIME
