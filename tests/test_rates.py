"""How fast mail may go, and when the next one may."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.rates import Allowance, DayTally, Rate, Rates, TokenBucket, WarmUp

from .strategies import moments, zones

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY, SECOND, TICK = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)
LAST = datetime.max.replace(tzinfo=UTC)

rates = st.integers(1, 40).flatmap(
    lambda mails: st.builds(
        Rate,
        st.just(mails),
        st.timedeltas(timedelta(microseconds=3), timedelta(minutes=2)),
        burst=st.integers(1, mails),
    )
)
warm_ups = st.builds(
    lambda limits, last: WarmUp({**limits, max([*limits, NOON.date()]): last}),
    st.dictionaries(st.dates(date(2025, 12, 30), date(2026, 1, 8)), st.integers(0, 6), max_size=5),
    st.integers(1, 6),
)


def most_within(span: timedelta, times: Sequence[datetime]) -> int:
    """The most mails in any span of so long, its end left out."""
    times = sorted(times)
    return max(bisect_left(times, first + span) - place for place, first in enumerate(times))


def sent(limit: Any, gaps: Sequence[timedelta], taken: Callable[[Any, datetime], Any]) -> list[datetime]:
    """When mails go that are each asked for so long after the one before went, and go as soon as they may."""
    times, now = [], NOON
    for gap in gaps:
        now = limit.next_at(now + gap)
        limit = taken(limit, now)
        times.append(now)
    return times


# Rates


@given(rate=rates, waits=st.lists(st.floats(0, 1.5), min_size=1, max_size=120))
def test_no_span_ever_sees_more_than_its_rate(rate: Rate, waits: list[float]) -> None:
    times = sent(TokenBucket(rate), [wait * wait * rate.per for wait in waits], TokenBucket.taken)
    assert most_within(rate.per, times) <= rate.mails


@given(rate=rates)
def test_after_a_pause_the_burst_goes_at_once_and_the_rest_evenly(rate: Rate) -> None:
    times = sent(TokenBucket(rate), [timedelta()] * (rate.burst + 5), TokenBucket.taken)
    assert times == [NOON] * rate.burst + [NOON + place * rate.spacing for place in range(1, 6)]


@given(rate=rates)
def test_a_full_rate_is_used_but_for_rounding(rate: Rate) -> None:
    times = sent(TokenBucket(rate), [timedelta()] * rate.mails, TokenBucket.taken)
    rounding = rate.mails * TICK
    assert times[-1] - NOON < rate.per + rounding


def test_ten_a_second_is_one_each_tenth() -> None:
    times = sent(TokenBucket(Rate(10)), [timedelta()] * 30, TokenBucket.taken)
    assert times[-1] - times[0] == timedelta(seconds=2.9)
    assert most_within(SECOND, times) == 10


def test_a_burst_is_taken_out_of_what_comes_after() -> None:
    times = sent(TokenBucket(Rate(5, burst=4)), [timedelta()] * 6, TokenBucket.taken)
    assert [(at - NOON) / SECOND for at in times] == [0, 0, 0, 0, 0.5, 1]


@given(rate=rates, waits=st.lists(st.timedeltas(timedelta(), DAY), max_size=5), gap=st.timedeltas(timedelta(), DAY))
def test_to_ask_later_is_never_to_go_earlier(rate: Rate, waits: list[timedelta], gap: timedelta) -> None:
    bucket = TokenBucket(rate)
    for wait in waits:
        bucket = bucket.taken(NOON + wait)
    early, late = bucket.next_at(NOON), bucket.next_at(NOON + gap)
    assert NOON <= early <= late
    assert late >= NOON + gap
    assert bucket.next_at(late) == late
    assert bucket.taken(late).next_at(NOON) >= early


@given(rate=rates, at=moments, zone=zones)
def test_a_bucket_knows_no_zones(rate: Rate, at: datetime, zone: Any) -> None:
    bucket = TokenBucket(rate).taken(at)
    assert TokenBucket(rate).taken(at.astimezone(zone)) == bucket
    assert bucket.next_at(at.astimezone(zone)) == bucket.next_at(at)
    assert bucket.next_at(at).tzinfo is UTC


def test_summer_time_neither_adds_nor_takes_an_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 3, 29, 1, 30, tzinfo=berlin)  # at 2:00 the clocks go on to 3:00
    bucket = TokenBucket(Rate(1, timedelta(hours=1))).taken(before)
    assert bucket.next_at(before) - before.astimezone(UTC) == timedelta(hours=1)


def test_a_mail_that_went_too_early_counts_all_the_same() -> None:
    bucket = TokenBucket(Rate(1)).taken(NOON).taken(NOON).taken(NOON)
    assert bucket.next_at(NOON) == NOON + 3 * SECOND


def test_a_bucket_is_full_again_after_a_while() -> None:
    bucket = TokenBucket(Rate(1)).taken(NOON)
    assert not bucket.is_full(NOON + SECOND - TICK)
    assert bucket.is_full(NOON + SECOND)


def test_the_greatest_burst_and_the_ends_of_the_calendar_are_borne() -> None:
    rate = Rate(1_000_000_000, DAY, burst=1_000_000_000)
    assert TokenBucket(rate).taken(NOON).next_at(NOON) == NOON
    assert TokenBucket(Rate(1, DAY)).taken(LAST).next_at(LAST) == LAST
    first = datetime.min.replace(tzinfo=UTC)
    assert TokenBucket(Rate(1, DAY)).taken(first).next_at(first) == datetime(1970, 1, 2, tzinfo=UTC)


# Days and warm-up


@given(
    warm_up=warm_ups,
    gaps=st.lists(st.timedeltas(timedelta(), timedelta(hours=30)).map(lambda gap: gap / 3), min_size=1, max_size=40),
)
def test_no_24_hours_ever_see_more_than_the_limit_of_the_day_they_end_on(
    warm_up: WarmUp, gaps: list[timedelta]
) -> None:
    times = sent(DayTally(warm_up), gaps, DayTally.taken)
    for place, at in enumerate(times):
        within = [other for other in times[: place + 1] if other > at - DAY]
        assert len(within) <= warm_up.on(at.date())


@given(
    limit=st.integers(1, 9),
    gaps=st.lists(st.sampled_from([timedelta(), timedelta(minutes=1), timedelta(hours=5)]), min_size=1, max_size=40),
    ahead=st.randoms(),
)
def test_out_of_order_by_a_little_it_holds_too(limit: int, gaps: list[timedelta], ahead: Any) -> None:
    tally, now, times = DayTally(WarmUp.always(limit)), NOON, []
    for gap in gaps:
        now += gap
        at = tally.next_at(now - timedelta(minutes=ahead.randrange(30)))
        tally = tally.taken(at)
        times.append(at)
    assert most_within(DAY, times) <= limit


@given(
    warm_up=warm_ups,
    takes=st.lists(st.timedeltas(timedelta(), 2 * DAY), max_size=10),
    gap=st.timedeltas(timedelta(), 3 * DAY),
)
def test_a_day_asked_later_never_lets_go_earlier(warm_up: WarmUp, takes: list[timedelta], gap: timedelta) -> None:
    tally = DayTally(warm_up)
    for wait in sorted(takes):
        tally = tally.taken(NOON + wait)
    now = NOON + max(takes, default=timedelta())
    early, late = tally.next_at(now), tally.next_at(now + gap)
    assert now <= early <= late
    assert tally.next_at(late) == late
    assert tally.taken(late).next_at(now) >= early


@given(takes=st.lists(st.timedeltas(timedelta(), 40 * DAY), max_size=300))
def test_a_tally_remembers_no_more_than_a_day(takes: list[timedelta]) -> None:
    tally = DayTally(WarmUp.always(5))
    for wait in sorted(takes):
        tally = tally.taken(NOON + wait)
    assert len(tally.quarters) <= 97
    assert sum(mails for _, mails in tally.quarters) <= len(takes)


@given(at=moments, zone=zones)
def test_a_day_is_the_same_in_every_zone(at: datetime, zone: Any) -> None:
    warm_up = WarmUp.always(1)
    tally = DayTally(warm_up).taken(at)
    assert DayTally(warm_up).taken(at.astimezone(zone)) == tally
    free = tally.next_at(at)
    assert tally.next_at(at.astimezone(zone)) == free
    assert timedelta(hours=24) <= free - at.astimezone(UTC) <= timedelta(hours=24, minutes=15)


def test_the_day_of_a_limit_is_the_day_in_utc() -> None:
    tally = DayTally(WarmUp({date(2026, 1, 5): 1}))
    evening_in_new_york = datetime(2026, 1, 4, 18, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert tally.next_at(evening_in_new_york) == datetime(2026, 1, 5, tzinfo=UTC)
    assert tally.next_at(evening_in_new_york + timedelta(hours=1)) == datetime(2026, 1, 5, 0, 30, tzinfo=UTC)


def test_a_higher_limit_lets_more_go_at_midnight_before_the_day_before_is_past() -> None:
    tally = DayTally(WarmUp({date(2026, 1, 2): 2, date(2026, 1, 3): 3}))
    for _ in range(2):
        tally = tally.taken(NOON)
    midnight = datetime(2026, 1, 3, tzinfo=UTC)
    assert tally.next_at(NOON) == midnight
    assert tally.taken(midnight).next_at(midnight) == datetime(2026, 1, 3, 12, 15, tzinfo=UTC)


def test_a_day_that_is_past_is_forgotten() -> None:
    tally = DayTally(WarmUp.always(1)).taken(NOON)
    assert not tally.is_empty(NOON + DAY)
    assert tally.is_empty(NOON + DAY + timedelta(minutes=15))


def test_where_the_calendar_ends_there_is_no_later() -> None:
    assert DayTally(WarmUp.always(1)).taken(LAST - timedelta(hours=1)).next_at(LAST - timedelta(hours=1)) == LAST


def test_each_limit_holds_until_the_next() -> None:
    warm_up = WarmUp({date(2026, 1, 9): 500, date(2026, 1, 5): 50})
    assert [warm_up.on(date(2026, 1, day)) for day in (4, 5, 8, 9, 30)] == [0, 50, 50, 500, 500]


@given(
    first=st.integers(1, 1000), growth=st.floats(1.01, 10), more=st.integers(0, 10**9 - 1000), on=st.integers(0, 2000)
)
def test_a_growing_limit_grows_to_its_top(first: int, growth: float, more: int, on: int) -> None:
    start = date(2026, 1, 5)
    warm_up = WarmUp.growing(start=start, first=first, growth=growth, top=first + more)
    limits = [warm_up.on(start + day * DAY) for day in (-1, 0, on, on + 1, 2100)]
    assert limits[:2] == [0, first]
    assert limits[-1] == first + more
    assert limits == sorted(limits)
    assert limits[2] == min(first + more, int(first * growth**on)) if on < 100 else limits[2] >= first


def test_half_as_many_again_each_day() -> None:
    warm_up = WarmUp.growing(start=date(2026, 1, 5), first=50, growth=1.5, top=200)
    assert [limit for _, limit in warm_up.limits] == [50, 75, 112, 168, 200]


# A server and its domains


def test_the_slowest_limit_decides() -> None:
    limits = Rates(
        server=Allowance(Rate(10)),
        domain=Allowance(Rate(2)),
        domains={"slow.example": Allowance(Rate(1, timedelta(minutes=1)))},
    )
    for domain in ("fast.example", "slow.example"):
        limits.take(NOON, domain)
    waits = {
        domain: limits.next_at(NOON, domain) - NOON for domain in ("other.example", "fast.example", "slow.example")
    }
    assert [wait / SECOND for wait in waits.values()] == [0.2, 0.5, 60]


def test_a_domain_is_one_however_it_is_written() -> None:
    limits = Rates(domain=Allowance(Rate(1)), domains={"Bücher.example": Allowance(Rate(1, timedelta(hours=1)))})
    limits.take(NOON, "Example.NET.")
    assert limits.next_at(NOON, "example.net") == NOON + SECOND
    limits.take(NOON, "xn--bcher-kva.example")
    assert limits.next_at(NOON, "bücher.example") == NOON + timedelta(hours=1)


def test_without_limits_mail_goes_at_once_and_nothing_is_remembered() -> None:
    limits = Rates(domains={"slow.example": Allowance(Rate(1))})
    for number in range(50):
        limits.take(NOON, f"d{number}.example")
    assert limits.next_at(NOON, "d1.example") == NOON
    assert not limits._remembered


def test_what_one_limit_puts_off_must_suit_the_other_too() -> None:
    # By its rate it may go at 23:59 of the last good day; on the next day it may not go at all.
    late = datetime(2026, 1, 2, 23, 59, tzinfo=UTC)
    holiday = WarmUp({date(2026, 1, 1): 9, date(2026, 1, 3): 0, date(2026, 1, 4): 9})
    limits = Rates(server=Allowance(daily=holiday), domain=Allowance(Rate(1, timedelta(minutes=2))))
    limits.take(late, "example.net")
    assert limits.next_at(late, "example.net") == datetime(2026, 1, 4, tzinfo=UTC)
    assert limits.next_at(late, "example.org") == late


@given(
    mails=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.timedeltas(timedelta(), timedelta(seconds=3))), min_size=1, max_size=80
    ),
    most=st.integers(1, 4),
)
def test_no_domain_goes_too_fast_however_few_are_remembered(mails: list[tuple[str, timedelta]], most: int) -> None:
    limits = Rates(
        server=Allowance(Rate(4, burst=2)),
        domain=Allowance(Rate(2), daily=12),
        domains={"a.example": Allowance(Rate(3, burst=3))},
        most_domains=most,
    )
    now, went = NOON, []
    for letter, gap in mails:
        now = limits.next_at(now + gap, f"{letter}.example")
        limits.take(now, f"{letter}.example")
        went.append((letter, now))
    assert len(limits._remembered) <= most
    assert most_within(SECOND, [at for _, at in went]) <= 4
    for letter in {letter for letter, _ in went}:
        times = [at for other, at in went if other == letter]
        assert most_within(SECOND, times) <= (3 if letter == "a" else 2)
        assert letter == "a" or most_within(DAY, times) <= 12


def test_domains_beyond_number_are_bounded_in_memory_and_held_up_rather_than_let_go() -> None:
    limits = Rates(domain=Allowance(Rate(1)), most_domains=100)
    for number in range(10_000):
        limits.take(NOON, f"d{number}.example")
    assert len(limits._remembered) == 100
    assert limits.next_at(NOON, "d50.example") == NOON + SECOND
    assert limits.next_at(NOON, "d9999.example") == NOON + 9900 * SECOND
    later = NOON + 9900 * SECOND
    limits.take(later, "fresh.example")  # those remembered have long been quiet
    assert limits.next_at(later, "fresh.example") == later + SECOND
    assert limits.next_at(later, "another.example") == later
    assert len(limits._remembered) == 100


def test_a_restart_is_made_good_by_the_journal() -> None:
    def made() -> Rates:
        return Rates(server=Allowance(daily=3))

    before, after = made(), made()
    went = [NOON, NOON + SECOND, NOON + timedelta(hours=2)]
    for at in went:
        before.take(at, "example.net")
    for at in went:  # the journal's accepted mails of the last 24 hours
        after.take(at, "example.net")
    assert (
        after.next_at(went[-1], "example.net")
        == before.next_at(went[-1], "example.net")
        == NOON + DAY + timedelta(minutes=15)
    )


# What cannot be

NAIVE = datetime(2026, 1, 2, 12)  # noqa: DTZ001
WRONG: dict[str, Callable[[], object]] = {
    "no mails": lambda: Rate(0),
    "half a mail": lambda: Rate(0.5),  # type: ignore[arg-type]
    "mails by truth": lambda: Rate(True),
    "too many mails": lambda: Rate(10**9 + 1),
    "no time": lambda: Rate(1, timedelta()),
    "a rate by months": lambda: Rate(1, timedelta(days=30)),
    "seconds as a number": lambda: Rate(1, 1),  # type: ignore[arg-type]
    "a burst of none": lambda: Rate(1, burst=0),
    "a burst over its rate": lambda: Rate(5, burst=6),
    "no limits": lambda: WarmUp({}),
    "limits that are no table": lambda: WarmUp(50),  # type: ignore[arg-type]
    "a limit below none": lambda: WarmUp({date(2026, 1, 5): -1}),
    "a limit that is no number": lambda: WarmUp({date(2026, 1, 5): "50"}),  # type: ignore[dict-item]
    "a moment for a date": lambda: WarmUp({NOON: 50}),
    "a text for a date": lambda: WarmUp({"2026-01-05": 50}),  # type: ignore[dict-item]
    "mail that waits for ever": lambda: WarmUp({date(2026, 1, 5): 50, date(2026, 1, 6): 0}),
    "growth that shrinks": lambda: WarmUp.growing(start=date(2026, 1, 5), first=1, growth=0.9, top=5),
    "growth by nan": lambda: WarmUp.growing(start=date(2026, 1, 5), first=1, growth=float("nan"), top=5),
    "growth by truth": lambda: WarmUp.growing(start=date(2026, 1, 5), first=1, growth=True, top=5),
    "a top below the first": lambda: WarmUp.growing(start=date(2026, 1, 5), first=9, growth=2, top=5),
    "growth from nothing": lambda: WarmUp.growing(start=date(2026, 1, 5), first=0, growth=2, top=5),
    "growth past the calendar": lambda: WarmUp.growing(start=date.max, first=1, growth=2, top=5),
    "growth from a moment": lambda: WarmUp.growing(start=NOON, first=1, growth=2, top=5),
    "a day of none": lambda: Allowance(daily=0),
    "a day of a text": lambda: Allowance(daily="many"),  # type: ignore[arg-type]
    "a rate that is a number": lambda: Allowance(10),  # type: ignore[arg-type]
    "a server that is a rate": lambda: Rates(server=Rate(1)),  # type: ignore[arg-type]
    "domains that are a rate": lambda: Rates(domains={"a.example": Rate(1)}),  # type: ignore[dict-item]
    "domains that are no table": lambda: Rates(domains=["a.example"]),  # type: ignore[arg-type]
    "a domain that is none": lambda: Rates(domains={"a@b": Allowance()}),
    "no domains to remember": lambda: Rates(most_domains=0),
    "mail to no domain": lambda: Rates().next_at(NOON, ""),
    "mail gone to no domain": lambda: Rates().take(NOON, "ada@example.net"),
    "mail to a domain that is no text": lambda: Rates().next_at(NOON, None),  # type: ignore[arg-type]
    "a moment without a zone": lambda: Rates().next_at(NAIVE, "example.net"),
    "a taken moment without a zone": lambda: Rates().take(NAIVE, "example.net"),
    "a bucket's moment without a zone": lambda: TokenBucket(Rate(1)).next_at(NAIVE),
    "a tally's date for a moment": lambda: DayTally(WarmUp.always(1)).taken(date(2026, 1, 5)),  # type: ignore[arg-type]
    "a moment that UTC has no year for": lambda: TokenBucket(Rate(1)).taken(
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=5)))
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_is_refused_where_it_is_made(wrong: str) -> None:
    with pytest.raises(ConfigurationError):
        WRONG[wrong]()
