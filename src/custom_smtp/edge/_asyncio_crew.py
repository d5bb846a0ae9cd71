"""Tasks that share the mails of one session: where mails come from, and who has them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from attrs import define, field

from ..outgoing import Outgoing
from ..smtp_transactions import Ended

PENDING_EACH = 16
"""Mails under way or waiting for each line of a session, before no more are asked for."""


Mail = tuple[int, Outgoing]


@define(eq=False)
class Source:
    """Mails to send; those that were given back come first.

    Attributes:
        interrupted: what is known of mails that were on their way when something else than the line broke.
    """

    interrupted: list[Ended] = field(factory=list, init=False)
    _mails: "deque[Mail]" = field(factory=deque, init=False)
    _finished: bool = field(default=False, init=False)
    _more: asyncio.Event = field(factory=asyncio.Event, init=False)

    def give(self, mail: Mail) -> None:
        """One more at the end."""
        self._mails.append(mail)
        self._more.set()

    def give_back(self, mails: Iterable[Mail]) -> None:
        """These were not attempted: they go first, in their order."""
        self._mails.extendleft(reversed(list(mails)))
        self._more.set()

    def finish(self) -> None:
        """There will be no more."""
        self._finished = True
        self._more.set()

    def next(self) -> Mail | None:
        """The next mail, if there is one now."""
        return self._mails.popleft() if self._mails else None

    async def wait(self) -> Mail | None:
        """The next mail, once there is one; None when there will be no more."""
        while not self._mails and not self._finished:
            self._more.clear()
            await self._more.wait()
        return self.next()

    def drop(self) -> None:
        """Forget what nobody has begun, and finish."""
        self._mails.clear()
        self.finish()


class Crew:
    """A task for each line, fed from one source."""

    def __init__(
        self,
        serve: Callable[[Source], AsyncIterator[Ended]],
        size: int,
        outgoings: AsyncIterator[Outgoing],
    ) -> None:
        self._source = Source()
        self._ended: deque[Ended] = deque()
        self._pending = 0
        self._most = size * PENDING_EACH
        self._failure: Exception | None = None
        self._outgoings = outgoings
        self._given = 0
        self._changed = asyncio.Event()
        self._feeding = asyncio.create_task(self._feed())
        self._working = size
        self._tasks = [asyncio.create_task(self._work(serve)) for _ in range(size)]

    async def ended(self) -> AsyncIterator[Ended]:
        """Everything that ends, as it ends."""
        while True:
            while self._ended:
                yield self._ended.popleft()
            if self._feeding.done() and not (self._pending and self._working):
                return
            self._changed.clear()
            await self._changed.wait()

    def told(self) -> None:
        """One more was told to whoever waits. What has ended behind a mail that has not is kept too, so it counts."""
        self._pending -= 1
        self._changed.set()

    async def dismiss(self) -> None:
        """End the work when what is on its way has ended."""
        self._feeding.cancel()
        self._source.drop()
        await asyncio.gather(self._feeding, *self._tasks, return_exceptions=True)

    def rest(self) -> list[Ended]:
        """What nobody has heard of."""
        left, self._ended = [*self._ended, *self._source.interrupted], deque()
        return left

    def raise_failure(self) -> None:
        """Raise what kept the mails from coming, if anything did."""
        if self._failure is not None:
            raise self._failure

    async def _feed(self) -> None:
        try:
            async for outgoing in self._outgoings:
                self._source.give((self._given, outgoing))
                self._given += 1
                self._pending += 1
                while self._pending >= self._most:
                    self._changed.clear()
                    await self._changed.wait()
        except Exception as error:  # noqa: BLE001 - raised again when what is on its way has ended
            self._failure = error
        finally:
            self._source.finish()
            self._changed.set()

    async def _work(self, serve: Callable[[Source], AsyncIterator[Ended]]) -> None:
        try:
            async for ended in serve(self._source):
                self._ended.append(ended)
                self._changed.set()
        except Exception as error:  # noqa: BLE001 - raised again when what is on its way has ended
            self._failure = self._failure or error
            self._feeding.cancel()
            self._source.drop()
        finally:
            self._working -= 1
            self._changed.set()
