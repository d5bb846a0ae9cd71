"""Bounce mail: what is a report, whom it is about, what it says; and that nothing else is one."""

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

from custom_smtp.bounces import (
    BYTES_LIMIT,
    FIELDS_LIMIT,
    HEADER_LIMIT,
    MESSAGE_FIELDS,
    PARTS_LIMIT,
    RECIPIENTS_LIMIT,
    VALUE_LIMIT,
    kind_of,
    read,
)
from custom_smtp.event_json import read_event, write_event
from custom_smtp.events import Bounced, BounceKind, Deferred, Delivered, Event
from custom_smtp.testing import FrozenClock

SAMPLES = Path(__file__).parent / "bounces"
CLOCK = FrozenClock(datetime(2026, 2, 1, tzinfo=UTC))
NO_REPORTS = ("answer", "complaint")
REPORT = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
STATUS = b"--b\nContent-Type: message/delivery-status\n\n"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


def one(content: bytes) -> Event:
    [event] = read(content, clock=CLOCK)
    return event


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

    assert event == Deferred(event.about, "no answer from mail.example.net", "4.4.1")
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

    assert read(content, clock=CLOCK) == ()


@pytest.mark.parametrize(
    ("field", "recipient"),
    [
        ("Original-Recipient: rfc822;<ada@example.net>", "ada@example.net"),
        ("Original-Recipient: RFC822 ; ada@example.net", "ada@example.net"),
        ("Original-Recipient: ada@example.net", "ada@example.net"),
        ("Original-Recipient: rfc822; unknown", "fin@example.net"),
        ("Original-Recipient: utf-8; \\x{D800}\\x{110000}@example.net", "\ufffd\ufffd@example.net"),
        ("X-Nothing: here", "fin@example.net"),
    ],
)
def test_the_person_we_wrote_to_is_found(field: str, recipient: str) -> None:
    content = changed("Original-Recipient: rfc822;ada@example.net", field)
    content = content.replace(b"Final-Recipient: rfc822; ada", b"Final-Recipient: rfc822; fin")

    assert one(content).about.recipient == recipient


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
    assert read(changed(old, new), clock=CLOCK) == ()


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

    assert read(content, clock=CLOCK) == ()


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


@given(st.lists(st.tuples(ADDRESS, ACTIONS, STATUSES), min_size=1, max_size=5))
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
