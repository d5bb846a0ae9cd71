"""People or machines, from all that is known of a delivery."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.claims import HONEYPOT
from custom_smtp.errors import ConfigurationError
from custom_smtp.events import (
    About,
    Accepted,
    Attempted,
    Bounced,
    BounceKind,
    Clicked,
    Complained,
    Delivered,
    Event,
    Opened,
    Uncertain,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.readers import AGENTS, Agent, Network, Tables
from custom_smtp.replies import Reply
from custom_smtp.verdicts import AFTER_HEAD, AS_TOLD, JUDGE, SEVERAL, TOO_SOON, Judge, is_human

from .strategies import events as any_events

START = datetime(2026, 1, 2, 5, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36"


def about(seconds: float = 3600, delivery: str | None = "d1", key: str = "") -> About:
    return About(
        delivery_id=None if delivery is None else DeliveryId(delivery),
        recipient="ada@example.net",
        at=START + timedelta(seconds=seconds),
        source="tracking",
        key=key or f"k{seconds}",
    )


def click(seconds: float = 3600, url: str = "a", *, delivery: str | None = "d1", **told: Any) -> Clicked:
    return Clicked(about(seconds, delivery, f"{url} {seconds}"), f"https://shop.example/{url}", **told)


def machines(*events: Event, judge: Judge = JUDGE) -> list[tuple[str, ...]]:
    """The evidence against each click; of a person's there is none."""
    judged = judge.final(events)
    assert len(judged) == len(events)
    clicks = [event for event in judged if isinstance(event, Clicked)]
    assert all(event.machine is bool(event.evidence) for event in clicks)
    return [event.evidence for event in clicks]


ACCEPTED = Accepted(about(0), Reply(250))


# ---- What an event's own facts say


def test_a_click_with_a_common_browser_is_a_persons() -> None:
    one = click(user_agent=CHROME, client="192.0.2.1")
    assert JUDGE.final([one]) == [one]
    assert is_human(one)


@pytest.mark.parametrize(
    ("user_agent", "proxied", "prefetched", "machine"),
    [
        ("Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", True, False, False),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", True, False, False),
        ("Mozilla/5.0", False, True, False),
        ("Gmail-content-sampling", False, True, True),
        ("curl/8.5.0", False, True, True),
        (CHROME, False, False, False),
    ],
)
def test_known_programs_are_told_apart(user_agent: str, proxied: bool, prefetched: bool, machine: bool) -> None:
    opened, clicked = JUDGE.first(Opened(about(), user_agent=user_agent)), JUDGE.first(click(user_agent=user_agent))
    assert isinstance(opened, Opened)
    assert isinstance(clicked, Clicked)
    assert (opened.proxied, opened.prefetched, clicked.machine) == (proxied, prefetched, machine)
    assert bool(opened.evidence) is (proxied or prefetched)
    assert bool(clicked.evidence) is machine


@pytest.mark.parametrize("user_agent", ["", "hashed:0123456789abcdef"])
def test_a_verdict_whose_fact_was_not_kept_stands(user_agent: str) -> None:
    told = click(machine=True, evidence=("curl",), user_agent=user_agent)
    assert JUDGE.final([told]) == [told]


def test_a_verdict_whose_fact_was_kept_is_judged_anew() -> None:
    known = Agent(evidence="Scan9", part="Scan9", machine=True, source="s", as_of="2027-01")
    better = Judge(tables=Tables(agents=(*AGENTS, known)))
    before = click(user_agent="Scan9/1")
    [after] = better.final([before])
    assert after == evolve(before, machine=True, evidence=("Scan9",))
    assert JUDGE.final([before]) == [before]


def test_a_row_that_proved_wrong_can_be_taken_back() -> None:
    wrong = click(user_agent="curl/8.5.0", machine=True, evidence=("curl",))
    tables = Tables(agents=tuple(evolve(agent, machine=False, proxied=True) for agent in AGENTS))
    [judged] = Judge(tables=tables).final([wrong])
    assert judged == evolve(wrong, machine=False, evidence=())


def test_evidence_that_is_no_rows_stands() -> None:
    told = click(machine=True, evidence=("HEAD", "curl"), user_agent=CHROME)
    assert JUDGE.final([told]) == [evolve(told, evidence=("HEAD",))]


@pytest.mark.parametrize("evidence", [(), ("sg_machine_open",)])
def test_a_providers_word_stands(evidence: tuple[str, ...]) -> None:
    told = Opened(about(), prefetched=True, evidence=evidence, user_agent=CHROME, second_hand=True)
    assert JUDGE.final([told]) == [told]


def test_a_word_without_a_reason_stands_beside_what_was_found() -> None:
    told = Opened(about(), prefetched=True, user_agent="GoogleImageProxy")
    assert JUDGE.final([told]) == [evolve(told, proxied=True, evidence=(AS_TOLD, "GoogleImageProxy"))]
    assert machines(click(0, machine=True), ACCEPTED) == [(AS_TOLD, TOO_SOON)]


def test_a_known_network_is_evidence_even_where_only_the_range_was_kept() -> None:
    network = Network(evidence="scanner", ranges=["192.0.2.0/24"], machine=True, source="s", as_of="2026-11")
    judge = Judge(tables=Tables(networks=(network,)))
    assert machines(click(client="192.0.2.9"), click(client="192.0.2.0/24"), judge=judge) == [("scanner",)] * 2
    assert machines(click(client="192.0.3.9"), click(client="hashed:ab"), judge=judge) == [(), ()]
    told = click(client="192.0.3.9", machine=True, evidence=("scanner",))
    assert machines(told, judge=judge) == [()]
    assert machines(evolve(told, client=""), judge=judge) == [("scanner",)]


# ---- What the events of one delivery say about each other


@pytest.mark.parametrize(
    ("seconds", "machine"),
    [(-121, False), (-120, True), (-1, True), (0, True), (4.999, True), (5, False), (3600, False)],
)
def test_nobody_reads_a_mail_that_has_only_just_been_taken(seconds: float, machine: bool) -> None:
    assert machines(click(seconds), ACCEPTED) == [(TOO_SOON,) if machine else ()]
    [opened, _] = JUDGE.final([Opened(about(seconds, key="o")), ACCEPTED])
    assert isinstance(opened, Opened)
    assert (opened.prefetched, opened.evidence) == (machine, (TOO_SOON,) if machine else ())


@pytest.mark.parametrize("make", [lambda a: Uncertain(a, "broke"), Delivered, lambda a: Accepted(a, Reply(250))])
def test_each_time_it_may_have_been_taken_counts(make: Callable[[About], Event]) -> None:
    taken = make(about(600, key="taken"))
    assert machines(ACCEPTED, taken, click(601)) == [(TOO_SOON,)]
    assert machines(ACCEPTED, taken, click(599)) == [()]


def test_a_click_before_a_late_report_of_delivery_is_nobodys_fault() -> None:
    assert machines(Delivered(about(600)), click(590)) == [()]


@pytest.mark.parametrize("event", [Attempted(about(0), "x"), Bounced(about(0), BounceKind.SOFT), Complained(about(0))])
def test_what_does_not_show_that_it_was_taken_says_nothing(event: Event) -> None:
    assert machines(event, click(1)) == [()]


def test_three_links_at_once_are_no_persons() -> None:
    burst = [click(100, "a"), click(101.5, "b"), click(103, "c")]
    assert machines(*burst) == [(SEVERAL,)] * 3
    assert machines(*burst, click(106.1, "d")) == [*[(SEVERAL,)] * 3, ()]
    assert machines(*burst, click(104, "d")) == [(SEVERAL,)] * 4


@pytest.mark.parametrize(
    "clicks",
    [
        [click(100, "a"), click(101, "b")],
        [click(100, "a"), click(100.5, "a"), click(101, "a", link="3")],
        [click(100, "a"), click(101, "b"), click(103.5, "c")],
        [click(100, "a"), click(101, "b"), click(101, "c", delivery="d2")],
        [click(100, "a", delivery=None), click(101, "b", delivery=None), click(101, "c", delivery=None)],
    ],
)
def test_less_than_that_may_be_a_persons(clicks: list[Clicked]) -> None:
    assert machines(*clicks) == [()] * len(clicks)


def test_a_scanner_and_a_person_are_told_apart() -> None:
    scanner = [click(40 + n / 10, f"{n}") for n in range(9)]
    assert machines(ACCEPTED, *scanner, click(900, "3")) == [*[(SEVERAL,)] * 9, ()]


def test_whoever_follows_the_hidden_link_followed_those_near_it_too() -> None:
    hidden = click(100, "hidden", link=HONEYPOT)
    told = [click(89.9, "a"), click(90, "b"), hidden, click(110, "c"), click(110.1, "d")]
    assert machines(*told) == [(), (HONEYPOT,), (HONEYPOT,), (HONEYPOT,), ()]
    assert machines(*told[:2], evolve(hidden, about=about(100, "d2")), *told[3:]) == [(), (), (HONEYPOT,), (), ()]
    assert machines(evolve(hidden, about=about(100, None))) == [(HONEYPOT,)]


def test_a_program_that_makes_sure_with_head_first_is_no_person() -> None:
    head = click(100, "a", user_agent=CHROME, client="192.0.2.1", machine=True, evidence=("HEAD",))
    get = click(101, "a", user_agent=CHROME, client="192.0.2.1")
    assert machines(get, head) == [(AFTER_HEAD,), ("HEAD",)]
    for other in (
        evolve(get, client="192.0.2.2"),
        evolve(get, user_agent="other"),
        click(101, "b", user_agent=CHROME, client="192.0.2.1"),
        evolve(get, about=about(99.9)),
        evolve(get, about=about(103.1)),
    ):
        assert machines(head, other) == [("HEAD",), ()]
    dropped = [evolve(event, user_agent="", client="") for event in (head, get)]
    assert machines(*dropped) == [("HEAD",), ()]


def test_each_piece_of_evidence_is_named_once() -> None:
    told = click(1, "a", link=HONEYPOT, user_agent="curl/8", machine=True, evidence=("HEAD", "HEAD"))
    [evidence, *_] = machines(told, click(2, "b"), click(2, "c"), ACCEPTED)
    assert evidence == ("HEAD", HONEYPOT, SEVERAL, TOO_SOON, "curl")


def test_the_hour_that_a_clock_sets_back_is_an_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    taken = evolve(ACCEPTED, about=evolve(about(), at=first))
    clicked = evolve(click(), about=evolve(about(key="c"), at=first.replace(second=1, fold=1)))
    assert machines(taken, clicked) == [()]


# ---- As you like it


def test_spans_are_a_choice() -> None:
    calm = Judge(too_soon=timedelta(0), burst=timedelta(0), burst_links=2, around_honeypot=timedelta(0))
    hidden = click(100, "h", link=HONEYPOT)
    assert machines(ACCEPTED, click(0), click(0.5, "b"), click(0.5, "c"), judge=calm) == [(), (SEVERAL,), (SEVERAL,)]
    assert machines(hidden, click(101, "b"), judge=calm) == [(HONEYPOT,), ()]


@pytest.mark.parametrize("name", ["too_soon", "burst", "around_honeypot"])
@pytest.mark.parametrize("span", [timedelta(seconds=-1), 5, None])
def test_what_is_no_span_is_refused(name: str, span: Any) -> None:
    with pytest.raises(ConfigurationError, match="give a timedelta"):
        Judge(**{name: span})


@pytest.mark.parametrize("count", [1, 0, -1, 2.5, None])
def test_what_is_no_burst_is_refused(count: Any) -> None:
    with pytest.raises(ConfigurationError, match="one link is no burst"):
        Judge(burst_links=count)


# ---- Whatever the order, however often, whoever else


SECONDS = st.sampled_from([-1, 0, 1, 2, 3, 4, 9, 30, 31, 32, 33, 60])
KEYS = st.integers(0, 10**9).map(str)
CLICKS = st.builds(
    lambda seconds, key, url, link, **told: Clicked(about(seconds, key=key), url, link=link, **told),
    SECONDS,
    KEYS,
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(["", "", "", HONEYPOT]),
    user_agent=st.sampled_from(["", CHROME, "curl/8", "hashed:ab"]),
    client=st.sampled_from(["", "192.0.2.1", "192.0.2.2"]),
    machine=st.booleans(),
    evidence=st.sampled_from([(), ("HEAD",), ("curl",), (TOO_SOON,), ("HEAD", "curl")]),
)
OPENS = st.builds(
    lambda seconds, key, **told: Opened(about(seconds, key=key), **told),
    SECONDS,
    KEYS,
    user_agent=st.sampled_from(["", CHROME, "Mozilla/5.0", "GoogleImageProxy"]),
    prefetched=st.booleans(),
)
STORIES = st.lists(
    CLICKS | OPENS | st.builds(lambda s, key: Accepted(about(s, key=key), Reply(250)), SECONDS, KEYS), max_size=10
)


def by_event(events: list[Event], judge: Judge = JUDGE) -> dict[tuple[str, str], Event]:
    return {(repr(before), before.about.key): after for before, after in zip(events, judge.final(events), strict=True)}


@given(STORIES, st.data())
def test_verdicts_do_not_depend_on_order_or_repetition(story: list[Event], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(story), max_size=5)) if story else []
    assert by_event(data.draw(st.permutations([*story, *again]))) == by_event(story)


@given(STORIES)
def test_a_verdict_judged_again_is_the_same(story: list[Event]) -> None:
    once = JUDGE.final(story)
    assert JUDGE.final(once) == once


@given(STORIES, STORIES)
def test_another_delivery_changes_no_verdict(story: list[Event], other: list[Event]) -> None:
    others = [evolve(event, about=evolve(event.about, delivery_id=DeliveryId("d2"))) for event in other]
    together = JUDGE.final([*others, *story])
    assert together[len(others) :] == JUDGE.final(story)
    assert together[: len(others)] == JUDGE.final(others)


@given(st.lists(any_events, max_size=8))
def test_whatever_was_told_nothing_but_verdicts_changes(events: list[Event]) -> None:
    for before, after in zip(events, JUDGE.final(events), strict=True):
        if isinstance(before, Opened):
            assert isinstance(after, Opened)
            judged = evolve(before, proxied=after.proxied, prefetched=after.prefetched, evidence=after.evidence)
            assert judged == after
        elif isinstance(before, Clicked):
            assert isinstance(after, Clicked)
            assert evolve(before, machine=after.machine, evidence=after.evidence) == after
        else:
            assert after is before


@given(STORIES, CLICKS | OPENS)
def test_more_clicks_and_opens_never_make_a_machine_a_person(story: list[Event], more: Event) -> None:
    before = by_event(story)
    after = by_event([*story, more])
    for name, event in before.items():
        if isinstance(event, Opened | Clicked) and not is_human(event):
            now = after[name]
            assert isinstance(now, Opened | Clicked)
            assert not is_human(now)


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcd")), max_size=9))
def test_a_burst_is_any_three_links_in_three_seconds(told: list[tuple[int, str]]) -> None:
    clicks = [click(100 + at, url) for at, url in told]
    windows = [{(at, url) for at, url in told if start <= at <= start + 3} for start in range(13)]
    in_burst = set().union(*(window for window in windows if len({url for _, url in window}) >= 3))
    assert machines(*clicks) == [(SEVERAL,) if one in in_burst else () for one in told]
