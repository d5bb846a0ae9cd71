"""Signatures hold when a server has passed the mail on: dkimpy and our verifier find them right before and after."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custom_smtp import Credentials, Mail, MemoryArchive, Preparation, Receipt, Sender, Server, SmtpTransport
from custom_smtp.dkim import DkimSigner
from custom_smtp.dkim_canonical import Form
from custom_smtp.dkim_verification import Reason, verify_signatures
from custom_smtp.testing.certificates import Authority, Certificate

from ..dkim_world import dkimpy_verifies, ed25519, resolver, rsa
from .exim import running_exim
from .mailbox import Mailbox
from .postfix import running_postfix
from .written_mails import MAIL, written_mails

AUTHORITY = Authority(datetime.now(UTC))
Running = Callable[[Path, Certificate], AbstractContextManager[Mailbox]]
FORMS = [(headers, body) for headers in Form for body in Form]


@pytest.fixture(scope="module", params=[running_exim, running_postfix], ids=["exim", "postfix"])
def mailbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    running: Running = request.param
    with running(tmp_path_factory.mktemp("server"), AUTHORITY.issue("127.0.0.1")) as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def server(mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Server:
    authority = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.write_bytes(AUTHORITY.pem)
    return Server("127.0.0.1", mailbox.port, Credentials("shop", "s3cret"), ca_file=authority)


def is_right(content: bytes) -> bool:
    """Whether both find both signatures right."""
    keys = (rsa(), ed25519())
    ours = verify_signatures(content, resolver(*keys), datetime.now(UTC))
    return [each.reason for each in ours] == [Reason.RIGHT] * 2 and dkimpy_verifies(content, keys, 2)


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(written_mails, min_size=8, max_size=16), st.sampled_from(FORMS))
def test_signatures_hold_before_and_after(
    mailbox: Mailbox, server: Server, mails: list[Mail], forms: tuple[Form, Form]
) -> None:
    mark = uuid4().hex
    marked = [evolve(mail, headers=(*mail.headers, ("X-Mark", mark))) for mail in mails]
    archive = MemoryArchive()
    signer = DkimSigner([rsa(), ed25519()], headers=forms[0], body=forms[1], also=["X-Note", "X-Mark"])
    transport = SmtpTransport(server)
    sender = Sender(transport, Preparation(signer=signer), archive=archive)
    with transport.session() as session:
        outcomes = list(sender.send_all(marked, through=session, batch=len(marked)))
    arrived = [each.stored.replace(b"\n", b"\r\n") for each in mailbox.arrived(mark.encode())]
    assert len(arrived) == len(mails)
    for outcome in outcomes:
        assert isinstance(outcome.result, Receipt), outcome.result
        copy = archive.get(outcome.delivery_id)
        assert copy is not None
        assert is_right(copy.content)
    for content in arrived:
        assert is_right(content)


def test_what_is_changed_on_the_way_would_be_noticed(mailbox: Mailbox, server: Server) -> None:
    mark = uuid4().hex
    preparation = Preparation(signer=DkimSigner([rsa(), ed25519()]))
    Sender(SmtpTransport(server), preparation).send(evolve(MAIL, headers=(("X-Mark", mark),)))
    [arrived] = mailbox.arrived(mark.encode())
    content = arrived.stored.replace(b"\n", b"\r\n")
    assert is_right(content)
    assert not is_right(content.replace(b"on its way", b"on the way"))
    assert not is_right(b"Subject: Another\r\n" + content)
