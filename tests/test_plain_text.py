"""URLs in running text: which, from where to where, and which are left alone."""

import re
from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.plain_text import clickable


def marked(text: str) -> str:
    """The text with each URL between ⟦ and ⟧."""
    pieces: list[str] = []
    at = 0
    for link in clickable(text):
        assert text[link.start : link.end] == link.url
        pieces += text[at : link.start], f"⟦{link.url}⟧"
        at = link.end
    return "".join((*pieces, text[at:]))


def unmarked(text: str) -> str:
    return re.sub("[⟦⟧]", "", text)


@pytest.mark.parametrize(
    "text",
    [
        "⟦https://a.example⟧",
        "See ⟦https://a.example/b⟧ now",
        "Look: ⟦HTTP://a.example/b?c=d#e⟧\r\nBye",
        "⟦https://a.example/b⟧\n⟦https://c.example/d⟧",
        "⟦https://a.example/1⟧ ⟦hTTps://b.example/2⟧",
        # punctuation behind it
        "See ⟦https://a.example/b⟧.",
        "See ⟦https://a.example/b⟧, and go",
        "See ⟦https://a.example⟧: there",
        "Is it ⟦https://a.example/b⟧?!",
        "Cut: ⟦https://a.example/b⟧... and \u2026 ⟦https://a.example/c⟧\u2026",
        "'⟦https://a.example/b⟧', *⟦https://a.example/c⟧*, **⟦https://a.example⟧**",
        "_⟦https://a.example/b⟧_ and _⟦https://a.example/c⟧_.",
        "~⟦https://a.example/b⟧~",
        "`⟦https://a.example/b⟧`",
        "| ⟦https://a.example/b⟧ |",
        "⟦https://a.example/b_⟧ ⟦https://c.example/-⟧ ⟦https://d.example/~⟧",
        "⟦https://a.example/o'neil⟧",
        # quotation marks
        '"⟦https://a.example/b⟧"',
        '"See ⟦https://a.example/b⟧."',
        "\u201c⟦https://a.example/b⟧\u201d, \u2018⟦https://a.example/c⟧\u2019",
        "\u00ab⟦https://a.example/b⟧\u00bb \u201e⟦https://a.example/c⟧\u201c",
        # brackets
        "(⟦https://a.example/b⟧)",
        "(see ⟦https://a.example/b⟧).",
        "⟦https://a.example/b_(c)⟧",
        "(⟦https://a.example/b_(c)⟧)",
        "(⟦https://a.example/b_(c)⟧.)",
        "⟦https://a.example/(b(c)d)/e⟧.",
        "[⟦https://a.example/b⟧]",
        "{⟦https://a.example/b⟧}",
        "(see ⟦https://a.example/b⟧)or not",
        "⟦https://a.example/?x[]=1&y{1,2}⟧",
        "⟦https://a.example/b[1]⟧",
        # Markdown, BBCode, Textile
        "[x](⟦https://a.example/b⟧),[y](⟦https://c.example⟧)",
        "[x](⟦https://a.example/b⟧)and more",
        "[⟦https://a.example/b⟧](⟦https://a.example/b⟧)",
        '[x](⟦https://a.example/b⟧ "title")',
        "![x](⟦https://a.example/b_(c).png⟧)",
        "[1]: ⟦https://a.example/b⟧",
        "[url=⟦https://a.example/b⟧]there[/url]",
        '"there":⟦https://a.example/b⟧.',
        # angle brackets: taken whole (RFC 3986 appendix C)
        "<⟦https://a.example/b⟧>",
        "<⟦https://a.example/b.⟧>, <⟦https://a.example/(c⟧>",
        "<URL:⟦https://a.example/b⟧>",
        "x<⟦https://a.example/b⟧>y",
        # quoted lines, and lines of format=flowed (RFC 3676)
        "> ⟦https://a.example/b⟧",
        ">> >⟦https://a.example/b⟧ \r\n> and",
        "read this \r\n⟦https://a.example/b⟧ \r\nwell",
        "\u00a0⟦https://a.example⟧\u00a0⟦https://b.example⟧\u2028⟦https://c.example⟧",
        # hosts
        "⟦http://[::1]:80/a⟧ ⟦http://127.0.0.1:8000/⟧ ⟦http://localhost/⟧",
        "⟦https://user:pass@a.example/b⟧",
        "⟦https://a_b.example⟧ ⟦https://xn--bcher-kva.example⟧",
        "⟦https://a.example?b⟧ ⟦https://a.example#b⟧ ⟦https://a.example:443⟧.",
        # other scripts
        "⟦https://b\u00fccher.example/gr\u00f6\u00dfe⟧",
        "⟦https://\u4f8b\u3048.\u30c6\u30b9\u30c8/\u9053⟧",
        "⟦https://\u0909\u0926\u093e\u0939\u0930\u0923.\u092a\u0930\u0940\u0915\u094d\u0937\u093e/⟧",
        "⟦https://a.example/\u00fc/\U0001f600⟧",
        "\u8bf7\u770b⟦https://a.example/b⟧\u3002\u8c22\u8c22",
        "\u8bf7\u770b⟦https://a.example⟧\uff0c\u8c22\u8c22\uff01",
        "\u8bf7\u770b\uff08⟦https://a.example/b⟧\uff09\u8c22\u8c22",
        "\u300c⟦https://a.example/b⟧\u300d\u3068",
        "\u0627\u0646\u0638\u0631 ⟦https://a.example/b⟧\u060c \u0648⟦https://a.example/c⟧\u061f",
        "\u0926\u0947\u0916\u0947\u0902 ⟦https://a.example/b⟧\u0964",
        "⟦https://a.example/b⟧\u200b and \u2068⟦https://a.example/c⟧\u2069",
        # one within another's query
        "⟦https://a.example/?u=https://b.example⟧",
        "⟦https://web.example/2020/https://b.example/c⟧",
        "to=⟦https://a.example/b⟧",
        "a/b:⟦https://a.example⟧",
        # percent-encoded
        "⟦https://a.example/%C3%A4?b=%20⟧.",
        "⟦https://a.example/100%⟧ sure",
    ],
)
def test_a_url_ends_where_every_program_sees_its_end(text: str) -> None:
    assert marked(unmarked(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "no URL at all :// and http and https:",
        "a.example, www.a.example, //a.example",
        "ftp://a.example mailto:ada@example.net git+https://a.example xhttps://a.example 7http://a.example",
        "https:// https://... https://) http:// <https://> (https://)",
        "https://-. https://[] https://?",
    ],
)
def test_what_is_no_url_is_none(text: str) -> None:
    assert [link for link in clickable(text, doubtful=True) if not link.doubtful] == []


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("https://a.example/b(c", "https://a.example/b"),
        ("https://a.example(see there)", "https://a.example"),
        ("https://a.example/b)c", "https://a.example/b"),
        ("f(x) https://a.example/b)?c=d", "https://a.example/b"),
        ("b(c https://a.example/b)c", "https://a.example/b"),
        ("https://a.example/b[c", "https://a.example/b"),
        ("https://a.example/b]c", "https://a.example/b"),
        ("https://a.example/b}/c", "https://a.example/b"),
        ("https://a.example's", "https://a.example's"),
        ("'https://a.example/b'c", "https://a.example/b'c"),
        ("https://a.example\u8c22\u8c22/", "https://a.example\u8c22\u8c22/"),
        ("https://a.example\U0001f600", "https://a.example\U0001f600"),
        ("https://\u4f8b\u3048\u3002\u30c6\u30b9\u30c8/", "https://\u4f8b\u3048"),
        ("https://a.example,https://b.example", "https://a.example,https://b.example"),
        ("https://a.example/1,https://b.example/2", "https://a.example/1,https://b.example/2"),
        ("https://a.example|there", "https://a.example|there"),
        ("<https://a.example|there>", "https://a.example|there"),
        ("<https://a.example/long\r\n  er/path>", "https://a.example/long"),
        ("www.a.example/?to=https://b.example/c", "https://b.example/c"),
        ("ftp://a.example/https://b.example", "https://b.example"),
        ("mailto:ada@a.example?body=https://b.example", "https://b.example"),
        ("https://a.example/{{ id }}", "https://a.example/{{"),
        ("https://a.example/{% id %}", "https://a.example/{%"),
        ("https://a.example/<%= id %>", "https://a.example/<%"),
        ("https://a.example/*|ID|*", "https://a.example/*|ID"),
        ("https://a.example/%name%/b", "https://a.example/%name%/b"),
    ],
)
def test_what_is_in_doubt_is_told_apart(text: str, doubtful: str) -> None:
    assert list(clickable(text)) == []
    [link] = clickable(text, doubtful=True)
    assert (link.url, link.doubtful) == (doubtful, True)
    assert text[link.start : link.end] == link.url


def test_what_stands_inside_a_link_in_doubt_is_left_alone_with_it() -> None:
    assert list(clickable("https://a.example/b(c?https://b.example")) == []


SHAPES: dict[str, Callable[[int], str]] = {
    "one behind the other": lambda n: "http://" * n,
    "marks alone": lambda n: "://" * n,
    "no end but a bracket": lambda n: "http://a." * n + "(",
    "a bracket in doubt behind": lambda n: "http://a." * n + ")x",
    "brackets in doubt behind each": lambda n: "http://a)x " * n,
    "in brackets": lambda n: "http://a(" + "(http://a)" * n,
    "brackets that never close": lambda n: "http://a([{" * n,
    "brackets that close late": lambda n: "http://a(" + "(b)" * n,
    "open brackets": lambda n: "http://a" + "(" * n,
    "what may follow a link": lambda n: "http://a" + ".," * n + "(",
    "placeholders": lambda n: "http://a/{{" * n,
    "percent signs": lambda n: "http://a/" + "%a_" * n,
    "bytes": lambda n: "http://a/" + "%41" * n + "'",
    "labels": lambda n: "http://" + "a." * n + "'",
    "credentials": lambda n: "http://" + "a@" * n,
    "angle brackets": lambda n: "<http://a " * n,
    "within another": lambda n: "=http://a " * n,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_hostile_text_takes_time_by_its_length(shape: Callable[[int], str]) -> None:
    def seconds(times: int) -> float:
        text = shape(times)
        best = float("inf")
        for _ in range(3):
            begun = process_time()
            for _ in clickable(text, doubtful=True):
                pass
            best = min(best, process_time() - begun)
        return best

    # By the square it would be 256 times; by the length it is 16 times, give or take what a busy machine adds.
    assert seconds(16_000) < 80 * max(seconds(1_000), 0.0002)


SIGNS = "()[]{}<>\"'`.,;:!?*_~|/\\=&%# \n"
words = st.text(max_size=3) | st.sampled_from(
    ["https://a.example", "http://", "HTTPS://b.example/c", "{{", "x", "\u3002", "\u00fc", *SIGNS]
)
texts = st.lists(words, max_size=30).map("".join)


@given(texts)
def test_urls_stand_in_their_order_and_as_they_are(text: str) -> None:
    at = 0
    for link in clickable(text, doubtful=True):
        assert at <= link.start < link.end <= len(text)
        assert text[link.start : link.end] == link.url
        assert re.match("https?://", link.url, re.IGNORECASE)
        at = link.end


@given(texts)
def test_the_sure_ones_are_those_that_are_not_in_doubt(text: str) -> None:
    assert list(clickable(text)) == [link for link in clickable(text, doubtful=True) if not link.doubtful]


@given(texts)
def test_a_sure_url_alone_in_a_line_is_the_same(text: str) -> None:
    for link in clickable(text):
        assert [each.url for each in clickable(f"\n<{link.url}>\n")] in ([link.url], [])
