"""The names that tie a mail to what becomes of it."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import DeliveryId
from custom_smtp.errors import MailError
from custom_smtp.identifiers import delivery_id_in


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_an_id_is_its_text(text: str) -> None:
    made = DeliveryId(text)
    assert made == text
    assert hash(made) == hash(text)
    assert type(pickle.loads(pickle.dumps(made))) is DeliveryId


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        assert DeliveryId(text)
    else:
        with pytest.raises(MailError, match="use 1 to 64 letters, digits"):
            DeliveryId(text)


@pytest.mark.parametrize("text", ["", "a" * 65, "-a", ".a", "a b", "a\n", "\na", "ä", "a@b", "a/b", None, 7, b"a"])
def test_an_id_fits_into_a_header_a_token_and_an_address(text: object) -> None:
    with pytest.raises(MailError, match="cannot be a delivery id"):
        DeliveryId(text)  # type: ignore[arg-type]  # the slips under test


@given(
    st.text()
    | st.from_regex(r"[A-Za-z0-9._-]{0,70}", fullmatch=True)
    | st.from_regex(r"[a-z0-9]{60,70}", fullmatch=True)
)
def test_what_comes_back_is_an_id_or_none(text: str) -> None:
    try:
        expected = DeliveryId(text)
    except MailError:
        assert delivery_id_in(text) is None
    else:
        assert delivery_id_in(text) == expected
        assert type(delivery_id_in(text)) is DeliveryId


@pytest.mark.parametrize("told", [None, 7, b"d1", ["d1"], {"d1": 1}, True, "٣", "é"])
def test_what_is_no_text_or_not_ascii_is_no_id(told: object) -> None:
    assert delivery_id_in(told) is None
