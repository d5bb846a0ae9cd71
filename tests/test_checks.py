"""The checks that values share."""

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.checks import (
    CONTROL,
    a_port,
    above_zero,
    aware,
    each_a,
    one_line,
    one_of,
    seconds_up_to,
    several,
    shown,
    writable,
)
from custom_smtp.errors import ConfigurationError, MailError


@frozen
class _Line:
    text: str = field(validator=one_line("the line"))


@frozen
class _Moment:
    at: datetime | None = field(validator=aware)


@frozen
class _Words:
    words: tuple[str, ...] = field(validator=each_a(str, "give it words"))


@given(st.text())
def test_a_line_is_writable_or_refused_and_a_writable_one_is_one_line(text: str) -> None:
    try:
        _Line(text)
    except MailError as refused:
        assert "the line" in str(refused)
    else:
        assert len(text.splitlines()) <= 1
        assert text.encode().decode() == text


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\t", "\x0b", "\x1f", "\x7f", "\x85", "\u2028", "\u2029"])
def test_a_control_character_is_named_with_its_place(character: str) -> None:
    with pytest.raises(MailError, match=r"at 2\): take it out") as refused:
        _Line(f"ab{character}c")
    assert repr(character) in str(refused.value)
    assert CONTROL.search(character)


@given(st.characters(categories=["Cc"]))
def test_every_control_character_of_unicode_is_one(character: str) -> None:
    assert CONTROL.search(character)


def test_a_body_may_have_lines_but_no_nul() -> None:
    writable("a\r\nb\tc\u2028", "the body", one_line=False)
    with pytest.raises(MailError, match="the body holds a NUL at 1"):
        writable("a\x00", "the body", one_line=False)


@pytest.mark.parametrize("one", [True, False])
def test_half_of_a_surrogate_pair_is_refused_with_a_way_out(one: bool) -> None:
    with pytest.raises(MailError, match="errors='replace'"):
        writable("a\ud800", "the text", one_line=one)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(MailError, match="bytes, not text: decode it first"):
        writable(b"a", "the text", one_line=True)  # type: ignore[arg-type]  # the slip under test


def test_a_moment_without_a_zone_is_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"at is .* no time zone: use datetime.now\(UTC\)"):
        _Moment(datetime(2026, 1, 1))  # noqa: DTZ001  # the slip under test
    with pytest.raises(ConfigurationError, match="at is 'today'"):
        _Moment("today")  # type: ignore[arg-type]  # the slip under test


@pytest.mark.parametrize(
    "at", [None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))]
)
def test_a_moment_with_any_zone_is_right(at: datetime | None) -> None:
    assert _Moment(at).at == at


def test_a_stranger_among_many_is_named() -> None:
    assert _Words(("a", "b")).words == ("a", "b")
    with pytest.raises(MailError, match="words holds 7: give it words"):
        _Words(("a", 7))  # type: ignore[arg-type]  # the slip under test


def test_one_where_several_belong_is_refused() -> None:
    assert several(iter([1, 2]), "number") == (1, 2)
    with pytest.raises(MailError, match=r"number is int, not several: write \(number,\)"):
        several(7, "number")  # type: ignore[arg-type]  # the slip under test
    with pytest.raises(MailError, match="word is str, not several"):
        several("ada", "word")


def test_what_is_long_is_cut_off_where_it_is_shown() -> None:
    assert shown("ada") == "'ada'"
    assert shown(None) == "None"
    assert len(shown("\U0010ffff" * 1_000_000)) < 700


@frozen
class _Span:
    port: Any = field(default=1, kw_only=True, validator=a_port("53"))
    seconds: Any = field(default=1, validator=seconds_up_to(60))
    count: Any = field(default=1, validator=above_zero)


@pytest.mark.parametrize("seconds", [0.001, 1, 60])
def test_a_span_may_have_any_length_up_to_the_most(seconds: float) -> None:
    assert _Span(seconds).seconds == seconds


@pytest.mark.parametrize("seconds", [0, -1, 60.1, float("nan"), float("inf"), True, "1", None])
def test_any_other_span_is_refused_with_a_way_out(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match=r"seconds is .*: use seconds above 0, up to 60"):
        _Span(seconds)


@pytest.mark.parametrize("count", [0, -1, 1.0, True, "1", None])
def test_a_count_is_a_whole_number_above_zero(count: object) -> None:
    assert _Span(count=7).count == 7
    with pytest.raises(ConfigurationError, match=r"count is .*: use a whole number above 0"):
        _Span(count=count)


@pytest.mark.parametrize("port", [1, 53, 65535])
def test_a_port_is_a_number_of_sixteen_bits(port: int) -> None:
    assert _Span(port=port).port == port


@pytest.mark.parametrize("port", [0, -1, 65536, 53.0, True, "53", None])
def test_any_other_port_is_refused_with_those_to_use(port: object) -> None:
    with pytest.raises(ConfigurationError, match=r"is no port: use 53"):
        _Span(port=port)


class _Colour(Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


@frozen
class _Painted:
    colour: _Colour = field(validator=one_of(_Colour))
    lid: _Colour = field(default=_Colour.RED, validator=one_of(_Colour, MailError))


@pytest.mark.parametrize("told", ["red", "RED", None, 1])
def test_a_choice_is_one_of_those_there_are(told: Any) -> None:
    says = "is .*: use _Colour.RED, _Colour.GREEN or _Colour.BLUE"
    with pytest.raises(ConfigurationError, match=f"^colour {says}"):
        _Painted(told)
    with pytest.raises(MailError, match=f"^lid {says}"):
        _Painted(_Colour.GREEN, told)
    assert _Painted(_Colour.BLUE).colour is _Colour.BLUE
