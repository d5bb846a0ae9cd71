"""Parts that block, on an event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve, field

from custom_smtp.addresses import Address
from custom_smtp.archive import Copy
from custom_smtp.edge.threads import ArchiveInThread, InThread, JournalInThread
from custom_smtp.errors import ConnectError, Retry, UncertainError
from custom_smtp.events import About, Delivered
from custom_smtp.failover import Failover, RoundRobin
from custom_smtp.identifiers import DeliveryId
from custom_smtp.memory import MemoryArchive, MemoryJournal
from custom_smtp.outgoing import Envelope, Outgoing, Receipt
from custom_smtp.ports import AsyncArchive, AsyncJournal, AsyncTransport
from custom_smtp.replies import Reply
from custom_smtp.testing import RecordingTransport

OUTGOING = Outgoing(
    DeliveryId("d1"), Envelope(Address("hello@shop.example"), (Address("ada@example.net"),)), b"Subject: x\r\n\r\n"
)
COPY = Copy(
    delivery_id=DeliveryId("d1"), recipient="ada@example.net", at=datetime(2026, 1, 2, tzinfo=UTC), content=b"x\r\n"
)
EVENT = Delivered(
    About(delivery_id=DeliveryId("d1"), recipient="ada@example.net", at=COPY.at, source="postmark", key="k1")
)


@define
class GatedTransport:
    """Begins to send, says so, and goes on once it may."""

    begun: threading.Event = field(factory=threading.Event)
    may_end: threading.Event = field(factory=threading.Event)
    delivered: list[Outgoing] = field(factory=list)
    error: Exception | None = None

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        self.begun.set()
        assert self.may_end.wait(10)
        if self.error is not None:
            raise self.error
        self.delivered.append(outgoing)
        return Receipt(outgoing.delivery_id, Reply(250, "taken"))


def on_a_loop(work: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))


async def has_begun(transport: GatedTransport) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, transport.begun.wait, 10)


def test_a_mail_is_delivered_in_another_thread() -> None:
    seen: list[int] = []

    class Transport:
        def deliver(self, outgoing: Outgoing, /) -> Receipt:
            seen.append(threading.get_ident())
            return Receipt(outgoing.delivery_id, Reply(250, "taken"))

    transport: AsyncTransport = InThread(Transport())

    async def work() -> None:
        assert (await transport.deliver(OUTGOING)).reply.code == 250
        assert seen != [threading.get_ident()]

    on_a_loop(work)


@pytest.mark.parametrize("several", [Failover, RoundRobin])
def test_several_servers_are_gone_through_on_a_loop_as_they_are_without(
    several: type[Failover] | type[RoundRobin],
) -> None:
    """Many mails at once: each is taken once, and the server that is away is soon left alone."""

    def away(_outgoing: Outgoing) -> Reply:
        raise ConnectError("no route to host")

    gone, spare = RecordingTransport(away), RecordingTransport()
    both = several((gone, spare), rest=timedelta(days=1))
    transport: AsyncTransport = InThread(both)
    mails = [evolve(OUTGOING, delivery_id=DeliveryId(f"d{number}")) for number in range(50)]

    async def work() -> None:
        first = await transport.deliver(OUTGOING)
        assert isinstance(first.earlier[0], ConnectError)
        receipts = await asyncio.gather(*map(transport.deliver, mails))
        assert {receipt.delivery_id for receipt in receipts} == {mail.delivery_id for mail in mails}
        assert not any(receipt.earlier for receipt in receipts)

    on_a_loop(work)
    assert [health.working for health in both.health] == [False, True]
    assert sorted(each.delivery_id for each in spare.delivered) == sorted(
        mail.delivery_id for mail in (OUTGOING, *mails)
    )


def test_from_an_uncertain_end_no_other_server_is_asked_on_a_loop_either() -> None:
    def broken(_outgoing: Outgoing) -> Reply:
        raise UncertainError("the line broke")

    spare = RecordingTransport()

    async def work() -> None:
        with pytest.raises(UncertainError):
            await InThread(Failover((RecordingTransport(broken), spare))).deliver(OUTGOING)

    on_a_loop(work)
    assert not spare.delivered


def test_an_error_passes_as_it_is() -> None:
    transport = GatedTransport(error=ConnectError("no route to host"))
    transport.may_end.set()

    async def work() -> None:
        with pytest.raises(ConnectError, match="no route to host"):
            await InThread(transport).deliver(OUTGOING)

    on_a_loop(work)


def test_the_thread_sees_the_callers_context() -> None:
    request: ContextVar[str] = ContextVar("request", default="none")
    seen: list[str] = []

    class Transport:
        def deliver(self, outgoing: Outgoing, /) -> Receipt:
            seen.append(request.get())
            return Receipt(outgoing.delivery_id, Reply(250, "taken"))

    async def work() -> None:
        request.set("r7")
        await InThread(Transport()).deliver(OUTGOING)

    on_a_loop(work)
    assert seen == ["r7"]


@pytest.mark.parametrize("cancellations", [1, 3])
def test_a_cancelled_delivery_ends_when_its_thread_has_ended(cancellations: int) -> None:
    transport = GatedTransport()

    async def work() -> None:
        sending = asyncio.create_task(InThread(transport).deliver(OUTGOING))
        await has_begun(transport)
        for _ in range(cancellations):
            sending.cancel()
            await asyncio.sleep(0)
            assert not sending.done()
        transport.may_end.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
        assert transport.delivered == [OUTGOING]
        assert "250" in caught.value.__notes__[0]

    on_a_loop(work)


def test_a_cancelled_delivery_tells_of_its_failure() -> None:
    transport = GatedTransport(error=ConnectError("no route to host"))

    async def work() -> None:
        sending = asyncio.create_task(InThread(transport).deliver(OUTGOING))
        await has_begun(transport)
        sending.cancel()
        await asyncio.sleep(0)
        transport.may_end.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
        assert "no route to host" in caught.value.__notes__[0]

    on_a_loop(work)


def test_a_time_limit_stays_a_time_limit() -> None:
    transport = GatedTransport()

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await _cut_short(transport)

    on_a_loop(work)
    assert transport.delivered == [OUTGOING]


async def _cut_short(transport: GatedTransport) -> None:
    async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
        group.create_task(_release_once_begun(transport, limit))
        await InThread(transport).deliver(OUTGOING)


async def _release_once_begun(transport: GatedTransport, limit: asyncio.Timeout) -> None:
    await has_begun(transport)
    limit.reschedule(asyncio.get_running_loop().time())
    asyncio.get_running_loop().call_later(0.01, transport.may_end.set)


def test_the_end_of_the_loop_waits_for_a_mail_on_its_way() -> None:
    transport = GatedTransport()

    async def work() -> None:
        sending = asyncio.create_task(InThread(transport).deliver(OUTGOING))
        await has_begun(transport)
        asyncio.get_running_loop().call_later(0, transport.may_end.set)
        assert not sending.done()  # and nobody awaits it: asyncio.run cancels it

    asyncio.run(work())
    assert transport.delivered == [OUTGOING]


class LateExecutor(ThreadPoolExecutor):
    """Takes calls at once and begins them once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_begin = threading.Event()
        self.ended: list[Future[object]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def late() -> object:
            assert self.may_begin.wait(10)
            return fn(*args, **kwargs)

        self.ended.append(super().submit(late))
        return self.ended[-1]


@pytest.mark.parametrize("busy", [False, True], ids=["thread taken and not begun", "no thread free"])
def test_a_delivery_cancelled_before_it_began_sends_nothing(busy: bool) -> None:
    transport = GatedTransport()
    executor = LateExecutor()

    async def work() -> None:
        asyncio.get_running_loop().set_default_executor(executor)
        if busy:
            for _ in range(executor._max_workers):
                executor.submit(int)
        sending = asyncio.create_task(InThread(transport).deliver(OUTGOING))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
        outcome = getattr(caught.value, "outcome", None)
        assert isinstance(outcome, ConnectError)
        assert outcome.retry is Retry.LATER
        executor.may_begin.set()

    on_a_loop(work)
    executor.shutdown()
    assert all(call.done() for call in executor.ended)
    assert not transport.begun.is_set()


def test_an_archive_works_on_a_loop() -> None:
    archive = ArchiveInThread(MemoryArchive())
    port: AsyncArchive = archive

    async def work() -> None:
        await port.store(COPY)
        assert await archive.find("ADA@example.net") == [COPY]
        assert await archive.find("ada@example.net", limit=0) == []
        assert await archive.get(DeliveryId("d1")) == COPY
        assert await archive.erase("ada@example.net") == 1

    on_a_loop(work)


def test_a_journal_works_on_a_loop() -> None:
    journal = JournalInThread(MemoryJournal())
    port: AsyncJournal = journal

    async def work() -> None:
        assert await port.record(EVENT)
        assert not await port.record(EVENT)
        assert await journal.of_delivery(DeliveryId("d1")) == [EVENT]
        assert await journal.of_recipient("ada@example.net") == [EVENT]

    on_a_loop(work)
