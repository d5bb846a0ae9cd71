"""What we write is read back equal by npm's mailparser."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given, settings

from custom_smtp import Address, Attachment, DeliveryId, Mail
from custom_smtp.mime import render

from .mailparser import Found, MailParser, running_mailparser
from .written_mails import MAIL, written_mails

AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
D1 = DeliveryId("d1")


@pytest.fixture(scope="module")
def mailparser() -> Iterator[MailParser]:
    with running_mailparser() as running:
        yield running


def expected(mail: Mail) -> Found:
    """What a parser has to find in it. This one drops a body's last line end, and tells no line end from another."""
    return Found(
        sender=[(mail.sender.name, mail.sender.email)],
        to=[(mail.to.name, mail.to.email)],
        reply_to=[] if mail.reply_to is None else [(mail.reply_to.name, mail.reply_to.email)],
        subject=mail.subject,
        message_id=f"<d1@{mail.sender.domain}>",
        date="2026-01-02T12:00:00.000Z",
        text=lines(mail.text),
        html=lines(mail.html),
        note=dict(mail.headers).get("X-Note"),
        files=[(each.name, each.content_type, each.content_id, each.content) for each in mail.attachments],
    )


def lines(body: str | None) -> str | None:
    return None if body is None else body.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def found(mailparser: MailParser, mail: Mail) -> Found:
    told = mailparser.read(render(mail, D1, AT))
    return evolve(told, text=lines(told.text), html=lines(told.html))


@settings(max_examples=300)
@given(written_mails)
def test_what_is_written_is_read_back_equal(mailparser: MailParser, mail: Mail) -> None:
    assert found(mailparser, mail) == expected(mail)


@pytest.mark.parametrize(
    "mail",
    [
        evolve(MAIL, subject="x" * 900),
        evolve(MAIL, subject="ü" * 2000),
        evolve(MAIL, subject="🎉 " * 300 + "end"),
        evolve(MAIL, text="x" * 100_000),
        evolve(MAIL, text="ü" * 100_000),
        evolve(MAIL, text=".\n..\nFrom here\n=20\n \nend "),
        evolve(MAIL, attachments=(Attachment("n" * 200 + "ü.pdf", bytes(range(256)) * 50, "application/pdf"),)),
        evolve(MAIL, sender=Address("hello@shop.example", 'Shop, "the" best; (really) <now> \\o/')),
    ],
    ids=["long word", "long umlauts", "emoji", "long line", "long umlauts in a line", "awkward", "file name", "name"],
)
def test_what_is_hard_to_write_is_read_back_equal(mailparser: MailParser, mail: Mail) -> None:
    assert found(mailparser, mail) == expected(mail)
