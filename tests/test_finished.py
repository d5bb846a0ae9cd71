"""The value: what a finished mail can hold, and what it refuses."""

from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Address
from custom_smtp.checks import ConfigurationError, MailError
from tests.finished_mails import ORDINARY, finished, single

MAIL = finished(ORDINARY)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"to": "ada@example.net"}, "to is"),
        ({"sender": None}, "sender is"),
        ({"bounces_to": "x"}, "bounces_to is"),
        ({"text": None}, "keeps its parts"),
        ({"html": "half \ud800"}, "surrogate"),
        ({"subject": "a\nb"}, "line break"),
        ({"unsubscribe": 1}, "unsubscribe is"),
        ({"campaign": ""}, "campaign"),
        ({"campaign": 5}, "campaign"),
        ({"campaign": "a\nb"}, "line break"),
        ({"headers": (("X-Bad", "a\r\nBcc: x"),)}, "line break"),
        ({"headers": (("Bcc", "x@y.example"),)}, "written from the mail itself"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_made(change: dict[str, Any], why: str) -> None:
    with pytest.raises(MailError, match=why):
        evolve(MAIL, **change)


def test_a_text_for_which_there_is_no_part_is_refused() -> None:
    with pytest.raises(MailError, match="no part for html"):
        evolve(finished(single(b"x\r\n")), html="<p>x</p>")


def test_tracking_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        evolve(MAIL, tracking=False)  # type: ignore[arg-type]  # the slip itself


def test_it_needs_smtputf8_for_an_address_or_a_header_beyond_ascii() -> None:
    assert not MAIL.smtputf8
    assert evolve(MAIL, to=Address("j\xfcrgen@example.net", smtputf8=True)).smtputf8
    raw = finished("From: <j\xfcrgen@example.net>\r\n\r\nx\r\n".encode())
    assert raw.smtputf8
    assert finished("From: a@b.example\r\nTo: <j\xfcrgen@example.net>\r\n\r\nx\r\n".encode()).smtputf8


def test_it_prints_what_it_is_and_not_what_it_says() -> None:
    assert "skeleton" not in repr(MAIL)
