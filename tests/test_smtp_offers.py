"""What a server offers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Reply
from custom_smtp.smtp_offers import Offers


def offers(*lines: str) -> Offers:
    return Offers.of(Reply(250, "\n".join(("mail.test greets you", *lines))))


def test_keywords_are_known_in_any_letter_case() -> None:
    found = offers("pipelining", "Size 1000", "8BITMIME", "XCLIENT NAME ADDR")
    assert [keyword in found for keyword in ("PIPELINING", "SIZE", "8BITMIME", "XCLIENT")] == [True] * 4
    assert found.parameters["XCLIENT"] == "NAME ADDR"


def test_the_greeting_is_no_keyword() -> None:
    assert "CHUNKING" not in Offers.of(Reply(250, "CHUNKING"))
    assert offers().parameters == {}


@pytest.mark.parametrize(
    ("lines", "mechanisms"),
    [
        (["AUTH PLAIN LOGIN"], {"PLAIN", "LOGIN"}),
        (["AUTH=PLAIN LOGIN"], {"PLAIN", "LOGIN"}),
        (["auth plain Scram-Sha-256"], {"PLAIN", "SCRAM-SHA-256"}),
        (["AUTH PLAIN", "AUTH=LOGIN"], {"PLAIN", "LOGIN"}),
        (["AUTH"], set()),
        ([], set()),
        (["AUTHENTICATION PLAIN"], set()),
    ],
)
def test_the_logins_it_takes(lines: list[str], mechanisms: set[str]) -> None:
    assert offers(*lines).mechanisms == mechanisms


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE 1000", 1000),
        ("SIZE", None),
        ("SIZE 0", None),
        ("SIZE -1", None),
        ("SIZE lots", None),
        ("SIZE 1e3", None),
        ("SIZE " + "9" * 5000, None),
        ("8BITMIME", None),
    ],
)
def test_the_largest_content_it_takes(line: str, size: int | None) -> None:
    assert offers(line).size == size


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("LIMITS MAILMAX=20 RCPTMAX=100", 20),
        ("limits mailmax=20", 20),
        ("LIMITS RCPTMAX=100", None),
        ("LIMITS MAILMAX=0", None),
        ("LIMITS MAILMAX=-1", None),
        ("LIMITS MAILMAX=", None),
        ("LIMITS MAILMAX", None),
        ("LIMITS MAILMAX=1000000", None),
        ("LIMITS XMAILMAX=5", None),
        ("LIMITS", None),
        ("MAILMAX=20", None),
    ],
)
def test_the_limits_it_names(line: str, limit: int | None) -> None:
    assert offers(line).limit("MAILMAX") == limit


@given(st.text())
def test_whatever_it_says_is_read(text: str) -> None:
    found = Offers.of(Reply(250, text))
    assert found.size is None or found.size > 0
    assert all(name == name.upper() for name in found.mechanisms)
    assert (found.limit("RCPTMAX") or 1) > 0
