"""Tracking: what a tracker changes in a mail, for whom, and what it says beforehand."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, Attachment, CampaignType, Mail, Tokens, Tracker, TrackingEndpoint
from custom_smtp.claims import Claim, Purpose
from custom_smtp.errors import ConfigurationError, MailError, TokenError
from custom_smtp.events import Clicked
from custom_smtp.finished import Untouched
from custom_smtp.html import scan
from custom_smtp.identifiers import DeliveryId
from custom_smtp.link_rules import LONGEST_TARGET, LinkRule, Skip, Way
from custom_smtp.mail import Mode, Tracking
from custom_smtp.mail_links import Part
from custom_smtp.mime_reading import read
from custom_smtp.urls import PLACEHOLDERS, location
from custom_smtp.web import Request

TOKENS = Tokens((b"key of 32 bytes, from your vault",))
BASE = "https://links.shop.example"
TRACKER = Tracker(BASE, TOKENS)
CLICKS = Tracker(BASE, TOKENS, opens=Mode.OFF)
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
    assert html(before, Tracker(BASE, TOKENS, opens=Mode.OFF, clicks=Mode.OFF)) == before.replace(
        ' data-track="off"', ""
    )


def test_links_and_pixel_can_be_left_out() -> None:
    mail = a_mail(html='<a href="https://shop.example">x</a>', text="https://shop.example")
    assert Tracker(BASE, TOKENS, opens=Mode.OFF, clicks=Mode.OFF).track(mail, D1) is mail
    opens = Tracker(BASE, TOKENS, clicks=Mode.OFF).track(mail, D1)
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


def test_a_token_says_which_mail_person_and_link() -> None:
    tracked = text("https://shop.example/7 https://shop.example/7")
    assert [TOKENS.read(token) for token in re.findall(rf"/c/({TOKEN})", tracked)] == [
        Claim(D1, "Ada@example.net", "https://shop.example/7", "t1"),
        Claim(D1, "Ada@example.net", "https://shop.example/7", "t2"),
    ]


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
        ("Look: https://a.example/b?c=d#e.\r\nBye", "Look: {https://a.example/b?c=d#e}.\r\nBye"),
        ("<https://a.example/b>, (https://c.example)", "<{https://a.example/b}>, ({https://c.example})"),
        ("[https://a.example/b](https://a.example/b)", "[{https://a.example/b}]({https://a.example/b})"),
        ("> https://a.example/b \r\n> and so", "> {https://a.example/b} \r\n> and so"),
        ("https://b\u00fccher.example/\u00e4\u3002", "{https://b\u00fccher.example/\u00e4}\u3002"),
        ("https://a.example/b(c https://b.example", "https://a.example/b(c {https://b.example}"),
        ("https://a.example/{{ id }} www.a.example", "https://a.example/{{ id }} www.a.example"),
        (f"{BASE}/c/abc.", f"{BASE}/c/abc."),
    ],
)
def test_what_is_clickable_in_the_text_leads_over_us(before: str, after: str) -> None:
    assert unveiled(text(before)) == after


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


def test_tokens_are_tokens() -> None:
    with pytest.raises(ConfigurationError, match=r"give it Tokens\(\(key,\)\)"):
        Tracker(BASE, b"key of 32 bytes, from your vault")  # type: ignore[arg-type]  # as an untyped caller would


def test_no_key_is_printed() -> None:
    assert "vault" not in repr(TRACKER)


# --- How closely

HTML = '<a href="https://shop.example/7">7</a>'
BOTH: dict[str, Any] = {"html": HTML, "text": "https://shop.example/7", "campaign": "receipts"}
OFF = Tracking(opens=Mode.OFF, clicks=Mode.OFF)


def claims(mail: Mail) -> list[Claim]:
    """What the tokens of a tracked mail say, those of its HTML first."""
    found = re.findall(rf"{BASE}/([co])/({TOKEN})", f"{mail.html} {mail.text}")
    return [TOKENS.read(token, {"c": Purpose.CLICK, "o": Purpose.OPEN}[kind]) for kind, token in found]


def test_a_person_is_named_where_each_is_tracked() -> None:
    ada = "Ada@example.net"
    assert claims(TRACKER.track(a_mail(**BOTH), D1)) == [
        Claim(D1, ada, "https://shop.example/7", "1"),
        Claim(D1, ada),
        Claim(D1, ada, "https://shop.example/7", "t1"),
    ]


def test_nobody_is_named_in_the_aggregate() -> None:
    tracker = Tracker(BASE, TOKENS, opens=Mode.AGGREGATE, clicks=Mode.AGGREGATE)
    tracked = tracker.track(a_mail(**BOTH), D1)
    assert claims(tracked) == [
        Claim(None, url="https://shop.example/7", link="1", campaign="receipts"),
        Claim(None, campaign="receipts"),
        Claim(None, url="https://shop.example/7", link="t1", campaign="receipts"),
    ]
    other = tracker.track(a_mail(**BOTH, to=Address("bob@example.net")), DeliveryId("d2"))
    assert (other.html, other.text) == (tracked.html, tracked.text)
    assert tracker.track(tracked, D1) is tracked


def test_opens_and_clicks_are_switched_apart() -> None:
    opens = Tracker(BASE, TOKENS, clicks=Mode.OFF).track(a_mail(**BOTH), D1)
    assert claims(opens) == [Claim(D1, "Ada@example.net")]
    clicks = Tracker(BASE, TOKENS, opens=Mode.AGGREGATE).track(a_mail(**BOTH), D1)
    assert [claim.delivery_id for claim in claims(clicks)] == [D1, None, D1]


SWITCHES: dict[str, Callable[[Tracking], Mail]] = {
    "by the tracker": lambda limit: Tracker(BASE, TOKENS, opens=limit.opens, clicks=limit.clicks).track(
        a_mail(**BOTH), D1
    ),
    "by the mail": lambda limit: TRACKER.track(a_mail(**BOTH, tracking=limit), D1),
    "by the campaign": lambda limit: Tracker(BASE, TOKENS, campaigns={"receipts": limit}).track(a_mail(**BOTH), D1),
    "by the person": lambda limit: Tracker(BASE, TOKENS, person={"Ada@example.net": limit}.__getitem__).track(
        a_mail(**BOTH), D1
    ),
}


@pytest.mark.parametrize("switched", SWITCHES.values(), ids=SWITCHES)
def test_each_may_switch_tracking_off(switched: Callable[[Tracking], Mail]) -> None:
    assert switched(OFF) == evolve(a_mail(**BOTH), tracking=switched(OFF).tracking)
    assert claims(switched(Tracking(opens=Mode.OFF))) == claims(switched(Tracking()))[::2]
    assert claims(switched(Tracking(clicks=Mode.OFF))) == claims(switched(Tracking()))[1:2]


modes = st.builds(Tracking, opens=st.sampled_from(Mode), clicks=st.sampled_from(Mode))


@given(modes, modes, modes, modes)
def test_the_strictest_wins(own: Tracking, mail: Tracking, campaign: Tracking, person: Tracking) -> None:
    tracker = Tracker(
        BASE, TOKENS, opens=own.opens, clicks=own.clicks, campaigns={"receipts": campaign}, person=lambda _: person
    )
    strictest = Tracking(
        opens=min(each.opens for each in (own, mail, campaign, person)),
        clicks=min(each.clicks for each in (own, mail, campaign, person)),
    )
    written = a_mail(**BOTH, tracking=mail)
    assert tracker.preview(written).tracking == strictest
    alone = Tracker(BASE, TOKENS, opens=strictest.opens, clicks=strictest.clicks)
    assert claims(tracker.track(written, D1)) == claims(alone.track(a_mail(**BOTH), D1))


def test_another_campaign_is_not_switched() -> None:
    tracker = Tracker(BASE, TOKENS, campaigns={"newsletter": OFF})
    for campaign in ("receipts", None):
        assert claims(tracker.track(a_mail(**BOTH | {"campaign": campaign}), D1))
    assert not claims(tracker.track(a_mail(**BOTH | {"campaign": CampaignType.NEWSLETTER}), D1))


# --- One mail for many people


def test_a_compiled_mail_is_filled_for_each_person() -> None:
    mail = a_mail(**BOTH)
    compiled = TRACKER.compile(mail)
    for delivery_id, person in (("d1", "ada@example.net"), ("d2", "bob@example.net"), ("d1", "ada@example.net")):
        tracked = TRACKER.track(evolve(mail, to=Address(person)), DeliveryId(delivery_id))
        filled = compiled.fill(DeliveryId(delivery_id), person)
        assert (filled.html, filled.text) == (tracked.html, tracked.text)


# --- A look before


def test_the_preview_lists_every_link() -> None:
    mail = a_mail(
        html='<a href="https://a.example">a</a><a href="mailto:b@a.example">b</a>'
        '<a href="https://c.example" data-track="off">c</a>',
        text="https://a.example https://a.example/(b",
        amp='<a href="https://e.example">',
        attachments=(Attachment("m.amp", b'<a href="https://d.example">', "text/x-amp-html; charset=utf-8"),),
    )
    preview = TRACKER.preview(mail)
    assert preview.pixel
    assert [(link.part, link.link, link.url, link.skipped) for link in preview.links] == [
        (Part.HTML, "1", "https://a.example", None),
        (Part.HTML, "2", "mailto:b@a.example", Skip.MAILTO),
        (Part.HTML, "3", "https://c.example", Skip.OPTED_OUT),
        (Part.TEXT, "t1", "https://a.example", None),
        (Part.TEXT, "t2", "https://a.example/", Skip.DOUBTFUL),
        (Part.AMP, "a1", "https://e.example", Skip.AMP_PART),
        (Part.AMP, "a1", "https://d.example", Skip.AMP_PART),
    ]
    assert str(preview.links[0]).startswith("html link 1, https://a.example: tracked, over our host")
    assert str(preview.links[1]) == "html link 2, mailto:b@a.example: left alone: it writes a mail"


def test_no_pixel_is_shown_where_there_will_be_none() -> None:
    assert not TRACKER.preview(a_mail()).pixel
    assert not TRACKER.preview(a_mail(html="<p>", tracking=OFF)).pixel
    assert not Tracker(BASE, TOKENS, person=lambda _: OFF).preview(a_mail(html="<p>")).pixel


def test_the_preview_tells_of_the_hidden_link() -> None:
    tracker = Tracker(BASE, TOKENS, honeypot=True)
    assert tracker.preview(a_mail(html="<p>")).honeypot
    assert not TRACKER.preview(a_mail(html="<p>")).honeypot
    assert not tracker.preview(a_mail()).honeypot
    assert not tracker.preview(a_mail(html="<html amp4email><p>")).honeypot
    assert not tracker.preview(a_mail(html="<p>", tracking=Tracking(clicks=Mode.AGGREGATE))).honeypot


def test_whoever_follows_the_hidden_link_is_a_machine_and_led_nowhere() -> None:
    tracked = Tracker(BASE, TOKENS, honeypot=True).track(a_mail(html="<p>"), D1).html or ""
    [path] = re.findall(f'<a href="{BASE}(/c/{TOKEN})"', tracked)
    answer = TrackingEndpoint(TOKENS).answer(Request(path=path))
    [event] = answer.events
    assert isinstance(event, Clicked)
    assert (answer.response.status, event.machine, event.evidence) == (200, True, ("honeypot",))


def test_the_preview_says_why_a_finished_mail_is_left_alone() -> None:
    head = b"From: a@b.example\r\nTo: ada@example.net\r\nMIME-Version: 1.0\r\n"
    content = b"\r\n\r\n<a href=https://a.example>"
    signed = read(head + b"DKIM-Signature: v=1; a=x\r\nContent-Type: text/html" + content)
    unknown = read(head + b"Content-Type: text/html; charset=x-none" + content)
    for mail in (signed, unknown):
        preview = TRACKER.preview(mail)
        assert (preview.links, preview.pixel) == ((), False)
    assert TRACKER.preview(signed).notes[0] == Untouched.DKIM.value
    assert "charset 'x-none'" in TRACKER.preview(unknown).notes[0]
    assert TRACKER.preview(read(head + b"Content-Type: text/html" + content)).notes == ()
    assert TRACKER.preview(a_mail(html="<p>")).notes == ()


@given(bodies)
def test_what_the_preview_shows_is_what_is_done(body: str) -> None:
    mail = a_mail(html=body, text=body)
    preview = TRACKER.preview(mail)
    tracked = TRACKER.track(mail, D1)
    expected = [Claim(D1, mail.to.email, link.target, link.link) for link in preview.links if link.tracked]
    assert [claim for claim in claims(tracked) if claim.url] == expected
    for link in preview.links:
        part = mail.html if link.part is Part.HTML else mail.text
        assert part is not None
        assert link.tracked == (link.target != "") == (link.way is not Way.ALONE)
        if link.part is Part.TEXT:
            assert part[link.start : link.end] == link.url


# --- Parameters


def test_parameters_are_filled_in_for_the_mail() -> None:
    tracker = Tracker(
        BASE,
        TOKENS,
        opens=Mode.OFF,
        parameters={
            "utm_source": "shop",
            "utm_campaign": "{campaign}",
            "utm_term": "{subject}",
            "utm_content": "{link}",
        },
    )
    tracked = unveiled(html('<a href="https://a.example/?b#c">', tracker, campaign="receipts", subject="10 % & {link}"))
    assert tracked == (
        '<a href="{https://a.example/?b&utm_source=shop&utm_campaign=receipts'
        '&utm_term=10%20%25%20%26%20%7Blink%7D&utm_content=1#c}">'
    )
    assert "utm_campaign" not in unveiled(html('<a href="https://a.example/">', tracker))


def test_where_clicks_are_off_no_parameter_is_added() -> None:
    tracker = Tracker(BASE, TOKENS, opens=Mode.OFF, clicks=Mode.OFF, parameters={"utm_source": "shop"})
    assert html(HTML, tracker) == HTML


# --- Universal and app links

APP = Tracker(BASE, TOKENS, opens=Mode.OFF, rules=[LinkRule("app.example", Way.APP)], parameters={"utm_source": "shop"})


def test_an_app_link_stays_on_its_host_and_is_reported_back() -> None:
    tracked = html('<a href="https://app.example/7?a=1&amp;b#c">', APP)
    found = re.fullmatch(
        rf'<a href="(https://app\.example/7\?a=1&amp;b&amp;utm_source=shop&amp;link_id=({TOKEN})#c)">', tracked
    )
    assert found
    at = datetime(2026, 1, 2, tzinfo=UTC)
    clicked = APP.reported(found[1].replace("&amp;", "&"), at)
    assert clicked == APP.reported(found[2], at)
    assert (clicked.url, clicked.link) == ("https://app.example/7?a=1&b&utm_source=shop#c", "1")
    assert (clicked.about.delivery_id, clicked.about.recipient, clicked.about.at) == (D1, "Ada@example.net", at)
    assert clicked.about.source == "tracking"
    assert clicked.about.key != APP.reported(found[2], at + timedelta(seconds=1)).about.key
    assert html(tracked, APP) == tracked


@pytest.mark.parametrize(
    "report", ["", "https://app.example/7", "https://app.example/?link_id=made-up", "x" * 99_999, None]
)
def test_a_report_that_is_not_ours_is_no_click(report: Any) -> None:
    with pytest.raises(TokenError):
        APP.reported(report, datetime(2026, 1, 2, tzinfo=UTC))


def test_an_aggregate_report_names_nobody() -> None:
    token = TOKENS.issue(Claim(None, url="https://app.example/7", link="1", campaign="receipts"))
    clicked = APP.reported(token, datetime(2026, 1, 2, tzinfo=UTC))
    assert (clicked.about.delivery_id, clicked.about.recipient, clicked.campaign) == (None, "", "receipts")


# --- What a tracker cannot be


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"opens": False}, "opens is False: use Mode.OFF"),
        ({"clicks": "off"}, "clicks is 'off': use Mode.OFF"),
        ({"campaigns": [("a", OFF)]}, "campaigns maps names to what is allowed"),
        ({"campaigns": {"a": Mode.OFF}}, "write Tracking"),
        ({"person": OFF}, "person is asked what each person allows"),
        ({"rules": LinkRule("a.example")}, "rules is"),
        ({"rules": ["a.example"]}, "'a.example' is no rule"),
        ({"parameters": [("a", "b")]}, "parameters maps names to values"),
        ({"parameters": {"": "b"}}, "both are text"),
        ({"parameters": {"a": 7}}, "both are text"),
        ({"parameters": {"a": "{recipient}"}}, "asks for {recipient}: there are {campaign}, {subject}, {link}"),
        ({"parameters": {"a": "\ud800"}}, "half of a surrogate pair"),
        ({"app_parameter": ""}, "app_parameter is ''"),
        ({"app_parameter": "a b"}, "app_parameter is 'a b'"),
        ({"honeypot": "yes"}, "honeypot is 'yes': write True or False"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        Tracker(BASE, TOKENS, **wrong)


def test_a_tracker_is_a_value() -> None:
    asked: dict[str, Any] = {"campaigns": {"receipts": OFF}, "parameters": {"utm_source": "shop"}}
    assert {Tracker(BASE, TOKENS, **asked), Tracker(f"{BASE}/", TOKENS, **asked)} == {Tracker(BASE, TOKENS, **asked)}


def test_a_person_is_asked_for_a_tracking() -> None:
    with pytest.raises(ConfigurationError, match=r"person\(...\) gave None: return a Tracking"):
        Tracker(BASE, TOKENS, person=lambda _: None).track(a_mail(), D1)  # type: ignore[arg-type, return-value]
