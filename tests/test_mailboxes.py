"""A Maildir of bounce mail: what is understood is recorded and taken away, and nothing else is touched."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custom_smtp import Credentials, MemoryJournal, Tokens, bounces
from custom_smtp.edge.mailboxes import Afterwards, ImapMailbox, Maildir, Passed
from custom_smtp.errors import ArchiveError, ConfigurationError, MailboxError
from custom_smtp.events import About, Bounced, Delivered, Event
from custom_smtp.identifiers import DeliveryId
from custom_smtp.servers import Tls
from custom_smtp.verp import return_address

NOTICE = b"""\
From: MAILER-DAEMON@mx.example.net
To: %s
Date: Fri, 2 Jan 2026 05:00:00 +0000
Message-ID: <%s@mx.example.net>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It did not arrive.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; %s@example.net
Action: failed
Status: 5.1.1

--b--
"""


def notice(name: str, to: str = "bounces@shop.example") -> bytes:
    return NOTICE % (to.encode(), name.encode(), name.encode())


LETTER = b"From: ada@example.net\nSubject: Lunch?\n\nAt noon?\n"


class Box:
    """A Maildir, filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in ("new", "cur", "tmp"):
            (path / folder).mkdir(parents=True)

    def put(self, name: str, content: bytes, folder: str = "new") -> Path:
        path = self.path / folder / name
        path.write_bytes(content)
        return path

    def names(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.path)) for folder in ("new", "cur") for path in (self.path / folder).iterdir()
        )


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "bounces")


def recorded(journal: MemoryJournal) -> list[str]:
    return sorted(event.about.recipient for _, event in journal.arrivals(0, limit=10**6))


def test_what_is_understood_is_recorded_and_deleted_and_the_rest_stays(box: Box) -> None:
    box.put("1.a.mx", notice("ada"))
    box.put("2.b.mx", LETTER)
    box.put("3.c.mx:2,", notice("bob"), "cur")
    box.put("4.d.mx:2,S", LETTER, "cur")
    journal = MemoryJournal()

    assert Maildir(box.path).take_in(journal) == Passed(looked_at=4, understood=2, recorded=2, left=2)
    assert recorded(journal) == ["ada@example.net", "bob@example.net"]
    assert all(isinstance(event, Bounced) for _, event in journal.arrivals(0, limit=9))
    assert box.names() == ["cur/4.d.mx:2,S", "new/2.b.mx"]


def test_it_may_be_marked_instead_and_is_not_looked_at_again(box: Box) -> None:
    box.put("1.a.mx", notice("ada"))
    box.put("2.b.mx:2,F", notice("bob"), "cur")
    box.put("3.c.mx", LETTER)
    mailbox = Maildir(box.path, afterwards=Afterwards.MARK)

    assert mailbox.take_in(MemoryJournal()).understood == 2
    assert box.names() == ["cur/1.a.mx:2,S", "cur/2.b.mx:2,FS", "new/3.c.mx"]
    assert mailbox.take_in(MemoryJournal()) == Passed(looked_at=1, left=1)


def test_it_may_be_moved_instead(box: Box) -> None:
    box.put("1.a.mx", notice("ada"))
    box.put("2.b.mx", LETTER)
    done = box.path / ".Done"
    Maildir(box.path, afterwards=Afterwards.MOVE, move_to=done).take_in(MemoryJournal())

    assert box.names() == ["new/2.b.mx"]
    assert (done / "cur" / "1.a.mx:2,S").read_bytes() == notice("ada")
    assert (done / "tmp").is_dir()


@pytest.mark.parametrize("becomes", ["a folder", "a link"])
def test_what_is_no_mail_any_more_holds_up_no_other(box: Box, becomes: str) -> None:
    first, second = box.put("1.a.mx", notice("ada")), box.put("2.a.mx", notice("bob"))
    box.put("3.a.mx", notice("cleo"))

    def read(content: bytes) -> Sequence[Event]:
        if first.exists():
            second.unlink()
            second.mkdir() if becomes == "a folder" else second.symlink_to(box.put("bob", notice("bob"), "tmp"))
        return bounces.read(content)

    journal = MemoryJournal()
    assert Maildir(box.path, read=read).take_in(journal).understood == 2
    assert recorded(journal) == ["ada@example.net", "cleo@example.net"]
    assert box.names() == ["new/2.a.mx"]


@pytest.mark.parametrize("there", ["1.a.mx:2,S", "1.a.mx:2,S 1.a.mx_1:2,S"])
def test_a_mail_of_the_same_name_is_not_written_over(box: Box, tmp_path: Path, there: str) -> None:
    done = Box(tmp_path / "done")
    for name in there.split():
        done.put(name, LETTER, "cur")
    box.put("1.a.mx", notice("ada"))
    assert Maildir(box.path, afterwards=Afterwards.MOVE, move_to=done.path).take_in(MemoryJournal()).understood == 1
    moved = {path.read_bytes() for path in (done.path / "cur").iterdir()}
    assert (len(done.names()), moved, box.names()) == (len(there.split()) + 1, {LETTER, notice("ada")}, [])


def test_a_mail_that_is_moved_to_where_it_is_keeps_its_name(box: Box) -> None:
    box.put("1.a.mx:2,S", notice("ada"), "cur")
    Maildir(box.path, afterwards=Afterwards.MOVE, move_to=box.path).take_in(MemoryJournal())
    assert box.names() == ["cur/1.a.mx:2,S"]


def test_what_somebody_threw_away_is_not_looked_at(box: Box) -> None:
    box.put("1.a.mx:2,ST", notice("ada"), "cur")
    box.put(".hidden", notice("bob"))
    assert Maildir(box.path).take_in(MemoryJournal()) == Passed()


def test_a_pass_is_bounded_and_the_next_goes_on_behind_it(box: Box) -> None:
    for number in range(5):
        box.put(f"{number}.x.mx", LETTER if number < 3 else notice(f"p{number}"))
    journal, mailbox = MemoryJournal(), Maildir(box.path, mails=2)

    first = mailbox.take_in(journal)
    assert first == Passed(looked_at=2, left=2, place="1.x.mx")
    second = mailbox.take_in(journal, place=first.place)
    assert second == Passed(looked_at=2, understood=1, recorded=1, left=1, place="3.x.mx")
    assert mailbox.take_in(journal, place=second.place) == Passed(looked_at=1, understood=1, recorded=1)
    assert box.names() == ["new/0.x.mx", "new/1.x.mx", "new/2.x.mx"]


def test_what_a_break_left_is_known_and_taken_away(box: Box) -> None:
    journal = MemoryJournal()
    for event in bounces.read(notice("ada")):
        journal.record(event)
    box.put("1.a.mx", notice("ada"))

    assert Maildir(box.path).take_in(journal) == Passed(looked_at=1, understood=1, recorded=0)
    assert box.names() == []


def test_a_large_mail_is_read_up_to_the_limit(box: Box) -> None:
    box.put("1.a.mx", notice("ada") + b"x" * 3_000_000)
    lengths: list[int] = []

    def read(content: bytes) -> Sequence[Event]:
        lengths.append(len(content))
        return bounces.read(content)

    assert Maildir(box.path, read=read).take_in(MemoryJournal()).understood == 1
    box.put("1.a.mx", notice("ada"))
    Maildir(box.path, read=read, octets=10).take_in(MemoryJournal())
    assert lengths == [1024 * 1024, 10]


def test_what_carries_our_signature_is_proven(box: Box) -> None:
    tokens = Tokens((bytes(range(32)),))
    address = return_address(DeliveryId("d1"), "shop.example", tokens)
    box.put("1.a.mx", notice("ada", str(address)))
    journal = MemoryJournal()
    Maildir(box.path, read=partial(bounces.read, tokens=tokens)).take_in(journal)

    [event] = journal.of_delivery(DeliveryId("d1"))
    assert event.about.source == bounces.PROVEN


def test_what_is_no_file_is_passed_over(box: Box, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(notice("ada"))
    (box.path / "new" / "1.link").symlink_to(outside)
    (box.path / "new" / "2.broken").symlink_to(tmp_path / "nowhere")
    (box.path / "new" / "3.folder").mkdir()
    os.mkfifo(box.path / "new" / "4.pipe")
    box.put("5.a.mx", notice("bob"))

    assert Maildir(box.path).take_in(MemoryJournal()) == Passed(looked_at=1, understood=1, recorded=1)
    assert outside.exists()


def test_what_another_reader_took_meanwhile_is_no_fault(box: Box) -> None:
    first, second = box.put("1.a.mx", notice("ada")), box.put("2.b.mx", notice("bob"))

    def read(content: bytes) -> Sequence[Event]:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
        return bounces.read(content)

    assert Maildir(box.path, read=read).take_in(MemoryJournal()) == Passed(looked_at=1, understood=1, recorded=1)


def test_one_that_cannot_be_read_holds_up_no_other(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    box.put("1.a.mx", notice("ada"))
    second = box.put("2.b.mx", notice("bob"))
    box.put("3.c.mx", notice("cleo"))

    def read(content: bytes) -> Sequence[Event]:
        second.unlink(missing_ok=True)
        second.symlink_to(box.path)
        return bounces.read(content)

    assert Maildir(box.path, read=read).take_in(MemoryJournal()) == Passed(looked_at=2, understood=2, recorded=2)
    assert "cannot be read, so it stays" in caplog.text


class Refusing(MemoryJournal):
    """A journal that does not take what is about these people."""

    def __init__(self, *people: str) -> None:
        super().__init__()
        self.people = people

    def record(self, event: Event, /) -> bool:
        if event.about.recipient.partition("@")[0] in self.people:
            raise ArchiveError("the disk is full")
        return super().record(event)


def test_a_mail_that_cannot_be_recorded_stays_and_holds_up_no_other(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    for number, name in enumerate(["ada", "bob", "cleo", "dan", "eve"]):
        box.put(f"{number}.x.mx", notice(name))
    report = Maildir(box.path).take_in(Refusing("ada", "bob", "dan", "eve"))

    assert report == Passed(looked_at=5, understood=1, recorded=1, unrecorded=4)
    assert box.names() == ["new/0.x.mx", "new/1.x.mx", "new/3.x.mx", "new/4.x.mx"]
    assert "so it stays" in caplog.text


def test_a_journal_that_takes_nothing_ends_the_pass(box: Box) -> None:
    for number, name in enumerate(["ada", "bob", "cleo", "dan"]):
        box.put(f"{number}.x.mx", notice(name))
    with pytest.raises(ArchiveError, match="disk is full"):
        Maildir(box.path).take_in(Refusing("ada", "bob", "cleo", "dan"))
    assert len(box.names()) == 4


def test_of_a_mail_with_several_reports_all_are_recorded_or_it_stays(box: Box) -> None:
    about = [
        About(delivery_id=None, recipient=f"{name}@x", at=datetime(2026, 1, 2, tzinfo=UTC), source="s", key=name)
        for name in ("ada", "bob")
    ]
    box.put("1.a.mx", b"two")
    mailbox = Maildir(box.path, read=lambda _content: list(map(Delivered, about)))
    journal = Refusing("bob")

    assert mailbox.take_in(journal).unrecorded == 1
    assert box.names() == ["new/1.a.mx"]
    journal.people = ()
    assert mailbox.take_in(journal) == Passed(looked_at=1, understood=1, recorded=1)
    assert box.names() == []


@pytest.mark.parametrize("missing", ["", "new", "cur"])
def test_what_is_no_maildir_is_told(box: Box, missing: str) -> None:
    target = box.path / missing
    for folder in [target] if missing else [box.path / "new", box.path / "cur", box.path / "tmp", box.path]:
        folder.rmdir()
    with pytest.raises(MailboxError, match="No such file"):
        Maildir(box.path).take_in(MemoryJournal())


@pytest.mark.parametrize("wrong", [
    {"mails": 0}, {"octets": 0}, {"mails": True}, {"afterwards": Afterwards.MOVE}, {"move_to": "x"},
])  # fmt: skip
def test_a_maildir_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Maildir("/tmp/box", **wrong)


@pytest.mark.parametrize("wrong", [
    {"host": ""}, {"host": "a..b"}, {"host": "a" * 64}, {"host": "a b"},
    {"host": "mx\r\nx"}, {"port": 0}, {"port": 70000}, {"port": True},
    {"tls": Tls.OPPORTUNISTIC}, {"folder": "a\r\nb"}, {"folder": "Rückläufer"}, {"folder": None}, {"credentials": None},
    {"mails": 0}, {"octets": -1}, {"timeout": 0}, {"limit": 9999}, {"move_to": "Done"}, {"afterwards": Afterwards.MOVE},
    {"afterwards": Afterwards.MOVE, "move_to": "a\nb"},
])  # fmt: skip
def test_a_mailbox_on_a_server_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"host": "imap.example", "credentials": Credentials("shop", "s3cret")}
    with pytest.raises(ConfigurationError):
        ImapMailbox(**(right | wrong))


def test_no_secret_is_printed() -> None:
    assert "s3cret" not in repr(ImapMailbox(host="imap.example", credentials=Credentials("shop", "s3cret")))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200) | st.sampled_from([notice("ada"), notice("bob"), LETTER]), max_size=6))
def test_no_mail_crashes_it_and_none_is_lost(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    box = Box(tmp_path_factory.mktemp("box") / "bounces")
    for number, content in enumerate(contents):
        box.put(f"{number}.x.mx", content)
    report = Maildir(box.path).take_in(MemoryJournal())

    assert report.looked_at == len(contents) == report.understood + report.left
    assert len(box.names()) == report.left
