"""The send path: what happens in which order, and what is kept when something fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import define, field

from custom_smtp import (
    Address,
    AsyncSender,
    DeliveryId,
    Failover,
    Mail,
    MemoryArchive,
    MemoryJournal,
    Outcome,
    Outgoing,
    Preparation,
    Receipt,
    Reply,
    Sender,
    Server,
)
from custom_smtp.archive import Copy
from custom_smtp.edge.threads import ArchiveInThread, InThread, JournalInThread
from custom_smtp.errors import (
    ArchiveError,
    AuthError,
    ConfigurationError,
    ConnectError,
    MailError,
    RefusedError,
    Retry,
    Step,
    TlsError,
    TransportError,
    UncertainError,
    UnrecordedError,
)
from custom_smtp.events import Accepted, Attempted, Event, Refused, Uncertain
from custom_smtp.headers import Headers
from custom_smtp.ports import Archive, Journal, Transport
from custom_smtp.testing import FrozenClock, RecordingTransport, SerialIds
from custom_smtp.web import Request

D1 = DeliveryId("d1")
MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("Ada@example.net", "Ada"),
    subject="Your order",
    text="See https://shop.example/7 now",
    campaign="receipts",
)


def raising(error: TransportError) -> Callable[[Outgoing], Reply]:
    def answer(_outgoing: Outgoing) -> Reply:
        raise error

    return answer


def preparation(**parts: object) -> Preparation:
    return Preparation(clock=FrozenClock(), new_id=SerialIds(), **parts)  # type: ignore[arg-type]  # checked by use


def send(transport: Transport, archive: Archive | None = None, journal: Journal | None = None) -> Receipt:
    return Sender(transport, preparation(), archive=archive, journal=journal).send(MAIL)


def send_on_a_loop(transport: Transport, archive: Archive | None = None, journal: Journal | None = None) -> Receipt:
    sender = AsyncSender(
        InThread(transport),
        preparation(),
        archive=ArchiveInThread(archive) if archive is not None else None,
        journal=JournalInThread(journal) if journal is not None else None,
    )
    return asyncio.run(sender.send(MAIL))


both = pytest.mark.parametrize("send", [send, send_on_a_loop])
Sending = Callable[..., Receipt]


@define
class FullDisk:
    """An archive and a journal that keep nothing more."""

    asked: int = 0

    def store(self, copy: Copy, /) -> None:
        self.asked += 1
        raise ArchiveError("the disk is full")

    def store_all(self, copies: Iterable[Copy], /) -> None:
        for copy in copies:
            self.store(copy)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        return []

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        return None

    def erase(self, recipient: str, /) -> int:
        return 0

    def record(self, event: Event, /) -> bool:
        self.asked += 1
        raise ArchiveError("the disk is full")

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        return []

    def of_recipient(self, recipient: str, /) -> list[Event]:
        return []


# Order


@both
def test_the_copy_is_the_very_bytes_that_left(send: Sending) -> None:
    transport, archive = RecordingTransport(), MemoryArchive()
    send(transport, archive)
    copy = archive.get(D1)
    assert copy is not None
    assert copy.content == transport.delivered[0].content
    assert (copy.recipient, copy.subject, copy.campaign) == ("Ada@example.net", "Your order", "receipts")
    assert copy.at == FrozenClock().now


@both
def test_where_the_archive_fails_no_mail_leaves(send: Sending) -> None:
    transport, journal = RecordingTransport(), MemoryJournal()
    with pytest.raises(ArchiveError, match="full"):
        send(transport, FullDisk(), journal)
    assert not transport.delivered
    assert not journal.of_delivery(D1)


@both
def test_the_copy_of_a_refused_mail_is_kept(send: Sending) -> None:
    archive = MemoryArchive()
    with pytest.raises(RefusedError):
        send(RecordingTransport(lambda _: Reply(550, "5.1.1 no")), archive)
    assert archive.get(D1) is not None


# What came of it


@both
def test_an_accepted_mail_is_written_down_with_the_servers_words(send: Sending) -> None:
    journal = MemoryJournal()
    receipt = send(RecordingTransport(lambda _: Reply(250, "2.0.0 queued as 7")), None, journal)
    [event] = journal.of_delivery(D1)
    assert isinstance(event, Accepted)
    assert event.reply == receipt.reply == Reply(250, "2.0.0 queued as 7")
    assert (event.about.source, event.about.recipient, event.about.at) == ("smtp", "Ada@example.net", FrozenClock().now)
    assert journal.of_recipient("ada@example.net") == [event]


FAILURES: list[tuple[TransportError, type[Event]]] = [
    (ConnectError("no route"), Attempted),
    (TlsError("stripped", retry=Retry.NEVER), Attempted),
    (AuthError("wrong", reply=Reply(535, "no")), Attempted),
    (TransportError("something else"), Attempted),
    (RefusedError(Reply(451, "4.2.0 greylisted"), at=Step.RCPT), Refused),
    (UncertainError("the line broke"), Uncertain),
]


@both
@pytest.mark.parametrize(("error", "kind"), FAILURES)
def test_a_failure_is_written_down_and_raised(send: Sending, error: TransportError, kind: type[Event]) -> None:
    journal = MemoryJournal()
    with pytest.raises(type(error)) as caught:
        send(RecordingTransport(raising(error)), None, journal)
    assert caught.value is error
    [event] = journal.of_delivery(D1)
    assert isinstance(event, kind)
    match event:
        case Attempted(error=words, retry=retry):
            assert words == f"{type(error).__name__}: {error}"
            assert retry is error.retry
        case Refused():
            assert (event.reply, event.at_step, event.permanent) == (Reply(451, "4.2.0 greylisted"), Step.RCPT, False)
        case Uncertain(error=words):
            assert words == "the line broke"


@both
@pytest.mark.parametrize("ending", [None, UncertainError("the line broke"), ConnectError("no route")])
def test_a_journal_that_fails_after_the_server_answered_must_not_lead_to_a_second_mail(
    send: Sending, ending: TransportError | None
) -> None:
    transport = RecordingTransport(raising(ending)) if ending else RecordingTransport()
    unsafe = ending is None or ending.retry is Retry.RISKY
    advice = "do not send it again" if unsafe else "mails nobody twice"
    with pytest.raises(UnrecordedError, match=advice) as caught:
        send(transport, None, FullDisk())
    outcome = caught.value.outcome
    assert outcome is ending if ending else isinstance(outcome, Receipt)
    assert isinstance(caught.value.__cause__, ArchiveError)


@both
def test_servers_tried_before_are_written_down_too(send: Sending) -> None:
    journal = MemoryJournal()
    dead, busy = RecordingTransport(raising(ConnectError("no route"))), RecordingTransport(lambda _: Reply(421, "busy"))

    def busy_at_the_door(_outgoing: Outgoing) -> Reply:
        raise RefusedError(Reply(421, "busy"), at=Step.CONNECT)

    busy.answers = busy_at_the_door
    receipt = send(Failover((dead, busy, RecordingTransport())), None, journal)
    assert [type(error) for error in receipt.earlier] == [ConnectError, RefusedError]
    assert [type(event) for event in journal.of_delivery(D1)] == [Attempted, Refused, Accepted]


def test_two_attempts_at_one_delivery_are_two_events() -> None:
    from custom_smtp.sender import what_happened

    prepared = preparation().prepare(MAIL)
    now = FrozenClock().now
    first = what_happened(prepared.copy, ConnectError("no route"), now)
    again = what_happened(prepared.copy, ConnectError("no route"), now + timedelta(minutes=5))
    journal = MemoryJournal()
    assert [journal.record(event) for event in (*first, *again, *again)] == [True, True, False]


def test_an_interrupted_send_is_uncertain() -> None:
    def interrupted(_outgoing: Outgoing) -> Reply:
        raise KeyboardInterrupt

    journal = MemoryJournal()
    with pytest.raises(KeyboardInterrupt):
        send(RecordingTransport(interrupted), None, journal)
    [event] = journal.of_delivery(D1)
    assert isinstance(event, Uncertain)


def test_an_interruption_that_knows_the_outcome_is_believed() -> None:
    def interrupted(outgoing: Outgoing) -> Reply:
        interruption = KeyboardInterrupt()
        interruption.outcome = Receipt(outgoing.delivery_id, Reply(250))  # type: ignore[attr-defined]
        raise interruption

    journal = MemoryJournal()
    with pytest.raises(KeyboardInterrupt):
        send(RecordingTransport(interrupted), None, journal)
    assert [type(event) for event in journal.of_delivery(D1)] == [Accepted]


@both
def test_a_journal_that_fails_does_not_hold_up_an_interruption(send: Sending) -> None:
    def interrupted(_outgoing: Outgoing) -> Reply:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        send(RecordingTransport(interrupted), None, FullDisk())
    assert "could not be written down" in caught.value.__notes__[0]


def test_a_cancelled_send_is_uncertain() -> None:
    class Stuck:
        async def deliver(self, _outgoing: Outgoing, /) -> Receipt:
            await asyncio.Event().wait()
            raise AssertionError

    journal = MemoryJournal()

    async def cancel() -> None:
        sender = AsyncSender(Stuck(), preparation(), journal=JournalInThread(journal))
        sending = asyncio.create_task(sender.send(MAIL))
        await asyncio.sleep(0)
        sending.cancel()
        await sending

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    [event] = journal.of_delivery(D1)
    assert isinstance(event, Uncertain)


class OftenInterrupted(MemoryJournal):
    """A journal that is interrupted so many times before it writes anything."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.asked = 0

    def record(self, event: Event, /) -> bool:
        self.asked += 1
        if self.asked <= self.times:
            raise KeyboardInterrupt
        return super().record(event)


@both
@pytest.mark.parametrize("times", [1, 2])
def test_an_interruption_while_it_is_written_down_keeps_no_answer_from_the_journal(send: Sending, times: int) -> None:
    journal = OftenInterrupted(times)
    with pytest.raises(KeyboardInterrupt) as caught:
        send(RecordingTransport(), None, journal)
    assert [type(event) for event in journal.of_delivery(D1)] == [Accepted]
    assert isinstance(caught.value.outcome, Receipt)  # type: ignore[attr-defined]


@both
def test_a_journal_that_is_always_interrupted_is_not_asked_for_ever(send: Sending) -> None:
    journal = OftenInterrupted(1000)
    with pytest.raises(KeyboardInterrupt):
        send(RecordingTransport(), None, journal)
    assert journal.asked == 3


class Slow:
    """An asynchronous journal that waits for ever, until it is cancelled; the same event once more, it writes."""

    def __init__(self) -> None:
        self.kept = MemoryJournal()
        self.asked: set[str] = set()

    async def record(self, event: Event, /) -> bool:
        if event.about.key not in self.asked:
            self.asked.add(event.about.key)
            await asyncio.Event().wait()
        return self.kept.record(event)

    async def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        return self.kept.of_delivery(delivery_id)

    async def of_recipient(self, recipient: str, /) -> list[Event]:
        return self.kept.of_recipient(recipient)


async def cancelled(task: "asyncio.Task[Any]", times: int) -> BaseException:
    """Cancelled so many times, each time when it has come as far as it can."""
    for _ in range(times):
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


def test_a_cancellation_after_the_answer_says_what_became_of_the_mail_and_not_of_the_journal() -> None:
    class Taking:
        async def deliver(self, outgoing: Outgoing, /) -> Receipt:
            return RecordingTransport().deliver(outgoing)

    journal = Slow()

    async def send() -> BaseException:
        return await cancelled(asyncio.create_task(AsyncSender(Taking(), preparation(), journal=journal).send(MAIL)), 1)

    assert isinstance(asyncio.run(send()).outcome, Receipt)  # type: ignore[attr-defined]
    assert [type(event) for event in journal.kept.of_delivery(D1)] == [Accepted]


class SlowToLeave:
    """A session that tells one outcome, and has to be left twice before it tells the rest."""

    def __init__(self) -> None:
        self.left: list[Outcome] = []
        self.asked = 0

    async def deliver_all(self, outgoings: AsyncIterator[Outgoing], /) -> AsyncIterator[Outcome]:
        taken = [Outcome(each.delivery_id, RecordingTransport().deliver(each)) async for each in outgoings]
        first, *self.left = taken
        yield first

    async def take_unclaimed(self) -> list[Outcome]:
        self.asked += 1
        if self.asked == 1:
            await asyncio.Event().wait()
        left, self.left = self.left, []
        return left


def test_however_often_a_campaign_is_cancelled_every_known_outcome_is_written_down() -> None:
    journal = Slow()

    async def send() -> None:
        sender = AsyncSender(InThread(RecordingTransport()), preparation(), journal=journal)

        async def all_of_them() -> None:
            async for _ in sender.send_all([MAIL] * 3, through=SlowToLeave()):
                pass

        # In the journal, as the session is left, and in the journal for each of the two mails that were left.
        await cancelled(asyncio.create_task(all_of_them()), 4)

    asyncio.run(send())
    written = [journal.kept.of_delivery(DeliveryId(f"d{number}")) for number in (1, 2, 3)]
    assert [[type(event) for event in events] for events in written] == [[Accepted]] * 3


class HardToLeave:
    """A session that is interrupted as it is left, and then tells the rest."""

    def __init__(self) -> None:
        self.left: list[Outcome] = []
        self.asked = 0

    def deliver_all(self, outgoings: Iterable[Outgoing], /) -> Iterator[Outcome]:
        first, *self.left = [Outcome(each.delivery_id, RecordingTransport().deliver(each)) for each in outgoings]
        yield first

    def take_unclaimed(self) -> list[Outcome]:
        self.asked += 1
        if self.asked == 1:
            raise KeyboardInterrupt
        left, self.left = self.left, []
        return left


def test_however_often_a_campaign_is_interrupted_every_known_outcome_is_written_down() -> None:
    journal = OftenInterrupted(1)
    sender = Sender(RecordingTransport(), preparation(), journal=journal)
    with pytest.raises(KeyboardInterrupt):
        list(sender.send_all([MAIL] * 3, through=HardToLeave()))
    written = [journal.of_delivery(DeliveryId(f"d{number}")) for number in (1, 2, 3)]
    assert [[type(event) for event in events] for events in written] == [[Accepted]] * 3


def test_a_mail_that_cannot_be_prepared_is_neither_kept_nor_sent() -> None:
    transport, archive = RecordingTransport(), MemoryArchive()
    sender = Sender(transport, preparation(domains=["other.example"]), archive=archive)
    with pytest.raises(MailError, match="is not a sending domain"):
        sender.send(MAIL)
    assert not transport.delivered
    assert not archive.find("ada@example.net")


# Strangers' parts, written from ports.py alone


@define
class Pigeon:
    """A transport."""

    carried: list[bytes] = field(factory=list)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        self.carried.append(outgoing.content)
        return Receipt(outgoing.delivery_id, Reply(250, "coo"))


@define
class Drawer:
    """An archive and a journal in one."""

    copies: dict[str, Copy] = field(factory=dict)
    events: dict[tuple[str, str], Event] = field(factory=dict)

    def store(self, copy: Copy, /) -> None:
        self.copies[copy.delivery_id] = copy

    def store_all(self, copies: Iterable[Copy], /) -> None:
        for copy in copies:
            self.store(copy)

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        return [copy for copy in self.copies.values() if copy.recipient.lower() == recipient.lower()][:limit]

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        return self.copies.get(delivery_id)

    def erase(self, recipient: str, /) -> int:
        return sum(self.copies.pop(copy.delivery_id) is not None for copy in self.find(recipient))

    def record(self, event: Event, /) -> bool:
        return self.events.setdefault((event.about.source, event.about.key), event) is event

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        return [event for event in self.events.values() if event.about.delivery_id == delivery_id]

    def of_recipient(self, recipient: str, /) -> list[Event]:
        return [event for event in self.events.values() if event.about.recipient == recipient]


class Ring:
    """A provider."""

    name = "ring"

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        return (*headers, ("X-Ring", delivery_id))

    def read(self, _request: Request, /) -> list[Event]:
        return []


def test_a_strangers_transport_archive_and_provider_work_together() -> None:
    pigeon, drawer = Pigeon(), Drawer()
    transport: Transport = pigeon
    archive: Archive = drawer
    journal: Journal = drawer
    sender = Sender(transport, preparation(feedback=Ring()), archive=archive, journal=journal)
    assert sender.send(MAIL).reply.text == "coo"
    assert b"X-Ring: d1\r\n" in pigeon.carried[0]
    assert [copy.content for copy in drawer.find("ada@example.net")] == pigeon.carried
    assert [type(event) for event in drawer.of_delivery(D1)] == [Accepted]
    assert drawer.erase("ada@example.net") == 1


@pytest.mark.parametrize("kind", [Sender, AsyncSender])
def test_what_delivers_nothing_is_no_transport(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"a Server delivers nothing: .* Sender\(SmtpTransport\(server\)\)"):
        kind(Server("smtp.shop.example"))


@pytest.mark.parametrize("kind", [Sender, AsyncSender])
def test_an_archive_in_place_of_the_preparation_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="a MemoryArchive is no preparation: write"):
        kind(RecordingTransport(), MemoryArchive())
