"""Mailjet: marks, proof, and what each of its events becomes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

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
from custom_smtp.providers import mailjet
from custom_smtp.providers.mailjet import BLOCKED, ERRORS, NOT_TRIED, Mailjet
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, mailjet_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "mailjet"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MAILJET = Mailjet("mj", "hook")
GROUP: list[dict[str, Any]] = json.loads((SAMPLES / "group.json").read_text())

ALL_ERRORS = {
    "user unknown", "mailbox inactive", "quota exceeded", "blacklisted", "spam reporter", "invalid domain",
    "no mail host", "relay/access denied", "greylisted", "typofix", "bad or empty template",
    "error in template language", "sender blocked", "content blocked", "policy issue", "system issue",
    "protocol issue", "connection issue", "preblocked", "duplicate in campaign",
}  # fmt: skip


def posted(payload: Payload) -> Request:
    return mailjet_request(payload, "mj", "hook", received_at=NOON)


def read(**fields: object) -> Event:
    told = {"email": "ada@example.net", "time": 1767330000, "MessageID": 1, "CustomID": "d1", **fields}
    [event] = MAILJET.read(posted(told))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(MAILJET, [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=posted)


def test_each_event_of_a_group_becomes_its_own() -> None:
    events = MAILJET.read(posted(GROUP))

    assert [type(event) for event in events] == [
        Delivered, Opened, Clicked, Bounced, Bounced, Bounced, Deferred, Dropped, Complained, Unsubscribed,
    ]  # fmt: skip
    assert {event.about.delivery_id for event in events} == {"d1"}
    assert {event.about.recipient for event in events} == {"ada@example.net"}
    assert events[0].about.at == datetime(2026, 1, 2, 5, 0, 1, tzinfo=UTC)
    assert [event.about.raw for event in events] == GROUP


def test_one_event_alone_is_read_as_in_a_group() -> None:
    assert [MAILJET.read(posted(told))[0] for told in GROUP] == list(MAILJET.read(posted(GROUP)))


def test_groups_with_fewer_fields_are_read() -> None:
    events = MAILJET.read(posted((SAMPLES / "group-of-before.json").read_bytes()))

    assert [type(event) for event in events] == [Delivered, Delivered]
    assert len({event.about.key for event in events}) == 2


def test_the_events_of_a_test_are_events() -> None:
    events = MAILJET.read(posted((SAMPLES / "test-events.json").read_bytes()))

    assert events[0] == Unsubscribed(events[0].about)
    assert events[1] == Bounced(events[1].about, BounceKind.UNDETERMINED)
    assert events[1].about.key != events[2].about.key


def test_a_delivery_keeps_the_servers_words() -> None:
    event = read(event="sent", smtp_reply="sent (250 2.0.0 OK)")

    assert event == Delivered(event.about, "sent (250 2.0.0 OK)")


def test_an_open_and_a_click_keep_who_and_what() -> None:
    who = {"ip": "2001:db8::1", "geo": "NL", "agent": "Reader/1.0"}
    opened, clicked = read(event="open", **who), read(event="click", url="https://shop.example/", **who)

    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="2001:db8::1", second_hand=True)
    assert clicked == Clicked(
        clicked.about, "https://shop.example/", user_agent="Reader/1.0", client="2001:db8::1", second_hand=True
    )


def test_a_click_that_names_no_link_is_still_one() -> None:
    event = read(event="click")

    assert isinstance(event, Clicked)
    assert event.url == ""


@pytest.mark.parametrize("told", [{"a": 1}, 5, ["https://shop.example/"], True])
def test_a_click_on_what_is_no_text_is_unrecognised(told: object) -> None:
    assert isinstance(read(event="click", url=told), Unrecognised)


# ---- bounces ---------------------------------------------------------------------------------------------------------


def test_every_error_of_the_documentation_is_decided() -> None:
    assert {*ERRORS, *NOT_TRIED} == ALL_ERRORS
    assert len(ERRORS) + len(NOT_TRIED) == len(ALL_ERRORS)


@pytest.mark.parametrize(
    ("fields", "kind", "cause"),
    [
        ({"error": "user unknown", "hard_bounce": True}, "HARD", Cause.NO_SUCH_USER),
        ({"error": "user unknown", "hard_bounce": False}, "SOFT", Cause.NO_SUCH_USER),
        ({"error": "User Unknown", "hard_bounce": 1}, "HARD", Cause.NO_SUCH_USER),
        ({"error": "mailbox inactive", "hard_bounce": False}, "SOFT", Cause.MAILBOX_DISABLED),
        ({"error": "quota exceeded", "hard_bounce": "0"}, "SOFT", Cause.MAILBOX_FULL),
        ({"error": "invalid domain", "hard_bounce": "1"}, "HARD", Cause.NO_SUCH_DOMAIN),
        ({"error": "no mail host", "hard_bounce": True}, "HARD", Cause.NO_SUCH_DOMAIN),
        ({"error": "typofix", "hard_bounce": True}, "HARD", Cause.NO_SUCH_DOMAIN),
        ({"error": "relay/access denied", "hard_bounce": True}, "BLOCK", Cause.RELAY_DENIED),
        ({"error": "greylisted", "hard_bounce": True}, "SOFT", Cause.GREYLISTED),
        ({"error": "sender blocked", "hard_bounce": True}, "BLOCK", Cause.REPUTATION),
        ({"error": "content blocked", "hard_bounce": False}, "BLOCK", Cause.SPAM),
        ({"error": "policy issue", "hard_bounce": False}, "BLOCK", Cause.POLICY),
        ({"error": "bad or empty template", "hard_bounce": False}, "BLOCK", Cause.CONTENT),
        ({"error": "system issue", "hard_bounce": True}, "SOFT", Cause.SYSTEM_ERROR),
        ({"error": "protocol issue", "hard_bounce": False}, "SOFT", Cause.PROTOCOL),
        ({"error": "connection issue", "hard_bounce": True}, "SOFT", Cause.NETWORK),
        ({"error": "new", "error_related_to": "spam", "hard_bounce": True}, "BLOCK", Cause.POLICY),
        ({"error": "new", "error_related_to": "system", "hard_bounce": True}, "SOFT", Cause.SYSTEM_ERROR),
        ({"error": "new", "error_related_to": "recipient", "hard_bounce": True}, "HARD", Cause.UNKNOWN),
        ({"error": "new", "hard_bounce": False}, "SOFT", Cause.UNKNOWN),
        ({"hard_bounce": None}, "UNDETERMINED", Cause.UNKNOWN),
        ({}, "UNDETERMINED", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(fields: dict[str, object], kind: str, cause: Cause) -> None:
    event = read(event="bounce", **fields)

    assert isinstance(event, Bounced)
    assert (event.kind.name, event.cause) == (kind, cause)


def test_a_bounce_tells_reason_and_status() -> None:
    event = read(event="bounce", error="user unknown", comment="550 5.1.1 no such user", hard_bounce=True)

    assert event == Bounced(
        event.about,
        BounceKind.HARD,
        "user unknown: 550 5.1.1 no such user",
        "5.1.1",
        cause=Cause.NO_SUCH_USER,
    )


@pytest.mark.parametrize("hard", [False, None, "", 0])
def test_greylisting_is_a_delay(hard: object) -> None:
    event = read(event="bounce", error="greylisted", comment="451 4.7.1 later", hard_bounce=hard)

    assert event == Deferred(event.about, "greylisted: 451 4.7.1 later", "4.7.1", cause=Cause.GREYLISTED)


@pytest.mark.parametrize("error", sorted(NOT_TRIED))
@pytest.mark.parametrize("kind", ["bounce", "blocked"])
def test_what_mailjet_did_not_try_is_no_bounce(kind: str, error: str) -> None:
    event = read(event=kind, error=error, error_related_to="mailjet", hard_bounce=True)

    assert event == Dropped(event.about, error, NOT_TRIED[error])


@pytest.mark.parametrize("error", ["user unknown", "greylisted", "something new", ""])
@pytest.mark.parametrize(("related", "kind"), [*BLOCKED.items(), ("new", DropKind.UNKNOWN), (None, DropKind.UNKNOWN)])
def test_whatever_is_blocked_was_not_tried(error: str, related: str | None, kind: DropKind) -> None:
    event = read(event="blocked", error=error, error_related_to=related)

    assert event == Dropped(event.about, error, kind)


# ---- which mail, which person, when ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "scope"), [(12, "12"), ("12", "12"), (0, ""), ("", ""), ("0", ""), (None, "")])
def test_an_unsubscription_names_its_list(told: object, scope: str) -> None:
    event = read(event="unsub", mj_list_id=told)

    assert event == Unsubscribed(event.about, scope=scope)


@pytest.mark.parametrize(
    ("custom", "payload", "expected"),
    [
        ("d1", "", "d1"),
        ("order-7", '{"delivery_id": "d1"}', "d1"),
        ("", "d1", "d1"),
        ("", '{"delivery_id": "not an id"}', None),
        ("d1", '{"delivery_id": ', "d1"),
        ("d1", '["delivery_id"]', "d1"),
        ("d1", "[" * 5000 + '"delivery_id"', "d1"),
        ("1-ada@example.net", "<a>7</a>", None),
        (None, None, None),
        (5, {"delivery_id": "d1"}, None),
    ],
)
def test_our_id_is_found_in_the_payload_or_is_the_custom_id(custom: object, payload: object, expected: str) -> None:
    assert read(event="sent", CustomID=custom, Payload=payload).about.delivery_id == expected


@pytest.mark.parametrize("event", ["sent", "open", "click", "bounce", "blocked", "spam", "unsub", "typofix", ""])
def test_an_event_with_nothing_else_in_it_is_still_one(event: str) -> None:
    [told] = MAILJET.read(posted({"event": event}))

    assert (told.about.at, told.about.delivery_id, told.about.recipient) == (NOON, None, "")


def test_a_kind_that_is_not_known_is_unrecognised() -> None:
    event = read(event="typofix", original_address="a@gmal.example", new_address="a@gmail.example")

    assert event == Unrecognised(event.about, "typofix")


def test_one_odd_event_never_loses_its_group() -> None:
    odd: list[dict[str, Any]] = [
        {"event": "click", "url": 5, "email": "bob@example.net"},
        {"event": ["sent"]},
        {"email": 5},
    ]
    events = MAILJET.read(posted([odd[0], GROUP[0], *odd[1:]]))

    assert [type(event) for event in events] == [Unrecognised, Delivered, Unrecognised, Unrecognised]
    assert events[0].about.recipient == "bob@example.net"


@pytest.mark.parametrize(
    "other",
    [
        {"MessageID": 2}, {"MessageID": None, "mj_message_id": "2"}, {"time": 1767330001}, {"event": "blocked"},
        {"mj_contact_id": 9},
    ],
)  # fmt: skip
def test_two_reports_have_two_keys(other: dict[str, Any]) -> None:
    assert read(event="sent").about.key == read(event="sent", smtp_reply="x").about.key
    assert read(event="sent").about.key != read(**{"event": "sent", **other}).about.key


@pytest.mark.parametrize(
    "other", [{"ip": "192.0.2.1"}, {"agent": "Reader/2.0"}, {"url": "https://shop.example/2"}, {"mj_list_id": 2}]
)
@pytest.mark.parametrize("event", ["open", "click", "unsub"])
def test_two_readers_links_and_lists_at_once_are_two_reports(event: str, other: dict[str, Any]) -> None:
    one = {"event": event, "url": "https://shop.example/"}

    assert read(**one).about.key != read(**{**one, **other}).about.key


# ---- proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!", "Bearer bWo6aG9vaw==", "Basic bWo6d3Jvbmc="])
def test_only_the_right_user_name_and_password_are_believed(authorization: str) -> None:
    with pytest.raises(UnverifiedError) as caught:
        MAILJET.read(evolve(posted(GROUP), headers={"Authorization": authorization}))

    assert caught.value.challenge.startswith("Basic ")


def test_the_old_password_holds_while_the_new_one_takes_its_place() -> None:
    turning = Mailjet("mj", ("new", "hook"))

    assert turning.read(posted(GROUP)) == MAILJET.read(posted(GROUP))
    assert turning.read(mailjet_request(GROUP, "mj", "new", received_at=NOON))
    with pytest.raises(UnverifiedError):
        turning.read(mailjet_request(GROUP, "mj", "newhook"))


def test_proven_nonsense_is_malformed() -> None:
    with pytest.raises(MalformedError):
        MAILJET.read(posted(b"[{]"))


@pytest.mark.parametrize(
    ("username", "password"),
    [("", "hook"), ("mj", ""), ("mj", "  "), ("m:j", "x"), ("mj", None), ("mj", ()), ("mj", ("x", "")), ("mj", b"x")],
)
def test_credentials_that_prove_nothing_are_refused_where_they_are_made(username: Any, password: Any) -> None:
    with pytest.raises(ConfigurationError, match="webhook"):
        Mailjet(username, password)


def test_the_password_never_prints() -> None:
    assert "hook" not in repr(MAILJET)


# ---- marks -----------------------------------------------------------------------------------------------------------

OFF = (("X-Mailjet-TrackOpen", "0"), ("X-Mailjet-TrackClick", "0"))


def test_a_mail_is_marked_once_and_tracking_is_off() -> None:
    marked = MAILJET.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert marked == (("X-Campaign", "spring"), ("X-MJ-CustomID", "d1"), *OFF)
    assert MAILJET.mark(marked, DeliveryId("d1")) == marked


@pytest.mark.parametrize(("payload", "kept"), [(None, {}), ('{"order": "a b"}', {"order": "a b"}), ("{}", {})])
def test_where_the_custom_id_is_taken_our_id_goes_into_the_payload(payload: str | None, kept: dict[str, str]) -> None:
    there = (("x-mj-customid", "order-7"), *([("X-MJ-EventPayload", payload)] if payload else []))
    marked = MAILJET.mark(there, DeliveryId("d1"))

    assert marked[0] == there[0]
    assert [name for name, _ in marked[1:]] == ["X-MJ-EventPayload", *(name for name, _ in OFF)]
    assert json.loads(marked[1][1]) == {**kept, "delivery_id": "d1"}
    assert MAILJET.mark(marked, DeliveryId("d1")) == marked
    assert read(event="sent", CustomID="order-7", Payload=marked[1][1]).about.delivery_id == "d1"


def test_a_payload_of_ones_own_is_left_alone_where_the_custom_id_is_free() -> None:
    there = (("X-MJ-EventPayload", "<order>7</order>"),)

    assert MAILJET.mark(there, DeliveryId("d1")) == (*there, ("X-MJ-CustomID", "d1"), *OFF)


@pytest.mark.parametrize(
    "headers",
    [
        (("X-Mailjet-TrackOpen", "1"),),
        (("x-mailjet-trackclick", "1"),),
        (("X-MJ-CustomID", "order-7"), ("X-MJ-EventPayload", "<order>7</order>")),
        (("X-MJ-CustomID", "order-7"), ("X-MJ-EventPayload", "[7]")),
        (("X-MJ-CustomID", "order-7"), ("X-MJ-EventPayload", '{"delivery_id": "d2"}')),
        (("X-MJ-CustomID", "order-7"), ("X-MJ-EventPayload", "{}"), ("X-MJ-EventPayload", "{}")),
    ],
)
def test_headers_that_leave_no_room_are_a_mail_error(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MailError, match="X-M"):
        MAILJET.mark(headers, DeliveryId("d1"))


def test_its_relay_is_ready_made() -> None:
    server = mailjet.server("key", "secret")

    assert (server.host, server.port, server.tls) == ("in-v3.mailjet.com", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("key", "secret")
    assert mailjet.server("key", "secret", port=465).tls is Tls.IMPLICIT


@pytest.mark.parametrize("port", [25, 80, 0, "587"])
def test_a_port_that_is_not_mailjets_is_refused(port: Any) -> None:
    with pytest.raises(ConfigurationError, match="587"):
        mailjet.server("key", "secret", port=port)
