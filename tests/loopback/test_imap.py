"""A mailbox on a server: nothing in clear, nothing taken away that was not recorded, and no answer that hurts."""

import imaplib
import ssl
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Credentials, MemoryJournal
from custom_smtp.edge.mailboxes import Afterwards, ImapMailbox, Passed
from custom_smtp.errors import ArchiveError, ConfigurationError, MailboxError
from custom_smtp.events import Event
from custom_smtp.servers import OAuthCredentials, Tls
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.server import Conversation, ScriptedServer, client_context

from ..test_mailboxes import LETTER, Refusing, notice, recorded
from .imap_script import ImapBox

AUTHORITY = Authority(datetime.now(UTC))
GOOD = AUTHORITY.issue("127.0.0.1")
TRUSTED = client_context(AUTHORITY)


@pytest.fixture
def box() -> ImapBox:
    return ImapBox(GOOD)


@contextmanager
def reading(box: ImapBox, **parts: Any) -> Iterator[tuple[ImapMailbox, ScriptedServer]]:
    with ScriptedServer(box.script) as server:
        told: dict[str, Any] = {"credentials": Credentials("shop", "s3cret"), "context": TRUSTED, "timeout": 5.0}
        tls = Tls.IMPLICIT if box.implicit else Tls.STARTTLS
        yield ImapMailbox(**(told | {"host": "127.0.0.1", "port": server.port, "tls": tls} | parts)), server


def take_in(box: ImapBox, journal: MemoryJournal | None = None, *, place: str = "", **parts: Any) -> Passed:
    with reading(box, **parts) as (mailbox, _):
        return mailbox.take_in(MemoryJournal() if journal is None else journal, place=place)


def contents(box: ImapBox) -> list[bytes]:
    return [letter.content for letter in box.letters.values()]


# --- What is taken away -----------------------------------------------------------------------------------------------


def test_what_is_understood_is_recorded_and_deleted_and_the_rest_stays(box: ImapBox) -> None:
    for content in (notice("ada"), LETTER, notice("bob")):
        box.put(content)
    journal = MemoryJournal()

    assert take_in(box, journal) == Passed(looked_at=3, understood=2, recorded=2, left=1)
    assert recorded(journal) == ["ada@example.net", "bob@example.net"]
    assert contents(box) == [LETTER]
    assert box.letters.popitem()[1].flags == set()
    assert box.commands[-1] == "LOGOUT"


def test_an_empty_mailbox_is_no_fault(box: ImapBox) -> None:
    assert take_in(box) == Passed()


def test_what_others_marked_as_deleted_is_not_ours_to_expunge(box: ImapBox) -> None:
    box.put(LETTER, "\\Deleted")
    box.put(notice("ada"))
    take_in(box)
    assert contents(box) == [LETTER]

    box.offers = ""
    uid = box.put(notice("bob"))
    take_in(box)
    assert box.letters[uid].flags == {"\\Deleted"}
    assert not any("EXPUNGE" in command for command in box.commands[-3:])
    assert take_in(box) == Passed()


def test_it_may_be_marked_instead_and_is_not_looked_at_again(box: ImapBox) -> None:
    uid = box.put(notice("ada"))
    box.put(LETTER)
    assert take_in(box, afterwards=Afterwards.MARK).understood == 1
    assert box.letters[uid].flags == {"\\Seen"}
    assert take_in(box, afterwards=Afterwards.MARK) == Passed(looked_at=1, left=1)


@pytest.mark.parametrize("offers", ["UIDPLUS MOVE", "UIDPLUS", ""])
def test_it_may_be_moved_instead(box: ImapBox, offers: str) -> None:
    box.offers = offers
    box.put(notice("ada"))
    box.put(LETTER)
    assert take_in(box, afterwards=Afterwards.MOVE, move_to="Done").understood == 1
    assert box.moved == [('"Done"', notice("ada"))]
    there = [letter.content for letter in box.letters.values() if "\\Deleted" not in letter.flags]
    assert there == [LETTER]


def test_where_it_cannot_be_moved_to_it_stays(box: ImapBox) -> None:
    box.put(notice("ada"))
    journal = MemoryJournal()
    with pytest.raises(MailboxError, match="TRYCREATE"):
        take_in(box, journal, afterwards=Afterwards.MOVE, move_to="Elsewhere")
    assert contents(box) == [notice("ada")]
    assert recorded(journal) == ["ada@example.net"]


def test_many_are_expunged_together(box: ImapBox) -> None:
    for number in range(120):
        box.put(notice(f"p{number}"))
    assert take_in(box).understood == 120
    assert sum("EXPUNGE" in command for command in box.commands) == 3
    assert box.letters == {}


def test_what_cannot_be_recorded_stays(box: ImapBox) -> None:
    for name in ("ada", "bob", "cleo"):
        box.put(notice(name))
    assert take_in(box, Refusing("ada", "bob")) == Passed(looked_at=3, understood=1, recorded=1, unrecorded=2)
    assert contents(box) == [notice("ada"), notice("bob")]
    box.put(notice("dan"))
    with pytest.raises(ArchiveError, match="disk is full"):
        take_in(box, Refusing("ada", "bob", "dan"))
    assert len(box.letters) == 3


def test_what_was_recorded_before_the_journal_failed_is_not_left_as_deleted(box: ImapBox) -> None:
    for name in ("ada", "bob", "cleo", "dan"):
        box.put(notice(name))
    with pytest.raises(ArchiveError, match="disk is full"):
        take_in(box, Refusing("bob", "cleo", "dan"))
    assert contents(box) == [notice("bob"), notice("cleo"), notice("dan")]


# --- Passes -----------------------------------------------------------------------------------------------------------


def test_a_pass_is_bounded_and_the_next_goes_on_behind_it(box: ImapBox) -> None:
    for content in (LETTER, LETTER, LETTER, notice("ada"), notice("bob")):
        box.put(content)
    first = take_in(box, mails=2)
    assert first == Passed(looked_at=2, left=2, place="7:6")
    second = take_in(box, mails=2, place=first.place)
    assert second == Passed(looked_at=2, left=1, understood=1, recorded=1, place="7:12")
    assert take_in(box, mails=2, place=second.place) == Passed(looked_at=1, understood=1, recorded=1)
    assert contents(box) == [LETTER] * 3


@pytest.mark.parametrize(
    "place", [f"7:{'9' * 5000}", "7:99999999999", "7:\udc80", "8:6", "x", "7:x", "7", "", "7:-1", ":"]
)
def test_a_place_of_another_numbering_counts_for_nothing(box: ImapBox, place: str) -> None:
    box.put(notice("ada"))
    assert take_in(box, place=place).understood == 1


def test_a_place_at_the_end_finds_nothing(box: ImapBox) -> None:
    box.put(notice("ada"))
    assert take_in(box, place=f"7:{2**32 - 1}") == Passed()
    assert take_in(box, place="7:9999999999") == Passed()


def test_a_large_mail_is_read_up_to_the_limit(box: ImapBox) -> None:
    box.put(notice("ada") + b"x" * 3_000_000)
    assert take_in(box, octets=100_000).understood == 1


def test_a_mail_that_is_gone_meanwhile_is_passed_over(box: ImapBox) -> None:
    first, second = box.put(notice("ada")), box.put(notice("bob"))

    def read(content: bytes) -> list[Event]:
        box.letters.pop(second, None)
        return []

    assert take_in(box, read=read) == Passed(looked_at=1, left=1)
    assert list(box.letters) == [first]


def test_a_line_that_breaks_loses_nothing(box: ImapBox) -> None:
    for name in ("ada", "bob"):
        box.put(notice(name))
    journal = MemoryJournal()
    box.wrong = {"UID STORE": Conversation.drop}
    with pytest.raises(MailboxError):
        take_in(box, journal)
    assert (recorded(journal), len(box.letters)) == (["ada@example.net"], 2)
    box.wrong = {}
    assert take_in(box, journal) == Passed(looked_at=2, understood=2, recorded=1)
    assert box.letters == {}


# --- Whom it believes, and whom it tells who we are -------------------------------------------------------------------


def test_with_starttls_nothing_but_that_is_said_in_clear(box: ImapBox) -> None:
    box.implicit = False
    box.put(notice("ada"))
    with reading(box) as (mailbox, server):
        assert mailbox.take_in(MemoryJournal()).understood == 1
    said = [line.partition(b" ")[2] for line in server.heard_in_clear.splitlines()]
    assert said == [b"CAPABILITY", b"STARTTLS"]


@pytest.mark.parametrize(
    ("wrong", "greeting"),
    [
        ({"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n"}, "* OK ready"),
        ({"STARTTLS": "{tag} NO not today\r\n"}, "* OK ready"),
        ({"STARTTLS": "{tag} BAD what\r\n"}, "* OK ready"),
        ({}, "* PREAUTH you are in"),
        ({}, "* BYE go away"),
    ],
)
def test_without_a_secret_line_nothing_is_said(box: ImapBox, wrong: dict[str, str], greeting: str) -> None:
    box.implicit, box.wrong, box.greeting = False, wrong, greeting
    with reading(box) as (mailbox, server), pytest.raises(MailboxError):
        mailbox.take_in(MemoryJournal())
    assert b"s3cret" not in server.heard_in_clear
    assert b"AUTHENTICATE" not in server.heard_in_clear
    assert b"LOGIN" not in server.heard_in_clear


def test_what_is_injected_behind_starttls_is_not_believed(box: ImapBox) -> None:
    box.implicit = False
    box.put(notice("ada"))

    def inject(conversation: Conversation) -> None:
        tag = conversation.heard_in_clear.splitlines()[-1].split()[0]
        conversation.say_raw(tag + b" OK go\r\n* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n* 99 EXISTS\r\n")
        conversation.encrypt(GOOD)

    box.wrong = {"STARTTLS": inject}
    assert take_in(box).understood == 1
    assert box.logins == [b"\0shop\0s3cret"]


@pytest.mark.parametrize("implicit", [True, False])
def test_a_wrong_certificate_is_told_nothing(box: ImapBox, implicit: bool) -> None:
    box.implicit, box.certificate = implicit, AUTHORITY.issue("other.example")
    with reading(box) as (mailbox, server), pytest.raises(MailboxError, match="certificate is not right"):
        mailbox.take_in(MemoryJournal())
    assert server.heard_in_secret == b""
    assert b"s3cret" not in server.heard_in_clear


def test_a_context_that_takes_any_certificate_is_refused() -> None:
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    with pytest.raises(ConfigurationError, match="takes any certificate"):
        ImapMailbox(host="127.0.0.1", credentials=Credentials("shop", "s3cret"), context=careless)


def test_a_login_without_mechanisms(box: ImapBox) -> None:
    box.mechanisms = ""
    take_in(box)
    assert box.logins == [b'"shop" "s3cret"']
    take_in(box, credentials=Credentials('sh"o\\p', "s3cret"))
    assert box.logins[1] == b'"sh\\"o\\\\p" "s3cret"'


@pytest.mark.parametrize("name", ["shöp", "shop\r\nx LOGOUT", "shop\x01"])
def test_what_a_plain_login_cannot_say_is_refused(box: ImapBox, name: str) -> None:
    box.mechanisms = ""
    with pytest.raises(ConfigurationError, match="in ASCII"):
        take_in(box, credentials=Credentials(name, "s3cret"))
    assert box.logins == []


@pytest.mark.parametrize("mechanisms", ["AUTH=PLAIN", ""])
def test_a_wrong_password_is_tried_once_and_never_shown(box: ImapBox, mechanisms: str) -> None:
    box.mechanisms = mechanisms
    with pytest.raises(MailboxError, match="AUTHENTICATIONFAILED") as caught:
        take_in(box, credentials=Credentials("shop", "wr0ng"))
    assert len(box.logins) == 1
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(("token", "let_in"), [("s3cret", True), ("wr0ng", False)])
def test_a_token(box: ImapBox, token: str, let_in: bool) -> None:
    box.mechanisms = "AUTH=XOAUTH2 AUTH=PLAIN"
    box.put(notice("ada"))
    credentials = OAuthCredentials("shop", token=lambda: token)
    if let_in:
        assert take_in(box, credentials=credentials).understood == 1
    else:
        with pytest.raises(MailboxError, match="AUTHENTICATIONFAILED"):
            take_in(box, credentials=credentials)


def test_a_server_that_speaks_no_login_of_ours_is_told(box: ImapBox) -> None:
    box.mechanisms = "AUTH=GSSAPI"
    with pytest.raises(MailboxError, match="offers no login that we speak"):
        take_in(box)


def test_a_mailbox_that_is_not_there_is_told(box: ImapBox) -> None:
    with pytest.raises(MailboxError, match="no such mailbox"):
        take_in(box, folder="Bounces")


def test_where_nobody_listens_is_told() -> None:
    with pytest.raises(MailboxError):
        ImapMailbox(host="127.0.0.1", port=1, credentials=Credentials("shop", "s3cret"), timeout=2).take_in(
            MemoryJournal()
        )


# --- Answers that are none --------------------------------------------------------------------------------------------

NUMBER = "9" * 5000  # more digits than Python reads
ODD = {
    "CAPABILITY": [f"* CAPABILITY {{{NUMBER}}}\r\n{{tag}} OK x\r\n", "* CAPABILITY IMAP4rev1 \xff\r\n{tag} OK x\r\n",
        "{tag} OK\r\n", "* CAPABILITY\r\n{tag} OK x\r\n", "\r\n\r\n\r\n"],
    "AUTHENTICATE": ["+ !!!\r\n", "+ abcde\r\n", f"* OK {{{NUMBER}}}\r\n", "+\r\n+\r\n+\r\n+\r\n", "{tag} OK\r\n"],
    "SELECT": [
        "{tag} OK x\r\n", "* x EXISTS\r\n{tag} OK x\r\n", "* 5 EXISTS\r\n{tag} OK x\r\n",
        "* -1 EXISTS\r\n{tag} OK x\r\n", "* 99999999999999 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK x\r\n",
        "{tag} OK [READ-ONLY] x\r\n",
        "* 1 EXISTS\r\n* OK [UIDVALIDITY x] x\r\n{tag} OK x\r\n",
    ],
    "UID SEARCH": [
        "* SEARCH a b\r\n{tag} OK x\r\n", "* SEARCH\r\n* SEARCH 9 9 9\r\n{tag} OK x\r\n", "{tag} OK x\r\n",
        "* SEARCH 99999999999999999999\r\n{tag} OK x\r\n", "{tag} NO x\r\n", "{tag} BAD x\r\n",
        "* SEARCH 3\r\n* BYE\r\n", "* SEARCH -1\r\n", f"* SEARCH {NUMBER}\r\n{{tag}} OK x\r\n",
        "x" * 1_100_000 + "\r\n", "* SEARCH " + "1 " * 600_000 + "\r\n{tag} OK x\r\n",
    ],
    "UID FETCH": [
        "* 1 FETCH (UID 3 BODY[]<0> {99999999999}\r\nx", "* 1 FETCH (UID 3 BODY[]<0> {-5}\r\n)\r\n{tag} OK x\r\n",
        "* 1 FETCH (UID 4 BODY[]<0> {1}\r\nx)\r\n{tag} OK x\r\n", "* 1 FETCH (BODY[]<0> {1}\r\nx)\r\n{tag} OK x\r\n",
        "* 1 FETCH (UID 3 BODY[]<0> NIL)\r\n{tag} OK x\r\n", "* 1 FETCH (UID 3 FLAGS ())\r\n{tag} OK x\r\n",
        "* 1 FETCH (UID 3 BODY[HEADER] {1}\r\nx)\r\n{tag} OK x\r\n", "{tag} OK x\r\n", "* 1 FETCH\r\n{tag} OK x\r\n",
        "* FETCH FETCH FETCH\r\n{tag} OK x\r\n", "{tag} NO gone\r\n", "\x00\xff\xfe\r\n{tag} OK x\r\n",
        "{other} OK x\r\n", "* 1 FETCH (UID 3 BODY[]<0> {4}\r\nab", "* BYE overloaded\r\n",
    ],
    "LOGOUT": [f"* OK {{{NUMBER}}}\r\n", "* BYE \xff\r\n"],
    "UID STORE": ["{tag} NO read-only\r\n", "{tag} BAD x\r\n", "* BYE\r\n"],
}  # fmt: skip


def then_hang_up(said: str) -> Callable[[Conversation], None]:
    """Say this with the tag of the last command, and close the line."""

    def answer(conversation: Conversation) -> None:
        tag = conversation.heard_in_secret.splitlines()[-1].split()[0].decode()
        conversation.say_raw(said.replace("{tag}", tag).encode("latin-1"))
        conversation.close()

    return answer


@pytest.mark.parametrize(("command", "said"), [(command, said) for command, all_of in ODD.items() for said in all_of])
@pytest.mark.parametrize("hangs_up", [True, False])
def test_no_answer_crashes_it_or_loses_a_mail(box: ImapBox, command: str, said: str, hangs_up: bool) -> None:
    box.put(notice("ada"))
    box.wrong = {command: then_hang_up(said) if hangs_up else said}
    journal = MemoryJournal()
    try:
        report = take_in(box, journal, timeout=0.3)
    except MailboxError as error:
        assert "127.0.0.1" in str(error)
    else:
        assert report.looked_at == 0 or recorded(journal) == ["ada@example.net"]
    assert contents(box) == [notice("ada")] or recorded(journal) == ["ada@example.net"]


@pytest.mark.parametrize("wrong", [{"greeting": f"* OK {{{NUMBER}}}"}, {"STARTTLS": f"* OK {{{NUMBER}}}\r\n"}])
def test_nor_does_what_is_said_in_clear(box: ImapBox, wrong: dict[str, str]) -> None:
    box.implicit = False
    box.greeting = wrong.pop("greeting", box.greeting)
    box.wrong = wrong
    with pytest.raises(MailboxError, match="what is no IMAP"):
        take_in(box)
    assert box.logins == []


def test_nor_does_a_login_without_mechanisms(box: ImapBox) -> None:
    box.mechanisms = ""
    box.wrong = {"LOGIN": f"* OK {{{NUMBER}}}\r\n"}
    with pytest.raises(MailboxError, match="what is no IMAP"):
        take_in(box)


def test_what_nobody_asked_for_is_not_kept(box: ImapBox) -> None:
    noise = f"* NOISE {'x' * 500_000}\r\n"
    uids = [box.put(LETTER) for _ in range(30)]
    box.wrong = {f"UID FETCH {uid} ": f"{noise}{{tag}} OK x\r\n" for uid in uids[:-1]}
    held: list[int] = []

    def read(_content: bytes) -> list[Event]:
        kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, imaplib.__file__)])
        held.append(sum(trace.size for trace in kept.traces))
        return []

    tracemalloc.start()
    try:
        assert take_in(box, read=read) == Passed(looked_at=1, left=1)
    finally:
        tracemalloc.stop()
    assert held[0] < 12 * len(noise)  # the standard library logs the last ten lines


def test_a_mail_whose_number_comes_last_is_read_as_well(box: ImapBox) -> None:
    box.put(notice("ada"))
    told = notice("ada").decode()
    box.wrong = {"UID FETCH": f"* 1 FETCH (BODY[]<0> {{{len(told)}}}\r\n{told} UID 3)\r\n{{tag}} OK x\r\n"}
    assert take_in(box).understood == 1


def test_a_server_that_says_too_much_is_not_heard_to_its_end(box: ImapBox) -> None:
    box.put(notice("ada"))
    box.wrong = {"UID FETCH": "* 1 FETCH (FLAGS ())\r\n" * 300_000 + "{tag} OK x\r\n"}
    with pytest.raises(MailboxError, match="says more than"):
        take_in(box)


def test_a_silent_server_is_waited_for_no_longer_than_said(box: ImapBox) -> None:
    box.put(notice("ada"))
    box.wrong = {"UID FETCH": Conversation.hear_nothing}
    began = monotonic()
    with pytest.raises(MailboxError, match="timed out"):
        take_in(box, timeout=0.3)
    assert monotonic() - began < 3


def drip(conversation: Conversation) -> None:
    conversation.drip(b"* 1 FETCH (FLAGS ())\r\n" * 1000, every=0.05)


@pytest.mark.parametrize("command", ["UID FETCH", "CAPABILITY", "SELECT"])
def test_a_whole_pass_has_its_limit(box: ImapBox, command: str) -> None:
    box.put(notice("ada"))
    box.wrong = {command: drip}
    began = monotonic()
    with pytest.raises(MailboxError):
        take_in(box, limit=0.6)
    assert monotonic() - began < 4


def test_a_greeting_that_drips_has_it_too(box: ImapBox) -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        conversation.drip(b"* OK " + b"x" * 1000, every=0.05)

    with ScriptedServer(serve) as server:
        mailbox = ImapMailbox(
            host="127.0.0.1", port=server.port, credentials=Credentials("shop", "s3cret"), context=TRUSTED, limit=0.5
        )
        began = monotonic()
        with pytest.raises(MailboxError):
            mailbox.take_in(MemoryJournal())
    assert monotonic() - began < 4
    assert evolve(mailbox, limit=1).limit == 1
