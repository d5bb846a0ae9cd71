"""The forms of webhooks out: what they tell, and that they are rightly signed."""

import base64
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from attrs import evolve, fields
from hypothesis import given

from custom_smtp.errors import ConfigurationError, MalformedError, Retry, Step, UnverifiedError
from custom_smtp.events import (
    About,
    Accepted,
    Attempted,
    AutoReplied,
    Bounced,
    BounceKind,
    Cause,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Refused,
    Resubscribed,
    Uncertain,
    Unrecognised,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.posts import Post
from custom_smtp.replies import Reply
from custom_smtp.testing.receivers import CustomerIoReceiver, RecordingPosts, StandardReceiver
from custom_smtp.webhooks_out import METRIC_OF, TEXT_LIMIT, TYPE_OF, CustomerIoWebhook, StandardWebhook

from .strategies import events

NOW = datetime(2026, 1, 2, 5, 0, 0, 999_999, tzinfo=UTC)
HAPPENED = datetime(2021, 2, 11, 17, 4, 49, 250_000, tzinfo=UTC)
OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_" + base64.b64encode(bytes(range(32))).decode()

ABOUT = About(
    delivery_id=DeliveryId("d1"), recipient="ada@example.net", at=HAPPENED, source="postmark", key="k1", raw={"x": 1}
)
STANDARD = StandardWebhook(name="crm", url="https://crm.example/hooks?t=1", secrets=NEW)
CUSTOMER_IO = CustomerIoWebhook(name="crm", url="https://crm.example/hooks", signing_key="a signing key")
BOUNCE = Bounced(ABOUT, BounceKind.HARD, "no such user", "5.1.1", cause=Cause.NO_SUCH_USER)


def told(event: Event, **parts: Any) -> dict[str, Any]:
    post = evolve(CUSTOMER_IO, **parts).post(event, NOW)
    return CustomerIoReceiver("a signing key").read(post, NOW)


# ---- Standard Webhooks -----------------------------------------------------------------------------------------------


def test_every_event_has_its_type() -> None:
    assert set(TYPE_OF) == set(get_args(Event))
    assert len(set(TYPE_OF.values())) == len(TYPE_OF)
    assert all(re.fullmatch(r"email\.[a-z_]+", name) for name in TYPE_OF.values())


def test_an_event_is_told_whole_but_for_its_raw() -> None:
    post = STANDARD.post(BOUNCE, NOW)

    assert post.url == STANDARD.url
    assert StandardReceiver(NEW).read(post, NOW) == {
        "type": "email.bounced",
        "timestamp": "2021-02-11T17:04:49.250000Z",
        "data": {
            "delivery_id": "d1",
            "recipient": "ada@example.net",
            "source": "postmark",
            "key": "k1",
            "kind": "hard",
            "reason": "no such user",
            "status": "5.1.1",
            "cause": "no_such_user",
        },
    }


def test_a_reply_and_a_step_are_told() -> None:
    data = json.loads(STANDARD.post(Refused(ABOUT, Reply(550, "5.1.1 no"), Step.RCPT), NOW).body)["data"]
    assert (data["reply"]["code"], data["reply"]["text"], data["at_step"]) == (550, "5.1.1 no", "rcpt")


def test_a_signature_is_the_one_of_the_specifications_own_test() -> None:
    """The vector of standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py."""
    post = Post(
        url="https://crm.example/",
        headers=(
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ),
        body=b'{"test": 2432232314}',
    )
    assert StandardReceiver(OLD).read(post, datetime.fromtimestamp(1614265330, UTC)) == {"test": 2432232314}


def test_the_moment_of_the_try_is_signed_and_the_id_stays() -> None:
    first, second = (dict(STANDARD.post(BOUNCE, NOW + timedelta(hours=n)).headers) for n in (0, 1))

    assert first["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600
    assert first["webhook-id"] == second["webhook-id"]
    assert "." not in first["webhook-id"]


def test_two_events_have_two_ids() -> None:
    others = [evolve(ABOUT, key="k2"), evolve(ABOUT, source="postmar", key="kk1")]
    posts = [STANDARD.post(evolve(BOUNCE, about=about), NOW) for about in (ABOUT, *others)]
    assert len({dict(post.headers)["webhook-id"] for post in posts}) == 3


def test_old_and_new_secret_sign_at_once() -> None:
    post = evolve(STANDARD, secrets=(NEW, OLD)).post(BOUNCE, NOW)

    for secret in (OLD, NEW):
        assert StandardReceiver(secret).read(post, NOW)["type"] == "email.bounced"
    with pytest.raises(UnverifiedError):
        StandardReceiver("whsec_" + base64.b64encode(bytes(24)).decode()).read(post, NOW)


@pytest.mark.parametrize("secrets", [
    (), "", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "a password", ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ""),
    None, 5, b"x", ("whsec_" + base64.b64encode(bytes(65)).decode(),), (None,),
])  # fmt: skip
def test_a_secret_that_is_none_is_refused(secrets: Any) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        StandardWebhook(name="crm", url="https://crm.example/", secrets=secrets)


def test_no_secret_is_printed() -> None:
    assert "whsec" not in repr(STANDARD)
    assert "signing key" not in repr(CUSTOMER_IO)


def test_long_words_are_cut_and_links_are_not() -> None:
    bounce = json.loads(STANDARD.post(evolve(BOUNCE, reason="x" * 100_000), NOW).body)["data"]
    click = json.loads(STANDARD.post(Clicked(ABOUT, "https://shop.example/" + "x" * 100_000), NOW).body)["data"]

    assert bounce["reason"] == "x" * TEXT_LIMIT
    assert len(click["url"]) > 100_000


def test_a_destination_is_told_of_the_kinds_it_wants() -> None:
    some = evolve(STANDARD, kinds=[Bounced, Complained])

    assert some.wants(BOUNCE)
    assert not some.wants(Delivered(ABOUT))
    assert STANDARD.wants(Unrecognised(ABOUT, "x"))
    with pytest.raises(ConfigurationError, match="no kind of event"):
        evolve(STANDARD, kinds=[str])  # type: ignore[list-item]  # wrong on purpose


@pytest.mark.parametrize("form", [STANDARD, CUSTOMER_IO])
def test_a_line_in_clear_is_asked_for_by_name(form: StandardWebhook | CustomerIoWebhook) -> None:
    with pytest.raises(ConfigurationError, match="in clear"):
        evolve(form, url="http://crm.example/")
    assert evolve(form, url="http://127.0.0.1:8000/", in_clear=True).url
    for wrong in ("", "crm.example", "https://user:word@crm.example/"):
        with pytest.raises(ConfigurationError, match="https://"):
            evolve(form, url=wrong)
    no_names: tuple[Any, ...] = ("", " ", None)
    for wrong in no_names:
        with pytest.raises(ConfigurationError, match="names no destination"):
            evolve(form, name=wrong)


# ---- Customer.io -----------------------------------------------------------------------------------------------------

PERSON = {"customer_id": "", "identifiers": {"id": None, "email": "ada@example.net"}}
MAIL = {**PERSON, "delivery_id": "d1", "recipient": "ada@example.net", "subject": ""}


@pytest.mark.parametrize(
    ("event", "kind", "metric", "data"),
    [
        (Attempted(ABOUT, "no route"), "email", "attempted", {**MAIL, "failure_message": "no route"}),
        (Attempted(ABOUT, "stripped", Retry.NEVER), "email", "failed", {**MAIL, "failure_message": "stripped"}),
        (Accepted(ABOUT, Reply(250, "queued")), "email", "sent", MAIL),
        (Refused(ABOUT, Reply(451, "4.3.0 later"), Step.MAIL), "email", "attempted",
         {**MAIL, "failure_message": "451 4.3.0 later"}),
        (Refused(ABOUT, Reply(550, "5.1.1 no"), Step.RCPT), "email", "failed",
         {**MAIL, "failure_message": "550 5.1.1 no"}),
        (Delivered(ABOUT, "250 ok"), "email", "delivered", MAIL),
        (BOUNCE, "email", "bounced", {**MAIL, "failure_message": "no such user"}),
        (Dropped(ABOUT, "bounced before"), "email", "dropped", {**MAIL, "failure_message": "bounced before"}),
        (Opened(ABOUT, proxied=True), "email", "opened",
         {**MAIL, "proxied": True, "prefetched": False, "synthetic": False}),
        (Clicked(ABOUT, "https://shop.example/?a=1", link="7", machine=True), "email", "clicked",
         {**MAIL, "href": "https://shop.example/?a=1", "link_id": 7, "machine": True}),
        (Complained(ABOUT), "email", "spammed", MAIL),
        (Unsubscribed(ABOUT, scope="news"), "email", "unsubscribed", MAIL),
        (Unsubscribed(evolve(ABOUT, delivery_id=None)), "customer", "unsubscribed",
         {**PERSON, "email_address": "ada@example.net"}),
        (Resubscribed(ABOUT), "customer", "subscribed", {**PERSON, "email_address": "ada@example.net"}),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_each_event_is_told_as_customer_io_tells_it(event: Event, kind: str, metric: str, data: dict[str, Any]) -> None:
    assert CUSTOMER_IO.wants(event)
    said = told(event)
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", said.pop("event_id"))
    assert said == {"object_type": kind, "metric": metric, "timestamp": 1613063089, "data": data}


def test_of_what_it_has_no_metric_for_nothing_is_told() -> None:
    silent: list[Event] = [
        Uncertain(ABOUT, "broke"), Deferred(ABOUT), AutoReplied(ABOUT), Unrecognised(ABOUT, "x"),
        Resubscribed(ABOUT, scope="news"),
    ]  # fmt: skip
    assert [event for event in silent if CUSTOMER_IO.wants(event)] == []
    assert set(METRIC_OF) == set(get_args(Event)) - {type(event) for event in silent[:4]}
    assert not evolve(CUSTOMER_IO, kinds=[Bounced]).wants(Complained(ABOUT))


def test_its_signature_is_made_as_its_page_says() -> None:
    """As ``openssl dgst -sha256 -hmac "a signing key"`` makes it, of ``v0:1767330000:`` and the body."""
    post = CUSTOMER_IO.post(BOUNCE, NOW)
    headers = dict(post.headers)

    assert headers["x-cio-timestamp"] == "1767330000"
    assert headers["x-cio-signature"] == "8a08ffa6559067fabf99e6b6f3c5fe49f453f35276e37076e9811dbb40791f0a"
    with pytest.raises(UnverifiedError):
        CustomerIoReceiver("another key").read(post, NOW)


def test_an_event_id_stays_and_sorts_by_time() -> None:
    later = evolve(BOUNCE, about=evolve(ABOUT, at=HAPPENED + timedelta(milliseconds=1), key="k2"))
    ids = [told(event)["event_id"] for event in (BOUNCE, BOUNCE, later)]

    assert ids[0] == ids[1] < ids[2]
    milliseconds = 0
    for letter in ids[0][:10]:
        milliseconds = milliseconds * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    assert milliseconds == 1613063089250


def test_links_without_a_number_get_one_that_stays() -> None:
    one, other = (told(Clicked(ABOUT, url))["data"]["link_id"] for url in ("https://a.example/", "https://b.example/"))
    named = [
        told(Clicked(ABOUT, url, link="cta"))["data"]["link_id"] for url in ("https://a.example/", "https://b.example/")
    ]

    assert one != other
    assert named[0] == named[1]
    assert all(isinstance(number, int) and 0 <= number < 2**31 for number in (one, other, *named))
    assert told(Clicked(ABOUT, "u", link="9" * 30))["data"]["link_id"] < 2**31


def test_what_an_application_knows_comes_on_top() -> None:
    def facts(event: Event) -> dict[str, Any]:
        return {"customer_id": "42", "identifiers": {"id": "42", "email": event.about.recipient}, "campaign_id": 5}

    data = told(BOUNCE, facts=facts)["data"]
    assert (data["customer_id"], data["identifiers"]["id"], data["campaign_id"], data["delivery_id"]) == (
        "42",
        "42",
        5,
        "d1",
    )


@pytest.mark.parametrize("key", ["", "  ", None, b"x"])
def test_an_empty_signing_key_is_refused(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="signing key"):
        evolve(CUSTOMER_IO, signing_key=key)


# ---- any event, and the receivers ------------------------------------------------------------------------------------


@given(events)
def test_any_event_can_be_told_and_is_believed(event: Event) -> None:
    said = StandardReceiver((OLD, NEW)).read(STANDARD.post(event, NOW), NOW)
    assert set(said["data"]) == {"delivery_id", "recipient", "source", "key"} | {
        one.name for one in fields(type(event)) if one.name != "about"
    }
    json.dumps(said).encode()
    if CUSTOMER_IO.wants(event):
        assert told(event)["object_type"] in ("email", "customer")


@pytest.mark.parametrize("form", [STANDARD, CUSTOMER_IO])
def test_a_receiver_believes_nothing_that_was_altered(form: StandardWebhook | CustomerIoWebhook) -> None:
    receiver = StandardReceiver(NEW) if form is STANDARD else CustomerIoReceiver("a signing key")
    post = form.post(BOUNCE, NOW)
    altered = [evolve(post, body=post.body + b" "), evolve(post, headers=())]
    altered += [
        evolve(post, headers=tuple((name, value + "1" if name == header else value) for name, value in post.headers))
        for header, _ in post.headers
        if header != "content-type"
    ]
    for one in altered:
        with pytest.raises(UnverifiedError):
            receiver.read(one, NOW)
    for late in (timedelta(minutes=6), -timedelta(minutes=6)):
        with pytest.raises(UnverifiedError, match="before or after"):
            receiver.read(post, NOW + late)
    assert receiver.read(post, NOW + timedelta(minutes=4))


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff"])
def test_a_receiver_wants_an_object(body: bytes) -> None:
    stamp = str(int(NOW.timestamp()))
    key = base64.b64decode(NEW.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"m.{stamp}.".encode() + body, "sha256")).decode()
    headers = (("webhook-id", "m"), ("webhook-timestamp", stamp), ("webhook-signature", f"v1,{signature}"))
    with pytest.raises(MalformedError):
        StandardReceiver(NEW).read(Post(url="https://crm.example/", headers=headers, body=body), NOW)


def test_a_stand_in_remembers_what_was_posted() -> None:
    posts = RecordingPosts(lambda _post: 503)
    assert posts.post(STANDARD.post(BOUNCE, NOW)).status == 503
    assert [body["type"] for body in posts.bodies()] == ["email.bounced"]
