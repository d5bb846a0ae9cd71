"""The way in: proofs, bodies, odd reports, the endpoint; and the contract that holds adapters to it."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import MemoryJournal
from custom_smtp.edge.asgi import asgi
from custom_smtp.edge.wsgi import wsgi
from custom_smtp.errors import (
    ArchiveError,
    ConfigurationError,
    MailError,
    MalformedError,
    UncheckedError,
    UnverifiedError,
    WebhookError,
)
from custom_smtp.event_json import read_event, write_event
from custom_smtp.events import About, Bounced, Delivered, Event, Opened, Unrecognised
from custom_smtp.identifiers import DeliveryId
from custom_smtp.mounts import Mounts
from custom_smtp.ports import Feedback, Headers
from custom_smtp.providers.mandrill import Mandrill
from custom_smtp.providers.postmark import Postmark
from custom_smtp.providers.sendgrid import SendGrid
from custom_smtp.testing import FrozenClock
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import SendGridSigner, mandrill_request, postmark_request
from custom_smtp.web import BODY_LIMIT, Request
from custom_smtp.webhooks import (
    BATCH_LIMIT,
    DEPTH_LIMIT,
    NO_REPORT,
    UNKNOWN_TIME,
    FeedbackEndpoint,
    a_secret,
    a_user_name,
    an_age,
    bare_address,
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    folding_json,
    if_given,
    is_hmac_sha256,
    is_one_of,
    json_body,
    json_header,
    json_object_in,
    json_reports,
    marked,
    moment,
    require_basic_auth,
    require_bearer,
    require_fresh,
    require_hmac_sha256,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    with_id,
    with_json_header,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def basic(credentials: str, scheme: str = "Basic") -> Request:
    return Request(headers={"authorization": f"{scheme} {base64.b64encode(credentials.encode()).decode()}"})


def posted(body: bytes) -> Request:
    return Request(method="POST", body=body)


# ---- proofs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [basic("pm:hook"), basic("pm:hook", "bAsIc"), basic("pm:hook", "Basic  ")])
def test_the_right_user_name_and_password_pass(request_: Request) -> None:
    require_basic_auth(request_, "pm", "hook")


def test_a_password_may_hold_anything() -> None:
    require_basic_auth(basic("pm:h:ö ok"), "pm", "h:ö ok")


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        basic("pm:wrong"), basic("other:hook"), basic("pm:hook "), basic("pm"), basic(""), basic("pm:hook", "Bearer"),
        Request(headers={"authorization": "Basic"}),
        Request(headers={"authorization": "Basic cG06aG9vaw"}),
        Request(headers={"authorization": "Basic cG06\u00e9"}),
        Request(headers={"authorization": "Basic " + "A" * 100_000}),
    ],
)  # fmt: skip
def test_any_other_is_not_proven_and_is_told_how(request_: Request) -> None:
    with pytest.raises(UnverifiedError) as caught:
        require_basic_auth(request_, "pm", "hook")

    assert caught.value.challenge == 'Basic realm="reports", charset="UTF-8"'
    assert "hook" not in str(caught.value)


@pytest.mark.parametrize(("username", "password"), [("", "x"), ("x", ""), (" ", "x")])
def test_credentials_that_cannot_prove_anything_are_refused(username: str, password: str) -> None:
    with pytest.raises(ConfigurationError):
        require_basic_auth(basic(f"{username}:{password}"), username, password)


def test_an_old_password_passes_beside_the_new_one_and_no_other_does() -> None:
    for one in ("new", "old"):
        require_basic_auth(basic(f"pm:{one}"), "pm", "new", "old")
    for other in ("", "newold", "new:old"):
        with pytest.raises(UnverifiedError):
            require_basic_auth(basic(f"pm:{other}"), "pm", "new", "old")
    with pytest.raises(ConfigurationError):
        require_basic_auth(basic("pm:new"), "pm", "new", "")


@frozen
class Keys:
    """What an adapter may hold several of."""

    key: Any = field(converter=secrets_of, validator=some_secrets("the pigeon's key"))


@pytest.mark.parametrize(("given", "held"), [("k", ("k",)), (["new", "old"], ("new", "old")), (("k",), ("k",))])
def test_one_secret_is_several_of_one(given: Any, held: tuple[str, ...]) -> None:
    assert Keys(given).key == held


@pytest.mark.parametrize("given", ["", " ", (), ("new", ""), None, 5, b"k", (b"k",), ("k", None)])
def test_several_secrets_are_at_least_one_and_none_is_empty(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="the pigeon's key"):
        Keys(given)


def digest(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def test_the_right_digest_passes_in_either_letter_case() -> None:
    require_hmac_sha256(b"key", b"body", digest(b"key", b"body"))
    require_hmac_sha256(b"key", b"body", digest(b"key", b"body").upper())


@pytest.mark.parametrize("told", ["", "é", "\ud800", "00" * 32, digest(b"key", b"body ")[:-1], digest(b"k", b"body")])
def test_any_other_digest_is_not_proven(told: str) -> None:
    with pytest.raises(UnverifiedError) as caught:
        require_hmac_sha256(b"key", b"body", told)

    assert caught.value.challenge == ""


def test_an_empty_key_is_refused_even_with_its_digest() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        require_hmac_sha256(b"", b"body", digest(b"", b"body"))


def test_a_digest_under_any_of_the_secrets_passes_in_either_letter_case() -> None:
    told = digest(b"new", b"body")
    assert is_hmac_sha256(b"body", told, "new")
    assert is_hmac_sha256(b"body", f" {told.upper()}", "old", "new")
    assert is_hmac_sha256(b"body", digest("\ud800".encode(errors="surrogatepass"), b"body"), "\ud800")
    assert not is_hmac_sha256(b"body", told, "old", "older")
    assert not is_hmac_sha256(b"another", told, "new")


@pytest.mark.parametrize("told", ["", "é", "\ud800", "00" * 32])
def test_what_is_no_digest_fits_no_secret(told: str) -> None:
    assert not is_hmac_sha256(b"body", told, "new")


def test_an_empty_secret_is_refused_even_with_its_digest() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        is_hmac_sha256(b"body", digest(b"", b"body"), "new", "")


@frozen
class Perhaps:
    """What an adapter may hold or not."""

    user: str = field(default="", validator=if_given(a_user_name("the pigeon's name")))


def test_what_may_be_left_out_is_checked_where_it_is_there() -> None:
    assert Perhaps().user == ""
    assert Perhaps("u").user == "u"
    with pytest.raises(ConfigurationError, match="the pigeon's name holds a ':'"):
        Perhaps("a:b")


def test_an_object_in_a_header_is_there_to_be_added_to() -> None:
    asked = {"options": {"a": 1}, "tags": []}
    found = json_object_in("X-Pigeon", asked, "options")
    assert found == {"a": 1}
    assert found is not asked["options"]
    assert json_object_in("X-Pigeon", asked, "metadata") == {}
    with pytest.raises(MailError, match="the header X-Pigeon has a list as 'tags': write a JSON object"):
        json_object_in("X-Pigeon", asked, "tags")


@frozen
class Secrets:
    """What an adapter may hold."""

    key: Any = field(default=b"k", validator=a_secret("the pigeon's key", bytes))
    password: Any = field(default="p", validator=a_secret("the pigeon's password"))
    user: Any = field(default="u", validator=a_user_name("the pigeon's name"))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("key", b""), ("key", "k"), ("key", None), ("password", ""), ("password", " \n"), ("password", b"p"),
        ("password", None), ("user", ""), ("user", None), ("user", "a:b"),
    ],
)  # fmt: skip
def test_an_adapter_cannot_be_made_with_what_proves_nothing(name: str, secret: Any) -> None:
    with pytest.raises(ConfigurationError, match="the pigeon's"):
        evolve(Secrets(), **{name: secret})


def test_a_password_that_no_request_can_carry_is_never_proven() -> None:
    with pytest.raises(UnverifiedError):
        require_basic_auth(basic("pm:?"), "pm", "\ud800")


def test_a_secret_is_one_of_several_or_none() -> None:
    assert is_one_of("new", "new", "old")
    assert is_one_of("old", "new", "old")
    assert is_one_of("schlüssel", "schlüssel")
    assert not any(is_one_of(given, "new", "old") for given in ("", "newold", "ol", "é", "\udcff"))


@pytest.mark.parametrize("secrets", [("",), ("new", ""), (" ", "old")])
def test_an_empty_secret_is_nobodys(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        is_one_of("", *secrets)


def test_an_age_needs_a_time_of_arrival() -> None:
    with pytest.raises(UnverifiedError, match="received_at"):
        require_fresh(Request(), NOON, timedelta(hours=1))


# ---- bodies ----------------------------------------------------------------------------------------------------------


def test_an_object_and_an_array_are_read() -> None:
    assert json_body(posted(b'{"a": 1}')) == [{"a": 1}]
    assert json_body(posted(b' [{"a": 1}, {"b": [{}]}]\r\n')) == [{"a": 1}, {"b": [{}]}]
    assert json_body(posted(b"[]")) == []


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    assert json_body(posted(b'\xef\xbb\xbf{"a": 1}')) == [{"a": 1}]


def test_something_odd_among_reports_loses_none_of_them() -> None:
    assert json_body(posted(b'[{"a": 1}, null, "x", [{}], {}]')) == [
        {"a": 1}, {NO_REPORT: None}, {NO_REPORT: "x"}, {NO_REPORT: [{}]}, {},
    ]  # fmt: skip


def test_of_a_key_named_twice_the_last_holds() -> None:
    assert json_body(posted(b'{"a": 1, "a": 2}')) == [{"a": 2}]


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[{}", b'{"a"', b"null", b"7", b'"{}"', b"[1]", b"[null, 5]", b"[[{}]]", b"{} {}",
        b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf",
        b'{"a": "\xff"}', '{"a": 1}'.encode("utf-16"), b"[" * 1_000_000, b'{"a":' * 1_000_000,
        b'{"a": ' + b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT + b"}",
        b"[" + b"{}," * BATCH_LIMIT + b"{}]", b'{"a": "' + b"x" * BODY_LIMIT + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_report_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        json_body(posted(body))


def test_limits_are_reached_before_they_are_exceeded() -> None:
    nested = b'{"a": ' + b"[" * (DEPTH_LIMIT - 1) + b"]" * (DEPTH_LIMIT - 1) + b"}"

    assert len(json_body(posted(b"[" + b"{}," * (BATCH_LIMIT - 1) + b"{}]"))) == BATCH_LIMIT
    assert len(json_body(posted(nested))) == 1


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_kept() -> None:
    body = rb'{"a\udc00": ["\ud800", {"b": "x\uDFFFy"}], "c": "\ud83d\ude00", "d": 1}'

    assert json_body(posted(body)) == [{"a\ufffd": ["\ufffd", {"b": "x\ufffdy"}], "c": "\U0001f600", "d": 1}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=4))
def test_every_json_report_is_read_as_it_was_written(reports: list[dict[str, Any]]) -> None:
    assert json_body(posted(json.dumps(reports).encode())) == reports


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:0e-\\u dDtrue', max_size=60).map(str.encode))
def test_any_bytes_are_reports_or_malformed(body: bytes) -> None:
    try:
        reports = json_body(posted(body))
    except MalformedError:
        return
    assert all(isinstance(report, dict) for report in reports)
    json.dumps(reports, ensure_ascii=False).encode()


# ---- readings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (1767355200, NOON),
        (1767355200.5, NOON + timedelta(seconds=0.5)),
        ("1767355200", NOON),
        ("1767355200.25", NOON + timedelta(seconds=0.25)),
        ("2026-01-02T12:00:00Z", NOON),
        ("2026-01-02T07:00:00.2735393-05:00", NOON + timedelta(microseconds=273539)),
        ("2026-01-02T12:00:00", NOON),
        ("2026-01-02 12:00:00+00:00", NOON),
        (1767355200372, NOON + timedelta(milliseconds=372)),
        ("1767355200372", NOON + timedelta(milliseconds=372)),
        ("1767355200372.5", NOON + timedelta(milliseconds=372.5)),
        (1767355200372.0, NOON + timedelta(milliseconds=372)),
        (-1767355200, UNKNOWN_TIME - (NOON - UNKNOWN_TIME)),
        (None, UNKNOWN_TIME),
        ("", UNKNOWN_TIME),
    ],
)
def test_a_time_is_read_in_utc_however_it_is_told(told: object, expected: datetime) -> None:
    read = moment(told, otherwise=UNKNOWN_TIME)

    assert (read, read.utcoffset()) == (expected, timedelta(0))


@pytest.mark.parametrize(
    "told", [True, [], {}, "soon", "2026-13-01", 10**30, -(10**30), 1e300, "0001-01-01T00:00:00+14:00", "٣"]
)
def test_what_is_no_time_is_the_other_one(told: object) -> None:
    assert moment(told, otherwise=NOON) == NOON


def test_the_first_field_that_says_something_is_text() -> None:
    report = {"a": "", "b": None, "c": True, "d": [1], "e": 7, "f": "x"}

    assert text_in(report, "z", "a", "b", "c", "d", "e", "f") == "7"
    assert text_in(report, "f", "e") == "x"
    assert text_in(report, "a", "z") == ""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("smtp;550 5.1.1 no such user", "5.1.1"),
        ("(#5.7.1)", "5.7.1"),
        ("ends in 4.2.2.", "4.2.2"),
        ("from 5.1.1.7 or 15.1.1 or 5.1.1234", ""),
        ("3.1.1", ""),
        ("5.1", ""),
        ("٥.١.١", ""),
        ("", ""),
    ],
)
def test_an_enhanced_status_is_found_in_a_reply(text: str, status: str) -> None:
    assert enhanced_status(text) == status
    assert enhanced_status("no", text) == status


def test_a_made_key_tells_reports_apart() -> None:
    names = ("source", "kind", "message", "recipient", "time", "url", "scope", "reader")
    told = {name: name[0] for name in names}
    keys = {synthetic_key(**{**told, name: "other"}) for name in told}

    assert len(keys | {synthetic_key(**told)}) == len(names) + 1
    assert synthetic_key(**told) == synthetic_key(**told)
    assert synthetic_key(**{**told, "source": "sk", "kind": ""}) != synthetic_key(
        **{**told, "source": "s", "kind": "k"}
    )


@pytest.mark.parametrize("told", ["", "a b", "é", "x" * 65, None, 7, ["d1"]])
def test_foreign_text_is_no_id(told: object) -> None:
    assert delivery_id_in(told) is None
    assert delivery_id_in_message_id(told) is None


def test_our_id_is_found_alone_and_in_a_message_id() -> None:
    assert delivery_id_in("d1") == delivery_id_in_message_id(" <d1@shop.example> ") == DeliveryId("d1")


def test_a_mark_that_is_there_is_not_doubled_and_another_is_refused() -> None:
    assert marked((("x-a", " 1 "),), (("X-A", "1"), ("X-B", "2"))) == (("x-a", " 1 "), ("X-B", "2"))
    with pytest.raises(MailError, match="'2'"):
        marked((("x-a", "2"),), (("X-A", "1"),))


def explodes(error: Exception) -> Callable[[dict[str, Any]], Event]:
    def read(report: dict[str, Any]) -> Event:
        if report.get("odd"):
            raise error
        return Delivered(
            About(delivery_id=None, recipient="ada@example.net", at=NOON, source="pigeon", key=report["id"], raw=report)
        )

    return read


ODD_REPORTS: list[dict[str, Any]] = [{"id": "1"}, {"odd": 1, "what": "landed", "to": "bob@example.net"}, {"id": "2"}]


@pytest.mark.parametrize(
    "error", [KeyError("to"), TypeError(), ValueError(), AttributeError(), OverflowError(), IndexError()]
)
def test_one_odd_report_is_kept_and_no_other_is_lost(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    read = [
        events_of(ODD_REPORTS, explodes(error), source="pigeon", kind="what", person=("for", "to"), came=NOON)
        for _ in range(2)
    ]

    assert [type(event) for event in read[0]] == [Delivered, Unrecognised, Delivered]
    assert read[0] == read[1]
    odd = read[0][1]
    assert isinstance(odd, Unrecognised)
    assert (odd.name, odd.about.recipient, odd.about.at, odd.about.raw) == (
        "landed",
        "bob@example.net",
        NOON,
        ODD_REPORTS[1],
    )
    assert type(error).__name__ in caplog.text
    assert "bob@example.net" not in caplog.text


@pytest.mark.parametrize("where", ["to", "id", "why"])
@pytest.mark.parametrize("value", [{"a": 1}, [1], 5, True, None])
def test_what_is_no_text_never_stands_where_an_event_has_text(where: str, value: object) -> None:
    def read(report: dict[str, Any]) -> Event:
        about = About(delivery_id=None, recipient=report["to"], at=NOON, source="p", key=report["id"], raw=report)
        return Delivered(about, report["why"])

    good = {"to": "ada@example.net", "id": "1", "why": "ok"}
    reports: list[dict[str, Any]] = [good, {**good, "id": "2", where: value}]
    events = events_of(reports, read, source="p", kind="what", person=("to",), came=NOON)

    assert [type(event) for event in events] == [Delivered, Unrecognised]
    assert isinstance(events[1].about.recipient, str)


def test_an_error_that_is_no_odd_report_is_not_hidden() -> None:
    with pytest.raises(MemoryError):
        events_of([{"odd": 1}], explodes(MemoryError()), source="p", kind="what", person=(), came=NOON)


# ---- the endpoint ----------------------------------------------------------------------------------------------------

ENDPOINT = FeedbackEndpoint(Postmark("pm", "hook"), clock=FrozenClock(NOON))
DELIVERY = {"RecordType": "Delivery", "Recipient": "ada@example.net", "Metadata": {"delivery-id": "d1"}}


def test_a_proven_report_is_answered_with_its_event() -> None:
    answer = ENDPOINT.answer(postmark_request(DELIVERY, "pm", "hook"))

    assert (answer.response.status, answer.response.body) == (200, b"")
    assert [type(event) for event in answer.events] == [Delivered]


def test_the_clock_says_when_where_the_door_does_not() -> None:
    request = postmark_request(DELIVERY, "pm", "hook")
    earlier = NOON - timedelta(hours=1)

    assert ENDPOINT.answer(request).events[0].about.at == NOON
    assert ENDPOINT.answer(evolve(request, received_at=earlier)).events[0].about.at == earlier
    assert (came_at(request), came_at(Request(received_at=NOON))) == (UNKNOWN_TIME, NOON)


def test_an_empty_batch_is_fine() -> None:
    assert ENDPOINT.answer(postmark_request([], "pm", "hook")).response.status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "get"])
def test_providers_that_look_whether_the_url_is_there_find_it(method: str) -> None:
    answer = ENDPOINT.answer(Request(method=method))

    assert (answer.response.status, answer.response.body, answer.events) == (200, b"", ())


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", ""])
def test_other_methods_are_told_which_there_are(method: str) -> None:
    answer = ENDPOINT.answer(evolve(postmark_request(DELIVERY, "pm", "hook"), method=method))

    assert (answer.response.status, answer.response.headers) == (405, (("allow", "GET, HEAD, POST"),))
    assert not answer.events


def test_who_is_not_proven_is_asked_for_a_password() -> None:
    answer = ENDPOINT.answer(postmark_request(DELIVERY, "pm", "wrong"))

    assert answer.response.status == 401
    assert answer.response.headers == (("www-authenticate", 'Basic realm="reports", charset="UTF-8"'),)
    assert not answer.events


def test_proof_comes_before_parsing() -> None:
    assert ENDPOINT.answer(postmark_request(b"{", "pm", "wrong")).response.status == 401
    assert ENDPOINT.answer(postmark_request(b"{", "pm", "hook")).response.status == 400


def test_a_body_too_large_is_not_looked_at() -> None:
    small = FeedbackEndpoint(Postmark("pm", "hook"), body_limit=10)

    assert small.answer(postmark_request(b"[" + b" " * 8 + b"]", "pm", "hook")).response.status == 200
    assert small.answer(postmark_request(b"[" + b" " * 9 + b"]", "pm", "hook")).response.status == 413


@pytest.mark.parametrize("limit", [0, -1, "10"])
def test_a_limit_that_takes_nothing_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="body_limit"):
        FeedbackEndpoint(Postmark("pm", "hook"), body_limit=limit)


def test_nothing_secret_and_nobodys_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = FeedbackEndpoint(Postmark("the-user", "the-s3cret"), clock=FrozenClock(NOON))
    for request in (
        postmark_request(DELIVERY, "the-user", "a-gue55"),
        postmark_request(b'{"Recipient": "ada@example.net"', "the-user", "the-s3cret"),
        postmark_request({**DELIVERY, "Details": ["ada@example.net"]}, "the-user", "the-s3cret"),
        postmark_request(b" " * (BODY_LIMIT + 1), "the-user", "the-s3cret"),
        postmark_request(DELIVERY, "the-user", "the-s3cret"),
    ):
        endpoint.answer(request)

    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    assert not any(word in caplog.text for word in ("the-user", "the-s3cret", "a-gue55", "ada@example.net", "Basic "))


def test_a_signature_has_no_challenge() -> None:
    answer = FeedbackEndpoint(PigeonPost(b"key")).answer(Request(method="POST", body=b"[]"))

    assert (answer.response.status, answer.response.headers) == (401, ())


# ---- the contract ----------------------------------------------------------------------------------------------------


@frozen
class PigeonPost:
    """A stranger's adapter, that holds the contract."""

    key: bytes = field(repr=False)
    name: str = "pigeonpost"

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        return marked(headers, (("X-Pigeon-Ring", delivery_id),))

    def read(self, request: Request, /) -> Sequence[Event]:
        require_hmac_sha256(self.key, request.body, request.headers.get("x-pigeon-proof", ""))
        return events_of(json_body(request), self.event, source=self.name, kind="what", person=("to",), came=NOON)

    def event(self, told: dict[str, str]) -> Event:
        about = About(
            delivery_id=DeliveryId(told["ring"]),
            recipient=told["to"],
            at=NOON,
            source=self.name,
            key=told["id"],
            raw=told,
        )
        return Delivered(about) if told["what"] == "landed" else Unrecognised(about, told["what"])


def flown(body: bytes) -> Request:
    return Request(method="POST", headers={"X-Pigeon-Proof": digest(b"key", body)}, body=body, received_at=NOON)


LANDED = [{"ring": "d1", "to": "ada@example.net", "id": str(number), "what": "landed"} for number in range(3)]
SAMPLE = flown(json.dumps(LANDED).encode())


def test_a_good_adapter_holds_the_contract() -> None:
    feedback_contract(PigeonPost(b"key"), [SAMPLE])
    feedback_contract(PigeonPost(b"key"), [SAMPLE], prove=flown)


class Believes(PigeonPost):
    """Believes everybody."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return super().read(flown(request.body))


class BelievesTheEmpty(PigeonPost):
    """Believes whoever sends nothing."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return super().read(request) if request.body else ()


class Parses(PigeonPost):
    """Lets the parser's error out."""

    def read(self, request: Request, /) -> Sequence[Event]:
        require_hmac_sha256(self.key, request.body, request.headers.get("x-pigeon-proof", ""))
        return tuple(self.event(told) for told in json.loads(request.body))


class ParsesFirst(PigeonPost):
    """Parses before it proves."""

    def read(self, request: Request, /) -> Sequence[Event]:
        json.loads(request.body)
        return super().read(request)


class Stumbles(PigeonPost):
    """Loses a batch for one odd report."""

    def read(self, request: Request, /) -> Sequence[Event]:
        events = super().read(request)
        return [event for event in events[:1] if isinstance(event, Unrecognised)] or events


class Explodes(PigeonPost):
    """Lets one odd report stop it."""

    def read(self, request: Request, /) -> Sequence[Event]:
        require_hmac_sha256(self.key, request.body, request.headers.get("x-pigeon-proof", ""))
        return tuple(self.event(told) for told in json_body(request))


class Skips(PigeonPost):
    """Takes the unknown for something it knows."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return [Delivered(event.about) for event in super().read(request)]


class KeepsTheBatch(PigeonPost):
    """Keeps everybody's reports with each event."""

    def read(self, request: Request, /) -> Sequence[Event]:
        whole = {"reports": json_body(request)}
        return [evolve(event, about=evolve(event.about, raw=whole)) for event in super().read(request)]


class KeepsTheNeighbour(PigeonPost):
    """Keeps another's report inside the first."""

    def read(self, request: Request, /) -> Sequence[Event]:
        first, *others = super().read(request)
        raw = {"mine": first.about.raw, "next": [others[0].about.raw]} if others else first.about.raw
        return [evolve(first, about=evolve(first.about, raw=raw)), *others]


class KeepsNothing(PigeonPost):
    """Keeps no report."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return [evolve(event, about=evolve(event.about, raw=None)) for event in super().read(request)]


class OneKey(PigeonPost):
    """Has one key for all."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return [evolve(event, about=evolve(event.about, key="k")) for event in super().read(request)]


class Counts(PigeonPost):
    """Makes a new key at every reading."""

    reads: list[int] = []

    def read(self, request: Request, /) -> Sequence[Event]:
        events = super().read(request)
        self.reads.append(1)
        return [evolve(e, about=evolve(e.about, key=f"{len(self.reads)} {e.about.key}")) for e in events]


class AnotherSource(PigeonPost):
    """Speaks for another."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return [evolve(event, about=evolve(event.about, source="smtp")) for event in super().read(request)]


class SawItItself(PigeonPost):
    """Tells of opens as if we had seen them."""

    def event(self, told: dict[str, str]) -> Event:
        return Opened(super().event(told).about)


class Silent(PigeonPost):
    """Reads nothing."""

    def read(self, request: Request, /) -> Sequence[Event]:
        super().read(request)
        return ()


class TakesAnything(PigeonPost):
    """Takes whatever stands in a field for text."""

    def read(self, request: Request, /) -> Sequence[Event]:
        events = super().read(request)
        people = [report.get("to", "") for report in json_body(request)]
        return [evolve(e, about=evolve(e.about, recipient=who)) for e, who in zip(events, people, strict=True)]


class TripsOver(PigeonPost):
    """Lets one odd field stop it."""

    def read(self, request: Request, /) -> Sequence[Event]:
        return [event for event in super().read(request) if not (event.about.raw or {}).get("to", "").isspace()]


class Marks(PigeonPost):
    """Marks by a rule of one's own."""

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        match self.name:
            case "drops":
                return (("X-Pigeon-Ring", delivery_id),)
            case "forgets":
                return headers
            case "doubles":
                return (*headers, ("X-Pigeon-Ring", delivery_id))
        return (*headers, ("X-Pigeon-Ring", f"{delivery_id}\u00e9")) if len(headers) == 1 else headers


@pytest.mark.parametrize(
    ("adapter", "promise"),
    [
        (Believes(b"key"), "UnverifiedError"),
        (BelievesTheEmpty(b"key"), "is read, and should be UnverifiedError"),
        (Parses(b"key"), "MalformedError"),
        (ParsesFirst(b"key"), "JSONDecodeError, not UnverifiedError"),
        (Stumbles(b"key"), "loses its batch"),
        (Explodes(b"key"), "KeyError, and loses its batch"),
        (Skips(b"key"), "not become Unrecognised"),
        (KeepsTheBatch(b"key"), "that event alone"),
        (KeepsTheNeighbour(b"key"), "that event alone"),
        (KeepsNothing(b"key"), "no raw"),
        (OneKey(b"key"), "same key"),
        (Counts(b"key"), "different keys"),
        (AnotherSource(b"key"), "source"),
        (SawItItself(b"key"), "second_hand=True"),
        (Silent(b"key"), "no event"),
        (TakesAnything(b"key"), r"{'a': 1} as 'to' is ConfigurationError, and loses its batch"),
        (TripsOver(b"key"), "as 'to' is AttributeError, and loses its batch"),
        (Marks(b"key", "drops"), "loses or moves"),
        (Marks(b"key", "forgets"), "does not write"),
        (Marks(b"key", "doubles"), "doubles"),
        (Marks(b"key", "accents"), "ASCII"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PigeonPost) else None,
)
def test_each_broken_promise_is_named(adapter: Feedback, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        feedback_contract(adapter, [SAMPLE], prove=flown)


class ProofInside(PigeonPost):
    """Finds its proof in the body."""

    def read(self, request: Request, /) -> Sequence[Event]:
        proof, _, told = request.body.partition(b" ")
        return super().read(evolve(request, headers={"x-pigeon-proof": proof.decode()}, body=told))


def test_a_proof_in_the_body_needs_no_header() -> None:
    inside = evolve(SAMPLE, headers={}, body=f"{SAMPLE.headers['x-pigeon-proof']} ".encode() + SAMPLE.body)

    feedback_contract(ProofInside(b"key"), [inside], proof_in_body=True)
    with pytest.raises(AssertionError, match="UnverifiedError"):
        feedback_contract(ProofInside(b"key"), [inside])


def test_a_contract_needs_a_sample() -> None:
    with pytest.raises(AssertionError, match="sample"):
        feedback_contract(PigeonPost(b"key"), [])


def test_what_was_read_can_be_kept_and_read_again() -> None:
    body = rb'{"RecordType": "Delivery", "Recipient": "\ud800@example.net", "DeliveredAt": "2026-01-02T12:00:00+01:00"}'
    [event] = ENDPOINT.answer(postmark_request(body, "pm", "hook")).events

    assert read_event(write_event(event)) == event
    write_event(event).encode()


def test_a_zone_other_than_utc_is_kept_right() -> None:
    assert moment("2026-01-02T13:00:00+01:00", otherwise=NOON) == NOON.astimezone(timezone(timedelta(hours=1)))


# ---- what a request holds --------------------------------------------------------------------------------------------


def test_reports_inside_a_form_are_read_as_a_body_is() -> None:
    for text in (b"[]", b'{"a": 1}', b'[{"a": 1}, {"b": [{}]}]', b'[{"a": "\\ud800"}]'):
        assert json_reports(text) == json_body(posted(text))


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("text", ['{"a": %s}', '[{"a": %s}]', '{"b": "[]", "a": %s}', '{"b": [{}], "a": [1, %s]}'])
def test_a_report_alone_has_a_limited_depth(text: str) -> None:
    inside = DEPTH_LIMIT - 1 - ("[1," in text)

    assert len(json_reports((text % nested(inside)).encode())) == 1
    with pytest.raises(MalformedError, match="deeper"):
        json_reports((text % nested(inside + 1)).encode())


def test_a_deep_report_loses_no_other_of_its_batch() -> None:
    deep = {"RecordType": "Bounce", "Type": "HardBounce", "a": json.loads(nested(400))}
    answer = ENDPOINT.answer(postmark_request([DELIVERY, deep, DELIVERY], "pm", "hook"))

    assert [type(event) for event in answer.events] == [Delivered, Bounced, Delivered]
    for event in answer.events:
        assert read_event(write_event(event)) == event


@pytest.mark.parametrize("text", ['[{"a": %s}, {}]', '[{"a": "\\ud800", "b": %s}, {}]'])
@pytest.mark.parametrize("depth", [600, 900, 940, *range(950, 1000), 5_000, 100_000])
def test_what_the_parser_just_takes_is_read_or_refused_and_breaks_nothing(text: str, depth: int) -> None:
    answer = ENDPOINT.answer(postmark_request((text % nested(depth)).encode(), "pm", "hook"))

    assert answer.response.status in (200, 400)
    assert len(answer.events) == (2 if answer.response.status == 200 else 0)


def test_an_adapter_may_find_the_person_of_an_odd_report_itself() -> None:
    def odd(_report: dict[str, Any]) -> Event:
        raise KeyError("x")

    [event] = events_of(
        [{"to": {"email": "ada@example.net"}, "what": "landed"}],
        odd,
        source="pigeonpost",
        kind="what",
        person=lambda report: str(report["to"]["email"]),
        came=NOON,
    )

    assert event == Unrecognised(event.about, "landed")
    assert event.about.recipient == "ada@example.net"


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("ada@example.net", "ada@example.net"),
        ("Ada <ada@example.net>", "ada@example.net"),
        ('"<Ada>" <ada@example.net>', "ada@example.net"),
        ("ada>", "ada>"),
        ("", ""),
        (None, ""),
        (["ada@example.net"], ""),
    ],
)
def test_an_address_is_told_without_the_name_before_it(told: object, address: str) -> None:
    assert bare_address(told) == address


# ---- JSON in headers -------------------------------------------------------------------------------------------------


def test_a_header_that_holds_an_object_is_read() -> None:
    assert json_header("X-Pigeon", ' {"ring": "7"} ') == {"ring": "7"}


@pytest.mark.parametrize("value", ["", "{", "[]", "7", "null", "[" * 100_000])
def test_a_header_that_holds_anything_else_is_a_mail_error(value: str) -> None:
    with pytest.raises(MailError, match="X-Pigeon"):
        json_header("X-Pigeon", value)


@given(st.dictionaries(st.text(max_size=40) | st.text('=? "\\', max_size=20), st.text(max_size=40), max_size=5))
def test_json_for_a_header_survives_folding_at_any_blank(asked: dict[str, str]) -> None:
    value = folding_json("X-Pigeon", asked)

    assert value.isascii()
    assert value.isprintable()
    assert "=?" not in value
    for blank in ("", "  ", "\r\n "):
        assert json.loads(value.replace(" ", blank)) == asked


def test_a_text_that_no_line_could_carry_is_a_mail_error() -> None:
    assert folding_json("X-Pigeon", {"ring": "x" * 800})
    with pytest.raises(MailError, match="X-Pigeon"):
        folding_json("X-Pigeon", {"ring": "x" * 900})


def ringed(headers: Headers) -> Headers:
    return with_json_header(headers, "X-Pigeon", lambda asked: with_id("X-Pigeon", asked, "ring", DeliveryId("d1")))


def test_an_id_goes_into_the_header_that_is_there_and_else_into_a_new_one() -> None:
    assert ringed((("Date", "now"),)) == (("Date", "now"), ("X-Pigeon", '{"ring": "d1"}'))
    there = (("x-pigeon", '{"colour": "grey"}'), ("Date", "now"))
    assert ringed(there) == (("x-pigeon", '{"colour": "grey", "ring": "d1"}'), ("Date", "now"))
    assert ringed(ringed(there)) == ringed(there)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((("X-Pigeon", '{"ring": "d2"}'),), "the header X-Pigeon sets ring to 'd2': leave it out"),
        ((("X-Pigeon", "[]"),), "the header X-Pigeon holds a list: write a JSON object"),
        ((("X-Pigeon", "{}"), ("x-pigeon", "{}")), "there are 2 X-Pigeon headers, and one is read: merge them"),
    ],
)
def test_no_id_goes_into_a_header_that_says_otherwise(headers: Headers, why: str) -> None:
    with pytest.raises(MailError, match=why):
        ringed(headers)


# ---- several accounts and providers ----------------------------------------------------------------------------------

OLD, NEW = Postmark("pm", "old"), Postmark("pm", "new")
OTHERS = FeedbackEndpoint(
    {"/postmark": (OLD, NEW), "/pigeons/mine": PigeonPost(b"key"), "/": Postmark("pm", "root")},
    clock=FrozenClock(NOON),
)


@pytest.mark.parametrize(
    ("path", "password", "status"),
    [
        ("/postmark", "old", 200), ("/postmark", "new", 200), ("/postmark/", "new", 200), ("/postmark", "root", 401),
        ("/", "root", 200), ("", "root", 200), ("/", "old", 401), ("/postmark/x", "old", 404), ("/no", "old", 404),
    ],
)  # fmt: skip
def test_each_path_has_its_accounts(path: str, password: str, status: int) -> None:
    answer = OTHERS.answer(postmark_request(DELIVERY, "pm", password, path=path))

    assert answer.response.status == status
    assert len(answer.events) == (status == 200)


def test_another_provider_stands_beside_them() -> None:
    assert OTHERS.answer(evolve(SAMPLE, path="/pigeons/mine")).events[0].about.source == "pigeonpost"
    assert OTHERS.answer(evolve(SAMPLE, path="/postmark")).response.status == 401


def test_a_path_that_nobody_has_is_not_there_for_those_who_look_either() -> None:
    assert OTHERS.answer(Request(method="HEAD", path="/elsewhere")).response.status == 404
    assert OTHERS.answer(Request(method="HEAD", path="/postmark")).response.status == 200


def test_below_mounts_the_path_is_what_is_left() -> None:
    mounts = Mounts({"/hooks": OTHERS})

    assert mounts.answer(postmark_request(DELIVERY, "pm", "new", path="/hooks/postmark")).response.status == 200


@frozen
class Says:
    """An adapter that refuses everything in its own way."""

    error: Exception
    name: str = "says"

    def mark(self, headers: Headers, _delivery_id: DeliveryId, /) -> Headers:
        return headers

    def read(self, _request: Request, /) -> Sequence[Event]:
        raise self.error


UNPROVEN, ASKING = UnverifiedError("no"), UnverifiedError("no", challenge="Basic x")
MALFORMED, UNCHECKED = MalformedError("what?"), UncheckedError("later")


@pytest.mark.parametrize(
    ("errors", "status", "challenge"),
    [
        ((UNPROVEN,), 401, None), ((UNPROVEN, ASKING), 401, "Basic x"), ((UNPROVEN, MALFORMED), 400, None),
        ((MALFORMED, UNPROVEN), 400, None), ((UNPROVEN, UNCHECKED), 503, None), ((UNCHECKED, MALFORMED), 503, None),
        ((WebhookError("odd"),), 400, None), ((RecursionError(),), 400, None),
    ],
)  # fmt: skip
def test_what_several_accounts_say_is_one_answer(
    errors: tuple[Exception, ...], status: int, challenge: str | None
) -> None:
    answer = FeedbackEndpoint(tuple(map(Says, errors))).answer(Request(method="POST"))

    assert answer.response.status == status
    assert dict(answer.response.headers).get("www-authenticate") == challenge


@pytest.mark.parametrize(
    "given",
    [
        {}, (), {"/a": ()}, {"a": OLD}, {"/a/": OLD}, {7: OLD}, {"": OLD}, None, "postmark", (OLD, "x"), Postmark,
        {"/a": None},
    ],
)  # fmt: skip
def test_an_endpoint_without_an_adapter_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError):
        FeedbackEndpoint(given)


# ---- why a request was refused ---------------------------------------------------------------------------------------


def inspected(request: Request, endpoint: FeedbackEndpoint = OTHERS) -> str:
    return str(endpoint.inspect(request))


def test_an_inspection_says_what_differs_and_holds_no_secret() -> None:
    endpoint = FeedbackEndpoint((Postmark("pm", ("the-n3w", "the-0ld")), Postmark("other", "s3cret")))
    request = postmark_request(DELIVERY, "pm", "a-gue55", received_at=NOON)
    told = inspected(evolve(request, headers={**request.headers, "x-secret": "v4lue", "cookie": "c00kie"}), endpoint)

    right, other = (f"  postmark (account {place}): not proven: the request's Authorization header" for place in (1, 2))
    assert told.splitlines()[:3] == [
        "answered 401",
        f"{right} carries the right user name and none of the 2 passwords",
        f"{other} carries another user name",
    ]
    assert "POST '/hooks/postmark'" in told
    assert "came at 2026-01-02 12:00:00 UTC" in told
    assert "header authorization: Basic, 22 characters" in told
    assert "header content-type: 'application/json'" in told
    assert "header x-secret: 5 characters" in told
    for secret in ("the-n3w", "the-0ld", "s3cret", "a-gue55", "v4lue", "c00kie", "cG06", "ada@"):
        assert secret not in told


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (None, "carries no Authorization header"),
        ("Bearer abc", "of another scheme than Basic"),
        ("Basic", "holds no user name and password"),
        ("Basic !!", "holds no user name and password"),
        ("Basic cG06eA==", "the right user name and another password"),
        ("Basic eDpvbGQ=", "carries another user name"),
    ],
)
def test_basic_auth_is_explained(authorization: str | None, why: str) -> None:
    headers = {} if authorization is None else {"authorization": authorization}

    assert why in inspected(Request(method="POST", headers=headers), FeedbackEndpoint(Postmark("pm", "old")))


def test_a_signature_is_explained_with_its_age() -> None:
    signer = SendGridSigner()
    endpoint = FeedbackEndpoint(SendGrid((signer.verification_key, SendGridSigner(8).verification_key)))
    other, late = SendGridSigner(7).request([], at=NOON), NOON + timedelta(hours=30)
    stamped = "x-twilio-email-event-webhook-timestamp"

    told = inspected(evolve(other, received_at=late), endpoint)
    assert "does not fit the body under any of the 2 keys" in told
    assert f"header {stamped}: 10 characters, 108000 seconds before it came" in told
    assert "1 day, 6:00:00 before it came" in inspected(signer.request([], at=NOON, received_at=late), endpoint)
    missing = evolve(other, headers={name: told for name, told in other.headers.items() if name != stamped})
    assert f"no header {stamped}" in inspected(missing, endpoint)
    odd = inspected(evolve(other, headers={**other.headers, stamped: "soon"}), endpoint)
    assert "4 characters, which are no seconds since 1970" in odd
    assert "5 seconds after it came" in inspected(evolve(other, received_at=NOON - timedelta(seconds=5)), endpoint)


def test_a_signed_url_is_explained_without_what_is_secret_in_it() -> None:
    endpoint = FeedbackEndpoint(Mandrill("https://u:p4ss@hooks.shop.example/m?t=t0ken", "k3y"))
    told = inspected(mandrill_request([], "https://hooks.shop.example/m", "k3y"), endpoint)

    assert "https://hooks.shop.example/m?..." in told
    assert not any(secret in told for secret in ("p4ss", "t0ken", "k3y"))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (Request(path="/postmark"), ("answered 200", "GET and HEAD")),
        (Request(method="PUT", path="/postmark"), ("answered 405", "by POST")),
        (Request(method="POST", path="/x"), ("answered 404", "there are /postmark, /pigeons/mine, /")),
        (evolve(SAMPLE, path="/pigeons/mine"), ("answered 200", "events: 3 Delivered")),
        (evolve(flown(b"[]"), path="/pigeons/mine"), ("answered 200", "pigeonpost: no event")),
        (evolve(flown(b"[{"), path="/pigeons/mine"), ("answered 400", "not understood: the body is not JSON")),
        (
            postmark_request(DELIVERY, "pm", "new", path="/postmark"),
            ("answered 200", "postmark: events: 1 Delivered", "postmark (account 1): not proven"),
        ),
        (
            Request(method="P\nUT", path="/\n", headers={"a\nb": "", **{f"x{n}": "1" for n in range(60)}}),
            ("11 headers more", "header a\\nb: empty", "P\\nUT '/\\n'"),
        ),
    ],
)  # fmt: skip
def test_every_answer_is_explained(request_: Request, told: tuple[str, ...]) -> None:
    explained = inspected(request_)

    assert [part for part in told if part not in explained] == []
    assert len(explained.splitlines()) <= 60


def test_a_body_that_is_too_large_is_explained() -> None:
    endpoint = FeedbackEndpoint(OLD, body_limit=1)

    assert "larger than 1 bytes" in inspected(Request(method="POST", body=b"{}"), endpoint)


def test_inspections_go_to_the_log_and_never_to_whoever_asked(caplog: pytest.LogCaptureFixture) -> None:
    answer = FeedbackEndpoint(OLD, inspects=True).answer(postmark_request(DELIVERY, "pm", "a-gue55"))

    assert (answer.response.status, answer.response.body) == (401, b"")
    assert "the right user name and another password" in caplog.text
    assert "header authorization: Basic" in caplog.text
    assert "a-gue55" not in caplog.text


# ---- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["Bearer new", "bearer  old "])
def test_a_bearer_token_passes_beside_another(told: str) -> None:
    require_bearer(Request(headers={"authorization": told}), "new", "old")


@pytest.mark.parametrize(
    ("told", "why"), [("", "no Authorization header"), ("Basic new", "no Auth"), ("Bearer x", "another Bearer")]
)
def test_another_token_is_not_proven(told: str, why: str) -> None:
    with pytest.raises(UnverifiedError, match=why) as caught:
        require_bearer(Request(headers={"authorization": told}), "new", "old")

    assert caught.value.challenge == 'Bearer realm="reports"'


def test_an_empty_token_is_no_token() -> None:
    with pytest.raises(ConfigurationError):
        require_bearer(Request(headers={"authorization": "Bearer "}), "")


@frozen
class Believes24Hours:
    """What an adapter may hold."""

    max_age: Any = field(validator=an_age)


@pytest.mark.parametrize("span", [timedelta(0), timedelta(-1), 300, None])
def test_an_age_that_believes_nothing_is_refused(span: Any) -> None:
    assert Believes24Hours(timedelta(hours=24)).max_age == timedelta(days=1)
    with pytest.raises(ConfigurationError, match="max_age"):
        Believes24Hours(span)


# ---- through the doors -----------------------------------------------------------------------------------------------


@define
class Watched(MemoryJournal):
    """A journal that can be full, and that knows what was sent when it was written to."""

    sent: list[Any]
    full: bool = False
    seen: list[tuple[str, int]] = field(factory=list)

    def record(self, event: Event, /) -> bool:
        self.seen.append((event.about.key, len(self.sent)))
        if self.full and len(self.seen) > 1:
            raise ArchiveError("the disk is full")
        return True


def by_wsgi(journal: Watched, request: Request) -> str:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": request.path,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": BytesIO(request.body),
        "HTTP_X_PIGEON_PROOF": request.headers["x-pigeon-proof"],
    }

    def start_response(status: str, *_: Any) -> Any:
        journal.sent.append(status)

    b"".join(wsgi(FeedbackEndpoint(PigeonPost(b"key")), journal)(environ, start_response))
    return str(journal.sent[0])[:3]


def by_asgi(journal: Watched, request: Request) -> str:
    scope = {
        "type": "http",
        "method": "POST",
        "path": request.path,
        "query_string": b"",
        "headers": [(b"x-pigeon-proof", request.headers["x-pigeon-proof"].encode())],
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        journal.sent.append(message)

    asyncio.run(asgi(FeedbackEndpoint(PigeonPost(b"key")), journal)(scope, receive, send))  # type: ignore[arg-type]  # an Awaitable that is a coroutine
    return str(journal.sent[0]["status"])


@pytest.mark.parametrize("door", [by_wsgi, by_asgi])
def test_reports_are_answered_200_once_the_journal_has_them_all(door: Callable[[Watched, Request], str]) -> None:
    journal = Watched([])

    assert door(journal, SAMPLE) == "200"
    assert journal.seen == [("0", 0), ("1", 0), ("2", 0)]


@pytest.mark.parametrize("door", [by_wsgi, by_asgi])
def test_reports_that_the_journal_cannot_keep_are_asked_for_again(door: Callable[[Watched, Request], str]) -> None:
    assert door(Watched([], full=True), SAMPLE) == "503"
