"""The further headers of a mail."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import MailError
from custom_smtp.headers import (
    NO_FREE_TEXT,
    NO_FREE_TEXT_BEGINS,
    WRITTEN_BY_US,
    Headers,
    as_headers,
    require_writable,
)


def written(pairs: Iterable[tuple[str, str]]) -> Headers:
    headers = as_headers(pairs)
    require_writable(headers)
    return headers


@pytest.mark.parametrize("name", sorted(WRITTEN_BY_US))
def test_a_header_that_has_a_field_names_the_field(name: str) -> None:
    with pytest.raises(MailError) as refused:
        written([(name.title(), "x")])
    assert WRITTEN_BY_US[name] in str(refused.value)


@given(st.text(), st.text())
def test_any_header_is_one_line_of_printable_name_and_clean_value_or_refused(name: str, value: str) -> None:
    try:
        [(name, value)] = written([(name, value)])
    except MailError:
        return
    assert re.fullmatch(r"[!-9;-~]{1,76}", name)
    assert len(value.splitlines()) <= 1
    assert value.encode().decode() == value


@pytest.mark.parametrize("name", [*sorted(NO_FREE_TEXT), *(f"{begin}x" for begin in NO_FREE_TEXT_BEGINS)])
def test_a_header_that_cannot_be_encoded_is_written_in_ascii(name: str) -> None:
    assert written([(name, "=?utf-8?q?x?=")]) == ((name, "=?utf-8?q?x?="),)
    with pytest.raises(MailError, match="cannot be encoded"):
        written([(name.title(), "žlutý")])
