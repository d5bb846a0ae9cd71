"""Reading a mailbox of a real Dovecot."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from custom_smtp import Credentials, MemoryJournal
from custom_smtp.edge.mailboxes import Afterwards, ImapMailbox, Maildir, Passed
from custom_smtp.errors import MailboxError
from custom_smtp.servers import Tls
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.server import client_context

from ..test_mailboxes import LETTER, notice, recorded
from .dovecot import ImapServer, running_imap

AUTHORITY = Authority(datetime.now(UTC))


@pytest.fixture(scope="module", params=["plain login", "scram-sha-256"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapServer]:
    with running_imap(tmp_path_factory.mktemp("imap"), AUTHORITY.issue("127.0.0.1"), request.param) as server:
        yield server


@pytest.fixture
def server(running: ImapServer) -> Iterator[ImapServer]:
    running.make()
    yield running
    for folder in ("new", "cur"):
        for path in (running.new.parent / folder).iterdir():
            path.unlink()


def mailbox(server: ImapServer, **parts: Any) -> ImapMailbox:
    told: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.secret,
        "credentials": Credentials("shop", "s3cret"),
        "context": client_context(AUTHORITY),
        "timeout": 10.0,
    }
    return ImapMailbox(**(told | parts))


NUMBERS = count(1_000)


def fill(server: ImapServer) -> None:
    """Five mails come in, each under a name that was never there, as the form of a Maildir asks."""
    for content in (notice("ada"), LETTER, notice("bob"), LETTER, notice("cleo")):
        server.put(f"{next(NUMBERS)}.x.mx", content)


@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS])
def test_what_is_understood_is_deleted_and_the_rest_stays(server: ImapServer, tls: Tls) -> None:
    fill(server)
    journal = MemoryJournal()
    port = server.secret if tls is Tls.IMPLICIT else server.plain
    report = mailbox(server, port=port, tls=tls).take_in(journal)

    assert report == Passed(looked_at=5, understood=3, recorded=3, left=2)
    assert recorded(journal) == ["ada@example.net", "bob@example.net", "cleo@example.net"]
    assert server.there() == [LETTER, LETTER]


def test_it_may_be_marked(server: ImapServer) -> None:
    fill(server)
    reader = mailbox(server, afterwards=Afterwards.MARK)

    assert reader.take_in(MemoryJournal()).understood == 3
    assert reader.take_in(MemoryJournal()) == Passed(looked_at=2, left=2)
    assert len(server.there()) == 5


def test_it_may_be_moved(server: ImapServer) -> None:
    fill(server)
    server.make("tmp/mail/.Done")
    report = mailbox(server, afterwards=Afterwards.MOVE, move_to="Done").take_in(MemoryJournal())

    assert report.understood == 3
    assert server.there() == [LETTER, LETTER]
    moved = [
        path.read_bytes() for folder in ("cur", "new") for path in (server.new.parent / ".Done" / folder).iterdir()
    ]
    assert sorted(moved)[-3:] == sorted([notice("ada"), notice("bob"), notice("cleo")])
    for folder in ("cur", "new"):
        for path in (server.new.parent / ".Done" / folder).iterdir():
            path.unlink()


def test_where_it_cannot_be_moved_to_it_stays(server: ImapServer) -> None:
    fill(server)
    with pytest.raises(MailboxError):
        mailbox(server, afterwards=Afterwards.MOVE, move_to="Nowhere").take_in(MemoryJournal())
    assert len(server.there()) == 5


def test_a_pass_goes_on_where_the_last_one_ended(server: ImapServer) -> None:
    fill(server)
    journal, place, passes = MemoryJournal(), "", 0
    while passes == 0 or place:
        place = mailbox(server, mails=2).take_in(journal, place=place).place
        passes += 1
    assert (passes, len(recorded(journal))) == (3, 3)


def test_a_wrong_password(server: ImapServer) -> None:
    with pytest.raises(MailboxError) as caught:
        mailbox(server, credentials=Credentials("shop", "wr0ng")).take_in(MemoryJournal())
    assert "wr0ng" not in str(caught.value)


def test_an_untrusted_certificate(server: ImapServer) -> None:
    with pytest.raises(MailboxError, match="certificate is not right"):
        mailbox(server, context=client_context(Authority(datetime.now(UTC)))).take_in(MemoryJournal())


def test_its_maildir_can_be_read_as_well(server: ImapServer) -> None:
    fill(server)
    assert Maildir(Path(server.new.parent)).take_in(MemoryJournal()).understood == 3
    assert mailbox(server).take_in(MemoryJournal()) == Passed(looked_at=2, left=2)
