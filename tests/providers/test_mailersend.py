"""MailerSend: marks, proof, and what each of its events becomes."""

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
from custom_smtp.providers import mailersend
from custom_smtp.providers.mailersend import TEST_SECRET, MailerSend
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, mailersend_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "mailersend"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MAILERSEND = MailerSend("secret")
PING = {"type": "webhook.test", "created_at": "2026-01-02T12:00:00.000000Z", "data": []}


def posted(payload: Payload) -> Request:
    return mailersend_request(payload, "secret", received_at=NOON)


def sample(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


def read(kind: str, meta: object = None, **inside: object) -> Event:
    told = {"type": f"activity.{kind}", "data": {"id": "a1", "recipient": "ada@example.net", "meta": meta, **inside}}
    [event] = MAILERSEND.read(posted(told))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(MAILERSEND, [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=posted)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sent", Accepted), ("delivered", Delivered), ("deferred", Deferred), ("hard-bounced", Bounced),
        ("soft-bounced", Bounced), ("suppressed", Dropped), ("spam-complaint", Complained),
        ("unsubscribed", Unsubscribed), ("opened", Opened), ("opened-unique", Opened), ("clicked", Clicked),
        ("clicked-unique", Clicked), ("v1-sent", Accepted), ("v1-soft-bounced", Bounced), ("v1-clicked", Clicked),
    ],
)  # fmt: skip
def test_each_report_of_both_versions_becomes_its_event(name: str, kind: type) -> None:
    [event] = MAILERSEND.read(posted(sample(name)))

    assert type(event) is kind
    assert (event.about.delivery_id, event.about.recipient, event.about.at) == ("d1", "ada@example.net", NOON)


def test_what_is_of_no_mail_is_unrecognised() -> None:
    [event] = MAILERSEND.read(posted(sample("maintenance")))

    assert event == Unrecognised(event.about, "maintenance.start")
    assert read("of_tomorrow") == Unrecognised(read("of_tomorrow").about, "activity.of_tomorrow")


@pytest.mark.parametrize(
    ("kind", "meta", "expected"),
    [
        ("hard_bounced", {"bounce_reason": "5.1.1 no", "bounce_code": 550}, ("HARD", "550 5.1.1 no", "5.1.1")),
        ("soft_bounced", {"bounce_reason": "550 5.2.2", "bounce_code": "550"}, ("SOFT", "550 5.2.2", "5.2.2")),
        ("soft_bounced", {"bounce_reason": "5.7.1 spam"}, ("BLOCK", "5.7.1 spam", "5.7.1")),
        ("hard_bounced", {"bounce_code": 550}, ("HARD", "550", "")),
        ("hard_bounced", [], ("HARD", "", "")),
    ],
)
def test_hard_soft_and_block_are_told_apart(kind: str, meta: object, expected: tuple[str, str, str]) -> None:
    event = read(kind, meta)

    assert isinstance(event, Bounced)
    assert (event.kind.name, event.reason, event.status) == expected
    causes = {"5.1.1": Cause.NO_SUCH_USER, "5.2.2": Cause.MAILBOX_FULL, "5.7.1": Cause.POLICY, "": Cause.UNKNOWN}
    assert event.cause is causes[event.status]


def test_a_deferral_a_drop_and_an_unsubscription_say_why() -> None:
    deferred = read("deferred", {"bounce_reason": "4.7.1 later"})
    dropped = read("suppressed", {"suppression_reason": "hard_bounced"})
    unsubscribed = read("unsubscribed", {"unsubscribe_reason": "option_1"})

    assert deferred == Deferred(deferred.about, "4.7.1 later", "4.7.1", Cause.POLICY)
    assert dropped == Dropped(dropped.about, "hard_bounced", DropKind.SUPPRESSED)
    assert unsubscribed == Unsubscribed(unsubscribed.about, "option_1")


def test_version_1_tells_in_words_or_in_a_reason() -> None:
    told = sample("v1-soft-bounced")
    [event] = MAILERSEND.read(posted(told))
    told["data"]["morph"]["readable_reason"] = "The mailbox is full"
    [readable] = MAILERSEND.read(posted(told))

    assert event == Bounced(event.about, BounceKind.SOFT, "no room")
    assert readable == Bounced(readable.about, BounceKind.SOFT, "The mailbox is full")


def test_an_open_and_a_click_keep_who_and_what() -> None:
    [opened], [clicked] = MAILERSEND.read(posted(sample("opened"))), MAILERSEND.read(posted(sample("v1-clicked")))

    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="192.0.2.1", second_hand=True)
    assert clicked == Clicked(clicked.about, "https://shop.example/", client="192.0.2.1", second_hand=True)
    assert isinstance(read("clicked"), Clicked)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ({"tags": ["order", "delivery_id=d1"]}, "d1"),
        ({"tags": ["d1", 5, "delivery_id="]}, None),
        ({"tags": "delivery_id=d1"}, None),
        ({"email": {"tags": ["delivery_id=d1"]}, "tags": ["delivery_id=d2"]}, "d1"),
        ({}, None),
    ],
)
def test_our_id_is_found_among_the_tags(inside: dict[str, Any], expected: str | None) -> None:
    assert read("sent", **inside).about.delivery_id == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ({"recipient": None, "email": "bob@example.net"}, "bob@example.net"),
        ({"email": {"recipient": {"email": "bob@example.net"}}}, "bob@example.net"),
        ({"email": {"recipient": 5}}, "ada@example.net"),
    ],
)
def test_the_person_is_found(inside: dict[str, Any], expected: str) -> None:
    assert read("sent", **inside).about.recipient == expected


def test_the_same_event_has_the_same_key_and_another_another() -> None:
    keys = [read(kind).about.key for kind in ("opened", "opened", "opened_unique")]
    without = [
        read(kind, id=None, meta={"ip": ip}).about.key
        for kind, ip in (("opened", "a"), ("opened", "a"), ("opened", "b"))
    ]

    for one, same, other in (keys, without):
        assert one == same != other


@pytest.mark.parametrize(
    "told", [{"type": "activity.sent", "data": 5}, {"type": "activity.opened", "data": {"meta": 5}}]
)
def test_an_odd_event_is_kept_unrecognised(told: dict[str, Any]) -> None:
    [event] = MAILERSEND.read(posted(told))

    assert event == Unrecognised(event.about, told["type"])


# ---- proof -----------------------------------------------------------------------------------------------------------


def test_several_secrets_hold_at_once_and_the_header_has_two_names() -> None:
    request = posted(sample("sent"))
    renamed = evolve(request, headers={"X-MailerSend-Signature": request.headers["signature"].upper()})

    for one in (request, renamed):
        assert MailerSend(["new", "secret"]).read(one) == MAILERSEND.read(one)


@pytest.mark.parametrize("signature", ["", "AAAA", "é\udcff", "0" * 64])
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(UnverifiedError, match="Signature"):
        MAILERSEND.read(evolve(posted(sample("sent")), headers={"signature": signature}))


@given(st.text(max_size=80))
def test_no_signature_but_the_right_one_holds(signature: str) -> None:
    with pytest.raises(UnverifiedError):
        MAILERSEND.read(evolve(posted(b"{}"), headers={"signature": signature}))


def test_the_test_of_a_new_webhook_is_answered_without_an_event() -> None:
    for secret in ("secret", TEST_SECRET):
        assert MAILERSEND.read(mailersend_request(PING, secret)) == ()


def test_the_secret_that_everybody_knows_proves_nothing_else() -> None:
    for payload in (sample("sent"), [PING, sample("sent")]):
        with pytest.raises(UnverifiedError, match="test secret"):
            MAILERSEND.read(mailersend_request(payload, TEST_SECRET))


def test_proof_comes_before_the_body() -> None:
    with pytest.raises(UnverifiedError):
        MAILERSEND.read(mailersend_request(b"{", "other"))
    with pytest.raises(MalformedError):
        MAILERSEND.read(posted(b"{"))


@pytest.mark.parametrize("secret", ["", " ", (), ("x", ""), None, b"x"])
def test_a_secret_that_proves_nothing_is_refused_where_it_is_made(secret: Any) -> None:
    with pytest.raises(ConfigurationError, match="signing secret"):
        MailerSend(secret)


def test_the_secret_never_prints() -> None:
    assert "s3cret" not in repr(MailerSend("s3cret"))


# ---- marks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ((), (("X-MailerSend-Tags", "delivery_id=d1"),)),
        ((("x-mailersend-tags", "a, b"),), (("x-mailersend-tags", "a, b,delivery_id=d1"),)),
        ((("X-MailerSend-Tags", " "),), (("X-MailerSend-Tags", "delivery_id=d1"),)),
        ((("X-MailerSend-Tags", "a,delivery_id=d1"),), (("X-MailerSend-Tags", "a,delivery_id=d1"),)),
    ],
)
def test_a_mail_is_marked_once(there: tuple[tuple[str, str], ...], expected: tuple[tuple[str, str], ...]) -> None:
    assert MAILERSEND.mark(there, DeliveryId("d1")) == expected
    assert MAILERSEND.mark(expected, DeliveryId("d1")) == expected


@pytest.mark.parametrize("tags", ["a,b,c,d,e", "a,delivery_id=d2"])
def test_tags_that_leave_no_room_are_a_mail_error(tags: str) -> None:
    with pytest.raises(MailError, match="X-MailerSend-Tags"):
        MAILERSEND.mark((("X-MailerSend-Tags", tags),), DeliveryId("d1"))


def test_its_relay_is_ready_made() -> None:
    server = mailersend.server("MS_user", "password")

    assert (server.host, server.port, server.tls) == ("smtp.mailersend.net", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("MS_user", "password")
    assert mailersend.server("MS_user", "password", port=2525).tls is Tls.STARTTLS
    with pytest.raises(ConfigurationError, match="587"):
        mailersend.server("MS_user", "password", port=465)
