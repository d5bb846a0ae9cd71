"""Final bytes, and what became of them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, DeliveryId, Outcome, Outgoing, Receipt, Reply
from custom_smtp.errors import ConnectError, MailError
from custom_smtp.outgoing import Envelope, WireForm

ADA = Address("ada@example.net")
ENVELOPE = Envelope(None, (ADA,))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "does not end with CRLF"),
        (b"Subject: a\r\n\r\nhello", "does not end with CRLF"),
        (b"Subject: a\n\r\n", r"b'\\n' alone at 10"),
        (b"Subject: a\r\r\n", r"b'\\r' alone at 10"),
        (b"Subject: a\r", r"b'\\r' alone at 10"),
        (b"a\r\n.\n.\r\n", "alone at 4"),
        (b"a\x00\r\n", "leave out NUL"),
        (b"a" * 999 + b"\r\n", "a line of over 998 octets"),
        ("text\r\n", "the content is str"),
        (bytearray(b"a\r\n"), "the content is bytearray"),
    ],
)
def test_content_that_could_be_read_in_two_ways_or_not_be_carried_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(MailError, match=says):
        Outgoing(DeliveryId("d1"), ENVELOPE, content)


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b".", b"\x00", b"\xff", b"b" * 997])).map(b"".join))
def test_content_has_crlf_lines_of_bounded_length_or_is_refused(content: bytes) -> None:
    try:
        outgoing = Outgoing(DeliveryId("d1"), ENVELOPE, content)
    except MailError:
        assert not re.fullmatch(rb"(?:[^\r\n\x00]{0,998}\r\n)+", content)
    else:
        assert re.fullmatch(rb"(?:[^\r\n\x00]{0,998}\r\n)+", content)
        assert WireForm(outgoing.content).eight_bit == (b"\xff" in content)
        assert f"<{len(content)} bytes>" in repr(outgoing)


def test_its_parts_are_values_of_ours() -> None:
    with pytest.raises(MailError, match=r"delivery_id is 'd1': write DeliveryId"):
        Outgoing("d1", ENVELOPE, b"a\r\n")  # type: ignore[arg-type]  # the slip under test
    with pytest.raises(MailError, match=r"write Envelope\(sender, recipients\)"):
        Outgoing(DeliveryId("d1"), (ADA,), b"a\r\n")  # type: ignore[arg-type]  # the slip under test


def test_an_envelope_without_a_recipient_cannot_be() -> None:
    with pytest.raises(MailError, match="at least one address"):
        Envelope(ADA, ())


def test_an_envelope_takes_addresses_and_nothing_else() -> None:
    assert Envelope(ADA, [ADA]).recipients == (ADA,)
    with pytest.raises(MailError, match="recipients is Address, not several"):
        Envelope(ADA, ADA)  # type: ignore[arg-type]  # the slip under test
    with pytest.raises(MailError, match="recipients holds 'ada@example.net': give it Address values"):
        Envelope(ADA, ("ada@example.net",))  # type: ignore[arg-type]  # the slip under test
    with pytest.raises(MailError, match="sender is 'ada@example.net': give it an Address, or None"):
        Envelope("ada@example.net", (ADA,))  # type: ignore[arg-type]  # the slip under test


def test_how_much_a_report_brings_back_is_one_of_two_words() -> None:
    wrong: Any = "HDRS\r\nRCPT TO:<eve@evil.example>"
    with pytest.raises(MailError, match="use Returned.FULL or Returned.HEADERS"):
        Envelope(None, (ADA,), returned=wrong)


def test_an_envelope_needs_smtputf8_as_soon_as_one_address_does() -> None:
    foreign = Address("jürgen@example.net", smtputf8=True)
    assert not ENVELOPE.smtputf8
    assert Envelope(foreign, (ADA,)).smtputf8
    assert Envelope(None, (ADA, foreign)).smtputf8


def test_an_outcome_is_a_receipt_or_an_error() -> None:
    which = DeliveryId("d1")
    match [Outcome(which, Receipt(which, Reply(250))), Outcome(which, ConnectError("no route"))]:
        case [Outcome(result=Receipt(reply=reply)), Outcome(result=ConnectError())]:
            assert reply.code == 250
        case others:
            raise AssertionError(others)
