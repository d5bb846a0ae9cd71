"""Where a field stands in HTML; and where it must not stand, with what to do."""

import html5lib  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import MailError
from custom_smtp.html_places import html_places, url_place
from custom_smtp.merge_fields import Place, fields_in


def places(html: str) -> list[Place]:
    return html_places(html, tuple(fields_in(html, "the HTML")), "the HTML")


@pytest.mark.parametrize(
    "html",
    [
        "{{ x }}",
        "<p>{{ x }}</p>",
        "a < b {{ x }}",
        "<p>{{ x }}",
        '<p title="{{ x }}">',
        "<p title='a {{ x }} b'>",
        '<p class = "{{ x }}">',
        '<img alt="{{ x }}" src="https://a.example/x.png">',
        "<title>{{ x }}</title>",
        "<textarea>{{ x }}</textarea>",
        "<!--[if mso]><b>{{ x }}</b><![endif]-->",
        "<![if !mso]><b>{{ x }}</b><![endif]>",
        "<svg><text>{{ x }}</text></svg>",
        "<noscript>{{ x }}</noscript>",
        "<!-- a --><b></b>{{ x }}<style>b{}</style>",
        "<style></style>{{ x }}",
        "<script>a</script>{{ x }}",
        '<option value="{{ x }}">',
        '<meta name="description" content="{{ x }}">',
    ],
)
def test_text_and_quoted_values_take_any_value(html: str) -> None:
    assert places(html) == [Place.HTML]


@pytest.mark.parametrize(
    ("html", "place"),
    [
        ('<a href="{{ x }}">', Place.HTML_URL),
        ('<a href=" {{ x }}\n">', Place.HTML_URL),
        ("<img src='{{ x }}'>", Place.HTML_URL),
        ('<td background="{{ x }}">', Place.HTML_URL),
        ('<v:rect href="{{ x }}">', Place.HTML_URL),
        ('<a href="https://a.example/{{ x }}">', Place.PATH),
        ('<a HREF="https://a.example/b/{{ x }}/c?d=e#f">', Place.PATH),
        ('<a href="https:\\\\a.example\\{{ x }}">', Place.PATH),
        ('<a href="//a.example/{{ x }}">', Place.PATH),
        ('<a href="/a/{{ x }}">', Place.PATH),
        ('<a href="app://open/{{ x }}">', Place.PATH),
        ('<a href="app:{{ x }}">', Place.PATH),
        ('<a href="https://a.example?b={{ x }}">', Place.QUERY),
        ('<a href="https://a.example/?a=1&amp;b={{ x }}">', Place.QUERY),
        ('<a href="https://a.example/#{{ x }}">', Place.QUERY),
        ('<a href="#{{ x }}">', Place.QUERY),
        ('<a href="?{{ x }}">', Place.QUERY),
        ('<a href="mailto:{{ x }}?subject=y">', Place.ADDRESS),
        ('<a href="&#109;ailto:{{ x }}">', Place.ADDRESS),
        ('<a href="TEL:{{ x }}">', Place.ADDRESS),
    ],
)
def test_a_url_takes_it_as_a_component_or_whole(html: str, place: Place) -> None:
    assert places(html) == [place]


@pytest.mark.parametrize(
    ("html", "advice"),
    [
        ("<{{ x }}>", "as the name of a tag: write it out"),
        ("</{{ x }}>", "take it out there"),
        ("<h{{ x }}>", "not in a value there"),
        ("<p {{ x }}>", "not in a value there"),
        ("<p {{ x }}=1>", "not in a value there"),
        ("<p class={{ x }}>", "not in a value there"),
        ("<p class={{x}}>", 'write class="..."'),
        ("<p class=a{{x}}b>", 'write class="..."'),
        ("<style>{{ x }}</style>", "in a style"),
        ("<style>a{color:{{ x }}}</style>", "in a style"),
        ("<svg><style>{{ x }}</style></svg>", "in a style"),
        ("<script>{{ x }}</script>", "in a script"),
        ("<script>'<!--<script>{{ x }}</script>'</script>", "in a script"),
        ("<xmp>{{ x }}</xmp>", "take it out"),
        ("<iframe>{{ x }}</iframe>", "take it out"),
        ("<plaintext>{{ x }}", "take it out"),
        ("<!-- {{ x }} -->", "in a comment"),
        ("<!-- <b>{{ x }}</b> -->", "in a comment"),
        ("<!--[if {{ x }}]>a<![endif]-->", "in a comment"),
        ("<!doctype {{ x }}>", "in a comment"),
        ("<?xml {{ x }}?>", "in a comment"),
        ("<!-- {{ x }}", "in a comment"),
        ('<a href="https://a.example/{{ x }}', "in a comment, or where no text is shown"),
        ('<p style="color:{{ x }}">', "class"),
        ('<p onclick="{{ x }}">', "in onclick"),
        ('<p onClick="{{ x }}">', "in onclick"),
        ('<img srcset="{{ x }} 2x">', "use src"),
        ('<iframe srcdoc="{{ x }}">', "leave that out"),
        ('<meta http-equiv="{{ x }}">', "leave that out"),
        ('<meta http-equiv="refresh" content="{{ x }}">', "leave that out"),
        ('<meta content="0; url={{ x }}" HTTP-EQUIV=refresh>', "leave that out"),
        ('<link imagesrcset="{{ x }}">', "leave that out"),
        ("<p [text]=\"'{{ x }}'\">", "write it out"),
        ("<p data-amp-bind-text=\"'{{ x }}'\">", "write it out"),
        ('<svg><set attributeName="href" to="{{ x }}"/></svg>', "write it out"),
        ('<svg><animate values="a;{{ x }}"/></svg>', "write it out"),
        ('<img lowsrc="a{{ x }}">', "scheme or host"),
        ('<object codebase="javascript:{{ x }}">', "javascript"),
        ('<a data-track="{{ x }}" href="/">', "led alike"),
        ('<a data-track-id="{{ x }}" href="/">', "one name in reports"),
        ('<a href="javascript:a({{ x }})">', "javascript"),
        ('<a href=" java\nscript:a({{ x }})">', "javascript"),
        ('<a href="&#106;avascript:{{ x }}">', "javascript"),
        ('<a href="data:text/html,{{ x }}">', "data"),
        ('<a href="{{ x }}/a">', "scheme or host"),
        ('<a href="{{ x }}.a.example">', "scheme or host"),
        ('<a href="a{{ x }}">', "scheme or host"),
        ('<a href="https:{{ x }}">', "scheme or host"),
        ('<a href="https://{{ x }}">', "scheme or host"),
        ('<a href="https://{{ x }}.a.example/b">', "scheme or host"),
        ('<a href="https://a.example{{ x }}">', "scheme or host"),
        ('<a href="https://a.example:{{ x }}/">', "scheme or host"),
        ('<a href="//{{ x }}/">', "scheme or host"),
        ('<a href="/\\{{ x }}/">', "scheme or host"),
        ('<a href="app://{{ x }}">', "scheme or host"),
    ],
)
def test_where_it_could_be_more_than_text_it_is_refused(html: str, advice: str) -> None:
    with pytest.raises(MailError) as refused:
        places(html)
    assert str(refused.value).startswith("the HTML has the field x in ") or "as the name" in str(refused.value)
    assert advice in str(refused.value)


def test_each_field_has_its_own_place() -> None:
    html = '<a href="https://a.example/{{ x }}?y={{ y }}" title="{{ x }}">{{ z }}</a> {{ x }}'
    assert places(html) == [Place.PATH, Place.QUERY, Place.HTML, Place.HTML, Place.HTML]


def test_a_page_that_has_the_probe_is_read_too() -> None:
    assert places("<field><field-x>{{ x }}</field>") == [Place.HTML]


PARTS = st.lists(
    st.sampled_from(
        ["<", ">", "/", "!", "--", "-", '"', "'", "=", "_", "a", "href", "https://b/", "<a_href=", "<![CDATA[", "]]>"]
        + ["<!--", "-->", "<style>", "</style>", "<title>", "</title>", "<svg>", "<!--[if_mso]>", "<![endif]-->"]
        + ["{{x}}"] * 3
    ),
    max_size=12,
).map(lambda parts: "".join(parts).replace("_", " "))


@given(PARTS)
def test_wherever_it_is_allowed_no_value_adds_or_ends_a_tag(html: str) -> None:
    """Read by another parser: the same tags with the same attributes, whatever the value is."""
    found = tuple(fields_in(html, "the HTML"))
    try:
        told = html_places(html, found, "the HTML")
    except MailError:
        return

    def shape(value: str) -> list[tuple[str, tuple[str, ...]]]:
        pieces: list[str] = []
        at = 0
        for each, place in zip(found, told, strict=True):
            pieces += html[at : each.start], place.written(value)
            at = each.end
        tree = html5lib.parse("".join([*pieces, html[at:]]), namespaceHTMLElements=False)
        return [(str(element.tag), tuple(element.attrib)) for element in tree.iter()]

    assert shape("word") == shape("<b x='y'>\"--></a></title></style> 'z' &amp; =") or not found


@pytest.mark.parametrize("whole", [Place.HTML_URL, Place.TEXT_URL])
def test_a_whole_url_is_what_was_asked_for(whole: Place) -> None:
    assert url_place("", "", whole) is whole
