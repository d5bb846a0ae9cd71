"""The transport against npm's smtp-server: XOAUTH2, and DATA piggybacked with refusals in its midst."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from custom_smtp import Address, Credentials, Server, SmtpTransport
from custom_smtp.errors import AuthError
from custom_smtp.outgoing import Envelope, Notify, Returned
from custom_smtp.servers import OAuthCredentials, Pace
from custom_smtp.testing.certificates import Authority

from .mailbox import Mailbox
from .mailings import PACES, SENDER, Mailing, person, to_many, with_every_refusal, with_refusals
from .smtp_server import TOKEN, running_smtp_server

AUTHORITY = Authority(datetime.now(UTC))


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_smtp_server(tmp_path_factory.mktemp("smtp-server"), AUTHORITY.issue("127.0.0.1")) as running:
        yield running


@pytest.fixture
def server(mailbox: Mailbox, tmp_path: Path) -> Server:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    credentials = OAuthCredentials("shop", token=lambda: TOKEN)
    return Server("127.0.0.1", mailbox.port, credentials, ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pace", ["careful", "dot", "short"])
@pytest.mark.parametrize("mailing", [to_many, with_refusals, with_every_refusal])
def test_each_mail_arrives_once_as_it_is_for_whom_it_is(
    mailing: Callable[[], Mailing], pace: str, connections: int, server: Server, mailbox: Mailbox
) -> None:
    sent = mailing()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), mailbox)


def test_what_is_asked_of_reports_is_understood(server: Server, mailbox: Mailbox) -> None:
    sent = to_many(1)
    tagged = Address("ada+news=1@example.net")
    envelope = Envelope(SENDER, (tagged, person(1)), notify=(Notify.FAILURE, Notify.DELAY), returned=Returned.FULL)
    told = evolve(sent.mails[0].outgoing, envelope=envelope)
    assert SmtpTransport(server).deliver(told).reply.code == 250
    arrived = mailbox.arrived(sent.mark.encode())
    assert sorted(each.recipient for each in arrived) == [tagged.email, person(1).email]
    for each in arrived:
        assert each.holds(told.content)
        assert f'"dsn":{{"ret":"FULL","envid":"{told.delivery_id}"}}'.encode() in each.stored
        for recipient in envelope.recipients:
            asked = f'"dsn":{{"notify":["FAILURE","DELAY"],"orcpt":"rfc822;{recipient.email}"}}'
            assert asked.encode() in each.stored


def test_a_token_is_asked_for_on_every_connection(server: Server, mailbox: Mailbox) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append(TOKEN)
        return TOKEN

    sent = to_many(4)
    credentials = OAuthCredentials("shop", token, mechanism="XOAUTH2")
    several = evolve(server, credentials=credentials, pace=Pace(mails_per_connection=1))
    sent.check(sent.send(several), mailbox)
    assert len(asked) == 4


def test_a_token_that_is_not_taken(server: Server) -> None:
    old = "ya29.a-token-of-yesterday"
    [outcome] = to_many(1).send(evolve(server, credentials=OAuthCredentials("shop", lambda: old)))
    assert isinstance(outcome.result, AuthError)
    assert outcome.result.reply is not None
    assert outcome.result.reply.code == 535
    assert old not in str(outcome.result)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_password(mechanism: str, server: Server, mailbox: Mailbox) -> None:
    sent = to_many(2)
    credentials = Credentials("shop", "s3cret", mechanism=mechanism)
    sent.check(sent.send(evolve(server, credentials=credentials)), mailbox)
