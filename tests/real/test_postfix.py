"""The transport against a real Postfix: windows with refusals in their midst, several recipients, logins."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from custom_smtp import Credentials, Server, SmtpTransport
from custom_smtp.errors import AuthError
from custom_smtp.outgoing import Notify
from custom_smtp.testing.certificates import Authority

from .mailbox import Mailbox
from .mailings import PACES, SENDER, Mailing, person, to_many, with_a_run_of_refusals, with_every_refusal, with_refusals
from .postfix import running_postfix

AUTHORITY = Authority(datetime.now(UTC))
SHOP = Credentials("shop", "s3cret")


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_postfix(tmp_path_factory.mktemp("postfix"), AUTHORITY.issue("127.0.0.1")) as running:
        yield running


@pytest.fixture
def server(mailbox: Mailbox, tmp_path: Path) -> Server:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    return Server("127.0.0.1", mailbox.port, SHOP, ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("mailing", [to_many, with_refusals, with_every_refusal])
def test_each_mail_arrives_once_as_it_is_for_whom_it_is(
    mailing: Callable[[], Mailing], pace: str, connections: int, server: Server, mailbox: Mailbox
) -> None:
    sent = mailing()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), mailbox)


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pace", ["careful", "dot", "bdat"])
def test_a_long_run_of_refusals_costs_nobody_else_a_mail(
    pace: str, connections: int, server: Server, mailbox: Mailbox
) -> None:
    sent = with_a_run_of_refusals()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), mailbox)


def test_a_report_of_success_names_the_delivery_and_its_recipient(server: Server, mailbox: Mailbox) -> None:
    sent = to_many(1)
    [mail] = sent.mails
    told = evolve(mail.outgoing, envelope=evolve(mail.outgoing.envelope, notify=(Notify.SUCCESS,)))
    assert SmtpTransport(server).deliver(told).reply.code == 250
    arrived = {each.recipient: each.stored for each in mailbox.arrived(sent.mark.encode())}
    assert sorted(arrived) == [SENDER.email, person(0).email]
    report = arrived[SENDER.email]
    assert f"Original-Envelope-Id: {told.delivery_id}\n".encode() in report
    assert f"Original-Recipient: rfc822;{person(0).email}\nAction: delivered\n".encode() in report


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_a_login(mechanism: str, server: Server, mailbox: Mailbox) -> None:
    sent = to_many(2)
    sent.check(sent.send(evolve(server, credentials=evolve(SHOP, mechanism=mechanism))), mailbox)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_a_wrong_password(mechanism: str, server: Server) -> None:
    wrong = evolve(server, credentials=Credentials("shop", "wr0ng", mechanism=mechanism))
    [outcome] = to_many(1).send(wrong)
    assert isinstance(outcome.result, AuthError)
    assert outcome.result.reply is not None
    assert outcome.result.reply.code == 535
    assert "wr0ng" not in str(outcome.result)
