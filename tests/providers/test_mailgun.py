"""Mailgun: marks, signature, and what each of its reports becomes, new and old."""

import json
from collections.abc import Mapping, Sequence
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
from custom_smtp.providers import mailgun
from custom_smtp.providers.mailgun import MAX_AGE, Mailgun, Tokens
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import MailgunSigner, Payload
from custom_smtp.web import BODY_LIMIT, Request

SAMPLES = Path(__file__).parent / "mailgun"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SIGNER = MailgunSigner()
MAILGUN = Mailgun(SIGNER.key)
POSTS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json")) if path.stem != "old-forms"
}
OLD_FORMS: list[dict[str, Any]] = json.loads((SAMPLES / "old-forms.json").read_text())


def signed(payload: Payload) -> Request:
    return SIGNER.request(payload, at=NOON)


def read(**fields: object) -> Event:
    [event] = MAILGUN.read(signed({"recipient": "ada@example.net", "timestamp": 1767330000.25, **fields}))
    return event


def failed(reason: str = "", code: int | None = None, severity: str = "permanent", **outcome: object) -> Event:
    return read(event="failed", severity=severity, reason=reason, **{"delivery-status": {"code": code, **outcome}})


def old(fields: Mapping[str, str | Sequence[str]], boundary: str = "") -> Event:
    [event] = MAILGUN.read(SIGNER.form(fields, at=NOON, boundary=boundary))
    return event


def test_it_holds_the_contract() -> None:
    samples = [signed(json.dumps(post).encode()) for post in POSTS.values()]
    feedback_contract(MAILGUN, samples, prove=signed, proof_in_body=True)


def test_it_holds_the_contract_for_old_forms() -> None:
    forms = [SIGNER.form(fields, at=NOON, boundary=boundary) for fields in OLD_FORMS for boundary in ("", "x-y")]
    feedback_contract(MAILGUN, forms, proof_in_body=True)


# ---- what each event becomes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ("accepted", Accepted),
        ("delivered", Delivered),
        ("failed-temporary", Deferred),
        ("failed-permanent", Bounced),
        ("failed-suppressed", Dropped),
        ("rejected", Dropped),
        ("opened", Opened),
        ("opened-by-a-machine", Opened),
        ("clicked", Clicked),
        ("complained", Complained),
        ("unsubscribed", Unsubscribed),
    ],
)
def test_each_event_becomes_its_own(sample: str, kind: type) -> None:
    told = POSTS[sample]["event-data"]
    [event] = MAILGUN.read(signed(POSTS[sample]))

    assert type(event) is kind
    assert (event.about.delivery_id, event.about.recipient) == ("d1", "ada@example.net")
    assert event.about.at == datetime.fromtimestamp(told["timestamp"], UTC)
    assert event.about.key == f"{told['id']} {event.about.at.toordinal()}"
    assert event.about.raw == told


def test_a_mail_that_came_in_is_unrecognised() -> None:
    [event] = MAILGUN.read(signed(POSTS["stored"]))

    assert event == Unrecognised(event.about, "stored")
    assert event.about.delivery_id is None


@pytest.mark.parametrize(
    ("event", "kind", "status", "cause"),
    [
        (failed("bounce", 550, message="5.1.1 no such user"), "HARD", "5.1.1", Cause.NO_SUCH_USER),
        (failed("bounce", 550, **{"enhanced-code": "5.1.1"}), "HARD", "5.1.1", Cause.NO_SUCH_USER),
        (failed("bounce", 550, **{"enhanced-code": "5.7.1"}), "BLOCK", "5.7.1", Cause.POLICY),
        (failed("bounce", 550, **{"enhanced-code": "5.5.0", "bounce-type": "hard"}), "HARD", "5.5.0", Cause.UNKNOWN),
        (failed("bounce", 550, **{"bounce-type": "soft"}), "SOFT", "", Cause.UNKNOWN),
        (failed("bounce", 552, message="5.2.2 over quota"), "SOFT", "5.2.2", Cause.MAILBOX_FULL),
        (failed("delayed-bounce"), "HARD", "", Cause.UNKNOWN),
        (failed("bounce"), "HARD", "", Cause.UNKNOWN),
        (failed("espblock", 554), "BLOCK", "", Cause.POLICY),
        (failed("old", 602, message="Too old"), "SOFT", "", Cause.EXPIRED),
        (failed("generic", 498, message="No MX for example.net"), "SOFT", "", Cause.UNKNOWN),
        (failed("generic", 554, message="5.7.1 spam"), "BLOCK", "5.7.1", Cause.POLICY),
        (failed("generic", 550, message="no such user"), "HARD", "", Cause.UNKNOWN),
        (failed("generic", 451, message="4.7.1 later"), "SOFT", "4.7.1", Cause.POLICY),
        (failed("generic"), "UNDETERMINED", "", Cause.UNKNOWN),
        (failed("made up tomorrow", 7), "UNDETERMINED", "", Cause.UNKNOWN),
        (read(event="failed"), "UNDETERMINED", "", Cause.UNKNOWN),
        (read(event="failed", **{"delivery-status": None}), "UNDETERMINED", "", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(event: Event, kind: str, status: str, cause: Cause) -> None:
    assert isinstance(event, Bounced)
    assert (event.kind.name, event.status, event.cause) == (kind, status, cause)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (failed("bounce", 550, message="5.1.1 no such user"), "550 5.1.1 no such user"),
        (failed("bounce", 550, message="550 no such user"), "550 no such user"),
        (failed("generic", 498, message="", description="No MX"), "498 No MX"),
        (failed("generic", 0), "generic"),
        (failed("bounce", 550), "550"),
    ],
)
def test_a_bounce_keeps_the_code_and_the_servers_words(event: Event, reason: str) -> None:
    assert isinstance(event, Bounced)
    assert event.reason == reason


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (failed("suppress-bounce", 605, message="", description="it bounced"), "suppress-bounce: 605 it bounced"),
        (failed("suppress-complaint"), "suppress-complaint"),
        (failed("suppress-unsubscribe", severity="temporary"), "suppress-unsubscribe"),
        (failed("", 606, description="Not delivering"), "606 Not delivering"),
        (failed("generic", 607), "generic: 607"),
        (read(event="rejected", reject={"reason": "", "description": "a sandbox"}), "a sandbox"),
        (read(event="rejected", reject=None, reason="generic"), "generic"),
    ],
)  # fmt: skip
def test_what_was_not_even_tried_is_dropped(event: Event, reason: str) -> None:
    rejected = "event" in (event.about.raw or {}) and (event.about.raw or {})["event"] == "rejected"
    assert event == Dropped(event.about, reason, DropKind.POLICY if rejected else DropKind.SUPPRESSED)


def test_a_temporary_failure_is_no_bounce() -> None:
    event = failed("generic", 421, "temporary", message="4.7.0 later")
    grey, block = failed("greylisted", 450, "temporary"), failed("espblock", 421, "temporary")

    assert event == Deferred(event.about, "421 4.7.0 later", "4.7.0", Cause.POLICY)
    assert grey == Deferred(grey.about, "450", cause=Cause.GREYLISTED)
    assert block == Deferred(block.about, "421", cause=Cause.POLICY)


def test_a_delivery_keeps_the_servers_answer() -> None:
    event = read(event="delivered", **{"delivery-status": {"code": 250, "message": "OK"}})

    assert event == Delivered(event.about, "250 OK")


@pytest.mark.parametrize("bot", ["apple", "gmail", "generic", "made up tomorrow"])
def test_what_a_bot_opened_or_clicked_is_marked(bot: str) -> None:
    told = {"client-info": {"bot": bot, "user-agent": "Mozilla/5.0"}, "ip": "192.0.2.1", "url": "https://shop.example/"}
    opened, clicked = read(event="opened", **told), read(event="clicked", **told)
    evidence = (f"client-info.bot: {bot}",)

    assert opened == Opened(
        opened.about, prefetched=True, evidence=evidence, user_agent="Mozilla/5.0", client="192.0.2.1", second_hand=True
    )
    assert isinstance(clicked, Clicked)
    assert (clicked.machine, clicked.evidence, clicked.url) == (True, evidence, "https://shop.example/")


@pytest.mark.parametrize("client", [{"bot": None}, {"bot": ""}, {}, None, []])
def test_what_a_person_opened_is_not(client: object) -> None:
    event = read(event="opened", **{"client-info": client})

    assert event == Opened(event.about, second_hand=True)


def test_a_click_whose_link_is_not_told_is_still_one() -> None:
    event = read(event="clicked")

    assert event == Clicked(event.about, "", second_hand=True)


@pytest.mark.parametrize(
    ("variables", "message_id", "expected"),
    [
        ({"csm_id": "d1"}, "d2@shop.example", "d1"),
        ({"csm_id": ""}, "d2@shop.example", "d2"),
        ([], "<d2@shop.example>", "d2"),
        (None, "d2@shop.example", "d2"),
        ({"csm_id": 7}, None, None),
        ({}, "20260203192638.000be97f99f8cea1@mg.shop.example", None),
        ({}, "<20160421175529.19495.89030.B3AE3728@mg.shop.example>", None),
        ({}, "a b@shop.example", None),
    ],
)
def test_our_variable_or_the_message_id_tells_the_mail(
    variables: object, message_id: object, expected: str | None
) -> None:
    event = read(event="opened", **{"user-variables": variables, "message": {"headers": {"message-id": message_id}}})

    assert event.about.delivery_id == expected


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("Ada <ada@example.net>", "ada@example.net"),
        ("ada@example.net", "ada@example.net"),
        ("ada@example.net, bob@example.net", ""),
        ("", ""),
        ("a" * 5000, ""),
        (None, ""),
    ],
)
def test_a_rejection_names_its_person_in_the_mail_alone(to: object, expected: str) -> None:
    event = read(event="rejected", recipient=None, message={"headers": {"to": to}})

    assert event.about.recipient == expected
    assert read(event="delivered", recipient="", message={"headers": {"to": to}}).about.recipient == ""


def test_an_id_counts_for_its_day_alone() -> None:
    one, again = read(event="opened", id="e"), read(event="opened", id="e", timestamp=1767330000.5)
    next_day = read(event="opened", id="e", timestamp=1767330000 + 86400)

    assert one.about.key == again.about.key != next_day.about.key
    assert read(event="opened", id="e", timestamp=None).about.key == "e"


def test_without_an_id_the_key_is_made_of_the_report() -> None:
    one, again = read(event="opened"), read(event="opened")
    others = [
        read(event="opened", ip="192.0.2.1"),
        read(event="clicked", url="u"),
        read(event="opened", timestamp=1),
        failed("bounce"),
        failed("bounce", severity="temporary"),
    ]

    assert one.about.key == again.about.key
    assert len({one.about.key, *(other.about.key for other in others)}) == 6


@pytest.mark.parametrize("event", ["failed", "opened", "rejected", "delivered", "new", ""])
def test_an_event_with_nothing_else_in_it_is_still_one(event: str) -> None:
    [read_event] = MAILGUN.read(signed({"event": event}))

    assert read_event.about.at == NOON


@pytest.mark.parametrize("stamp", ["soon", 1e300, True, [], {"a": 1}])
def test_a_complaint_is_not_lost_for_its_clock(stamp: object) -> None:
    event = read(event="complained", timestamp=stamp)

    assert isinstance(event, Complained)
    assert event.about.at == NOON


@pytest.mark.parametrize(
    ("told", "recipient"),
    [
        ({"event": "clicked", "url": {"a": 1}, "recipient": "ada@example.net"}, "ada@example.net"),
        ({"event": ["failed"], "recipient": "ada@example.net"}, "ada@example.net"),
        ({}, ""),
    ],
)
def test_an_odd_event_is_kept_unrecognised(told: dict[str, Any], recipient: str) -> None:
    [event] = MAILGUN.read(signed(told))

    assert isinstance(event, Unrecognised)
    assert event.about.recipient == recipient
    assert event.about.raw == told


@pytest.mark.parametrize("told", [None, 5, [], "an event", [{"event": "opened"}]])
def test_a_post_without_an_event_is_kept_without_its_signature(told: object) -> None:
    [event] = MAILGUN.read(signed(json.dumps({"event-data": told}).encode()))

    assert event == Unrecognised(event.about, "")
    assert event.about.raw == {"event-data": told}


def test_several_posts_at_once_are_proven_one_by_one() -> None:
    request = signed([{"event": "opened", "id": "1"}, {"event": "clicked", "id": "2"}])
    posts = json.loads(request.body)

    assert [type(event) for event in MAILGUN.read(request)] == [Opened, Clicked]
    with pytest.raises(UnverifiedError):
        MAILGUN.read(evolve(request, body=json.dumps([posts[0], {"event-data": {"event": "complained"}}]).encode()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["event", "severity", "reason", "delivery-status", "message", "client-info", "user-variables", "reject", "url",
     "timestamp", "id", "ip", "recipient"]
)  # fmt: skip


@given(st.dictionaries(NAMES, JSON, max_size=8), st.sampled_from([*mailgun._READ, "stored"]))
def test_whatever_an_event_holds_it_is_one_event(told: dict[str, Any], kind: str) -> None:
    [event] = MAILGUN.read(signed({"event": kind, **told}))

    assert event.about.source == "mailgun"


# ---- old forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", ["", "----x=_y"])
def test_each_old_form_becomes_its_own(boundary: str) -> None:
    events = [old(fields, boundary) for fields in OLD_FORMS]

    assert [type(event) for event in events] == [
        Delivered, Bounced, Dropped, Bounced, Complained, Unsubscribed, Opened, Clicked,
    ]  # fmt: skip
    assert {event.about.delivery_id for event in events} == {"d1"}
    assert {event.about.recipient for event in events} == {"ada@example.net"}
    assert {event.about.at for event in events} == {NOON}
    assert len({event.about.key for event in events}) == len(events)


@pytest.mark.parametrize(
    ("fields", "kind", "status", "reason"),
    [
        ({"event": "bounced", "code": "550", "error": "5.1.1 no such user"}, "HARD", "5.1.1", "550 5.1.1 no such user"),
        ({"event": "bounced", "code": "5.1.1", "error": "smtp;550 5.1.1 x"}, "HARD", "5.1.1", "smtp;550 5.1.1 x"),
        ({"event": "bounced", "notification": "unknown user"}, "HARD", "", "unknown user"),
        ({"event": "bounced", "code": "452", "error": "full"}, "SOFT", "", "452 full"),
        ({"event": "dropped", "reason": "old", "description": "Too old"}, "SOFT", "", "Too old"),
        ({"event": "dropped", "reason": "hardfail", "code": "554", "description": "5.7.1 spam"}, "BLOCK", "5.7.1",
         "554 5.7.1 spam"),
    ],
)  # fmt: skip
def test_old_bounces_are_told_apart(fields: dict[str, str], kind: str, status: str, reason: str) -> None:
    event = old(fields)

    assert isinstance(event, Bounced)
    assert (event.kind.name, event.status, event.reason) == (kind, status, reason)


@pytest.mark.parametrize(
    ("fields", "reason", "kind"),
    [
        ({"reason": "hardfail", "code": "607", "description": "marked as spam"}, "607 marked as spam", "SUPPRESSED"),
        ({"reason": "hardfail"}, "hardfail", "UNKNOWN"),
        ({"reason": "hardfail", "code": "many"}, "many", "UNKNOWN"),
    ],
)
def test_an_old_drop_was_not_even_tried(fields: dict[str, str], reason: str, kind: str) -> None:
    event = old({"event": "dropped", **fields})

    assert event == Dropped(event.about, reason, DropKind[kind])


@pytest.mark.parametrize("boundary", ["", "x"])
def test_a_variable_by_the_name_of_a_field_is_not_taken_for_it(boundary: str) -> None:
    event = old(
        {
            "event": ["clicked", "spring"],
            "recipient": ["ada@example.net", "bob@example.net"],
            "url": ["https://shop.example/", "7"],
            "timestamp": "mine",
            "token": "mine",
            "signature": "mine",
        },
        boundary,
    )

    assert event == Clicked(event.about, "https://shop.example/", second_hand=True)
    assert (event.about.recipient, event.about.at) == ("ada@example.net", NOON)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([["X-Mailgun-Variables", '{"csm_id": "d1"}']], "d1"),
        ([["x-mailgun-variables", '{"a": 1}'], ["X-Mailgun-Variables", '{"csm_id": "d1"}']], "d1"),
        ([["X-Mailgun-Variables", '{"csm_id": 7}']], None),
        ([["X-Mailgun-Variables", "{"]], None),
        ([["X-Mailgun-Variables", "7"]], None),
        ([["X-Mailgun-Variables", ["a"]]], None),
        ([["alone"]], None),
        ([7], None),
        (7, None),
    ],
)
def test_the_mails_own_headers_tell_it_where_nothing_else_does(headers: object, expected: str | None) -> None:
    event = old({"event": "delivered", "message-headers": json.dumps(headers)})

    assert event.about.delivery_id == expected


def test_headers_that_are_nested_without_end_tell_nothing() -> None:
    assert old({"event": "delivered", "message-headers": "[" * 100_000}).about.delivery_id is None


@pytest.mark.parametrize("name", ["Message-Id", "message-id"])
def test_the_message_id_of_an_old_form_tells_the_mail(name: str) -> None:
    assert old({"event": "opened", name: "<d1@shop.example>"}).about.delivery_id == "d1"


def test_an_old_form_of_no_known_kind_is_kept_with_all_its_values() -> None:
    event = old({"sender": "ada@example.net", "to": ["a", "b"]})

    assert event == Unrecognised(event.about, "")
    assert event.about.raw == {"sender": "ada@example.net", "to": ["a", "b"], "timestamp": "1767355200"}


def test_files_in_a_form_are_passed_over() -> None:
    request = SIGNER.form({"event": "bounced", "recipient": "ada@example.net"}, at=NOON, boundary="b")
    file = (
        b'--b\r\nContent-Disposition: form-data; name="attachment-1"; filename="message.eml"\r\n\r\n\xff\r\n\r\n--\r\n'
    )
    nameless = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b\r\n\r\n"
    [event] = MAILGUN.read(evolve(request, body=file + nameless + request.body))

    assert isinstance(event, Bounced)
    assert set(event.about.raw or ()) == {"event", "recipient", "timestamp"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=", b"--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\n"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n" * 2000 + b"--b--"),
        ("multipart/form-data; boundary=b", b"x" * (BODY_LIMIT + 1)),
        ("application/x-www-form-urlencoded", b"a=b&" * 2000),
        ("application/x-www-form-urlencoded", b"x" * (BODY_LIMIT + 1)),
    ],
    ids=lambda value: str(value[:40]),
)
def test_what_is_no_form_is_malformed(kind: str, body: bytes) -> None:
    with pytest.raises(MalformedError):
        MAILGUN.read(Request(method="POST", headers={"content-type": kind}, body=body, received_at=NOON))


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=6), st.sampled_from(["", "b"]))
def test_whatever_an_old_form_holds_it_is_one_event(fields: dict[str, str], boundary: str) -> None:
    fields = {name.replace('"', ""): value for name, value in fields.items()} if boundary else fields
    if boundary and any("\r" in text or "\n" in text or "name" in text for pair in fields.items() for text in pair):
        return
    assert old({**fields, "event": "opened"}, boundary).about.source == "mailgun"


@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "multipart/form-data; boundary=b", "form"]))
def test_no_body_is_believed_or_crashes(body: bytes, kind: str) -> None:
    with pytest.raises((UnverifiedError, MalformedError)):
        MAILGUN.read(Request(method="POST", headers={"content-type": kind}, body=body or b"x", received_at=NOON))


# ---- proof -----------------------------------------------------------------------------------------------------------


def with_block(**changed: object) -> Request:
    post = json.loads(signed({"event": "opened"}).body)
    post["signature"] = {**post["signature"], **changed}
    return evolve(signed({"event": "opened"}), body=json.dumps(post).encode())


def test_the_signature_is_over_timestamp_and_token_alone() -> None:
    request = signed({"event": "opened"})
    other = request.body.replace(b"opened", b"complained")

    assert [type(event) for event in MAILGUN.read(evolve(request, body=other))] == [Complained]
    assert MAILGUN.read(with_block(timestamp=1767355200)), "the timestamp may be a number"


@pytest.mark.parametrize("name", ["timestamp", "token", "signature"])
@pytest.mark.parametrize("value", ["", None, "abc", "-5", "1767355201", "é", "9" * 40, "0" * 64, ["x"], {"a": 1}, True])
def test_an_altered_signature_is_not_believed(name: str, value: object) -> None:
    with pytest.raises(UnverifiedError):
        MAILGUN.read(with_block(**{name: value}))


@pytest.mark.parametrize("block", [None, "x", [], {}, 5])
def test_a_post_without_a_signature_is_not_believed(block: object) -> None:
    for post in ({"event-data": {"event": "opened"}}, {"event-data": {"event": "opened"}, "signature": block}):
        with pytest.raises(UnverifiedError):
            MAILGUN.read(evolve(signed({}), body=json.dumps(post).encode()))


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"{}", b"[{}]"])
def test_a_body_that_says_nothing_is_not_believed_either(body: bytes) -> None:
    with pytest.raises(UnverifiedError):
        MAILGUN.read(evolve(signed({}), body=body))


def test_a_form_without_a_signature_is_not_believed() -> None:
    for body in (b"event=opened", b"", b"event=opened&timestamp=1767355200&token=a&signature=b"):
        with pytest.raises(UnverifiedError):
            MAILGUN.read(Request(method="POST", body=body, received_at=NOON))


def test_capitals_in_the_digest_do_no_harm() -> None:
    block = json.loads(signed({"event": "opened"}).body)["signature"]

    assert MAILGUN.read(with_block(signature=block["signature"].upper()))


def test_another_accounts_signature_is_not_believed() -> None:
    with pytest.raises(UnverifiedError, match="signing key"):
        MAILGUN.read(MailgunSigner("another").request({"event": "opened"}, at=NOON))


def test_old_and_new_keys_hold_at_once() -> None:
    both = Mailgun(["new", "old"])

    for key in ("new", "old"):
        assert both.read(MailgunSigner(key).request({"event": "opened"}, at=NOON))
    with pytest.raises(UnverifiedError):
        both.read(SIGNER.request({"event": "opened"}, at=NOON))


def test_a_subaccounts_report_is_proven_by_the_primary_accounts_key() -> None:
    request = MailgunSigner("a subaccount's", parent_key=SIGNER.key).request({"event": "opened"}, at=NOON)

    assert MAILGUN.read(request)
    assert Mailgun("a subaccount's").read(request)
    with pytest.raises(UnverifiedError):
        Mailgun("another").read(request)


def test_the_type_of_a_body_is_told_by_its_look_where_nothing_else_does() -> None:
    json_request, form = signed({"event": "opened"}), SIGNER.form({"event": "clicked"}, at=NOON)

    assert isinstance(MAILGUN.read(evolve(json_request, headers={}))[0], Opened)
    assert isinstance(MAILGUN.read(evolve(form, headers={}))[0], Clicked)


@pytest.mark.parametrize("late", [MAX_AGE + timedelta(seconds=1), timedelta(minutes=-6)])
def test_a_stale_signature_and_one_from_the_future_are_not_believed(late: timedelta) -> None:
    for request in (signed({"event": "opened"}), SIGNER.form({"event": "opened"}, at=NOON)):
        with pytest.raises(UnverifiedError):
            MAILGUN.read(evolve(request, received_at=NOON + late))


@pytest.mark.parametrize("late", [MAX_AGE, timedelta(minutes=-5), timedelta(0)])
def test_a_signature_is_believed_to_the_end_of_its_time(late: timedelta) -> None:
    assert MAILGUN.read(evolve(signed({"event": "opened"}), received_at=NOON + late))


def test_the_age_is_ones_own_to_choose() -> None:
    strict = Mailgun(SIGNER.key, max_age=timedelta(minutes=1))

    with pytest.raises(UnverifiedError):
        strict.read(evolve(signed({"event": "opened"}), received_at=NOON + timedelta(minutes=2)))


def test_without_a_time_of_arrival_no_age_is_proven() -> None:
    with pytest.raises(UnverifiedError, match="received_at"):
        MAILGUN.read(evolve(signed({"event": "opened"}), received_at=None))


def test_a_token_vouches_for_one_event_alone_where_tokens_are_remembered() -> None:
    careful = Mailgun(SIGNER.key, tokens=Tokens())
    request = signed({"event": "opened"})
    forged = evolve(request, body=request.body.replace(b"opened", b"complained"))

    assert careful.read(request) == careful.read(request)
    with pytest.raises(UnverifiedError, match="copied"):
        careful.read(forged)
    assert careful.read(signed({"event": "complained"}))


def test_the_oldest_token_is_forgotten_first() -> None:
    tokens = Tokens(capacity=2)

    assert [tokens(token, "x") for token in "abc"] == [True, True, True]
    assert (tokens("b", "y"), tokens("a", "y")) == (False, True)


@pytest.mark.parametrize("capacity", [0, -1, 1.5, True, None])
def test_a_memory_for_no_token_is_refused(capacity: Any) -> None:
    with pytest.raises(ConfigurationError, match="capacity"):
        Tokens(capacity)


@pytest.mark.parametrize("keys", ["", "  ", [], [""], ["a", ""], [b"a"], None, 7])
def test_a_missing_key_is_refused_where_it_is_made(keys: Any) -> None:
    with pytest.raises(ConfigurationError, match="signing key"):
        Mailgun(keys)


@pytest.mark.parametrize("span", [timedelta(0), timedelta(-1), 300])
def test_an_age_that_believes_nothing_is_refused(span: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        Mailgun("key", max_age=span)


def test_the_keys_never_print() -> None:
    assert "s3cret" not in repr(Mailgun(["s3cret", "s3cret2"]))


# ---- marks -----------------------------------------------------------------------------------------------------------


def mark(*headers: tuple[str, str]) -> dict[str, str]:
    return dict(MAILGUN.mark(headers, DeliveryId("d1")))


def test_a_mail_is_marked_and_tracking_is_off() -> None:
    assert MAILGUN.mark((("X-Campaign", "spring"),), DeliveryId("d1")) == (
        ("X-Campaign", "spring"),
        ("X-Mailgun-Variables", '{"csm_id": "d1"}'),
        ("X-Mailgun-Track", "no"),
    )


def test_variables_that_are_there_are_kept() -> None:
    marked = mark(("x-mailgun-variables", '{"order": "é 7"}'), ("X-Mailgun-Tag", "receipt"))

    assert json.loads(marked["x-mailgun-variables"]) == {"order": "é 7", "csm_id": "d1"}
    assert marked["X-Mailgun-Tag"] == "receipt"


def test_several_such_headers_are_left_several() -> None:
    marked = MAILGUN.mark((("X-Mailgun-Variables", '{"a": 1}'), ("X-Mailgun-Variables", '{"b": 2}')), DeliveryId("d1"))

    assert [value for name, value in marked if name == "X-Mailgun-Variables"] == [
        '{"a": 1, "csm_id": "d1"}',
        '{"b": 2}',
    ]
    assert MAILGUN.mark(marked, DeliveryId("d1")) == marked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Mailgun-Variables", "{"),
        ("X-Mailgun-Variables", "[]"),
        ("X-Mailgun-Variables", '{"csm_id": "d2"}'),
        ("X-Mailgun-Variables", json.dumps({"a": "x" * 1000})),
        ("X-Mailgun-Track", "yes"),
        ("X-Mailgun-Track-Clicks", "htmlonly"),
        ("x-mailgun-track-opens", "yes"),
    ],
)
def test_a_header_that_says_otherwise_is_a_mail_error(name: str, value: str) -> None:
    with pytest.raises(MailError, match=r"(?i)x-mailgun"):
        mark((name, value))


def test_a_header_that_says_the_same_is_left() -> None:
    assert mark(("X-Mailgun-Track-Opens", "No"), ("X-Mailgun-Track", "no"))["X-Mailgun-Track"] == "no"


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4))
def test_the_variables_survive_folding_at_any_blank(variables: dict[str, str]) -> None:
    variables.pop("csm_id", None)
    value = mark(("X-Mailgun-Variables", json.dumps(variables)))["X-Mailgun-Variables"]

    assert value.isascii()
    assert "=?" not in value
    for blank in ("", "  ", "\r\n "):
        assert json.loads(value.replace(" ", blank)) == {**variables, "csm_id": "d1"}


def test_its_relays_are_ready_made() -> None:
    server = mailgun.server("postmaster@mg.shop.example", "pw")

    assert (server.host, server.port, server.tls) == ("smtp.mailgun.org", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("postmaster@mg.shop.example", "pw")
    assert mailgun.server("u", "pw", relay=mailgun.Relay.EU).host == "smtp.eu.mailgun.org"
