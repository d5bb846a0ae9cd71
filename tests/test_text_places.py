"""Where a field stands in plain text."""

import pytest

from custom_smtp.errors import MailError
from custom_smtp.merge_fields import Place
from custom_smtp.stand_ins import StandIns
from custom_smtp.text_places import places_in_text_of_html, text_places


def places(text: str) -> list[Place]:
    stand_ins: StandIns[str] = StandIns.beside((text,))
    marked = text.replace("X", stand_ins.word("x")).replace("U", stand_ins.url("u"))
    found = tuple(stand_ins.found(marked))
    told = places_in_text_of_html(marked, found)
    try:
        assert [Place.TEXT if place is Place.WORDS else place for place in told] == text_places(marked, found)
    except MailError:
        assert Place.WORDS in told
        raise
    return text_places(marked, found)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Hello X!", Place.TEXT),
        ("X", Place.TEXT),
        ("X https://a.example", Place.TEXT),
        ("https://a.example X", Place.TEXT),
        ("https://a.example/b. X", Place.TEXT),
        ("(https://a.example/X)", Place.PATH),
        ("<https://a.example/X>", Place.PATH),
        ("https://a.example/X.", Place.PATH),
        ("https://a.example/b?c=X&d", Place.QUERY),
        ("https://a.example/#X", Place.QUERY),
        ("U", Place.TEXT_URL),
        ("<U>", Place.TEXT_URL),
        ("see U.", Place.TEXT_URL),
        ("https://b.example/?to=U", Place.QUERY),
        ("aU", Place.TEXT),
    ],
)
def test_in_a_url_it_is_a_part_or_the_whole_and_text_elsewhere(text: str, place: Place) -> None:
    assert places(text) == [place]


@pytest.mark.parametrize(
    "text", ["https://X.example/", "https://X", "https://a.example:X", "https://a.exampleX", "U/b", "U?c=d"]
)
def test_the_scheme_and_the_host_of_a_url_are_written_out(text: str) -> None:
    with pytest.raises(MailError, match=r"the text has the field [xu] in a URL's scheme or host: write these out"):
        places(text)


def test_each_has_its_own() -> None:
    assert places("X https://a.example/X?X X U https://b.example X") == [
        Place.TEXT,
        Place.PATH,
        Place.QUERY,
        Place.TEXT,
        Place.TEXT_URL,
        Place.TEXT,
    ]
