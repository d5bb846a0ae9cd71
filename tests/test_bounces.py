"""Mail that comes back: what is a report, whom it is about, what it says; and that nothing else is one."""

import base64
import time
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp._bounce_mail import BYTES_LIMIT, FIELDS_LIMIT, HEADER_LIMIT, PARTS_LIMIT
from custom_smtp._bounce_status import MESSAGE_FIELDS, RECIPIENTS_LIMIT, VALUE_LIMIT
from custom_smtp.bounce_causes import kind_of
from custom_smtp.bounces import PROVEN, SOURCE, read
from custom_smtp.event_json import read_event, write_event
from custom_smtp.events import (
    AutoReplied,
    Bounced,
    BounceKind,
    Cause,
    Complained,
    Deferred,
    Delivered,
    Event,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.state import why_not_to_write
from custom_smtp.testing import FrozenClock
from custom_smtp.tokens import Tokens
from custom_smtp.verp import envelope_id, return_address, signed

SAMPLES = Path(__file__).parent / "bounces"
CLOCK = FrozenClock(datetime(2026, 2, 1, tzinfo=UTC))
NO_REPORTS = ("answer",)
REPORT = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
STATUS = b"--b\nContent-Type: message/delivery-status\n\n"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


def one(content: bytes) -> Event:
    [event] = read(content, clock=CLOCK)
    return event


def without_words(content: bytes) -> bytes:
    """The report alone, in a mail that says nothing in words and comes from nobody known."""
    for told in (
        b"Your mail could not be delivered.",
        b"Mail Delivery <mailer-daemon@mx.example.net>",
        b"Undelivered mail",
    ):
        content = content.replace(told, b"x")
    for field in (b"Return-Path: <>\n", b"Auto-Submitted: auto-replied\n"):
        content = content.replace(field, b"")
    return content


def changed(old: str, new: str, name: str = "hard") -> bytes:
    assert old.encode() in sample(name)
    return sample(name).replace(old.encode(), new.encode())


def test_a_hard_bounce_tells_mail_person_time_reason_and_status() -> None:
    event = one(sample("hard"))

    assert isinstance(event, Bounced)
    assert (event.kind, event.status) == (BounceKind.HARD, "5.1.1")
    assert event.reason == "550 5.1.1 <ada@example.net>: no such user here"
    assert (event.about.delivery_id, event.about.recipient) == ("d1", "ada@example.net")
    assert event.about.at == datetime(2026, 1, 2, 6, 0, 5, tzinfo=UTC)
    assert event.about.source == "bounce-mail"
    assert event.about.raw is not None
    assert event.about.raw["remote-mta"] == "dns; mail.example.net"


def test_a_delay_is_no_bounce() -> None:
    event = one(sample("delayed"))

    assert event == Deferred(event.about, "no answer from mail.example.net", "4.4.1", cause=Cause.NETWORK)
    assert event.about.delivery_id == "d1"
    assert event.about.at == datetime(2026, 1, 2, 6, 0, 8, tzinfo=UTC)


def test_a_mail_given_up_after_days_is_a_soft_bounce() -> None:
    event = one(sample("expired"))

    assert isinstance(event, Bounced)
    assert (event.kind, event.status) == (BounceKind.SOFT, "4.4.7")


def test_each_recipient_of_a_report_has_an_event_of_their_own() -> None:
    events = read(sample("several"), clock=CLOCK)

    assert [(type(event), event.about.recipient) for event in events] == [
        (Bounced, "ada@example.net"),
        (Delivered, "bob@example.net"),
        (Delivered, "list@example.net"),
        (Delivered, "cyd@example.net"),
        (Bounced, "dan@example.net"),
    ]
    assert [event.kind for event in events if isinstance(event, Bounced)] == [BounceKind.SOFT, BounceKind.BLOCK]
    assert {event.about.delivery_id for event in events} == {"d2"}
    assert len({event.about.key for event in events}) == 5
    assert all("dan@example.net" not in str(event.about.raw) for event in events[:4])


@pytest.mark.parametrize(("name", "delivery_id"), [("global", "d3"), ("encoded", "d1")])
def test_an_address_beyond_ascii_is_read(name: str, delivery_id: str) -> None:
    event = one(sample(name))

    assert (event.about.recipient, event.about.delivery_id) == ("jörg@example.net", delivery_id)


def test_the_reply_tells_more_than_a_vague_status() -> None:
    event = one(sample("vague"))

    assert isinstance(event, Bounced)
    assert (event.kind, event.status) == (BounceKind.BLOCK, "5.7.26")


@pytest.mark.parametrize("name", NO_REPORTS)
def test_what_only_speaks_of_a_report_is_none(name: str) -> None:
    assert read(sample(name)) == ()


@pytest.mark.parametrize("name", [path.stem for path in SAMPLES.glob("*.eml")])
@pytest.mark.parametrize("ends", [b"\r\n", b"\r"])
def test_line_ends_change_nothing(name: str, ends: bytes) -> None:
    assert read(sample(name).replace(b"\n", ends), clock=CLOCK) == read(sample(name), clock=CLOCK)


@pytest.mark.parametrize("name", [path.stem for path in SAMPLES.glob("*.eml") if path.stem not in NO_REPORTS])
def test_a_report_fetched_again_has_the_same_keys(name: str) -> None:
    again = b"X-Fetched: from another mailbox\n" + sample(name)

    assert [e.about.key for e in read(sample(name), clock=CLOCK)] == [e.about.key for e in read(again, clock=CLOCK)]


def test_a_later_report_on_the_same_mail_has_another_key() -> None:
    later = changed("hard.report@", "hard.later@")

    assert one(sample("hard")).about.key != one(later).about.key


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("5.1.1", "HARD"), ("5.1.2", "HARD"), ("5.1.10", "HARD"), ("5.1.7", "BLOCK"), ("5.1.8", "BLOCK"),
        ("5.2.0", "SOFT"), ("5.2.1", "HARD"), ("5.2.2", "SOFT"), ("5.2.3", "BLOCK"), ("5.3.0", "SOFT"),
        ("5.3.3", "BLOCK"), ("5.3.4", "BLOCK"), ("5.4.1", "SOFT"), ("5.4.4", "HARD"), ("5.4.7", "SOFT"),
        ("5.5.1", "UNDETERMINED"), ("5.6.1", "BLOCK"), ("5.7.1", "BLOCK"), ("5.7.26", "BLOCK"), ("5.0.0", "HARD"),
        ("5.99.1", "HARD"), ("4.2.2", "SOFT"), ("4.7.1", "SOFT"), ("2.0.0", "UNDETERMINED"), ("", "UNDETERMINED"),
    ],
)  # fmt: skip
def test_each_status_says_something_about_the_address(status: str, kind: str) -> None:
    assert kind_of(status).name == kind


@pytest.mark.parametrize(
    ("diagnostic", "kind", "status"),
    [
        ("smtp; 550 no such user", "HARD", ""),
        ("smtp; 552 full", "SOFT", ""),
        ("smtp; 554 go away", "UNDETERMINED", ""),
        ("smtp; 451 later", "SOFT", ""),
        ("smtp; 550 5.7.1 listed at 192.0.2.550", "BLOCK", "5.7.1"),
        ("the disk is full", "UNDETERMINED", ""),
    ],
)
def test_without_a_status_the_reply_decides(diagnostic: str, kind: str, status: str) -> None:
    content = changed("Status: 5.1.1\n", "").replace(
        b"Diagnostic-Code: smtp; 550 5.1.1 <ada@example.net>: no such\n    user here",
        f"Diagnostic-Code: {diagnostic}".encode(),
    )
    event = one(content)

    assert isinstance(event, Bounced)
    assert (event.kind.name, event.status) == (kind, status)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("Action: FAILED (really)", Bounced),
        ("action:failed", Bounced),
        ("Action: gone", Bounced),
        ("X-Nothing: here", Bounced),
        ("Action: delayed", Deferred),
        ("Action: relayed", Delivered),
    ],
)
def test_an_action_is_read_however_it_is_written(action: str, expected: type) -> None:
    assert type(one(changed("Action: failed", action))) is expected


def test_what_says_neither_action_nor_status_says_nothing() -> None:
    content = changed("Action: failed\nStatus: 5.1.1\n", "").replace(b"5.1.1", b"")

    assert read(without_words(content), clock=CLOCK) == ()


@pytest.mark.parametrize(
    ("field", "recipient"),
    [
        ("Original-Recipient: rfc822;<ada@example.net>", "ada@example.net"),
        ("Original-Recipient: RFC822 ; ada@example.net", "ada@example.net"),
        ("Original-Recipient: ada@example.net", "ada@example.net"),
        ("Original-Recipient: rfc822; <ada@example.net> (Ada)", "ada@example.net"),
        ("Original-Recipient: rfc822; Ada (a) <ada@example.net>", "ada@example.net"),
        ("Original-Recipient: rfc822; unknown", "fin@example.net"),
        ("Original-Recipient: utf-8; \\x{D800}\\x{110000}@example.net", "\ufffd\ufffd@example.net"),
        ("X-Nothing: here", "fin@example.net"),
    ],
)
def test_the_person_we_wrote_to_is_found(field: str, recipient: str) -> None:
    content = changed("Original-Recipient: rfc822;ada@example.net", field)
    content = content.replace(b"Final-Recipient: rfc822; ada", b"Final-Recipient: rfc822; fin")

    assert one(content).about.recipient == recipient


@pytest.mark.parametrize(
    ("original", "recipient"), [("fin+2Bshop", "fin+shop"), ("fin+shop", "fin+shop"), ("ada+2Bshop", "ada+2Bshop")]
)
def test_an_address_that_came_back_as_it_was_escaped_is_told_as_it_is(original: str, recipient: str) -> None:
    content = changed("Original-Recipient: rfc822;ada@", f"Original-Recipient: rfc822;{original}@")
    content = content.replace(b"Final-Recipient: rfc822; ada@", b"Final-Recipient: rfc822; fin+shop@")

    assert one(content).about.recipient == f"{recipient}@example.net"


GROUPS = {
    "final first": "Final-Recipient: rfc822; {}\nAction: {}\nStatus: {}\n",
    "original first": "Original-Recipient: rfc822;{0}\nFinal-Recipient: rfc822; x@y.ex\nAction: {1}\nStatus: {2}\n",
    "action first": "Action: {1}\nFinal-Recipient: rfc822; {0}\nStatus: {2}\n",
}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("between", ["\n", ""], ids=["parted", "together"])
def test_recipients_that_no_blank_line_parts_are_all_read(group: str, between: str) -> None:
    told = group.format("ada@example.net", "failed", "5.1.1"), group.format("bob@example.net", "delayed", "4.4.1")
    [ada, bob] = read(blocks(("Reporting-MTA: dns; mx.example.net\n\n" + between.join(told)).encode()), clock=CLOCK)

    assert (type(ada), ada.about.recipient) == (Bounced, "ada@example.net")
    assert bob == Deferred(bob.about, "", "4.4.1", cause=Cause.NETWORK)
    assert bob.about.recipient == "bob@example.net"


def test_a_report_whose_type_is_written_in_any_case_is_one() -> None:
    content = sample("hard").replace(b"delivery-status", b"Delivery-STATUS")

    assert one(content) == one(sample("hard"))


def test_a_person_without_an_address_is_told_as_reported() -> None:
    content = changed("Original-Recipient: rfc822;ada@example.net\n", "")
    content = content.replace(b"Final-Recipient: rfc822; ada@example.net", b"Final-Recipient: x-local; ada")

    assert one(content).about.recipient == "ada"


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("Fri, 02 Jan 2026 07:00:05 +0100 (CET)", datetime(2026, 1, 2, 6, 0, 5, tzinfo=UTC)),
        ("2 Jan 2026 06:00:05 -0000", datetime(2026, 1, 2, 6, 0, 5, tzinfo=UTC)),
        ("soon", datetime(2026, 1, 2, 6, 0, 8, tzinfo=UTC)),
        ("Fri, 99 Jan 2026 07:00:05 +0100", datetime(2026, 1, 2, 6, 0, 8, tzinfo=UTC)),
        ("31 Dec 9999 23:59:59 -0100", datetime(2026, 1, 2, 6, 0, 8, tzinfo=UTC)),
    ],
)
def test_it_happened_when_it_was_last_tried_or_else_reported(told: str, at: datetime) -> None:
    event = one(changed("Fri, 02 Jan 2026 07:00:05 +0100", told))

    assert (event.about.at, event.about.at.utcoffset()) == (at, timedelta(0))


def test_where_nobody_says_when_the_clock_does() -> None:
    content = changed("Last-Attempt-Date: Fri, 02 Jan 2026 07:00:05 +0100\n", "")

    assert one(content.replace(b"Date: Fri, 02 Jan 2026 06:00:08 +0000 (UTC)\n", b"")).about.at == CLOCK.now


@pytest.mark.parametrize(
    ("told", "delivery_id"),
    [
        ("Original-Envelope-Id: d7", "d7"),
        ("original-envelope-id: d+2D7", "d-7"),
        ("Original-Envelope-Id: a b", "d1"),
        ("Original-Envelope-Id: +ZZ", "d1"),
    ],
)
def test_the_envelope_id_tells_the_mail_before_the_message_id_does(told: str, delivery_id: str) -> None:
    content = changed("Reporting-MTA: dns; mx.example.net", f"Reporting-MTA: dns; mx.example.net\n{told}")

    assert one(content).about.delivery_id == delivery_id


@pytest.mark.parametrize(
    ("message_id", "delivery_id"),
    [
        ("Message-ID: <d1@any.example>", "d1"),
        ("MESSAGE-ID:\n <d1@shop.example>", "d1"),
        ("Message-Id: d1@shop.example", "d1"),
        ("Message-ID: <one two@shop.example>", None),
        ("Message-ID: \xff", None),
        ("X-Nothing: here", None),
    ],
)
def test_the_returned_message_id_tells_the_mail(message_id: str, delivery_id: str | None) -> None:
    content = sample("hard").replace(b"Message-ID: <d1@shop.example>", message_id.encode("latin-1"))

    assert one(content).about.delivery_id == delivery_id


def test_a_message_id_in_the_returned_text_is_nobodys() -> None:
    content = changed("Message-ID: <d1@shop.example>\n", "").replace(b"on its way.", b"on.\nMessage-ID: <d9@x.example>")

    assert one(content).about.delivery_id is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("report-type=delivery-status;\n\tboundary", "report-type=disposition-notification; boundary"),
        ("Content-Type: multipart/report; ", "Content-Type: text/plain; "),
        ('boundary="=_report_1"', "x=y"),
        ('boundary="=_report_1"', 'boundary="another"'),
        ("Content-Type: message/delivery-status", "Content-Type: text/plain"),
        ("Final-Recipient: rfc822; ada@example.net\nOriginal-Recipient: rfc822;ada@example.net\n", ""),
    ],
)
def test_a_report_without_what_makes_it_one_is_none(old: str, new: str) -> None:
    assert read(without_words(changed(old, new)), clock=CLOCK) == ()


def test_a_report_that_is_broken_is_read_by_its_words() -> None:
    event = one(changed("Content-Type: message/delivery-status", "Content-Type: application/octet-stream"))

    assert isinstance(event, Bounced)
    assert (event.about.recipient, event.about.delivery_id) == ("ada@example.net", "d1")
    assert event.kind is BounceKind.UNDETERMINED


def test_a_report_whose_type_is_not_said_is_one() -> None:
    assert one(changed("report-type=delivery-status;\n\t", "")) == one(sample("hard"))


def test_a_boundary_without_quotes_and_parts_without_a_preamble_are_read() -> None:
    content = changed('boundary="=_report_1"', "boundary==_report_1; x=y").replace(
        b"This is a report in parts.\n\n", b""
    )

    assert one(content) == one(sample("hard"))


def test_a_report_cut_off_after_its_status_is_read() -> None:
    content = sample("hard")[: sample("hard").index(b"Content-Type: message/rfc822")]

    assert (type(one(content)), one(content).about.delivery_id) == (Bounced, None)


def test_a_report_on_a_large_mail_is_read() -> None:
    event = one(sample("hard").replace(b"It is on its way.", b"x" * 70 + b"\n" * (2 * BYTES_LIMIT)))

    assert event == one(sample("hard"))


def test_recipients_are_bounded() -> None:
    more = b"".join(
        b"\nFinal-Recipient: rfc822; a%d@example.net\nStatus: 5.1.1\n" % n for n in range(2 * RECIPIENTS_LIMIT)
    )
    events = read(sample("hard").replace(b"\n--=_report_1\nContent-Type: message/rfc822", more + b"\n--=_report_1--"))

    assert len(events) == RECIPIENTS_LIMIT


def test_of_more_recipients_than_the_limit_none_lends_its_fields_to_another() -> None:
    told = b"".join(
        b"\nFinal-Recipient: rfc822; a%d@example.net\nStatus: 5.1.1\nX-Number-%d: 1\n" % (n, n)
        for n in range(RECIPIENTS_LIMIT + 5)
    )
    events = read(REPORT + STATUS + b"Reporting-MTA: dns; mx.example.net\n" + told, clock=CLOCK)

    assert events[-1].about.recipient == f"a{RECIPIENTS_LIMIT - 1}@example.net"
    assert sorted(events[-1].about.raw or {}) == [
        "final-recipient", "reporting-mta", "status", f"x-number-{RECIPIENTS_LIMIT - 1}",
    ]  # fmt: skip


@pytest.mark.parametrize(("place", "found"), [(PARTS_LIMIT - 1, 1), (PARTS_LIMIT, 0)])
def test_parts_are_bounded(place: int, found: int) -> None:
    parts = [b"Content-Type: text/plain\n\nx\n"] * (place + 1)
    parts[place] = STATUS.removeprefix(b"--b\n") + b"Final-Recipient: rfc822; ada@example.net\nStatus: 5.1.1\n"
    content = REPORT + b"".join(b"--b\n" + part for part in parts) + b"--b--\n"

    assert len(read(content, clock=CLOCK)) == found


def blocks(*told: bytes) -> bytes:
    return REPORT + STATUS + b"\n\n".join(told)


def test_the_fields_of_a_block_are_bounded() -> None:
    last = b"X-Last: here"
    few, many = (b"\n".join(b"x%d: 1" % n for n in range(count)) for count in (FIELDS_LIMIT - 3, FIELDS_LIMIT - 2))
    block = b"Final-Recipient: rfc822; ada@example.net\nStatus: 5.1.1\n"

    assert "x-last" in (one(blocks(b"", block + few + b"\n" + last)).about.raw or {})
    assert "x-last" not in (one(blocks(b"", block + many + b"\n" + last)).about.raw or {})


def test_the_bytes_of_a_block_are_bounded() -> None:
    [event] = read(blocks(b"Final-Recipient: rfc822; a@b\nStatus: 5.1.1\nX-Long: " + b"y" * 2 * HEADER_LIMIT))

    assert HEADER_LIMIT - 100 < len(str(event.about.raw)) < HEADER_LIMIT + 100


@pytest.mark.parametrize("name", MESSAGE_FIELDS)
def test_what_is_said_of_the_message_is_kept_with_each_person_and_cut(name: str) -> None:
    content = changed("Reporting-MTA: dns; mx.example.net", f"{name}: {'z' * (VALUE_LIMIT + 1)}\nX-Other: 1")

    raw = one(content).about.raw or {}
    assert raw[name] == "z" * VALUE_LIMIT
    assert "x-other" not in raw


def test_another_field_of_the_message_says_nothing_about_a_person() -> None:
    content = changed("Action: failed\nStatus: 5.1.1\n", "").replace(b"5.1.1", b"")
    content = content.replace(b"Reporting-MTA:", b"Status: 5.1.1\nAction: failed\nReporting-MTA:")

    assert read(without_words(content), clock=CLOCK) == ()


@pytest.mark.parametrize(
    "content",
    [
        blocks(
            b"\n".join(b"x%d:" % n for n in range(45_000)),
            *(b"Final-Recipient: rfc822; a%d@x\nStatus: 5.1.1" % n for n in range(300)),
        ),
        blocks(
            *(name.encode() + b": " + b"m" * 100_000 for name in MESSAGE_FIELDS),
            *(b"Final-Recipient: rfc822; a%d@x\nStatus: 5.1.1" % n for n in range(1_000)),
        ),
        blocks(
            *(b"x%d:" % n for n in range(500)),
            *(b"Final-Recipient: rfc822; a%d@x\nStatus: 5.1.1" % n for n in range(1_000)),
        ),
        blocks(*(b"Final-Recipient: a@x\nDiagnostic-Code: %d %s" % (n, b"550 " * 5_000) for n in range(40))),
    ],
    ids=["fields", "values", "messages", "recipients"],
)
def test_what_a_report_tells_never_outgrows_the_mail(content: bytes) -> None:
    begun = time.perf_counter()
    kept = sum(len(write_event(event)) for event in read(content, clock=CLOCK))

    assert time.perf_counter() - begun < 5
    assert kept < 4 * max(len(content), 1_000_000)


@pytest.mark.parametrize("name", [path.stem for path in SAMPLES.glob("*.eml")])
def test_what_was_read_can_be_kept_and_read_again(name: str) -> None:
    for event in read(sample(name), clock=CLOCK):
        assert read_event(write_event(event)) == event


# ---- hostile ---------------------------------------------------------------------------------------------------------

ENCODED = REPORT + b"--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: "


@pytest.mark.parametrize(
    "content",
    [
        b"", b"delivery-status", b"\n" * 1_000_000 + b"delivery-status",
        b"Content-Type: multipart/report; " + b'a="x;";' * 150_000 + b"\n\ndelivery-status",
        b"Content-Type: multipart/report; " + b"boundary=" * 100_000 + b"delivery-status",
        b"Content-Type: multipart/" + b" " * 1_000_000 + b"delivery-status",
        b"delivery-status:" + b"\n a" * 300_000,
        REPORT + b"--b\n" * 250_000,
        REPORT + STATUS + b"\n \t" * 300_000,
        REPORT + STATUS + b"Final-Recipient: " + b";" * 1_000_000,
        REPORT + STATUS + b"Final-Recipient: x\nStatus: " + b"5." * 500_000,
        REPORT + STATUS + b"Final-Recipient: x\nDiagnostic-Code: " + b"5.1.1" * 200_000,
        REPORT + STATUS + b"Final-Recipient: utf-8; @" + b"\\x{" * 300_000 + b"\nStatus: 5.1.1",
        REPORT + STATUS + b"Final-Recipient: x@\nStatus: 5.1.1\nLast-Attempt-Date: " + b"(" * 500_000,
        ENCODED + b"base64\n\n" + b"A" * 1_000_001,
        ENCODED + b"base64\n\n" + b"=" * 1_000_001,
        ENCODED + b"quoted-printable\n\n" + b"=" * 999,
        (REPORT + b"--b\n") * 10_000,
    ],
    ids=lambda content: repr(content[:12] + content[-12:]),
)  # fmt: skip
def test_hostile_mail_is_read_in_no_time(content: bytes) -> None:
    begun = time.perf_counter()
    events = read(content, clock=CLOCK)

    assert time.perf_counter() - begun < 5
    assert len(events) <= 1


BYTES = st.binary(max_size=60)
PIECES = st.sampled_from(
    [
        b"\n", b"\r\n", b"--b", b"--b--", b": ", b"\n\n", b";", b"Final-Recipient: rfc822; a@b", b"Action: failed",
        b"Status: 5.1.1", b"Content-Type: message/rfc822", b"Content-Type: message/delivery-status", b"\n ",
        b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"=", b"\xff", b"\x00",
        b"Message-ID: <d1@x>", b"Last-Attempt-Date: 1 Jan 2026 00:00 +0000", b"boundary=", b"Original-Envelope-Id: +4",
    ]
)  # fmt: skip


@given(st.lists(BYTES | PIECES, max_size=40).map(b"".join), st.sampled_from([b"", REPORT, REPORT + b"\n" + STATUS]))
def test_any_bytes_are_read_without_harm(rest: bytes, start: bytes) -> None:
    for event in read(start + rest, clock=CLOCK):
        assert read_event(write_event(event)) == event
        write_event(event).encode()


ADDRESS = st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True)
STATUSES = st.sampled_from(["2.1.5", "4.4.1", "5.1.1", "5.2.2", "5.7.1"])
ACTIONS = st.sampled_from(["failed", "delayed", "delivered", "relayed", "expanded"])


@given(st.lists(st.tuples(ADDRESS, ACTIONS, STATUSES), min_size=1, max_size=5, unique_by=lambda told: told[0]))
def test_what_the_standard_library_writes_is_read(people: list[tuple[str, str, str]]) -> None:
    status = Message()
    status["Content-Type"] = "message/delivery-status"
    blocks = [f"Final-Recipient: rfc822; {who}\nAction: {action}\nStatus: {code}" for who, action, code in people]
    status.set_payload([message_from_string(block) for block in ("Reporting-MTA: dns; mx.example", *blocks)])
    report = MIMEMultipart("report", None, [MIMEText("Sorry."), status], report_type="delivery-status")
    report["Message-ID"] = "<r@mx.example>"
    events = read(report.as_bytes(), clock=CLOCK)

    assert [event.about.recipient for event in events] == [who for who, _, _ in people]
    assert [(event.about.raw or {})["action"] for event in events] == [action for _, action, _ in people]


# ---- letters: what follows no standard -------------------------------------------------------------------------------

FLUFL = SAMPLES / "flufl"

OF_FLUFL: dict[str, tuple[str, ...]] = {
    "aol_01": ("screenname@AOL.com",),
    "bounce_01": ("swun@example.com.au",),  # names "dylan" alone; the returned mail tells whom it was sent to
    "bounce_02": ("userx@example.com",),
    "bounce_03": ("userx@example.uk",),
    "caiwireless_01": ("userx@example.com",),
    "dsn_01": ("userx@example.com",),
    "dsn_02": ("zzzzz@example.uk",),
    "dsn_03": ("userx@example.be",),
    "dsn_04": ("userx@example.ch",),
    "dsn_09": ("userx@example.com",),
    "dsn_10": ("anne.person@dom.ain",),
    "dsn_11": ("joem@example.com",),
    "dsn_12": ("userx@example.jp",),
    "dsn_13": ("userx@example.com",),
    "dsn_14": ("userx@example.com.dk",),
    "dsn_15": ("userx@example.com",),
    "dsn_16": ("userx@example.com",),
    "dsn_18": ("email@replaced.net",),
    "exim_01": ("userx@its.example.nl",),
    "groupwise_01": ("userx@example.EDU",),
    "groupwise_02": ("userx@example.com",),
    "hotpop_01": ("userx@example.com",),
    "llnl_01": ("user1@example.gov",),
    "microsoft_01": ("userx@example.COM",),
    "microsoft_02": ("userx@example.COM",),
    "microsoft_04": ("userx@example.COM",),
    "netscape_01": ("aaaaa@corel.com", "bbbbb@corel.com"),
    "newmailru_01": ("zzzzz@newmail.ru",),
    "postfix_01": ("xxxxx@local.ie",),
    "postfix_02": ("yyyyy@digicool.com",),
    "postfix_03": ("ttttt@ggggg.com",),
    "postfix_04": ("userx@mail1.example.com",),
    "postfix_05": ("userx@example.net",),
    "qmail_01": ("userx@example.de",),
    "qmail_02": ("userx@example.com",),
    "qmail_03": ("userx@example.jp",),
    "qmail_04": ("userx@example.au",),
    "qmail_05": ("userx@example.com",),
    "qmail_06": ("ntl@xxx.com",),
    "qmail_07": ("user@example.net",),
    "sendmail_01": ("zzzzz@shaft.coal.nl",),  # expanded from another, which flufl.bounce names too
    "simple_01": ("bbbsss@example.com",),
    "simple_02": ("userx@example.net",),
    "simple_04": ("userx@example.com",),
    "simple_05": ("userx@example.net",),
    "simple_06": ("userx@example.com",),
    "simple_07": ("userx@example.net",),
    "simple_08": ("userx@example.de",),
    "simple_09": ("userx@example.de",),
    "simple_10": ("userx@example.com",),
    "simple_11": ("userx@example.com",),
    "simple_12": ("userx@example.ac.jp",),
    "simple_13": ("userx@example.fr",),
    "simple_14": ("usery@example.com", "userx@example.com"),
    "simple_15": ("userx@example.be",),
    "simple_16": ("userx@example.com",),
    "simple_17": ("userx@example.com",),
    "simple_18": ("userx@example.com",),
    "simple_19": ("userx@example.com.ar",),
    "simple_23": ("userx@example.it",),
    "simple_24": ("userx@example.com",),
    "simple_25": ("userx@example.com",),
    "simple_26": ("userx@example.it",),
    "simple_27": ("userx@example.net.py",),
    "simple_29": ("userx@example.com",),
    "simple_30": ("userx@example.com",),
    "simple_31": ("userx@example.fr",),
    "simple_32": ("userx@example.com",),
    "simple_33": ("userx@example.com",),
    "simple_34": ("roland@example.com",),
    "simple_36": ("userx@example.com",),
    "simple_37": ("user@example.edu",),
    "simple_38": ("userx@example.com",),
    "simple_39": ("userx@example.ru",),
    "simple_41": ("userx@example.com",),
    "simple_42": ("david...@gmail.com",),  # as the server reports it, whether or not mail can be sent there
    "simple_43": ("test-a@listserv.our-domain.de",),  # named by the returned mail alone
    "simple_44": ("user@example.com",),
    "simple_45": ("subscriber@earthlink.net",),
    "sina_01": ("userx@sina.com", "usery@sina.com"),
    "smtp32_01": ("userx@example.ph",),
    "smtp32_02": ("userx@example.com",),
    "smtp32_03": ("userx@example.com",),
    "smtp32_04": ("after_another@example.net", "one_bad_address@example.net"),
    "smtp32_05": ("userx@example.com",),
    "smtp32_06": ("Absolute_garbage_addr@example.net",),
    "smtp32_07": ("userx@example.com",),
    "yahoo_01": ("userx@example.com",),
    "yahoo_02": ("userx@example.es",),
    "yahoo_03": ("userx@example.com",),
    "yahoo_04": ("userx@example.es", "usery@example.uk"),
    "yahoo_05": ("userx@example.com", "usery@example.com"),
    "yahoo_06": ("userx@example.com", "usery@example.com", "userz@example.com", "usera@example.com"),
    "yahoo_07": ("userw@example.com", "userx@example.com", "usery@example.com", "userz@example.com"),
    "yahoo_08": tuple(f"user{letter}@example.com" for letter in "abcdef"),
    "yahoo_09": ("userx@example.com", "usery@example.com"),
    "yahoo_10": ("userx@example.com", "usery@example.com", "userz@example.com"),
    "yahoo_11": ("bad_user@aol.com",),
    "yahoo_12": ("user@yahoo.com",),
    "yahoo_13": ("bogus-address@example.net",),
    "yale_01": ("mike.fox@yale.edu",),  # wrong: it names the person without a domain, and others as examples
}
"""Whom the mails of flufl.bounce bounced for; where its own tests say otherwise, the reason stands beside it."""

DELAYED_OF_FLUFL = {
    "dsn_05": "userx@example.cz",
    "dsn_06": "userx@example.com",
    "dsn_07": "userx@example.nz",
    "dsn_08": "userx@example.de",
    "dsn_17": "userx@example.fi",
    "simple_03": "userx@example.za",
    "simple_21": "userx@example.com",
    "simple_22": "User@example.org",
    "simple_28": "userx@example.com",
    "simple_35": "calvin@example.com",
    "simple_40": "user@example.com",
}

NO_BOUNCES_OF_FLUFL = {
    "groupwise_03",  # a person's
    "qmail_08",  # a machine's answer
    "microsoft_03",  # as far as its header goes, it comes from a mailing list
    "simple_20",  # from a person's address, as far as can be told, and without the mail it speaks of
}

ALL_OF_FLUFL = sorted(path.stem for path in FLUFL.glob("*.txt"))


def flufl(name: str) -> bytes:
    return (FLUFL / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("name", OF_FLUFL)
def test_real_bounce_mail_tells_whom_it_failed_for(name: str) -> None:
    events = read(flufl(name), clock=CLOCK)

    assert [type(event) for event in events] == [Bounced] * len(events)
    assert sorted(event.about.recipient for event in events) == sorted(OF_FLUFL[name])


@pytest.mark.parametrize("name", DELAYED_OF_FLUFL)
def test_real_mail_that_is_tried_on_is_no_bounce(name: str) -> None:
    event = one(flufl(name))

    assert (type(event), event.about.recipient) == (Deferred, DELAYED_OF_FLUFL[name])


def test_the_other_mails_of_flufl_bounce_no_address() -> None:
    others = set(ALL_OF_FLUFL) - set(OF_FLUFL) - set(DELAYED_OF_FLUFL) - {"__init__"}

    assert others == {*NO_BOUNCES_OF_FLUFL, "dumbass_01"}
    assert not any(isinstance(event, Bounced) for name in NO_BOUNCES_OF_FLUFL for event in read(flufl(name)))
    assert [event.about.recipient for event in read(flufl("dumbass_01"))] in ([], [""])


CAUSES_OF_FLUFL = {
    Cause.NO_SUCH_USER: (
        "bounce_02 dsn_10 dsn_11 dsn_12 dsn_14 dsn_15 dsn_16 exim_01 groupwise_01 groupwise_02 microsoft_01 postfix_01"
        " qmail_03 qmail_04 qmail_05 simple_05 simple_08 simple_11 simple_12 simple_13 simple_15 simple_19 simple_23"
        " simple_25 simple_26 simple_27 simple_29 simple_30 simple_34 simple_36 simple_37 simple_39 simple_41 smtp32_04"
        " smtp32_07 yahoo_11 yahoo_13"
    ),
    Cause.MAILBOX_FULL: (
        "hotpop_01 newmailru_01 postfix_04 qmail_02 qmail_06 qmail_07 simple_07 simple_09 simple_14 simple_38 simple_45"
        " yahoo_02 yahoo_04"
    ),
    Cause.MAILBOX_DISABLED: "bounce_03 yahoo_03 yahoo_05 yahoo_09",
    Cause.NO_SUCH_DOMAIN: "postfix_02 simple_04 simple_32",
    Cause.LOOP: "sendmail_01 simple_18",
    Cause.EXPIRED: "dsn_02 simple_44 smtp32_01 yahoo_01",
    Cause.SPAM: "simple_42",
    Cause.TOO_LARGE: "dsn_03",
    Cause.SYSTEM_ERROR: "postfix_03",
    Cause.RECIPIENT_REFUSES: "aol_01",
    Cause.UNKNOWN: "qmail_01 simple_10 simple_17 smtp32_03",
}


@pytest.mark.parametrize(("cause", "names"), CAUSES_OF_FLUFL.items())
def test_real_bounce_mail_tells_why(cause: Cause, names: str) -> None:
    told = {name: {event.cause for event in read(flufl(name)) if isinstance(event, Bounced)} for name in names.split()}

    assert told == {name: {cause} for name in names.split()}


def mail(body: str, **head: str) -> bytes:
    fields = {"from": "MAILER-DAEMON@mx.example.net", "to": "bounces@shop.example", "subject": "failure notice", **head}
    return (
        "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items()).encode()
        + b"\n"
        + body.encode()
    )


EXIM = """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@example.net
    host mx.example.net [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<ada@example.net>:
    550 5.1.1 User unknown
  bob@example.net
    (generated from team@example.net)
    552 5.2.2 mailbox full

------ This is a copy of the message, including all the headers. ------

From: hello@shop.example
To: ada@example.net, team@example.net
Message-ID: <d7@shop.example>
"""


def test_each_person_of_a_letter_has_a_reason_of_their_own() -> None:
    events = read(mail(EXIM), clock=CLOCK)

    assert [(event.about.recipient, event.kind, event.cause) for event in events if isinstance(event, Bounced)] == [
        ("ada@example.net", BounceKind.HARD, Cause.NO_SUCH_USER),
        ("team@example.net", BounceKind.SOFT, Cause.MAILBOX_FULL),
    ]
    assert {event.about.delivery_id for event in events} == {"d7"}
    assert len({event.about.key for event in events}) == 2


def test_the_failed_of_the_header_are_those_of_the_letter() -> None:
    events = read(mail(EXIM, x_failed_recipients="ada@example.net, bob@example.net"), clock=CLOCK)

    assert [(event.about.recipient, event.status) for event in events if isinstance(event, Bounced)] == [
        ("ada@example.net", "5.1.1"),
        ("bob@example.net", "5.2.2"),
    ]


IN_MANY_TONGUES = {
    "de": ("Unzustellbar: Ihre Bestellung", "Ihre Nachricht konnte nicht zugestellt werden:", "Empfänger unbekannt"),
    "fr": ("Non remis : commande", "Votre message n'a pas pu être remis :", "utilisateur inconnu"),
    "es": ("No se puede entregar: pedido", "No se pudo entregar el mensaje:", "usuario desconocido"),
    "it": ("Non recapitabile: ordine", "Non è stato possibile consegnare:", "utente sconosciuto"),
    "pt": ("Não é possível entregar: pedido", "A mensagem não pôde ser entregue:", "usuário desconhecido"),
    "nl": ("Onbestelbaar: bestelling", "Het bericht kon niet worden bezorgd:", "onbekende gebruiker"),
    "pl": ("Niedostarczalne: zamówienie", "Nie można dostarczyć:", "nieznany użytkownik"),
    "ru": ("Недоставленное сообщение", "Письмо не доставлено:", "нет такого пользователя"),
    "ja": ("配信不能", "以下の宛先に配信できません:", "宛先不明"),
    "zh": ("系统退信", "您的邮件被退回", "该用户不存在"),
}


@pytest.mark.parametrize("tongue", IN_MANY_TONGUES)
@pytest.mark.parametrize("encoded", [False, True])
def test_a_letter_is_read_in_many_tongues(tongue: str, encoded: bool) -> None:
    subject, *said = IN_MANY_TONGUES[tongue]
    if encoded:
        subject = f"=?utf-8?b?{base64.b64encode(subject.encode()).decode()}?="
    body = "\n\nada@example.net\n\n".join(said)
    event = one(mail(body, **{"from": "postmaster@mx.example.net", "subject": subject}))

    assert isinstance(event, Bounced)
    assert (event.about.recipient, event.cause) == ("ada@example.net", Cause.NO_SUCH_USER)


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("iso-2022-jp", "配信できません:\n\nada@example.net\n\n宛先不明"),
        ("gb2312", "邮件被退回\n收件人 ada@example.net\n用户不存在"),
        ("koi8-r", "Письмо не доставлено:\n\nada@example.net\n\nпользователь не найден"),
        ("windows-1252", "konnte nicht zugestellt werden:\n\nada@example.net\n\nEmpfänger unbekannt"),
    ],
)
def test_a_letter_is_read_in_its_charset(charset: str, body: str) -> None:
    head = f"From: postmaster@mx.example.net\nSubject: failure notice\nContent-Type: text/plain; charset={charset}\n\n"
    event = one(head.encode() + body.encode(charset))

    assert isinstance(event, Bounced)
    assert (event.about.recipient, event.cause) == ("ada@example.net", Cause.NO_SUCH_USER)


def test_a_reason_in_chinese_counts_though_it_touches_the_address() -> None:
    body = (
        "您的邮件被退回\n收件人：ada@example.net\n退信原因：收件人邮件地址（ada@example.net）不存在，邮件无法送达。\n"
    )
    event = one(mail(body, subject="系统退信"))

    assert isinstance(event, Bounced)
    assert (event.about.recipient, event.cause) == ("ada@example.net", Cause.NO_SUCH_USER)


OPENSMTPD = """    Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this email.

    A message is delayed for more than 4 hours for the following
    list of recipients:

ada@example.net: 421 try later

    Please note that this is only a temporary failure report.
    The message is kept in the queue for up to 4 days.
"""


def test_opensmtpds_warning_is_no_bounce() -> None:
    event = one(mail(OPENSMTPD, subject="Delivery status notification: warning"))

    assert (type(event), event.about.recipient) == (Deferred, "ada@example.net")


@pytest.mark.parametrize(
    "subject",
    [
        "Delivery Status Notification (Delay)",
        "Zustellung verzögert: Bestellung",
        "=?utf-8?Q?Zustellung_verz=C3=B6gert?=",
    ],
)
def test_a_subject_that_says_delayed_is_no_bounce(subject: str) -> None:
    event = one(mail("Could not be delivered yet:\n\nada@example.net\n", subject=subject))

    assert (type(event), event.about.recipient) == (Deferred, "ada@example.net")


def test_a_letter_from_verizons_post_master_is_read() -> None:
    event = one(
        mail(
            "Error: The recipient address is invalid.\n  Message details:\n  RCPT TO: ada@vtext.example\n",
            **{"from": "post_master@vtext.example", "subject": "Undeliverable Message"},
        )
    )

    assert (type(event), event.about.recipient) == (Bounced, "ada@vtext.example")


def test_a_letter_in_html_alone_is_read() -> None:
    body = (
        "<html><head><title>x@y.example</title></head>"
        "<p>Could not be delivered to:<br>&lt;ada@example.net&gt;<br>User unknown</html>"
    )
    event = one(mail(body, content_type="text/html"))

    assert isinstance(event, Bounced)
    assert (event.about.recipient, event.cause) == ("ada@example.net", Cause.NO_SUCH_USER)


@pytest.mark.parametrize(
    ("said", "recipient"),
    [
        ("<ada@example.net>:", "ada@example.net"),
        ('<"ada b"@example.net>:', '"ada b"@example.net'),
        ("收件人ada@example.net", "ada@example.net"),
        ("SMTP=ada@example.net", "ada@example.net"),
        ("'ada@example.net'", "ada@example.net"),
        ("ada@example.net-", "ada@example.net"),
        ("jörg@müller.example", "jörg@müller.example"),
        (f"{'a' * 64}@example.net", f"{'a' * 64}@example.net"),
        (f"{'a' * 65}@example.net", ""),
        ("x@y.example@example.net", "x@y.example"),
        ("ada@localhost", ""),
        ('""@example.net', ""),
        ("@example.net", ""),
    ],
)
def test_an_address_is_found_whatever_stands_around_it(said: str, recipient: str) -> None:
    event = one(mail(f"Could not be delivered to:\n\n{said}\n", content_type="text/plain; charset=utf-8"))

    assert (type(event), event.about.recipient) == (Bounced, recipient)


def test_a_letter_that_names_nobody_still_tells_the_mail() -> None:
    returned = "--- Original message follows.\nMessage-ID: <d7@shop.example>\nFrom: x@y.example\n"
    event = one(mail("Sorry, it could not be delivered.\n\n" + returned))

    assert isinstance(event, Bounced)
    assert (event.about.recipient, event.about.delivery_id) == ("", "d7")


def test_a_script_that_refuses_a_mail_bounces_it() -> None:
    refused = flufl("simple_38")

    assert isinstance(one(refused), Bounced)
    assert read(refused.replace(b"MDN-sent-automatically; deleted", b"MDN-sent-automatically; displayed")) == ()


# ---- what is none of all that ----------------------------------------------------------------------------------------

QUOTED = (
    "> <ada@example.net>: host mx said: 550 5.1.1 User unknown\n> --- Original message follows.\n> From: x@y.example\n"
)


def written(sender: str, subject: str, body: str = EXIM, **head: str) -> bytes:
    return mail(body, **{"from": sender, "subject": subject}, **head)


BOB = "Bob <bob@example.net>"
NO_BOUNCES = {
    "a newsletter": written("news@shop.example", "failure notice", list_unsubscribe="<https://shop.example>"),
    "a mailing list": written(BOB, "failure notice", list_id="<list.example.net>"),
    "an answer": written(BOB, "Re: Undelivered Mail Returned to Sender", "What is this?\n\n" + QUOTED),
    "an answer in German": written(BOB, "AW: Unzustellbar: hi", "?\n\n" + QUOTED),
    "a forwarded one": written(BOB, "Fwd: Mail delivery failed: returning message to sender"),
    "a parcel": written("post@parcel.example", "Delivery failed", "It could not be delivered to\n\nada@example.net\n"),
    "a question": written(BOB, "Delivery failure", "ada@example.net\n\ncould not be delivered (550). Why?\n"),
    "a notice": written("postmaster@example.net", "Maintenance", "Servers rest on Sunday. Ask noc@example.net\n"),
    "a security notice": written("System Administrator <it@example.net>", "News", "bob@example.net has been blocked."),
    "a success": written("MAILER-DAEMON@example.net", "Successful Mail Delivery Report", "Sent to ada@example.net\n"),
    "a holiday": written(BOB, "Away", "It could not be delivered to me; ask ada@example.net", return_path="<>"),
    "a receipt for reading": REPORT.replace(b"delivery-status", b"disposition-notification")
    + b"--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;a@b.example\n"
    b"Disposition: manual-action/MDN-sent-manually; displayed\n--b--\n",
    "thrown away unread": REPORT.replace(b"delivery-status", b"disposition-notification")
    + b"--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;a@b.example\n"
    b"Disposition: manual-action/MDN-sent-manually; deleted\n--b--\n",
    "a report passed on in parts": sample("hard")
    .replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
    .replace(b"Mail Delivery <mailer-daemon@mx.example.net>", BOB.encode())
    .replace(b"Subject: Undelivered mail", b"Subject: Fwd: Undelivered mail")
    .replace(b"Return-Path: <>", b"Return-Path: <bob@example.net>")
    .replace(b"Auto-Submitted: auto-replied\n", b""),
    "a policy report": written("noreply-dmarc@example.net", "Report domain: shop.example"),
}


@pytest.mark.parametrize("name", NO_BOUNCES)
def test_what_only_looks_like_a_bounce_gives_nothing(name: str) -> None:
    assert read(NO_BOUNCES[name], clock=CLOCK) == ()


# ---- answers of machines ---------------------------------------------------------------------------------------------

ANSWERS = (
    {"auto-submitted": "auto-replied"},
    {"auto-submitted": "auto-replied (vacation)"},
    {"x-autoreply": "yes"},
    {"x-autorespond": "hello"},
    {"precedence": "auto_reply"},
    {"x-precedence": "auto_reply"},
    {"subject": "Automatic reply: Your order"},
    {"subject": "Re: Automatic reply: Your order"},
    {"subject": "Out of Office: Your order"},
    {"subject": "Abwesenheitsnotiz: Ihre Bestellung"},
    {"subject": "=?utf-8?Q?R=C3=A9ponse_automatique_=3A_commande?="},
    {"subject": "Respuesta automática: pedido"},
    {"subject": "Risposta automatica: ordine"},
    {"subject": "Автоответ: заказ"},
    {"subject": "自動応答: 注文"},
    {"subject": "自动回复: 订单"},
    {"subject": "Ada Lovelace is out of the office."},
)


@pytest.mark.parametrize("head", ANSWERS, ids=str)
def test_a_machine_that_answers_bounces_nothing(head: dict[str, str]) -> None:
    person = {"from": "Ada <ada@example.net>", "subject": "Your order", "in-reply-to": "<d7@shop.example>"}
    event = one(mail("I am away. Your mail could not be delivered to me; ask bob@example.net.\n", **{**person, **head}))

    assert isinstance(event, AutoReplied)
    assert (event.about.recipient, event.about.delivery_id) == ("ada@example.net", "d7")


def test_a_bounce_mail_that_a_machine_sends_is_a_bounce() -> None:
    assert isinstance(one(mail(EXIM.replace("bob@", "x"), auto_submitted="auto-replied")), Bounced)
    assert isinstance(one(sample("hard")), Bounced)


def test_what_only_a_machine_wrote_is_no_answer() -> None:
    assert (
        read(mail("Your order.", **{"from": "a@b.example", "subject": "Order 7"}, auto_submitted="auto-generated"))
        == ()
    )


# ---- complaints ------------------------------------------------------------------------------------------------------


def complaint(report: str, returned: str = "To: ada@example.net\nMessage-ID: <d1@shop.example>\n") -> bytes:
    return (
        "From: Feedback <fbl@example.net>\nDate: Fri, 02 Jan 2026 06:00:08 +0000\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=x\n\n"
        "--x\nContent-Type: text/plain\n\nAn email abuse report. User unknown, it could not be delivered.\n\n"
        f"--x\nContent-Type: message/feedback-report\n\n{report}\n"
        f"--x\nContent-Type: message/rfc822\n\n{returned}\n--x--\n"
    ).encode()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("abuse", Complained), ("Abuse", Complained), ("fraud", Complained), ("virus", Complained),
        ("other", Complained),
        ("opt-out", Unsubscribed), ("opt-out-list", Unsubscribed), ("not-spam", None), ("auth-failure", None),
        ("dmarc", None), ("unheard-of", None), ("", None),
    ],
)  # fmt: skip
def test_a_feedback_report_is_a_complaint_or_none(told: str, expected: type | None) -> None:
    events = read(complaint(f"Feedback-Type: {told}\nOriginal-Rcpt-To: <ada@example.net>\n"), clock=CLOCK)

    assert [type(event) for event in events] == ([] if expected is None else [expected])
    assert [event.about.recipient for event in events] == ["ada@example.net"] * len(events)


@pytest.mark.parametrize(
    ("report", "returned", "people"),
    [
        ("Original-Rcpt-To: <a@b.example>\nOriginal-Rcpt-To: <c@b.example>", "", ["a@b.example", "c@b.example"]),
        ("Removal-Recipient: a@b.example", "To: x@y.example", ["a@b.example"]),
        ("Original-Rcpt-To: <redacted@b.example>", "To: a@b.example", ["a@b.example"]),
        ("Original-Rcpt-To: [redacted]@b.example", "To: redacted@b.example", [""]),
        ("", "X-HmXmrOriginalRecipient: a@b.example\nTo: x@y.example", ["a@b.example"]),
        ("", "To: a@b.example, c@d.example", [""]),
        ("", "Subject: hi", [""]),
    ],
)
def test_who_complained_is_told_by_the_report_or_by_the_mail_it_returns(
    report: str, returned: str, people: list[str]
) -> None:
    events = read(
        complaint(f"Feedback-Type: abuse\n{report}\n", returned + "\nMessage-ID: <d1@shop.example>\n"), clock=CLOCK
    )

    assert [event.about.recipient for event in events] == people
    assert {event.about.delivery_id for event in events} == {"d1"}


def test_a_complaint_that_does_not_say_to_be_a_report_is_one() -> None:
    content = complaint("Feedback-Type: abuse\nOriginal-Rcpt-To: <ada@example.net>\n")
    content = content.replace(b"multipart/report; report-type=feedback-report", b"multipart/mixed")

    assert type(one(content)) is Complained
    assert read(content.replace(b"From:", b"Subject: Fwd: Complaint\nFrom:"), clock=CLOCK) == ()


def test_hotmails_old_form_is_a_complaint() -> None:
    content = (
        b"From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\n"
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n\n"
        b"X-HmXmrOriginalRecipient: ada@hotmail.example\nMessage-ID: <d1@shop.example>\n\nhi\n--x--\n"
    )

    assert (type(one(content)), one(content).about.recipient) == (Complained, "ada@hotmail.example")
    assert read(content.replace(b"message/rfc822", b"text/plain")) == ()


# ---- proof -----------------------------------------------------------------------------------------------------------

TOKENS = Tokens((b"k" * 32,))
OURS = DeliveryId("0192f0c1d2e3")
FORM = signed(OURS, TOKENS)
RETURN = str(return_address(OURS, "bounces.shop.example", TOKENS))

PROOFS = {
    "the address it went to": changed("To: bounces@shop.example", f"To: <{RETURN}>"),
    "in capitals": changed("To: bounces@shop.example", f"To: <{RETURN.upper()}>"),
    "Delivered-To": changed("To: bounces@shop.example", f"Delivered-To: {RETURN}"),
    "Delivered-To, further down": changed(
        "To: bounces@shop.example", f"Delivered-To: box@shop.example\nDelivered-To: {RETURN}"
    ),
    "X-Original-To": changed("To: bounces@shop.example", f"X-Original-To: {RETURN}"),
    "Envelope-To": changed("To: bounces@shop.example", f"Envelope-To: {RETURN}"),
    "the envelope id": changed("Reporting-MTA:", f"Original-Envelope-Id: {envelope_id(OURS, TOKENS)}\nReporting-MTA:"),
    "the returned mail's mark": changed("Subject: Your order", f"X-Delivery: {FORM}"),
    "the returned mail's return path": changed("Subject: Your order", f"Return-Path: <{RETURN}>"),
    "a letter's address": mail(EXIM, to=RETURN),
    "a complaint": complaint("Feedback-Type: abuse", f"To: redacted@b.example\nX-Delivery: {FORM}\n"),
    "an answer": mail("away", **{"from": "ada@example.net", "to": RETURN}, auto_submitted="auto-replied"),
}


@pytest.mark.parametrize("name", PROOFS)
def test_what_carries_our_signed_form_is_proven(name: str) -> None:
    events = read(PROOFS[name], tokens=TOKENS, clock=CLOCK)

    assert events
    assert {(event.about.delivery_id, event.about.source) for event in events} == {(OURS, PROVEN)}


@pytest.mark.parametrize("name", PROOFS)
def test_what_others_signed_is_not_proven(name: str) -> None:
    for tokens in (None, Tokens((b"x" * 32,))):
        assert {event.about.source for event in read(PROOFS[name], tokens=tokens, clock=CLOCK)} == {SOURCE}


def test_a_retired_key_still_proves() -> None:
    both = Tokens((b"n" * 32, b"k" * 32))

    assert {event.about.source for event in read(PROOFS["X-Original-To"], tokens=both)} == {PROVEN}


def test_a_signature_proves_the_mail_and_not_the_person() -> None:
    """Whoever got a mail of ours can send a report on it that names somebody else."""
    for content in (PROOFS["X-Original-To"], PROOFS["a complaint"]):
        [proven] = read(content, tokens=TOKENS, clock=CLOCK)

        assert why_not_to_write([proven]) is None


# ---- any bytes, changed in any way -----------------------------------------------------------------------------------

REAL = [flufl(name) for name in ALL_OF_FLUFL] + [path.read_bytes() for path in SAMPLES.glob("*.eml")]


@pytest.mark.parametrize("name", ALL_OF_FLUFL)
@pytest.mark.parametrize("ends", [b"\r\n", b"\r"])
def test_line_ends_change_nothing_in_real_mail(name: str, ends: bytes) -> None:
    content = flufl(name).replace(b"\r\n", b"\n")

    assert read(content.replace(b"\n", ends), clock=CLOCK) == read(content, clock=CLOCK)


@given(
    st.sampled_from(REAL),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2), BYTES | PIECES), max_size=6),
)
def test_real_mail_changed_in_any_way_is_read_without_harm(
    content: bytes, changes: list[tuple[float, float, bytes]]
) -> None:
    for place, cut, put in changes:
        at = int(place * len(content))
        content = content[:at] + put + content[at + int(cut * len(content)) :]
    for event in read(content, tokens=TOKENS, clock=CLOCK):
        assert read_event(write_event(event)) == event
        write_event(event).encode()


LETTER = b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n"


@pytest.mark.parametrize(
    "content",
    [
        LETTER + b"\n" + b"a@b.example " * 80_000,
        LETTER + b"\n" + b"<a@b.example>:\nno such user\n" * 30_000,
        LETTER + b"\n" + b"".join(b"<a%d@b.example>:\nno such user\n" % n for n in range(30_000)),
        LETTER + b"\n" + b"@" * 1_000_000,
        LETTER + b"\n" + b"a" * 1_000_000 + b"@b.example",
        LETTER + b"\n" + b"a@" + b"b." * 500_000,
        LETTER + b"\n" + b"original message" * 60_000,
        LETTER + b"\n" + b"-- original message x" * 60_000,
        LETTER + b"Content-Type: text/html\n\n" + b"<style" * 150_000,
        LETTER + b"Content-Type: text/html\n\n" + b"<" * 900_000,
        LETTER + b"Content-Type: text/html\n\n" + b'<"' * 400_000,
        LETTER + b"Content-Type: text/html\n\n" + b"&" * 900_000,
        LETTER + b"Content-Type: text/plain; charset=punycode\n\n" + b"a" * 900_000,
        LETTER + b"Content-Type: text/plain; charset=" + b"x" * 60_000 + b"\n\n",
        LETTER + b"Subject: " + b"=?utf-8?q?" * 6_000 + b"\n\n",
        LETTER + b"X-Failed-Recipients: " + b"a@b.example," * 5_000 + b"\n\n",
        LETTER + b"From:" + b"\n a" * 20_000 + b"\n\n",
        LETTER + b"\n" + b"(generated from a@b.example) " * 30_000,
        LETTER + b"\n" + b"550 5.1.1 " * 90_000,
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 20_000),
        b"Content-Type: multipart/report; boundary=b\n\n" + b"\n--bb" * 180_000,
        complaint("Feedback-Type: abuse\n" + "Original-Rcpt-To: <a@b.example>\n" * 20_000),
    ],
    ids=lambda content: repr(content[-24:]),
)  # fmt: skip
def test_hostile_letters_are_read_in_no_time(content: bytes) -> None:
    begun = time.perf_counter()
    events = read(content, tokens=TOKENS, clock=CLOCK)

    assert time.perf_counter() - begun < 2
    assert len(events) <= 100
