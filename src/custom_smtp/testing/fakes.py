"""Parts that stand in for the world: a clock that stands still, ids in order, a transport that only remembers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import define, field

from ..errors import RefusedError, Step
from ..identifiers import DeliveryId
from ..outgoing import Outgoing, Receipt
from ..replies import Reply


@define
class FrozenClock:
    """A clock that stands still until it is told to go on: 2 January 2026, 5:00 UTC, unless said otherwise."""

    now: datetime = datetime(2026, 1, 2, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it stands at."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Go on by so much."""
        self.now += by


@define
class SerialIds:
    """Delivery ids in order: ``d1``, ``d2``, ..."""

    made: int = 0

    def __call__(self) -> DeliveryId:
        """The next one."""
        self.made += 1
        return DeliveryId(f"d{self.made}")


def _takes_everything(_outgoing: Outgoing) -> Reply:
    return Reply(250, "2.0.0 taken")


@define
class RecordingTransport:
    """A transport that sends nothing and remembers what it was given, in ``delivered``.

    Attributes:
        answers: what the server would say to a mail; it may raise a `TransportError` instead. A reply other than 2xx
            becomes a `RefusedError`, as with a real server, and nothing is remembered.
        delivered: what was taken, in order.
    """

    answers: Callable[[Outgoing], Reply] = _takes_everything
    delivered: list[Outgoing] = field(factory=list, init=False)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Remember the mail, and answer.

        Raises:
            TransportError: ``answers`` says so.
        """
        reply = self.answers(outgoing)
        if not reply.positive:
            raise RefusedError(reply, at=Step.CONTENT)
        self.delivered.append(outgoing)
        return Receipt(outgoing.delivery_id, reply)
