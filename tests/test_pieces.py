"""Pieces: a text cut once, and joined for each person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import MailError
from custom_smtp.html import scan
from custom_smtp.pieces import Cut, Pieces, cut, encoded


def test_a_cut_text_is_filled() -> None:
    pieces = cut("<a href='x'>", [Cut(0, 0, "!"), Cut(9, 10, "https://links/", "slot", "#top")])
    assert pieces.static == ("!<a href='https://links/", "#top'>")
    assert pieces.slots == ("slot",)
    assert pieces.filled(["token"]) == "!<a href='https://links/token#top'>"


def test_without_cuts_the_text_is_one_piece() -> None:
    pieces: Pieces[str, str] = cut("as it was", [])
    assert pieces.filled([]) == "as it was"


@given(st.text(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans())), st.text(max_size=3))
def test_only_what_is_cut_out_changes(text: str, places: list[tuple[int, int, bool]], value: str) -> None:
    cuts: list[Cut[int]] = []
    expected, at = "", 0
    for number, (skip, length, filled) in enumerate(places):
        start = min(at + skip, len(text))
        end = min(start + length, len(text))
        cuts.append(Cut(start, end, "(", number if filled else None, ")"))
        expected += text[at:start] + "(" + (value if filled else "") + ")"
        at = end
    expected += text[at:]
    pieces = cut(text, cuts)
    assert pieces.slots == tuple(place.slot for place in cuts if place.slot is not None)
    assert pieces.filled([value] * len(pieces.slots)) == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_pieces_are_joined_as_bytes_alike(static: list[str]) -> None:
    pieces = Pieces(tuple(static), tuple(range(len(static) - 1)))
    values = ["token"] * len(pieces.slots)
    assert encoded(pieces).filled([value.encode() for value in values]) == pieces.filled(values).encode()


@pytest.mark.parametrize(
    ("charset", "words"),
    [
        ("iso-8859-15", "Grüße für 5 €"),
        ("iso-2022-jp", "日本語 a 日本"),
        ("shift_jis", "日本語~\\"),
        ("gb18030", "中文 🎉"),
    ],
)
def test_a_part_of_a_mail_keeps_its_charset(charset: str, words: str) -> None:
    part = f"<p>{words}<a href='https://a.example/{words}'>{words}</a>{words}".encode(charset)
    text = part.decode(charset)
    [link] = scan(text).links
    pieces = encoded(cut(text, [Cut(link.start, link.end, "https://links.example/", 1)]), charset)
    expected = f"<p>{words}<a href='https://links.example/TOKEN'>{words}</a>{words}".encode(charset)
    assert pieces.filled([b"TOKEN"]) == expected


@pytest.mark.parametrize(
    ("charset", "says"),
    [
        ("utf-16", "does not hold ASCII as it is"),
        ("utf-8-sig", "does not hold ASCII as it is"),
        ("utf-7", "does not hold ASCII as it is"),
        ("latin-1", "cannot be written in 'latin-1': use utf-8"),
        ("no such", "cannot be written in 'no such': use utf-8"),
    ],
)
def test_a_charset_that_cannot_be_joined_is_refused(charset: str, says: str) -> None:
    with pytest.raises(MailError, match=says):
        encoded(Pieces(("5 €", ""), (1,)), charset)


def test_filling_leaves_the_pieces_as_they_were() -> None:
    pieces = Pieces(("a", "b"), (1,))
    assert [pieces.filled([each]) for each in ("1", "2", "1")] == ["a1b", "a2b", "a1b"]


@pytest.mark.parametrize("values", [[], ["1", "2"]])
def test_each_slot_takes_one_value(values: list[str]) -> None:
    with pytest.raises(MailError, match=f"{len(values)} values for 1 slots: give one for each"):
        Pieces(("a", "b"), (1,)).filled(values)


@pytest.mark.parametrize("static", [(), ("a",), ("a", "b", "c")])
def test_there_is_one_piece_more_than_slots(static: tuple[str, ...]) -> None:
    with pytest.raises(MailError, match=f"{len(static)} pieces for 1 slots: give one piece more than slots"):
        Pieces(static, (1,))
