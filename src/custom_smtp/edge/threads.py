"""Parts that block, made fit for an event loop: each call runs in a thread of the loop's own pool.

A call that has begun cannot be called back: the mail is on its way, or the copy being written. So a cancelled await
first waits until its thread is done (every transport of ours has time limits), and only then passes the cancellation
on; what became of the call is the exception's ``outcome``. A call that had not begun is dropped, and did nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Lock
from typing import TypeVar

from attrs import frozen

from ..archive import Copy
from ..errors import ConnectError
from ..events import Event
from ..identifiers import DeliveryId
from ..outgoing import Outgoing, Receipt
from ..ports import Archive, Journal, Transport

A = TypeVar("A")
R = TypeVar("R")


@frozen
class InThread:
    """A `Transport`, on an event loop: ``AsyncSender(InThread(transport))``; a `Failover` or a `RoundRobin` too.

    Cancelling `deliver` does not stop a mail that a thread has begun to send: it may have been sent.
    """

    transport: Transport

    async def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """See `Transport.deliver`."""
        return await _in_thread(self.transport.deliver, outgoing)


@frozen
class ArchiveInThread:
    """An `Archive`, on an event loop."""

    archive: Archive

    async def store(self, copy: Copy, /) -> None:
        """See `Archive.store`."""
        await _in_thread(self.archive.store, copy)

    async def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        """See `Archive.find`."""
        return await _in_thread(lambda person: self.archive.find(person, limit=limit), recipient)

    async def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        """See `Archive.get`."""
        return await _in_thread(self.archive.get, delivery_id)

    async def erase(self, recipient: str, /) -> int:
        """See `Archive.erase`."""
        return await _in_thread(self.archive.erase, recipient)


@frozen
class JournalInThread:
    """A `Journal`, on an event loop."""

    journal: Journal

    async def record(self, event: Event, /) -> bool:
        """See `Journal.record`."""
        return await _in_thread(self.journal.record, event)

    async def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        """See `Journal.of_delivery`."""
        return await _in_thread(self.journal.of_delivery, delivery_id)

    async def of_recipient(self, recipient: str, /) -> list[Event]:
        """See `Journal.of_recipient`."""
        return await _in_thread(self.journal.of_recipient, recipient)


async def _in_thread(call: Callable[[A], R], argument: A) -> R:
    claim = Lock()  # whoever takes it first decides: the thread to begin, or the cancellation to drop the call

    def begin() -> R:
        if not claim.acquire(blocking=False):
            raise asyncio.CancelledError
        return call(argument)

    # Not asyncio.to_thread: its task would be cancelled with every other when the loop ends, its thread would not.
    running = asyncio.get_running_loop().run_in_executor(None, copy_context().run, begin)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError as cancelled:
        if claim.acquire(blocking=False):
            running.cancel()
            raise _interrupted(cancelled, ConnectError("cancelled before it began")) from None
        await _end_of(running)
        raise _interrupted(cancelled, running.exception() or running.result()) from None


async def _end_of(running: "asyncio.Future[R]") -> None:
    while not running.done():
        # Cancelled once more, the thread is no nearer to its end; the first cancellation is passed on in time.
        with suppress(asyncio.CancelledError):
            await asyncio.wait({running})


def _interrupted(cancelled: asyncio.CancelledError, outcome: object) -> asyncio.CancelledError:
    """The cancellation, with what became of the call: `AsyncSender` writes that down, and not a guess."""
    cancelled.outcome = outcome  # type: ignore[attr-defined]  # read by `custom_smtp.sender.outcome_of`
    cancelled.add_note(f"the call ended in {outcome!r}")
    return cancelled
