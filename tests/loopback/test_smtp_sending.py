"""Many mails through a session, from `Sender.send_all`; what a server offers; what a transcript tells."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from itertools import islice
from threading import Event as Happening
from typing import Any

import pytest
from attrs import define, field

from custom_smtp import (
    Address,
    AsyncSender,
    Credentials,
    Failover,
    Mail,
    MemoryArchive,
    MemoryJournal,
    Outcome,
    Outgoing,
    Preparation,
    Receipt,
    Sender,
    Server,
    SmtpTransport,
    Tls,
)
from custom_smtp.archive import Copy
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.edge.threads import ArchiveInThread, InThread, JournalInThread
from custom_smtp.errors import (
    ArchiveError,
    AuthError,
    ConfigurationError,
    MailError,
    RefusedError,
    Step,
    TlsError,
    UnrecordedError,
)
from custom_smtp.events import Accepted, Event, Refused
from custom_smtp.identifiers import DeliveryId
from custom_smtp.outgoing import Envelope
from custom_smtp.ports import Archive
from custom_smtp.server_report import Concern
from custom_smtp.servers import Limits, Pace
from custom_smtp.testing import FrozenClock, RecordingTransport, SerialIds
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.scripts import polite
from custom_smtp.testing.server import Conversation, HungUp, ScriptedServer, client_context

AUTHORITY = Authority(datetime.now(UTC))
GOOD = AUTHORITY.issue("127.0.0.1")
TRUSTED = client_context(AUTHORITY)
PIPELINING = ("AUTH PLAIN", "SIZE", "8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES")
CHUNKING = (*PIPELINING, "CHUNKING")


def mails(count: int) -> Iterator[Mail]:
    for number in range(1, count + 1):
        yield Mail(
            sender=Address("hello@shop.example"), to=Address(f"p{number}@example.net"), subject=f"{number}", text="."
        )


def server_at(port: int, **how: object) -> Server:
    return Server("127.0.0.1", port, Credentials("shop", "s3cret pass"), limits=Limits.all_of(5), **how)  # type: ignore[arg-type]


REFUSE_EACH_THIRD = {f"RCPT TO:<p{number}@": "550 5.1.1 no such user" for number in range(3, 61, 3)}

Sending = Callable[[ScriptedServer, int, int, MemoryArchive, MemoryJournal], list[Outcome]]


def in_threads(
    server: ScriptedServer, count: int, connections: int, archive: MemoryArchive, journal: MemoryJournal
) -> list[Outcome]:
    transport = SmtpTransport(server_at(server.port), context=TRUSTED)
    sender = Sender(transport, Preparation(new_id=SerialIds(), clock=FrozenClock()), archive=archive, journal=journal)
    with transport.session(connections=connections) as session:
        return list(sender.send_all(mails(count), through=session))


def on_a_loop(
    server: ScriptedServer, count: int, connections: int, archive: MemoryArchive, journal: MemoryJournal
) -> list[Outcome]:
    async def send() -> list[Outcome]:
        transport = AsyncSmtpTransport(server_at(server.port), context=TRUSTED)
        sender = AsyncSender(
            transport,
            Preparation(new_id=SerialIds(), clock=FrozenClock()),
            archive=ArchiveInThread(archive),
            journal=JournalInThread(journal),
        )
        async with transport.session(connections=connections) as session:
            return [outcome async for outcome in sender.send_all(mails(count), through=session)]

    return asyncio.run(send())


both = pytest.mark.parametrize("send", [in_threads, on_a_loop])


@both
@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("offers", [PIPELINING, CHUNKING], ids=["by dot", "by BDAT"])
def test_a_campaign_is_archived_sent_and_written_down_in_order(
    send: Sending, connections: int, offers: tuple[str, ...]
) -> None:
    archive, journal = MemoryArchive(), MemoryJournal()
    with ScriptedServer(polite(REFUSE_EACH_THIRD, certificate=GOOD, offers=offers)) as server:
        outcomes = send(server, 60, connections, archive, journal)
    assert [outcome.delivery_id for outcome in outcomes] == [f"d{number}" for number in range(1, 61)]
    for number, outcome in enumerate(outcomes, 1):
        [event] = journal.of_delivery(outcome.delivery_id)
        if number % 3 == 0:
            assert isinstance(outcome.result, RefusedError)
            assert isinstance(event, Refused)
            assert outcome.result.at is Step.RCPT
        else:
            assert isinstance(outcome.result, Receipt)
            assert isinstance(event, Accepted)
    kept = {archive.find(f"p{number}@example.net")[0].content for number in range(1, 61) if number % 3}
    assert sorted(kept) == sorted(mail.content for mail in server.taken if mail.recipients)
    assert connections > 1 or len(server.conversations) == 1


@pytest.mark.parametrize("connections", [1, 3])
def test_a_loop_that_is_left_writes_down_what_was_on_its_way(connections: int) -> None:
    journal = MemoryJournal()
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        sender = Sender(transport, Preparation(new_id=SerialIds()), journal=journal)
        with transport.session(connections=connections) as session:
            for outcome in sender.send_all(mails(200), through=session):
                if outcome.delivery_id == "d7":
                    break
            assert not session.take_unclaimed()
        arrived = len(server.contents)
    assert 7 <= arrived < 200
    written = [number for number in range(1, 201) if journal.of_delivery(DeliveryId(f"d{number}"))]
    assert len(written) == arrived
    assert written[:7] == [1, 2, 3, 4, 5, 6, 7]


@define
class Disk:
    """An archive that tells of each visit how many copies it brought, and how many mails had left by then."""

    server: ScriptedServer
    kept: MemoryArchive = field(factory=MemoryArchive)
    visits: list[tuple[int, int]] = field(factory=list)

    def store(self, copy: Copy, /) -> None:
        self.store_all([copy])

    def store_all(self, copies: Iterable[Copy], /) -> None:
        brought = list(copies)
        self.visits.append((len(brought), len(self.server.contents)))
        self.kept.store_all(brought)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        return self.kept.find(recipient, limit=limit)

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        return self.kept.get(delivery_id)

    def erase(self, recipient: str, /) -> int:
        return self.kept.erase(recipient)


Batching = Callable[[ScriptedServer, Archive, Iterable[Mail], int], list[Outcome]]


def batches_in_threads(server: ScriptedServer, archive: Archive, several: Iterable[Mail], batch: int) -> list[Outcome]:
    transport = SmtpTransport(server_at(server.port), context=TRUSTED)
    sender = Sender(transport, Preparation(new_id=SerialIds()), archive=archive)
    taken = []
    with transport.session() as session, suppress(MailError):
        for outcome in sender.send_all(several, through=session, batch=batch):
            taken.append(outcome)  # the end may be an error
    return taken


def batches_on_a_loop(server: ScriptedServer, archive: Archive, several: Iterable[Mail], batch: int) -> list[Outcome]:
    async def send() -> list[Outcome]:
        transport = AsyncSmtpTransport(server_at(server.port), context=TRUSTED)
        sender = AsyncSender(transport, Preparation(new_id=SerialIds()), archive=ArchiveInThread(archive))
        taken = []
        async with transport.session() as session:
            with suppress(MailError):
                async for outcome in sender.send_all(several, through=session, batch=batch):
                    taken.append(outcome)  # the end may be an error
        return taken

    return asyncio.run(send())


both_batching = pytest.mark.parametrize("send", [batches_in_threads, batches_on_a_loop])


@both_batching
@pytest.mark.parametrize("batch", [1, 4, 5, 10, 11])
def test_copies_are_kept_by_batches_before_any_mail_of_them_leaves(send: Batching, batch: int) -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        disk = Disk(server)
        outcomes = send(server, disk, mails(10), batch)
        arrived = len(server.contents)
    assert [outcome.delivery_id for outcome in outcomes] == [f"d{number}" for number in range(1, 11)]
    assert arrived == 10
    kept_before = 0
    for brought, left in disk.visits:
        assert left <= kept_before
        kept_before += brought
    whole, rest = divmod(10, batch)
    assert [brought for brought, _ in disk.visits] == [batch] * whole + [rest] * (rest > 0)


@both_batching
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_where_a_mail_of_a_batch_cannot_be_written_those_before_it_are_sent(send: Batching, batch: int) -> None:
    def broken_off() -> Iterator[Mail]:
        yield from mails(4)
        raise MailError("no more")

    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        disk = Disk(server)
        send(server, disk, broken_off(), batch)
        arrived = len(server.contents)
    assert arrived == 4
    assert sum(brought for brought, _ in disk.visits) == 4


@define
class FillingDisk(Disk):
    """One that has room for so many copies, and then for none."""

    room: int = 0

    def store_all(self, copies: Iterable[Copy], /) -> None:
        brought = list(copies)
        if sum(many for many, _ in self.visits) + len(brought) > self.room:
            raise ArchiveError("the disk is full")
        super().store_all(brought)


@both_batching
@pytest.mark.parametrize(("batch", "arrived"), [(1, 7), (4, 4), (5, 5), (8, 0)])
def test_where_a_batch_cannot_be_kept_no_mail_of_it_leaves(send: Batching, batch: int, arrived: int) -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        with pytest.raises(ArchiveError, match="full"):
            send(server, FillingDisk(server, room=7), mails(20), batch)
        assert len(server.contents) == arrived


@both_batching
@pytest.mark.parametrize("batch", [0, -1, True, 2.0, None])
def test_a_batch_is_a_number_of_mails(send: Batching, batch: int) -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        with pytest.raises(ConfigurationError, match="from 1 on"):
            send(server, MemoryArchive(), mails(2), batch)
        assert not server.contents


def test_no_more_than_a_batch_is_made_ahead() -> None:
    made = []

    def counted() -> Iterator[Mail]:
        for mail in mails(100):
            made.append(mail)
            yield mail

    with ScriptedServer(polite(certificate=GOOD, offers=PIPELINING)) as server:
        transport = SmtpTransport(server_at(server.port, pace=Pace.careful()), context=TRUSTED)
        with transport.session() as session:
            outcomes = Sender(transport).send_all(counted(), through=session, batch=10)
            for number, _ in enumerate(islice(outcomes, 35), 1):
                assert len(made) <= number + 20
            outcomes.close()


class Failing:
    """A journal that fails at some deliveries, and a `MemoryJournal` else."""

    def __init__(self, *failing: str) -> None:
        self.kept = MemoryJournal()
        self._failing = failing

    def record(self, event: Event, /) -> bool:
        if event.about.delivery_id in self._failing:
            raise ArchiveError("the disk is full")
        return self.kept.record(event)

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        return self.kept.of_delivery(delivery_id)

    def of_recipient(self, recipient: str, /) -> list[Event]:
        return self.kept.of_recipient(recipient)


@pytest.mark.parametrize("failing", [("d2",), ("d2", "d3")])
def test_what_cannot_be_written_down_keeps_no_other_from_it(failing: tuple[str, ...]) -> None:
    journal = Failing(*failing)
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        sender = Sender(transport, Preparation(new_id=SerialIds()), journal=journal)
        with transport.session(connections=3) as session, pytest.raises(UnrecordedError):
            list(sender.send_all(mails(40), through=session))
        arrived = len(server.contents)
    written = sum(bool(journal.of_delivery(DeliveryId(f"d{number}"))) for number in range(1, 41))
    assert written == arrived - len(failing)


def failing_in_threads(server: ScriptedServer, preparation: Preparation, journal: Failing) -> None:
    transport = SmtpTransport(server_at(server.port), context=TRUSTED)
    with transport.session(connections=3) as session:
        list(Sender(transport, preparation, journal=journal).send_all(mails(6), through=session))


def failing_on_a_loop(server: ScriptedServer, preparation: Preparation, journal: Failing) -> None:
    async def send() -> None:
        transport = AsyncSmtpTransport(server_at(server.port), context=TRUSTED)
        sender = AsyncSender(transport, preparation, journal=JournalInThread(journal))
        async with transport.session(connections=3) as session:
            async for _ in sender.send_all(mails(6), through=session):
                pass

    asyncio.run(send())


both_failing = pytest.mark.parametrize("send", [failing_in_threads, failing_on_a_loop])
FailingSend = Callable[[ScriptedServer, Preparation, Failing], None]


@both_failing
def test_of_several_that_cannot_be_written_down_the_first_is_raised_and_tells_of_the_others(send: FailingSend) -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server, pytest.raises(UnrecordedError) as raised:
        send(server, Preparation(new_id=SerialIds()), Failing("d2", "d3", "d5"))
    told = [str(raised.value), *raised.value.__notes__]
    assert ["delivery d2" in told[0], "delivery d3" in told[1], "delivery d5" in told[2]] == [True, True, True]


@both_failing
def test_two_mails_that_would_have_one_id_are_not_told_apart_and_so_not_sent(send: FailingSend) -> None:
    journal = Failing()
    with (
        ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server,
        pytest.raises(ConfigurationError, match="new_id gave two mails the id d1"),
    ):
        send(server, Preparation(new_id=lambda: DeliveryId("d1")), journal)
    assert len(journal.of_delivery(DeliveryId("d1"))) == len(server.contents) == 1


@both_failing
def test_ids_that_run_out_are_not_taken_for_the_end_of_the_mails(send: FailingSend) -> None:
    ids = iter([DeliveryId("d1"), DeliveryId("d2")])
    with (
        ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server,
        pytest.raises(RuntimeError, match="StopIteration"),
    ):
        send(server, Preparation(new_id=lambda: next(ids)), Failing())
    assert len(server.contents) == 2


@pytest.mark.parametrize("no_session", [RecordingTransport(), Failover((RecordingTransport(),)), None])
def test_what_sends_no_more_than_one_mail_is_no_session(no_session: Any) -> None:
    async def on_a_loop() -> None:
        async for _ in AsyncSender(InThread(RecordingTransport())).send_all(mails(1), through=no_session):
            pass

    with pytest.raises(ConfigurationError, match="is no session"):
        list(Sender(RecordingTransport()).send_all(mails(1), through=no_session))
    with pytest.raises(ConfigurationError, match="is no session"):
        asyncio.run(on_a_loop())


def test_what_an_earlier_loop_left_unclaimed_is_not_taken_for_ours() -> None:
    journal = MemoryJournal()
    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        sender = Sender(transport, Preparation(new_id=SerialIds()), journal=journal)
        with transport.session() as session:
            loop = session.deliver_all(sender.preparation.prepare(mail).outgoing for mail in mails(20))
            next(loop)
            loop.close()  # type: ignore[attr-defined]  # a generator
            assert len(list(sender.send_all(mails(2), through=session))) == 2


def test_a_loop_on_a_loop_that_is_left_writes_down_what_was_on_its_way() -> None:
    journal = MemoryJournal()

    async def send(port: int) -> None:
        transport = AsyncSmtpTransport(server_at(port), context=TRUSTED)
        sender = AsyncSender(transport, Preparation(new_id=SerialIds()), journal=JournalInThread(journal))
        async with (
            transport.session(connections=2) as session,
            aclosing(sender.send_all(mails(200), through=session)) as outcomes,
        ):
            async for outcome in outcomes:
                if outcome.delivery_id == "d7":
                    break

    with ScriptedServer(polite(certificate=GOOD, offers=CHUNKING)) as server:
        asyncio.run(send(server.port))
        arrived = len(server.contents)
    assert 7 <= arrived < 200
    assert sum(bool(journal.of_delivery(DeliveryId(f"d{number}"))) for number in range(1, 201)) == arrived


@both
@pytest.mark.parametrize("connections", [1, 3])
def test_a_mail_that_cannot_be_written_stops_the_rest_when_those_before_it_have_ended(
    send: Sending, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def some_bad(count: int) -> Iterator[Mail]:
        for number, mail in enumerate(good(count), 1):
            if number == 20:
                raise MailError("the twentieth is bad")
            yield mail

    good = mails
    monkeypatch.setitem(globals(), "mails", some_bad)
    archive, journal = MemoryArchive(), MemoryJournal()
    with ScriptedServer(polite(certificate=GOOD, offers=PIPELINING)) as server:
        with pytest.raises(MailError, match="twentieth"):
            send(server, 50, connections, archive, journal)
        assert len(server.contents) == 19
    assert all(isinstance(journal.of_delivery(DeliveryId(f"d{number}"))[0], Accepted) for number in range(1, 20))


# What a server offers


def test_a_server_that_works_is_reported_with_what_it_lacks() -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=("AUTH PLAIN", "8BITMIME"))) as server:
        reports = [
            SmtpTransport(server_at(server.port), context=TRUSTED).verify(),
            asyncio.run(AsyncSmtpTransport(server_at(server.port), context=TRUSTED).verify()),
        ]
    for report in reports:
        assert report.works
        assert report.channel is not None
        assert report.extensions == ("AUTH PLAIN", "8BITMIME")
        assert set(report.concerns) == {Concern.NO_PIPELINING, Concern.NO_SIZE, Concern.NO_ENHANCED_CODES}
        assert "four round trips" in str(report)
        assert f"its certificate ends on {report.channel.certificate_ends:%Y-%m-%d}" in str(report)
    assert b"MAIL" not in server.heard_in_secret


def test_a_server_that_does_not_work_is_reported_with_why() -> None:
    with ScriptedServer(polite({"AUTH": "535 5.7.8 no"}, certificate=GOOD)) as server:
        refused = SmtpTransport(server_at(server.port), context=TRUSTED).verify()
        asynchronous = asyncio.run(AsyncSmtpTransport(server_at(server.port), context=TRUSTED).verify())
    with ScriptedServer(polite()) as server:
        stripped = SmtpTransport(server_at(server.port), context=TRUSTED).verify()
    assert isinstance(refused.failure, AuthError)
    assert isinstance(asynchronous.failure, AuthError)
    assert isinstance(stripped.failure, TlsError)
    assert not refused.works
    assert "535" in str(refused)
    for report in (refused, asynchronous):
        assert report.channel is not None
        assert "AUTH PLAIN LOGIN" in report.extensions
        assert Concern.NO_PIPELINING in report.concerns
    assert stripped.channel is None
    assert stripped.concerns == ()


def test_a_server_that_offers_no_login_is_reported_so() -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=("8BITMIME",))) as server:
        reports = [
            SmtpTransport(server_at(server.port), context=TRUSTED).verify(),
            asyncio.run(AsyncSmtpTransport(server_at(server.port), context=TRUSTED).verify()),
        ]
    for report in reports:
        assert isinstance(report.failure, AuthError)
        assert Concern.NO_LOGIN_OFFERED in report.concerns


# Transcripts


@pytest.mark.parametrize("offers", [PIPELINING, CHUNKING], ids=["by dot", "by BDAT"])
def test_a_transcript_tells_everything_but_secrets_and_content(offers: tuple[str, ...]) -> None:
    lines: list[str] = []
    with ScriptedServer(polite(certificate=GOOD, offers=offers)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED, transcript=lines.append)
        Sender(transport).send(next(mails(1)))
    told = "\n".join(lines)
    assert "> AUTH PLAIN ..." in lines
    assert "< 250 2.0.0 queued as 4711" in lines
    assert any(line.startswith("> MAIL FROM:<hello@shop.example>") for line in lines)
    assert lines[0].startswith("< 220")
    assert lines[-1] == "> QUIT"
    for secret in ("s3cret", "czNjcmV0", "Subject", "text/plain"):
        assert secret not in told


def test_a_transcript_that_fails_makes_no_accepted_mail_look_like_one_that_failed() -> None:
    """A terminal that cannot spell what the server says, for instance."""

    def ascii_alone(line: str) -> None:
        line.encode("ascii")

    script = polite({"CONTENT": "250 2.0.0 Grüße", "BDAT": "250 2.0.0 Grüße"}, certificate=GOOD, offers=CHUNKING)
    with ScriptedServer(script) as server:
        where = server_at(server.port)
        Sender(SmtpTransport(where, context=TRUSTED, transcript=ascii_alone)).send(next(mails(1)))
        asynchronous = AsyncSmtpTransport(where, context=TRUSTED, transcript=ascii_alone)
        asyncio.run(AsyncSender(asynchronous).send(next(mails(1))))
    assert len(server.taken) == 2


# A last look before the final dot


@pytest.mark.filterwarnings("ignore::custom_smtp.errors.InsecureTransportWarning")
@pytest.mark.parametrize(
    "deliver",
    [
        lambda where, mail, told: SmtpTransport(where, transcript=told).deliver(mail),
        lambda where, mail, told: asyncio.run(AsyncSmtpTransport(where, transcript=told).deliver(mail)),
    ],
    ids=["threads", "asyncio"],
)
def test_a_large_content_that_is_turned_away_as_it_leaves_gets_no_final_dot(
    deliver: Callable[[Server, Outgoing, Callable[[str], None]], Receipt],
) -> None:
    """Also where all of it goes in one write."""

    def turn_away(line: str) -> None:
        if line.startswith("> ("):
            server.conversations[0].say("552 5.3.4 too large after all")

    def go_ahead(conversation: Conversation) -> None:
        conversation.say("354 go ahead")
        try:
            conversation.hear_nothing()
        finally:
            left.set()

    left = Happening()
    recipient = Address("ada@example.net")
    content = b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 930
    large = Outgoing(DeliveryId("d1"), Envelope(None, (recipient,)), content)
    with ScriptedServer(polite({"DATA": go_ahead}, offers=PIPELINING[1:])) as server:
        where = Server("127.0.0.1", server.port, tls=Tls.OPPORTUNISTIC, limits=Limits.all_of(5))
        with pytest.raises(RefusedError, match="552"):
            deliver(where, large, turn_away)
        assert left.wait(5)
    assert b"\r\n.\r\n" not in server.heard_in_clear


# How far ahead


@pytest.mark.parametrize(
    "pace", [Pace(), Pace(piggyback=False), Pace(pipelining=False), Pace.careful(), Pace(window=1)]
)
@pytest.mark.parametrize("offers", [PIPELINING, CHUNKING, ("AUTH PLAIN",)])
def test_every_pace_delivers_the_same(pace: Pace, offers: tuple[str, ...]) -> None:
    with ScriptedServer(polite(REFUSE_EACH_THIRD, certificate=GOOD, offers=offers)) as server:
        transport = SmtpTransport(server_at(server.port, pace=pace), context=TRUSTED)
        with transport.session() as session:
            outcomes = list(Sender(transport).send_all(mails(12), through=session))
    assert [isinstance(outcome.result, Receipt) for outcome in outcomes] == [n % 3 != 0 for n in range(1, 13)]
    assert len([mail for mail in server.taken if mail.recipients]) == 8
    assert (b"BDAT" in server.heard_in_secret) == ("CHUNKING" in offers and pace.pipelining and pace.window > 0)


def test_a_line_is_closed_after_so_many_mails() -> None:
    with ScriptedServer(polite(certificate=GOOD, offers=PIPELINING)) as server:
        transport = SmtpTransport(server_at(server.port, pace=Pace(mails_per_connection=4)), context=TRUSTED)
        with transport.session() as session:
            outcomes = list(Sender(transport).send_all(mails(10), through=session))
    assert all(isinstance(outcome.result, Receipt) for outcome in outcomes)
    assert [len(each.contents) for each in server.conversations] == [4, 4, 2]


def test_a_server_that_closes_after_a_mail_gets_the_next_on_a_new_line() -> None:
    """The next mail's envelope is under way when the answer says that the line will be closed."""
    closing = {"CONTENT": [None, None, "421 4.3.2 closing"]}
    with ScriptedServer(polite(closing, certificate=GOOD, offers=PIPELINING)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        with transport.session() as session:
            outcomes = list(Sender(transport).send_all(mails(8), through=session))
    assert [type(outcome.result).__name__ for outcome in outcomes].count("RefusedError") == 1
    assert isinstance(outcomes[2].result, RefusedError)
    assert outcomes[2].result.reply.code == 421
    assert len(server.conversations) == 2


def test_a_line_on_which_only_refusals_come_is_changed_before_the_server_hangs_up() -> None:
    with ScriptedServer(polite({"RCPT": "550 5.1.1 no such user"}, certificate=GOOD, offers=PIPELINING)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        with transport.session() as session:
            outcomes = list(Sender(transport).send_all(mails(20), through=session))
    assert all(isinstance(outcome.result, RefusedError) for outcome in outcomes)
    # Four to a line.
    assert len(server.conversations) == 5
    assert all(each.heard_in_secret.endswith(b"QUIT\r\n") for each in server.conversations)


@pytest.mark.parametrize("offers", [PIPELINING, CHUNKING], ids=["by dot", "by BDAT"])
def test_what_stands_behind_a_421_was_not_looked_at_and_goes_on_a_new_line(offers: tuple[str, ...]) -> None:
    def hang_up(conversation: Conversation) -> None:
        conversation.say("421 4.7.0 too many errors")
        conversation.close()
        raise HungUp

    with ScriptedServer(polite({"MAIL": [None, None, hang_up]}, certificate=GOOD, offers=offers)) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        with transport.session() as session:
            outcomes = list(Sender(transport).send_all(mails(10), through=session))
    [refused] = [outcome.result for outcome in outcomes if not isinstance(outcome.result, Receipt)]
    assert isinstance(refused, RefusedError)
    assert refused.reply.code == 421
    arrived = [mail.recipients for mail in server.taken]
    assert len(arrived) == len(set(arrived)) == 9


def test_a_server_that_is_not_to_be_hurried_is_not() -> None:
    script = polite(certificate=GOOD, offers=CHUNKING, greeting="220 mail.test Dovecot ready.")
    with ScriptedServer(script) as server:
        transport = SmtpTransport(server_at(server.port), context=TRUSTED)
        with transport.session() as session:
            outcomes = list(Sender(transport).send_all(mails(5), through=session))
    assert all(isinstance(outcome.result, Receipt) for outcome in outcomes)
    assert b"BDAT" not in server.heard_in_secret
