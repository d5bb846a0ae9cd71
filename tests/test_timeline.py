from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.archive import Copy
from custom_smtp.errors import ConfigurationError, Step
from custom_smtp.events import (
    About,
    Accepted,
    Bounced,
    BounceKind,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Event,
    Opened,
    Refused,
    Unrecognised,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.replies import Reply
from custom_smtp.state import why_not_to_write
from custom_smtp.timeline import TITLES, Moment, Tone, timeline
from tests.strategies import events

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
COPY = Copy(delivery_id=DeliveryId("d1"), recipient="ada@example.net", at=NOON, content=b"x" * 1234)


def about(minute: float, source: str = "told") -> About:
    return About(
        delivery_id=DeliveryId("d1"),
        recipient="ada@example.net",
        at=NOON + timedelta(minutes=minute),
        source=source,
        key=f"{source} {minute}",
        raw={"number": minute},
    )


TAKEN = Accepted(about(1, "smtp"), Reply(250, "2.0.0 queued"))
ARRIVED = Delivered(about(2, "mailgun"), "250 OK")
SPAM = Complained(about(90, "mailgun"))


def words(moments: Sequence[Moment]) -> list[str]:
    return [f"{one.what}|{one.detail}|{one.told_by}" for one in moments]


def test_a_mail_of_which_nothing_is_known_was_submitted() -> None:
    assert timeline(COPY, ()) == (Moment(at=NOON, what="Submitted", detail="a copy of its 1,234 bytes is kept"),)


def test_a_story_goes_from_submission_to_complaint_whatever_the_order_of_the_reports() -> None:
    opened = Opened(about(40, "tracking"), proxied=True, evidence=("GoogleImageProxy",))
    clicked = Clicked(about(41, "tracking"), "https://shop.example/")
    told: list[Event] = [SPAM, clicked, ARRIVED, TAKEN, opened, ARRIVED]
    assert words(timeline(COPY, told))[1:] == [
        "Accepted|250 2.0.0 queued|our server",
        "Delivered|250 OK|mailgun",
        "Opened|by a person, through a proxy: GoogleImageProxy|our links",
        "Clicked|by a person: https://shop.example/|our links",
        "Called spam||mailgun",
        "Suppressed|no more mail to this person; the proof: mailgun mailgun 90|why_not_to_write",
    ]


def test_the_last_moment_holds_the_proof() -> None:
    *others, last = timeline(COPY, [TAKEN, SPAM])
    assert last.proof is SPAM
    assert (last.at, last.tone) == (SPAM.about.at, Tone.BAD)
    assert [one.proof for one in others] == [None] * 3


def test_what_is_known_of_the_person_forbids_too() -> None:
    of_another_mail = Complained(
        About(delivery_id=DeliveryId("d2"), recipient="ada@example.net", at=NOON, source="mailgun", key="k")
    )
    assert timeline(COPY, [TAKEN])[-1].what == "Accepted"
    assert timeline(COPY, [TAKEN], known=(one for one in (TAKEN, of_another_mail)))[-1].proof is of_another_mail


def test_a_bounce_that_anybody_may_have_written_forbids_nothing() -> None:
    bounce = Bounced(about(3, "bounce-mail"), BounceKind.HARD, "550 5.1.1 gone", "5.1.1")
    assert words(timeline(COPY, [bounce]))[1:] == ["Bounced|550 5.1.1 gone|a mail, unproven"]


def test_what_a_machine_does_in_a_row_is_one_moment() -> None:
    scan = [
        Clicked(about(1 + n / 100, "tracking"), f"https://shop.example/{n % 4}", machine=True, evidence=("HEAD",))
        for n in range(9)
    ]
    [_, one] = timeline(COPY, scan)
    assert one == Moment(
        at=scan[0].about.at,
        what="Clicked",
        detail="4 links, by a machine: HEAD, several links at once",
        told_by="our links",
        tone=Tone.MACHINE,
    )


def test_opens_of_a_machine_are_counted_and_those_of_people_stand_alone() -> None:
    apple = [Opened(about(n, "tracking"), prefetched=True, evidence=("Apple",)) for n in (10, 11)]
    people = [Opened(about(n, "tracking")) for n in (20, 21)]
    assert words(timeline(COPY, [*people, *apple]))[1:] == [
        "Opened|2 times, by a machine: Apple|our links",
        "Opened|by a person|our links",
        "Opened|by a person|our links",
    ]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Refused(about(1, "smtp"), Reply(450, "4.2.0 busy"), Step.RCPT), "Refused|450 4.2.0 busy|our server"),
        (Deferred(about(1, "mailjet"), "451 later"), "Put off|451 later|mailjet"),
        (Unrecognised(about(1, "mailjet"), "inbound"), "Something else|inbound|mailjet"),
        (Opened(about(1), proxied=True), "Opened|by a person, through a proxy|told"),
        (Clicked(about(1), "https://a.example/", machine=True), "Clicked|by a machine|told"),
    ],
)
def test_each_thing_is_told_in_words(event: Event, told: str) -> None:
    assert words(timeline(COPY, [event]))[1:] == [told]


def test_a_moment_without_a_time_zone_is_none() -> None:
    with pytest.raises(ConfigurationError, match="datetime.now\\(UTC\\)"):
        Moment(at=NOON.replace(tzinfo=None), what="Submitted")


def test_every_event_has_a_title() -> None:
    assert {*TITLES} == {*get_args(Event)}


@given(st.lists(events, max_size=8), st.randoms())
def test_order_and_repetition_change_nothing(happened: list[Event], random: Random) -> None:
    again = [*happened, *happened]
    random.shuffle(again)
    told = timeline(COPY, happened)
    assert timeline(COPY, again) == told
    assert (told[-1].proof is not None) == (why_not_to_write(happened) is not None)
