"""Preparation: what becomes of a mail before anything leaves."""

from datetime import datetime
from typing import Any

import pytest
from attrs import define, evolve, field

from custom_smtp import Address, DeliveryId, FeedbackEndpoint, Mail, Preparation, SendingDomain, Tokens, Tracker
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.providers.postmark import Postmark
from custom_smtp.testing import FrozenClock, SerialIds

D1 = DeliveryId("d1")
SHOP = SendingDomain(
    name="shop.example",
    mail_host="send.shop.example",
    link_host="links.shop.example",
    link_target="track.eu.example.",
    mail_exchange="10 mx.eu.example.",
    spf_include="_spf.eu.example",
    dkim_selector="s1",
    dkim_record="v=DKIM1; k=ed25519; p=11qYAYKx",
)
MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("Ada@example.net", "Ada"),
    subject="Your order",
    text="See https://shop.example/7 now",
    campaign="receipts",
)


def preparation(**parts: object) -> Preparation:
    return Preparation(clock=FrozenClock(), new_id=SerialIds(), **parts)  # type: ignore[arg-type]  # checked by use


def test_without_parts_a_mail_is_only_written() -> None:
    [content] = [preparation().prepare(MAIL).outgoing.content]
    assert b"https://shop.example/7" in content
    assert b"Message-ID: <d1@shop.example>" in content


def test_links_are_tracked_headers_marked_and_the_whole_signed_last() -> None:
    @define
    class Stamp:
        seen: list[tuple[bytes, datetime]] = field(factory=list)

        def sign(self, content: bytes, at: datetime, /) -> bytes:
            self.seen.append((content, at))
            return b"X-Stamp: yes\r\n" + content

    stamp = Stamp()
    tracker = Tracker(base_url="https://links.shop.example", tokens=Tokens((b"k" * 32,)))
    prepared = preparation(tracker=tracker, feedback=Postmark("user", "word"), signer=stamp).prepare(MAIL)
    content = prepared.outgoing.content
    assert content.startswith(b"X-Stamp: yes\r\n")
    [(signed, at)] = stamp.seen
    assert b"https://links.shop.example/c/" in signed.replace(b"=\r\n", b"")
    assert b"X-PM-Metadata-delivery-id: d1" in signed
    assert at == FrozenClock().now
    assert prepared.copy.content == content


def test_the_envelope_is_the_person_and_where_bounces_go() -> None:
    mail = evolve(MAIL, bounces_to=Address("bounces@shop.example"), shown_to=(Address("team@example.net"),))
    envelope = preparation().prepare(mail).outgoing.envelope
    assert envelope.sender == Address("bounces@shop.example")
    assert envelope.recipients == (MAIL.to,)


@pytest.mark.parametrize("domains", [["shop.example"], [SHOP], ["SHOP.example."]])
def test_a_domain_that_was_added_may_send(domains: list[str | SendingDomain]) -> None:
    assert preparation(domains=domains).prepare(MAIL).outgoing.delivery_id == D1


def test_a_from_address_on_another_domain_is_refused() -> None:
    with pytest.raises(MailError, match=r"shop\.example is not a sending domain.*other\.example, third\.example"):
        preparation(domains=["other.example", "third.example"]).prepare(MAIL)


@pytest.mark.parametrize("domains", [[], (), "shop.example", [None], [MAIL.to], [b"shop.example"]])
def test_domains_that_allow_nothing_are_a_mistake(domains: object) -> None:
    with pytest.raises(ConfigurationError, match="domains"):
        preparation(domains=domains)


@pytest.mark.parametrize("domains", [["a b"], ["x@shop.example"], [""]])
def test_domains_that_are_none_are_refused(domains: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        preparation(domains=domains)


def test_a_mail_without_a_text_gets_one_of_its_html() -> None:
    mail = evolve(MAIL, text=None, html='<p>Your <a href="https://shop.example/7">order</a></p>')
    assert b"\r\nYour order <https://shop.example/7>\r\n" in Preparation().prepare(mail).outgoing.content
    assert b"text/plain" not in Preparation(text_from_html=False).prepare(mail).outgoing.content
    assert b"text/plain" not in Preparation().prepare(evolve(mail, html="<img src=x>")).outgoing.content


@pytest.mark.parametrize("name", ["tracker", "unsubscribe", "links", "feedback", "returns", "signer"])
def test_a_part_that_cannot_do_what_it_is_for_is_refused(name: str) -> None:
    parts: dict[str, Any] = {name: FeedbackEndpoint(Postmark(username="pm", password="hook"))}
    with pytest.raises(ConfigurationError, match=rf"^{name} is a FeedbackEndpoint, which has no \w+\(\)"):
        Preparation(**parts)
