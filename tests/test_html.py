"""Where the links of an HTML mail stand."""

import html as stdlib_html
import re
from collections.abc import Callable
from time import process_time
from xml.etree.ElementTree import Element

import html5lib  # type: ignore[import-untyped]  # it has no types
import pytest
from html5lib._tokenizer import HTMLTokenizer  # type: ignore[import-untyped]  # neither has this
from html5lib.constants import tokenTypes  # type: ignore[import-untyped]  # nor this
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_smtp.html import Link, Tag, decode, encode, loose_conditions, scan, tags


def links(text: str) -> list[str]:
    """The values as they stand in the text."""
    return [text[link.start : link.end] for link in scan(text).links]


@pytest.mark.parametrize(
    ("text", "value", "quote"),
    [
        ('<a href="https://x.example/">', "https://x.example/", '"'),
        ("<a href='https://x.example/'>", "https://x.example/", "'"),
        ("<a href=https://x.example/>", "https://x.example/", ""),
        ("<a href = https://x.example/ >", "https://x.example/", ""),
        ("<A HREF=https://x.example/ CLASS=b>", "https://x.example/", ""),
        ("<a\n\thref\r\n=\f'x'\n>", "x", "'"),
        ("<a/href=x>", "x", ""),
        ("<a class='b'href='x'>", "x", "'"),
        ('<a title="href=no" href="x">', "x", '"'),
        ('<a title="1 > 0" href="x">', "x", '"'),
        ("<a title='\"' href=x>", "x", ""),
        ("<a href=x'y\"z>", "x'y\"z", ""),
        ("<a data-href=no href=x>", "x", ""),
        ("<a =href=no href=x>", "x", ""),
        ("<a href=a=b>", "a=b", ""),
        ("<a href==x>", "=x", ""),
        ('<a download href="x" hidden>', "x", '"'),
        ("<area shape=rect href=x>", "x", ""),
        ('<v:roundrect xmlns:v="urn:x" href="x" arcsize="5%">', "x", '"'),
        ("<V:Shape href='x'/>", "x", "'"),
        ('<a title=""href="x"data-track=on>', "x", '"'),
        ('<a " href=x>', "x", ""),
        ("<a href=x/>", "x/", ""),
        ("<a href=http://x.example/?a=b&c='d'>", "http://x.example/?a=b&c='d'", ""),
        ("<a href='x\r\ny'>", "x\r\ny", "'"),
        ('<a href="x" href-lang>', "x", '"'),
        ('<?xml:namespace prefix = o ns = "urn:x" /><a href=x>', "x", ""),
        ("<xml><o:p></o:p></xml><a href=x>", "x", ""),
        ('<p title="-->">--><a href=x>', "x", ""),
        ("<p>it's <a href=x>", "x", ""),
        ("<p title= 'a>b'><a href=x>", "x", ""),
        ('<p title="="><a href=x>', "x", ""),
        ('<a href="">', "", '"'),
        ('<a href="a\0b">', "a\0b", '"'),
        ("<<a href=x>", "x", ""),
        ("a < b <a href=x>", "x", ""),
        ("<3 </> <? <!-> </ > > <a href=x>", "x", ""),
    ],
)
def test_a_link_is_found_however_it_is_written(text: str, value: str, quote: str) -> None:
    [link] = scan(text).links
    assert (text[link.start : link.end], link.quote) == (value, quote)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a>",
        "<a href>",
        "<a href=>",
        "<a href= >",
        "<a hrefs=x>",
        "<a xlink:href=x>",
        "</a href=x>",
        "<abbr href=x>",
        "<link href=x>",
        "<base href=x>",
        "<img src=x>",
        "<a\0 href=x>",
        "<a href\0=x>",
        "< a href=x>",
        "<\na href=x>",
        "&lt;a href=x>",
        "<!a href=x>",
        "<?a href=x>",
        "</ <a href=x>",
        "<p <a href=x>",
        '<img alt="<a href=x>">',
        "<img alt='<a href=x>'>",
        "<a href=x",
        '<a href="x>',
        "<a href='x>y",
        '<p title="><a href=x>',
        "<!-- <a href=x> -->",
        "<!-- <a href=x>",
        "<!---><!-- -- > <a href=x> -->",
        "<!--> <!--- <a href=x> -->",
        "<!--!> <a href=x>",
        "<!-- [if mso]><a href=x><![endif]-->",
        "<!DOCTYPE html <a href=x>",
        "<style><a href=x></style>",
        "<STYLE><a href=x></Style >",
        "<style><a href=x></stylesheet><a href=x>",
        "<script>'<a href=x>'</script>",
        "<title><a href=x></title>",
        "<textarea><a href=x></textarea>",
        "<xmp><a href=x></xmp>",
        "<iframe><a href=x></iframe>",
        "<noembed><a href=x></noembed>",
        "<noframes><a href=x></noframes>",
        "<plaintext><a href=x></plaintext><a href=x>",
        "<plaintext>x</plaintext><a href=x>",
        '<p title="<a href=x>',
        '<p title = "> <a href=x>">',
        "<p title = '> <a href=x>'>",
        '<p title="<style>"<a href=x>',
        "<style data-x</style><a href=x>",
        "<svg><![CDATA[ > <a href=x> ]]></svg>",
        "<svg><![CDATA[ > <a href=x>",
        "<svg><a xlink:href=x></svg>",
        "<svg><title/><desc><style><a href=x></style></desc></svg>",
        "<svg><p><style><a href=x></style></svg>",
        "<svg></p><style><a href=x></style>",
        "<math><mi><title><a href=x></title></mi></math>",
        "<svg/><![CDATA[ <a href=x> ]]><title><a href=x></title>",
        "<svg><font color=red><style><a href=x></style>",
        "<script><!-- <script></script> <a href=x> </script>",
        "<title><a href=x>",
        '<style title=">\n</style>"><a href=x>',
        '<title lang=">" dir="</title>"><a href=x></title>',
        '<script type=">x</script>"><a href=x>',
    ],
)
def test_what_is_no_link_is_left(text: str) -> None:
    assert links(text) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("<a href=1 href=2 HREF=3>", ["1"]),
        ("<a href href=2>", []),
        ("<a href=1><a href=2></a><area href=3>", ["1", "2", "3"]),
        ("<!-- -- --!><a href=1>", ["1"]),
        ("<!--><a href=1><!---><a href=2>", ["1", "2"]),
        ("<!----!><a href=1><!---!> <a href=2> -->", ["1"]),
        ("<style>a{}</style><a href=1><title>b</title\n><a href=2>", ["1", "2"]),
        ("<style/><a href=1></style><a href=2>", ["2"]),
        ("<script></style></script><a href=1>", ["1"]),
        ("<script><!--></script><a href=1>", ["1"]),
        ("<script><!--</script><a href=1>", ["1"]),
        ("<script><!-- <script> </script> --></script><a href=1>", ["1"]),
        ("<script><!-- <script> --> </script><a href=1>", ["1"]),
        ("<script></script/><a href=1>", ["1"]),
        ("<titles><a href=1></titles>", ["1"]),
        ("</style><a href=1></script>", ["1"]),
        ("<svg><![CDATA[ <a href=1> ]]></svg>", []),
        ("<![if !mso]><a href=1><![endif]>", ["1"]),
        ("<![CDATA[ > <a href=1> ]]>", ["1"]),
        ("<svg><a href=1><path/></a></svg><a href=2>", ["1", "2"]),
        ("<svg><title/><style/><script/><a href=1></svg><a href=2>", ["1", "2"]),
        ("<svg><title>x<a href=1></title></svg><a href=2>", ["1", "2"]),
        ("<svg><font><style><a href=1></style></font></svg>", ["1"]),
        ("<svg><svg></svg><style><a href=1></style></svg>", ["1"]),
        ("<svg><foreignObject><svg><style><a href=1></foreignObject><style><a href=2>", ["1", "2"]),
        ("<svg><mi><style><a href=1>", ["1"]),
        ("<svg><!-- <a href=1> --><!--[if mso]><a href=2><![endif]--><a href=3>", ["2", "3"]),
        ("<svg><!--[if mso]><math><style><![endif]--><style><a href=1></svg><style><a href=2>", ["1"]),
        ("<svg><!--[if mso]><svg></svg><![endif]--><style><a href=1></svg>", ["1"]),
        ("<math><annotation-xml><a href=1></annotation-xml></math>", ["1"]),
        ("<noscript><a href=1></noscript>", ["1"]),
    ],
)
def test_hard_cases_are_read_as_the_standard_says(text: str, values: list[str]) -> None:
    assert links(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("<!--[if mso]><a href=1><![endif]--><a href=2>", ["1", "2"]),
        ('<!--[IF (gte mso 9)|(IE)]><v:rect href="1"><![endif]-->', ["1"]),
        ("<!--[if !mso]><!--><a href=1><!--<![endif]-->", ["1"]),
        ("<!--[if !mso]>--><a href=1><!--<![endif]-->", ["1"]),
        ("<!--[if !mso]><!-- --><a href=1><!--<![endif]-->", ["1"]),
        ("<!--[if mso]><style><a href=1></style><a href=2><![endif]--><a href=3>", ["2", "3"]),
        ("<!--[if mso]><style><a href=1><![endif]--><a href=2>", ["2"]),
        ('<!--[if mso]><a href="1><![endif]--><a href="2">', ["2"]),
        ("<!--[if mso]><a href=1<![endif]--><a href=2>", ["2"]),
        ("<!--[if mso]><!--[if gte mso 9]><a href=1><![endif]--><a href=2><![endif]-->", ["1", "2"]),
        ("<!--[if mso]><!-- <a href=1><![endif]--><a href=2>", ["2"]),
        ("<!--[if mso]><plaintext><a href=1><![endif]--><a href=2>", ["2"]),
        ("<!--[if mso]><a href=1>", []),
        ("<!--[if mso]><svg><![endif]--><title><a href=1></title><a href=2>", ["2"]),
        ("<!--[if mso]><p title='<![endif]--><a href=2>", ["2"]),
        ("<!--[if mso]><td><![endif]--><!--[if mso]></td><![endif]--><a href=2>", ["2"]),
        ("<!--[if mso]><base href=x><a href=1 title='-->'><a href=2>", ["2"]),
        ("<!--[if mso]><td><![endif]> <a href=1> --><a href=2>", ["1", "2"]),
        ("<!--[if mso <a href=1>--><a href=2>", ["2"]),
        ("<!--[if mso]--><a href=2>", ["2"]),
    ],
)
def test_outlooks_conditions_are_entered(text: str, values: list[str]) -> None:
    assert links(text) == values


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("<body>x</body></html>", "</body></html>"),
        ("<body>x</BODY\n></html>", "</BODY\n></html>"),
        ("</body>x</body>", "</body>"),
        ("x</body><!-- </body> -->", "</body><!-- </body> -->"),
        ("x</body><style></body></style>", "</body><style></body></style>"),
        ("x</body><!--[if mso]></body><![endif]-->", "</body><!--[if mso]></body><![endif]-->"),
        ("x</bodys>", ""),
        ("x<body>", ""),
        ("x", ""),
        ("", ""),
        ("x</body", "</body"),
        ("x<!-- ", "<!-- "),
        ("x<style>", "<style>"),
        ("x<plaintext>y", "<plaintext>y"),
        ('x<a href="', '<a href="'),
        ("x</", "</"),
        ("x<", ""),
        ("x<!--[if mso]>y", "<!--[if mso]>y"),
        ("x<!--[if mso]><style>--><p>", ""),
    ],
)
def test_the_end_is_where_something_added_is_shown(text: str, end: str) -> None:
    assert text[scan(text).end :] == end


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ('<base href="https://x.example/?a&amp;b"><a href=y>', "https://x.example/?a&b"),
        ("<BASE target=_blank HREF=x>", "x"),
        ("<base target=_blank><base href=x><base href=y>", "x"),
        ("<base href=''>", ""),
        ("<base>", None),
        ("<basefont href=x>", None),
        ("<!-- <base href=x> -->", None),
        ("<!--[if mso]><base href=x><![endif]-->", None),
    ],
)
def test_the_base_of_relative_links_is_told(text: str, base: str | None) -> None:
    assert scan(text).base == base


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('<a href="x" data-track="off">', '<a href="x">'),
        ('<a data-track="off" href="x">', '<a href="x">'),
        ("<a data-track=off href=x>", "<a href=x>"),
        ("<a href=x\n DATA-TRACK=' OFF '\n>", "<a href=x\n>"),
        ("<a href=x data-track='off'/>", "<a href=x />"),
        ("<a data-track='off'title=y href=x>", "<a title=y href=x>"),
        ("<a/data-track='off'/href=x>", "<a//href=x>"),
        ("<a data-track='&#111;ff' href=x>", "<a href=x>"),
    ],
)
def test_an_opt_out_is_found_with_the_space_that_goes_with_it(text: str, left: str) -> None:
    page = scan(text)
    [(start, end)] = page.opt_outs
    assert text[:start] + text[end:] == left
    assert [link.opted_out for link in page.links] == [True]
    assert [link.url for link in scan(left).links] == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        "<a href=x data-trac\u212a=off>",
        "<a href=x data-track=on>",
        "<a href=x data-track>",
        "<p data-track=off><a href=x>",
    ],
)
def test_anything_else_is_no_opt_out(text: str) -> None:
    page = scan(text)
    assert page.opt_outs == ()
    assert page.links == (Link(text.index("x"), text.index("x") + 1, "", "x"),)


def test_the_first_of_two_opt_outs_counts() -> None:
    assert scan("<a href=x data-track=on data-track=off>").opt_outs == ()


def test_an_opt_out_without_a_link_is_found_too() -> None:
    assert scan("<a data-track=off>").opt_outs == ((2, 17),)


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&amp;copy=2", "?a=1&copy=2"),
        ("?a=1&copy;=2", "?a=1\u00a9=2"),
        ("?a&copy", "?a\u00a9"),
        ("?a&copy&b", "?a\u00a9&b"),
        ("?a&copyx", "?a&copyx"),
        ("?a&notit;", "?a&notit;"),
        ("?a&notin;", "?a\u2209"),
        ("?a=1&lt=4&amp", "?a=1&lt=4&"),
        ("?a&amplt;", "?a&amplt;"),
        ("?a&hellip=1&hellip;", "?a&hellip=1\u2026"),
        ("?a&unknown;", "?a&unknown;"),
        ("&#38;&#x26;&#X26&#38", "&&&&"),
        ("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd" * 4),
        ("&#x80;&#150;&#x81;", "\u20ac\u2013\x81"),
        ("&#00000000065;", "A"),
        ("&#;&#x;&;& &", "&#;&#x;&;& &"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\0b", "a\ufffdb"),
        ("&NotEqualTilde;", "\u2242\u0338"),
    ],
)
def test_references_are_decoded_as_in_attributes(value: str, means: str) -> None:
    assert decode(value) == means


@given(st.text(), st.sampled_from(['"', "'", ""]))
def test_what_is_encoded_is_read_back(text: str, quote: str) -> None:
    text = text.replace("\0", "").replace("\r", "") + "/"
    [link] = scan(f"<a href={quote}{encode(text, quote)}{quote} title=y>").links
    assert (link.url, link.quote) == (text, quote)


def test_no_more_is_encoded_than_the_quotes_ask_for() -> None:
    assert encode("a'b\"c&d<e", '"') == "a'b&quot;c&amp;d<e"
    assert encode("a'b\"c&d<e", "'") == 'a&#39;b"c&amp;d<e'
    assert encode("https://x.example/c/t-_", "") == "https://x.example/c/t-_"


PIECES = """
    < > / = ' " ! - -- --> --!> <!-- <![endif]--> <!--[if mso]> <!--> <a <area <v:x <p </p> </a </body> <style> </style>
    <script> </script> <title> <plaintext> & ; &amp; &#x1; ]]> <![CDATA[ <? href=x href="x" href='x' data-track=off
"""
pieces = st.sampled_from([*PIECES.split(), " ", "\n", "\0", "<a href="]) | st.text(max_size=3)
hostile = st.lists(pieces, max_size=25).map("".join)


@given(hostile)
def test_every_place_is_in_the_text_and_in_order(text: str) -> None:
    page = scan(text)
    places = [place for link in page.links for place in (link.start, link.end)]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in (*places, page.end))
    for link in page.links:
        assert text[link.start - 1 : link.start] == link.quote or link.quote == ""
        assert link.quote == "" or text[link.end] == link.quote
        assert link.quote == "" or link.quote not in text[link.start : link.end]


@given(hostile)
def test_a_quick_reading_finds_what_a_thorough_one_finds(text: str) -> None:
    thorough = [tag.attributes().get("href", "") for tag in tags(text) if not tag.closing and is_link(tag.name)]
    assert [link.url for link in scan(text).links if link.url] == [url for url in thorough if url]


def is_link(name: str) -> bool:
    return name in ("a", "area") or name.startswith("v:")


START_TAGS = (tokenTypes["StartTag"], tokenTypes["EmptyTag"])
SWITCHES = {"title": "rcdata", "textarea": "rcdata", "script": "scriptData", "plaintext": "plaintext"} | dict.fromkeys(
    ("style", "xmp", "iframe", "noembed", "noframes"), "rawtext"
)


def links_by_the_standard(text: str) -> list[str]:
    """The links that another tokenizer finds, switched at each start tag as a browser does without scripting."""
    tokenizer = HTMLTokenizer(text)
    found = []
    for token in tokenizer:
        if token["type"] not in START_TAGS:
            continue
        name = token["name"]
        if name in SWITCHES:
            tokenizer.state = getattr(tokenizer, f"{SWITCHES[name]}State")
        elif is_link(name):
            found.append(token["data"].get("href", ""))
    return [link for link in found if link]


# Outlook's conditions are our own addition; and html5lib ends a comment that begins with a NUL at the next ">".
NOT_ALIKE = re.compile(r"<!--\[if|<!---?\0", re.IGNORECASE)


@given(hostile.filter(lambda text: not NOT_ALIKE.search(text)))
@settings(max_examples=500)
def test_the_links_are_those_that_another_tokenizer_finds(text: str) -> None:
    assert [link.url for link in scan(text).links if link.url] == links_by_the_standard(text)


ISLANDS = (
    "<svg> </svg> <svg/> <math> </math> <foreignObject> <desc> </desc> <title/> <mi> </mi> <p> <font/size> <path/>"
)
islands = st.sampled_from(ISLANDS.split())


def tree(text: str, changed: Callable[[str], str]) -> list[object]:
    """What a browser's parser makes of it, links changed."""

    def told(element: Element) -> object:
        name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        attributes = {
            key: changed(value) if key == "href" and value and is_link(name) else value
            for key, value in element.items()
        }
        return name, attributes, element.text, element.tail, [told(child) for child in element]

    return [told(html5lib.parse(text))]


@given(st.lists(pieces | islands, max_size=25).map("".join).filter(lambda text: not NOT_ALIKE.search(text)))
@settings(max_examples=300)
def test_a_browser_sees_the_same_tree_with_other_links(text: str) -> None:
    new: list[str] = []
    at = 0
    for link in scan(text).links:
        if link.url:
            new += text[at : link.start], encode("https://x.example/?a&b", link.quote)
            at = link.end
    assert tree("".join((*new, text[at:])), lambda url: url) == tree(text, lambda _: "https://x.example/?a&b")


@given(hostile)
def test_a_link_behind_the_text_is_seen_unless_the_text_swallows_it(text: str) -> None:
    before, after = scan(text), scan(f"{text}<a href=behind>")
    assert after.links[: len(before.links)] == before.links
    assert len(after.links) <= len(before.links) + 1


@given(hostile)
def test_changed_links_are_the_only_ones_that_change(text: str) -> None:
    page = scan(text)
    new: list[str] = []
    at = 0
    for link in page.links:
        new += text[at : link.start], encode("https://x.example/?a&b", link.quote)
        at = link.end
    again = scan("".join((*new, text[at:])))
    assert [link.url for link in again.links] == ["https://x.example/?a&b"] * len(page.links)
    assert [link.quote for link in again.links] == [link.quote for link in page.links]


@given(st.text(st.characters(exclude_characters="<&\r\0")))
def test_text_that_is_escaped_holds_no_link(text: str) -> None:
    page = scan(stdlib_html.escape(f"<a href='x'>{text}</body>"))
    assert page.links == ()


def test_a_tag_tells_where_its_values_stand() -> None:
    text = """<p>x<a HREF = "a &amp; b" class='c' id=d e e="" f = title=g href=h>"""
    _, tag = tags(text)
    told = [(value.name, text[value.start : value.end], value.quote) for value in tag.values()]
    assert told == [
        ("href", "a &amp; b", '"'),
        ("class", "c", "'"),
        ("id", "d", ""),
        ("e", "", '"'),
        ("f", "title=g", ""),
        ("href", "h", ""),
    ]


def test_tags_are_told_with_their_first_attributes() -> None:
    text = '<IMG SRC=a ALT="x &amp; y" alt=z hidden><!-- <img> --><![if !mso]></P x><br/>'
    image, end, line_break = tags(text)
    assert image == Tag(text, 0, text.index("<!--"), "img")
    assert image.attributes() == {"src": "a", "alt": "x & y", "hidden": ""}
    assert (end.name, end.closing, line_break.name, line_break.closing) == ("p", True, "br", False)


def test_tags_are_those_that_are_shown() -> None:
    text = "<style>a<b></style><!-- <i> --><!--[if mso]><v:oval><![endif]--><svg><style><g></svg><img <p>"
    assert [tag.name for tag in tags(text)] == ["style", "style", "v:oval", "svg", "style", "g", "svg", "img"]


@pytest.mark.parametrize(
    ("text", "loose"),
    [
        ("<!--[if mso]>x<![endif]--><!--[if !mso]><!-->x<!--<![endif]--><![if !mso]>x<![endif]>", ()),
        ("<!--[if !mso]> -->x<!-- <![endif]-->", ()),
        ("<!--[IF mso]><!--[if ie]><![endif]--><![ENDIF]-->", ()),
        ("ab<!--[if mso]>x", (2,)),
        ("ab<![endif]-->x", (2,)),
        ("<!--[if mso]>x<![endif]--><![endif]>", (26,)),
        ("<![endif]><![if a]><!--[if b]><![endif]>", (0, 10)),
        ("<!-- endif --><!--[endif]--><![if", (14,)),
    ],
)
def test_conditions_without_end_or_beginning_are_found(text: str, loose: tuple[int, ...]) -> None:
    assert loose_conditions(text) == loose


SHAPES: dict[str, Callable[[int], str]] = {
    "less-than": lambda n: "<" * n,
    "tags that never end": lambda n: "<a " * n,
    "quotes that never end": lambda n: '<a href="' * n,
    "end tags that never end": lambda n: "</p x='" * n,
    "attributes": lambda n: "<a " + "href = 'x' " * n,
    "equals": lambda n: "<a " + "x = " * n,
    "spaces": lambda n: "<a " + " " * n,
    "spaces before equals": lambda n: ("<a" + " " * 50 + "=") * (n // 20),
    "slashes": lambda n: "<a " + "/ " * n,
    "opt-outs": lambda n: "<a " + "data-track=off " * n + ">",
    "comments": lambda n: "<!--" * n,
    "comments that end": lambda n: "<!---->" * n,
    "conditions": lambda n: "<!--[if mso]>" * n,
    "conditions that end": lambda n: "<!--[if mso]><style>-->" * n,
    "conditions cut off": lambda n: "<!--[if " * n,
    "conditions in one comment": lambda n: "<!--[if mso]>" * n + "-->",
    "styles": lambda n: "<style>" * n,
    "titles in a condition": lambda n: "<!--[if mso]>" + "<title>" * n + "-->",
    "scripts": lambda n: "<script>" + "<!--<script></script>" * n,
    "declarations": lambda n: "<!x" * n,
    "conditions for all that are cut off": lambda n: "<![if " * n,
    "references": lambda n: '<a href="' + "&#" * n + '">',
    "digits": lambda n: '<a href="&#' + "1" * n + ';">',
    "ampersands": lambda n: '<a href="' + "&amp" * n + '">',
    "ends in a value": lambda n: ('<p x="' + "<a " * 9 + '">') * n,
    "links in a value": lambda n: '<p x="' + "<a href=x>" * n + '">',
    "quotes in text": lambda n: '"\' = <a href=x> "' * n,
    "titles that end": lambda n: "<title>x</title>" * n,
    "comments that end in text": lambda n: "<!-- x -->" * n + "<!--[if" + "<" * n,
    "pictures": lambda n: "<svg>" * n + "</svg>" * n,
    "pictures in pictures": lambda n: "<svg><desc>" * n + "</mi>" * n + "</desc>" * n,
    "sections": lambda n: "<svg>" + "<![CDATA[" * n,
    "bodies": lambda n: "</body>" * n,
    "styles in values": lambda n: '<style a="<style a=" b="' * n,
    "styles with values": lambda n: "<style" + ' a="<style"' * n,
}


@pytest.mark.parametrize("read", [scan, loose_conditions])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_hostile_text_takes_time_by_its_length(shape: Callable[[int], str], read: Callable[[str], object]) -> None:
    def seconds(times: int) -> float:
        text = shape(times)
        best = float("inf")
        for _ in range(3):
            begun = process_time()
            read(text)
            best = min(best, process_time() - begun)
        return best

    # By the square it would be 256 times; by the length it is 16 times, give or take what a busy machine adds.
    assert seconds(32_000) < 80 * max(seconds(2_000), 0.0002)
