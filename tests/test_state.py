"""Where a delivery stands and why not to write: the same answer in any order, and however often it is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from attrs import asdict, evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError, Step
from custom_smtp.events import (
    About,
    Accepted,
    Attempted,
    AutoReplied,
    Bounced,
    BounceKind,
    Cause,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Refused,
    Resubscribed,
    Uncertain,
    Unrecognised,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.replies import Reply
from custom_smtp.state import (
    ABOUT_THE_ADDRESS,
    STAGE_OF,
    Count,
    DeliveryState,
    PersonState,
    SoftLimit,
    Stage,
    delivery_state,
    person_state,
    story,
    why_not_to_write,
)
from custom_smtp.verdicts import Judge, is_human

START = datetime(2026, 1, 2, 5, tzinfo=UTC)


def about(
    hours: float = 0, key: str | None = None, source: str = "postmark", raw: dict[str, object] | None = None
) -> About:
    return About(
        delivery_id=DeliveryId("d1"),
        recipient="ada@example.net",
        at=START + timedelta(hours=hours),
        source=source,
        key=key or f"k{hours}",
        raw=raw,
    )


def refused(text: str, code: int = 550, at_step: Step = Step.RCPT, hours: float = 0) -> Refused:
    return Refused(about(hours, source="smtp"), Reply(code, text), at_step)


ACCEPTED = Accepted(about(0, source="smtp"), Reply(250, "queued"))
DELIVERED = Delivered(about(1))
HARD = Bounced(about(2), BounceKind.HARD, "no such user", "5.1.1")

MAKERS: dict[type, Callable[[About], Event]] = {
    Attempted: lambda a: Attempted(a, "no route"),
    Accepted: lambda a: Accepted(a, Reply(250)),
    Refused: lambda a: Refused(a, Reply(550, "5.1.1 no"), Step.RCPT),
    Uncertain: lambda a: Uncertain(a, "broke"),
    Delivered: Delivered,
    Deferred: Deferred,
    Bounced: lambda a: Bounced(a, BounceKind.SOFT),
    Dropped: Dropped,
    Opened: Opened,
    Clicked: lambda a: Clicked(a, "https://shop.example/"),
    Complained: Complained,
    Unsubscribed: Unsubscribed,
    Resubscribed: Resubscribed,
    AutoReplied: AutoReplied,
    Unrecognised: lambda a: Unrecognised(a, "new"),
}


def test_before_anything_happened_nothing_is_known() -> None:
    assert delivery_state([]) == DeliveryState()
    assert delivery_state([]).stage is Stage.NOTHING


def test_every_event_has_its_stage_or_says_nothing_about_one() -> None:
    assert set(STAGE_OF) | {Resubscribed, Unrecognised} == set(get_args(Event)) == set(MAKERS)


@pytest.mark.parametrize("kind", list(MAKERS))
def test_each_event_alone_shows_its_stage(kind: type) -> None:
    assert delivery_state([MAKERS[kind](about())]).stage is STAGE_OF.get(kind, Stage.NOTHING)


def test_each_fact_is_told() -> None:
    told = {kind: make(about(hours, key=kind.__name__)) for hours, (kind, make) in enumerate(MAKERS.items())}
    state = delivery_state(told.values())

    assert asdict(state, recurse=False) == {
        "stage": Stage.COMPLAINED,
        "attempted": told[Attempted],
        "accepted_at": told[Accepted].about.at,
        "refused": told[Refused],
        "uncertain_at": told[Uncertain].about.at,
        "deferred_at": told[Deferred].about.at,
        "delivered_at": told[Delivered].about.at,
        "failure": told[Bounced],
        "first_open": told[Opened],
        "first_click": told[Clicked],
        "opens": Count(human=1),
        "clicks": Count(human=1),
        "auto_reply": told[AutoReplied],
        "complaint": told[Complained],
        "unsubscribed": None,
    }


@pytest.mark.parametrize(
    ("events", "stage"),
    [
        ([ACCEPTED, DELIVERED, HARD], Stage.FAILED),
        ([HARD, DELIVERED], Stage.FAILED),
        ([DELIVERED, Complained(about(3))], Stage.COMPLAINED),
        ([Complained(about(0)), HARD, DELIVERED], Stage.COMPLAINED),
        ([Attempted(about(), "no route"), ACCEPTED], Stage.ACCEPTED),
        ([refused("4.7.1 later", 451), ACCEPTED], Stage.ACCEPTED),
        ([ACCEPTED, refused("4.7.1 later", 451, hours=9)], Stage.ACCEPTED),
        ([Uncertain(about(), "broke"), refused("5.0.0 no", hours=1)], Stage.UNCERTAIN),
        ([Uncertain(about(), "broke"), DELIVERED], Stage.DELIVERED),
        ([DELIVERED, Deferred(about(9))], Stage.DELIVERED),
        ([DELIVERED, Opened(about(2), prefetched=True)], Stage.DELIVERED),
        ([DELIVERED, Clicked(about(2), "u", machine=True)], Stage.DELIVERED),
        ([DELIVERED, Opened(about(2), proxied=True)], Stage.OPENED),
        ([DELIVERED, Unsubscribed(about(2)), Resubscribed(about(3)), Unrecognised(about(4), "x")], Stage.DELIVERED),
    ],
)
def test_the_furthest_stage_shows(events: list[Event], stage: Stage) -> None:
    assert delivery_state(events).stage is stage


def test_a_bounce_told_after_delivered_hides_neither() -> None:
    state = delivery_state([ACCEPTED, DELIVERED, HARD])

    assert (state.delivered_at, state.failure) == (DELIVERED.about.at, HARD)


def test_people_and_machines_are_counted_apart() -> None:
    person, proxy = Opened(about(3)), Opened(about(2), proxied=True)
    machine, synthetic = Opened(about(1), prefetched=True), Opened(about(4), synthetic=True)
    scanner, click = Clicked(about(1.5), "u", machine=True), Clicked(about(4.5), "u")
    state = delivery_state([person, machine, click, proxy, scanner, synthetic])

    assert (state.opens, state.opens.all) == (Count(human=3, machine=1), 4)
    assert (state.clicks, state.clicks.all) == (Count(human=1, machine=1), 2)
    assert (state.first_open, state.first_click) == (proxy, click)


def test_a_persons_click_shows_that_they_opened_it() -> None:
    prefetch, click = Opened(about(1), prefetched=True), Clicked(about(2), "u", client="192.0.2.1")
    state = delivery_state([prefetch, click])

    assert state.opens == Count(human=1, machine=1)
    assert state.first_open == Opened(about(2), synthetic=True, evidence=("a click",), client="192.0.2.1")
    assert delivery_state([click, Opened(about(9), proxied=True)]).opens == Count(human=1)
    assert delivery_state([Clicked(about(2), "u", machine=True)]).opens == Count()
    assert delivery_state([click, Clicked(about(3), "u")]).opens == Count(human=1)


def test_the_last_verdict_is_passed_on_all_facts_together() -> None:
    burst = [Clicked(about(1 + n / 36_000), f"https://shop.example/{n}") for n in range(3)]
    state = delivery_state([DELIVERED, *burst])

    assert (state.clicks, state.opens, state.stage) == (Count(machine=3), Count(), Stage.DELIVERED)
    calm = Judge(burst_links=4, too_soon=timedelta(0))
    assert delivery_state([DELIVERED, *burst], judge=calm).clicks == Count(human=3)
    assert [event.machine for event in story(burst) if isinstance(event, Clicked)] == [True] * 3


def test_what_is_known_first_hand_is_not_counted_twice() -> None:
    own, theirs = Clicked(about(1), "u"), Clicked(about(1.1, source="sendgrid"), "u", second_hand=True)
    opened = Opened(about(1.2, source="sendgrid"), second_hand=True)
    other = evolve(theirs, about=evolve(theirs.about, delivery_id=DeliveryId("d2"), key="other"))

    assert delivery_state([theirs, own, opened]).clicks == Count(human=1)
    assert delivery_state([theirs, own, opened]).first_open == opened
    assert delivery_state([theirs, opened]).clicks == Count(human=1)
    assert delivery_state([evolve(own, machine=True), theirs]).clicks == Count(machine=1)
    assert story([own, other]) == [own, other]


def test_of_several_failures_the_gravest_is_told() -> None:
    soft, block = Bounced(about(0), BounceKind.SOFT), Bounced(about(1), BounceKind.BLOCK)
    unsaid, dropped = Bounced(about(0.5), BounceKind.UNDETERMINED), Dropped(about(0.1))
    later = Bounced(about(8), BounceKind.HARD)
    told: list[Event] = [dropped, unsaid, soft, block, later, HARD]

    for worse in (HARD, later, block, soft, unsaid, dropped):
        assert delivery_state(told).failure == worse
        told.remove(worse)


def test_the_first_or_the_last_of_each_fact_is_told() -> None:
    state = delivery_state(
        [
            Attempted(about(1), "b"), Attempted(about(0), "a"), Deferred(about(5)), Deferred(about(4)),
            Delivered(about(7)), Delivered(about(6)), Uncertain(about(3), "x"), Uncertain(about(2), "x"),
            Complained(about(9)), Complained(about(8)), AutoReplied(about(11)), AutoReplied(about(10)),
            refused("5.0.0 b", hours=13), refused("5.0.0 a", hours=12),
        ]
    )  # fmt: skip

    assert state.attempted == Attempted(about(1), "b")
    assert state.refused == refused("5.0.0 b", hours=13)
    assert (state.deferred_at, state.delivered_at) == (about(5).at, about(6).at)
    assert (state.uncertain_at, state.complaint, state.auto_reply) == (
        about(2).at, Complained(about(8)), AutoReplied(about(10))
    )  # fmt: skip


def test_an_unsubscription_stands_until_it_is_lifted_later() -> None:
    off, on, off_again = Unsubscribed(about(1)), Resubscribed(about(2)), Unsubscribed(about(3))

    assert delivery_state([off]).unsubscribed == off
    assert delivery_state([on, off]).unsubscribed is None
    assert delivery_state([off_again, off, on]).unsubscribed == off_again


def test_two_sources_may_use_one_key() -> None:
    assert delivery_state([Opened(about(1, "k")), Opened(about(1, "k", "sendgrid"))]).opens.all == 2


# ---- why not to write ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        HARD,
        Complained(about(1)),
        Unsubscribed(about(1)),
    ],
)
def test_a_hard_bounce_a_complaint_and_an_unsubscription_forbid(event: Event) -> None:
    assert why_not_to_write([ACCEPTED, event]) == event


@pytest.mark.parametrize(
    "event",
    [
        Bounced(about(), BounceKind.SOFT), Bounced(about(), BounceKind.BLOCK),
        Bounced(about(), BounceKind.UNDETERMINED), Dropped(about(), "Bounced Address"), Deferred(about()),
        AutoReplied(about()), ACCEPTED, Unrecognised(about(), "x"),
        refused("no such user"), refused("5.7.1 listed"), refused("5.1.8 bad sender"), refused("4.1.1 later", 450),
        refused("5.1.1 no such user", at_step=Step.MAIL),
    ],
)  # fmt: skip
def test_what_is_not_about_the_address_forbids_nothing(event: Event) -> None:
    assert why_not_to_write([event]) is None


def test_a_recipient_refused_for_good_is_a_hard_bounce() -> None:
    event = refused("5.1.1 no such user")

    assert why_not_to_write([event]) == Bounced(event.about, BounceKind.HARD, "5.1.1 no such user", "5.1.1")


def test_the_strongest_reason_is_told_whenever_it_came() -> None:
    told: list[Event] = [Complained(about(0)), Unsubscribed(about(1)), HARD, refused("5.1.1 no", hours=9)]

    for reason in (told[0], told[1]):
        assert why_not_to_write(told) == reason
        told.remove(reason)
    assert why_not_to_write(told) == Bounced(about(9, source="smtp"), BounceKind.HARD, "5.1.1 no", "5.1.1")


@pytest.mark.parametrize("event", [HARD, Unsubscribed(about(2)), refused("5.1.1 no", hours=2)])
def test_only_a_later_resubscription_lifts(event: Event) -> None:
    source = event.about.source
    on = [Resubscribed(about(hours, "on", source)) for hours in (1, 2, 3)]

    assert why_not_to_write([event, on[2]]) is None
    assert why_not_to_write([on[0], event]) is not None
    assert why_not_to_write([on[1], event]) is not None
    assert why_not_to_write([event, on[2], evolve(event, about=about(4, source=source))]) is not None


@pytest.mark.parametrize("event", [HARD, Unsubscribed(about(2)), Unsubscribed(about(2), scope="7")])
def test_a_resubscription_that_another_source_tells_lifts_nothing(event: Event) -> None:
    scope = event.scope if isinstance(event, Unsubscribed) else ""
    on = Resubscribed(about(3, source="sendgrid"), scope=scope)

    assert why_not_to_write([event, on]) == event
    assert why_not_to_write([event, evolve(on, about=about(3))]) is None


@pytest.mark.parametrize(
    ("off", "on", "lifted"),
    [("", "", True), ("7", "7", True), ("7", "8", False), ("7", "", False), ("", "7", False)],
)
def test_a_resubscription_lifts_its_own_scope_alone(off: str, on: str, lifted: bool) -> None:
    left, back = Unsubscribed(about(1), scope=off), Resubscribed(about(2), scope=on)

    assert (why_not_to_write([left, back]) is None) is lifted
    assert (delivery_state([left, back]).unsubscribed is None) is lifted


def test_a_resubscription_to_a_group_lifts_no_bounce_and_no_other_unsubscription() -> None:
    everything, group = Unsubscribed(about(2.5)), Unsubscribed(about(3), scope="10")
    back = Resubscribed(about(4), scope="10")

    assert why_not_to_write([HARD, back]) == HARD
    assert why_not_to_write([HARD, everything, group, back]) == everything
    assert why_not_to_write([HARD, group, back]) == HARD


@pytest.mark.parametrize(
    ("scope", "streams", "forbidden"),
    [
        ("news", None, True),
        ("news", ["news"], True),
        ("news", ["receipts", "news"], True),
        ("news", ["receipts"], False),
        ("news", ["newsletter"], False),
        ("news", [], False),
        ("", ["receipts"], True),
        ("", [], True),
    ],
)
def test_an_unsubscription_holds_for_its_stream(scope: str, streams: list[str] | None, forbidden: bool) -> None:
    event = Unsubscribed(about(1), scope=scope)
    assert why_not_to_write([event], streams=streams) == (event if forbidden else None)


def test_a_stream_makes_no_complaint_and_no_bounce_go_away() -> None:
    complaint, bounce = Complained(about(1)), Bounced(about(2), BounceKind.HARD)
    assert why_not_to_write([complaint], streams=["receipts"]) is complaint
    assert why_not_to_write([bounce, Unsubscribed(about(3), scope="news")], streams=["receipts"]) is bounce


def test_one_text_is_not_several_streams() -> None:
    with pytest.raises(ConfigurationError, match=r"give several, as in \{'news'\}"):
        why_not_to_write([], streams="news")


def test_a_bounce_mail_about_no_mail_of_ours_forbids_nothing() -> None:
    """Whoever knows where bounces go could otherwise forbid writing to anybody."""
    forged = Bounced(evolve(about(2, source="bounce-mail"), delivery_id=None), BounceKind.HARD, "", "5.1.1")
    made_up = evolve(forged, about=evolve(forged.about, delivery_id=DeliveryId("d9")))
    theirs = evolve(ACCEPTED, about=evolve(ACCEPTED.about, delivery_id=None))

    assert why_not_to_write([ACCEPTED, forged]) is None
    assert why_not_to_write([ACCEPTED, made_up, evolve(made_up, about=evolve(made_up.about, key="again"))]) is None
    assert why_not_to_write([theirs, forged]) is None


@pytest.mark.parametrize("known", [ACCEPTED, Uncertain(about(0, source="smtp"), "broke"), DELIVERED])
def test_a_bounce_mail_about_a_mail_that_the_person_was_sent_forbids(known: Event) -> None:
    bounced = evolve(HARD, about=about(2, source="bounce-mail"))

    assert why_not_to_write([bounced, known]) == bounced


def test_nothing_lifts_a_complaint() -> None:
    assert why_not_to_write([Complained(about(1)), Resubscribed(about(2)), DELIVERED]) == Complained(about(1))


# ---- soft bounces, over time -----------------------------------------------------------------------------------------

DAY = 24.0


def soft(
    day: float, cause: Cause = Cause.MAILBOX_FULL, delivery: str | None = None, source: str = "postmark"
) -> Bounced:
    """A mail that came back on this day; each day's is another one, unless said otherwise."""
    told = evolve(about(day * DAY, source=source), delivery_id=DeliveryId(delivery or f"soft{day}"))
    return Bounced(told, BounceKind.SOFT, "full", "4.2.2", cause=cause)


def of(event: Event, delivery: str | None) -> Event:
    return evolve(event, about=evolve(event.about, delivery_id=None if delivery is None else DeliveryId(delivery)))


WEEKS = [soft(day) for day in (0, 2, 4, 7, 9, 11, 14)]


def test_soft_bounces_in_a_row_over_two_weeks_forbid_and_the_last_is_the_proof() -> None:
    assert why_not_to_write(WEEKS) == WEEKS[-1]
    assert person_state(WEEKS).soft_bounces == tuple(WEEKS)


def test_fewer_or_within_less_time_forbid_nothing() -> None:
    assert why_not_to_write(WEEKS[1:]) is None
    assert why_not_to_write([*WEEKS[:-1], soft(13.9)]) is None
    assert why_not_to_write([soft(hour / 24) for hour in range(20)]) is None


def test_of_one_day_they_count_as_one() -> None:
    twice = [soft(day + hours) for day in (0, 5, 14) for hours in (0, 0.1, 0.2)]

    assert why_not_to_write(twice) is None
    assert person_state(twice).soft_bounces == (soft(0.2), soft(5.2), soft(14.2))


def test_how_many_and_how_long_can_be_said() -> None:
    three = [soft(0), soft(1), soft(2)]

    assert why_not_to_write(three, soft_limit=SoftLimit(bounces=3, over=timedelta(days=2))) == three[-1]
    assert why_not_to_write(three, soft_limit=SoftLimit(bounces=3, over=timedelta(days=3))) is None
    assert why_not_to_write(three[:1], soft_limit=SoftLimit(bounces=1, over=timedelta(0))) == three[0]


@pytest.mark.parametrize("wrong", [{"bounces": 0}, {"bounces": True}, {"bounces": 1.5}, {"over": timedelta(-1)}])
def test_a_limit_that_forbids_everybody_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="use a"):
        SoftLimit(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in ABOUT_THE_ADDRESS])
def test_what_is_about_the_mail_or_its_sender_does_not_count(cause: Cause) -> None:
    assert why_not_to_write([evolve(bounce, cause=cause) for bounce in WEEKS]) is None


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause in ABOUT_THE_ADDRESS])
def test_what_is_about_the_address_counts(cause: Cause) -> None:
    assert why_not_to_write([evolve(bounce, cause=cause) for bounce in WEEKS]) is not None


@pytest.mark.parametrize("kind", [BounceKind.BLOCK, BounceKind.UNDETERMINED])
def test_other_bounces_do_not_count(kind: BounceKind) -> None:
    assert why_not_to_write([evolve(bounce, kind=kind) for bounce in WEEKS]) is None


@pytest.mark.parametrize(
    "reached",
    [
        Delivered(about(5 * DAY)), Opened(about(5 * DAY), prefetched=True), Opened(about(5 * DAY)),
        Clicked(about(5 * DAY), "u", machine=True), AutoReplied(about(5 * DAY)),
    ],
)  # fmt: skip
def test_whoever_was_reached_in_between_is_counted_anew(reached: Event) -> None:
    assert why_not_to_write([*WEEKS, of(reached, "another")]) is None
    assert person_state([*WEEKS, of(reached, "another")]).soft_bounces == tuple(WEEKS[3:])
    assert why_not_to_write([*WEEKS, of(reached, None)]) is None


def test_whoever_was_reached_before_is_not() -> None:
    before = of(Delivered(evolve(about(-1), key="before")), "another")
    state = person_state([*WEEKS, before])

    assert (state.why_not, state.reached_at) == (WEEKS[-1], before.about.at)


def test_what_came_back_was_not_delivered() -> None:
    """A relay may say "delivered", and send the mail back an hour later."""
    told = [of(Delivered(evolve(bounce.about, key=f"d{n}")), f"soft{n}") for n, bounce in enumerate(WEEKS)]
    bounces = [of(bounce, f"soft{n}") for n, bounce in enumerate(WEEKS)]

    assert why_not_to_write([*told, *bounces]) == bounces[-1]


def test_a_mail_that_did_not_come_back_in_five_days_has_arrived() -> None:
    """A plain server tells of nothing but bounces."""
    taken = of(Accepted(about(8 * DAY, source="smtp"), Reply(250)), "quiet")
    late = of(Accepted(about(9.5 * DAY, source="smtp"), Reply(250)), "pending")
    back = of(Accepted(about(8 * DAY, source="smtp"), Reply(250)), "soft9")

    assert why_not_to_write([*WEEKS, taken]) is None
    assert why_not_to_write([*WEEKS, late]) == WEEKS[-1]
    assert why_not_to_write([*WEEKS, back]) == WEEKS[-1]
    assert person_state([taken]).reached_at is None


def test_a_bounce_without_an_id_may_be_any_mails() -> None:
    unmatched = [of(bounce, None) for bounce in WEEKS]
    taken = of(Accepted(about(8 * DAY, source="smtp"), Reply(250)), "one-of-them")

    assert why_not_to_write([*unmatched, taken]) == unmatched[-1]


def test_too_many_soft_bounces_are_lifted_like_a_hard_one() -> None:
    back = Resubscribed(about(15 * DAY))

    assert why_not_to_write([*WEEKS, back]) is None
    assert why_not_to_write([*WEEKS, evolve(back, scope="7")]) == WEEKS[-1]
    assert why_not_to_write([*WEEKS, Resubscribed(about(15 * DAY, source="sendgrid"))]) == WEEKS[-1]


def test_soft_bounces_are_the_weakest_reason() -> None:
    for stronger in (HARD, Unsubscribed(about(0)), Complained(about(0))):
        assert why_not_to_write([*WEEKS, stronger]) == stronger


def test_soft_bounces_by_mail_count_only_where_they_are_believed() -> None:
    def by(source: str) -> list[Event]:
        return [evolve(bounce, about=evolve(bounce.about, source=source)) for bounce in WEEKS]

    assert why_not_to_write(by("bounce-mail")) is None
    assert why_not_to_write(by("proven-bounce-mail")) is None
    assert why_not_to_write([*by("bounce-mail"), *WEEKS]) is not None


# ---- a person --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [HARD, Complained(about(2)), Unsubscribed(about(2))])
@pytest.mark.parametrize("source", ["bounce-mail", "proven-bounce-mail"])
def test_what_comes_by_mail_is_believed_of_a_mail_that_this_person_was_sent(event: Event, source: str) -> None:
    """A signature proves which mail a report speaks of; whoever got that mail could name somebody else in it."""
    told = evolve(event, about=evolve(event.about, source=source))

    assert why_not_to_write([told]) is None
    assert why_not_to_write([told, Accepted(about(0, source="smtp"), Reply(250))]) == told


def test_of_nobody_nothing_is_known() -> None:
    assert person_state([]) == PersonState()


def test_each_fact_of_a_person_is_told() -> None:
    later = Accepted(about(20, source="smtp"), Reply(250))
    machine, person = Opened(about(21), prefetched=True), Opened(about(22))
    click, complaint = Clicked(about(23), "u"), Complained(about(24))
    news, news_again, all_of_it = (
        Unsubscribed(about(25), scope="news"),
        Unsubscribed(about(26), scope="news"),
        Unsubscribed(about(27)),
    )
    reply, bounce = AutoReplied(about(28)), soft(30)
    told: list[Event] = [
        ACCEPTED, DELIVERED, HARD, later, machine, person, click, complaint, news, all_of_it, news_again, reply, bounce
    ]  # fmt: skip

    assert asdict(person_state(told), recurse=False) == {
        "why_not": complaint,
        "complaint": complaint,
        "unsubscribed": (news_again, all_of_it),
        "bounce": HARD,
        "soft_bounces": (bounce,),
        "accepted_at": later.about.at,
        "reached_at": reply.about.at,
        "last_open": person,
        "last_click": click,
        "auto_reply": reply,
    }


def test_a_persons_reason_is_that_for_the_streams() -> None:
    left = Unsubscribed(about(1), scope="news")

    assert person_state([left], streams=["receipts"]).why_not is None
    assert person_state([left], streams=["receipts"]).unsubscribed == (left,)
    with pytest.raises(ConfigurationError, match="give several"):
        person_state([], streams="news")


# ---- any order, any number of times ----------------------------------------------------------------------------------

ABOUTS = st.builds(
    about,
    st.integers(0, 3),
    st.sampled_from(["a", "b", "c", "d", "e", "f"]),
    st.sampled_from(["smtp", "postmark", "bounce-mail", "proven-bounce-mail"]),
    st.sampled_from([None, {"x": 1}, {"x": 2}]),
)
SOFT = st.builds(
    soft,
    st.integers(0, 9).map(lambda n: n * 2.5),
    st.sampled_from([Cause.MAILBOX_FULL, Cause.UNKNOWN, Cause.SPAM]),
    st.sampled_from([None, "d1", "d2"]),
    st.sampled_from(["postmark", "bounce-mail", "proven-bounce-mail"]),
)
EVENTS = (
    SOFT
    | st.builds(lambda make, a: make(a), st.sampled_from(list(MAKERS.values())), ABOUTS)
    | st.builds(Bounced, ABOUTS, st.sampled_from(BounceKind))
    | st.builds(Unsubscribed, ABOUTS, scope=st.sampled_from(["", "7"]))
    | st.builds(Resubscribed, ABOUTS, scope=st.sampled_from(["", "7"]))
    | st.builds(Opened, ABOUTS, prefetched=st.booleans(), second_hand=st.booleans())
    | st.builds(Clicked, ABOUTS, st.sampled_from("uvw"), machine=st.booleans(), second_hand=st.booleans())
)


@given(st.data(), st.lists(EVENTS, max_size=12))
def test_order_and_repetition_change_nothing(data: st.DataObject, events: list[Event]) -> None:
    again = data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []
    shuffled = data.draw(st.permutations([*events, *again]))

    assert delivery_state(shuffled) == delivery_state(events)
    assert why_not_to_write(shuffled) == why_not_to_write(events)
    assert person_state(shuffled) == person_state(events)


@given(st.data(), st.lists(SOFT | EVENTS, min_size=6, max_size=20))
def test_order_and_repetition_change_no_count_of_soft_bounces(data: st.DataObject, events: list[Event]) -> None:
    again = data.draw(st.lists(st.sampled_from(events), max_size=6))
    shuffled = data.draw(st.permutations([*events, *again]))
    limit = SoftLimit(bounces=2, over=timedelta(days=2))

    state = person_state(events, soft_limit=limit)
    assert person_state(shuffled, soft_limit=limit) == state
    assert why_not_to_write(shuffled, soft_limit=limit) == state.why_not
    days = [bounce.about.at.date() for bounce in state.soft_bounces]
    assert days == sorted(set(days))


@given(st.lists(EVENTS, max_size=8, unique_by=lambda event: (event.about.source, event.about.key)), EVENTS)
def test_nothing_told_later_takes_a_stage_back_but_what_machines_did(events: list[Event], another: Event) -> None:
    fresh = evolve(another, about=evolve(another.about, key="fresh"))
    order = list(Stage)

    before, after = delivery_state(events), delivery_state([*events, fresh])
    if before.stage in (Stage.OPENED, Stage.CLICKED):
        assert order.index(after.stage) >= order.index(Stage.DELIVERED)
    else:
        assert order.index(after.stage) >= order.index(before.stage)
    assert (after.failure is None) <= (before.failure is None)
    assert (after.complaint is None) <= (before.complaint is None)


@given(st.lists(EVENTS, max_size=10))
def test_a_story_told_again_is_the_same(events: list[Event]) -> None:
    once = story(events)

    assert story(once) == once
    assert delivery_state(once) == delivery_state(events)


@given(st.lists(EVENTS, max_size=10))
def test_the_counts_are_those_of_the_story(events: list[Event]) -> None:
    state, told = delivery_state(events), story(events)
    by_people = [event for event in told if isinstance(event, Opened | Clicked) and is_human(event)]
    opened = sum(isinstance(event, Opened) for event in by_people)

    assert state.clicks.human == len(by_people) - opened
    assert state.clicks.all == sum(isinstance(event, Clicked) for event in told)
    assert state.opens.human == max(opened, min(1, state.clicks.human))
    assert (state.first_open is None) is (state.opens.human == 0)
    assert (state.first_open is not None and state.first_open.synthetic) is (opened == 0 < state.opens.human)
