"""A mail taken apart: every quick way says what the long one says."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp._bounce_mail import PARTS_LIMIT, date, parts_between, parts_by_line

LINES = (b"\n--b", b"\n--b--", b"\n--b \n", b"\n--bc\n", b"--b\n", b"\n", b"--", b" ", b"word", b"A: b\n", b"\n\n")
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.lists(st.sampled_from(LINES), max_size=60).map(b"".join))
def test_parts_told_by_one_search_are_those_told_line_by_line(body: bytes) -> None:
    assert list(parts_between(body, b"b")) == list(islice(parts_by_line(body, b"--b"), PARTS_LIMIT))


def test_a_part_begins_with_the_newline_in_front_of_it() -> None:
    assert list(parts_between(b"words\n--b\none\n--b\ntwo\n--b--\n", b"b")) == [b"\none", b"\ntwo"]


@given(
    st.datetimes(timezones=ZONES).filter(lambda told: 1900 < told.year < 9999).map(lambda d: d.replace(microsecond=0))
)
def test_a_date_is_read_as_the_library_reads_it(told: datetime) -> None:
    written = format_datetime(told)

    assert date(written) == parsedate_to_datetime(written) == told
    assert date(written.replace(" 0", " ", 1)) == told
    assert getattr(date(written), "tzinfo", None) is UTC


@pytest.mark.parametrize(
    "told",
    [
        "",
        "yesterday",
        "Thu, 30 Feb 2026 01:02:03 +0000",
        "Thu, 01 Jan 2026 25:02:03 +0000",
        "Thu, 01 Jan 2026 01:02:03 +9900",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Thu, 01 Jan 0000 00:00:00 +0000",
    ],
)
def test_what_is_no_date_is_none(told: str) -> None:
    assert date(told) is None


@pytest.mark.parametrize("told", ["1 Jan 2026 01:02:03 -0000", "Thu, 01 Jan 26 01:02:03 GMT", "01 Jan 2026 1:02:03 UT"])
def test_older_forms_of_dates_are_read_too(told: str) -> None:
    assert date(told) == datetime(2026, 1, 1, 1, 2, 3, tzinfo=UTC)
