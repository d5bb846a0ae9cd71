import os
import re
import ssl
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest
from attrs import evolve, frozen

from custom_smtp.__main__ import main
from custom_smtp.demo.expected import differences
from custom_smtp.demo.letters import Letter
from custom_smtp.demo.loop import EXPECTED, run
from custom_smtp.demo.people import PEOPLE
from custom_smtp.demo.readers import read
from custom_smtp.demo.relays import PLAIN, RELAYS
from custom_smtp.demo.reports import report
from custom_smtp.demo.script import CAST, PARTS, Part, Reads, Told, through
from custom_smtp.demo.sink import Sink
from custom_smtp.demo.telling import one_story
from custom_smtp.demo.times import END, read_at, sent_at, told_at
from custom_smtp.edge.smtp import SmtpTransport
from custom_smtp.edge.sqlite import SqliteArchive, SqliteJournal
from custom_smtp.errors import ArchiveError, AuthError
from custom_smtp.events import Bounced, BounceKind, Delivered, Opened
from custom_smtp.html import scan
from custom_smtp.identifiers import DeliveryId
from custom_smtp.mime import render
from custom_smtp.outgoing import Envelope, Outgoing
from custom_smtp.servers import Credentials, Server
from custom_smtp.system import utc_now
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.fakes import FrozenClock
from custom_smtp.testing.reporters import REPORTERS
from custom_smtp.timeline import timeline
from custom_smtp.urls import location


@frozen
class Run:
    """One run of the demo."""

    folder: Path
    status: int
    printed: str

    @property
    def report(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, out = tmp_path_factory.mktemp("demo"), StringIO()
    status = run(folder, out=out)
    return Run(folder, status, out.getvalue())


def test_every_figure_is_the_expected_one(played: Run) -> None:
    assert played.status == 0
    assert f"All {len(EXPECTED)} figures are the expected ones." in played.printed
    assert "differs" not in played.printed


def test_it_prints_what_became_of_the_mails_and_where_the_report_is(played: Run) -> None:
    assert re.search(r"^All +60 +55 +5 +49 +4 +37 \+6 +26 \+2 +2$", played.printed, re.MULTILINE)
    assert f"The report: {played.folder / 'report.html'}" in played.printed


def test_it_prints_the_copy_of_one_person_s_mail(played: Run) -> None:
    for line in (
        "To: Kaito <reader23@example.net>",
        "Message-ID: <d23@moewe.example>",
        "Moin Kaito,",
    ):
        assert line in played.printed


STORY = """\
    07:01:28  Submitted                       a copy of its 24,0NN bytes is kept
    07:01:28  Accepted      our server        250 2.0.0 queued as sendgrid-4
    07:01:30  Delivered     sendgrid          250 2.0.0 OK
    07:01:37  Clicked       our links         13 links, by a machine: HEAD, several links at once
    10:11:07  Opened        our links         by a person, through a proxy: GoogleImageProxy
    10:11:55  Opened        our links         by a person
    10:12:43  Clicked       our links         by a person: https://www.moewe.example/coffee/huila?grind=whole&size=250
    10:21:28  Called spam   sendgrid
    10:21:28  Suppressed    why_not_to_write  no more mail to this person; the proof: sendgrid spamreport complained-23
"""


def test_it_tells_one_mail_s_story_from_submission_to_complaint(played: Run) -> None:
    assert STORY in re.sub(r"24,0\d\d bytes is", "24,0NN bytes is", played.printed)


def test_the_report_tells_the_same_story_and_shows_the_proof(played: Run) -> None:
    told = re.findall(r"<strong>([^<]+)</strong>", played.report)
    assert told == [
        "Submitted",
        "Accepted",
        "Delivered",
        "Clicked",
        "Opened",
        "Opened",
        "Clicked",
        "Called spam",
        "Suppressed",
    ]
    assert "&quot;event&quot;: &quot;spamreport&quot;" in played.report


def test_it_tells_what_each_server_took_and_reported(played: Run) -> None:
    for server in (PLAIN, *RELAYS):
        taken = [part for part in through(server) if not part.role.refused]
        told = sum(len(part.role.told) for part in taken)
        assert re.search(rf"^{server} +{len(taken)} +{told}  ", played.printed, re.MULTILINE), server


def test_every_provider_tells_more_than_that_a_mail_was_delivered(played: Run) -> None:
    told = {server: {told for part in through(server) for told in part.role.told} for server in (PLAIN, *RELAYS)}
    assert all(len(kinds) > 1 for kinds in told.values()), told
    assert set().union(*told.values()) == {*Told}
    for server in RELAYS:
        assert f"<td>{server}</td>" in played.report


@pytest.mark.parametrize("told", [Told.DELIVERED, Told.DEFERRED, Told.BOUNCED, Told.COMPLAINED, Told.UNSUBSCRIBED])
@pytest.mark.parametrize("provider", RELAYS)
def test_each_provider_can_tell_each_thing_of_a_mail_that_it_was_given(provider: str, told: Told) -> None:
    part, adapter = through(provider)[0], REPORTERS[provider].adapter
    mail = evolve(part.mail, headers=adapter.mark(part.mail.headers, DeliveryId("d1")))
    content = render(mail, DeliveryId("d1"), sent_at(part))
    [event] = adapter.read(REPORTERS[provider].request(report(provider, part, told, content), at=END))
    assert type(event).__name__.upper() == told.name
    assert (event.about.delivery_id, event.about.recipient) == ("d1", part.person.address.email)
    assert event.about.at == told_at(part, told)


def test_the_day_goes_by_in_order() -> None:
    for part in PARTS:
        assert sent_at(part) < read_at(part) < END
        assert [told_at(part, told) for told in part.role.told] == sorted(
            told_at(part, told) for told in part.role.told
        )
        assert all(sent_at(part) < told_at(part, told) < END for told in part.role.told)


def test_the_report_shows_the_same_figures(played: Run) -> None:
    assert (
        "60 mails in 3 campaigns: 55 taken by our servers, 49 delivered, 37 opened and 26 clicked by people."
        in played.report
    )
    assert "550 5.1.1" in played.report
    assert "451 4.2.0" in played.report
    assert played.report.count("<iframe") == len(Letter)
    for person in PEOPLE:
        assert person.address.email in played.report


def test_the_report_loads_nothing(played: Run) -> None:
    assert "<script" not in played.report
    assert not re.search(r"\s(?:src|href|action|background)=", played.report)
    assert "127.0.0.1" not in played.report


def test_everything_is_kept_in_one_database(played: Run) -> None:
    bounced = next(part for part in PARTS if Told.FULL in part.role.told)
    with SqliteArchive(played.folder / "mail.db") as archive, SqliteJournal(played.folder / "mail.db") as journal:
        [copy] = archive.find(bounced.person.address.email)
        events = journal.of_delivery(copy.delivery_id)
    assert f"<{copy.delivery_id}@moewe.example>".encode() in copy.content
    [bounce] = [event for event in events if isinstance(event, Bounced)]
    assert (bounce.about.source, bounce.kind, bounce.status) == ("proven-bounce-mail", BounceKind.SOFT, "5.2.2")


def test_what_was_told_twice_and_out_of_order_is_kept_once(played: Run) -> None:
    with SqliteJournal(played.folder / "mail.db") as journal:
        events = journal.of_recipient(PARTS[0].person.address.email)
    assert sum(isinstance(event, Delivered) for event in events) == 1
    assert sum(isinstance(event, Opened) for event in events) == 1


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (next(part for part in PARTS if part.role.reads == (Reads.BY_GMAIL,)), "through a proxy: GoogleImageProxy"),
        (
            next(part for part in PARTS if Told.FULL in part.role.told),
            "Bounced       a mail with our signature",
        ),
        (
            next(part for part in PARTS if part.role.refused),
            "Refused       our server        550 5.1.1 no such user here",
        ),
    ],
)
def test_a_person_s_story_is_told_in_words(played: Run, part: Part, words: str) -> None:
    with SqliteArchive(played.folder / "mail.db") as archive, SqliteJournal(played.folder / "mail.db") as journal:
        [copy] = archive.find(part.person.address.email)
        assert words in one_story(timeline(copy, journal.of_delivery(copy.delivery_id)))


def test_a_mail_that_is_not_tracked_leads_astray_and_asks_nobody_outside() -> None:
    content = render(PARTS[0].mail, DeliveryId("d1"), utc_now())
    no_pixel, no_click = read(PARTS[0], content, FrozenClock())
    assert no_pixel == "the pixel is not there: answered 0"
    assert no_click.startswith("GET https://www.moewe.example/autumn?")
    assert "answered 0" in no_click


def test_the_demo_s_server_lets_nobody_else_in(tmp_path: Path) -> None:
    authority = Authority(utc_now())
    chain, key = authority.issue("127.0.0.1").write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    person = PEOPLE[0].address
    with Sink("main", context, Server("127.0.0.1", credentials=Credentials("moewe", "right")), {}) as sink:
        server = Server("127.0.0.1", sink.port, Credentials("moewe", "wrong"), ca_file=tmp_path / "ca.pem")
        with pytest.raises(AuthError):
            SmtpTransport(server).deliver(Outgoing(DeliveryId("d1"), Envelope(person, (person,)), b"x: y\r\n\r\nz\r\n"))
        assert not sink.received


def test_another_expectation_is_told_of_and_fails(tmp_path: Path) -> None:
    out = StringIO()
    wanted = {**EXPECTED, "All: clicked by people": 25, "Newsletter: refused 554 5.7.1": 1}
    assert run(tmp_path, out=out, wanted=wanted) == 1
    assert "differs: All: clicked by people: expected 25, found 26\n" in out.getvalue()
    assert "differs: Newsletter: refused 554 5.7.1: expected 1, found 0\n" in out.getvalue()
    assert "are the expected ones" not in out.getvalue()


def test_nothing_runs_on_after_it_even_where_it_breaks(tmp_path: Path) -> None:
    (tmp_path / "mail.db").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    before = {thread.name for thread in threading.enumerate()}
    with pytest.raises(ArchiveError):
        run(tmp_path, out=StringIO())
    assert {thread.name for thread in threading.enumerate()} == before


# The command line


def test_the_command_puts_everything_where_it_is_told(tmp_path: Path) -> None:
    out = StringIO()
    assert main(["demo", "--keep", str(tmp_path / "new"), "--report", str(tmp_path / "mine.html")], out=out) == 0
    assert (tmp_path / "mine.html").exists()
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["mail.db"]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    out = StringIO()
    assert main(["demo", "--keep", str(tmp_path)], out=out) == 2
    assert out.getvalue() == f"Nothing was begun: {tmp_path} is not empty: name a new folder\n"


def test_a_report_without_a_folder_is_told_before_anything_begins(tmp_path: Path) -> None:
    out = StringIO()
    assert main(["demo", "--report", str(tmp_path / "none" / "mine.html")], out=out) == 2
    assert (
        out.getvalue() == f"Nothing was begun: there is no folder {tmp_path / 'none'} for the report: make it first\n"
    )


def test_a_terminal_that_spells_little_is_enough(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "custom_smtp", "demo", "--keep", str(tmp_path)],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"Caf? M?we" in ended.stdout


def test_a_command_that_is_none_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dmeo"])
    assert ended.value.code == 2
    assert "demo" in capsys.readouterr().err


def without(module: str) -> "subprocess.CompletedProcess[str]":
    """The demo, where a module is not installed."""
    program = (
        f"import sys; sys.modules[{module!r}] = None; from custom_smtp.__main__ import main; sys.exit(main(['demo']))"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)


def test_without_aiosmtpd_one_line_says_what_to_install() -> None:
    ended = without("aiosmtpd")
    assert (ended.returncode, ended.stderr) == (2, "")
    assert ended.stdout == (
        "The demo's mail servers need aiosmtpd: in the checkout, make demo, or pip install '.[testing]'\n"
    )


def test_any_other_absence_is_not_taken_for_it() -> None:
    ended = without("sqlite3")
    assert ended.returncode == 1
    assert "ModuleNotFoundError" in ended.stderr


# The mails and the script


def test_sixty_people_play_each_part_once() -> None:
    assert sum(count for roles in CAST.values() for _, count in roles) == len(PARTS) == len(PEOPLE) == 60
    assert len({part.person.address.key for part in PARTS}) == 60


@pytest.mark.parametrize("letter", Letter)
def test_the_mails_are_as_such_mails_are(letter: Letter) -> None:
    mail = letter.written_to(PEOPLE[0])
    html, text = mail.html or "", mail.text or ""
    for mark in (
        "<!--[if",
        "v:roundrect",
        "@media",
        "mso-hide",
        "mailto:" if letter is not Letter.SHIPPING else "tel:",
    ):
        assert mark in html
    assert "unsubscribe" in html
    assert "unsubscribe" in text
    assert not re.search(r"\$\{?[a-z]", html + text)
    assert not html.isascii()


@pytest.mark.parametrize("letter", Letter)
def test_every_link_of_the_mails_can_be_followed(letter: Letter) -> None:
    links = [link.url for link in scan(letter.written_to(PEOPLE[0]).html or "").links]
    assert len(links) >= 4
    assert all(location(url) == url for url in links if url.startswith("http"))
    assert not [url for url in links if "&amp;" in url]


def test_the_newsletter_is_as_large_as_newsletters_are() -> None:
    assert 15_000 < len((Letter.NEWSLETTER.written_to(PEOPLE[0]).html or "").encode()) < 25_000


def test_a_figure_that_only_one_side_knows_is_none_on_the_other() -> None:
    assert [*differences({"a": 1, "b": 0}, {"c": 2})] == ["a: expected 1, found 0", "c: expected 0, found 2"]
