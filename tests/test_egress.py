"""Egress: the addresses we send from, and the notice before any change."""

import json
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.egress import EXAMPLE_PLAN_2026_11, Egress, EgressEndpoint, EgressPlan
from custom_smtp.errors import ConfigurationError
from custom_smtp.web import Request, Response

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MOMENT = timedelta(microseconds=1)


def egress(network: str, region: str = "eu", since: datetime = NOW, until: datetime | None = None) -> Egress:
    return Egress(network=ip_network(network), region=region, since=since, until=until)


PLAN = EgressPlan((egress("192.0.2.7/32"), egress("198.51.100.0/24", "us"), egress("2001:db8::/64", "us")))


def shown(plan: EgressPlan, moment: datetime, region: str | None = None) -> list[str]:
    return [str(network) for network in plan.at(moment, region)]


# --- one network ----------------------------------------------------------------------------------------------------


def test_a_network_may_be_written_as_text() -> None:
    assert Egress("192.0.2.7", "eu", NOW).network == ip_network("192.0.2.7/32")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"network": "192.0.2.7/24"}, "no network"),
        ({"network": "192.0.2"}, "no network"),
        ({"network": "links.shop.example"}, "no network"),
        ({"network": None}, "no network"),
        ({"region": "EU"}, "lower case"),
        ({"region": ""}, "lower case"),
        ({"region": "eu west"}, "lower case"),
        ({"region": "eu\n"}, "lower case"),
        ({"region": None}, "lower case"),
        ({"since": NOW.replace(tzinfo=None)}, "time zone"),
        ({"since": None}, "time zone"),
        ({"until": NOW.replace(tzinfo=None) + DAY}, "time zone"),
        ({"until": NOW}, "before it begins"),
        ({"until": NOW - DAY}, "before it begins"),
        ({"since": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))}, "too far away"),
    ],
)
def test_what_is_no_egress_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        evolve(egress("192.0.2.7/32"), **fields)


def test_it_is_in_use_from_its_first_moment_until_its_last() -> None:
    entry = egress("192.0.2.7/32", until=NOW + DAY)
    moments = (NOW - MOMENT, NOW, NOW + DAY - MOMENT, NOW + DAY)
    assert [entry.holds_at(moment) for moment in moments] == [False, True, True, False]


# --- the plan -------------------------------------------------------------------------------------------------------


def test_a_plan_tells_what_is_in_use_in_its_own_order() -> None:
    assert shown(PLAN, NOW) == ["192.0.2.7/32", "198.51.100.0/24", "2001:db8::/64"]
    assert shown(PLAN, NOW, "us") == ["198.51.100.0/24", "2001:db8::/64"]
    assert shown(PLAN, NOW - MOMENT) == []


def test_a_region_that_the_plan_does_not_name_is_no_empty_list() -> None:
    with pytest.raises(ConfigurationError, match="eu, us"):
        PLAN.at(NOW, "mars")
    with pytest.raises(ConfigurationError, match="eu, us"):
        PLAN.announced(NOW, "")


@pytest.mark.parametrize("moment", [NOW.replace(tzinfo=None), None])
def test_a_moment_without_a_zone_is_refused(moment: Any) -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        PLAN.at(moment)
    with pytest.raises(ConfigurationError, match="time zone"):
        PLAN.announced(moment)
    with pytest.raises(ConfigurationError, match="time zone"):
        PLAN.adding(egress("192.0.2.8/32", since=NOW + WEEK), announced_at=moment)


@pytest.mark.parametrize(
    "other",
    [
        egress("192.0.2.7/32"),
        egress("192.0.2.7/32", "us"),
        egress("192.0.2.0/24"),
        egress("192.0.2.7/32", since=NOW - DAY, until=NOW + MOMENT),
        egress("192.0.2.7/32", since=NOW + 900 * DAY),
        egress("0.0.0.0/0"),
    ],
)
def test_an_address_is_named_once_at_a_time(other: Egress) -> None:
    with pytest.raises(ConfigurationError, match="overlap"):
        EgressPlan((egress("192.0.2.7/32"), other))
    with pytest.raises(ConfigurationError, match="overlap"):
        EgressPlan((other, egress("192.0.2.7/32")))


def test_an_address_may_come_back_after_its_end() -> None:
    plan = EgressPlan((egress("192.0.2.7/32", until=NOW + DAY), egress("192.0.2.7/32", "us", since=NOW + DAY)))
    assert shown(plan, NOW + DAY, "us") == ["192.0.2.7/32"]
    assert shown(plan, NOW + DAY, "eu") == []


def test_the_two_kinds_of_address_never_overlap() -> None:
    assert len(EgressPlan((egress("0.0.0.0/0"), egress("::/0"))).entries) == 2


def test_a_plan_holds_nothing_else() -> None:
    entries: Any = ["192.0.2.7"]
    with pytest.raises(ConfigurationError, match="give it Egress values"):
        EgressPlan(entries)


def test_an_addition_needs_a_week() -> None:
    with pytest.raises(ConfigurationError, match="7 days"):
        PLAN.adding(egress("192.0.2.8/32", since=NOW + WEEK - MOMENT), announced_at=NOW)
    plan = PLAN.adding(egress("192.0.2.8/32", since=NOW + WEEK), announced_at=NOW)
    assert shown(plan, NOW + WEEK - MOMENT, "eu") == ["192.0.2.7/32"]
    assert shown(plan, NOW + WEEK, "eu") == ["192.0.2.7/32", "192.0.2.8/32"]
    assert len(PLAN.entries) == 3


def test_an_addition_of_what_is_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="overlap"):
        PLAN.adding(egress("198.51.100.9/32", since=NOW + WEEK), announced_at=NOW)


def test_a_removal_needs_a_week() -> None:
    with pytest.raises(ConfigurationError, match="7 days"):
        PLAN.removing("192.0.2.7/32", until=NOW + WEEK - MOMENT, announced_at=NOW)
    plan = PLAN.removing(ip_network("192.0.2.7/32"), until=NOW + WEEK, announced_at=NOW)
    assert shown(plan, NOW + WEEK - MOMENT, "eu") == ["192.0.2.7/32"]
    assert shown(plan, NOW + WEEK, "eu") == []


@pytest.mark.parametrize(
    ("network", "until"),
    [
        ("192.0.2.9/32", NOW + WEEK),
        ("198.51.100.0/25", NOW + WEEK),
        ("198.51.0.0/16", NOW + WEEK),
        ("203.0.113.5/32", NOW + WEEK),
        ("203.0.113.6/32", NOW + 30 * DAY),
    ],
    ids=["not there", "a part", "more than is there", "not yet begun", "ended before"],
)
def test_only_what_is_in_use_then_is_removed(network: str, until: datetime) -> None:
    plan = EgressPlan(
        (*PLAN.entries, egress("203.0.113.5/32", since=NOW + 9 * DAY), egress("203.0.113.6/32", until=NOW + 20 * DAY))
    )
    with pytest.raises(ConfigurationError, match="not in use at"):
        plan.removing(network, until=until, announced_at=NOW)


def test_what_is_no_network_cannot_be_removed() -> None:
    with pytest.raises(ConfigurationError, match="no network"):
        PLAN.removing("192.0.2", until=NOW + WEEK, announced_at=NOW)


def test_seven_days_are_168_hours_whatever_the_clocks_do() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    announced = datetime(2026, 3, 25, 12, tzinfo=berlin)  # summer time begins on the 29th
    with pytest.raises(ConfigurationError, match="7 days"):
        PLAN.adding(egress("192.0.2.8/32", since=datetime(2026, 4, 1, 12, tzinfo=berlin)), announced_at=announced)
    PLAN.adding(egress("192.0.2.8/32", since=datetime(2026, 4, 1, 13, tzinfo=berlin)), announced_at=announced)


def test_what_is_going_to_change_is_told_in_the_order_it_comes() -> None:
    plan = PLAN.adding(egress("192.0.2.9/32", since=NOW + 20 * DAY), announced_at=NOW)
    plan = plan.removing("192.0.2.7/32", until=NOW + 15 * DAY, announced_at=NOW)
    plan = plan.adding(egress("203.0.113.0/24", "us", since=NOW + 10 * DAY), announced_at=NOW)

    def coming(moment: datetime, region: str | None = None) -> list[str]:
        return [str(entry.network) for entry in plan.announced(moment, region)]

    assert coming(NOW) == ["203.0.113.0/24", "192.0.2.7/32", "192.0.2.9/32"]
    assert coming(NOW, "eu") == ["192.0.2.7/32", "192.0.2.9/32"]
    assert coming(NOW + 10 * DAY) == ["192.0.2.7/32", "192.0.2.9/32"]
    assert coming(NOW + 20 * DAY) == []


@given(
    st.integers(-20, 20),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(0, 20) | st.none()), max_size=5),
    st.integers(-5, 45),
)
def test_no_list_changes_within_a_week_of_its_announcement(
    start: int, changes: list[tuple[int, int, int | None]], at: int
) -> None:
    """Whoever has read the document at some time knows every change of the seven days that follow."""
    plan, today = PLAN, NOW + start * DAY
    for number, (wait, ahead, stay) in enumerate(changes):
        today += wait * DAY / 4
        since = today + ahead * DAY
        try:
            plan = plan.adding(egress(f"203.0.113.{number}/32", since=since), announced_at=today)
            if stay is not None:
                plan = plan.removing(f"203.0.113.{number}/32", until=since + stay * DAY, announced_at=today)
        except ConfigurationError:
            continue
        before, after = plan.at(today), plan.at(today + WEEK - MOMENT)
        known = {entry.network for entry in plan.announced(today)}
        assert set(before) ^ set(after) <= known
    moment = NOW + at * DAY
    assert set(plan.at(moment)) == {entry.network for entry in plan.entries if entry.holds_at(moment)}


# --- the endpoint ---------------------------------------------------------------------------------------------------


def answered(request: Request, plan: EgressPlan = PLAN) -> Response:
    answer = EgressEndpoint(plan=plan, clock=lambda: NOW).answer(request)
    assert answer.events == ()
    return answer.response


def test_the_flat_list_has_the_shape_that_the_field_knows() -> None:
    response = answered(Request(path="/info/ip_addresses"))
    assert response.status == 200
    assert json.loads(response.body) == {"ip_addresses": ["192.0.2.7", "198.51.100.0/24", "2001:db8::/64"]}
    assert dict(response.headers)["content-type"] == "application/json"
    assert dict(response.headers)["cache-control"] == "public, max-age=300"


def test_the_full_document_tells_regions_times_and_changes() -> None:
    plan = PLAN.adding(egress("192.0.2.8/32", since=NOW + WEEK), announced_at=NOW)
    plan = plan.removing("192.0.2.7/32", until=NOW + 2 * WEEK, announced_at=NOW)
    old = {
        "network": "192.0.2.7/32",
        "region": "eu",
        "since": "2026-01-01T00:00:00+00:00",
        "until": "2026-01-15T00:00:00+00:00",
    }
    new = {"network": "192.0.2.8/32", "region": "eu", "since": "2026-01-08T00:00:00+00:00", "until": None}
    response = answered(Request(path="/info/egress", query={"region": "eu"}), plan)
    assert json.loads(response.body) == {"now": [old], "announced": [new, old]}


def test_a_request_is_answered_for_the_moment_it_came() -> None:
    request = Request(path="/info/ip_addresses", received_at=NOW - DAY)
    assert json.loads(answered(request).body) == {"ip_addresses": []}


@pytest.mark.parametrize("path", ["/info/ip_addresses", "/info/egress"])
def test_an_unknown_region_is_an_error_that_names_the_known(path: str) -> None:
    response = answered(Request(path=path, query={"region": "mars"}))
    assert response.status == 400
    assert json.loads(response.body) == {"error": "no such region; use one of eu, us"}
    assert dict(response.headers)["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/info", "/info/egress/", "/INFO/EGRESS", "/info/../info/egress", ""])
def test_another_path_is_not_found(path: str) -> None:
    response = answered(Request(path=path))
    assert response.status == 404
    assert "/info/egress" in json.loads(response.body)["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_another_method_is_not_allowed(method: str) -> None:
    response = answered(Request(method=method, path="/info/egress"))
    assert response.status == 405
    assert dict(response.headers)["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/info/egress", "/nowhere"])
def test_head_is_answered_as_get_and_the_door_leaves_the_body_out(path: str) -> None:
    get, head = answered(Request(path=path)), answered(Request(method="HEAD", path=path))
    assert get.body
    assert head == get


def test_without_a_plan_there_is_nothing_in_use() -> None:
    assert json.loads(answered(Request(path="/info/egress"), EgressPlan()).body) == {"now": [], "announced": []}


# --- the example ----------------------------------------------------------------------------------------------------


def test_the_example_names_the_addresses_of_november_2026() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert len(EXAMPLE_PLAN_2026_11.at(at, "us")) == 10
    assert len(EXAMPLE_PLAN_2026_11.at(at, "eu")) == 6
    assert str(EXAMPLE_PLAN_2026_11.at(at, "us")[0]) == "35.188.196.183/32"
    assert str(EXAMPLE_PLAN_2026_11.at(at, "eu")[-1]) == "35.195.137.235/32"
    assert EXAMPLE_PLAN_2026_11.announced(at) == []
