"""Headers for other programs: written right, or not at all."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from custom_smtp import Address, DeliveryId, Mail
from custom_smtp.errors import MailError
from custom_smtp.list_headers import AutoSubmitted, FeedbackId, ListId, Precedence
from custom_smtp.mime import render


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (ListId("news.shop.example"), ("List-ID", "<news.shop.example>")),
        (ListId("news.shop.example", "Shop news"), ("List-ID", '"Shop news" <news.shop.example>')),
        (ListId("n.example", 'The "big" one\\'), ("List-ID", '"The \\"big\\" one\\\\" <n.example>')),
        (FeedbackId("shopmail"), ("Feedback-ID", ":::shopmail")),
        (
            FeedbackId("shopmail", campaign="autumn-26", customer="c7", kind="newsletter"),
            ("Feedback-ID", "autumn-26:c7:newsletter:shopmail"),
        ),
        (AutoSubmitted.AUTO_GENERATED, ("Auto-Submitted", "auto-generated")),
        (AutoSubmitted.AUTO_REPLIED, ("Auto-Submitted", "auto-replied")),
        (AutoSubmitted.NO, ("Auto-Submitted", "no")),
        (Precedence.BULK, ("Precedence", "bulk")),
    ],
)
def test_it_is_written_as_its_standard_says(value: Any, header: tuple[str, str]) -> None:
    assert value.header == header
    shop = Address("hello@shop.example")
    mail = Mail(sender=shop, to=shop, subject="x", text="x", headers=(value.header,))
    read = message_from_bytes(render(mail, DeliveryId("d1"), datetime(2026, 1, 2, tzinfo=UTC)), policy=default)
    assert read[header[0]] == header[1]


@pytest.mark.parametrize(
    "identifier",
    [
        "news",
        "",
        ".example",
        "a..b",
        "a.b.",
        "news shop.example",
        "<a.b>",
        "a.b\r\nBcc: x",
        "ä.example",
        None,
        "a." + "b" * 254,
    ],
)
def test_what_is_no_list_id_is_refused(identifier: Any) -> None:
    with pytest.raises(MailError, match="list id"):
        ListId(identifier)


@pytest.mark.parametrize("description", ["a\r\nb", "Größe", "\x00", None])
def test_what_cannot_describe_a_list_is_refused(description: Any) -> None:
    with pytest.raises(MailError, match="description"):
        ListId("a.example", description)


@pytest.mark.parametrize("sender", ["shop", "x" * 16, "a:bcde", "", "shop mail", None, "größe"])
def test_what_is_no_sender_is_refused(sender: Any) -> None:
    with pytest.raises(MailError, match="sender of a Feedback-ID"):
        FeedbackId(sender)


@pytest.mark.parametrize("group", ["a:b", "a b", "ä", "x" * 101, None, "a\r\nb"])
@pytest.mark.parametrize("which", ["campaign", "customer", "kind"])
def test_what_is_no_group_is_refused(which: str, group: Any) -> None:
    with pytest.raises(MailError, match=which):
        FeedbackId("shopmail", **{which: group})
