"""SendGrid: marks, signature, and what each of its reports becomes."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
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
from custom_smtp.providers import sendgrid
from custom_smtp.providers.sendgrid import DROPS, MAX_AGE, SendGrid
from custom_smtp.state import why_not_to_write
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, SendGridSigner
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "sendgrid"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SIGNER = SendGridSigner()
SENDGRID = SendGrid(SIGNER.verification_key)
EVENTS: list[dict[str, Any]] = json.loads((SAMPLES / "events.json").read_text())


def signed(payload: Payload) -> Request:
    return SIGNER.request(payload, at=NOON)


def read(**fields: object) -> Event:
    [event] = SENDGRID.read(signed([{"email": "ada@example.net", "timestamp": 1767330000, "csm_id": "d1", **fields}]))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(SENDGRID, [signed(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=signed)


def test_each_event_of_a_batch_becomes_its_own() -> None:
    events = SENDGRID.read(signed(EVENTS))

    assert [type(event) for event in events] == [
        Accepted, Deferred, Delivered, Bounced, Bounced, Dropped, Opened, Opened, Clicked, Complained, Unsubscribed,
        Unsubscribed, Resubscribed, Unrecognised,
    ]  # fmt: skip
    assert [event.about.key for event in events] == [f"{told['event']} {told['sg_event_id']}" for told in EVENTS]
    assert {event.about.delivery_id for event in events[:-1]} == {"d1"}
    assert {event.about.recipient for event in events[:-1]} == {"ada@example.net"}
    assert events[0].about.at == datetime(2026, 1, 2, 5, 0, 1, tzinfo=UTC)
    assert [event.about.raw for event in events] == EVENTS


def test_an_account_event_is_about_nobody() -> None:
    event = SENDGRID.read(signed(EVENTS))[-1]

    assert event == Unrecognised(event.about, "account_status_change")
    assert (event.about.delivery_id, event.about.recipient) == (None, "")


@pytest.mark.parametrize(
    ("fields", "kind", "status"),
    [
        ({"type": "bounce", "status": "5.1.1", "bounce_classification": "Invalid Address"}, "HARD", "5.1.1"),
        ({"type": "bounce", "status": "5.0.0"}, "HARD", "5.0.0"),
        ({"type": "bounce"}, "HARD", ""),
        ({"type": "bounce", "reason": "452 4.2.2 full"}, "SOFT", "4.2.2"),
        ({"type": "bounce", "bounce_classification": "Reputation"}, "BLOCK", ""),
        ({"type": "blocked"}, "BLOCK", ""),
        ({"type": "blocked", "bounce_classification": "Unclassified"}, "BLOCK", ""),
        ({"type": "blocked", "bounce_classification": "Technical"}, "SOFT", ""),
        ({"type": "expired"}, "SOFT", ""),
        ({"status": "5.1.1"}, "HARD", "5.1.1"),
        ({"status": "4.0.0"}, "SOFT", "4.0.0"),
        ({}, "UNDETERMINED", ""),
        ({"type": "made up tomorrow", "status": None}, "UNDETERMINED", ""),
    ],
)
def test_hard_soft_and_block_are_told_apart(fields: dict[str, object], kind: str, status: str) -> None:
    event = read(event="bounce", **fields)

    assert isinstance(event, Bounced)
    assert (event.kind.name, event.status) == (kind, status)


def test_a_bounce_keeps_the_servers_words() -> None:
    event = read(event="bounce", type="bounce", reason="550 5.1.1 no such user")

    assert event == Bounced(event.about, BounceKind.HARD, "550 5.1.1 no such user", "5.1.1", Cause.NO_SUCH_USER)


def test_a_deferral_and_a_drop_say_why() -> None:
    deferred, dropped = (
        read(event="deferred", response="451 4.2.2 later"),
        read(event="dropped", reason="Bounced Address"),
    )

    assert deferred == Deferred(deferred.about, "451 4.2.2 later", "4.2.2", Cause.MAILBOX_FULL)
    assert dropped == Dropped(dropped.about, "Bounced Address", DropKind.SUPPRESSED)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [*DROPS.items(), ("Spam Content", DropKind.POLICY), ("new", DropKind.UNKNOWN), (None, DropKind.UNKNOWN)],
)
def test_a_drop_tells_what_kind_of_reason_it_has(reason: str | None, kind: DropKind) -> None:
    event = read(event="dropped", reason=reason, status="5.0.0")

    assert event == Dropped(event.about, reason or "", kind, "5.0.0")


@pytest.mark.parametrize(("told", "machine"), [(True, True), ("true", True), (False, False), (None, False)])
def test_an_open_by_a_machine_is_marked(told: object, machine: bool) -> None:
    event = read(event="open", sg_machine_open=told, useragent="Reader/1.0", ip="192.0.2.1")

    assert isinstance(event, Opened)
    assert event.prefetched is machine
    assert event.evidence == (("sg_machine_open",) if machine else ())
    assert (event.user_agent, event.client, event.second_hand) == ("Reader/1.0", "192.0.2.1", True)


@pytest.mark.parametrize(
    ("offset", "link"), [({"index": 2, "type": "html"}, "html-2"), ({"index": "x"}, ""), (None, ""), ([], "")]
)
def test_a_click_says_which_link(offset: object, link: str) -> None:
    event = read(event="click", url="https://shop.example/", url_offset=offset)

    assert isinstance(event, Clicked)
    assert (event.url, event.link, event.second_hand) == ("https://shop.example/", link, True)


def test_samples_that_share_one_id_are_events_of_their_own() -> None:
    told = {"email": "ada@example.net", "timestamp": 1767330000, "sg_event_id": "sg_event_id"}
    dropped, clicked = SENDGRID.read(signed([{**told, "event": "dropped"}, {**told, "event": "click"}]))

    assert isinstance(clicked, Clicked)
    assert clicked.url == ""
    assert dropped.about.key != clicked.about.key


@pytest.mark.parametrize("told", [{"a": 1}, 5, ["https://shop.example/"], True])
def test_a_click_on_what_is_no_text_is_unrecognised(told: object) -> None:
    assert isinstance(read(event="click", url=told), Unrecognised)


@pytest.mark.parametrize(("group", "scope"), [(10, "10"), ("news", "news"), (None, "")])
def test_an_unsubscription_names_its_group(group: object, scope: str) -> None:
    event = read(event="group_unsubscribe", asm_group_id=group)

    assert event == Unsubscribed(event.about, scope=scope)
    assert read(event="unsubscribe", asm_group_id=group) == Unsubscribed(
        read(event="unsubscribe", asm_group_id=group).about
    )


def test_a_resubscription_names_its_group() -> None:
    event = read(event="group_resubscribe", asm_group_id=10)

    assert event == Resubscribed(event.about, scope="10")


@pytest.mark.parametrize("group", [None, "", [10], True])
def test_a_resubscription_to_no_group_lifts_nothing(group: object) -> None:
    assert isinstance(read(event="group_resubscribe", asm_group_id=group), Unrecognised)


def test_a_resubscription_to_a_group_lifts_that_group_alone() -> None:
    everything = read(event="unsubscribe", timestamp=100, sg_event_id="1")
    bounce = read(event="bounce", type="bounce", timestamp=90, sg_event_id="2")
    group = read(event="group_unsubscribe", asm_group_id=10, timestamp=110, sg_event_id="3")
    back = read(event="group_resubscribe", asm_group_id=10, timestamp=200, sg_event_id="4")

    assert why_not_to_write([everything, bounce, group, back]) == everything
    assert why_not_to_write([bounce, group, back]) == bounce
    assert why_not_to_write([group, back]) is None


@pytest.mark.parametrize("event", ["click", "bounce", "open", "delivered", "new", "dropped", "group_unsubscribe", ""])
def test_an_event_with_nothing_else_in_it_is_still_one(event: str) -> None:
    [read_event] = SENDGRID.read(signed([{"event": event}]))

    assert read_event.about.at == NOON


def test_one_odd_event_never_loses_its_batch() -> None:
    odd: list[dict[str, Any]] = [
        {"event": "click", "url": 5},
        {"event": ["bounce"]},
        {"event": "open", "useragent": 5, "email": "bob@example.net"},
    ]
    events = SENDGRID.read(signed([odd[0], EVENTS[3], odd[1], odd[2]]))

    assert [type(event) for event in events] == [Unrecognised, Bounced, Unrecognised, Unrecognised]
    assert (events[3].about.recipient, events[3].about.at) == ("bob@example.net", NOON)


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        ("<d1@shop.example>", "d1"),
        ("d1@shop.example", "d1"),
        ("<14c5d75ce93.dfd.64b469@ismtpd-555>", None),
        ("<wrfRRvF7Q0GgwUo2CvDmEA@ismtpd0006p1sjc2.sendgrid.net>", None),
        ("<4FB29F5D.5080404@sendgrid.com>", None),
        ("<a b@shop.example>", None),
        ("<>", None),
        (None, None),
        (7, "7"),
    ],
)
def test_without_our_argument_the_message_id_tells_the_mail(message_id: object, expected: str | None) -> None:
    [event] = SENDGRID.read(signed([{"event": "bounce", "email": "ada@example.net", "smtp-id": message_id}]))

    assert event.about.delivery_id == expected


def test_our_argument_goes_before_the_message_id() -> None:
    assert read(event="delivered", **{"smtp-id": "<other@shop.example>"}).about.delivery_id == "d1"


def test_without_an_event_id_the_key_is_made_of_the_report() -> None:
    one, again = read(event="open", sg_message_id="m"), read(event="open", sg_message_id="m")
    others = [read(event="click", sg_message_id="m", url="u"), read(event="open", sg_message_id="n")]

    assert one.about.key == again.about.key
    assert len({one.about.key, *(other.about.key for other in others)}) == 3
    readers = [read(event="open", sg_message_id="m", ip=ip, useragent=ua) for ip in ("", "::1") for ua in ("", "x")]
    assert len({other.about.key for other in readers}) == 4
    groups = [read(event="group_unsubscribe", asm_group_id=group) for group in (10, 11)]
    assert groups[0].about.key != groups[1].about.key


# ---- proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"[]", b" []", b"[]\r\n"])
def test_the_signature_is_over_the_raw_body(body: bytes) -> None:
    assert SENDGRID.read(signed(body)) == ()
    with pytest.raises(UnverifiedError):
        SENDGRID.read(evolve(signed(body), body=body + b" "))


@pytest.mark.parametrize("name", ["x-twilio-email-event-webhook-timestamp", "x-twilio-email-event-webhook-signature"])
@pytest.mark.parametrize("value", ["", "abc", "-5", "1767355201", "A" * 96, "é", "9" * 40])
def test_an_altered_header_is_not_believed(name: str, value: str) -> None:
    request = signed(EVENTS)

    with pytest.raises(UnverifiedError):
        SENDGRID.read(evolve(request, headers={**request.headers, name: value}))


def test_another_accounts_signature_is_not_believed() -> None:
    with pytest.raises(UnverifiedError):
        SENDGRID.read(SendGridSigner(7).request(EVENTS, at=NOON))


@pytest.mark.parametrize("late", [MAX_AGE + timedelta(seconds=1), timedelta(minutes=-6)])
def test_a_stale_signature_and_one_from_the_future_are_not_believed(late: timedelta) -> None:
    with pytest.raises(UnverifiedError):
        SENDGRID.read(SIGNER.request(EVENTS, at=NOON, received_at=NOON + late))


@pytest.mark.parametrize("late", [MAX_AGE, timedelta(minutes=-5), timedelta(0)])
def test_a_signature_is_believed_to_the_end_of_its_time(late: timedelta) -> None:
    assert SENDGRID.read(SIGNER.request(EVENTS, at=NOON, received_at=NOON + late))


def test_the_age_is_ones_own_to_choose() -> None:
    strict = SendGrid(SIGNER.verification_key, max_age=timedelta(minutes=1))

    assert strict.read(SIGNER.request(b"[]", at=NOON, received_at=NOON + timedelta(minutes=1))) == ()
    with pytest.raises(UnverifiedError):
        strict.read(SIGNER.request(b"[]", at=NOON, received_at=NOON + timedelta(minutes=2)))
    with pytest.raises(UnverifiedError):
        strict.read(SIGNER.request(b"[]", at=NOON, received_at=NOON - timedelta(minutes=2)))


def test_without_a_time_of_arrival_no_age_is_proven() -> None:
    with pytest.raises(UnverifiedError, match="received_at"):
        SENDGRID.read(evolve(signed(EVENTS), received_at=None))


def test_signed_nonsense_is_malformed() -> None:
    with pytest.raises(MalformedError):
        SENDGRID.read(signed(b"[{]"))


def test_the_key_is_taken_as_text_as_bytes_and_as_pem() -> None:
    base = SIGNER.verification_key
    pem = f"-----BEGIN PUBLIC KEY-----\n{base[:64]}\n{base[64:]}\n-----END PUBLIC KEY-----\n"

    for key in (base, f" {base}\n", base.encode(), pem):
        assert SendGrid(key).read(signed(b"[]")) == ()


def der(key: Any) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(
    "key",
    [
        "", "nonsense", "é", b"\xff", None, SIGNER.verification_key[:-8],
        der(generate_private_key(SECP384R1()).public_key()), der(Ed25519PrivateKey.generate().public_key()),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_key_is_refused_where_it_is_made(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="P-256"):
        SendGrid(key)


@pytest.mark.parametrize("span", [timedelta(0), timedelta(-1), 300])
def test_an_age_that_believes_nothing_is_refused(span: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        SendGrid(SIGNER.verification_key, max_age=span)


@pytest.mark.parametrize("key", [SIGNER, SendGridSigner(8)])
def test_two_keys_hold_at_once_and_no_third(key: SendGridSigner) -> None:
    both = SendGrid([SIGNER.verification_key, SendGridSigner(8).verification_key])

    assert both.read(key.request(EVENTS, at=NOON))
    with pytest.raises(UnverifiedError, match="any of the 2 keys"):
        both.read(SendGridSigner(9).request(EVENTS, at=NOON))


def bearing(request: Request, token: str) -> Request:
    return evolve(request, headers={**request.headers, "authorization": f"Bearer {token}"})


BARE = Request(method="POST", body=json.dumps(EVENTS).encode(), received_at=NOON)


def test_a_token_may_stand_in_place_of_the_signature() -> None:
    adapter = SendGrid(token=("new", "old"))

    assert adapter.read(bearing(BARE, "new")) == adapter.read(bearing(BARE, "old")) == SENDGRID.read(signed(EVENTS))
    for request in (BARE, bearing(BARE, "other"), bearing(BARE, ""), signed(EVENTS)):
        with pytest.raises(UnverifiedError) as caught:
            adapter.read(request)
        assert caught.value.challenge.startswith("Bearer")


def test_a_token_may_be_asked_for_beside_the_signature() -> None:
    adapter = SendGrid(SIGNER.verification_key, token="t")

    assert adapter.read(bearing(signed(EVENTS), "t"))
    for request in (signed(EVENTS), bearing(BARE, "t"), bearing(signed(EVENTS), "x")):
        with pytest.raises(UnverifiedError):
            adapter.read(request)


def test_tokens_that_expire_are_asked_after() -> None:
    adapter = SendGrid(knows_token="fresh".__eq__)
    either = SendGrid(token="fixed", knows_token="fresh".__eq__)

    assert adapter.read(bearing(BARE, "fresh"))
    assert either.read(bearing(BARE, "fresh")) == either.read(bearing(BARE, "fixed"))
    for request, why in ((bearing(BARE, "stale"), "another"), (BARE, "no Bearer")):
        with pytest.raises(UnverifiedError, match=why):
            adapter.read(request)
    with pytest.raises(UnverifiedError):
        either.read(bearing(BARE, "stale"))


@pytest.mark.parametrize("wrong", [{}, {"token": ""}, {"token": ("t", " ")}, {"token": b"t"}, {"verification_key": ()}])
def test_an_adapter_that_would_believe_anybody_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SendGrid(**wrong)


def test_no_token_and_no_key_prints() -> None:
    assert repr(SendGrid(SIGNER.verification_key, token="s3cret")) == repr(SENDGRID)


@pytest.mark.parametrize(
    ("header", "value", "why"),
    [
        ("x-twilio-email-event-webhook-signature", "", "no header x-twilio-email-event-webhook-signature"),
        ("x-twilio-email-event-webhook-timestamp", "", "no header x-twilio-email-event-webhook-timestamp"),
        ("x-twilio-email-event-webhook-timestamp", "soon", "no seconds since 1970"),
        ("x-twilio-email-event-webhook-signature", "!", "not base64"),
        ("x-twilio-email-event-webhook-signature", "AAAA", "does not fit"),
    ],
)
def test_a_refusal_says_which_header_and_why(header: str, value: str, why: str) -> None:
    with pytest.raises(UnverifiedError, match=why):
        SENDGRID.read(evolve(signed(EVENTS), headers={**signed(EVENTS).headers, header: value}))


@pytest.mark.parametrize(
    ("classification", "cause"),
    [
        ("Invalid Address", "NO_SUCH_USER"),
        ("Content", "CONTENT"),
        ("Reputation", "REPUTATION"),
        ("Frequency or Volume Too High", "RATE_LIMITED"),
        ("Technical", "UNKNOWN"),
        ("Mailbox Unavailable", "UNKNOWN"),
        ("Unclassified", "UNKNOWN"),
        ("", "UNKNOWN"),
        (None, "UNKNOWN"),
    ],
)
def test_a_classification_says_what_it_calls_for(classification: object, cause: str) -> None:
    event = read(event="bounce", type="bounce", bounce_classification=classification)

    assert isinstance(event, Bounced)
    assert event.cause.name == cause


# ---- marks -----------------------------------------------------------------------------------------------------------

MARKS = {
    "unique_args": {"csm_id": "d1"},
    "filters": {"clicktrack": {"settings": {"enable": 0}}, "opentrack": {"settings": {"enable": 0}}},
}


def mark(value: str) -> dict[str, Any]:
    [(_, marked)] = SENDGRID.mark((("x-smtpapi", value),), DeliveryId("d1"))
    told: dict[str, Any] = json.loads(marked)
    return told


def test_a_mail_is_marked_and_tracking_is_off() -> None:
    marked = SENDGRID.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert [name for name, _ in marked] == ["X-Campaign", "X-SMTPAPI"]
    assert json.loads(marked[1][1]) == MARKS


def test_what_the_header_says_already_is_kept() -> None:
    there = {
        "category": "cat facts é",
        "unique_args": {"order": "7"},
        "filters": {"clicktrack": {"settings": {"enable": 0, "enable_text": False}}, "footer": {"settings": {}}},
    }

    assert mark(json.dumps(there)) == {
        "category": "cat facts é",
        "unique_args": {"order": "7", "csm_id": "d1"},
        "filters": {
            "clicktrack": {"settings": {"enable": 0, "enable_text": False}},
            "opentrack": {"settings": {"enable": 0}},
            "footer": {"settings": {}},
        },
    }


@pytest.mark.parametrize(
    "value",
    [
        "", "{", "[]", "7", "[" * 100_000, '{"to": ["bob@example.net"]}', '{"unique_args": []}', '{"filters": 1}',
        '{"unique_args": {"csm_id": "d2"}}', '{"filters": {"clicktrack": {"settings": {"enable": 1}}}}',
        '{"filters": {"opentrack": {"settings": {"enable": "1"}}}}', '{"filters": {"opentrack": "off"}}',
        '{"filters": {"opentrack": {"settings": []}}}', json.dumps({"category": "x" * 900}),
        json.dumps({"unique_args": {f"a{n}": "x" * 90 for n in range(100)}}),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_a_header_that_cannot_carry_the_mark_is_a_mail_error(value: str) -> None:
    with pytest.raises(MailError, match=r"X-SMTPAPI|unique_args"):
        mark(value)


def test_two_such_headers_are_a_mail_error() -> None:
    with pytest.raises(MailError, match="merge"):
        SENDGRID.mark((("X-SMTPAPI", "{}"), ("x-smtpapi", "{}")), DeliveryId("d1"))


@pytest.mark.parametrize("text", ["a=?b", "=?utf-8?b?YQ==?=", "=??=?", "\\=?", '"=?', "=\\u003f"])
def test_no_encoded_word_ever_stands_in_the_header(text: str) -> None:
    [(_, value)] = SENDGRID.mark((("X-SMTPAPI", json.dumps({"category": text, text: text})),), DeliveryId("d1"))

    assert "=?" not in value
    assert {**json.loads(value), **MARKS} == {"category": text, text: text, **MARKS}


TEXTS = st.text(max_size=80) | st.text(alphabet='=?\\" a', max_size=40)


@given(st.dictionaries(TEXTS, TEXTS, max_size=5))
def test_the_header_survives_folding_at_any_blank(arguments: dict[str, str]) -> None:
    arguments.pop("csm_id", None)
    [(_, value)] = SENDGRID.mark((("X-SMTPAPI", json.dumps({"unique_args": arguments})),), DeliveryId("d1"))

    assert value.isascii()
    assert value.isprintable()
    assert "=?" not in value
    for blank in ("", "  ", "\r\n "):
        assert json.loads(value.replace(" ", blank))["unique_args"] == {**arguments, "csm_id": "d1"}


def test_its_relay_is_ready_made() -> None:
    server = sendgrid.server("SG.key")
    assert (server.host, server.port, server.tls) == ("smtp.sendgrid.net", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("apikey", "SG.key")
    assert server.pace.mails_per_connection == sendgrid.MAILS_PER_CONNECTION
    assert sendgrid.server("SG.key", relay=sendgrid.Relay.EU).host == "smtp.eu.sendgrid.net"
