"""Postmark: marks, proof, and what each of its reports becomes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Credentials, Tls
from custom_smtp.errors import ConfigurationError, MailError, UnverifiedError
from custom_smtp.events import (
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
from custom_smtp.providers import postmark
from custom_smtp.providers.postmark import DELAYS, KINDS, NO_BOUNCES, TYPE_CODES, Postmark
from custom_smtp.state import why_not_to_write
from custom_smtp.testing.contracts import feedback_contract
from custom_smtp.testing.webhooks import Payload, postmark_request
from custom_smtp.web import Request

SAMPLES = Path(__file__).parent / "postmark"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
POSTMARK = Postmark("pm", "hook")

ALL_TYPES = {
    "HardBounce", "Transient", "Unsubscribe", "Subscribe", "AutoResponder", "AddressChange", "DnsError",
    "SpamNotification", "OpenRelayTest", "Unknown", "SoftBounce", "VirusNotification", "ChallengeVerification",
    "BadEmailAddress", "SpamComplaint", "ManuallyDeactivated", "Unconfirmed", "Blocked", "SMTPApiError",
    "InboundError", "DMARCPolicy", "TemplateRenderingFailed",
}  # fmt: skip


def sample(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


def posted(payload: Payload) -> Request:
    return postmark_request(payload, "pm", "hook", received_at=NOON)


def read(told: dict[str, Any]) -> Event:
    [event] = POSTMARK.read(posted(told))
    return event


def test_it_holds_the_contract() -> None:
    feedback_contract(POSTMARK, [posted(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))], prove=posted)


@pytest.mark.parametrize(
    ("name", "kind", "at"),
    [
        ("delivery", Delivered, datetime(2026, 1, 2, 5, 0, 3, 123456, UTC)),
        ("bounce", Bounced, datetime(2026, 1, 2, 5, 0, 4, 273539, UTC)),
        ("spam-complaint", Complained, datetime(2026, 1, 2, 5, 0, 4, 273539, UTC)),
        ("open", Opened, datetime(2026, 1, 2, 6, tzinfo=UTC)),
        ("click", Clicked, datetime(2026, 1, 2, 6, 1, tzinfo=UTC)),
        ("subscription-change", Unsubscribed, datetime(2026, 1, 2, 7, tzinfo=UTC)),
    ],
)
def test_each_record_finds_its_mail_its_person_and_its_time(name: str, kind: type, at: datetime) -> None:
    event = read(sample(name))

    assert type(event) is kind
    assert event.about.delivery_id == "d1"
    assert event.about.recipient == "ada@example.net"
    assert event.about.at == at
    assert event.about.at.utcoffset() == UTC.utcoffset(None)
    assert event.about.raw == sample(name)


def test_a_bounce_tells_reason_and_status() -> None:
    event = read(sample("bounce"))

    assert isinstance(event, Bounced)
    assert event.kind is BounceKind.HARD
    assert event.status == "5.1.1"
    assert event.reason == "The mailbox could not be found. smtp;550 5.1.1 <ada@example.net> no such user here"


def test_a_delivery_keeps_the_servers_words() -> None:
    assert read(sample("delivery")) == Delivered(read(sample("delivery")).about, "smtp;250 2.0.0 OK queued as 4ABC")


def test_an_open_and_a_click_keep_who_and_what() -> None:
    opened, clicked = read(sample("open")), read(sample("click"))

    assert isinstance(opened, Opened)
    assert (opened.user_agent, opened.client) == ("Reader/1.0", "192.0.2.44")
    assert isinstance(clicked, Clicked)
    assert (clicked.url, clicked.user_agent) == ("https://shop.example/orders/7", "Reader/1.0")
    assert (opened.second_hand, clicked.second_hand) == (True, True)


@pytest.mark.parametrize("geo", [None, {}, {"City": "Delft"}])
def test_an_open_from_nowhere_known_is_still_an_open(geo: object) -> None:
    event = read({**sample("open"), "Geo": geo})

    assert isinstance(event, Opened)
    assert event.client == ""


def test_every_bounce_type_of_the_documentation_is_decided() -> None:
    assert {*KINDS, *DELAYS, *NO_BOUNCES} | {"OpenRelayTest", "InboundError"} == ALL_TYPES
    assert len(KINDS) + len(DELAYS) + len(NO_BOUNCES) + 2 == len(ALL_TYPES)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("HardBounce", Bounced), ("Transient", Deferred), ("Unsubscribe", Unsubscribed), ("Subscribe", Resubscribed),
        ("AutoResponder", AutoReplied), ("AddressChange", AutoReplied), ("DnsError", Deferred),
        ("SpamNotification", Complained), ("OpenRelayTest", Unrecognised), ("Unknown", Bounced),
        ("SoftBounce", Bounced), ("VirusNotification", Bounced), ("ChallengeVerification", AutoReplied),
        ("BadEmailAddress", Bounced), ("SpamComplaint", Complained), ("ManuallyDeactivated", Dropped),
        ("Unconfirmed", Dropped), ("Blocked", Bounced), ("SMTPApiError", Dropped), ("InboundError", Unrecognised),
        ("DMARCPolicy", Bounced), ("TemplateRenderingFailed", Dropped), ("MadeUpTomorrow", Unrecognised),
    ],
)  # fmt: skip
def test_half_of_the_bounce_types_are_no_bounces(kind: str, expected: type) -> None:
    assert type(read({**sample("bounce"), "Type": kind})) is expected


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("HardBounce", BounceKind.HARD),
        ("SoftBounce", BounceKind.SOFT),
        ("Blocked", BounceKind.BLOCK),
        ("DMARCPolicy", BounceKind.BLOCK),
        ("Unknown", BounceKind.UNDETERMINED),
    ],
)
def test_hard_soft_and_block_are_told_apart(kind: str, verdict: BounceKind) -> None:
    event = read({**sample("bounce"), "Type": kind})

    assert isinstance(event, Bounced)
    assert event.kind is verdict


def test_a_delay_tells_its_status() -> None:
    event = read({**sample("bounce"), "Type": "Transient", "Details": "smtp;451 4.7.1 later"})

    assert isinstance(event, Deferred)
    assert event.status == "4.7.1"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("HardBounce", Bounced),
        ("SpamComplaint", Complained),
        ("ManualSuppression", Unsubscribed),
        ("MadeUpTomorrow", Unsubscribed),
        (None, Unsubscribed),
    ],
)
def test_a_suppression_says_why(reason: str | None, kind: type) -> None:
    assert type(read({**sample("subscription-change"), "SuppressionReason": reason})) is kind


def test_a_reactivation_has_no_mail_and_lifts() -> None:
    event = read(sample("reactivation"))

    assert isinstance(event, Resubscribed)
    assert event.about.delivery_id is None


@pytest.mark.parametrize(
    ("told", "scope"),
    [({"MessageStream": "broadcast"}, "broadcast"), ({"MessageStream": None}, "outbound"), ({}, "outbound")],
)
@pytest.mark.parametrize("name", ["reactivation", "subscription-change", "Subscribe", "Unsubscribe"])
def test_an_unsubscription_and_its_end_name_their_stream(name: str, told: dict[str, Any], scope: str) -> None:
    report = {**sample("bounce"), "Type": name} if name.endswith("bscribe") else sample(name)
    event = read({**{field: value for field, value in report.items() if field != "MessageStream"}, **told})

    assert isinstance(event, Unsubscribed | Resubscribed)
    assert event.scope == scope


@pytest.mark.parametrize("reason", ["ManualSuppression", "HardBounce"])
def test_a_reactivation_on_one_stream_lifts_nothing_on_another(reason: str) -> None:
    off = {**sample("subscription-change"), "MessageStream": "broadcast", "SuppressionReason": reason}
    suppressed, reactivated = read(off), read(sample("reactivation"))

    assert suppressed.about.at < reactivated.about.at
    assert why_not_to_write([suppressed, reactivated]) == suppressed


def test_a_reactivation_lifts_an_unsubscription_on_its_stream() -> None:
    assert why_not_to_write([read(sample("subscription-change")), read(sample("reactivation"))]) is None


@pytest.mark.parametrize("told", [None, "no", 2, "", []])
def test_what_says_neither_suppressed_nor_reactivated_is_neither(told: object) -> None:
    assert isinstance(read({**sample("reactivation"), "SuppressSending": told}), Unrecognised)


def test_a_suppression_on_two_streams_at_once_is_two_reports() -> None:
    other = {**sample("subscription-change"), "MessageStream": "broadcast"}

    assert read(sample("subscription-change")).about.key != read(other).about.key


@pytest.mark.parametrize("other", [{"Geo": {"IP": "192.0.2.45"}}, {"Geo": None}, {"UserAgent": "Reader/2.0"}])
@pytest.mark.parametrize("name", ["open", "click"])
def test_two_readers_at_once_are_two_reports(name: str, other: dict[str, Any]) -> None:
    assert read(sample(name)).about.key != read({**sample(name), **other}).about.key


def test_a_click_that_names_no_link_is_still_one() -> None:
    event = read({**sample("click"), "OriginalLink": None})

    assert isinstance(event, Clicked)
    assert event.url == ""


@pytest.mark.parametrize("told", [{"a": 1}, 5, ["https://shop.example/"], True])
def test_a_click_on_what_is_no_text_is_unrecognised(told: object) -> None:
    assert isinstance(read({**sample("click"), "OriginalLink": told}), Unrecognised)


def test_suppressed_and_reactivated_in_one_second_are_two_reports() -> None:
    off = {**sample("reactivation"), "SuppressSending": True}

    assert read(off).about.key != read(sample("reactivation")).about.key


@pytest.mark.parametrize("missing", [None, "Metadata", "ChangedAt", "SuppressionReason", "Tag", "MessageID", "Origin"])
def test_a_subscription_change_without_a_field_is_still_one(missing: str | None) -> None:
    told = {name: value for name, value in sample("subscription-change").items() if name != missing}

    assert isinstance(read(told), Unsubscribed)


def test_without_a_time_it_happened_when_it_came() -> None:
    told = sample("delivery")
    del told["DeliveredAt"]

    assert read(told).about.at == NOON


@pytest.mark.parametrize(
    "record", ["Bounce", "Click", "SubscriptionChange", "Open", "Delivery", "SpamComplaint", "New"]
)
def test_a_report_with_nothing_in_it_is_still_an_event(record: str) -> None:
    event = read({"RecordType": record})

    assert event.about.at == NOON
    assert event.about.delivery_id is None


@pytest.mark.parametrize(("told", "kind"), [("true", Unsubscribed), (1, Unsubscribed), ("false", Resubscribed)])
def test_yes_and_no_are_known_as_text_too(told: object, kind: type) -> None:
    assert type(read({**sample("reactivation"), "SuppressSending": told})) is kind


@pytest.mark.parametrize("when", ["yesterday", "9999999999999999", {"a": 1}, True])
def test_a_complaint_is_not_lost_for_its_clock(when: object) -> None:
    event = read({**sample("spam-complaint"), "BouncedAt": when})

    assert isinstance(event, Complained)
    assert event.about.at == NOON


@pytest.mark.parametrize("metadata", [["d1"], "d1", 5, True])
def test_a_bounce_is_not_lost_for_its_metadata(metadata: object) -> None:
    event = read({**sample("bounce"), "Metadata": metadata})

    assert isinstance(event, Bounced)
    assert event.about.delivery_id is None


@pytest.mark.parametrize("odd", [{"Type": ["HardBounce"]}, {"Details": 5}])
def test_an_unreadable_field_makes_the_report_unrecognised(odd: dict[str, Any]) -> None:
    event = read({**sample("bounce"), "ID": None, "Description": "", **odd})

    assert isinstance(event, Unrecognised)
    assert (event.name, event.about.recipient, event.about.at) == ("Bounce", "ada@example.net", NOON)


def test_inbound_mail_is_unrecognised_and_nobodys_bounce() -> None:
    assert read(sample("inbound")) == Unrecognised(read(sample("inbound")).about, "Inbound")


def test_reports_from_before_record_types_are_read() -> None:
    bounce, delivery = read(sample("legacy-bounce")), read(sample("legacy-delivery"))

    assert isinstance(bounce, Bounced)
    assert isinstance(delivery, Delivered)
    assert delivery.about.at == datetime(2014, 8, 1, 17, 28, 10, 273539, UTC)


def test_our_id_is_found_whatever_the_letter_case_of_its_name() -> None:
    assert read({**sample("delivery"), "Metadata": {"a": "b", "Delivery-Id": "d9"}}).about.delivery_id == "d9"


@pytest.mark.parametrize("told", ["", "not an id", 7, None, {"a": 1}])
def test_what_is_no_id_of_ours_is_none(told: object) -> None:
    assert read({**sample("delivery"), "Metadata": {"delivery-id": told}}).about.delivery_id is None


def test_a_soft_bounce_that_hardens_under_its_number_is_another_report() -> None:
    soft, hard = read({**sample("bounce"), "Type": "SoftBounce"}), read(sample("bounce"))

    assert soft.about.key != hard.about.key


@pytest.mark.parametrize("number", [None, 0, ""])
def test_two_bounces_without_a_number_are_two_reports(number: object) -> None:
    one = {**sample("bounce"), "ID": number}
    other = {**one, "Email": "bob@example.net"}

    assert read(one).about.key != read(other).about.key


def test_clicks_on_two_links_at_once_are_two_reports() -> None:
    other = {**sample("click"), "OriginalLink": "https://shop.example/other"}

    assert read(sample("click")).about.key != read(other).about.key


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!", "Bearer cG06aG9vaw==", "Basic cG06d3Jvbmc="])
def test_only_the_right_user_name_and_password_are_believed(authorization: str) -> None:
    with pytest.raises(UnverifiedError) as caught:
        POSTMARK.read(evolve(posted(sample("bounce")), headers={"Authorization": authorization}))

    assert caught.value.challenge.startswith("Basic ")


@pytest.mark.parametrize(
    ("username", "password"), [("", "hook"), ("pm", ""), ("pm", "  "), ("p:m", "x"), (b"pm", "x"), ("pm", None)]
)
def test_credentials_that_prove_nothing_are_refused_where_they_are_made(username: Any, password: Any) -> None:
    with pytest.raises(ConfigurationError, match="webhook"):
        Postmark(username, password)


def test_the_password_never_prints() -> None:
    assert "hook" not in repr(POSTMARK)
    assert "s3cret" not in repr(Postmark("pm", "hook", header="X-Hook", secret="s3cret"))


def test_an_old_and_a_new_password_hold_at_once() -> None:
    both = Postmark("pm", ("new", "old"))

    for password in ("new", "old"):
        assert both.read(postmark_request(sample("bounce"), "pm", password, received_at=NOON))
    with pytest.raises(UnverifiedError):
        both.read(posted(sample("bounce")))


def test_a_header_of_ones_own_is_asked_for_beside_the_password() -> None:
    adapter = Postmark("pm", "hook", header="X-Hook-Secret", secret=("new", "old"))
    request = posted(sample("bounce"))

    for value in ("new", "old"):
        headed = evolve(request, headers={**request.headers, "x-hook-SECRET": value})
        assert adapter.read(headed) == POSTMARK.read(request)
    for headers, why in (
        (request.headers, "carries no header X-Hook-Secret"),
        ({**request.headers, "x-hook-secret": "x"}, "carries another X-Hook-Secret"),
        ({"x-hook-secret": "new"}, "Authorization"),
    ):
        with pytest.raises(UnverifiedError, match=why):
            adapter.read(evolve(request, headers=headers))


@pytest.mark.parametrize(
    "wrong",
    [{"header": "X-A"}, {"secret": "x"}, {"header": "X-A", "secret": ""}, {"header": "X-A", "secret": ("x", "")}],
)
def test_a_header_by_halves_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        Postmark("pm", "hook", **wrong)


def test_every_type_has_its_code() -> None:
    assert set(TYPE_CODES.values()) == ALL_TYPES
    assert len(TYPE_CODES) == len(ALL_TYPES)


@pytest.mark.parametrize(("code", "kind"), TYPE_CODES.items())
def test_a_code_alone_says_the_type(code: int, kind: str) -> None:
    named = {**sample("bounce"), "Type": kind, "TypeCode": code}
    event = read({**named, "Type": ""})

    assert type(event) is type(read(named))
    if isinstance(event, Bounced):
        verdict, cause = KINDS[kind]
        by_status = Cause.NO_SUCH_USER if cause is Cause.UNKNOWN else cause  # of the sample's 5.1.1
        assert (event.kind, event.cause) == (verdict, by_status)


@pytest.mark.parametrize("code", [3, None, "1", [1], True])
def test_another_code_is_unrecognised_or_taken_for_what_it_equals(code: object) -> None:
    event = read({**sample("bounce"), "Type": None, "TypeCode": code})

    assert isinstance(event, Bounced if code is True else Unrecognised)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("DMARCPolicy", "AUTHENTICATION"),
        ("VirusNotification", "VIRUS"),
        ("Blocked", "POLICY"),
        ("SoftBounce", "UNKNOWN"),
    ],
)
def test_a_bounce_says_what_it_calls_for(kind: str, cause: str) -> None:
    event = read({**sample("bounce"), "Type": kind, "Description": "", "Details": "smtp;550 no"})

    assert isinstance(event, Bounced)
    assert (event.cause.name, event.smtp_code) == (cause, 550)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ManuallyDeactivated", DropKind.SUPPRESSED),
        ("Unconfirmed", DropKind.POLICY),
        ("SMTPApiError", DropKind.FAILED),
        ("TemplateRenderingFailed", DropKind.FAILED),
    ],
)
def test_what_was_not_even_tried_says_why(kind: str, expected: DropKind) -> None:
    event = read({**sample("bounce"), "Type": kind, "Description": "no", "Details": ""})

    assert event == Dropped(event.about, "no", expected)


def test_a_mail_is_marked_once_and_tracking_is_off() -> None:
    marked = POSTMARK.mark((("X-Campaign", "spring"), ("x-pm-trackopens", "false")), DeliveryId("d1"))

    assert marked == (
        ("X-Campaign", "spring"),
        ("x-pm-trackopens", "false"),
        ("X-PM-Metadata-delivery-id", "d1"),
        ("X-PM-TrackLinks", "None"),
        ("X-PM-KeepID", "true"),
    )


@pytest.mark.parametrize(
    "header",
    [
        ("X-PM-TrackOpens", "true"),
        ("X-PM-TrackLinks", "HtmlOnly"),
        ("X-PM-KeepID", "false"),
        ("x-pm-metadata-delivery-id", "d2"),
    ],
)
def test_a_header_that_says_otherwise_is_a_mail_error(header: tuple[str, str]) -> None:
    with pytest.raises(MailError, match="leave it out"):
        POSTMARK.mark((header,), DeliveryId("d1"))


def test_ids_that_differ_in_letter_case_contradict() -> None:
    with pytest.raises(MailError):
        POSTMARK.mark((("X-PM-Metadata-delivery-id", "D1"),), DeliveryId("d1"))


def test_its_relay_is_ready_made() -> None:
    server = postmark.server("t0ken")
    assert (server.host, server.port, server.tls) == ("smtp.postmarkapp.com", 587, Tls.STARTTLS)
    assert server.credentials == Credentials("t0ken", "t0ken")
    assert postmark.server("t0ken", relay=postmark.Relay.BROADCAST).host == "smtp-broadcasts.postmarkapp.com"
    assert "t0ken" not in repr(server)
