"""Resend: marks, proof, and what each of its events becomes."""

import json
from datetime import UTC, datetime, timedelta
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
    Resubscribed,
    Unrecognised,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.providers import resend
from custom_smtp.providers.resend import PORTS, SUPPRESSED, Resend
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, resend_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "resend"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_plJ3nmyCDGBKInavdOK15jsl"
RESEND = Resend(SECRET)


def posted(payload: Payload) -> Request:
    return resend_request(payload, SECRET, at=NOON, number="msg_1")


def sample(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


def read(kind: str, **inside: object) -> Event:
    told = {"type": kind, "created_at": "2026-01-02T12:00:00Z", "data": {"to": ["ada@example.net"], **inside}}
    [event] = RESEND.read(posted(told))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(RESEND, [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=posted)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sent", Accepted), ("scheduled", Accepted), ("delivered", Delivered), ("delivery-delayed", Deferred),
        ("bounced", Bounced), ("complained", Complained), ("failed", Dropped), ("suppressed", Dropped),
        ("opened", Opened), ("opened-with-headers", Opened), ("clicked", Clicked), ("suppression-added", Complained),
        ("suppression-removed", Resubscribed), ("contact-updated", Unrecognised),
    ],
)  # fmt: skip
def test_each_report_becomes_its_event(name: str, kind: type) -> None:
    [event] = RESEND.read(posted(sample(name)))

    assert type(event) is kind
    assert event.about.recipient == "ada@example.net"
    assert event.about.delivery_id == (None if name.startswith(("suppression", "contact")) else "d1")
    assert event.about.at == datetime(2026, 1, 2, 12, 0, 0, 126000, tzinfo=UTC)


def test_every_sample_is_of_another_kind_and_read() -> None:
    assert len(list(SAMPLES.glob("*.json"))) == 14


# ---- bounces ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "subtype", "verdict", "cause"),
    [
        ("Permanent", "General", "HARD", Cause.UNKNOWN),
        ("Permanent", "NoEmail", "HARD", Cause.NO_SUCH_USER),
        ("Permanent", "of tomorrow", "HARD", Cause.UNKNOWN),
        ("Transient", "General", "SOFT", Cause.UNKNOWN),
        ("Transient", "MailboxFull", "SOFT", Cause.MAILBOX_FULL),
        ("Transient", "MessageTooLarge", "SOFT", Cause.TOO_LARGE),
        ("Transient", "ContentRejected", "BLOCK", Cause.CONTENT),
        ("Transient", "AttachmentRejected", "BLOCK", Cause.CONTENT),
        ("Undetermined", "Undetermined", "UNDETERMINED", Cause.UNKNOWN),
        ("", "", "UNDETERMINED", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(kind: str, subtype: str, verdict: str, cause: Cause) -> None:
    event = read("email.bounced", bounce={"type": kind, "subType": subtype, "message": "no"})

    assert event == Bounced(event.about, BounceKind[verdict], "no", cause=cause)


@pytest.mark.parametrize(
    ("bounce", "reason", "status"),
    [
        ({"diagnosticCode": ["smtp; 550 5.1.1 no", "later"], "message": "no"}, "smtp; 550 5.1.1 no later", "5.1.1"),
        ({"diagnosticCode": "smtp; 550 5.1.1 no", "message": "no"}, "smtp; 550 5.1.1 no", "5.1.1"),
        ({"diagnosticCode": [5], "message": "no"}, "no", ""),
        ({}, "", ""),
        (None, "", ""),
    ],
)
def test_a_bounce_keeps_the_servers_words_and_status(bounce: object, reason: str, status: str) -> None:
    event = read("email.bounced", bounce=bounce)

    assert event == Bounced(
        event.about, BounceKind.UNDETERMINED, reason, status, Cause.NO_SUCH_USER if status else Cause.UNKNOWN
    )


@pytest.mark.parametrize("subtype", SUPPRESSED)
def test_what_resend_did_not_try_is_no_bounce(subtype: str) -> None:
    event = read("email.bounced", bounce={"type": "Permanent", "subType": subtype, "message": "suppressed"})

    assert event == Dropped(event.about, "suppressed", DropKind.SUPPRESSED)


@pytest.mark.parametrize(("kind", "part"), [("email.failed", "failed"), ("email.suppressed", "suppressed")])
def test_what_was_not_sent_says_why(kind: str, part: str) -> None:
    event = read(kind, **{part: {"reason": "quota", "type": "x"}})

    assert event == Dropped(event.about, "quota", DropKind(part))
    assert isinstance(read(kind), Dropped)


def test_each_way_onto_the_suppression_list_is_its_own_event() -> None:
    for origin, kind in {"bounce": Bounced, "complaint": Complained, "manual": Unsubscribed}.items():
        assert type(read("suppression.added", origin=origin, email="ada@example.net")) is kind
    for odd in ("of tomorrow", None, ["bounce"]):
        assert isinstance(read("suppression.added", origin=odd), Unrecognised)


def test_an_open_and_a_click_keep_who_and_what() -> None:
    who = {"ipAddress": "192.0.2.1", "userAgent": "Reader/1.0"}
    opened, clicked = read("email.opened", open=who), read("email.clicked", click={"link": "https://a.example/", **who})

    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="192.0.2.1", second_hand=True)
    assert clicked == Clicked(
        clicked.about, "https://a.example/", user_agent="Reader/1.0", client="192.0.2.1", second_hand=True
    )
    assert isinstance(read("email.clicked"), Unrecognised)


# ---- which mail, which person, when ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ({"headers": [{"name": "x-delivery-id", "value": "d1"}]}, "d1"),
        ({"headers": [{"name": "x-delivery-id", "value": 5}], "message_id": "<d1@shop.example>"}, None),
        ({"headers": [5, {"name": "To", "value": "x"}], "message_id": "<d1@shop.example>"}, "d1"),
        ({"headers": {"X-Delivery-ID": "d1"}, "message_id": "d1@shop.example"}, "d1"),
        ({"message_id": "<0102-000000@eu-west-1.amazonses.com>"}, None),
        ({"message_id": "<0102-000000@amazonses.com>"}, None),
        ({"message_id": "<d1@notamazonses.com>"}, "d1"),
        ({"message_id": None}, None),
        ({}, None),
    ],
)
def test_our_id_is_found(inside: dict[str, Any], expected: str | None) -> None:
    assert read("email.sent", **inside).about.delivery_id == expected


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (["ada@example.net"], "ada@example.net"),
        (['"Ada" <ada@example.net>'], "ada@example.net"),
        (["ada@example.net", "bob@example.net"], ""),
        ([], ""),
        ([5], ""),
        ("ada@example.net", ""),
        (None, ""),
    ],
)
def test_nobody_is_named_where_it_may_be_one_of_several(to: object, expected: str) -> None:
    assert read("email.opened", to=to).about.recipient == expected


@pytest.mark.parametrize("told", [{"type": "email.sent", "data": 5}, {"type": "email.sent", "data": ["d1"]}])
def test_an_odd_event_is_kept_unrecognised(told: dict[str, Any]) -> None:
    [event] = RESEND.read(posted(told))

    assert event == Unrecognised(event.about, "email.sent")
    assert event.about.raw == told


def test_an_event_that_is_told_again_has_the_same_key() -> None:
    first = RESEND.read(resend_request(sample("opened"), SECRET, at=NOON, number="msg_1"))
    again = RESEND.read(resend_request(sample("opened"), SECRET, at=NOON + timedelta(hours=7), number="msg_1"))
    other = RESEND.read(resend_request(sample("opened"), SECRET, at=NOON, number="msg_2"))

    assert first[0].about.key == again[0].about.key != other[0].about.key


# ---- proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "number", "stamp", "body", "signature"),
    [
        (SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}',
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        (OTHER, "msg_loFOjxBNrRLzqYUf", 1731705121, b'{"event_type":"ping","data":{"success":true}}',
         "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
    ],
)  # fmt: skip
def test_svixs_own_examples_are_proven(secret: str, number: str, stamp: int, body: bytes, signature: str) -> None:
    headers = {"svix-id": number, "svix-timestamp": str(stamp), "svix-signature": signature}
    request = Request(method="POST", headers=headers, body=body, received_at=datetime.fromtimestamp(stamp, UTC))

    [event] = Resend(secret).read(request)
    assert isinstance(event, Unrecognised)
    with pytest.raises(UnverifiedError):
        Resend(secret).read(evolve(request, body=body + b" "))


def test_several_secrets_and_several_signatures_hold_at_once() -> None:
    turned = resend_request(sample("sent"), OTHER, SECRET, at=NOON)

    assert RESEND.read(turned)
    assert Resend((SECRET, OTHER)).read(resend_request(sample("sent"), OTHER, at=NOON))
    assert Resend(OTHER.removeprefix("whsec_")).read(turned)


def test_the_headers_may_have_the_names_of_the_standard() -> None:
    request = posted(sample("sent"))
    renamed = {name.replace("svix-", "webhook-"): value for name, value in request.headers.items()}

    assert RESEND.read(evolve(request, headers=renamed)) == RESEND.read(request)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("svix-id", "msg_2"), ("svix-id", ""), ("svix-timestamp", "1767355201"), ("svix-timestamp", ""),
        ("svix-timestamp", "soon"), ("svix-timestamp", "1767355200.0"), ("svix-signature", ""),
        ("svix-signature", "v1,"), ("svix-signature", "v1,AAAA"), ("svix-signature", "v1,é\udcff"),
        ("svix-signature", "v1a,AAAA"), ("svix-signature", "AAAA v1"),
    ],
)  # fmt: skip
def test_a_request_with_less_than_the_whole_proof_is_refused(name: str, value: str) -> None:
    request = posted(sample("sent"))

    with pytest.raises(UnverifiedError):
        RESEND.read(evolve(request, headers={**request.headers, name: value}))


def test_another_version_of_the_signature_does_not_count() -> None:
    request = posted(sample("sent"))
    signature = request.headers["svix-signature"]

    for other in (signature.replace("v1,", "v2,"), signature.replace("v1,", ""), signature.replace("v1,", "v1 ")):
        with pytest.raises(UnverifiedError):
            RESEND.read(evolve(request, headers={**request.headers, "svix-signature": other}))
    assert RESEND.read(evolve(request, headers={**request.headers, "svix-signature": f"v2,AAAA {signature}"}))


def test_another_body_or_secret_is_refused() -> None:
    with pytest.raises(UnverifiedError):
        RESEND.read(evolve(posted(sample("sent")), body=b"{}"))
    with pytest.raises(UnverifiedError):
        RESEND.read(resend_request(sample("sent"), OTHER, at=NOON))


@pytest.mark.parametrize("late", [timedelta(minutes=5, seconds=1), timedelta(minutes=-6)])
def test_a_request_is_believed_for_five_minutes(late: timedelta) -> None:
    with pytest.raises(UnverifiedError, match="stamped"):
        RESEND.read(resend_request(sample("sent"), SECRET, at=NOON, received_at=NOON + late))
    assert Resend(SECRET, max_age=timedelta(hours=1)).read(
        resend_request(sample("sent"), SECRET, at=NOON, received_at=NOON + timedelta(minutes=59))
    )


def test_proof_comes_before_the_body() -> None:
    with pytest.raises(UnverifiedError):
        RESEND.read(resend_request(b"{", OTHER, at=NOON))
    with pytest.raises(MalformedError):
        RESEND.read(posted(b"{"))


@given(st.text(max_size=40))
def test_no_signature_but_the_right_one_holds(signature: str) -> None:
    request = posted(b"{}")

    with pytest.raises(UnverifiedError):
        RESEND.read(evolve(request, headers={**request.headers, "svix-signature": f"v1,{signature}"}))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "re_123_456", (), ("",), (SECRET, ""), None, 5, b"AAAA"])
def test_a_secret_that_proves_nothing_is_refused_where_it_is_made(secret: Any) -> None:
    with pytest.raises(ConfigurationError, match="signing secret"):
        Resend(secret)


@pytest.mark.parametrize("span", [timedelta(0), 5, None])
def test_an_age_is_a_span_of_time(span: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        Resend(SECRET, max_age=span)


def test_the_secret_never_prints() -> None:
    assert "Mf" not in repr(RESEND)
    assert "signing" not in repr(RESEND)


# ---- marks -----------------------------------------------------------------------------------------------------------


def test_a_mail_is_marked_once() -> None:
    marked = RESEND.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert marked == (("X-Campaign", "spring"), ("X-Delivery-ID", "d1"))
    with pytest.raises(MailError, match="X-Delivery-ID"):
        RESEND.mark(marked, DeliveryId("d2"))


def test_its_relay_is_ready_made() -> None:
    server = resend.server("re_key")

    assert (server.host, server.port, server.tls) == ("smtp.resend.com", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("resend", "re_key")
    assert {port: resend.server("re_key", port=port).tls for port in PORTS} == PORTS
    with pytest.raises(ConfigurationError, match="587"):
        resend.server("re_key", port=25)
