"""The transport against a real OpenSMTPD, which hears one command at a time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve

from custom_smtp import Credentials, Server
from custom_smtp.errors import AuthError
from custom_smtp.testing.certificates import Authority

from .mailbox import Mailbox
from .mailings import PACES, Mailing, to_many, with_every_refusal, with_refusals
from .opensmtpd import running_opensmtpd

AUTHORITY = Authority(datetime.now(UTC))
MAILINGS: dict[str, Callable[[], Mailing]] = {
    "to many": partial(to_many, 16),
    "with refusals": partial(with_refusals, 24),
    "with every refusal": partial(with_every_refusal, 16, spam=False),
}


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_opensmtpd(tmp_path_factory.mktemp("opensmtpd"), AUTHORITY.issue("127.0.0.1")) as running:
        yield running


@pytest.fixture
def server(mailbox: Mailbox, tmp_path: Path) -> Server:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    return Server("127.0.0.1", mailbox.port, Credentials("shop", "s3cret"), ca_file=tmp_path / "ca.pem")


# It delivers slowly, and hears one command at a time whatever our pace: few mails, and one pace but for line changes.
@pytest.mark.parametrize(("pace", "connections"), [("bdat", 1), ("bdat", 4), ("short", 4)])
@pytest.mark.parametrize("mailing", MAILINGS)
def test_each_mail_arrives_once_as_it_is_for_whom_it_is(
    mailing: str, pace: str, connections: int, server: Server, mailbox: Mailbox
) -> None:
    sent = MAILINGS[mailing]()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), mailbox)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_login(mechanism: str, server: Server, mailbox: Mailbox) -> None:
    sent = to_many(2)
    credentials = Credentials("shop", "s3cret", mechanism=mechanism)
    sent.check(sent.send(evolve(server, credentials=credentials)), mailbox)


def test_a_wrong_password(server: Server) -> None:
    [outcome] = to_many(1).send(evolve(server, credentials=Credentials("shop", "wr0ng")))
    assert isinstance(outcome.result, AuthError)
    assert outcome.result.reply is not None
    assert outcome.result.reply.code == 535
    assert "wr0ng" not in str(outcome.result)
