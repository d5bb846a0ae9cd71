"""The page behind an unsubscribe link: languages, one form, nothing to load."""

import html5lib  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.unsubscribe_page import (
    RESUBSCRIBE_FIELDS,
    UNSUBSCRIBE_FIELDS,
    WORDS,
    Page,
    Turn,
    languages,
    plain_page,
)

HTML = "{http://www.w3.org/1999/xhtml}"


def tree(page: Page):  # type: ignore[no-untyped-def]  # html5lib has no types
    """The page as a browser reads it; a document that it must mend is an error."""
    return html5lib.HTMLParser(strict=True).parse(plain_page(page))


@pytest.mark.parametrize("turn", Turn)
@pytest.mark.parametrize("language", WORDS)
def test_each_turn_is_a_sound_document_in_each_language(turn: Turn, language: str) -> None:
    root = tree(Page(turn=turn, accepts=(language,)))
    words = WORDS[language][turn]
    assert root.get("lang") == language
    assert root.find(f".//{HTML}title").text == words.heading
    assert [each.text for each in root.iter(f"{HTML}h1")] == [words.heading]
    assert root.find(f".//{HTML}main/{HTML}p").text == words.text
    assert [each.text for each in root.iter(f"{HTML}button")] == ([words.button] if words.button else [])
    assert root.find(f".//{HTML}meta[@name='viewport']") is not None


@pytest.mark.parametrize(
    ("turn", "fields"),
    [(Turn.ASK, UNSUBSCRIBE_FIELDS), (Turn.DONE, RESUBSCRIBE_FIELDS), (Turn.BACK, {}), (Turn.UNKNOWN, {})],
)
def test_a_button_posts_to_the_address_it_stands_at(turn: Turn, fields: dict[str, str]) -> None:
    page = Page(turn=turn)
    root = tree(page)
    assert page.fields == fields
    assert {each.get("name"): each.get("value") for each in root.iter(f"{HTML}input")} == fields
    forms = [(each.get("method"), each.get("action")) for each in root.iter(f"{HTML}form")]
    assert forms == ([("post", None)] if fields else [])


def test_nothing_is_loaded_and_nothing_runs() -> None:
    for turn in Turn:
        root = tree(Page(turn=turn))
        tags = {each.tag.removeprefix(HTML) for each in root.iter()}
        assert not tags & {"script", "img", "link", "iframe", "object", "a"}
        assert "url(" not in plain_page(Page(turn=turn))


def test_nothing_of_the_person_is_shown() -> None:
    for turn in Turn:
        assert plain_page(Page(turn=turn, recipient="ada@example.net", stream="<b>")) == plain_page(Page(turn=turn))


def test_every_language_has_every_turn() -> None:
    assert all(set(turns) == set(Turn) for turns in WORDS.values())
    assert {"en", "de", "fr", "es"} <= set(WORDS)


@pytest.mark.parametrize(
    ("header", "tags", "shown"),
    [
        ("", (), "en"),
        ("de", ("de",), "de"),
        ("de-AT, en;q=0.8", ("de-at", "en"), "de"),
        ("xx, fr;q=0.3, es;q=0.7", ("xx", "es", "fr"), "es"),
        ("ja", ("ja",), "en"),
        ("de;q=0, it", ("it",), "it"),
        ("*", (), "en"),
        ("*;q=0.5, nl;q=0.1", ("nl",), "nl"),
        ("en;q=0.5,de;q=0.5", ("en", "de"), "en"),
        (" PT-br ; q=1.000 ", ("pt-br",), "pt"),
        ("de;q=2, fr;q=x, es;q=0.1234, it;level=1", (), "en"),
        ("<script>, de\x00", (), "en"),
        ("x" * 2000, (), "en"),
        ("dé", (), "en"),
    ],
)
def test_the_language_is_the_one_most_wanted_that_is_known(header: str, tags: tuple[str, ...], shown: str) -> None:
    assert languages(header) == tags
    assert f'<html lang="{shown}">' in plain_page(Page(turn=Turn.ASK, accepts=languages(header)))


@given(st.text(max_size=200) | st.text("de-;q=0.1, *", max_size=200))
def test_no_header_breaks_it(header: str) -> None:
    tags = languages(header)
    assert all(tag.isascii() and tag == tag.lower() for tag in tags)
    assert plain_page(Page(turn=Turn.ASK, accepts=tags)).startswith("<!DOCTYPE html>")
