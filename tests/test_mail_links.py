"""A mail looked through: what is found, what it is called, and what changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, Attachment, Mail
from custom_smtp.link_rules import LinkChooser, LinkRule, Skip, Way
from custom_smtp.mail_links import PIXEL, TRAP, MailLinks, Part, look_through, pixel_tokens, trap_tokens
from custom_smtp.pieces import cut

BASE = "https://links.shop.example"


def found(rules: Any = (), **body: Any) -> MailLinks:
    mail = Mail(sender=Address("a@shop.example"), to=Address("b@b.example"), subject="x", **body)
    return look_through(mail, LinkChooser(base_url=BASE, rules=tuple(rules)))


def test_links_are_called_by_their_place_or_their_name() -> None:
    html = (
        '<a data-track-id="hero" href="https://a.example">'
        "<td data-track-id=no><a href=#top><A HREF='https://a.example'>"
        '<!--[if mso]><v:rect href="https://a.example" data-track-id=" b&amp;c "/><![endif]-->'
        '<a data-track-id="two\nlines" href="https://a.example"><a data-track-id href="https://a.example">'
    )
    names = [link.link for link in found(html=html, text="https://a.example, https://a.example").links]
    assert names == ["hero", "2", "3", "b&c", "5", "6", "t1", "t2"]


def test_a_link_is_changed_where_it_stands() -> None:
    html = "<a href='https://a.example'>a</a> <a href=https://b.example/?c&d#e>b</a>"
    links = found([LinkRule("b.example", Way.APP)], html=html)
    pieces = cut(html, links.in_html)
    assert pieces.filled(["1", "2"]) == (
        f"<a href='{BASE}/c/1'>a</a> <a href=https://b.example/?c&amp;d&amp;link_id&#61;2#e>b</a>"
    )
    assert [slot.url for slot in pieces.slots] == ["https://a.example", "https://b.example/?c&d#e"]


@pytest.mark.parametrize(
    "root",
    [
        "<html amp4email>",
        '<!doctype html>\n<html \u26a14email data-css-strict lang="en">',
        '<HTML lang="en" \u26a1\ufe0f4email>',
    ],
)
def test_an_amp_mail_is_left_alone(root: str) -> None:
    links = found(html=f'{root}<a href="https://a.example" data-track="off">a</a></html>')
    assert [(link.part, link.link, link.skipped) for link in links.links] == [(Part.HTML, "1", Skip.AMP_PART)]
    assert (links.pixel, links.removals, links.in_html) == (None, (), ())


@pytest.mark.parametrize(
    "html", ["<p>amp4email", "<html><p amp4email>", '<html data-amp4emails="x">', "<html xamp4email>"]
)
def test_what_only_speaks_of_amp_is_none(html: str) -> None:
    assert found(html=html).pixel is not None


def test_an_amp_part_is_looked_through_and_left_alone() -> None:
    parts = (
        Attachment("a", b'<a href="https://a.example">\xff', "Text/X-AMP-HTML; charset=utf-8"),
        Attachment("b", b'<a href="https://b.example">', "text/html"),
    )
    links = found(text="https://c.example", attachments=parts).links
    assert [(link.part, link.url, link.skipped) for link in links] == [
        (Part.TEXT, "https://c.example", None),
        (Part.AMP, "https://a.example", Skip.AMP_PART),
    ]


def test_a_url_in_doubt_has_its_own_reason_first() -> None:
    links = found(text=f"https://a.example/(b https://a.example/{{{{ id }} {BASE}/(b").links
    assert [link.skipped for link in links] == [Skip.DOUBTFUL, Skip.PLACEHOLDER, Skip.OURS]


def test_a_tracked_link_is_no_skipped_one() -> None:
    tracked, skipped = found(text="https://a.example ftp://b.example https://b.example)c").links
    assert tracked.tracked
    assert not skipped.tracked


def test_the_pixel_is_sized_and_silent_and_not_hidden() -> None:
    html = "<body>Hi</body>"
    links = found(html=html)
    assert links.pixel is not None
    assert links.pixel.slot is PIXEL
    assert cut(html, [links.pixel]).filled(["T"]) == (
        f'<body>Hi<img src="{BASE}/o/T" width="1" height="1" alt="" style="border:0"></body>'
    )


@given(st.lists(st.from_regex("[A-Za-z0-9_-]{1,9}", fullmatch=True)))
def test_pixels_of_ours_are_found_again(tokens: list[str]) -> None:
    html = "<p>"
    for token in tokens:
        pixel = found(html=html).pixel
        assert pixel is not None
        html = cut(html, [pixel]).filled([token])
    assert pixel_tokens(html, BASE) == tokens
    assert pixel_tokens(html, "https://other.example") == []


def test_the_hidden_link_has_no_extent_and_no_words() -> None:
    html = "<body>x</body>"
    links = found(html=html)
    assert links.trap is not None
    assert links.trap.slot is TRAP
    assert cut(html, [links.trap]).filled(["T"]) == (
        f'<body>x<a href="{BASE}/c/T" aria-hidden="true" tabindex="-1" style="display:inline-block;width:0;height:0;'
        'margin:0;border:0;padding:0;overflow:hidden"></a></body>'
    )


def test_hidden_links_of_ours_are_found_again() -> None:
    links = found(html="<p>")
    assert links.trap is not None
    html = cut("<p>", [links.trap]).filled(["a-_1"])
    assert trap_tokens(html, BASE) == ["a-_1"]
    assert pixel_tokens(html, BASE) == trap_tokens(html, "https://other.example") == []


def test_no_link_of_a_mail_can_be_called_as_the_hidden_one_is() -> None:
    html = (
        '<a href="https://a.example" data-track-id=" honeypot ">a</a><a href="https://b.example" data-track-id="hero">'
    )
    assert [link.link for link in found(html=html).links] == ["1", "hero"]
