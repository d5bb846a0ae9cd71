"""Amazon SES: marks, proof, and what each of its reports becomes."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Credentials, Tls
from custom_smtp.errors import ConfigurationError, MailError, MalformedError, UncheckedError, UnverifiedError
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
from custom_smtp.providers import ses
from custom_smtp.providers.ses import BOUNCES, DELAYS, PARTS, PINGS, SUPPRESSED, Ses, subscribe_url
from custom_smtp.replies import Reply
from custom_smtp.testing import FrozenClock
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, SesSigner
from custom_smtp.web import Request
from custom_smtp.webhooks import FeedbackEndpoint

SAMPLES = Path(__file__).parent / "ses"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
SNS = SesSigner(NOON)
SES = Ses(TOPIC, SNS.certificate)


def posted(payload: Payload) -> Request:
    return SNS.request(payload, at=NOON)


def sample(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


def read(kind: str, part: object, **mail: object) -> Event:
    told = {
        "eventType": kind,
        PARTS[kind]: part,
        "mail": {"messageId": "0102-1", "destination": ["ada@example.net"]} | mail,
    }
    [event] = SES.read(posted(told))
    return event


def bounce(kind: str, subtype: str, **person: object) -> Event:
    return read(
        "Bounce",
        {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [{"emailAddress": "ada@example.net", **person}],
        },
    )


def told_of(request: Request) -> bytes:
    told: bytes = json.loads(request.body)["Message"].encode()
    return told


def in_one_message(told: bytes) -> Request:
    """As one message each time, whatever it says: its id belongs to the events' keys."""
    request = posted(told)
    if request.body == told:
        return request
    post = SNS.message("Notification", told.decode(), at=NOON, MessageId="0f3c")
    return evolve(request, body=json.dumps(post).encode())


def test_it_holds_the_contract() -> None:
    samples = [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))]
    feedback_contract(SES, samples, prove=in_one_message, reports=told_of)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("send", Accepted), ("delivery", Delivered), ("delivery-delay", Deferred), ("bounce", Bounced),
        ("complaint", Complained), ("reject", Dropped), ("rendering-failure", Dropped), ("open", Opened),
        ("click", Clicked), ("subscription", Unsubscribed), ("notification-complaint", Complained),
        ("notification-delivery", Delivered),
    ],
)  # fmt: skip
def test_each_report_becomes_its_event(name: str, kind: type) -> None:
    [event] = SES.read(posted(sample(name)))

    assert type(event) is kind
    assert event.about.recipient == "ada@example.net"
    assert event.about.delivery_id == (None if name == "notification-complaint" else "d1")
    assert event.about.raw == sample(name)


def test_every_kind_of_the_documentation_is_read() -> None:
    events = [SES.read(posted({"eventType": kind}))[0] for kind in PARTS]

    assert len(PARTS) == 10
    # A subscription that says nothing.
    assert [event.name for event in events if isinstance(event, Unrecognised)] == ["Subscription"]
    assert [event.url for event in events if isinstance(event, Clicked)] == [""]


def test_a_mail_that_came_in_is_unrecognised() -> None:
    [event] = SES.read(posted({"notificationType": "Received", "mail": {}, "receipt": {}}))

    assert event == Unrecognised(event.about, "Received")


def test_what_is_told_of_each_kind_is_kept() -> None:
    accepted = read("Send", {})
    delivered = read("Delivery", {"recipients": ["ada@example.net"], "smtpResponse": "250 2.6.0 taken"})
    dropped = read("Rendering Failure", {"errorMessage": "no name", "templateName": "welcome"})
    opened = read("Open", {"ipAddress": "192.0.2.1", "userAgent": "Reader/1.0"})
    clicked = read("Click", {"ipAddress": "192.0.2.1", "userAgent": "Reader/1.0", "link": "https://shop.example/"})

    assert accepted == Accepted(accepted.about, Reply(250, "Send"))
    assert delivered == Delivered(delivered.about, "250 2.6.0 taken")
    assert dropped == Dropped(dropped.about, "no name", DropKind.FAILED)
    assert opened == Opened(opened.about, user_agent="Reader/1.0", client="192.0.2.1", second_hand=True)
    assert clicked == Clicked(
        clicked.about, "https://shop.example/", user_agent="Reader/1.0", client="192.0.2.1", second_hand=True
    )


# ---- bounces ---------------------------------------------------------------------------------------------------------


def test_every_bounce_of_the_documentation_is_decided() -> None:
    assert {subtype for _, subtype in BOUNCES} | set(SUPPRESSED) == {
        "Undetermined", "General", "NoEmail", "Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList",
        "EmailValidationSuppressed", "UnsubscribedRecipient", "MailboxFull", "MessageTooLarge", "ContentRejected",
        "AttachmentRejected", "CustomTimeoutExceeded",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "subtype", "verdict", "cause"),
    [
        ("Undetermined", "Undetermined", "UNDETERMINED", Cause.UNKNOWN),
        ("Permanent", "General", "HARD", Cause.UNKNOWN),
        ("Permanent", "NoEmail", "HARD", Cause.NO_SUCH_USER),
        ("Transient", "General", "SOFT", Cause.UNKNOWN),
        ("Transient", "MailboxFull", "SOFT", Cause.MAILBOX_FULL),
        ("Transient", "MessageTooLarge", "SOFT", Cause.TOO_LARGE),
        ("Transient", "ContentRejected", "BLOCK", Cause.CONTENT),
        ("Transient", "AttachmentRejected", "BLOCK", Cause.CONTENT),
        ("Transient", "CustomTimeoutExceeded", "SOFT", Cause.EXPIRED),
        ("Permanent", "of tomorrow", "HARD", Cause.UNKNOWN),
        ("Transient", "of tomorrow", "SOFT", Cause.UNKNOWN),
        ("of tomorrow", "General", "UNDETERMINED", Cause.UNKNOWN),
    ],
)
def test_hard_soft_and_block_are_told_apart(kind: str, subtype: str, verdict: str, cause: Cause) -> None:
    event = bounce(kind, subtype)

    assert event == Bounced(event.about, BounceKind[verdict], f"{kind} {subtype}", cause=cause)


def test_a_bounce_keeps_the_servers_words_and_status() -> None:
    event = bounce("Permanent", "NoEmail", status="5.1.1", diagnosticCode="smtp; 550 no such user")

    assert event == Bounced(event.about, BounceKind.HARD, "smtp; 550 no such user", "5.1.1", cause=Cause.NO_SUCH_USER)


def test_a_domain_without_a_way_to_it_is_no_passing_matter() -> None:
    event = bounce("Transient", "General", status="5.4.4", diagnosticCode="smtp; 550 5.4.4 invalid domain")

    assert isinstance(event, Bounced)
    assert (event.kind, event.cause) == (BounceKind.HARD, Cause.NO_SUCH_DOMAIN)


@pytest.mark.parametrize("subtype", SUPPRESSED)
def test_what_ses_did_not_try_is_no_bounce_and_no_complaint(subtype: str) -> None:
    bounced = bounce("Permanent", subtype, diagnosticCode="Amazon SES did not send the message")
    complained = read(
        "Complaint", {"complainedRecipients": [{"emailAddress": "ada@example.net"}], "complaintSubType": subtype}
    )

    assert bounced == Dropped(bounced.about, "Amazon SES did not send the message", DropKind.SUPPRESSED)
    assert complained == Dropped(complained.about, subtype, DropKind.SUPPRESSED)


def test_a_bounce_about_several_people_is_one_event_for_each() -> None:
    events = SES.read(posted(sample("notification-bounce")))

    assert [event.about.recipient for event in events] == ["ada@example.net", "bob@example.net"]
    assert [type(event) for event in events] == [Bounced, Bounced]
    assert len({event.about.key for event in events}) == 2
    assert all("bob" not in str(event.about.raw["bounce"]) for event in events[:1] if event.about.raw)


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_a_report_that_nobody_complains_by_is_no_complaint(kind: str) -> None:
    people = [{"emailAddress": "ada@example.net"}]
    event = read("Complaint", {"complainedRecipients": people, "complaintFeedbackType": kind})

    assert event == Unrecognised(event.about, kind)


@pytest.mark.parametrize(("kind", "cause"), [*DELAYS.items(), ("of tomorrow", Cause.UNKNOWN)])
def test_a_delay_says_why(kind: str, cause: Cause) -> None:
    people = [{"emailAddress": "ada@example.net", "status": "4.4.1", "diagnosticCode": "smtp; 421 later"}]
    told, untold = (
        read("DeliveryDelay", {"delayType": kind, "delayedRecipients": people}),
        read("DeliveryDelay", {"delayType": kind}),
    )

    by_status = Cause.NETWORK if cause is Cause.UNKNOWN else cause
    assert told == Deferred(told.about, "smtp; 421 later", "4.4.1", by_status)
    assert untold == Deferred(untold.about, kind, cause=cause)


# ---- subscriptions of people -----------------------------------------------------------------------------------------


def preferences(everything: bool, **topics: str) -> dict[str, Any]:
    statuses = [{"topicName": name, "subscriptionStatus": status} for name, status in topics.items()]
    return {"unsubscribeAll": everything, "topicSubscriptionStatus": statuses}


def subscription(old: dict[str, Any] | None, new: dict[str, Any]) -> list[Event]:
    part = {"source": "UnsubscribeHeader", "contactList": "readers", "newTopicPreferences": new}
    told = {"eventType": "Subscription", "mail": {"destination": ["ada@example.net"]}, "subscription": part}
    return list(SES.read(posted({**told, "subscription": {**part, "oldTopicPreferences": old}})))


def test_whoever_wants_nothing_more_is_unsubscribed_from_all() -> None:
    [event] = subscription(preferences(False, news="OptIn"), preferences(True, news="OptIn"))

    assert event == Unsubscribed(event.about, "UnsubscribeHeader")


def test_each_topic_that_changed_is_an_event_of_its_own() -> None:
    old, new = (
        preferences(False, a="OptIn", b="OptOut", c="OptIn"),
        preferences(False, a="OptOut", b="OptIn", c="OptIn"),
    )
    out, back = subscription(old, new)

    assert out == Unsubscribed(out.about, "UnsubscribeHeader", scope="a")
    assert back == Resubscribed(back.about, scope="b")
    assert out.about.key != back.about.key


def test_a_lifted_unsubscription_from_all_is_told() -> None:
    [event] = subscription(preferences(True, a="OptIn"), preferences(False, a="OptIn"))

    assert event == Resubscribed(event.about)


@pytest.mark.parametrize("old", [preferences(False), None])
def test_a_subscription_that_changes_nothing_is_unrecognised(old: dict[str, Any] | None) -> None:
    [event] = subscription(old, preferences(False))

    assert event == Unrecognised(event.about, "Subscription")


# ---- which mail, which person, when ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        ({"tags": {"delivery_id": ["d1"]}}, "d1"),
        ({"tags": {"delivery_id": "d1"}}, None),
        ({"tags": {"delivery_id": []}, "headers": [{"name": "X-DELIVERY-id", "value": "d1"}]}, "d1"),
        ({"headers": [5, {"name": "X-Delivery-ID", "value": "d1"}, {"name": "X-Delivery-ID", "value": "d2"}]}, "d1"),
        ({"headers": [{"name": "Message-ID", "value": "<d1@example.com>"}]}, "d1"),
        ({"commonHeaders": {"messageId": "<d1@example.com>"}}, "d1"),
        ({"commonHeaders": {"messageId": "0102-1"}, "messageId": "0102-1"}, None),
        ({"commonHeaders": 5, "headers": 5, "tags": 5}, None),
        ({}, None),
    ],
)
def test_our_id_is_found(mail: dict[str, Any], expected: str | None) -> None:
    assert read("Send", {}, **mail).about.delivery_id == expected


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (["ada@example.net"], "ada@example.net"),
        (['"Ada" <ada@example.net>'], "ada@example.net"),
        ([">"], ">"),
        (["ada@example.net", "bob@example.net"], ""),
        ([], ""),
        ([5], ""),
        ("ada@example.net", ""),
    ],
)
def test_nobody_is_named_where_several_may_have_opened(destination: object, expected: str) -> None:
    assert read("Open", {}, destination=destination).about.recipient == expected


@pytest.mark.parametrize(
    ("part", "mail", "expected"),
    [
        ({"timestamp": "2026-01-02T10:00:00.133Z"}, {"timestamp": "2026-01-02T09:00:00Z"}, "10:00:00.133000"),
        ({}, {"timestamp": "2026-01-02T09:00:00 +0000"}, "09:00:00"),
        ({}, {}, "12:00:00"),
    ],
)
def test_the_time_is_of_what_happened(part: object, mail: dict[str, Any], expected: str) -> None:
    event = read("Send", part, **mail)

    assert (event.about.at.time().isoformat(), event.about.at.tzinfo) == (expected, UTC)


def test_a_message_that_is_sent_again_has_the_same_key() -> None:
    first = SES.read(posted(sample("open")))
    again = SES.read(SNS.request(sample("open"), at=NOON, received_at=NOON + timedelta(minutes=50)))
    another = SES.read(SNS.request(sample("open"), at=NOON + timedelta(seconds=1)))

    assert first[0].about.key == again[0].about.key != another[0].about.key


@pytest.mark.parametrize(
    "told",
    [
        {"eventType": "Send", "mail": 5},
        {"eventType": ["Send"]},
        {"eventType": "Bounce", "bounce": 5},
    ],
)
def test_an_odd_report_is_kept_unrecognised(told: dict[str, Any]) -> None:
    [event] = SES.read(posted(told))

    assert isinstance(event, Unrecognised)
    assert event.about.raw == told


# ---- what SNS itself says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_is_told_and_answered_by_nobody(kind: str) -> None:
    [event] = SES.read(SNS.confirmation(kind, at=NOON))

    assert event == Unrecognised(event.about, kind)
    assert subscribe_url(event).startswith("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=")
    assert event.about.raw is not None
    assert "Signature" not in event.about.raw


def test_other_events_ask_for_nothing() -> None:
    for path in SAMPLES.glob("*.json"):
        assert not any(map(subscribe_url, SES.read(posted(path.read_bytes()))))
    [asked] = SES.read(SNS.confirmation(at=NOON))
    assert isinstance(asked, Unrecognised)
    for about in (
        evolve(asked.about, raw=None),
        evolve(asked.about, raw={"SubscribeURL": "https://sns.eu-west-1.amazonaws.com/"}),
    ):
        assert subscribe_url(Unrecognised(about, asked.name)) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription", "https://sns.us-east-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com.evil.example/", "https://evil.example/", "https://[", "",
        "https://u@sns.eu-west-1.amazonaws.com/", "https://sns.eu-west-1.amazonaws.com:8443/",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_host(url: str) -> None:
    post = SNS.message("SubscriptionConfirmation", "subscribe", at=NOON, SubscribeURL=url)
    [event] = SES.read(evolve(SNS.confirmation(at=NOON), body=json.dumps(post).encode()))

    assert subscribe_url(event) == ""


def test_what_ses_says_to_try_a_topic_is_no_event() -> None:
    for text in PINGS:
        post = SNS.message("Notification", text, at=NOON, Subject="Amazon SES")
        assert SES.read(evolve(posted(b"{"), body=json.dumps(post).encode())) == ()


def test_a_text_that_somebody_published_is_kept() -> None:
    post = SNS.message("Notification", "hello", at=NOON, Subject="from me")
    [event] = SES.read(evolve(posted(b"{"), body=json.dumps(post).encode()))

    assert event == Unrecognised(event.about, "")
    assert event.about.raw is not None
    assert event.about.raw["Message"] == "hello"


# ---- proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "topic",
    [TOPIC, "arn:aws-cn:sns:cn-north-1:123456789012:mail", "arn:aws-us-gov:sns:us-gov-east-1:123456789012:mail.fifo"],
)
def test_both_versions_of_the_signature_hold(version: str, topic: str) -> None:
    name = {"cn": "sns-cn-north-1.amazonaws.com.cn", "us": "sns-us-gov-west-1.amazonaws.com"}.get(
        topic.split(":")[3][:2], "sns-signing.eu-west-1.amazonaws.com"
    )
    signer = SesSigner(NOON, version=version, topic=topic, certificate_name=name)
    adapter = Ses((TOPIC, topic), signer.certificate)

    assert adapter.read(signer.request(sample("delivery"), at=NOON))
    assert adapter.read(signer.confirmation(at=NOON))


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"])
def test_whatever_is_signed_cannot_be_changed(name: str) -> None:
    topics = (TOPIC, f"{TOPIC}s")
    post = SNS.message("Notification", json.dumps(sample("delivery")), at=NOON, Subject="SES")
    changed = {"Timestamp": "2026-01-02T12:00:01.000Z", "TopicArn": topics[1], "Type": "SubscriptionConfirmation"}
    forged = {**post, name: changed.get(name, post[name] + " "), "Token": "t", "SubscribeURL": "u"}
    adapter = Ses(topics, SNS.certificate)
    request = posted(b"{")

    assert adapter.read(evolve(request, body=json.dumps(post).encode()))
    with pytest.raises(UnverifiedError, match="does not fit"):
        adapter.read(evolve(request, body=json.dumps(forged).encode()))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Signature", ""), ("Signature", None), ("Signature", "!"), ("Signature", "AAAA"), ("Signature", 5),
        ("SignatureVersion", "3"), ("SignatureVersion", None), ("Type", "Other"), ("Type", None),
        ("Type", ["Notification"]),
        ("Message", None), ("Message", 5), ("Timestamp", None), ("TopicArn", None), ("MessageId", {"a": 1}),
        ("Subject", 5), ("Timestamp", "soon"), ("TopicArn", f"{TOPIC}2"),
        ("SigningCertURL", None), ("SigningCertURL", "https://evil.example/SimpleNotificationService-0.pem"),
        ("SigningCertURL", "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem"),
        ("SigningCertURL", "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0.pem"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com/other/SimpleNotificationService-0.pem"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem/x"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com/?SimpleNotificationService-0.pem"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem#x"),
    ],
)  # fmt: skip
def test_a_message_with_less_than_the_whole_proof_is_refused(field: str, value: object) -> None:
    post = SNS.message("Notification", json.dumps(sample("delivery")), at=NOON)

    with pytest.raises(UnverifiedError):
        SES.read(evolve(posted(b"{"), body=json.dumps({**post, field: value}).encode()))


def test_the_certificate_is_not_asked_for_before_topic_place_and_age_are_right() -> None:
    asked: list[str] = []

    def certificate(url: str) -> bytes:
        asked.append(url)
        return SNS.certificate(url)

    adapter = Ses(TOPIC, certificate)
    elsewhere = SesSigner(NOON, topic="arn:aws:sns:eu-west-1:999999999999:mail")
    for request in (
        elsewhere.request(sample("delivery"), at=NOON),
        SNS.request(sample("delivery"), at=NOON, received_at=NOON + timedelta(days=2)),
        evolve(posted(sample("delivery")), received_at=None),
    ):
        with pytest.raises(UnverifiedError):
            adapter.read(request)
    assert asked == []
    assert adapter.read(posted(sample("delivery")))
    assert asked == [SNS.certificate_url]


@pytest.mark.parametrize("late", [timedelta(days=1, seconds=1), timedelta(minutes=-6)])
def test_a_message_is_believed_for_a_day_and_not_ahead_of_time(late: timedelta) -> None:
    with pytest.raises(UnverifiedError, match="stamped"):
        SES.read(SNS.request(sample("delivery"), at=NOON, received_at=NOON + late))
    with pytest.raises(UnverifiedError, match="stamped"):
        Ses(TOPIC, SNS.certificate, max_age=timedelta(minutes=1)).read(
            SNS.request(sample("delivery"), at=NOON, received_at=NOON + timedelta(minutes=2))
        )


@pytest.mark.parametrize("name", ["sns.us-east-1.amazonaws.com", "evil.example", "sns-signing.us-east-1.amazonaws.com"])
def test_another_hosts_certificate_is_refused(name: str) -> None:
    signer = SesSigner(NOON, certificate_name=name)

    with pytest.raises(UnverifiedError, match="not that of SNS"):
        Ses(TOPIC, signer.certificate).read(signer.request(sample("delivery"), at=NOON))


def test_a_certificate_of_another_key_or_kind_is_refused() -> None:
    other = SesSigner(NOON)
    curve = Authority(NOON).issue("sns.amazonaws.com").chain

    with pytest.raises(UnverifiedError, match="does not fit"):
        Ses(TOPIC, other.certificate).read(posted(sample("delivery")))
    with pytest.raises(UnverifiedError, match="not that of SNS"):
        Ses(TOPIC, lambda _: curve).read(posted(sample("delivery")))


def test_a_certificate_without_a_list_of_names_is_known_by_its_common_name() -> None:
    unlisted = Authority(NOON, "sns.amazonaws.com").pem

    with pytest.raises(UnverifiedError, match="not that of SNS"):  # an elliptic curve's, too
        Ses(TOPIC, lambda _: unlisted).read(posted(sample("delivery")))


def test_a_certificate_that_has_ended_is_refused() -> None:
    later = NOON + timedelta(days=2)

    with pytest.raises(UnverifiedError, match="does not hold now"):
        SES.read(SNS.request(sample("delivery"), at=later))


def test_the_authorities_above_the_certificate_may_be_given() -> None:
    request = posted(sample("delivery"))

    assert Ses(TOPIC, SNS.certificate, authorities=SNS.authority.pem).read(request)
    with pytest.raises(UnverifiedError, match="authorities"):
        Ses(TOPIC, SNS.certificate, authorities=Authority(NOON).pem).read(request)


def test_a_certificate_that_cannot_be_had_is_asked_for_again() -> None:
    def unreachable(_url: str) -> bytes:
        raise ConnectionRefusedError

    for certificate in (unreachable, lambda _: b"<html>", lambda _: b""):
        adapter = Ses(TOPIC, certificate)
        with pytest.raises(UncheckedError):
            adapter.read(posted(sample("delivery")))
        answer = FeedbackEndpoint(adapter, clock=FrozenClock(NOON)).answer(posted(sample("delivery")))
        assert (answer.response.status, answer.events) == (503, ())


@pytest.mark.parametrize("body", [b"[]", b"[{}, {}]"])
def test_a_body_of_none_or_several_messages_is_refused(body: bytes) -> None:
    with pytest.raises(UnverifiedError, match="one at a time"):
        SES.read(evolve(posted(b"{"), body=body))


def test_a_raw_message_is_refused_since_it_is_not_signed() -> None:
    request = posted(sample("delivery"))

    with pytest.raises(UnverifiedError, match="raw message delivery off"):
        SES.read(evolve(request, headers={**request.headers, "X-Amz-Sns-Rawdelivery": "true"}))


def test_signed_nonsense_is_malformed() -> None:
    with pytest.raises(MalformedError):
        SES.read(posted(b'{"eventType": '))


@given(st.binary(max_size=60))
def test_no_signature_but_the_right_one_holds(signature: bytes) -> None:
    post = SNS.message("Notification", "{}", at=NOON) | {"Signature": base64.b64encode(signature).decode()}

    with pytest.raises(UnverifiedError):
        SES.read(evolve(posted(b"{"), body=json.dumps(post).encode()))


@pytest.mark.parametrize(
    "parts",
    [
        {"topics": ()}, {"topics": ""}, {"topics": "mail"}, {"topics": "arn:aws:sqs:eu-west-1:123456789012:mail"},
        {"topics": 5}, {"certificate": b"pem"}, {"max_age": timedelta(0)}, {"max_age": 5}, {"authorities": b"pem"},
        {"authorities": "pem"}, {"configuration_set": "my set"}, {"configuration_set": 5},
    ],
    ids=str,
)  # fmt: skip
def test_parts_that_cannot_be_are_refused_where_they_are_made(parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Ses(**{"topics": TOPIC, "certificate": SNS.certificate, **parts})


# ---- marks -----------------------------------------------------------------------------------------------------------


def test_a_mail_is_marked_once() -> None:
    marked = SES.mark((("X-Campaign", "spring"),), DeliveryId("d1"))

    assert marked == (("X-Campaign", "spring"), ("X-SES-MESSAGE-TAGS", "delivery_id=d1"), ("X-Delivery-ID", "d1"))
    assert SES.mark(marked, DeliveryId("d1")) == marked


def test_the_configuration_set_is_named() -> None:
    adapter = Ses(TOPIC, SNS.certificate, configuration_set="shop")

    assert ("X-SES-CONFIGURATION-SET", "shop") in adapter.mark((), DeliveryId("d1"))
    with pytest.raises(MailError, match="X-SES-CONFIGURATION-SET"):
        adapter.mark((("x-ses-configuration-set", "other"),), DeliveryId("d1"))


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("type=order, shop=1", "type=order, shop=1, delivery_id=d1"),
        ("type=order,", "type=order, delivery_id=d1"),
        ("", "delivery_id=d1"),
        ("a=b , delivery_id=d1", "a=b , delivery_id=d1"),
    ],
)
def test_tags_of_ones_own_are_kept(there: str, expected: str) -> None:
    marked = SES.mark((("x-ses-message-tags", there),), DeliveryId("d1"))

    assert marked[0] == ("x-ses-message-tags", expected)


def test_an_id_that_no_tag_can_hold_stands_in_the_header_alone() -> None:
    assert SES.mark((), DeliveryId("d.1")) == (("X-Delivery-ID", "d.1"),)


@pytest.mark.parametrize(
    "headers",
    [
        (("X-SES-MESSAGE-TAGS", "delivery_id=d2"),),
        (("X-SES-MESSAGE-TAGS", "a=b"), ("x-ses-message-tags", "c=d")),
        (("X-Delivery-ID", "d2"),),
    ],
)
def test_headers_that_say_otherwise_are_a_mail_error(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MailError):
        SES.mark(headers, DeliveryId("d1"))


@pytest.mark.parametrize(
    ("port", "tls"), [(587, Tls.STARTTLS), (2587, Tls.STARTTLS), (465, Tls.IMPLICIT), (2465, Tls.IMPLICIT)]
)
def test_its_relays_are_ready_made(port: int, tls: Tls) -> None:
    server = ses.server("AKIA", "password", region="eu-west-1", port=port)

    assert (server.host, server.port, server.tls) == ("email-smtp.eu-west-1.amazonaws.com", port, tls)
    assert server.credentials == Credentials("AKIA", "password")
    assert ses.server("AKIA", "password", region="us-gov-west-1").host == "email-smtp.us-gov-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "wrong", [{"region": "Ireland"}, {"region": ""}, {"region": None}, {"port": 25}, {"port": "587"}]
)
def test_what_is_no_relay_of_its_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ses.server(**{"username": "AKIA", "password": "password", "region": "eu-west-1", **wrong})
