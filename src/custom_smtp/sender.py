"""The send path, from top to bottom: a mail is prepared, its copy kept, the mail handed over, the end written down."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .addresses import ascii_domain
from .archive import Copy
from .checks import ConfigurationError, MailError
from .domains import SendingDomain
from .errors import ArchiveError, RefusedError, TransportError, UncertainError, UnrecordedError
from .events import About, Accepted, Attempted, Event, Refused, Uncertain
from .identifiers import DeliveryId
from .mail import Mail
from .mime import render
from .outgoing import Envelope, Outgoing, Receipt
from .ports import (
    Archive,
    AsyncArchive,
    AsyncJournal,
    AsyncTransport,
    Clock,
    Feedback,
    Journal,
    NewId,
    Signer,
    Transport,
)
from .system import new_delivery_id, utc_now
from .tracking import Tracker

_SOURCE = "smtp"


def _domain_names(domains: Collection[SendingDomain | str] | None) -> frozenset[str] | None:
    if domains is None:
        return None
    if isinstance(domains, str):
        raise ConfigurationError(f"domains is one text, {domains!r}: give a list, even of one")
    try:
        return frozenset(ascii_domain(one) if isinstance(one, str) else one.name for one in domains)
    except MailError as error:
        raise ConfigurationError(f"domains holds what is no domain: {error}") from error


def _one_at_least(_instance: object, _attribute: "Attribute[Any]", names: frozenset[str] | None) -> None:
    if names is not None and not names:
        raise ConfigurationError("domains is empty, so no mail could be sent: add a domain, or leave domains out")


@frozen
class Prepared:
    """A mail ready to go, with the copy to keep of it."""

    outgoing: Outgoing
    copy: Copy


@frozen(kw_only=True)
class Preparation:
    """What happens to each mail before it is handed over. Every part may be left out.

    Attributes:
        tracker: rewrites its links and adds the pixel.
        feedback: marks it, so that the provider's reports find it.
        signer: signs it.
        domains: the sending domains that were added; a From address on any other is refused. None allows all.
        clock: dates it.
        new_id: names it.

    Raises:
        ConfigurationError: ``domains`` is there, and empty.
    """

    tracker: Tracker | None = None
    feedback: Feedback | None = None
    signer: Signer | None = None
    domains: frozenset[str] | None = field(default=None, converter=_domain_names, validator=_one_at_least)
    clock: Clock = utc_now
    new_id: NewId = new_delivery_id

    def prepare(self, mail: Mail) -> Prepared:
        """The mail's final bytes, under a new delivery id. Nothing has left yet.

        Raises:
            MailError: its From domain was not added, or a header contradicts the provider's mark.
        """
        self._require_known_domain(mail)
        delivery_id, at = self.new_id(), self.clock()
        written = self._marked(self._tracked(mail, delivery_id), delivery_id)
        content = render(written, delivery_id, at)
        if self.signer is not None:
            content = self.signer.sign(content, at)
        envelope = Envelope(mail.bounces_to or mail.sender, (mail.to,))
        return Prepared(
            Outgoing(delivery_id, envelope, content, smtputf8=mail.smtputf8),
            Copy(
                delivery_id=delivery_id,
                recipient=mail.to.email,
                at=at,
                content=content,
                subject=mail.subject,
                campaign=mail.campaign or "",
            ),
        )

    def _require_known_domain(self, mail: Mail) -> None:
        if self.domains is not None and mail.sender.domain not in self.domains:
            raise MailError(
                f"{mail.sender.domain} is not a sending domain yet: add it to Preparation(domains=...), "
                f"which has {', '.join(sorted(self.domains))}"
            )

    def _tracked(self, mail: Mail, delivery_id: DeliveryId) -> Mail:
        return mail if self.tracker is None else self.tracker.track(mail, delivery_id)

    def _marked(self, mail: Mail, delivery_id: DeliveryId) -> Mail:
        return mail if self.feedback is None else evolve(mail, headers=self.feedback.mark(mail.headers, delivery_id))


@frozen
class Sender:
    """Sends mail through one transport, keeping a copy before and writing down what came of it after.

    Attributes:
        transport: hands mail to a server.
        preparation: what happens to each mail first.
        archive: where copies are kept; None keeps none.
        journal: where events are written down; None writes none.
    """

    transport: Transport
    preparation: Preparation = Preparation()
    archive: Archive | None = field(default=None, kw_only=True)
    journal: Journal | None = field(default=None, kw_only=True)

    def send(self, mail: Mail, /) -> Receipt:
        """Send one mail.

        Raises:
            MailError: it cannot be written; nothing has left.
            ArchiveError: its copy could not be kept; nothing has left.
            TransportError: it was not accepted; ``retry`` says what another try would do.
            UnrecordedError: the journal failed after the transport had answered: do not send again.
        """
        prepared = self.preparation.prepare(mail)
        # Before the transport: if this fails no mail has left, and sending again is safe.
        if self.archive is not None:
            self.archive.store(prepared.copy)
        try:
            receipt = self.transport.deliver(prepared.outgoing)
        except TransportError as error:
            self._record(prepared.copy, error)
            raise
        except BaseException as error:
            # Interrupted from outside (a cancelled task, Ctrl-C): nobody can say how far it had come.
            self._record(prepared.copy, UncertainError(f"interrupted by {type(error).__name__}"))
            raise
        self._record(prepared.copy, receipt)
        return receipt

    def _record(self, copy: Copy, result: Receipt | TransportError) -> None:
        if self.journal is None:
            return
        try:
            for event in what_happened(copy, result, self.preparation.clock()):
                self.journal.record(event)
        except ArchiveError as error:
            raise UnrecordedError(_unrecorded(copy, error), outcome=result) from error


@frozen
class AsyncSender:
    """`Sender`, on an event loop: every part it waits for is awaited.

    Attributes:
        transport: hands mail to a server.
        preparation: what happens to each mail first.
        archive: where copies are kept; None keeps none.
        journal: where events are written down; None writes none.
    """

    transport: AsyncTransport
    preparation: Preparation = Preparation()
    archive: AsyncArchive | None = field(default=None, kw_only=True)
    journal: AsyncJournal | None = field(default=None, kw_only=True)

    async def send(self, mail: Mail, /) -> Receipt:
        """Send one mail.

        Raises:
            MailError: it cannot be written; nothing has left.
            ArchiveError: its copy could not be kept; nothing has left.
            TransportError: it was not accepted; ``retry`` says what another try would do.
            UnrecordedError: the journal failed after the transport had answered: do not send again.
        """
        prepared = self.preparation.prepare(mail)
        # Before the transport: if this fails no mail has left, and sending again is safe.
        if self.archive is not None:
            await self.archive.store(prepared.copy)
        try:
            receipt = await self.transport.deliver(prepared.outgoing)
        except TransportError as error:
            await self._record(prepared.copy, error)
            raise
        except BaseException as error:
            # Interrupted from outside (a cancelled task, Ctrl-C): nobody can say how far it had come.
            await self._record(prepared.copy, UncertainError(f"interrupted by {type(error).__name__}"))
            raise
        await self._record(prepared.copy, receipt)
        return receipt

    async def _record(self, copy: Copy, result: Receipt | TransportError) -> None:
        if self.journal is None:
            return
        try:
            for event in what_happened(copy, result, self.preparation.clock()):
                await self.journal.record(event)
        except ArchiveError as error:
            raise UnrecordedError(_unrecorded(copy, error), outcome=result) from error


def what_happened(copy: Copy, result: Receipt | TransportError, at: datetime) -> list[Event]:
    """What a transport's answer is, as events: the servers tried before first, the answer last."""
    return [_event(copy, each, at, place) for place, each in enumerate((*result.earlier, result))]


def _event(copy: Copy, result: Receipt | TransportError, at: datetime, place: int) -> Event:
    about = About(
        delivery_id=copy.delivery_id,
        recipient=copy.recipient,
        at=at,
        source=_SOURCE,
        # An attempt is told by when it was made: the same delivery may be tried again later.
        key=f"{copy.delivery_id} {at.isoformat()} {place}",
    )
    match result:
        case Receipt(reply=reply):
            return Accepted(about, reply)
        case RefusedError(reply=reply, at=step):
            return Refused(about, reply, step)
        case UncertainError():
            return Uncertain(about, str(result))
    return Attempted(about, f"{type(result).__name__}: {result}", result.retry)


def _unrecorded(copy: Copy, error: ArchiveError) -> str:
    return f"what became of delivery {copy.delivery_id} could not be written down ({error}): do not send it again"
