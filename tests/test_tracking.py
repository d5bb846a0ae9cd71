"""Tracking: what a tracker changes in a mail, and how the endpoint answers."""

import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, Mail, Tokens, Tracker, TrackingEndpoint
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.events import Clicked, Event, Opened
from custom_smtp.html import scan
from custom_smtp.identifiers import DeliveryId
from custom_smtp.readers import AGENTS
from custom_smtp.tokens import Claim, Purpose
from custom_smtp.tracking import LONGEST_TARGET
from custom_smtp.tracking_endpoint import PIXEL
from custom_smtp.urls import PLACEHOLDERS, location
from custom_smtp.web import Request, Response

TOKENS = Tokens((b"key of 32 bytes, from your vault",))
BASE = "https://links.shop.example"
TRACKER = Tracker(BASE, TOKENS)
CLICKS = Tracker(BASE, TOKENS, opens=False)
ENDPOINT = TrackingEndpoint(TOKENS, clock=lambda: datetime(2026, 1, 2, 5, tzinfo=UTC))
D1 = DeliveryId("d1")
TOKEN = r"[A-Za-z0-9_-]{40,}"


def a_mail(**changed: Any) -> Mail:
    fields: dict[str, Any] = {
        "sender": Address("hello@shop.example"),
        "to": Address("Ada@example.net", "Ada"),
        "subject": "Your order",
        "text": "It is on its way.",
    }
    return Mail(**fields | changed)


def html(text: str, tracker: Tracker = CLICKS, **changed: Any) -> str:
    tracked = tracker.track(a_mail(html=text, **changed), D1).html
    assert tracked is not None
    return tracked


def text(text: str, **changed: Any) -> str:
    tracked = CLICKS.track(a_mail(text=text, **changed), D1).text
    assert tracked is not None
    return tracked


def unveiled(tracked: str) -> str:
    """A tracked text with each of our links as ``{where it leads}``."""

    def target(found: re.Match[str]) -> str:
        return f"{{{TOKENS.read(found[1]).url}}}"

    return re.sub(rf"{re.escape(BASE)}/c/({TOKEN})", target, tracked)


# --- HTML


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://shop.example/7">on its way</a>', '<a href="{https://shop.example/7}">on its way</a>'),
        ("<A HREF='http://shop.example'>x</A>", "<A HREF='{http://shop.example}'>x</A>"),
        ("<a href=HTTPS://shop.example/>x</a>", "<a href={HTTPS://shop.example/}>x</a>"),
        ('<a href=" https://shop.example/a\n b\t ">', '<a href="{https://shop.example/a b}">'),
        ('<a href="https://shop.example/?a=1&copy=2&amp;b">', '<a href="{https://shop.example/?a=1&copy=2&b}">'),
        (
            '<a href="https://shop.example">https://shop.example</a>',
            '<a href="{https://shop.example}">https://shop.example</a>',
        ),
        ('<area href="https://shop.example/x"/>', '<area href="{https://shop.example/x}"/>'),
        ('<a href="https://\u00fc.example/\u00e4">', '<a href="{https://\u00fc.example/\u00e4}">'),
        ('<a href="https://u:p@shop.example:8443/#f">', '<a href="{https://u:p@shop.example:8443/#f}">'),
        (
            '<a href="https://links.shop.example.evil.example/">',
            '<a href="{https://links.shop.example.evil.example/}">',
        ),
    ],
)
def test_a_link_leads_over_us_and_nothing_else_changes(before: str, after: str) -> None:
    assert unveiled(html(before)) == after


LEFT_ALONE = [
    "",
    "#",
    "#top",
    "/orders/7",
    "orders/7",
    "//shop.example/",
    "?a=1",
    "mailto:ada@example.net",
    "MAILTO:ada@example.net?body=https://shop.example",
    "tel:+4930123",
    "sms:+4930123",
    "data:text/html,https://shop.example",
    "cid:logo",
    "javascript:location='https://shop.example'",
    "ftp://shop.example/",
    "git+https://shop.example/",
    "https:shop.example",
    "https:/shop.example",
    "https:///shop.example",
    "https://",
    "https://?a",
    "https://:80/",
    "https://shop.example:99999/",
    "https://shop.example:80a/",
    "https://sh op.example/",
    "https://shop^.example/",
    "https://[::1/",
    "https://%73hop.example/",
    "https://a\u2100b.example/",
    "https://" + "\u00fc" * 64 + ".example/",
    "https://shop.example/\x01a",
    f"https://shop.example/{'a' * LONGEST_TARGET}",
    "https://shop.example/" + "\u00fc" * (LONGEST_TARGET // 6),
    "https://shop.example/{{ id }}",
    "{{ link }}",
    "https://shop.example/{% url %}",
    "https://shop.example/*|ID|*",
    "https://shop.example/${id}",
    "https://shop.example/[[id]]",
    "https://shop.example/<%= id %>",
    "https://%%host%%/",
    f"{BASE}",
    f"{BASE}/c/abc",
    f"{BASE}?a",
    f"{BASE}#a",
    "HTTPS://LINKS.shop.example/u/abc",
]


@pytest.mark.parametrize("link", LEFT_ALONE)
def test_what_is_no_link_to_a_host_is_left_alone(link: str) -> None:
    before = f'<p><a href="{link}">x</a></p>'
    assert html(before) == before


@pytest.mark.parametrize("begin", PLACEHOLDERS)
def test_no_placeholder_is_sealed(begin: str) -> None:
    before = f'<a href="https://shop.example/{begin}id">'
    assert html(before) == before
    assert text(f"see https://shop.example/{begin}id here") == f"see https://shop.example/{begin}id here"


def test_the_mails_own_unsubscribe_link_is_left_alone() -> None:
    one_click = "https://shop.example/unsubscribe?p=ada&l=7"
    headers = (("list-Unsubscribe", f"<mailto:leave@shop.example>, <{one_click}>"), ("X-Other", "<https://b.example>"))
    before = f'<a href="{one_click.replace("&", "&amp;")}">leave</a> <a href="https://b.example">b</a>'
    assert unveiled(html(before, headers=headers)) == before.replace("https://b.example", "{https://b.example}")
    assert text(f"Leave: {one_click}.", headers=headers) == f"Leave: {one_click}."


def test_an_opt_out_is_followed_and_taken_out() -> None:
    before = '<a href="https://a.example" data-track="off">a</a><a href="https://b.example" data-track="on">b</a>'
    after = '<a href="https://a.example">a</a><a href="{https://b.example}" data-track="on">b</a>'
    assert unveiled(html(before)) == after
    assert html(before, Tracker(BASE, TOKENS, opens=False, clicks=False)) == before.replace(' data-track="off"', "")


def test_links_and_pixel_can_be_left_out() -> None:
    mail = a_mail(html='<a href="https://shop.example">x</a>', text="https://shop.example")
    assert Tracker(BASE, TOKENS, opens=False, clicks=False).track(mail, D1) is mail
    opens = Tracker(BASE, TOKENS, clicks=False).track(mail, D1)
    assert opens.text == mail.text
    assert opens.html is not None
    assert opens.html.startswith('<a href="https://shop.example">x</a><img')


OUTLOOK = """<!DOCTYPE html>
<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office">
<head><title>Your order <a href="https://no.example/title"></title>
<!--[if gte mso 9]><xml><o:OfficeDocumentSettings><o:AllowPNG/></o:OfficeDocumentSettings></xml><![endif]-->
<style>.b:after { content: '<a href="https://no.example/style">' } td > a { color:#333 }</style></head>
<body style="margin:0">
<!--[if mso]><table role="presentation"><tr><td width=600><![endif]-->
<div><!--[if mso]>
  <v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="https://shop.example/a?x=1&amp;y=2" arcsize="8%">
  <w:anchorlock/><center style='font-family:"Arial"'>Look</center></v:roundrect>
<![endif]--><!--[if !mso]><!-- --><a href="https://shop.example/b?x=1&y=2" class=button>Look</a><!--<![endif]-->
<!-- <a href="https://no.example/comment">old</a> -->
<![if !vml]><A HREF=https://shop.example/c>Or here</A><![endif]></div>
<p>5 < 6 &amp; <a href='mailto:help@shop.example'>help</a></p>
<!--[if mso]></td></tr></table></body><![endif]-->
</body>
</html>
"""


def test_outlooks_mail_is_tracked_in_all_its_versions() -> None:
    tracked = html(OUTLOOK, TRACKER)
    expected = OUTLOOK
    for link in ("https://shop.example/a?x=1&amp;y=2", "https://shop.example/b?x=1&y=2", "https://shop.example/c"):
        expected = expected.replace(link, f"{{{link.replace('&amp;', '&')}}}")
    before, after = expected.split("</body>\n</html>")
    assert unveiled(tracked).startswith(before + '<img src="')
    assert unveiled(tracked).endswith(' width="1" height="1" alt="" style="border:0"></body>\n</html>' + after)


@pytest.mark.parametrize(
    ("before", "front", "back"),
    [
        ("<body><p>Hi</p></body></html>", "<body><p>Hi</p>", "</body></html>"),
        ("<p>Hi</p>", "<p>Hi</p>", ""),
        ("", "", ""),
        ("</body>a</BODY >b<!-- </body> -->", "</body>a", "</BODY >b<!-- </body> -->"),
        ("<p>Hi <!-- cut off", "<p>Hi ", "<!-- cut off"),
    ],
)
def test_the_pixel_stands_once_at_the_end(before: str, front: str, back: str) -> None:
    tracked = html(before, TRACKER)
    pixel = tracked.removeprefix(front).removesuffix(back)
    assert front + pixel + back == tracked
    found = re.fullmatch(rf'<img src="{BASE}/o/({TOKEN})" width="1" height="1" alt="" style="border:0">', pixel)
    assert found
    assert TOKENS.read(found[1], Purpose.OPEN) == Claim(D1, "Ada@example.net")


def test_a_mail_tracked_twice_is_tracked_once() -> None:
    once = TRACKER.track(a_mail(html=OUTLOOK, text="https://shop.example/7."), D1)
    assert TRACKER.track(once, D1) is once


def test_only_the_mails_own_pixel_takes_the_place_of_it() -> None:
    others = TRACKER.track(a_mail(html="<p>Earlier"), D1).html
    assert others
    for before in (f"<p>{BASE}/o/", f'<a href="{BASE}/o/abc">', f'<img src="{BASE}/o/abc">', others):
        after = TRACKER.track(a_mail(html=before), DeliveryId("d2")).html
        assert after
        assert after.startswith(f'{before}<img src="{BASE}/o/')


def test_the_same_link_gets_the_same_token() -> None:
    tracked = html('<a href="https://shop.example/7">a</a><a href="https://shop.example/7">b</a>')
    assert len(set(re.findall(TOKEN, tracked))) == 1


def test_a_token_says_which_mail_person_and_link() -> None:
    found = re.search(TOKEN, text("https://shop.example/7"))
    assert found
    assert TOKENS.read(found[0]) == Claim(D1, "Ada@example.net", "https://shop.example/7")


def test_a_base_url_is_encoded_where_it_stands() -> None:
    tracker = Tracker("https://shop.example/a&b/'c'/", TOKENS)
    tracked = html("<a href='https://x.example'>x</a>", tracker)
    assert tracked.startswith("<a href='https://shop.example/a&amp;b/&#39;c&#39;/c/")
    assert "<img src=\"https://shop.example/a&amp;b/'c'/o/" in tracked
    assert html(tracked, tracker) == tracked


def test_a_mail_without_html_stays_without() -> None:
    assert TRACKER.track(a_mail(), D1) == a_mail()


def test_a_mail_without_text_stays_without() -> None:
    assert TRACKER.track(a_mail(text=None, html="<p>"), D1).text is None


def test_all_else_of_the_mail_stays() -> None:
    mail = a_mail(html="<p>", headers=(("X-Shop", "7"),), campaign="receipts", reply_to=Address("help@shop.example"))
    tracked = TRACKER.track(mail, D1)
    assert evolve(tracked, html=mail.html) == mail


def test_a_delivery_without_an_id_is_refused() -> None:
    with pytest.raises(MailError, match="no DeliveryId"):
        TRACKER.track(a_mail(html="<p>"), "d1")  # type: ignore[arg-type]  # as an untyped caller would


# --- Plain text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://a.example", "{https://a.example}"),
        ("Look: HTTP://a.example/b?c=d#e\r\nBye", "Look: {HTTP://a.example/b?c=d#e}\r\nBye"),
        ("See https://a.example/b.", "See {https://a.example/b}."),
        ("Is it https://a.example/b?!", "Is it {https://a.example/b}?!"),
        ("<https://a.example/b>", "<{https://a.example/b}>"),
        ('"https://a.example/b"', '"{https://a.example/b}"'),
        ("'https://a.example/b', *https://a.example/c*", "'{https://a.example/b}', *{https://a.example/c}*"),
        ("\u201chttps://a.example/b\u201d", "\u201c{https://a.example/b}\u201d"),
        ("\u300chttps://a.example/b\u300d", "\u300c{https://a.example/b}\u300d"),
        ("(https://a.example/b)", "({https://a.example/b})"),
        ("(see https://a.example/b).", "(see {https://a.example/b})."),
        ("https://a.example/b_(c)", "{https://a.example/b_(c)}"),
        ("(https://a.example/b_(c))", "({https://a.example/b_(c)})"),
        ("https://a.example/(b(c)d)/e.", "{https://a.example/(b(c)d)/e}."),
        ("[x](https://a.example/b),[y](https://c.example)", "[x]({https://a.example/b}),[y]({https://c.example})"),
        ("https://a.example/?x[]=1&y{z}", "{https://a.example/?x[]=1&y{z}}"),
        ("http://[::1]:80/a", "{http://[::1]:80/a}"),
        ("https://a.example/\u00fc/\U0001f600", "{https://a.example/\u00fc/\U0001f600}"),
        ("https://a.example/b_ https://c.example/-", "{https://a.example/b_} {https://c.example/-}"),
        ("https://a.example\u00a0https://b.example", "{https://a.example}\u00a0{https://b.example}"),
        ("https://a.example/?u=https://b.example", "{https://a.example/?u=https://b.example}"),
    ],
)
def test_a_url_in_text_ends_where_readers_see_its_end(before: str, after: str) -> None:
    assert unveiled(text(before)) == after


@pytest.mark.parametrize(
    "before",
    [
        "a.example, www.a.example, //a.example",
        "ftp://a.example mailto:ada@example.net git+https://a.example xhttps://a.example",
        "https:// https://... https://) http://",
        "https://a.example/<%= id %>",
        "https://a.example/<?php ?>",
        "https://a.example/{{ id }}",
        "https://a.example/{% id %} https://a.example/${ id } https://a.example/[[ id ]]",
        "https://a.example/b(c https://a.example/b)c https://a.example/b[c",
        f"{BASE}/c/abc.",
    ],
)
def test_what_is_in_doubt_in_text_is_left_alone(before: str) -> None:
    assert text(before) == before


@pytest.mark.parametrize(
    "shape", ["https://", "https://a(", "https://a((", "https://a.example)", "(https://a.example", "a.b,"]
)
def test_hostile_text_is_read_to_its_end(shape: str) -> None:
    assert text(shape * 20_000 + " https://shop.example/") != shape * 20_000 + " https://shop.example/"


SHAPES: dict[str, Callable[[int], str]] = {
    "no end but a bracket": lambda n: "http://a." * n + "(",
    "a bracket in doubt behind": lambda n: "http://a." * n + ")x",
    "in brackets": lambda n: "http://a(" + "(http://a)" * n,
    "brackets that never close": lambda n: "http://a([{" * n,
    "brackets that close late": lambda n: "http://a(" + "(b)" * n,
    "what may follow a link": lambda n: "http://a" + ".," * n + "(",
    "placeholders": lambda n: "http://a/{{" * n,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_hostile_text_takes_time_by_its_length(shape: Callable[[int], str]) -> None:
    def seconds(times: int) -> float:
        mail = a_mail(text=shape(times))
        best = float("inf")
        for _ in range(3):
            begun = process_time()
            TRACKER.track(mail, D1)
            best = min(best, process_time() - begun)
        return best

    # By the square it would be 256 times; by the length it is 16 times, give or take what a busy machine adds.
    assert seconds(16_000) < 80 * max(seconds(1_000), 0.0002)


def test_what_stands_inside_a_link_in_doubt_is_left_alone_with_it() -> None:
    assert text("http://a.example/(http://b.example)(c") == "http://a.example/(http://b.example)(c"


# --- Properties

words = st.sampled_from(
    [
        "https://shop.example/7",
        "http://a.example",
        "mailto:a@b.example",
        "&amp;",
        "&",
        "<",
        ">",
        '"',
        "'",
        " ",
        "\n",
        "<a href=",
        '<a href="',
        "<!--[if mso]>",
        "<![endif]-->",
        "-->",
        "<!--",
        "</body>",
        "<style>",
        "</style>",
        "</a>",
        "<v:rect href='",
        "(",
        ")",
        ".",
        "\r\n",
        "\u00fc",
        "=",
        "/",
    ]
) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
bodies = st.lists(words, max_size=30).map("".join)


@given(bodies)
def test_only_link_values_and_the_pixel_change(body: str) -> None:
    tracked = html(body, TRACKER)
    pieces, at = [], 0
    for link in scan(body).links:
        start = re.escape(body[at : link.start])
        value = re.escape(body[link.start : link.end])
        pieces.append(f"{start}(?:{value}|{re.escape(BASE)}/c/{TOKEN})")
        at = link.end
    end = scan(body).end
    rest = re.escape(body[at:])
    whole = "".join((*pieces, rest))
    without_pixel = re.sub(
        rf'<img src="{re.escape(BASE)}/o/{TOKEN}" width="1" height="1" alt="" style="border:0">', "", tracked
    )
    assert re.fullmatch(whole, without_pixel)
    assert len(scan(tracked).links) == len(scan(body).links)
    assert tracked.count(f"{BASE}/o/") == 1
    assert body[end:] in tracked


@given(bodies)
def test_every_reader_gets_where_the_mail_led(body: str) -> None:
    for before, after in zip(scan(body).links, scan(html(body)).links, strict=True):
        if after.url.startswith(f"{BASE}/c/") and after.url != before.url:
            answer = ENDPOINT.answer(Request(path=after.url.removeprefix(BASE)))
            assert dict(answer.response.headers)["location"] == location(before.url)
        else:
            assert after == evolve(before, start=after.start, end=after.end)


@given(bodies.map(lambda body: re.sub("(?i)http", "", body)))
def test_with_no_links_everything_stays(body: str) -> None:
    assert html(body) == body
    assert text(body) == body


@given(bodies)
def test_text_changes_only_in_its_links(body: str) -> None:
    assert re.sub(r"\{(https?://[^{}]*)\}", r"\1", unveiled(text(body))) == body


# --- The base URL


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://links.shop.example/", "https://links.shop.example"),
        ("https://links.shop.example/t//", "https://links.shop.example/t"),
        ("http://127.0.0.1:8000/t", "http://127.0.0.1:8000/t"),
        ("https://[::1]:8000", "https://[::1]:8000"),
    ],
)
def test_a_trailing_slash_is_folded(given_url: str, kept: str) -> None:
    assert Tracker(given_url, TOKENS).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "links.shop.example",
        "//links.shop.example",
        "ftp://links.shop.example",
        "https://",
        "https:///t",
        "https://:80",
        "https://links.shop.example:99999",
        "https://links.shop.example?",
        "https://links.shop.example/?a=b",
        "https://links.shop.example#",
        "https://user@links.shop.example",
        "https://user:secret@links.shop.example",
        "https://links.shop.example/a b",
        "https://links.shop.example\n",
        "\thttps://links.shop.example",
        "https://links.shop.example/\x00",
        'https://links.shop.example/"',
        "https://links.shop.example/<",
        "https://[x]",
        "https://links.shop.example\\t",
        "https://m\u00fcller.example",
        "javascript:https://links.shop.example",
        None,
        7,
        b"https://a.example",
    ],
)
def test_what_cannot_be_a_base_url_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"write http or https, a host in ASCII") as caught:
        Tracker(url, TOKENS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("part", [Tracker, lambda _, tokens: TrackingEndpoint(tokens)])
def test_tokens_are_tokens(part: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"give it Tokens\(\(key,\)\)"):
        part(BASE, b"key of 32 bytes, from your vault")


def test_no_key_is_printed() -> None:
    assert "vault" not in repr(TRACKER) + repr(ENDPOINT)


# --- Where a click leads


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("https://shop.example/orders/7", "https://shop.example/orders/7"),
        ("https://shop.example", "https://shop.example"),
        (
            "https://shop.example/\u00e4 b?q=\u00f6&r=%C3%B6#\u00fc",
            "https://shop.example/%C3%A4%20b?q=%C3%B6&r=%C3%B6#%C3%BC",
        ),
        ('https://shop.example/"<>"', "https://shop.example/%22%3C%3E%22"),
        ("https://shop.example/%zz%41{}|\\^`'", "https://shop.example/%zz%41{}|\\^`'"),
        ("https://b\u00fccher.example:8080/x", "https://xn--bcher-kva.example:8080/x"),
        ("https://B\u00dcCHER.example/", "https://xn--bcher-kva.example/"),
        ("https://fa\u00df.example/", "https://xn--fa-hia.example/"),
        ("https://\U0001f4a9.example/", "https://xn--ls8h.example/"),
        ("https://\uff25\uff38\uff0e\uff43om/", "https://ex.com/"),
        ("https://\u4f8b\u3002example/", "https://xn--fsq.example/"),
        ("https://a\u00adb\u00fc.example/", "https://xn--ab-yka.example/"),
        ("https://u\u00fc:p\u00fc@shop.example/", "https://u%C3%BC:p%C3%BC@shop.example/"),
        ("https://a@b@shop.example/", "https://a@b@shop.example/"),
        ("https://shop.example?a", "https://shop.example?a"),
        ("https://shop.example/\U0001f600", "https://shop.example/%F0%9F%98%80"),
        ("https://[2001:DB8::1]/a", "https://[2001:DB8::1]/a"),
        (" https://shop.example/\ta\n ", "https://shop.example/a"),
    ],
)
def test_a_redirect_leads_where_the_link_would_have(target: str, leads_to: str) -> None:
    assert location(target) == leads_to


@pytest.mark.parametrize(
    "link", ["https://shop.example/\x01a", "javascript:alert(1)", "//a", "https://a\u2100b.example/", "https://a:b/"]
)
def test_what_no_program_follows_has_no_location(link: str) -> None:
    assert location(link) is None


@given(st.text().map("https://shop.example/".__add__) | st.text().map("https://".__add__))
def test_a_location_is_one_line_of_ascii_and_leads_to_the_same_host(target: str) -> None:
    leads_to = location(target)
    if leads_to is not None:
        assert re.fullmatch(r"https://[\x21-\x7e]+", leads_to)
        assert location(leads_to) == leads_to
        if target.startswith("https://shop.example/"):
            assert urlsplit(leads_to).hostname == "shop.example"


# --- The endpoint


def click(target: str = "https://shop.example/7", **asked: Any) -> tuple[Response, tuple[Event, ...]]:
    token = TOKENS.issue(Claim(D1, "ada@example.net", target, "button"))
    answer = ENDPOINT.answer(Request(**{"path": f"/c/{token}"} | asked))
    return answer.response, answer.events


def load(**asked: Any) -> tuple[Response, tuple[Event, ...]]:
    token = TOKENS.issue(Claim(D1, "ada@example.net"), Purpose.OPEN)
    answer = ENDPOINT.answer(Request(**{"path": f"/o/{token}"} | asked))
    return answer.response, answer.events


def test_a_click_is_led_on_and_told() -> None:
    response, [event] = click(headers={"User-Agent": "Mozilla/5.0 (X11) Firefox/140.0"}, client="192.0.2.1")
    assert (response.status, response.body) == (302, b"")
    assert dict(response.headers) == {
        "location": "https://shop.example/7",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex",
        "content-type": "text/plain; charset=utf-8",
    }
    assert isinstance(event, Clicked)
    assert (event.url, event.link, event.machine, event.evidence) == ("https://shop.example/7", "button", False, ())
    assert (event.user_agent, event.client) == ("Mozilla/5.0 (X11) Firefox/140.0", "192.0.2.1")
    assert (event.about.delivery_id, event.about.recipient) == ("d1", "ada@example.net")
    assert (event.about.source, event.about.at) == ("tracking", datetime(2026, 1, 2, 5, tzinfo=UTC))


def test_an_open_gets_the_pixel_and_is_told() -> None:
    response, [event] = load(headers={"User-Agent": "Thunderbird"}, client="192.0.2.1")
    assert (response.status, response.body) == (200, PIXEL)
    assert dict(response.headers) == {
        "content-type": "image/gif",
        "cache-control": "no-store",
        "x-robots-tag": "noindex",
    }
    assert isinstance(event, Opened)
    assert (event.proxied, event.prefetched, event.synthetic, event.evidence) == (False, False, False, ())
    assert (event.about.delivery_id, event.about.recipient, event.user_agent) == (
        "d1",
        "ada@example.net",
        "Thunderbird",
    )


def test_the_pixel_is_the_smallest_gif_there_is() -> None:
    assert b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==") == PIXEL


def test_the_doors_time_comes_before_the_clock() -> None:
    received_at = datetime(2026, 3, 4, tzinfo=UTC)
    _, [event] = click(received_at=received_at)
    assert event.about.at == received_at


def test_head_is_answered_as_get_and_is_no_person() -> None:
    assert click(method="HEAD")[0] == click()[0]
    assert load(method="HEAD")[0] == load()[0]
    [clicked], [opened] = click(method="HEAD")[1], load(method="HEAD")[1]
    assert isinstance(clicked, Clicked)
    assert isinstance(opened, Opened)
    assert clicked.machine
    assert opened.prefetched
    assert clicked.evidence == opened.evidence == ("HEAD",)


@pytest.mark.parametrize(
    ("headers", "evidence"),
    [
        ({"Sec-Purpose": "prefetch"}, ("Sec-Purpose: prefetch",)),
        ({"Sec-Purpose": "prefetch;prerender"}, ("Sec-Purpose: prefetch",)),
        ({"Purpose": "Prefetch"}, ("Purpose: prefetch",)),
        ({"X-Moz": "prefetch"}, ("X-Moz: prefetch",)),
        ({"X-Moz": "prefetch", "Purpose": "prefetch"}, ("Purpose: prefetch", "X-Moz: prefetch")),
        ({"Sec-Purpose": "other"}, ()),
    ],
)
def test_a_prefetch_is_no_person(headers: dict[str, str], evidence: tuple[str, ...]) -> None:
    [clicked], [opened] = click(headers=headers)[1], load(headers=headers)[1]
    assert isinstance(clicked, Clicked)
    assert isinstance(opened, Opened)
    assert clicked.machine is opened.prefetched is bool(evidence)
    assert clicked.evidence == opened.evidence == evidence


@pytest.mark.parametrize(
    ("user_agent", "proxied", "prefetched", "machine", "evidence"),
    [
        ("Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", True, False, False, "GoogleImageProxy"),
        (
            "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
            True,
            False,
            False,
            "YahooMailProxy",
        ),
        ("Mozilla/5.0", False, True, False, "Apple Mail Privacy Protection"),
        ("Mozilla/5.0 (iPhone)", False, False, False, None),
        ("Mozilla/5.0 Edge/12.246 Gmail-content-sampling", False, True, True, "Gmail-content-sampling"),
        ("", False, False, False, None),
    ],
)
def test_known_programs_are_told_apart(
    user_agent: str, proxied: bool, prefetched: bool, machine: bool, evidence: str | None
) -> None:
    [opened], [clicked] = load(headers={"user-agent": user_agent})[1], click(headers={"user-agent": user_agent})[1]
    assert isinstance(opened, Opened)
    assert isinstance(clicked, Clicked)
    assert (opened.proxied, opened.prefetched, clicked.machine) == (proxied, prefetched, machine)
    assert opened.evidence == ((evidence,) if evidence else ())
    assert clicked.evidence == ((evidence,) if machine else ())


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.evidence)
def test_every_known_program_has_a_source_and_a_date(agent: Any) -> None:
    assert agent.source.startswith("https://")
    assert re.fullmatch(r"20\d\d-\d\d", agent.as_of)
    assert bool(agent.whole) != bool(agent.part)
    assert agent.proxied or agent.prefetched or agent.machine


def test_what_is_kept_of_a_request_has_an_end_and_can_be_written() -> None:
    [event] = click(headers={"user-agent": "a" * 9_999}, client="\ud800" * 9_999)[1]
    assert isinstance(event, Clicked)
    assert (event.user_agent, event.client) == ("a" * 512, "?" * 512)


def test_one_request_has_one_key_and_each_has_its_own() -> None:
    asked: dict[str, Any] = {
        "received_at": datetime(2026, 3, 4, tzinfo=UTC),
        "client": "192.0.2.1",
        "headers": {"user-agent": "a"},
    }
    others: list[dict[str, Any]] = [
        {"received_at": asked["received_at"] + timedelta(microseconds=1)},
        {"client": "192.0.2.2"},
        {"headers": {"user-agent": "b"}},
        {"method": "HEAD"},
    ]

    def key(**changed: Any) -> str:
        return click(**asked | changed)[1][0].about.key

    assert key() == key()
    keys = {key(), *(key(**other) for other in others), load(**asked)[1][0].about.key}
    assert len(keys) == 2 + len(others)


GOOD = TOKENS.issue(Claim(D1, "ada@example.net", "https://shop.example/7"))


@pytest.mark.parametrize(
    "path",
    [
        "/c/made-up.token",
        "/c/",
        "/c",
        f"/c/{GOOD}/",
        f"/c//{GOOD}",
        f"/c/{GOOD}x",
        f"/c/{GOOD[:-1]}",
        f"/c/{GOOD.swapcase()}",
        f"/c/{GOOD}=",
        f"/c/{TOKENS.issue(Claim(D1, 'ada@example.net', 'https://shop.example/7'), Purpose.OPEN)}",
        f"/c/{TOKENS.issue(Claim(D1, 'ada@example.net'))}",
        f"/c/{TOKENS.issue(Claim(D1, 'ada@example.net', 'https://no host/'))}",
        "/c/\u00fc\0\n",
        "/c/" + "A" * 99_999,
    ],
    ids=lambda path: path[:12],
)
def test_a_click_that_is_not_ours_leads_nowhere(path: str) -> None:
    answer = ENDPOINT.answer(Request(path=path))
    assert (answer.response.status, answer.events) == (404, ())
    assert "location" not in dict(answer.response.headers)
    assert answer == ENDPOINT.answer(Request(path="/c/another"))


@pytest.mark.parametrize("path", ["/o/made-up", "/o/", "/o", f"/o/{GOOD}", f"/o/{GOOD[:-1]}"])
def test_an_open_that_is_not_ours_gets_the_pixel_alike(path: str) -> None:
    answer = ENDPOINT.answer(Request(path=path))
    assert answer.events == ()
    assert answer.response == load()[0]


def test_the_page_for_unknown_links_can_be_ones_own() -> None:
    page = Response(404, (("content-type", "text/html"),), b"<p>Gone")
    answer = TrackingEndpoint(TOKENS, fallback=page).answer(Request(path="/c/made-up"))
    assert (answer.response, answer.events) == (page, ())


@pytest.mark.parametrize("path", ["/", "", "/x", "/C/abc", "/cc/abc", "//c/abc", "/robots.txt"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_there_is_nothing_else(path: str, method: str) -> None:
    answer = ENDPOINT.answer(Request(path=path, method=method))
    assert (answer.response.status, answer.events) == (404, ())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "", "get it"])
@pytest.mark.parametrize("path", [f"/c/{GOOD}", "/o/abc"])
def test_only_reading_is_answered(method: str, path: str) -> None:
    answer = ENDPOINT.answer(Request(path=path, method=method))
    assert (answer.response.status, answer.events) == (405, ())
    assert dict(answer.response.headers)["allow"] == "GET, HEAD"
