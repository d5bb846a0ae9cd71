"""Mandrill: marks, signature, and what each of its events becomes."""

import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

import pytest
from attrs import evolve
from hypothesis import example, given
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
from custom_smtp.providers import mandrill
from custom_smtp.providers.mandrill import METADATA_BYTES, REJECTIONS, Mandrill
from custom_smtp.replies import Reply
from custom_smtp.state import why_not_to_write
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, mandrill_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "mandrill"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
URL = "https://reader:s3cret@hooks.shop.example/mandrill/?from=mandrill&token=t0ken"
KEY = "k3y-of-the-webhook"
MANDRILL = Mandrill(URL, KEY)
MESSAGES: list[dict[str, Any]] = json.loads((SAMPLES / "messages.json").read_text())


def signed(payload: Payload) -> Request:
    return mandrill_request(payload, URL, KEY, received_at=NOON)


def form(fields: list[tuple[str, str]], *, key: str = KEY, url: str = URL, body: bytes | None = None) -> Request:
    """A form of any fields, signed as Mandrill's page describes it."""
    last = dict(fields)
    text = url + "".join(name + last[name] for name in sorted(last))
    signature = base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha1")).decode()
    return Request(
        method="POST",
        headers={"X-Mandrill-Signature": signature},
        body=urlencode(fields).encode() if body is None else body,
        received_at=NOON,
    )


def in_form(request: Request) -> bytes:
    return parse_qs(request.body.decode())["mandrill_events"][0].encode()


def read(event: str, mail: object = None, **fields: object) -> Event:
    told = {"event": event, "_id": "m1", "ts": 1767330000, **fields}
    told["msg"] = {"email": "ada@example.net", "metadata": {"delivery_id": "d1"}, **(mail or {})}  # type: ignore[dict-item]  # what is sent is JSON
    [read_event] = MANDRILL.read(signed([told]))
    return read_event


def synced(**fields: object) -> Event:
    [event] = MANDRILL.read(signed([{"type": "denylist", "ts": 1767330000, **fields}]))
    return event


def test_it_holds_the_contract() -> None:
    samples = [signed(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))]
    feedback_contract(MANDRILL, samples, prove=signed, reports=in_form)


def test_each_event_of_a_batch_becomes_its_own() -> None:
    events = MANDRILL.read(signed(MESSAGES))

    assert [type(event) for event in events] == [
        Accepted, Deferred, Delivered, Bounced, Bounced, Bounced, Dropped, Opened, Clicked, Complained, Unsubscribed,
    ]  # fmt: skip
    assert {event.about.delivery_id for event in events} == {"d1"}
    assert {event.about.recipient for event in events} == {"ada@example.net"}
    assert events[0].about.at == datetime(2026, 1, 2, 5, 0, 1, tzinfo=UTC)
    assert [event.about.raw for event in events] == MESSAGES


def test_sent_is_not_delivered() -> None:
    sent, delivered = read("send"), read("delivered", {"smtp_events": [{"type": "sent", "diag": "250 2.0.0 OK"}]})

    assert sent == Accepted(sent.about, Reply(250, "send"))
    assert delivered == Delivered(delivered.about, "250 2.0.0 OK")


@pytest.mark.parametrize("dialogue", [None, [], {}, ["x"], [None]])
def test_a_delivery_without_its_dialogue_is_still_one(dialogue: object) -> None:
    event = read("delivered", {"smtp_events": dialogue})

    assert event == Delivered(event.about)


@pytest.mark.parametrize(
    ("mail", "fields"),
    [
        ({}, {"diag": "451 4.7.1 later"}),
        ({"diag": "451 4.7.1 later"}, {}),
        ({"smtp_events": [{"diag": "250 OK"}, {"diag": "451 4.7.1 later"}]}, {}),
        ({"smtp_events": [{"diag": "450 busy"}]}, {"diag": "451 4.7.1 later"}),
    ],
)
def test_a_delay_tells_the_servers_words_wherever_they_stand(mail: dict[str, Any], fields: dict[str, Any]) -> None:
    event = read("deferral", mail, **fields)

    assert event == Deferred(event.about, "451 4.7.1 later", "4.7.1", Cause.POLICY)


# ---- bounces ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "mail", "kind", "cause"),
    [
        ("hard_bounce", {"bgtools_code": 10, "bounce_description": "bad_mailbox"}, "HARD", Cause.NO_SUCH_USER),
        ("hard-bounce", {"bgtools_code": "10"}, "HARD", Cause.NO_SUCH_USER),
        ("hard_bounce", {"bgtools_code": 21, "bounce_description": "invalid_domain"}, "HARD", Cause.NO_SUCH_DOMAIN),
        ("soft_bounce", {"bgtools_code": 21}, "SOFT", Cause.NETWORK),
        ("soft_bounce", {"bgtools_code": 22, "bounce_description": "mailbox_full"}, "SOFT", Cause.MAILBOX_FULL),
        ("soft-bounce", {"bgtools_code": 23}, "SOFT", Cause.TOO_LARGE),
        ("soft_bounce", {"bgtools_code": 40, "bounce_description": "general"}, "SOFT", Cause.UNKNOWN),
        ("soft_bounce", {"bgtools_code": 50}, "BLOCK", Cause.POLICY),
        ("hard_bounce", {"bgtools_code": 51}, "BLOCK", Cause.REPUTATION),
        ("soft_bounce", {"bgtools_code": 52}, "BLOCK", Cause.SPAM),
        ("soft_bounce", {"bgtools_code": 53}, "BLOCK", Cause.CONTENT),
        ("soft_bounce", {"bgtools_code": 54}, "BLOCK", Cause.RELAY_DENIED),
        ("soft_bounce", {"bgtools_code": 70}, "SOFT", Cause.UNKNOWN),
        ("hard_bounce", {"bgtools_code": 999}, "HARD", Cause.UNKNOWN),
        ("hard_bounce", {"bgtools_code": None}, "HARD", Cause.UNKNOWN),
        ("soft_bounce", {"bgtools_code": [10]}, "SOFT", Cause.UNKNOWN),
        ("soft_bounce", {}, "SOFT", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(event: str, mail: dict[str, Any], kind: str, cause: Cause) -> None:
    bounced = read(event, mail)

    assert isinstance(bounced, Bounced)
    assert (bounced.kind.name, bounced.cause) == (kind, cause)


def test_a_bounce_tells_reason_and_status() -> None:
    mail = {"bounce_description": "bad_mailbox", "bgtools_code": 10, "diag": "smtp;550 5.1.1 no such user"}
    event = read("hard_bounce", mail)

    assert event == Bounced(
        event.about,
        BounceKind.HARD,
        "bad_mailbox smtp;550 5.1.1 no such user",
        "5.1.1",
        cause=Cause.NO_SUCH_USER,
    )


@pytest.mark.parametrize("code", [60, 100, "60"])
def test_an_automatic_reply_is_no_bounce(code: object) -> None:
    event = read("soft_bounce", {"bgtools_code": code, "diag": "away until Monday"})

    assert event == AutoReplied(event.about, "away until Monday")


@pytest.mark.parametrize(
    ("mail", "fields", "reason"),
    [
        *(({"reject_reason": reason}, {}, reason) for reason in REJECTIONS),
        ({"reject": {"reason": "hard-bounce"}}, {}, "hard-bounce"),
        ({"reject": "unsigned"}, {}, "unsigned"),
        ({"reject": None}, {"reject": {"reason": "rule"}}, "rule"),
        ({"reject_reason": "test-mode-limit"}, {}, "test-mode-limit"),
        ({"reject": []}, {}, ""),
        ({"reject": None, "diag": None, "bounce_description": None}, {}, ""),
    ],
)
def test_a_rejection_says_why_where_it_can(mail: dict[str, Any], fields: dict[str, Any], reason: str) -> None:
    event = read("reject", mail, **fields)

    assert event == Dropped(event.about, reason, REJECTIONS.get(reason, DropKind.UNKNOWN))


# ---- readers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parsed", "machine"),
    [({"type": "robot"}, True), ({"type": "Robot"}, True), ({"type": "Browser"}, False), (None, False), ([], False)],
)
def test_an_open_and_a_click_keep_who_and_what_and_whether_it_was_a_machine(parsed: object, machine: bool) -> None:
    who = {"ip": "192.0.2.44", "user_agent": "Reader/1.0", "user_agent_parsed": parsed}
    opened, clicked = read("open", **who), read("click", url="https://shop.example/", **who)
    evidence = ("user_agent_parsed",) if machine else ()

    assert opened == Opened(
        opened.about,
        prefetched=machine,
        evidence=evidence,
        user_agent="Reader/1.0",
        client="192.0.2.44",
        second_hand=True,
    )
    assert clicked == Clicked(
        clicked.about,
        "https://shop.example/",
        machine=machine,
        evidence=evidence,
        user_agent="Reader/1.0",
        client="192.0.2.44",
        second_hand=True,
    )


@pytest.mark.parametrize(
    ("clicks", "url"),
    [
        ([{"ts": 1, "url": "https://shop.example/1"}, {"ts": 2, "url": "https://shop.example/2"}], "https://shop.example/2"),
        ([{"ts": 1}], ""), ([5], ""), ([], ""), (None, ""), ({}, ""),
    ],
)  # fmt: skip
def test_a_click_that_names_no_link_is_the_last_of_its_mail(clicks: object, url: str) -> None:
    event = read("click", {"clicks": clicks})

    assert event == Clicked(event.about, url, second_hand=True)


@pytest.mark.parametrize("told", [{"a": 1}, 5, ["https://shop.example/"], True])
def test_a_click_on_what_is_no_text_is_unrecognised(told: object) -> None:
    event = read("click", url=told)

    assert isinstance(event, Unrecognised)
    assert event.about.recipient == "ada@example.net"


# ---- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subaccount", "scope"), [(None, ""), ("shop", "shop"), ("", ""), ([], "")])
def test_an_unsubscription_holds_for_the_subaccount(subaccount: object, scope: str) -> None:
    event = read("unsub", {"subaccount": subaccount})

    assert event == Unsubscribed(event.about, scope=scope)


@pytest.mark.parametrize("kind", ["denylist", "blacklist"])
def test_whom_somebody_takes_off_the_denylist_may_be_written_to(kind: str) -> None:
    gone = synced(type=kind, action="remove", reject={"email": "ada@example.net", "subaccount": None})
    unsubscribed = read("unsub", ts=1767320000)

    assert gone == Resubscribed(gone.about)
    assert gone.about.recipient == "ada@example.net"
    assert why_not_to_write([unsubscribed, gone]) is None


@pytest.mark.parametrize(
    ("entry", "scope"),
    [
        ({"subaccount": "shop"}, "shop"),
        ({"sender": "hello@shop.example"}, "hello@shop.example"),
        ({"subaccount": "shop", "sender": {"address": "hello@shop.example"}}, "shop hello@shop.example"),
    ],
)
def test_what_is_taken_off_for_some_is_lifted_for_no_others(entry: dict[str, Any], scope: str) -> None:
    gone = synced(action="remove", reject={"email": "ada@example.net", **entry})
    unsubscribed = read("unsub", ts=1767320000)

    assert gone == Resubscribed(gone.about, scope=scope)
    assert why_not_to_write([unsubscribed, gone]) == unsubscribed


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("denylist", "add"), ("blacklist", "change"), ("denylist", None), ("allowlist", "add"),
        ("whitelist", "remove"), ("safelist", "add"),
    ],
)  # fmt: skip
def test_any_other_change_of_a_list_is_unrecognised(kind: str, action: str | None) -> None:
    event = synced(type=kind, action=action, reject={"email": "ada@example.net"})

    assert event == Unrecognised(event.about, kind)
    assert event.about.recipient == "ada@example.net"


@pytest.mark.parametrize("name", ["reject", "entry"])
def test_an_entry_of_a_list_names_the_person_by_either_name(name: str) -> None:
    assert synced(type="allowlist", action="add", **{name: {"email": "ada@example.net"}}).about.recipient == (
        "ada@example.net"
    )


@pytest.mark.parametrize("entry", [None, "x", [], 5])
def test_a_removal_of_nobody_is_unrecognised(entry: object) -> None:
    assert isinstance(synced(action="remove", reject=entry), Unrecognised)


def test_inbound_mail_is_nobodys_bounce() -> None:
    [event] = MANDRILL.read(signed((SAMPLES / "inbound.json").read_bytes()))

    assert event == Unrecognised(event.about, "inbound")


# ---- which mail, which person, when ----------------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [None, [], {}, "d1", {"delivery_id": ["d1"]}, {"delivery_id": "no id"}])
def test_what_is_no_id_of_ours_is_none(metadata: object) -> None:
    assert read("send", {"metadata": metadata}).about.delivery_id is None


@pytest.mark.parametrize(
    "event", ["send", "deferral", "hard_bounce", "reject", "open", "click", "spam", "unsub", "new", ""]
)
@pytest.mark.parametrize("mail", [{}, {"msg": None}, {"msg": []}])
def test_an_event_with_nothing_else_in_it_is_still_one(event: str, mail: dict[str, Any]) -> None:
    [told] = MANDRILL.read(signed([{"event": event, **mail}]))

    assert (told.about.at, told.about.delivery_id, told.about.recipient) == (NOON, None, "")


def test_one_odd_event_never_loses_its_batch() -> None:
    odd: list[dict[str, Any]] = [
        {"event": "click", "url": 5, "msg": {"email": "bob@example.net"}},
        {"event": ["send"]},
        {"msg": 1},
    ]
    events = MANDRILL.read(signed([odd[0], MESSAGES[0], *odd[1:]]))

    assert [type(event) for event in events] == [Unrecognised, Accepted, Unrecognised, Unrecognised]
    assert events[0].about.recipient == "bob@example.net"


@pytest.mark.parametrize(
    "other", [{"_id": "m2"}, {"ts": 1767330001}, {"event": "spam"}, {"_id": None, "msg": {"_id": "m2"}}, {"_id": None}]
)
def test_two_reports_have_two_keys(other: dict[str, Any]) -> None:
    told = {"event": "send", "_id": "m1", "ts": 1767330000, "msg": {"state": "sent"}}
    [one, again, another] = MANDRILL.read(signed([told, {**told, "msg": {"state": "x"}}, {**told, **other}]))

    assert one.about.key == again.about.key != another.about.key


@pytest.mark.parametrize(
    "other", [{"ip": "192.0.2.1"}, {"user_agent": "Reader/2.0"}, {"url": "https://shop.example/2"}]
)
@pytest.mark.parametrize("event", ["open", "click"])
def test_two_readers_and_two_links_at_once_are_two_reports(event: str, other: dict[str, Any]) -> None:
    one: dict[str, Any] = {"url": "https://shop.example/"}

    assert read(event, **one).about.key != read(event, **{**one, **other}).about.key


def test_two_changes_of_a_list_at_once_are_two_reports() -> None:
    entries = [
        {"email": "ada@example.net"},
        {"email": "ada@example.net", "subaccount": "a"},
        {"email": "b@example.net"},
    ]

    assert (
        len({synced(action=action, reject=entry).about.key for action in ("add", "remove") for entry in entries}) == 6
    )


# ---- proof -----------------------------------------------------------------------------------------------------------


def test_head_and_the_empty_batch_of_a_test_are_answered() -> None:
    endpoint = FeedbackEndpoint(MANDRILL)

    assert endpoint.answer(Request(method="HEAD")).response.status == 200
    for key in ("test-webhook", KEY):
        answer = endpoint.answer(form([("mandrill_events", "[]")], key=key))
        assert (answer.response.status, answer.events) == (200, ())


@pytest.mark.parametrize("told", ['[{"event": "send"}]', "[ ]", "", "[][]"])
def test_the_key_of_tests_proves_nothing_else(told: str) -> None:
    with pytest.raises(UnverifiedError):
        MANDRILL.read(form([("mandrill_events", told)], key="test-webhook"))


def test_the_key_of_tests_proves_no_empty_batch_with_company() -> None:
    with pytest.raises(UnverifiedError):
        MANDRILL.read(form([("mandrill_events", "[]"), ("a", "b")], key="test-webhook"))


def test_an_empty_batch_must_be_signed_too() -> None:
    for headers in ({}, {"X-Mandrill-Signature": ""}, {"X-Mandrill-Signature": "AAAA"}):
        with pytest.raises(UnverifiedError):
            MANDRILL.read(evolve(signed([]), headers=headers))


def test_old_and_new_key_hold_at_once() -> None:
    turning = Mandrill(URL, ("new", KEY))

    assert turning.read(signed(MESSAGES)) == MANDRILL.read(signed(MESSAGES))
    assert turning.read(mandrill_request(MESSAGES, URL, "new"))
    with pytest.raises(UnverifiedError):
        turning.read(mandrill_request(MESSAGES, URL, "old"))


@pytest.mark.parametrize(
    "url",
    [
        URL.removesuffix("n"),
        URL.replace("reader:s3cret@", ""),
        URL.replace("https", "http"),
        URL.replace("/?", "?"),
        URL.replace("from=mandrill&token=t0ken", "token=t0ken&from=mandrill"),
        URL.replace("hooks.", "HOOKS."),
    ],
)
def test_the_url_is_signed_to_the_letter(url: str) -> None:
    with pytest.raises(UnverifiedError) as caught:
        MANDRILL.read(mandrill_request(MESSAGES, url, KEY))

    assert "https://hooks.shop.example/mandrill/?..." in str(caught.value)
    assert "proxy" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("s3cret", "t0ken", KEY))


def test_another_signature_and_an_altered_batch_are_not_believed() -> None:
    request = signed(MESSAGES)

    for altered in (
        evolve(request, body=request.body + b"x"),
        evolve(request, body=request.body + b"&mandrill_events=[]"),
        evolve(request, body=request.body + b"&a=b"),
        evolve(request, body=request.body.replace(b"ada", b"bob")),
        evolve(request, body=b"&".join(b"a=b" for _ in range(1000))),
        evolve(request, headers={"x-mandrill-signature": "é"}),
        evolve(request, headers={"x-mandrill-signature": request.headers["x-mandrill-signature"].lower()}),
    ):
        with pytest.raises(UnverifiedError):
            MANDRILL.read(altered)


def test_all_fields_of_the_form_are_signed_in_the_order_of_their_names() -> None:
    told = json.dumps(MESSAGES)
    fields = [("zebra", "1"), ("mandrill_events", told), ("alpha", ""), ("Ümlaut", "ö")]

    assert MANDRILL.read(form(sorted(fields))) == MANDRILL.read(signed(told.encode()))


def test_of_two_fields_with_one_name_the_last_counts() -> None:
    assert MANDRILL.read(form([("mandrill_events", "nonsense"), ("mandrill_events", "[]")])) == ()


@pytest.mark.parametrize(
    "body",
    [
        b'mandrill_events=[{"event":"new","url":"a=b+c%%20%"}]',
        b'mandrill_events=[{"event":"new","url":"a=b%20c%%20%"}]',
        b"mandrill_events=%5b{%22event%22:%22new%22,%22url%22:%22a%3db+c%25 %25%22}]",
    ],
)
def test_a_form_that_escapes_less_or_otherwise_is_read_exactly(body: bytes) -> None:
    told = '[{"event":"new","url":"a=b c% %"}]'
    [event] = MANDRILL.read(form([("mandrill_events", told)], body=body))

    assert event.about.raw == {"event": "new", "url": "a=b c% %"}


def test_signed_nonsense_is_malformed() -> None:
    for request in (signed(b"[{]"), signed(b""), form([("events", "[]")]), form([("mandrill_eventsx", "[]")])):
        with pytest.raises(MalformedError):
            MANDRILL.read(request)


TEXTS = st.text(max_size=60) | st.text(alphabet='=%+&; "\\\r\n_é', max_size=40)


@given(TEXTS, st.sampled_from(["", "/", '=;+?/ \r\n":,[]{}']))
@example("a=\r\nb", "=\r\n")
def test_whatever_stands_in_the_form_comes_out_as_it_was_signed(text: str, unescaped: str) -> None:
    told = [{"event": "new", "url": text}]
    body = b"mandrill_events=" + quote_plus(json.dumps(told, ensure_ascii=False), safe=unescaped).encode()
    decoded = parse_qs(body.decode(), keep_blank_values=True)["mandrill_events"][0]
    request = form([("mandrill_events", decoded)], body=body)

    if "+" in text and "+" in unescaped:  # an unescaped one is a blank
        told = json.loads(decoded)
    assert [event.about.raw for event in MANDRILL.read(request)] == told


@given(st.binary(max_size=200))
def test_no_unsigned_body_is_anything_but_unproven(body: bytes) -> None:
    for start in (b"", b"mandrill_events="):
        with pytest.raises(UnverifiedError):
            MANDRILL.read(Request(method="POST", headers={"x-mandrill-signature": "AAAA"}, body=start + body))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("", KEY), ("hooks.shop.example/mandrill", KEY), ("ftp://hooks.shop.example", KEY), ("https://", KEY),
        ("https://a b.example/", KEY), ("https://a.example/\n", KEY), ("http://[::1", KEY), (None, KEY),
        (URL, ""), (URL, " "), (URL, ()), (URL, ("x", "")), (URL, None), (URL, b"key"),
    ],
)  # fmt: skip
def test_what_proves_nothing_is_refused_where_it_is_made(url: Any, key: Any) -> None:
    with pytest.raises(ConfigurationError, match="Mandrill's webhook"):
        Mandrill(url, key)


def test_neither_key_nor_url_ever_prints() -> None:
    assert not any(secret in repr(MANDRILL) for secret in ("s3cret", "t0ken", KEY))


# ---- marks -----------------------------------------------------------------------------------------------------------


def mark(*values: str) -> list[dict[str, Any]]:
    marked = MANDRILL.mark(tuple(("x-mc-metadata", value) for value in values), DeliveryId("d1"))
    assert marked[-1] == ("X-MC-Track", "none")
    return [json.loads(value) for _, value in marked[:-1]]


def test_a_mail_is_marked_once_and_tracking_is_off() -> None:
    marked = MANDRILL.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert marked == (("X-Campaign", "spring"), ("X-MC-Metadata", '{"delivery_id": "d1"}'), ("X-MC-Track", "none"))
    assert MANDRILL.mark(marked, DeliveryId("d1")) == marked


def test_metadata_that_is_there_already_is_kept() -> None:
    assert mark('{"order": "a b é", "n": 7}') == [{"order": "a b é", "n": 7, "delivery_id": "d1"}]
    assert mark('{"a": 1}', '{"b": 2}') == [{"a": 1, "delivery_id": "d1"}, {"b": 2}]


def test_metadata_for_one_recipient_stays_as_it_is() -> None:
    own = '{"_rcpt": "ada@example.net", "order": "7"}'

    assert mark(own) == [json.loads(own), {"delivery_id": "d1"}]
    assert mark(own, "{}") == [json.loads(own), {"delivery_id": "d1"}]


def test_the_header_is_ascii_and_folds_only_between_its_tokens() -> None:
    [(_, value), _] = MANDRILL.mark((("X-MC-Metadata", '{"order": "a b é =?x"}'),), DeliveryId("d1"))

    assert value.isascii()
    assert "=?" not in value
    assert json.loads(value.replace(" ", "\r\n ")) == {"order": "a b é =?x", "delivery_id": "d1"}


def test_metadata_has_its_limit() -> None:
    room = METADATA_BYTES - len('{"a":"","delivery_id":"d1"}')

    assert mark(json.dumps({"a": "x" * room}))
    for values in (
        [json.dumps({"a": "x" * (room + 1)})],
        [json.dumps({"a": "x" * 100}), json.dumps({"b": "x" * 130})],
    ):
        with pytest.raises(MailError, match="250"):
            mark(*values)


@pytest.mark.parametrize(
    "headers",
    [
        (("X-MC-Metadata", ""),),
        (("X-MC-Metadata", "[]"),),
        (("X-MC-Metadata", "[" * 100_000),),
        (("X-MC-Metadata", '{"delivery_id": "d2"}'),),
        (("X-MC-Metadata", "{}"), ("X-MC-Metadata", '{"_rcpt": "ada@example.net", "delivery_id": "d2"}')),
        (("X-MC-Metadata", '{"order": {"number": 7}}'),),
        (("X-MC-Metadata", '{"orders": [7]}'),),
        (("X-MC-Track", "opens"),),
        (("x-mc-track", "opens,clicks_all"),),
    ],
    ids=lambda headers: headers[0][1][:30],
)
def test_a_header_that_cannot_carry_the_mark_is_a_mail_error(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MailError, match=r"(?i)x-mc-"):
        MANDRILL.mark(headers, DeliveryId("d1"))


def test_its_relay_is_ready_made() -> None:
    server = mandrill.server("k-api", username="hello@shop.example")

    assert (server.host, server.port, server.tls) == ("smtp.mandrillapp.com", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("hello@shop.example", "k-api")
    assert mandrill.server("k-api", port=465).tls is Tls.IMPLICIT
    assert "k-api" not in repr(server)


@pytest.mark.parametrize("port", [25, 588, 0, "587"])
def test_a_port_that_is_not_mandrills_is_refused(port: Any) -> None:
    with pytest.raises(ConfigurationError, match="2525"):
        mandrill.server("k-api", port=port)
