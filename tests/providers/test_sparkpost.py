"""SparkPost: marks, proof, and what each of its reports becomes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Credentials, FeedbackEndpoint, Tls
from custom_smtp.errors import ConfigurationError, MailError, MalformedError, UnverifiedError
from custom_smtp.events import (
    Accepted,
    AutoReplied,
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
from custom_smtp.providers import sparkpost
from custom_smtp.providers.sparkpost import BOUNCE_CLASSES, NO_BOUNCES, SparkPost
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, sparkpost_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "sparkpost"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SPARKPOST = SparkPost(username="sp", password="hook")
EVENTS: list[dict[str, Any]] = json.loads((SAMPLES / "events.json").read_text())


def posted(payload: Payload) -> Request:
    return sparkpost_request(payload, "sp", "hook", received_at=NOON)


def read(family: str = "message_event", /, **fields: object) -> Event:
    told = {"rcpt_to": "ada@example.net", "timestamp": "1767330000", "rcpt_meta": {"delivery-id": "d1"}, **fields}
    [event] = SPARKPOST.read(posted([{"msys": {family: told}}]))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(SPARKPOST, [posted(path.read_bytes()) for path in SAMPLES.glob("*.json")], prove=posted)


# ---- what each event becomes -----------------------------------------------------------------------------------------


def test_each_event_of_a_batch_becomes_its_own() -> None:
    events = SPARKPOST.read(posted(EVENTS))

    assert [type(event) for event in events] == [
        Accepted, Deferred, Delivered, Bounced, Bounced, Complained, Dropped, Dropped, Dropped, Opened, Opened, Opened,
        Opened, Clicked, Clicked, Unsubscribed, Unsubscribed, Unrecognised, Unrecognised, Unrecognised, Unrecognised,
    ]  # fmt: skip
    ours = events[:17]
    assert {event.about.delivery_id for event in ours} == {"d1"}
    assert {event.about.recipient for event in ours} == {"Ada@example.net"}
    assert [event.about.at for event in ours] == [datetime(2026, 1, 2, 5, 0, n, tzinfo=UTC) for n in range(1, 18)]
    assert [event.name for event in events if isinstance(event, Unrecognised)] == [
        "relay_injection", "sms_status", "ab_test_completed", "success",
    ]  # fmt: skip
    assert [event.about.raw for event in events] == EVENTS


def test_a_mail_that_came_in_is_unrecognised() -> None:
    [event] = SPARKPOST.read(posted((SAMPLES / "relay-message.json").read_bytes()))

    assert event == Unrecognised(event.about, "relay_message")
    assert (event.about.delivery_id, event.about.recipient, event.about.at) == (None, "shop@in.shop.example", NOON)


@pytest.mark.parametrize("ping", [[{"msys": {}}], {"msys": {}}, [], [{"msys": {}}, {"msys": {}}]])
def test_a_ping_is_answered_and_tells_nothing(ping: Any) -> None:
    answer = FeedbackEndpoint(SPARKPOST).answer(posted(ping))

    assert (answer.response.status, answer.events) == (200, ())


def test_a_ping_among_events_loses_none() -> None:
    assert len(SPARKPOST.read(posted([{"msys": {}}, *EVENTS]))) == len(EVENTS)


@pytest.mark.parametrize("number", BOUNCE_CLASSES)
@pytest.mark.parametrize("kind", ["bounce", "out_of_band"])
def test_hard_soft_and_block_are_told_apart_by_class(kind: str, number: str) -> None:
    as_text, as_number = (
        read(type=kind, bounce_class=told, raw_reason="550 5.0.0 no") for told in (number, int(number))
    )
    verdict, cause = BOUNCE_CLASSES[number]

    assert as_text == Bounced(as_text.about, verdict, "550 5.0.0 no", "5.0.0", cause=cause)
    assert isinstance(as_number, Bounced)
    assert as_number.kind is verdict


def test_the_table_of_classes_is_the_documented_one() -> None:
    categories = {
        BounceKind.UNDETERMINED: ["1"],
        BounceKind.HARD: ["10", "30"],
        BounceKind.SOFT: ["20", "21", "22", "23", "24", "40", "70"],
        BounceKind.BLOCK: ["25", "50", "51", "52", "53", "54"],
    }

    assert {kind: [n for n, (told, _) in BOUNCE_CLASSES.items() if told is kind] for kind in categories} == categories
    assert list(NO_BOUNCES) == ["60", "80", "90", "100"]


@pytest.mark.parametrize(
    ("number", "kind"), [("60", AutoReplied), ("100", AutoReplied), ("90", Unsubscribed), ("80", Resubscribed)]
)
@pytest.mark.parametrize("event", ["bounce", "out_of_band"])
def test_an_answer_is_no_bounce(event: str, number: str, kind: type) -> None:
    assert type(read(type=event, bounce_class=number)) is kind


@pytest.mark.parametrize(
    ("fields", "kind", "status"),
    [
        ({"bounce_class": "999", "raw_reason": "550 5.1.1 x"}, BounceKind.HARD, "5.1.1"),
        ({"raw_reason": "451 4.7.1 x"}, BounceKind.SOFT, "4.7.1"),
        ({"reason": "550 no"}, BounceKind.UNDETERMINED, ""),
        ({"bounce_class": None, "raw_reason": None, "reason": None}, BounceKind.UNDETERMINED, ""),
        ({"bounce_class": ["10"]}, BounceKind.UNDETERMINED, ""),
    ],
)
def test_without_a_known_class_the_status_tells(fields: dict[str, object], kind: BounceKind, status: str) -> None:
    event = read(type="bounce", **fields)

    assert isinstance(event, Bounced)
    assert (event.kind, event.status) == (kind, status)


@pytest.mark.parametrize(
    ("fields", "reason", "status"),
    [
        ({"raw_reason": "550 5.1.1 x", "reason": "550 5.1.1 ...", "error_code": "550"}, "550 5.1.1 x", "5.1.1"),
        ({"reason": "550 5.1.1 ...", "error_code": "550"}, "550 5.1.1 ...", "5.1.1"),
        ({"reason": "mailbox full", "error_code": 552}, "552 mailbox full", ""),
        ({"error_code": "552"}, "552", ""),
        ({}, "", ""),
    ],
)
def test_the_servers_own_words_are_kept_with_the_code(fields: dict[str, object], reason: str, status: str) -> None:
    bounced, delayed, dropped = (read(type=kind, **fields) for kind in ("bounce", "delay", "policy_rejection"))

    assert isinstance(bounced, Bounced)
    assert isinstance(delayed, Deferred)
    assert dropped == Dropped(dropped.about, reason, DropKind.POLICY, status)
    assert bounced.reason == delayed.reason == reason


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        ("policy_rejection", "550 5.7.1 the domain is not verified", DropKind.POLICY),
        ("policy_rejection", "554 5.7.1 recipient address suppressed due to customer policy", DropKind.SUPPRESSED),
        ("generation_rejection", "554 5.7.1 recipient address suppressed due to customer policy", DropKind.SUPPRESSED),
        ("generation_rejection", "554 5.7.1 no", DropKind.POLICY),
        ("generation_failure", "554 5.3.3 [internal] part html", DropKind.FAILED),
    ],
)
def test_what_was_not_even_tried_says_why(kind: str, reason: str, expected: DropKind) -> None:
    event = read(type=kind, raw_reason=reason)

    assert event == Dropped(event.about, reason, expected, "5.3.3" if "5.3.3" in reason else "5.7.1")
    assert event.smtp_code == int(reason[:3])


def test_a_bounce_of_who_is_suppressed_was_not_even_tried() -> None:
    reason = "550 5.7.1 recipient address suppressed due to customer policy"
    suppressed, other = (read(type="bounce", bounce_class="25", raw_reason=said) for said in (reason, "550 5.7.1 no"))

    assert suppressed == Dropped(suppressed.about, reason, DropKind.SUPPRESSED, "5.7.1")
    assert other == Bounced(other.about, BounceKind.BLOCK, "550 5.7.1 no", "5.7.1", Cause.POLICY)


def test_a_delay_says_why() -> None:
    event = read(type="delay", bounce_class="22", raw_reason="452 4.2.2 full")

    assert event == Deferred(event.about, "452 4.2.2 full", "4.2.2", cause=Cause.MAILBOX_FULL)


def test_a_report_that_takes_a_mail_out_of_the_spam_is_no_complaint() -> None:
    event = read(type="spam_complaint", fbtype="not-spam")

    assert event == Unrecognised(event.about, "not-spam")
    assert isinstance(read(type="spam_complaint", fbtype="abuse"), Complained)
    assert isinstance(read(type="spam_complaint"), Complained)


@pytest.mark.parametrize(
    ("parsed", "prefetched", "proxied", "evidence"),
    [
        ({"is_prefetched": True, "is_proxy": True}, True, True, ("is_prefetched", "is_proxy")),
        ({"is_prefetched": True, "is_proxy": False}, True, False, ("is_prefetched",)),
        ({"is_proxy": True}, False, True, ("is_proxy",)),
        ({"is_prefetched": "true"}, False, False, ()),
        ({}, False, False, ()),
        (None, False, False, ()),
    ],
)
def test_an_open_by_a_machine_is_marked(
    parsed: object, prefetched: bool, proxied: bool, evidence: tuple[str, ...]
) -> None:
    event = read("track_event", type="open", user_agent="UA", ip_address="192.0.2.1", user_agent_parsed=parsed)

    assert event == Opened(
        event.about,
        prefetched=prefetched,
        proxied=proxied,
        evidence=evidence,
        user_agent="UA",
        client="192.0.2.1",
        second_hand=True,
    )


def test_the_mark_may_stand_in_the_event_itself() -> None:
    opened, clicked = (read("track_event", type=kind, is_prefetched=True) for kind in ("initial_open", "click"))

    assert opened == Opened(opened.about, prefetched=True, evidence=["is_prefetched"], second_hand=True)
    assert clicked == Clicked(clicked.about, "", machine=True, evidence=["is_prefetched"], second_hand=True)


def test_a_click_says_which_link() -> None:
    event = read("track_event", type="click", target_link_url="https://shop.example/", target_link_name="shop")

    assert event == Clicked(event.about, "https://shop.example/", link="shop", second_hand=True)


@pytest.mark.parametrize("url", [{"a": 1}, 5, ["https://shop.example/"], True])
def test_a_click_on_what_is_no_text_is_unrecognised(url: object) -> None:
    event = read("track_event", type="click", target_link_url=url)

    assert isinstance(event, Unrecognised)
    assert event.about.recipient == "ada@example.net"


@pytest.mark.parametrize("meta", [None, [], "{}", 7, {}, {"delivery-id": 7}, {"delivery-id": "a b"}])
def test_a_report_about_no_mail_of_ours_names_none(meta: object) -> None:
    assert read(type="delivery", rcpt_meta=meta).about.delivery_id is None


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("1767330000", datetime(2026, 1, 2, 5, tzinfo=UTC)),
        (1767330000, datetime(2026, 1, 2, 5, tzinfo=UTC)),
        ("1767330000.5", datetime(2026, 1, 2, 5, 0, 0, 500000, tzinfo=UTC)),
        ("2026-01-02T05:00:00.000+00:00", datetime(2026, 1, 2, 5, tzinfo=UTC)),
        ("2026-01-02T06:00:00.000+01:00", datetime(2026, 1, 2, 5, tzinfo=UTC)),
        (None, NOON),
        ("", NOON),
    ],
)
def test_a_time_is_told_in_several_ways(stamp: object, at: datetime) -> None:
    assert read(type="delivery", timestamp=stamp).about.at == at


@pytest.mark.parametrize("number", ["92356927693813856", 92356927693813856, "b1f0c6c8-7d64-4f0f-9a53-0a6c6b1f0c6c"])
def test_an_event_id_is_the_key_together_with_its_kind(number: object) -> None:
    assert read(type="delivery", event_id=number).about.key == f"delivery {number}"


def test_without_an_event_id_the_key_is_made_of_the_report() -> None:
    one, again = read(type="open"), read(type="open")
    others = [
        read(type="open", ip_address="192.0.2.1"),
        read(type="click", target_link_url="u"),
        read(type="delay", num_retries="1"),
        read(type="delay", num_retries="2"),
        read(type="bounce", bounce_class="10"),
        read(type="bounce", bounce_class="20"),
        read(type="open", transmission_id="2"),
    ]

    assert one.about.key == again.about.key
    assert len({one.about.key, *(other.about.key for other in others)}) == 8


@pytest.mark.parametrize(
    "post",
    [
        {},
        {"msys": None},
        {"msys": []},
        {"msys": 7},
        {"msys": {"message_event": None}},
        {"msys": {"message_event": [7]}},
        {"msys": {"message_event": {"type": ["bounce"]}}},
        {"msys": {"message_event": {"type": 7}}},
        {"msys": {"message_event": {"type": "open", "user_agent": 5}}},
        {"msys": {"message_event": {"type": "open"}, "track_event": {"type": "open"}}},
    ],
    ids=str,
)
def test_one_odd_event_never_loses_its_batch(post: dict[str, Any]) -> None:
    events = SPARKPOST.read(posted([EVENTS[3], post, EVENTS[2]]))

    assert [type(event) for event in events] == [Bounced, Unrecognised, Delivered]
    assert events[1].about.raw == post


def test_an_odd_event_is_still_about_somebody() -> None:
    event = read(type="open", user_agent=5)

    assert isinstance(event, Unrecognised)
    assert event.about.recipient == "ada@example.net"


@pytest.mark.parametrize("kind", [*sparkpost._READ, "new", ""])
def test_an_event_with_nothing_else_in_it_is_still_one(kind: str) -> None:
    [event] = SPARKPOST.read(posted([{"msys": {"message_event": {"type": kind}}}]))

    assert event.about.at == NOON


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["event_id", "bounce_class", "rcpt_meta", "raw_reason", "reason", "error_code", "timestamp", "target_link_url",
     "user_agent_parsed", "raw_rcpt_to", "fbtype", "type"]
)  # fmt: skip


@given(st.dictionaries(NAMES, JSON, max_size=8), st.sampled_from([*sparkpost._READ]))
def test_whatever_an_event_holds_it_is_one_event(told: dict[str, Any], kind: str) -> None:
    [event] = SPARKPOST.read(posted([{"msys": {"message_event": {"type": kind, **told}}}]))

    assert event.about.source == "sparkpost"


# ---- proof -----------------------------------------------------------------------------------------------------------


def test_the_user_name_and_password_of_the_webhook_pass() -> None:
    assert SPARKPOST.read(sparkpost_request(EVENTS, "sp", "hook"))


@pytest.mark.parametrize("credentials", [("sp", "other"), ("other", "hook"), ("", "")])
def test_others_do_not(credentials: tuple[str, str]) -> None:
    with pytest.raises(UnverifiedError) as refused:
        SPARKPOST.read(sparkpost_request(EVENTS, *credentials))
    assert refused.value.challenge.startswith("Basic")


def test_old_and_new_passwords_hold_at_once() -> None:
    both = SparkPost(username="sp", password=["new", "old"])

    for password in ("new", "old"):
        assert both.read(sparkpost_request(EVENTS, "sp", password))


def test_a_token_passes_as_bearer_and_in_the_older_header() -> None:
    adapter = SparkPost(token=["new", "old"])

    for token in ("new", "old"):
        request = sparkpost_request(EVENTS, token=token)
        assert adapter.read(request)
        assert adapter.read(evolve(request, headers={"authorization": f"bEARER  {token} "}))
        assert adapter.read(evolve(request, headers={"X-MessageSystems-Webhook-Token": token}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer other"},
        {"authorization": "Basic token"},
        {"authorization": "token"},
        {"authorization": "Bearer é\udcff"},
        {"x-messagesystems-webhook-token": "other"},
        {"x-messagesystems-webhook-token": ""},
    ],
)
def test_another_token_does_not(headers: dict[str, str]) -> None:
    with pytest.raises(UnverifiedError, match="token") as refused:
        SparkPost(token="token").read(evolve(posted(EVENTS), headers=headers))
    assert refused.value.challenge.startswith("Bearer")


def test_a_server_of_ones_own_may_say_whether_a_token_is_good() -> None:
    adapter = SparkPost(knows_token=lambda token: token == "of today")

    assert adapter.read(sparkpost_request(EVENTS, token="of today"))
    for request in (sparkpost_request(EVENTS, token="of yesterday"), evolve(posted(EVENTS), headers={})):
        with pytest.raises(UnverifiedError):
            adapter.read(request)


def test_basic_auth_and_token_may_both_hold() -> None:
    adapter = SparkPost(username="sp", password="hook", token="token", knows_token=lambda token: token == "other")

    for request in (
        posted(EVENTS),
        sparkpost_request(EVENTS, token="token"),
        sparkpost_request(EVENTS, token="other"),
        evolve(posted(EVENTS), headers={**posted(EVENTS).headers, "x-messagesystems-webhook-token": "stale"}),
    ):
        assert adapter.read(request)
    with pytest.raises(UnverifiedError):
        adapter.read(sparkpost_request(EVENTS, token="third"))


def test_proof_comes_before_the_body() -> None:
    with pytest.raises(UnverifiedError):
        SPARKPOST.read(sparkpost_request(b"{", "sp", "other"))
    with pytest.raises(MalformedError):
        SPARKPOST.read(posted(b"{"))


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"username": "sp"},
        {"password": "hook"},
        {"username": "sp", "password": ""},
        {"username": "sp", "password": []},
        {"username": "s:p", "password": "hook"},
        {"username": "", "password": "hook"},
        {"token": ""},
        {"token": ["a", ""]},
        {"username": "sp", "password": "hook", "token": " "},
    ],
    ids=str,
)
def test_without_a_whole_proof_it_cannot_be(proof: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="SparkPost's webhook"):
        SparkPost(**proof)


def test_the_secrets_never_print() -> None:
    assert "s3cret" not in repr(SparkPost(username="sp", password="s3cret", token="s3cret-too"))


# ---- marks -----------------------------------------------------------------------------------------------------------

MARKS = {"metadata": {"delivery-id": "d1"}, "options": {"open_tracking": False, "click_tracking": False}}


def mark(value: str) -> dict[str, Any]:
    [(_, marked)] = SPARKPOST.mark((("x-msys-api", value),), DeliveryId("d1"))
    told: dict[str, Any] = json.loads(marked)
    return told


def test_a_mail_is_marked_and_tracking_is_off() -> None:
    marked = SPARKPOST.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert [name for name, _ in marked] == ["X-Campaign", "X-MSYS-API"]
    assert json.loads(marked[1][1]) == MARKS


def test_what_the_header_says_already_is_kept_and_our_id_comes_first() -> None:
    there = {"campaign_id": "spring é", "metadata": {"order": "7"}, "options": {"ip_pool": "a"}, "cc": []}
    marked = mark(json.dumps(there))

    assert marked == {
        "campaign_id": "spring é",
        "metadata": {"delivery-id": "d1", "order": "7"},
        "options": {"ip_pool": "a", "open_tracking": False, "click_tracking": False},
        "cc": [],
    }
    assert list(marked["metadata"]) == ["delivery-id", "order"]


@pytest.mark.parametrize(
    "value",
    [
        "", "{", "[]", "7", "[" * 100_000, '{"cc": ["bob@example.net"]}', '{"bcc": [{"email": "bob@example.net"}]}',
        '{"archive": ["bob@example.net"]}', '{"metadata": []}', '{"options": 1}', '{"metadata": {"delivery-id": "d2"}}',
        '{"options": {"open_tracking": true}}', '{"options": {"click_tracking": "false"}}',
        json.dumps({"campaign_id": "x" * 900}),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_a_header_that_cannot_carry_the_mark_is_a_mail_error(value: str) -> None:
    with pytest.raises(MailError, match="X-MSYS-API"):
        mark(value)


def test_two_such_headers_are_a_mail_error() -> None:
    with pytest.raises(MailError, match="merge"):
        SPARKPOST.mark((("X-MSYS-API", "{}"), ("x-msys-api", "{}")), DeliveryId("d1"))


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4))
def test_the_header_survives_folding_at_any_blank(metadata: dict[str, str]) -> None:
    metadata.pop("delivery-id", None)
    [(_, value)] = SPARKPOST.mark((("X-MSYS-API", json.dumps({"metadata": metadata})),), DeliveryId("d1"))

    assert value.isascii()
    assert "=?" not in value
    for blank in ("", "  ", "\r\n "):
        assert json.loads(value.replace(" ", blank))["metadata"] == {**metadata, "delivery-id": "d1"}


def test_its_relays_are_ready_made() -> None:
    server = sparkpost.server("api-key")

    assert (server.host, server.port, server.tls) == ("smtp.sparkpostmail.com", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("SMTP_Injection", "api-key", mechanism="LOGIN")
    assert server.pace.mails_per_connection == sparkpost.MAILS_PER_CONNECTION
    assert sparkpost.server("api-key", relay=sparkpost.Relay.EU).host == "smtp.eu.sparkpostmail.com"


def test_a_subaccount_is_named_in_the_user_name() -> None:
    assert sparkpost.server("key", subaccount=123).credentials == Credentials(
        "SMTP_Injection:X-MSYS-SUBACCOUNT=123", "key", mechanism="LOGIN"
    )
