"""The send path and the transport through a real Exim."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from attrs import evolve

from custom_smtp import (
    Address,
    Attachment,
    Credentials,
    Mail,
    MemoryArchive,
    MemoryJournal,
    Preparation,
    Sender,
    Server,
    SmtpTransport,
)
from custom_smtp.errors import AuthError, RefusedError, Retry, Step, TlsError
from custom_smtp.events import Accepted, Refused
from custom_smtp.testing.certificates import Authority

from .exim import running_exim
from .mailbox import Mailbox
from .mailings import PACES, Mailing, to_many, with_a_run_of_refusals, with_every_refusal, with_refusals

AUTHORITY = Authority(datetime.now(UTC))
MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("ada@example.net", "Ada Löwenherz"),
    subject="Ihre Bestellung ist unterwegs – mit einem langen Betreff, der gefaltet werden muss",
    text="Guten Tag,\n.\n..\nFrom here on\nÜber 998: " + "x" * 2000 + "\n",
    html="<p>Grüße 🎉 <a href='https://shop.example/?a=1&amp;copy=2'>hier</a>" + "lang " * 5000,
    attachments=(Attachment("Rechnung März.pdf", bytes(range(256)) * 400, "application/pdf"),),
)


@pytest.fixture(scope="module")
def exim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_exim(tmp_path_factory.mktemp("exim"), AUTHORITY.issue("127.0.0.1")) as running:
        yield running


@pytest.fixture
def server(exim: Mailbox, tmp_path: Path) -> Server:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    return Server("127.0.0.1", exim.port, Credentials("shop", "s3cret"), ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("mailing", [to_many, with_refusals, with_every_refusal])
def test_each_mail_arrives_once_as_it_is_for_whom_it_is(
    mailing: Callable[[], Mailing], pace: str, connections: int, server: Server, exim: Mailbox
) -> None:
    sent = mailing()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), exim)


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pace", ["careful", "dot", "bdat"])
def test_a_long_run_of_refusals_costs_nobody_else_a_mail(
    pace: str, connections: int, server: Server, exim: Mailbox
) -> None:
    sent = with_a_run_of_refusals()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), exim)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_login(mechanism: str, server: Server, exim: Mailbox) -> None:
    sent = to_many(2)
    credentials = Credentials("shop", "s3cret", mechanism=mechanism)
    sent.check(sent.send(evolve(server, credentials=credentials)), exim)


def test_a_senders_mails_arrive_byte_for_byte_with_their_copy_and_event(exim: Mailbox, server: Server) -> None:
    archive, journal = MemoryArchive(), MemoryJournal()
    sender = Sender(SmtpTransport(server), Preparation(), archive=archive, journal=journal)
    receipts = [sender.send(evolve(MAIL, subject=f"{MAIL.subject} {number}")) for number in range(5)]
    copies = {archive.get(receipt.delivery_id) for receipt in receipts}
    arrived = exim.arrived(b"")
    for copy in copies:
        assert copy is not None
        assert sum(mail.holds(copy.content) for mail in arrived) == 1
    for receipt in receipts:
        assert "OK id=" in receipt.reply.text
        assert receipt.channel is not None
        assert receipt.channel.protocol.startswith("TLSv1.")
        [event] = journal.of_delivery(receipt.delivery_id)
        assert isinstance(event, Accepted)


def test_what_arrived_reads_as_what_was_written(exim: Mailbox, server: Server) -> None:
    marked = evolve(MAIL, headers=(("X-Mark", "this one"),))
    Sender(SmtpTransport(server)).send(marked)
    [arrived] = exim.arrived(b"X-Mark: this one")
    message = message_from_bytes(arrived.stored, policy=policy.default)
    assert message["Subject"] == MAIL.subject
    body, file = message.iter_parts()
    text, html = body.iter_parts()
    assert text.get_content() == MAIL.text
    assert html.get_content().rstrip("\n") == MAIL.html
    assert (file.get_filename(), file.get_content()) == (MAIL.attachments[0].name, MAIL.attachments[0].content)


@pytest.mark.parametrize(
    ("mailbox", "code", "enhanced", "retry"),
    [("nosuch", 550, "5.1.1", Retry.NEVER), ("grey", 451, "4.2.0", Retry.LATER)],
)
def test_a_refused_recipient(server: Server, mailbox: str, code: int, enhanced: str, retry: Retry) -> None:
    journal = MemoryJournal()
    with pytest.raises(RefusedError) as caught:
        Sender(SmtpTransport(server), journal=journal).send(evolve(MAIL, to=Address(f"{mailbox}@example.net")))
    assert (caught.value.at, caught.value.reply.code, caught.value.retry) == (Step.RCPT, code, retry)
    assert caught.value.reply.enhanced == enhanced
    [event] = journal.of_recipient(f"{mailbox}@example.net")
    assert isinstance(event, Refused)


def test_refused_content(server: Server) -> None:
    with pytest.raises(RefusedError) as caught:
        Sender(SmtpTransport(server)).send(Mail(sender=MAIL.sender, to=MAIL.to, subject="x", text="GTUBE"))
    assert (caught.value.at, caught.value.reply.code) == (Step.CONTENT, 550)


def test_a_wrong_password(server: Server) -> None:
    with pytest.raises(AuthError) as caught:
        Sender(SmtpTransport(evolve(server, credentials=Credentials("shop", "wr0ng")))).send(MAIL)
    assert caught.value.reply is not None
    assert caught.value.reply.code == 535
    assert "wr0ng" not in str(caught.value)


def test_a_server_of_somebody_else(server: Server, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(Authority(datetime.now(UTC), "somebody else").pem)
    with pytest.raises(TlsError) as caught:
        Sender(SmtpTransport(evolve(server, ca_file=tmp_path / "other.pem"))).send(MAIL)
    assert caught.value.retry is Retry.NEVER
