"""The tables of why mail comes back: whole, in order, and each row with its source."""

from custom_smtp.bounce_causes import cause_of
from custom_smtp.bounce_phrases import (
    CAUSE_OF_STATUS,
    KIND_OF_CAUSE,
    KIND_OF_STATUS,
    PHRASES,
    VAGUE_PHRASES,
)
from custom_smtp.events import Cause

ROWS = (*PHRASES, *VAGUE_PHRASES)


def test_every_cause_says_something_about_the_address_but_the_unknown() -> None:
    assert {*KIND_OF_CAUSE, Cause.UNKNOWN} == set(Cause)


def test_every_cause_is_told_by_words() -> None:
    assert {row.cause for row in ROWS} | {Cause.UNKNOWN} == set(Cause)


def test_every_row_names_its_source() -> None:
    assert all(row.source and row.phrases for row in ROWS)


def test_every_phrase_means_what_its_row_says_alone() -> None:
    """No row is hidden behind another."""
    told = {phrase: cause_of(phrase) for row in ROWS for phrase in row.phrases}

    assert told == {phrase: row.cause for row in reversed(ROWS) for phrase in row.phrases}


def test_no_phrase_stands_twice() -> None:
    phrases = [phrase for row in ROWS for phrase in row.phrases]

    assert sorted(set(phrases)) == sorted(phrases)


def test_phrases_are_in_lower_case() -> None:
    assert all(phrase == phrase.lower().strip() for row in ROWS for phrase in row.phrases)


def test_a_status_agrees_with_its_cause_wherever_both_speak_of_the_address() -> None:
    hard = {status for status, cause in CAUSE_OF_STATUS.items() if KIND_OF_CAUSE[cause].value == "hard"}

    assert hard == {"1.0", "1.1", "1.2", "1.3", "1.4", "1.6", "1.10", "2.1", "4.4", "7.13", "7.17", "7.18"}
    assert all(KIND_OF_STATUS.get(status, KIND_OF_STATUS[status[0]]).value == "hard" for status in hard)
