"""Threads that share the mails of one session: where mails come from, who has them, in what order they are told."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread

from attrs import define, field

from ..outgoing import Outcome, Outgoing
from ..smtp_transactions import Ended

PENDING_EACH = 16
"""Mails under way or waiting for each line of a session with several, before the first outcome is waited for."""

Mail = tuple[int, Outgoing]


@define(eq=False)
class Source:
    """Mails to send; those that were given back come first.

    Attributes:
        interrupted: what is known of mails that were on their way when something else than the line broke.
    """

    _take: Callable[[bool], Mail | None]
    interrupted: list[Ended] = field(factory=list, init=False)
    _back: "deque[Mail]" = field(factory=deque, init=False)
    _stopped: bool = field(default=False, init=False)
    _failure: Exception | None = field(default=None, init=False)

    def next(self, *, wait: bool) -> Mail | None:
        """The next mail; None where there is none, now or, having waited, ever."""
        if self._back:
            return self._back.popleft()
        if self._stopped:
            return None
        try:
            return self._take(wait)
        except Exception as error:  # noqa: BLE001 - raised again when what is on its way has ended
            self._failure = error
            self._stopped = True
            return None

    def give_back(self, mails: Iterable[Mail]) -> None:
        """These were not attempted: they go first, in their order."""
        self._back.extendleft(reversed(list(mails)))

    def raise_failure(self) -> None:
        """Raise what kept the mails from coming, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True
        self._back.clear()


@define(eq=False)
class InOrder:
    """Outcomes as they come, told in the order of their mails."""

    _next: int = 0
    _early: dict[int, Outcome] = field(factory=dict)

    def told(self, ended: Ended) -> Iterator[Outcome]:
        """What can be told now that this has ended: nothing, or it and what waited behind it."""
        self._early[ended.ticket] = ended.outcome
        while self._next in self._early:
            self._next += 1
            yield self._early.pop(self._next - 1)

    @property
    def held(self) -> int:
        """How many came behind a gap."""
        return len(self._early)

    def rest(self) -> list[Outcome]:
        """What came behind a gap."""
        return [self._early[ticket] for ticket in sorted(self._early)]


class Crew:
    """A thread for each line, fed by one queue.

    Attributes:
        pending: how many mails were given and have not come back.
    """

    def __init__(self, serve: Callable[[Source], Iterator[Ended]], size: int) -> None:
        self._work: SimpleQueue[Mail | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended | BaseException] = SimpleQueue()
        self.pending = 0
        self._threads = [Thread(target=self._serve, args=(serve,), daemon=True) for _ in range(size)]
        self._dismissed = False
        self._failure: BaseException | None = None
        for thread in self._threads:
            thread.start()

    def give(self, mail: Mail) -> None:
        """One more, for whichever line is free first."""
        self._work.put(mail)
        self.pending += 1

    @property
    def has_ended(self) -> bool:
        """Whether there is something that `next` need not wait for."""
        return not self._ended.empty()

    def finish(self) -> Iterator[Ended]:
        """Everything that is still pending."""
        if not self._dismissed:
            self._dismissed = True
            for _ in self._threads:
                self._work.put(None)
        while self.pending and self._failure is None:
            yield self.next()
        for thread in self._threads:
            thread.join()
        # After a failure the mails that its line never began are not heard of; all others are.
        while self.has_ended:
            ended = self._ended.get()
            if isinstance(ended, Ended):
                yield ended
            else:
                self._failure = self._failure or ended

    def raise_failure(self) -> None:
        """Raise what went wrong on a line, if anything did."""
        if self._failure is not None:
            raise self._failure

    def next(self) -> Ended:
        """The next that ends."""
        ended = self._ended.get()
        self.pending -= 1
        if isinstance(ended, BaseException):
            self._failure = ended
            raise ended
        return ended

    def _serve(self, serve: Callable[[Source], Iterator[Ended]]) -> None:
        source = Source(self._take)
        try:
            for ended in serve(source):
                self._ended.put(ended)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for outcomes
            for ended in source.interrupted:
                self._ended.put(ended)
            self._ended.put(error)

    def _take(self, wait: bool) -> Mail | None:
        try:
            mail = self._work.get(block=wait)
        except Empty:
            return None
        if mail is None:
            self._work.put(None)
        return mail
