"""What HTML says of its own charset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.html_charset import said_charsets, saying


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<meta charset="iso-8859-1">', '<meta charset="utf-8">'),
        ("<META CHARSET=latin1 />", "<META CHARSET=utf-8 />"),
        (
            "<meta content='text/html; charset = \"x\"; y=z' http-equiv=Content-Type>",
            "<meta content='text/html; charset = \"utf-8\"; y=z' http-equiv=Content-Type>",
        ),
        (
            '<head><meta charset=a><meta http-equiv="content-type" content="text/html;charset=b"></head>',
            '<head><meta charset=utf-8><meta http-equiv="content-type" content="text/html;charset=utf-8"></head>',
        ),
    ],
)
def test_a_page_says_another_charset_wherever_it_said_one(html: str, expected: str) -> None:
    assert saying(html, "utf-8") == expected
    assert {each.name for each in said_charsets(expected)} == {"utf-8"}


@pytest.mark.parametrize(
    "html",
    [
        "<p charset=x>charset=x</p>",
        '<meta name="description" content="charset=x">',
        '<meta http-equiv="refresh" content="0; charset=x">',
        '<meta http-equiv="Content-Type" content="text/html">',
        "</meta charset=x>",
        "<!-- <meta charset=x> -->",
        "<meta charset>",
    ],
)
def test_what_names_none_stays(html: str) -> None:
    assert saying(html, "utf-8") == html
    assert not [*said_charsets(html)]


@given(st.text("<>meta charst='\"/=-;! htp-equivConT", max_size=80))
def test_any_page_can_be_looked_at(html: str) -> None:
    changed = saying(html, "utf-8")
    assert len([*said_charsets(changed)]) == len([*said_charsets(html)])
