"""What a server answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Reply
from custom_smtp.errors import ConfigurationError


@pytest.mark.parametrize("code", [0, 25, 199, 600, -250, "250", 250.0, None])
def test_a_code_that_smtp_does_not_have_is_refused(code: object) -> None:
    with pytest.raises(ConfigurationError, match="use 200 to 599"):
        Reply(code, "ok")  # type: ignore[arg-type]  # the slips under test


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        (550, "5.1.1 no such user", "5.1.1"),
        (250, "2.0.0 queued as 7\n2.0.0 bye", "2.0.0"),
        (451, "4.7.1", "4.7.1"),
        (550, "no such user", ""),
        (550, "2.1.1 a class that is not the code's", ""),
        (550, "5.1.1234 too long", ""),
        (550, "see 5.1.1", ""),
        (550, "5.1.٣ other digits", ""),
        (250, "", ""),
    ],
)
def test_the_enhanced_code_is_the_one_in_front(code: int, text: str, enhanced: str) -> None:
    assert Reply(code, text).enhanced == enhanced


@given(st.integers(200, 599), st.text())
def test_a_reply_is_one_of_done_again_or_no(code: int, text: str) -> None:
    reply = Reply(code, text)
    assert reply.positive == (200 <= code < 300)
    assert reply.temporary == (400 <= code < 500)
    assert str(reply).startswith(str(code))
    assert not reply.enhanced or reply.enhanced[0] == str(code)[0]


def test_it_prints_as_it_was_said() -> None:
    assert str(Reply(250, "2.0.0 queued as 7")) == "250 2.0.0 queued as 7"
    assert str(Reply(354)) == "354"
