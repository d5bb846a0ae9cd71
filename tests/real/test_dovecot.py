"""The transport against a real Dovecot submission service that hands its mail on to a real Postfix."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from custom_smtp import Credentials, Server
from custom_smtp.errors import AuthError
from custom_smtp.servers import OAuthCredentials
from custom_smtp.testing.certificates import Authority

from .dovecot import running_dovecot, token
from .mailbox import Mailbox
from .mailings import PACES, Mailing, to_many, with_every_refusal, with_refusals
from .postfix import running_postfix

AUTHORITY = Authority(datetime.now(UTC))
HOUR = 3600


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    certificate = AUTHORITY.issue("127.0.0.1")
    with (
        running_postfix(tmp_path_factory.mktemp("postfix"), certificate) as behind,
        running_dovecot(tmp_path_factory.mktemp("dovecot"), certificate, behind) as running,
    ):
        yield running


@pytest.fixture
def server(mailbox: Mailbox, tmp_path: Path) -> Server:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    credentials = Credentials("shop", "s3cret", mechanism="SCRAM-SHA-256")
    return Server("127.0.0.1", mailbox.port, credentials, ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_a_password(mechanism: str, server: Server, mailbox: Mailbox) -> None:
    sent = to_many(2)
    credentials = Credentials("shop", "s3cret", mechanism=mechanism)
    sent.check(sent.send(evolve(server, credentials=credentials)), mailbox)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_a_wrong_password(mechanism: str, server: Server) -> None:
    credentials = Credentials("shop", "wr0ng", mechanism=mechanism)
    refused(evolve(server, credentials=credentials), "wr0ng")


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_token(mechanism: str, server: Server, mailbox: Mailbox) -> None:
    sent = to_many(2)
    good = token("shop", int(time.time()) + HOUR)
    sent.check(sent.send(evolve(server, credentials=by_token(good, mechanism))), mailbox)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("wrong", ["ended", "forged"])
def test_a_wrong_token(wrong: str, mechanism: str, server: Server) -> None:
    now = int(time.time())
    bad = token("shop", now - HOUR) if wrong == "ended" else token("shop", now + HOUR, b"somebody else's key")
    refused(evolve(server, credentials=by_token(bad, mechanism)), bad)


WORKING = [
    *((mailing, "careful") for mailing in (to_many, with_refusals, with_every_refusal)),
    *((mailing, pace) for mailing in (to_many, with_refusals) for pace in ("bdat", "wide", "short")),
]
CRASHING = [(to_many, "dot"), (with_refusals, "dot"), (with_every_refusal, "dot"), (with_every_refusal, "bdat")]
"""Dovecot 2.3's service ends itself, by an assertion of its own, when DATA stands behind the final dot of the mail
before, or when a BDAT follows a MAIL that the server behind it refused."""


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize(("mailing", "pace"), WORKING)
def test_each_mail_arrives_once_as_it_is_for_whom_it_is(
    mailing: Callable[[], Mailing], pace: str, connections: int, server: Server, mailbox: Mailbox
) -> None:
    sent = mailing()
    sent.check(sent.send(evolve(server, pace=PACES[pace]), connections), mailbox)


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize(("mailing", "pace"), CRASHING)
def test_where_the_server_crashes_what_is_told_is_true_and_nothing_comes_twice(
    mailing: Callable[[], Mailing], pace: str, connections: int, server: Server, mailbox: Mailbox
) -> None:
    sent = mailing()
    sent.check_honest(sent.send(evolve(server, pace=PACES[pace]), connections), mailbox)


def by_token(words: str, mechanism: str) -> OAuthCredentials:
    return OAuthCredentials("shop", lambda: words, mechanism=mechanism)


def refused(server: Server, secret: str) -> None:
    """The login is refused, and what was said with it is not shown."""
    [outcome] = to_many(1).send(server)
    assert isinstance(outcome.result, AuthError)
    assert outcome.result.reply is not None
    assert outcome.result.reply.code == 535
    assert secret not in str(outcome.result)
