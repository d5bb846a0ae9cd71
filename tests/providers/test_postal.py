"""Postal: marks, proof, and what each of its events becomes."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Credentials, Tls
from custom_smtp.errors import ConfigurationError, MailError, MalformedError, UnverifiedError
from custom_smtp.events import (
    Bounced,
    BounceKind,
    Cause,
    Clicked,
    Deferred,
    Delivered,
    DropKind,
    Dropped,
    Event,
    Opened,
    Unrecognised,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.providers import postal
from custom_smtp.providers.postal import OUT_OF_ATTEMPTS, REFUSED_BY_POSTAL, STATUSES, SUPPRESSED, Postal
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, PostalSigner
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "postal"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SERVER, OTHER = PostalSigner(), PostalSigner()
POSTAL = Postal(SERVER.jwks)


def posted(payload: Payload) -> Request:
    return SERVER.request(payload, received_at=NOON)


def sample(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


def read(kind: str, **inside: object) -> Event:
    message = {"direction": "outgoing", "message_id": "d1@shop.example", "to": "ada@example.net"}
    [event] = POSTAL.read(posted({"event": kind, "uuid": "u1", "payload": {"message": message, **inside}}))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(POSTAL, [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=posted)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sent", Delivered), ("delayed", Deferred), ("failed", Bounced), ("held", Dropped), ("bounced", Bounced),
        ("clicked", Clicked), ("loaded", Opened),
    ],
)  # fmt: skip
def test_each_report_becomes_its_event(name: str, kind: type) -> None:
    [event] = POSTAL.read(posted(sample(name)))

    assert type(event) is kind
    assert (event.about.delivery_id, event.about.recipient) == ("d1", "ada@example.net")
    assert event.about.key == sample(name)["uuid"]
    assert event.about.raw == sample(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sent-incoming", "MessageSent"), ("dns-error", "DomainDNSError"), ("send-limit", "SendLimitApproaching")],
)
def test_what_is_of_no_mail_of_ours_is_unrecognised(name: str, kind: str) -> None:
    [event] = POSTAL.read(posted(sample(name)))

    assert event == Unrecognised(event.about, kind)


def test_the_time_is_of_the_attempt_or_of_the_event() -> None:
    [sent], [clicked] = POSTAL.read(posted(sample("sent"))), POSTAL.read(posted(sample("clicked")))

    assert sent.about.at == datetime(2026, 1, 2, 12, 0, 0, 129940, tzinfo=UTC)
    assert clicked.about.at == datetime(2026, 1, 2, 12, 0, 2, 500000, tzinfo=UTC)
    assert read("MessageSent").about.at == NOON


def test_what_is_told_of_each_kind_is_kept() -> None:
    delivered = read("MessageSent", output="250 2.0.0 OK", details="accepted")
    deferred = read("MessageDelayed", output="451 4.7.1 later", details="Temporary")
    without_words = read("MessageDelayed", output=None, details="No SMTP servers were available for example.net.")
    opened = read("MessageLoaded", ip_address="192.0.2.1", user_agent="Reader/1.0")
    clicked = read(
        "MessageLinkClicked", ip_address="192.0.2.1", user_agent="Reader/1.0", url="https://a.example/", token="t"
    )

    assert delivered == Delivered(delivered.about, "250 2.0.0 OK")
    assert deferred == Deferred(deferred.about, "451 4.7.1 later", "4.7.1", Cause.POLICY)
    assert without_words == Deferred(without_words.about, "No SMTP servers were available for example.net.")
    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="192.0.2.1", second_hand=True)
    assert clicked == Clicked(
        clicked.about, "https://a.example/", link="t", user_agent="Reader/1.0", client="192.0.2.1", second_hand=True
    )


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        *((status, kind.name, cause) for status, (kind, cause) in STATUSES.items()),
        ("5.7.1", "BLOCK", Cause.POLICY),
        ("5.0.0", "HARD", Cause.UNKNOWN),
        ("", "HARD", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(status: str, kind: str, cause: Cause) -> None:
    event = read("MessageDeliveryFailed", output=f"550 {status} no", details="Permanent SMTP delivery error")

    assert event == Bounced(event.about, BounceKind[kind], f"550 {status} no", status, cause=cause)


@pytest.mark.parametrize(("details", "kind"), REFUSED_BY_POSTAL.items())
def test_what_postal_did_not_try_is_no_bounce(details: str, kind: DropKind) -> None:
    event = read("MessageDeliveryFailed", details=f"{details}, it says", output="")

    assert event == Dropped(event.about, f"{details}, it says", kind)


def test_what_was_tried_too_often_has_expired() -> None:
    event = read("MessageDeliveryFailed", details=f"{OUT_OF_ATTEMPTS} (18) has been reached.")

    assert event == Bounced(
        event.about, BounceKind.SOFT, f"{OUT_OF_ATTEMPTS} (18) has been reached.", cause=Cause.EXPIRED
    )


def test_a_mail_is_held_for_a_while_or_for_good() -> None:
    suppressed = read("MessageHeld", details=f"Recipient (ada@example.net) {SUPPRESSED} (reason: too many hard fails)")
    waiting = read("MessageHeld", details="Server is in development mode.")

    assert isinstance(suppressed, Dropped)
    assert waiting == Deferred(waiting.about, "Server is in development mode.")


def test_a_late_bounce_is_told_by_its_name() -> None:
    event = read("MessageBounced", bounce={"subject": "Delivery Error"})

    assert event == Bounced(event.about, BounceKind.UNDETERMINED, "Delivery Error")
    assert isinstance(read("MessageBounced"), Unrecognised)


# ---- which mail ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"tag": "delivery_id=d1", "message_id": "x@shop.example"}, "d1"),
        ({"tag": "delivery_id=", "message_id": "d1@shop.example"}, None),
        ({"tag": "welcome", "message_id": "d1@shop.example"}, "d1"),
        ({"tag": "welcome", "message_id": None}, None),
        ({"tag": None}, None),
    ],
)
def test_our_id_is_found(message: dict[str, Any], expected: str | None) -> None:
    assert read("MessageSent", message=message).about.delivery_id == expected


def test_two_reports_without_an_id_have_two_keys() -> None:
    told = {**sample("clicked"), "uuid": None}
    other = {**told, "payload": {**told["payload"], "url": "https://shop.example/2"}}
    events = [POSTAL.read(posted(one))[0] for one in (told, told, other)]

    assert events[0].about.key == events[1].about.key != events[2].about.key


@pytest.mark.parametrize(
    "told",
    [
        {"event": "MessageSent", "payload": 5},
        {"event": "MessageSent", "payload": {"message": 5}},
        {"event": "MessageLinkClicked", "payload": {"message": {"to": "ada@example.net"}, "url": 5}},
    ],
)
def test_an_odd_event_is_kept_unrecognised(told: dict[str, Any]) -> None:
    [event] = POSTAL.read(posted(told))

    assert event == Unrecognised(event.about, told["event"])
    assert event.about.recipient == ("ada@example.net" if told["event"] == "MessageLinkClicked" else "")


# ---- proof -----------------------------------------------------------------------------------------------------------


def dkim_record() -> str:
    body = "".join(SERVER.public_key.splitlines()[1:-1])
    return f"v=DKIM1; t=s; h=sha256; p={body};"


@pytest.mark.parametrize(
    "key",
    [
        SERVER.jwks, json.dumps(json.loads(SERVER.jwks)["keys"][0]), SERVER.public_key, SERVER.public_key.encode(),
        "".join(SERVER.public_key.splitlines()[1:-1]), dkim_record(), [OTHER.jwks, SERVER.public_key],
        json.dumps({"keys": [*json.loads(OTHER.jwks)["keys"], *json.loads(SERVER.jwks)["keys"]]}),
    ],
    ids=lambda key: str(key)[:20],
)  # fmt: skip
def test_the_key_may_have_any_form_and_be_one_of_several(key: Any) -> None:
    assert Postal(key).read(posted(sample("sent"))) == POSTAL.read(posted(sample("sent")))


def test_another_servers_signature_is_refused() -> None:
    with pytest.raises(UnverifiedError, match="none of the keys"):
        POSTAL.read(OTHER.request(sample("sent")))
    with pytest.raises(UnverifiedError, match="none of the keys"):
        POSTAL.read(evolve(posted(sample("sent")), body=b"{}"))


def test_sha_1_is_believed_only_where_it_was_asked_for() -> None:
    old = SERVER.request(sample("sent"), sha256=False, received_at=NOON)

    with pytest.raises(UnverifiedError, match="SHA-1"):
        POSTAL.read(old)
    assert Postal(SERVER.jwks, sha1=True).read(old) == POSTAL.read(posted(sample("sent")))


def test_a_wrong_signature_by_sha_256_is_not_mended_by_one_by_sha_1() -> None:
    request = posted(sample("sent"))
    headers = {
        **request.headers,
        "x-postal-signature-256": OTHER.request(sample("sent")).headers["x-postal-signature-256"],
    }

    with pytest.raises(UnverifiedError):
        Postal(SERVER.jwks, sha1=True).read(evolve(request, headers=headers))


@pytest.mark.parametrize("signature", ["", "!", "AAAA", "é\udcff"])
def test_a_request_without_a_signature_is_refused(signature: str) -> None:
    request = posted(sample("sent"))

    with pytest.raises(UnverifiedError):
        POSTAL.read(evolve(request, headers={"x-postal-signature-256": signature}))


@given(st.binary(max_size=300))
def test_no_signature_but_the_right_one_holds(signature: bytes) -> None:
    with pytest.raises(UnverifiedError):
        POSTAL.read(Request(headers={"x-postal-signature-256": base64.b64encode(signature).decode()}, body=b"{}"))


def test_proof_comes_before_the_body() -> None:
    with pytest.raises(UnverifiedError):
        POSTAL.read(OTHER.request(b"{"))
    with pytest.raises(MalformedError):
        POSTAL.read(posted(b"{"))


CURVE = derive_private_key(7, SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "key",
    [
        "", "AAAA", "{", "{}", '{"keys": []}', '{"keys": [{}]}', '{"keys": [{"e": "AQAB", "n": 5}]}', '{"keys": 5}',
        '{"keys": [{"e": "AQAB", "n": "AA"}]}', CURVE, (), (SERVER.jwks, ""), None, 5, "é", b"\xff",
    ],
    ids=lambda key: str(key)[:20],
)  # fmt: skip
def test_a_key_that_proves_nothing_is_refused_where_it_is_made(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="public key"):
        Postal(key)


# ---- marks -----------------------------------------------------------------------------------------------------------


def test_a_mail_is_marked_once_and_tracking_is_off() -> None:
    marked = POSTAL.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert marked == (("X-Campaign", "spring"), ("X-Postal-Tag", "delivery_id=d1"), ("X-AMP", "skip"))
    assert POSTAL.mark(marked, DeliveryId("d1")) == marked


def test_a_tag_of_ones_own_is_kept() -> None:
    there = (("x-postal-tag", "welcome"),)

    assert POSTAL.mark(there, DeliveryId("d1")) == (*there, ("X-AMP", "skip"))
    with pytest.raises(MailError, match="X-AMP"):
        POSTAL.mark((("x-amp", "track"),), DeliveryId("d1"))


def test_its_relay_is_ready_made() -> None:
    server = postal.server("postal.shop.example", "key")

    assert (server.host, server.port, server.tls) == ("postal.shop.example", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("postal", "key")
    assert postal.server("postal.shop.example", "key", port=2525, username="org/shop").port == 2525
