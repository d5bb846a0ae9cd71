"""Events as JSON."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ArchiveError, Step
from custom_smtp.event_json import read_event, write_event
from custom_smtp.events import (
    About,
    Bounced,
    BounceKind,
    Clicked,
    Delivered,
    Event,
    Opened,
    Refused,
    Resubscribed,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.replies import Reply

from .strategies import events, json_values

ABOUT = About(
    delivery_id=DeliveryId("d1"),
    recipient="ada@example.net",
    at=datetime(2026, 1, 2, 5, tzinfo=UTC),
    source="postmark",
    key="k1",
    raw={"Type": "HardBounce"},
)


@given(events)
def test_what_is_written_is_read_back_equal(event: Event) -> None:
    read = read_event(write_event(event))
    assert type(read) is type(event)
    # Told from one another by their offset: in the hour that a clock sets back, Python holds no two zones equal.
    assert read.about.at.isoformat() == event.about.at.isoformat()
    assert write_event(read) == write_event(event)


def test_an_event_is_one_line() -> None:
    assert "\n" not in write_event(Bounced(ABOUT, BounceKind.HARD, "no\nsuch\r\nuser"))


def test_a_written_event_reads_as_json_for_everybody() -> None:
    assert json.loads(write_event(Refused(ABOUT, Reply(550, "5.1.1 no"), Step.RCPT))) == {
        "v": 1,
        "event": "Refused",
        "about": {
            "delivery_id": "d1",
            "recipient": "ada@example.net",
            "at": "2026-01-02T05:00:00+00:00",
            "source": "postmark",
            "key": "k1",
            "raw": {"Type": "HardBounce"},
        },
        "reply": {"code": 550, "text": "5.1.1 no"},
        "at_step": "rcpt",
    }


def test_letters_stay_letters() -> None:
    assert "Grüße" in write_event(Bounced(ABOUT, BounceKind.SOFT, "Grüße"))


def test_a_text_reply_and_a_reply_of_a_server_are_told_apart() -> None:
    assert read_event(write_event(Delivered(ABOUT, "250 ok"))) == Delivered(ABOUT, "250 ok")


def test_evidence_stays_a_tuple() -> None:
    opened = Opened(ABOUT, proxied=True, evidence=("user agent",))
    assert read_event(write_event(opened)) == opened


def test_a_mapping_of_another_kind_becomes_a_plain_one() -> None:
    about = About(delivery_id=None, recipient="", at=ABOUT.at, source="s", key="k", raw=MappingProxyType({"a": 1}))
    assert read_event(write_event(Clicked(about, "https://x.example"))).about.raw == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2, tzinfo=UTC), (1, 2), {1: "a"}, {"a": {2: "b"}}, [("a",)], {"a"}, b"bytes", float("nan"),
        Decimal("1.5"), BounceKind.HARD, object(), ABOUT, 10**5000,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_raw_that_would_read_back_as_something_else_is_refused(value: object) -> None:
    with pytest.raises(ArchiveError, match="'k1'"):
        write_event(Delivered(evolve(ABOUT, raw={"told": value})))


@pytest.mark.parametrize("told", ["a b", "", 7])
def test_an_id_that_would_not_read_back_is_refused(told: Any) -> None:
    with pytest.raises(ArchiveError, match="'k1'"):
        write_event(Delivered(evolve(ABOUT, delivery_id=told)))


@pytest.mark.parametrize("depth", [3_000, 100_000])
def test_a_deep_raw_is_written_so_that_it_reads_back_or_refused(depth: int) -> None:
    """How deep is too deep, each Python decides for itself; 100,000 is for all that there are."""
    raw: dict[str, object] = {}
    for _ in range(depth):
        raw = {"a": raw}
    try:
        written = write_event(Delivered(evolve(ABOUT, raw=raw)))
    except ArchiveError as error:
        assert "'k1'" in str(error)
    else:
        assert depth < 100_000
        assert write_event(read_event(written)) == written


def test_the_hour_that_a_clock_sets_back_is_written() -> None:
    at = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    read = read_event(write_event(Delivered(evolve(ABOUT, at=at))))

    assert read.about.at.isoformat() == "2026-10-25T02:30:00+01:00"


@pytest.mark.parametrize("kind", [Unsubscribed, Resubscribed])
def test_a_scope_is_kept(kind: type[Unsubscribed | Resubscribed]) -> None:
    assert read_event(write_event(kind(ABOUT, scope="news"))) == kind(ABOUT, scope="news")


@pytest.mark.parametrize("event", [Opened(ABOUT, proxied=True), Clicked(ABOUT, "https://x.example")])
def test_an_event_from_before_a_field_existed_is_read(event: Event) -> None:
    told = json.loads(write_event(event))
    earlier = {name: value for name, value in told.items() if name not in ("campaign", "second_hand")}
    assert len(earlier) == len(told) - 2
    assert read_event(json.dumps(earlier)) == event


def test_a_later_format_asks_for_an_upgrade() -> None:
    later = json.dumps({**json.loads(write_event(Delivered(ABOUT))), "v": 2})
    with pytest.raises(ArchiveError, match="upgrade"):
        read_event(later)


_WRITTEN = json.loads(write_event(Refused(ABOUT, Reply(550, "no"), Step.RCPT)))


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "Vanished"},
        {"event": None},
        {"about": None},
        {"about": {}},
        {"about": {**_WRITTEN["about"], "at": "yesterday"}},
        {"about": {**_WRITTEN["about"], "at": "2026-01-02T05:00:00"}},
        {"about": {**_WRITTEN["about"], "delivery_id": "no id"}},
        {"reply": {"code": 99}},
        {"reply": 7},
        {"at_step": "lunch"},
        {"more": 1},
    ],
)
def test_what_was_never_written_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ArchiveError, match="not an event"):
        read_event(json.dumps({**_WRITTEN, **changed}))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"v"', "{}", '{"v":1}', "[" * 100_000])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(ArchiveError, match="not an event"):
        read_event(text)


@given(events, st.data())
def test_a_cut_off_event_is_refused(event: Event, data: st.DataObject) -> None:
    text = write_event(event)
    with pytest.raises(ArchiveError):
        read_event(text[: data.draw(st.integers(0, len(text) - 1))])


@given(
    st.fixed_dictionaries({"v": st.just(1), "event": st.sampled_from(get_args(Event)).map(lambda kind: kind.__name__)}),
    st.dictionaries(st.sampled_from(["about", "reply", "reason", "kind", "url", "name"]), json_values),
)
def test_any_json_is_an_event_or_refused(head: dict[str, object], rest: dict[str, object]) -> None:
    with pytest.raises(ArchiveError):
        read_event(json.dumps({**head, **rest}))
