"""Mailtrap: marks, proof, and what each of its events becomes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Credentials, Tls
from custom_smtp.errors import ConfigurationError, MailError, MalformedError, UnverifiedError
from custom_smtp.events import (
    Bounced,
    BounceKind,
    Cause,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    DropKind,
    Dropped,
    Event,
    Opened,
    Unrecognised,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.providers import mailtrap
from custom_smtp.providers.mailtrap import CATEGORIES, VARIABLES_BYTES, Mailtrap
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, mailtrap_request
from custom_smtp.web import Request
from custom_smtp.webhooks import BATCH_LIMIT

SAMPLES = Path(__file__).parent / "mailtrap"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MAILTRAP = Mailtrap("secret")
EVENTS: list[dict[str, Any]] = json.loads((SAMPLES / "events.json").read_text())["events"]


def posted(payload: Payload) -> Request:
    return mailtrap_request(payload, "secret", received_at=NOON)


def read(event: str, **fields: object) -> Event:
    [told] = MAILTRAP.read(
        posted({"events": [{"event": event, "email": "ada@example.net", "event_id": "e1", **fields}]})
    )
    return told


def told_of(_request: Request) -> bytes:
    return json.dumps(EVENTS).encode()


def test_it_holds_the_contract() -> None:
    samples = [posted((SAMPLES / name).read_bytes()) for name in ("events.json", "events.jsonl")]
    feedback_contract(MAILTRAP, samples, prove=posted, reports=told_of)


@pytest.mark.parametrize("name", ["events.json", "events.jsonl"])
def test_each_event_of_a_batch_becomes_its_own(name: str) -> None:
    events = MAILTRAP.read(posted((SAMPLES / name).read_bytes()))

    assert [type(event) for event in events] == [
        Delivered, Deferred, Bounced, Deferred, Dropped, Complained, Unsubscribed, Opened, Clicked,
    ]  # fmt: skip
    assert {(event.about.delivery_id, event.about.recipient, event.about.at) for event in events} == {
        ("d1", "ada@example.net", NOON)
    }
    assert [event.about.raw for event in events] == EVENTS
    assert [event.about.key for event in events] == [event["event_id"] for event in EVENTS]


def test_one_event_alone_and_an_array_are_read_too() -> None:
    assert MAILTRAP.read(posted(EVENTS[0])) == MAILTRAP.read(posted({"events": EVENTS[:1]}))
    assert MAILTRAP.read(posted(EVENTS)) == MAILTRAP.read(posted({"events": EVENTS}))
    assert MAILTRAP.read(posted({"events": []})) == ()


@pytest.mark.parametrize("category", [*CATEGORIES, "dnsFail"])
def test_every_category_of_the_documentation_is_decided(category: str) -> None:
    kind, cause = CATEGORIES[category.lower()]
    bounced, soft = read("bounce", bounce_category=category), read("soft bounce", bounce_category=category)

    assert bounced == Bounced(bounced.about, kind, cause=cause)
    assert soft == Deferred(soft.about, cause=cause)
    assert len(CATEGORIES) == 17


@pytest.mark.parametrize("category", ["of tomorrow", None, ""])
def test_a_bounce_is_hard_unless_its_category_says_otherwise(category: object) -> None:
    event = read("bounce", bounce_category=category)

    assert event == Bounced(event.about, BounceKind.HARD, cause=Cause.UNKNOWN)


def test_what_is_told_of_each_kind_is_kept() -> None:
    who = {"ip": "192.0.2.1", "user_agent": "Reader/1.0"}
    bounced = read("bounce", response="5.1.1 no such user", response_code=550)
    said = read("soft_bounce", response="452 4.2.2 no room", response_code=452)
    waiting, dropped = read("suspension", reason="not verified"), read("reject", reason="On the suppression list")
    opened, clicked = read("open", **who), read("click", url="https://shop.example/", **who)

    assert bounced == Bounced(bounced.about, BounceKind.HARD, "550 5.1.1 no such user", "5.1.1", Cause.NO_SUCH_USER)
    assert said == Deferred(said.about, "452 4.2.2 no room", "4.2.2", Cause.MAILBOX_FULL)
    assert waiting == Deferred(waiting.about, "not verified")
    assert dropped == Dropped(dropped.about, "On the suppression list", DropKind.SUPPRESSED)
    assert read("reject", reason="no") == Dropped(read("reject", reason="no").about, "no")
    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="192.0.2.1", second_hand=True)
    assert clicked == Clicked(
        clicked.about, "https://shop.example/", user_agent="Reader/1.0", client="192.0.2.1", second_hand=True
    )
    assert isinstance(read("click"), Clicked)
    assert isinstance(read("click", url=5), Unrecognised)


def test_a_mail_that_came_in_is_unrecognised() -> None:
    event = read("inbound.message_received", timestamp=1767355200000)

    assert event == Unrecognised(event.about, "inbound.message_received")


@pytest.mark.parametrize(
    ("variables", "expected"), [({"delivery_id": "d1"}, "d1"), ({"delivery_id": 5}, None), ([], None), (None, None)]
)
def test_our_id_is_found_among_the_variables(variables: object, expected: str | None) -> None:
    assert read("delivery", custom_variables=variables).about.delivery_id == expected


def test_events_without_an_id_have_a_key_each() -> None:
    told = [{**EVENTS[-1], "event_id": None, "url": url} for url in ("a", "a", "b")]
    one, same, other = MAILTRAP.read(posted(told))

    assert one.about.key == same.about.key != other.about.key


@pytest.mark.parametrize(
    "body",
    [
        b'{"events": [5]}', b'{"event": "open"}\n{"event": ', b"\n", b"5\n6",
        json.dumps({"events": [{}] * (BATCH_LIMIT + 1)}).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_proven_nonsense_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        MAILTRAP.read(posted(body))


def test_one_odd_event_never_loses_its_batch() -> None:
    events = MAILTRAP.read(
        posted(
            {"events": [{"event": "click", "url": 5, "email": "bob@example.net"}, EVENTS[0], {"event": ["x"]}, None]}
        )
    )

    assert [type(event) for event in events] == [Unrecognised, Delivered, Unrecognised, Unrecognised]
    assert events[0].about.recipient == "bob@example.net"


# ---- proof -----------------------------------------------------------------------------------------------------------


def test_several_secrets_hold_at_once_and_the_header_has_two_names() -> None:
    request = posted(EVENTS)
    renamed = evolve(request, headers={"X-Mailtrap-Signature": request.headers["mailtrap-signature"].upper()})

    for one in (request, renamed):
        assert Mailtrap(["new", "secret"]).read(one) == MAILTRAP.read(one)


@pytest.mark.parametrize("signature", ["", "AAAA", "é\udcff", "0" * 64])
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(UnverifiedError, match="Mailtrap-Signature"):
        MAILTRAP.read(evolve(posted(EVENTS), headers={"mailtrap-signature": signature}))


@given(st.text(max_size=80))
def test_no_signature_but_the_right_one_holds(signature: str) -> None:
    with pytest.raises(UnverifiedError):
        MAILTRAP.read(evolve(posted(b"{}"), headers={"mailtrap-signature": signature}))


def test_another_body_or_secret_is_refused() -> None:
    with pytest.raises(UnverifiedError):
        MAILTRAP.read(evolve(posted(EVENTS), body=b"{}"))
    with pytest.raises(UnverifiedError):
        MAILTRAP.read(mailtrap_request(b"{", "other"))


@pytest.mark.parametrize("secret", ["", " ", (), ("x", ""), None, b"x"])
def test_a_secret_that_proves_nothing_is_refused_where_it_is_made(secret: Any) -> None:
    with pytest.raises(ConfigurationError, match="signing secret"):
        Mailtrap(secret)


def test_the_secret_never_prints() -> None:
    assert "s3cret" not in repr(Mailtrap("s3cret"))


# ---- marks -----------------------------------------------------------------------------------------------------------


def test_a_mail_is_marked_once_and_what_is_there_is_kept() -> None:
    fresh = MAILTRAP.mark((("X-Campaign", "spring"),), DeliveryId("d1"))
    there = MAILTRAP.mark((("x-mt-custom-variables", '{"order": "a b"}'), ("X-MT-Category", "t")), DeliveryId("d1"))

    assert fresh == (("X-Campaign", "spring"), ("X-MT-Custom-Variables", '{"delivery_id": "d1"}'))
    assert json.loads(there[0][1]) == {"order": "a b", "delivery_id": "d1"}
    assert there[1] == ("X-MT-Category", "t")
    assert MAILTRAP.mark(there, DeliveryId("d1")) == there


@pytest.mark.parametrize(
    "headers",
    [
        (("X-MT-Custom-Variables", "a"),),
        (("X-MT-Custom-Variables", "[]"),),
        (("X-MT-Custom-Variables", '{"delivery_id": "d2"}'),),
        (("X-MT-Custom-Variables", "{}"), ("X-MT-Custom-Variables", "{}")),
        (("X-MT-Custom-Variables", json.dumps({"a": "x" * 500, "b": "y" * (VARIABLES_BYTES - 520)})),),
    ],
)
def test_headers_that_leave_no_room_are_a_mail_error(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MailError, match="X-MT-Custom-Variables"):
        MAILTRAP.mark(headers, DeliveryId("d1"))


def test_its_relays_are_ready_made() -> None:
    server = mailtrap.server("token")

    assert (server.host, server.port, server.tls) == ("live.smtp.mailtrap.io", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("api", "token")
    assert mailtrap.server("token", relay=mailtrap.Relay.BULK).host == "bulk.smtp.mailtrap.io"
