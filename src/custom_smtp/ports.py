"""What the library asks of its parts: every extension point, on one page.

These are promises, never base classes: an object that has the method is the part. Raise the errors named here and no
others; a foreign exception is yours to turn into one of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from .archive import Copy
from .dns_records import RecordKind
from .events import Event
from .identifiers import DeliveryId
from .mail import Headers, Mail
from .outgoing import Outgoing, Receipt
from .web import Answer, Request

__all__ = [
    "Archive",
    "AsyncArchive",
    "AsyncJournal",
    "AsyncTransport",
    "Clock",
    "Endpoint",
    "Feedback",
    "Headers",
    "Journal",
    "NewId",
    "Resolver",
    "Sends",
    "Signer",
    "Transport",
]

R_co = TypeVar("R_co", covariant=True)

Clock = Callable[[], datetime]
"""Says what time it is, with a time zone."""

NewId = Callable[[], DeliveryId]
"""Makes an id that was never made before."""


class Transport(Protocol):
    """Hands a mail to a server."""

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Return once the server has taken the mail.

        Raises:
            TransportError: it did not; ``retry`` says what another try would do.
        """
        ...


class Archive(Protocol):
    """Keeps full copies under the person they were for; letter case of the address does not matter."""

    def store(self, copy: Copy, /) -> None:
        """Keep it, so that it survives a crash. Storing an equal copy again changes nothing.

        Raises:
            ArchiveError: it could not be kept, or another copy stands under its delivery id.
        """
        ...

    def find(self, recipient: str, /, *, limit: int = 100) -> list[Copy]:
        """What was made for this person, newest first; empty if nothing was."""
        ...

    def get(self, delivery_id: DeliveryId, /) -> Copy | None:
        """One copy, or None."""
        ...

    def erase(self, recipient: str, /) -> int:
        """Forget what was kept for this person; say how many copies that was."""
        ...


class Journal(Protocol):
    """Writes down what happens."""

    def record(self, event: Event, /) -> bool:
        """Keep the event, once for each source and key; say whether it was new.

        Raises:
            ArchiveError: it could not be kept.
        """
        ...

    def of_delivery(self, delivery_id: DeliveryId, /) -> list[Event]:
        """What happened to one mail, by time."""
        ...

    def of_recipient(self, recipient: str, /) -> list[Event]:
        """What happened with one person, by time; letter case of the address does not matter."""
        ...


class Feedback(Protocol):
    """One provider: marks mail so that its reports find it, and reads those reports."""

    @property
    def name(self) -> str:
        """The source of its events, such as ``postmark``."""
        ...

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """Return the headers with our id where the provider hands it back, and with its own tracking turned off.

        Raises:
            MailError: a header that is there already contradicts the mark.
        """
        ...

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove who sent the request, then turn it into events. Kinds not known become `Unrecognised`.

        Raises:
            UnverifiedError: the proof is missing, wrong or stale.
            MalformedError: proven, and no report.
        """
        ...


class Signer(Protocol):
    """Signs a finished mail."""

    def sign(self, content: bytes, at: datetime, /) -> bytes:
        """Return the content with a signature header in front."""
        ...


class Resolver(Protocol):
    """Asks the DNS."""

    def lookup(self, name: str, kind: RecordKind, /) -> list[str]:
        """The records' values in a zone file's form; none if there are none.

        Raises:
            ResolveError: there was no answer.
        """
        ...


class Endpoint(Protocol):
    """Answers web requests."""

    def answer(self, request: Request, /) -> Answer:
        """Decide what to answer and what happened; do nothing else.

        HEAD is answered as GET is, body and all: whoever sends the answer tells its length and leaves the body out.
        """
        ...


class Sends(Protocol[R_co]):
    """Anything that sends: a `Sender`, an `AsyncSender` (whose result is awaited), a plan of several."""

    def send(self, mail: Mail, /) -> R_co:
        """Send one mail."""
        ...


class AsyncTransport(Protocol):
    """`Transport`, on an event loop."""

    def deliver(self, outgoing: Outgoing, /) -> Awaitable[Receipt]:
        """See `Transport.deliver`."""
        ...


class AsyncArchive(Protocol):
    """What `AsyncSender` asks of an archive."""

    def store(self, copy: Copy, /) -> Awaitable[None]:
        """See `Archive.store`."""
        ...


class AsyncJournal(Protocol):
    """What `AsyncSender` asks of a journal."""

    def record(self, event: Event, /) -> Awaitable[bool]:
        """See `Journal.record`."""
        ...
