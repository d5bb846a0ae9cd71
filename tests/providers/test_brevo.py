"""Brevo: marks, proof, and what each of its reports becomes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Credentials, Tls
from custom_smtp.errors import ConfigurationError, MailError, MalformedError, UnverifiedError
from custom_smtp.events import (
    Accepted,
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
from custom_smtp.providers import brevo
from custom_smtp.providers.brevo import Brevo
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, brevo_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "brevo"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BREVO = Brevo(username="brevo", password="hook")


def posted(payload: Payload) -> Request:
    return brevo_request(payload, "brevo", "hook", received_at=NOON)


def sample(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


def read(event: str, **fields: object) -> Event:
    [told] = BREVO.read(posted({"event": event, "email": "ada@example.net", **fields}))
    return told


def test_it_holds_the_contract() -> None:
    feedback_contract(BREVO, [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=posted)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("request", Accepted), ("delivered", Delivered), ("deferred", Deferred), ("hard-bounce", Bounced),
        ("soft-bounce", Bounced), ("invalid-email", Bounced), ("blocked", Dropped), ("error", Dropped),
        ("spam", Complained), ("unsubscribed", Unsubscribed), ("opened", Opened), ("unique-opened", Opened),
        ("proxy-open", Opened), ("unique-proxy-open", Opened), ("click", Clicked),
    ],
)  # fmt: skip
def test_each_report_becomes_its_event(name: str, kind: type) -> None:
    [event] = BREVO.read(posted(sample(name)))

    assert type(event) is kind
    assert (event.about.delivery_id, event.about.recipient) == ("d1", "ada@example.net")
    assert event.about.at == datetime(2026, 1, 2, 12, 0, 0, 372000, tzinfo=UTC)


def test_a_batch_is_read_and_what_is_of_marketing_is_unrecognised() -> None:
    events = BREVO.read(posted((SAMPLES / "batch.json").read_bytes()))
    [other] = BREVO.read(posted(sample("list-addition")))

    assert [type(event) for event in events] == [Accepted, Delivered, Clicked]
    assert other == Unrecognised(other.about, "list_addition")


@pytest.mark.parametrize(("event", "kind"), [("complaint", Complained), ("unsubscribe", Unsubscribed)])
def test_other_names_of_one_event_are_known(event: str, kind: type) -> None:
    assert type(read(event)) is kind


@pytest.mark.parametrize(
    ("event", "reason", "kind", "cause"),
    [
        ("hard_bounce", "550-5.1.1 no such user", "HARD", Cause.NO_SUCH_USER),
        ("hard_bounce", "554 5.7.1 spam", "BLOCK", Cause.POLICY),
        ("soft_bounce", "552 5.2.2 no room", "SOFT", Cause.MAILBOX_FULL),
        ("soft_bounce", "550 5.7.26 not authenticated", "BLOCK", Cause.POLICY),
        ("invalid_email", "invalid", "HARD", Cause.NO_SUCH_USER),
        ("hard_bounce", "", "HARD", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(event: str, reason: str, kind: str, cause: Cause) -> None:
    told = read(event, reason=reason)

    assert isinstance(told, Bounced)
    assert (told.kind, told.cause, told.reason) == (BounceKind[kind], cause, reason)


def test_a_deferral_and_a_drop_say_why() -> None:
    deferred, dropped = read("deferred", reason="451 4.7.1 later"), read("blocked", reason="blacklisted")

    assert deferred == Deferred(deferred.about, "451 4.7.1 later", "4.7.1", Cause.POLICY)
    assert dropped == Dropped(dropped.about, "blacklisted", DropKind.SUPPRESSED)
    assert read("error") == Dropped(read("error").about, kind=DropKind.FAILED)


@pytest.mark.parametrize("event", ["proxy_open", "unique_proxy_open"])
def test_an_open_by_a_proxy_is_a_machines(event: str) -> None:
    told = read(event)

    assert told == Opened(told.about, proxied=True, prefetched=True, evidence=(event,), second_hand=True)


def test_an_open_and_a_click_keep_who_and_what() -> None:
    who = {"ip": "192.0.2.1", "user_agent": "Reader/1.0"}
    opened, clicked = read("opened", **who), read("click", link="https://shop.example/", **who)

    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="192.0.2.1", second_hand=True)
    assert clicked == Clicked(
        clicked.about, "https://shop.example/", user_agent="Reader/1.0", client="192.0.2.1", second_hand=True
    )
    assert isinstance(read("click"), Clicked)
    assert isinstance(read("click", link=5), Unrecognised)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ts_epoch": 1767355200372, "ts_event": 5}, "12:00:00.372000"),
        ({"ts_epoch": "1767355200372"}, "12:00:00.372000"),
        ({"ts_event": 1767355201}, "12:00:01"),
        ({"ts_epoch": "", "ts": 1767355202}, "12:00:02"),
        ({}, "12:00:00"),
    ],
)
def test_the_time_is_the_one_in_utc(fields: dict[str, Any], expected: str) -> None:
    assert read("delivered", **fields).about.at.time().isoformat() == expected


@pytest.mark.parametrize("stamp", [[], "soon", 1e300, True])
def test_a_time_that_is_none_loses_no_event(stamp: object) -> None:
    events = BREVO.read(posted([{"event": "delivered", "ts_epoch": stamp}, sample("click")]))

    assert [type(event) for event in events] == [Delivered, Clicked]
    assert events[0].about.at == NOON


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"X-Mailin-custom": '{"delivery_id": "d1"}', "message-id": "<x@shop.example>"}, "d1"),
        ({"X-Mailin-custom": '{"order": "7"}', "message-id": "<d1@shop.example>"}, "d1"),
        ({"X-Mailin-custom": "delivery_id:d2|a:b", "message-id": "<d1@shop.example>"}, "d1"),
        ({"X-Mailin-custom": '{"delivery_id": ', "message-id": "<d1@shop.example>"}, "d1"),
        ({"X-Mailin-custom": '[{"delivery_id": "d2"}, {}]', "message-id": "<d1@shop.example>"}, "d1"),
        ({"X-Mailin-custom": "[" * 5000 + "delivery_id", "message-id": "<d1@shop.example>"}, "d1"),
        ({"X-Mailin-custom": {"delivery_id": "d1"}}, None),
        ({"message-id": "<202305311437.85220493321@smtp-relay.mailin.fr>"}, None),
        ({}, None),
    ],
    ids=lambda fields: str(fields)[:50],
)
def test_our_id_is_found(fields: dict[str, Any], expected: str | None) -> None:
    assert read("delivered", **fields).about.delivery_id == expected


@pytest.mark.parametrize(
    "other",
    [{"event": "opened"}, {"email": "bob@example.net"}, {"message-id": "<b@x>"}, {"ts_epoch": 5}, {"link": "b"}],
)
def test_two_reports_have_two_keys(other: dict[str, Any]) -> None:
    [one], [same] = BREVO.read(posted(sample("click"))), BREVO.read(posted({**sample("click"), "subject": "Other"}))
    [another] = BREVO.read(posted({**sample("click"), **other}))

    assert one.about.key == same.about.key != another.about.key


# ---- proof -----------------------------------------------------------------------------------------------------------


def test_several_passwords_and_tokens_hold_at_once() -> None:
    adapter = Brevo(username="brevo", password=("new", "hook"), token=("new", "old"))

    for request in (
        posted(sample("request")),
        brevo_request(sample("request"), "brevo", "new"),
        brevo_request(sample("request"), token="old"),
        brevo_request(sample("request"), token="new"),
    ):
        assert adapter.read(request)


@pytest.mark.parametrize("authorization", ["", "Basic", "Bearer x", "Basic YnJldm86b3RoZXI=", "Bearer"])
def test_others_are_refused(authorization: str) -> None:
    request = evolve(posted(sample("request")), headers={"authorization": authorization})

    for adapter in (BREVO, Brevo(token="token"), Brevo(username="brevo", password="hook", token="token")):
        with pytest.raises(UnverifiedError) as caught:
            adapter.read(request)
        assert caught.value.challenge


def test_proof_comes_before_the_body() -> None:
    with pytest.raises(UnverifiedError):
        BREVO.read(brevo_request(b"{", "brevo", "other"))
    with pytest.raises(MalformedError):
        BREVO.read(posted(b"{"))


@pytest.mark.parametrize(
    "proof",
    [
        {}, {"username": "brevo"}, {"password": "hook"}, {"username": "b:r", "password": "hook"}, {"token": ""},
        {"token": ["a", ""]}, {"username": "brevo", "password": " "}, {"username": "brevo", "password": []},
    ],
    ids=str,
)  # fmt: skip
def test_without_a_whole_proof_it_cannot_be(proof: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Brevo's webhook"):
        Brevo(**proof)


def test_the_secrets_never_print() -> None:
    assert "s3cret" not in repr(Brevo(username="brevo", password="s3cret", token="s3cret-too"))


# ---- marks -----------------------------------------------------------------------------------------------------------


def test_a_mail_is_marked_once_and_what_is_there_is_kept() -> None:
    fresh = BREVO.mark((("X-Campaign", "spring"),), DeliveryId("d1"))
    there = BREVO.mark((("x-mailin-CUSTOM", '{"order": "a b"}'), ("X-Mailin-Tag", "t")), DeliveryId("d1"))

    assert fresh == (("X-Campaign", "spring"), ("X-Mailin-custom", '{"delivery_id": "d1"}'))
    assert there[0][0] == "x-mailin-CUSTOM"
    assert json.loads(there[0][1]) == {"order": "a b", "delivery_id": "d1"}
    assert BREVO.mark(there, DeliveryId("d1")) == there


@pytest.mark.parametrize(
    "headers",
    [
        (("X-Mailin-custom", "a:b|c:d"),),
        (("X-Mailin-custom", "[]"),),
        (("X-Mailin-custom", '{"delivery_id": "d2"}'),),
        (("X-Mailin-custom", "{}"), ("X-Mailin-custom", "{}")),
    ],
)
def test_headers_that_leave_no_room_are_a_mail_error(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MailError, match="X-Mailin-custom"):
        BREVO.mark(headers, DeliveryId("d1"))


def test_its_relay_is_ready_made() -> None:
    server = brevo.server("shop@example.com", "xsmtpsib-key")

    assert (server.host, server.port, server.tls) == ("smtp-relay.brevo.com", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("shop@example.com", "xsmtpsib-key")
    assert brevo.server("shop@example.com", "key", port=465).tls is Tls.IMPLICIT
    with pytest.raises(ConfigurationError, match="587"):
        brevo.server("shop@example.com", "key", port=25)
