"""Stand-ins: told from everything else, found again, and left whole by whoever looks for links."""

from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.html_text import text_of
from custom_smtp.plain_text import clickable
from custom_smtp.stand_ins import StandIns
from custom_smtp.urls import location

TEXTS = st.lists(st.text("zqZQuw017 \n/:hps", max_size=12), min_size=1, max_size=6)


@given(TEXTS, st.data())
def test_a_text_is_cut_where_they_stand(texts: list[str], data: st.DataObject) -> None:
    stand_ins: StandIns[str] = StandIns.beside(texts)
    things = [data.draw(st.sampled_from("abc")) for _ in texts[1:]]
    words = [data.draw(st.sampled_from([stand_ins.word, stand_ins.url]))(thing) for thing in things]
    pieces = stand_ins.cut(texts[0] + "".join(f"{word}{text}" for word, text in zip(words, texts[1:], strict=True)))
    assert pieces.static == tuple(texts)
    assert pieces.slots == tuple(things)


def test_one_thing_has_one_word_and_others_have_others() -> None:
    stand_ins: StandIns[str] = StandIns.beside(())
    assert stand_ins.word("a") == stand_ins.word("a") != stand_ins.word("b")
    assert stand_ins.url("a") == f"https://{stand_ins.word('a').replace('w', 'u')}"


def test_a_scheme_before_a_word_is_no_part_of_it() -> None:
    stand_ins: StandIns[str] = StandIns.beside(())
    assert stand_ins.cut(f"https://{stand_ins.word('a')}").static == ("https://", "")
    assert stand_ins.cut(stand_ins.url("a")).static == ("", "")


def test_they_are_what_programs_take_them_for() -> None:
    stand_ins: StandIns[str] = StandIns.beside(())
    url, word = stand_ins.url("a"), stand_ins.word("b")
    assert location(url) == url
    assert [link.url for link in clickable(f"{url}. (https://a.example/{word}/x?y={word})")] == [
        url,
        f"https://a.example/{word}/x?y={word}",
    ]
    assert text_of(f'<a href="{url}">{word}</a>') == f"{word} <{url}>\n"
