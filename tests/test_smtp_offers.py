"""What an EHLO reply offers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Reply
from custom_smtp.smtp_offers import Offers

HELLO = Reply(
    250,
    "mail.example at your service\nSIZE 10240000\npipelining\nAUTH PLAIN LOGIN\nAUTH=LOGIN XOAUTH2\n"
    "LIMITS MAILMAX=20 RCPTMAX=100 nonsense RCPTDOMAINMAX=x\n8BITMIME",
)


def test_keywords_are_read_in_any_letter_case_and_the_first_line_is_none() -> None:
    offers = Offers.of(HELLO)
    assert "PIPELINING" in offers
    assert "8BITMIME" in offers
    assert "MAIL.EXAMPLE" not in offers
    assert offers.size == 10_240_000
    assert offers.mechanisms == {"PLAIN", "LOGIN", "XOAUTH2"}


def test_limits() -> None:
    offers = Offers.of(HELLO)
    assert [offers.limit(name) for name in ("MAILMAX", "RCPTMAX", "RCPTDOMAINMAX", "OTHER")] == [20, 100, None, None]


@pytest.mark.parametrize(("said", "size"), [("SIZE", None), ("SIZE 0", None), ("SIZE x", None), ("SIZE 5", 5)])
def test_a_size_that_is_none_is_no_limit(said: str, size: int | None) -> None:
    assert Offers.of(Reply(250, f"mail.example\n{said}")).size == size


@given(st.text())
def test_any_reply_is_read(text: str) -> None:
    offers = Offers.of(Reply(250, text))
    assert offers.size is None or offers.size > 0
    assert isinstance(offers.mechanisms, frozenset)
    assert offers.limit("MAILMAX") is None or offers.limit("MAILMAX")
