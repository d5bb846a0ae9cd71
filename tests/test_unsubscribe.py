"""Unsubscribing: the headers and the link of each mail, requests by mail, and the self-check."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, CampaignType, DeliveryId, Mail, Preparation, Tokens, Tracker
from custom_smtp.claims import Claim, Purpose
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.events import Unsubscribed
from custom_smtp.providers.postmark import Postmark
from custom_smtp.testing import FrozenClock, SerialIds
from custom_smtp.unsubscribe import (
    ONE_CLICK,
    PLACEHOLDER,
    Unsubscribe,
    UnsubscribeFinding,
    read_request,
    unsubscribe_findings,
)

D1 = DeliveryId("d1")
NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
TOKENS = Tokens((b"key of 32 bytes, from your vault",))
BASE = "https://links.shop.example/u"
UNSUBSCRIBE = Unsubscribe(BASE, TOKENS, stream="news")
MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("Ada@example.net", "Ada"),
    subject="News",
    text=f"News. No more of it: {PLACEHOLDER}",
    html=f'<p>News. <a href="{PLACEHOLDER}">No more of it</a></p>',
    campaign="newsletter",
)
PLAIN = evolve(MAIL, text="News.", html=None)
TOKEN = TOKENS.issue(Claim(D1, "Ada@example.net", link="news"), Purpose.UNSUBSCRIBE)
LINK = f"{BASE}/{TOKEN}"


def header(mail: Mail, name: str) -> str | None:
    """A header's one value; None where there is none."""
    values = [value for given, value in mail.headers if given.lower() == name.lower()]
    assert len(values) <= 1
    return values[0] if values else None


# --- What a mail gets -------------------------------------------------------------------------------------------------


def test_a_mail_gets_both_headers_with_a_link_of_its_own() -> None:
    marked = UNSUBSCRIBE.mark(PLAIN, D1)
    assert marked.headers == (
        ("List-Unsubscribe", f"<{LINK}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    assert evolve(marked, headers=()) == PLAIN


def test_the_link_says_who_from_which_mail_and_from_which_stream() -> None:
    url = UNSUBSCRIBE.url(MAIL, D1)
    assert url == LINK
    claim = TOKENS.read(url.removeprefix(f"{BASE}/"), Purpose.UNSUBSCRIBE)
    assert (claim.delivery_id, claim.recipient, claim.link, claim.url) == (D1, "Ada@example.net", "news", "")


def test_nobody_can_read_the_address_in_the_link() -> None:
    assert "ada" not in LINK.lower().removeprefix(BASE)


def test_each_person_and_each_mail_has_another_link() -> None:
    links = {
        UNSUBSCRIBE.url(mail, delivery_id)
        for mail in (MAIL, evolve(MAIL, to=Address("bob@example.net")))
        for delivery_id in (D1, DeliveryId("d2"))
    }
    assert len(links) == 4


def test_the_placeholder_becomes_the_link_in_text_and_html() -> None:
    marked = UNSUBSCRIBE.mark(MAIL, D1)
    assert marked.text == f"News. No more of it: {LINK}"
    assert marked.html == f'<p>News. <a href="{LINK}">No more of it</a></p>'


@pytest.mark.parametrize(
    "written",
    [
        "{{unsubscribe_url}}",
        "{{ unsubscribe_url }}",
        "%7B%7Bunsubscribe_url%7D%7D",
        "%7b%7b%20unsubscribe_url%20%7d%7d",
    ],
)
def test_the_placeholder_is_known_as_editors_write_it(written: str) -> None:
    marked = UNSUBSCRIBE.mark(evolve(MAIL, text=written * 2, html=written), D1)
    assert (marked.text, marked.html) == (LINK * 2, LINK)


@pytest.mark.parametrize(
    "other", ["{{unsubscribe}}", "{unsubscribe_url}", "{{unsubscribe_url", "unsubscribe_url}}", "{{x.unsubscribe_url}}"]
)
def test_what_is_not_quite_the_placeholder_stays(other: str) -> None:
    assert UNSUBSCRIBE.mark(evolve(PLAIN, text=other), D1).text == other


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{}%"), max_size=80))
def test_nothing_but_the_placeholder_is_changed(around: str) -> None:
    mail = evolve(MAIL, text=f"{around}{PLACEHOLDER}{around}", html=f"{around}{PLACEHOLDER}{around}")
    marked = UNSUBSCRIBE.mark(mail, D1)
    assert marked.text == marked.html == f"{around}{LINK}{around}"


def test_the_link_is_written_as_html_has_it() -> None:
    odd = Unsubscribe("https://links.shop.example/a&b", TOKENS)
    marked = odd.mark(MAIL, D1)
    assert marked.text is not None
    assert marked.html is not None
    assert "https://links.shop.example/a&b/" in marked.text
    assert "https://links.shop.example/a&amp;b/" in marked.html


def test_a_mail_marked_twice_stays_as_it_is() -> None:
    marked = UNSUBSCRIBE.mark(MAIL, D1)
    assert UNSUBSCRIBE.mark(marked, D1) is marked


@pytest.mark.parametrize("name", ["List-Unsubscribe", "LIST-UNSUBSCRIBE", "list-unsubscribe-post"])
def test_a_mail_with_a_header_of_its_own_keeps_it(name: str) -> None:
    own = evolve(MAIL, headers=(("X-Before", "1"), (name, "<https://shop.example/own>")))
    marked = UNSUBSCRIBE.mark(own, D1)
    assert marked.headers == own.headers
    assert marked.text == f"News. No more of it: {LINK}"


# --- Streams, and mail that goes out without --------------------------------------------------------------------------


def test_a_campaign_has_a_stream_of_its_own() -> None:
    unsubscribe = Unsubscribe(BASE, TOKENS, stream="news", streams={CampaignType.NEWSLETTER: "weekly"})
    assert unsubscribe.stream_of(evolve(MAIL, campaign="newsletter")) == "weekly"
    assert unsubscribe.stream_of(evolve(MAIL, campaign=CampaignType.NEWSLETTER)) == "weekly"
    assert unsubscribe.stream_of(evolve(MAIL, campaign="other")) == "news"
    assert unsubscribe.stream_of(evolve(MAIL, campaign=None)) == "news"


@pytest.mark.parametrize("mail", [evolve(PLAIN, campaign="receipts"), evolve(PLAIN, unsubscribe=False)])
def test_mail_that_people_have_to_get_goes_out_without(mail: Mail) -> None:
    unsubscribe = Unsubscribe(BASE, TOKENS, streams={"receipts": None})
    assert unsubscribe.mark(mail, D1) is mail
    assert unsubscribe.url(mail, D1) is None


@pytest.mark.parametrize("body", [{"text": f"See {PLACEHOLDER}"}, {"html": f"<a href='{PLACEHOLDER}'>x</a>"}])
def test_a_placeholder_without_a_link_is_no_mail(body: dict[str, str]) -> None:
    mail = evolve(PLAIN, unsubscribe=False, **body)  # type: ignore[arg-type]  # text or html
    with pytest.raises(MailError, match=r"\{\{unsubscribe_url\}\} stands in a mail that goes out without"):
        UNSUBSCRIBE.mark(mail, D1)


def test_the_streams_cannot_be_changed_afterwards() -> None:
    streams: dict[str, str | None] = {"receipts": None}
    unsubscribe = Unsubscribe(BASE, TOKENS, streams=streams)
    streams.clear()
    assert unsubscribe.url(evolve(MAIL, campaign="receipts"), D1) is None


# --- By mail ----------------------------------------------------------------------------------------------------------

MAILBOX = evolve(UNSUBSCRIBE, mailto=Address("leave+us@shop.example", "Leave"))


def asking(subject: str) -> bytes:
    return f"From: Ada <Ada@example.net>\r\nSubject: {subject}\r\nTo: leave+us@shop.example\r\n\r\n".encode()


def test_a_mailbox_is_the_second_way() -> None:
    assert header(MAILBOX.mark(PLAIN, D1), "List-Unsubscribe") == (
        f"<{LINK}>, <mailto:leave%2Bus@shop.example?subject={TOKEN}>"
    )


@pytest.mark.parametrize(
    "subject", [TOKEN, f"unsubscribe {TOKEN}", f"Re: {TOKEN}", f"{TOKEN[:70]}\r\n {TOKEN[70:]}", f"\r\n {TOKEN}"]
)
def test_a_request_by_mail_is_read(subject: str) -> None:
    found = read_request(asking(subject), TOKENS, NOW)
    assert isinstance(found, Unsubscribed)
    assert (found.about.delivery_id, found.about.recipient, found.scope) == (D1, "Ada@example.net", "news")
    assert (found.about.at, found.about.source, found.reason) == (NOW, "unsubscribe", "by mail")
    assert read_request(asking(subject), TOKENS, NOW) == found


@pytest.mark.parametrize(
    "content",
    [
        asking("unsubscribe"),
        asking(TOKEN[:-4]),
        asking("=?utf-8?q?x?= \x80\xff"),
        asking(TOKENS.issue(Claim(D1, "ada@example.net", "https://shop.example"), Purpose.CLICK)),
        b"",
        b"\r\n\r\nSubject: " + TOKEN.encode(),
        b"Subject: \xff\xfe\x00\r\n\r\n",
    ],
)
def test_a_mail_without_a_token_of_ours_asks_for_nothing(content: bytes) -> None:
    assert read_request(content, TOKENS, NOW) is None


@given(st.binary(max_size=200))
def test_no_mail_breaks_the_mailbox_or_the_check(content: bytes) -> None:
    assert read_request(content, TOKENS, NOW) is None
    assert unsubscribe_findings(content)


# --- What cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://links.shop.example/u",  # RFC 8058: https
        "links.shop.example",
        "https://",
        "https://links.shop.example/u?x=1",
        "https://links.shop.example/u#x",
        "https://me:secret@links.shop.example/u",
        "https://links.shop.example/a b",
        "https://links.shop.example/a,b",
        "https://links.shop.example/<u>",
        "https://links.shop.example/{{x}}",
        "https://links.shop.exämple/u",
        "https://links.shop.example\r\nX: 1",
        "https://links.shop.example:99999/u",
        "",
        None,
        b"https://links.shop.example",
    ],
)
def test_a_base_url_that_cannot_be_is_refused_and_not_repeated(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="one click takes https") as caught:
        Unsubscribe(url, TOKENS)
    assert "secret" not in str(caught.value)


def test_a_base_url_may_end_with_a_slash() -> None:
    assert Unsubscribe(f"{BASE}/", TOKENS).url(MAIL, D1) == Unsubscribe(BASE, TOKENS).url(MAIL, D1)


@pytest.mark.parametrize(
    "parts",
    [
        {"stream": None},
        {"stream": "a\nb"},
        {"stream": "x" * 65},
        {"streams": {"a": 7}},
        {"streams": ["a"]},
        {"mailto": "leave@shop.example"},
        {"mailto": Address('"a b"@shop.example')},
        {"mailto": Address("a&cc=b@shop.example")},
        {"tokens": "key"},
    ],
)
def test_a_part_that_cannot_be_is_refused(parts: dict[str, Any]) -> None:
    told: dict[str, Any] = {"base_url": BASE, "tokens": TOKENS} | parts
    with pytest.raises(ConfigurationError):
        Unsubscribe(**told)


def test_no_key_is_shown() -> None:
    assert "vault" not in repr(UNSUBSCRIBE)


# --- In Preparation ---------------------------------------------------------------------------------------------------


def prepared(mail: Mail, **parts: Any) -> Any:
    preparation = Preparation(clock=FrozenClock(), new_id=SerialIds(), **parts)
    return message_from_bytes(bytes(preparation.prepare(mail).outgoing.content), policy=default)


def test_it_is_a_part_of_the_preparation() -> None:
    tracker = Tracker("https://links.shop.example/t", TOKENS)
    message = prepared(MAIL, tracker=tracker, unsubscribe=UNSUBSCRIBE, feedback=Postmark(username="a", password="b"))
    assert message["List-Unsubscribe"].replace(" ", "") == f"<{LINK}>"
    assert message["List-Unsubscribe-Post"] == ONE_CLICK
    assert message["X-PM-Metadata-delivery-id"] == "d1"
    html, text = (message.get_body([kind]).get_content() for kind in ("html", "plain"))
    assert f'href="{LINK}"' in html
    assert LINK in text
    assert "/t/o/" in html
    assert "/t/c/" not in html + text


def test_the_link_is_not_tracked_where_the_header_is_somebody_elses() -> None:
    own = evolve(MAIL, headers=(("List-Unsubscribe", "<mailto:x@shop.example>"),))
    message = prepared(own, tracker=Tracker("https://other.example", TOKENS), unsubscribe=UNSUBSCRIBE)
    assert f'href="{LINK}"' in message.get_body(["html"]).get_content()
    assert message["List-Unsubscribe"] == "<mailto:x@shop.example>"


# --- The self-check ---------------------------------------------------------------------------------------------------

LINK_HEADER = "List-Unsubscribe: <https://links.shop.example/u/abc>"
POST_HEADER = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
SIGNATURE = (
    "DKIM-Signature: v=1; a=ed25519-sha256; d=shop.example; s=s1;\r\n"
    " h=from:to:list-unsubscribe:List-Unsubscribe-\r\n Post : subject; bh=abc=; b=h=from"
)
F = UnsubscribeFinding


def found(*headers: str) -> tuple[UnsubscribeFinding, ...]:
    return unsubscribe_findings("\r\n".join(["From: a@shop.example", *headers, "", "", LINK_HEADER]).encode())


def test_all_is_well() -> None:
    assert found(SIGNATURE, LINK_HEADER, POST_HEADER) == ()
    assert found(SIGNATURE, LINK_HEADER.upper().replace("/ABC", "/abc"), POST_HEADER) == ()
    assert found(SIGNATURE, "List-Unsubscribe: <mailto:a@b.example>,\r\n <https://l.example/1>", POST_HEADER) == ()
    assert found(SIGNATURE.replace("from:to:list", "from:to"), SIGNATURE, LINK_HEADER, POST_HEADER) == ()


@pytest.mark.parametrize(
    ("headers", "findings"),
    [
        ((), (F.NO_HEADER, F.NO_POST, F.NOT_SIGNED)),
        ((LINK_HEADER, POST_HEADER), (F.NOT_SIGNED,)),
        ((SIGNATURE, POST_HEADER), (F.NO_HEADER,)),
        ((SIGNATURE, LINK_HEADER), (F.NO_POST,)),
        ((SIGNATURE, LINK_HEADER, POST_HEADER.lower().replace("=one", "=two")), (F.WRONG_POST,)),
        ((SIGNATURE, LINK_HEADER, POST_HEADER.replace("One-Click", "one-click")), (F.WRONG_POST,)),
        ((SIGNATURE, LINK_HEADER, LINK_HEADER, POST_HEADER), (F.SEVERAL_HEADERS, F.SEVERAL_LINKS)),
        ((SIGNATURE, LINK_HEADER, POST_HEADER, POST_HEADER), (F.SEVERAL_HEADERS,)),
        ((SIGNATURE, "List-Unsubscribe: <mailto:a@shop.example>", POST_HEADER), (F.NO_HTTPS,)),
        ((SIGNATURE, "List-Unsubscribe: <http://shop.example/u>", POST_HEADER), (F.NO_HTTPS,)),
        ((SIGNATURE, "List-Unsubscribe: https://shop.example/u", POST_HEADER), (F.NO_HTTPS,)),
        ((SIGNATURE, "List-Unsubscribe: <http://a.example>, <https://a.example>", POST_HEADER), (F.SEVERAL_LINKS,)),
        ((SIGNATURE.replace("list-unsubscribe:", ""), LINK_HEADER, POST_HEADER), (F.NOT_COVERED,)),
        ((SIGNATURE.replace("-\r\n Post", ""), LINK_HEADER, POST_HEADER), (F.NOT_COVERED,)),
        (("DKIM-Signature: v=1; b=x", LINK_HEADER, POST_HEADER), (F.NOT_COVERED,)),
    ],
)
def test_what_is_wrong_is_found(headers: tuple[str, ...], findings: tuple[UnsubscribeFinding, ...]) -> None:
    assert found(*headers) == findings


def test_two_signatures_that_each_name_one_header_cover_neither() -> None:
    first, second = SIGNATURE.replace("list-unsubscribe:", ""), SIGNATURE.replace("-\r\n Post", "")
    assert found(first, second, LINK_HEADER, POST_HEADER) == (F.NOT_COVERED,)


def test_what_we_write_lacks_nothing_but_the_signature() -> None:
    content = Preparation(unsubscribe=MAILBOX).prepare(MAIL).outgoing.content
    assert unsubscribe_findings(bytes(content)) == (F.NOT_SIGNED,)


def test_each_finding_says_what_to_do() -> None:
    assert all(": " in finding.value or ", or one" in finding.value for finding in UnsubscribeFinding)
