"""A look at a mail before it is sent."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, Attachment, Mail
from custom_smtp.lint import CLIPPED_FROM, LARGE_FROM, MailFinding, lint

GOOD = Mail(
    sender=Address("hello@news.shop.example"),
    to=Address("ada@example.net"),
    subject="Your order",
    text="It is on its way: https://shop.example/orders/7",
    html='<p>It is <a href="https://shop.example/orders/7">on its way</a>.</p><img src="cid:logo" alt="Shop">',
    attachments=(Attachment("logo.png", b"png", "image/png", "logo"),),
)


def found(mail: Mail, **how: Any) -> list[MailFinding]:
    return [each.finding for each in lint(mail, **how)]


@pytest.mark.parametrize("signed", [None, ["news.shop.example"], ["shop.example", "other.example"]])
def test_a_good_mail_has_no_findings(signed: list[str] | None) -> None:
    assert found(GOOD, signed_domains=signed) == []


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"subject": " "}, MailFinding.NO_SUBJECT),
        ({"subject": "x" * 151}, MailFinding.LONG_SUBJECT),
        ({"text": " \n"}, MailFinding.EMPTY_TEXT),
        ({"text": None, "html": "<img src=cid:logo alt=''>"}, MailFinding.NO_TEXT),
        ({"text": "See http://shop.example/."}, MailFinding.LINK_WITHOUT_TLS),
        ({"html": GOOD.html + "x" * CLIPPED_FROM}, MailFinding.CLIPPED),  # type: ignore[operator]  # it has HTML
        (
            {"attachments": (*GOOD.attachments, Attachment("film.mp4", b"x" * (LARGE_FROM * 3 // 4)))},
            MailFinding.LARGE,
        ),
        ({"attachments": ()}, MailFinding.MISSING_PICTURE),
        ({"html": "<p>Hello</p>"}, MailFinding.UNUSED_PICTURE),
    ],
)
def test_what_is_wrong_with_the_whole_is_found(changed: dict[str, Any], finding: MailFinding) -> None:
    assert found(evolve(GOOD, **changed)) == [finding]


@pytest.mark.parametrize(
    ("html", "finding"),
    [
        ('<a href="http://shop.example/">shop</a>', MailFinding.LINK_WITHOUT_TLS),
        ('<a href="#">shop</a>', MailFinding.LINK_TO_NOWHERE),
        ('<a href="">shop</a>', MailFinding.LINK_TO_NOWHERE),
        ('<a href="javascript:go()">shop</a>', MailFinding.LINK_TO_NOWHERE),
        ('<a href="java&#10;script:go()">shop</a>', MailFinding.LINK_TO_NOWHERE),
        ('<a href="www.shop.example/sale">shop</a>', MailFinding.LINK_TO_NOWHERE),
        ('<a href="/sale">shop</a>', MailFinding.LINK_TO_NOWHERE),
        ('<a href="https://evil.example/">https://bank.example/login</a>', MailFinding.OTHER_TARGET),
        ('<a href="https://evil.example/"><b>www.bank.example</b></a>', MailFinding.OTHER_TARGET),
        ('<img src="https://shop.example/a.png">', MailFinding.PICTURE_WITHOUT_ALT),
        ('<img src="http://shop.example/a.png" alt="">', MailFinding.PICTURE_WITHOUT_TLS),
        ('<img src="cid:other" alt="">', MailFinding.MISSING_PICTURE),
        ("<!--[if mso]><p>Outlook</p>", MailFinding.LOOSE_CONDITION),
        ("<p>x</p><![endif]-->", MailFinding.LOOSE_CONDITION),
        ("<meta charset=iso-8859-1>\xfc", MailFinding.OTHER_CHARSET),
        ("<meta http-equiv=content-type content='text/html; charset=utf-16'>", MailFinding.OTHER_CHARSET),
        ("<script>go()</script>", MailFinding.SCRIPT),
        ("<form action=x></form>", MailFinding.SCRIPT),
    ],
)
def test_what_is_wrong_in_the_html_is_found_with_its_place(html: str, finding: MailFinding) -> None:
    mail = evolve(GOOD, html=f"{GOOD.html}{html}")
    [only] = lint(mail)
    assert only.finding is finding
    assert only.place is not None
    assert only.place >= len(GOOD.html or "")
    assert finding.value in str(only)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://www.shop.example/a">shop.example</a>',
        '<a href="https://shop.example/a">https://news.shop.example/</a>',
        '<a href="https://links.shop.example/a">shop.example/sale</a>',
        '<a href="https://shop.example/a">Version 2.5 is out</a>',
        '<a href="mailto:a@b.example">a@b.example</a>',
        "<a name=top></a>",
        '<a href="#top">up</a><a href="//shop.example/">shop</a><a href="app:shop">shop</a>',
        '<a href="{{ url }}">a</a><a href="*|URL|*">b</a>',
        '<base href="https://shop.example/"><a href="sale">sale</a>',
        "<meta charset=UTF8>\xfc",
        "<meta charset=iso-8859-1>Hello",
        '<img src="a.png" alt="">',
        "<!--[if mso]><p>Outlook</p><![endif]-->",
    ],
)
def test_what_is_right_in_the_html_is_not_found(html: str) -> None:
    assert found(evolve(GOOD, html=f"{GOOD.html}{html}")) == []


def test_a_domain_that_nobody_signs_for_is_found() -> None:
    [only] = lint(GOOD, signed_domains=["example", "ews.shop.example", "other.example"][1:])
    assert (only.finding, only.where, only.place) == (MailFinding.NOT_SIGNED, "news.shop.example", None)
    assert str(only).endswith(": news.shop.example")


@given(st.text("<>a/=\"'! -[]ifmso:img srcaltht", max_size=80))
def test_any_html_can_be_looked_at(html: str) -> None:
    for each in lint(evolve(GOOD, html=html)):
        assert each.place is None or 0 <= each.place <= len(html)
