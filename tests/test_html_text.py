"""Plain text made of HTML: what a reader sees, in its lines, and nothing else."""

from html import escape
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.html_text import text_of


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("Hello", "Hello\n"),
        ("  Hello \n\t world ", "Hello world\n"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo\n"),
        ("<div>One</div><div>Two</div>", "One\nTwo\n"),
        ("<div><div><div>One</div></div></div>Two", "One\nTwo\n"),
        ("One<br>Two<br/><br>Three", "One\nTwo\n\nThree\n"),
        ("<br><br>One", "One\n"),
        ("a<b>b</b>c <i> d</i>", "abc d\n"),
        ("Tea &amp; cake &copy 2026 &lt;b&gt; &euro;3&nbsp;each", "Tea & cake © 2026 <b> €3\xa0each\n"),
        ("<h1>News</h1>Text", "News\n\nText\n"),
        ("One<hr>Two", "One\n\n--------------------\n\nTwo\n"),
        ("<pre>  a\n\n   b</pre>c", "  a\n\n   b\n\nc\n"),
        ("<blockquote>a<p>b</blockquote>c", "> a\n>\n> b\n\nc\n"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>", "> a\n>\n> > b\n>\n> c\n"),
        ("<table><tr><th>Tea<th>3<tr><td>Cake<td>4</table>", "Tea 3\nCake 4\n"),
    ],
)
def test_text_keeps_its_words_and_lines(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ("a<ul><li>b<li>c</ul>d", "a\n\n- b\n- c\n\nd\n"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b\n"),
        ("<ol start=9><li>a<li>b</ol>", "9. a\n10. b\n"),
        ("<ol start=x><li>a</ol>", "1. a\n"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c\n"),
        ("<ol><li>a<br>more<ul><li>b</ul></ol>", "1. a\n   more\n   - b\n"),
        ("<ul><li></li><li>a</ul>", "- a\n"),
        ("<li>a", "a\n"),
        ("</ul>a", "a\n"),
    ],
)
def test_lists_keep_their_bullets(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="https://shop.example/a?b=1&amp;c=2">Order</a>.', "Order <https://shop.example/a?b=1&c=2>.\n"),
        ('<a href="https://shop.example/">shop.example</a>', "shop.example\n"),
        ('<a href="https://www.shop.example/">shop.example</a>', "shop.example\n"),
        ('<a href="https://shop.example/a">https://shop.example/a</a>', "https://shop.example/a\n"),
        (
            '<a href="https://shop.example/a">https://shop.example</a>',
            "https://shop.example <https://shop.example/a>\n",
        ),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example\n"),
        ('<a href="mailto:a@b.example">Write</a> us', "Write <a@b.example> us\n"),
        ('<a href="tel:+4930">Call</a>', "Call <+4930>\n"),
        ('<a href="#top">Up</a>', "Up\n"),
        ('<a href="https://a.example/a b.pdf">Read</a>', "Read <https://a.example/a%20b.pdf>\n"),
        ('<a href="https://a.example/?a=&lt;b&gt;">Read</a>', "Read <https://a.example/?a=%3Cb%3E>\n"),
        ('<a href="https://a.example/a\n\tb">Read</a>', "Read <https://a.example/ab>\n"),
        ('<a href="https://a.example/?a={{ name }}&b={c}">Read</a>', "Read <https://a.example/?a={{ name }}&b={c}>\n"),
        ('<a href="{{unsubscribe_url}}">Leave</a>', "Leave <{{unsubscribe_url}}>\n"),
        ('<a href="{{ url }}">Read</a>', "Read <{{ url }}>\n"),
        ('<a href="javascript:x()">Up</a>', "Up\n"),
        ("<a name=x>Up</a>", "Up\n"),
        ('<a href="https://a.example/">', ""),
        ('<a href="https://a.example/">x', "x <https://a.example/>\n"),
        (
            '<a href="https://a.example/">x<a href="https://b.example/">y</a>',
            "x <https://a.example/>y <https://b.example/>\n",
        ),
        ('<a href="https://a.example/"><img src=x alt="A  cat"></a>', "A cat <https://a.example/>\n"),
        ('<a href="https://a.example/"><img src=x></a>b', "b\n"),
        ('<a href="https://a.example/"><p>one</p><p>two</p></a>', "one\n\ntwo <https://a.example/>\n"),
        ('a<img src=x alt="">b<img src=y alt="c">', "ab c\n"),
    ],
)
def test_links_stand_behind_their_words(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    "unseen",
    [
        "<style>p { color: red }</style>",
        "<script>if (a < b) c()</script>",
        "<head><meta charset=utf-8><title>Title</title></head>",
        "<head><title>Title</title><body>",
        "<!-- a comment -->",
        "<!---->",
        "<!-->",
        "<!--[if mso]><p>For Outlook</p><![endif]-->",
        '<div style="display:none">Preheader</div>',
        '<span style="color:red; DISPLAY : NONE !important">Preheader</span>',
        '<div style="max-height:0px;overflow:hidden">a<div>b</div>c</div>',
        '<p style="font-size:0">a</p>',
        '<div style="mso-hide:all">a</div>',
        "<div hidden>a</div>",
        "<select><option>a</select>",
        "<svg><text>a</text></svg>",
        "<!doctype html>",
        "<?xml version='1.0'?>",
        "<![if !mso]>",
    ],
)
def test_what_no_reader_sees_is_left_out(unseen: str) -> None:
    assert text_of(f"a{unseen}b").split() in (["ab"], ["a", "b"])


@pytest.mark.parametrize("next_block", ["<p>", "</div>", "<table><tr><td>", "<li>", "<h1>", "<td>"])
def test_a_hidden_paragraph_that_is_not_closed_ends_where_the_next_block_begins(next_block: str) -> None:
    assert text_of(f"<div><p style='display:none'>a<b>b</b>{next_block}c").strip("- \n") == "c"
    assert text_of(f"<div><p style='display:none'>a</p>b{next_block}c").split() in (["b", "c"], ["b", "-", "c"])


@pytest.mark.parametrize(
    "shown",
    ['<p style="font-size:0.9em">x</p>', '<p style="max-height:50px">x</p>', '<p title="style hidden">x</p>'],
)
def test_what_looks_hidden_and_is_not_is_kept(shown: str) -> None:
    assert "x" in text_of(shown)


@pytest.mark.parametrize(
    "cut", ["<", "<p", "<!--", "<!", "</", "<a href='", "&", "&#", "<style>", "<!--[if mso]>", "-->"]
)
def test_a_page_that_is_cut_off_is_read_to_there(cut: str) -> None:
    assert text_of(f"<p>Hello</p>{cut}").startswith("Hello\n")


pages = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</p>",
            "<div>",
            "</div>",
            "<br>",
            "<ul>",
            "</ul>",
            "<ol>",
            "<li>",
            "</li>",
            "<table>",
            "<tr>",
            "<td>",
            "</td>",
            "<pre>",
            "</pre>",
            "<a>",
            "</a>",
            "<h1>",
            "<hr>",
            "<blockquote>",
            "</blockquote>",
            "<style>",
            "</style>",
            "<!--",
            "-->",
            "<![if>",
            "&amp;",
            "&lt;",
            "\n",
            "<",
            ">",
            "<head>",
            "<body>",
            "<img>",
            "<span>",
            '<a href="https://a.example/">',
            '<div style="display:none">',
            '<img alt="cat">',
        ]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)


@given(pages)
def test_any_page_gives_lines(page: str) -> None:
    text = text_of(page)
    assert text == "" or text.endswith("\n")
    assert "\n\n\n" not in text or "<pre>" in page
    assert not text.startswith("\n") or "<pre>" in page


@given(st.lists(st.text("abc<&>é\u4e2d", min_size=1, max_size=8), min_size=1, max_size=20))
def test_no_word_is_lost_or_changed(words: list[str]) -> None:
    assert text_of(f"<p>{'</p> <p>'.join(map(escape, words))}</p>").split() == words


SHAPES = [
    "<!--",
    "<",
    "<p",
    "<div>",
    "<ul><li>",
    "<blockquote>",
    "<a href=x>",
    '<a href="',
    "&",
    "<style>",
    "</p>",
    "<![",
    "x ",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_length(shape: str) -> None:
    """Four times as much takes four times as long; sixteen would be the square."""

    def taken(times: int) -> float:
        page = shape * times
        begun = process_time()
        text_of(page)
        return process_time() - begun

    small = max(min(taken(4_000) for _ in range(3)), 1e-4)
    assert min(taken(16_000) for _ in range(3)) < 10 * small


def test_an_odd_sign_alone_is_a_line_too() -> None:
    assert text_of("\x1f") == "\x1f\n"
