"""What the library asks of its parts: every extension point, on one page.

These are promises, never base classes: an object that has the method is the part. Raise the errors named here and no
others; a foreign exception is yours to turn into one of them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from .archive import Copy
from .claims import Claim, Lead, Purpose
from .dns_records import RecordKind, ValidatedAnswer
from .events import Event
from .headers import Headers
from .https_answers import HttpsAnswer
from .identifiers import DeliveryId
from .merging import ToSend
from .outgoing import Outcome, Outgoing, Receipt
from .posts import Health, OwedPost, Post, Posted, Standing
from .web import Answer, Request

__all__ = [
    "Archive",
    "Arrivals",
    "AsyncArchive",
    "AsyncJournal",
    "AsyncSession",
    "AsyncTransport",
    "Clock",
    "Destination",
    "Endpoint",
    "Feedback",
    "Headers",
    "HttpsProbe",
    "Journal",
    "LinkTable",
    "LinkTokens",
    "Marks",
    "NewId",
    "OwedPosts",
    "Posts",
    "Resolver",
    "Sends",
    "Session",
    "Signer",
    "Transport",
    "ValidatingResolver",
    "waits",
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


class Session(Protocol):
    """Lines that are kept between mails, for sending many."""

    def deliver_all(self, outgoings: Iterable[Outgoing], /) -> Iterator[Outcome]:
        """Deliver them, and tell what became of each, in their order."""
        ...

    def take_unclaimed(self) -> list[Outcome]:
        """What became of mails that were on their way when the loop over `deliver_all` was left."""
        ...


class Archive(Protocol):
    """Keeps full copies under the person they were for; letter case of the address does not matter."""

    def store(self, copy: Copy, /) -> None:
        """Keep it, so that it survives a crash. Storing an equal copy again changes nothing.

        Raises:
            ArchiveError: it could not be kept, or another copy stands under its delivery id.
        """
        ...

    def store_all(self, copies: Iterable[Copy], /) -> None:
        """Keep several, as `store` does: all of them, or none.

        Raises:
            ArchiveError: they could not be kept, or another copy stands under the delivery id of one.
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


class Arrivals(Protocol):
    """A journal, read in the order in which events were recorded."""

    def arrivals(self, after: int, /, *, limit: int) -> list[tuple[int, Event]]:
        """The first events behind this place, each with its place; 0 is before the first.

        Places grow, and an event that is recorded later never has a place before one that was told.

        Raises:
            ArchiveError: they could not be read.
        """
        ...

    def last_arrival(self) -> int:
        """The place of the latest event; 0 where there is none.

        Raises:
            ArchiveError: it could not be read.
        """
        ...


class Destination(Protocol):
    """Somebody's URL that events are forwarded to, and the form they have there."""

    @property
    def name(self) -> str:
        """What it is owed is kept under this name: it stays, also where the URL changes."""
        ...

    def wants(self, event: Event, /) -> bool:
        """Whether it is told of such an event."""
        ...

    def post(self, event: Event, at: datetime, /) -> Post:
        """What to post about an event that it wants, signed for this moment."""
        ...


class Posts(Protocol):
    """Posts to a URL, once."""

    def post(self, post: Post, /) -> Posted:
        """What came of it, no redirect followed. That there was no answer is told, too, and raises nothing."""
        ...


class OwedPosts(Protocol):
    """Keeps how far each destination is, and what it is still owed. Each change survives a crash, or did not happen.

    Each method raises `ArchiveError` where it could not be kept or read.
    """

    def standing(self, destination: str, /) -> Standing:
        """How far it is; the beginning, for one that is not known."""
        ...

    def owe(self, destination: str, /, *, since: int, up_to: int, places: Sequence[int], due: datetime) -> bool:
        """Go on from one place to another, and owe it these on the way: all of it, or nothing.

        False, and nothing done, where it is not at ``since`` any more: another worker was quicker.
        """
        ...

    def claim(self, destination: str, /, *, at: datetime, until: datetime, limit: int) -> list[OwedPost]:
        """The first that are due at this moment. Nobody else is given them until ``until``."""
        ...

    def settle(self, destination: str, owed: OwedPost, /, *, paid: bool, health: Health) -> None:
        """Forget one that is paid, or keep it as it is now; and keep how the destination is doing.

        One that another worker's post paid meanwhile stays forgotten.
        """
        ...

    def again(self, destination: str, /, *, due: datetime) -> int:
        """Owe what was given up anew, and take the destination for a healthy one. Say how many those were."""
        ...


class LinkTokens(Protocol):
    """Makes what a tracked link carries, and reads it again: `Tokens`, `ShortTokens`."""

    def issue(self, claim: Claim, /, purpose: Purpose = Purpose.CLICK) -> str:
        """The token for this claim: letters, digits, ``-`` and ``_``. It can be read as soon as it is returned.

        Raises:
            TokenError: the claim is too long.
            ArchiveError: what the token stands for could not be kept.
        """
        ...

    def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]], /) -> list[str]:
        """The tokens of one mail, or of several: all of them, or none.

        Each claim says which mail and whom it is for, and leads say what its tokens are for and where they lead: what
        `issue` gives, in their order.
        """
        ...

    def read(self, token: str, /, purpose: Purpose = Purpose.CLICK) -> Claim:
        """What a token says.

        Raises:
            TokenError: it is not one that was issued for this purpose, or too old.
            ArchiveError: what it stands for could not be looked up; another try may succeed.
        """
        ...


class LinkTable(Protocol):
    """Keeps what short tokens leave out."""

    def store(self, rests: Mapping[str, str], /) -> None:
        """Keep the rest of each token under the token, so that they survive a crash: all of them, or none.

        A token that is there already has the same rest.

        Raises:
            ArchiveError: they could not be kept.
        """
        ...

    def find(self, token: str, /) -> str | None:
        """The rest of just this token, letter case and all; None if there is none.

        Raises:
            ArchiveError: there was no answer.
        """
        ...


class Marks(Protocol):
    """Marks mail, so that what comes back finds it."""

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """Return the headers with our id among them.

        Raises:
            MailError: a header that is there already contradicts the mark.
        """
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
            UncheckedError: what the proof is checked with could not be had.
        """
        ...


class Signer(Protocol):
    """Signs a finished mail."""

    def sign(self, content: bytes, at: datetime, /) -> bytes:
        """Return the content with a signature header in front.

        Raises:
            MailError: there is no key for its author, or its author cannot be told.
            SigningError: the key is kept elsewhere, and gave no signature; another try may.
        """
        ...


class Resolver(Protocol):
    """Asks the DNS."""

    def lookup(self, name: str, kind: RecordKind, /) -> list[str]:
        """The records' values in a zone file's form; none if there are none.

        Raises:
            ResolveError: there was no answer.
        """
        ...


class ValidatingResolver(Protocol):
    """Asks the DNS, and knows what of its answers was proven by signatures (DNSSEC)."""

    def lookup_validated(self, name: str, kind: RecordKind, /) -> ValidatedAnswer:
        """The records' values, and whether they, or their absence, were proven.

        Raises:
            ResolveError: there was no answer, or one whose signatures are wrong.
        """
        ...


class HttpsProbe(Protocol):
    """Asks a host by HTTPS, once."""

    def ask(self, host: str, path: str = "/", /) -> HttpsAnswer:
        """What it said, no redirect followed. That there was no answer is told, too, and raises nothing."""
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

    def send(self, mail: ToSend, /) -> R_co:
        """Send one mail."""
        ...


def waits(*parts: object) -> bool:
    """Whether a call of one of these parts may wait: for a disk, a network, another thread.

    Each may, unless it says of itself that it never does: ``waits = False``. An event loop then calls it without a
    thread, so whatever inherits from such a part and does wait has to say ``waits = True``.
    """
    return any(getattr(part, "waits", True) for part in parts)


class AsyncTransport(Protocol):
    """`Transport`, on an event loop."""

    def deliver(self, outgoing: Outgoing, /) -> Awaitable[Receipt]:
        """See `Transport.deliver`."""
        ...


class AsyncSession(Protocol):
    """`Session`, on an event loop."""

    def deliver_all(self, outgoings: AsyncIterator[Outgoing], /) -> AsyncIterator[Outcome]:
        """See `Session.deliver_all`."""
        ...

    def take_unclaimed(self) -> Awaitable[list[Outcome]]:
        """See `Session.take_unclaimed`."""
        ...


class AsyncArchive(Protocol):
    """What `AsyncSender` asks of an archive."""

    def store(self, copy: Copy, /) -> Awaitable[None]:
        """See `Archive.store`."""
        ...

    def store_all(self, copies: Iterable[Copy], /) -> Awaitable[None]:
        """See `Archive.store_all`."""
        ...


class AsyncJournal(Protocol):
    """What `AsyncSender` and the ASGI door ask of a journal."""

    def record(self, event: Event, /) -> Awaitable[bool]:
        """See `Journal.record`."""
        ...
