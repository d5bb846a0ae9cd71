"""Header lines: each function to the letter; what whole mails make of them is told in test_mime.py."""

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_string, policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custom_smtp import Address
from custom_smtp.header_lines import date, folded, mailboxes, parameter, unstructured


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("", "Subject: "),
        ("Your order", "Subject: Your order"),
        ("Grüße", "Subject: =?utf-8?b?R3LDvMOfZQ==?="),
        ("A long and plain subject, but ü", "Subject: =?utf-8?q?A_long_and_plain_subject=2C_but_=C3=BC?="),
        (
            "word " * 15 + "end",
            "Subject: word word word word word word word word word word word word word word\r\n word end",
        ),
        ("x" * 980, "Subject: " + "x" * 980),
    ],
)
def test_free_text_is_encoded_only_where_it_must_be(value: str, line: str) -> None:
    assert unstructured("Subject", value) == line


def test_free_text_without_a_place_to_fold_is_encoded_where_its_line_would_be_too_long() -> None:
    lines = unstructured("Subject", "x" * 1000).split("\r\n")
    assert all(len(line) <= 78 for line in lines)
    assert "".join(line.strip().removeprefix("Subject: ")[len("=?utf-8?q?") : -2] for line in lines) == "x" * 1000


def test_a_line_without_spaces_is_not_folded() -> None:
    assert folded("X-Id: " + "x" * 200) == "X-Id: " + "x" * 200


@pytest.mark.parametrize(
    ("addresses", "line"),
    [
        ([Address("ada@example.net")], "To: ada@example.net"),
        (
            [Address("ada@example.net", "Ada"), Address("bob@example.net")],
            "To: Ada <ada@example.net>,\r\n bob@example.net",
        ),
        ([Address("ada@example.net", "Lovelace, Ada")], 'To: "Lovelace, Ada" <ada@example.net>'),
        ([Address("ada@example.net", "=?utf-8?q?x?=")], "To: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <ada@example.net>"),
        ([Address("ada@bücher.example", "Jörg")], "To: =?utf-8?b?SsO2cmc=?= <ada@xn--bcher-kva.example>"),
        ([Address("a" * 60 + "@example.net", "Ada Lovelace")], f"To: Ada Lovelace\r\n <{'a' * 60}@example.net>"),
    ],
)
def test_addresses_stand_each_on_a_line_and_are_encoded_in_the_name_alone(addresses: list[Address], line: str) -> None:
    assert mailboxes("To", addresses) == line


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (datetime(2026, 1, 2, 5, tzinfo=UTC), "Date: Fri, 02 Jan 2026 05:00:00 +0000"),
        (
            datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            "Date: Wed, 01 Jul 2026 12:00:00 -0330",
        ),
        (
            datetime(1900, 1, 1, 12, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
            "Date: Mon, 01 Jan 1900 11:06:32 +0000",
        ),
    ],
)
def test_a_date_is_in_its_zone_if_that_can_be_said(at: datetime, line: str) -> None:
    assert date(at) == line


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a.pdf", ';\r\n filename="a.pdf"'),
        ('a"\\.pdf', ';\r\n filename="a\\"\\\\.pdf"'),
        ("März.pdf", ";\r\n filename*=utf-8''M%C3%A4rz.pdf"),
        ("=?utf-8?q?x?=", ";\r\n filename*=utf-8''%3D%3Futf-8%3Fq%3Fx%3F%3D"),
        (
            "x" * 61,
            ";\r\n filename*0*=utf-8''xxxxxxxxxxxxx;\r\n filename*1*="
            + "x" * 20
            + ";\r\n filename*2*="
            + "x" * 20
            + ";\r\n filename*3*=xxxxxxxx",
        ),
    ],
)
def test_a_parameter_is_quoted_or_written_by_rfc_2231(value: str, written: str) -> None:
    assert parameter("filename", value) == written


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=300))
@example("ü" * 300)
@example("'%27'")
def test_any_parameter_comes_back_and_no_line_is_long(value: str) -> None:
    header = f"Content-Disposition: attachment{parameter('filename', value)}"
    assert all(len(line) <= 78 or '"' in line for line in header.split("\r\n"))
    read = message_from_string(f"{header}\r\n\r\n", policy=policy.default)
    assert read["Content-Disposition"].params["filename"].split() == value.split()
