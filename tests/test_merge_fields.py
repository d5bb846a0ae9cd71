"""Fields in texts: what is one, what is none, and how a value is written where it stands."""

import json
import re
from decimal import Decimal
from html import unescape
from ipaddress import ip_address
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import MailError
from custom_smtp.merge_fields import Place, fields_in, one_line_value, text_of_value

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def names(text: str) -> list[str]:
    return [found.name for found in fields_in(text, "the text")]


@pytest.mark.parametrize(
    "text",
    ["{{name}}", "{{ name }}", "{{name }}", "{{   name   }}", "%7B%7Bname%7D%7D", "%7b%7b%20name%20%7d%7d"],
)
def test_a_field_is_a_name_in_two_braces_and_as_editors_leave_it_in_links(text: str) -> None:
    found = list(fields_in(f"a{text}b", "the text"))
    assert [(each.start, each.end, each.name) for each in found] == [(1, 1 + len(text), "name")]


def test_a_name_has_letters_digits_and_underscores_and_its_case_counts() -> None:
    assert names("{{ a1_B }}{{ A1_b }}{{ _ }}") == ["a1_B", "A1_b", "_"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ a.b }}",
        "{{ 1a }}",
        "{{}}",
        "{{ }}",
        "{{ a",
        "{{ a }",
        "{{{ a }}}",
        "{{ naïve }}",
        "{{#if a}}",
        "{{\na }}",
        "{{",
    ],
)
def test_what_looks_like_a_field_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(MailError, match=r"the text holds .* no field: write \{\{ name \}\}"):
        names(f"Hello {text} and good bye")


def test_four_braces_are_two() -> None:
    assert names("{{{{ name }} {{ name }}") == ["", "name"]


def test_single_braces_and_ends_mean_nothing() -> None:
    assert names("{ a } }} {a {%7B a %7B%7B a.b %7D%7D") == []


def test_the_link_to_unsubscribe_is_no_field() -> None:
    assert names("{{unsubscribe_url}} {{ Unsubscribe_URL }} %7B%7Bunsubscribe_url%7D%7D") == []


def test_a_stretch_of_a_text_is_looked_at_alone() -> None:
    text = "{{ a }}{{ b }}{{ c.d }}"
    assert [found.name for found in fields_in(text, "the text", 7, 14)] == ["b"]
    assert list(fields_in(text, "the text", 8, 14)) == []


# --- Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Zoë", "Zoë"),
        ("", ""),
        (7, "7"),
        (-7, "-7"),
        (Decimal("19.90"), "19.90"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_texts_whole_numbers_and_decimals_are_values(value: object, text: str) -> None:
    assert text_of_value("price", value) == text


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (None, "even if that is an empty text"),
        (1.5, "Decimal"),
        (b"x", "decode it"),
        (True, "as the reader shall see it"),
        (Decimal("NaN"), "as the reader shall see it"),
        (Decimal("Infinity"), "as the reader shall see it"),
        (ip_address("192.0.2.1"), "as the reader shall see it"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
    ],
)
def test_whatever_has_no_one_way_to_be_written_is_refused_by_name(value: object, advice: str) -> None:
    with pytest.raises(MailError, match=f"the field price .*{advice}"):
        text_of_value("price", value)


@pytest.mark.parametrize("value", ["a\nb", "a\rBcc: c", "\x1b", "a\u2028b", "\t"])
def test_no_control_character_gets_into_a_header(value: str) -> None:
    with pytest.raises(MailError, match="the field name stands in a header"):
        one_line_value("name", value)


# --- Places -----------------------------------------------------------------------------------------------------------


@given(TEXT)
def test_in_html_a_value_is_text_and_nothing_else(value: str) -> None:
    for place in (Place.HTML, Place.HTML_URL):
        written = place.written(value)
        assert unescape(written).replace("\r", "") == value.replace("\r", "") or "&" in value
        assert not set(written) & set("<>\"'")


@given(TEXT)
def test_in_a_url_a_value_is_one_component_that_reads_back(value: str) -> None:
    for place in (Place.PATH, Place.QUERY, Place.ADDRESS):
        written = place.written(value)
        assert unquote(written) == value
        assert not set(written) & set("/?#&=:;<>\"' \\")


@pytest.mark.parametrize(("value", "written"), [("a.", "a%2E"), ("a_", "a%5F"), ("~", "%7E"), ("a.b", "a.b")])
def test_no_value_ends_a_url_as_a_sentence_would(value: str, written: str) -> None:
    assert Place.PATH.written(value) == Place.QUERY.written(value) == written


def test_what_writes_a_mail_or_calls_keeps_the_signs_of_an_address() -> None:
    assert Place.ADDRESS.written("+49 30/1@a.example") == "+49%2030%2F1@a.example"


@given(st.text())
def test_in_the_quotes_of_json_a_value_is_one_string_in_ascii(value: str) -> None:
    written = Place.JSON.written(value)
    assert written.isascii()
    assert json.loads(f'"{written}"') == value


@given(st.text())
def test_in_quotes_no_value_ends_them(value: str) -> None:
    written = Place.QUOTES.written(value)
    assert re.fullmatch(r'(?:[^"\\]|\\.)*', written, re.DOTALL)
    assert re.sub(r"\\(.)", r"\1", written, flags=re.DOTALL) == value


@pytest.mark.parametrize("place", [Place.HEADER, Place.STRUCTURE, Place.TEXT, Place.TEXT_URL])
def test_in_text_and_headers_a_value_stays_as_it_is(place: Place) -> None:
    assert place.written('<b> & "x"\n') == '<b> & "x"\n'


def test_among_words_that_were_html_white_space_is_one_blank() -> None:
    assert Place.WORDS.written("a \r\n\t b\u00a0 c") == "a b\u00a0 c"
