"""The send path, from top to bottom: a mail is prepared, its copy kept, the mail handed over, the end written down."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Generator, Iterable, Iterator, MutableMapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from attrs import Attribute, evolve, field, frozen

from .archive import Copy
from .branding import LinkDomains
from .checks import ConfigurationError, MailError
from .compiled_template import CompiledTemplate, compile_template
from .domains import SendingDomain, names_of
from .errors import ArchiveError, RefusedError, Retry, TransportError, UncertainError, UnrecordedError
from .events import About, Accepted, Attempted, Event, Refused, Uncertain
from .finished import AnyMail, FinishedMail, Sendable
from .html_text import text_of
from .identifiers import DeliveryId
from .merging import FilledMail, MergeMail, ToSend
from .mime import render
from .mime_rewriting import rewrite
from .outgoing import Envelope, Outcome, Outgoing, Receipt, WireForm
from .ports import (
    Archive,
    AsyncArchive,
    AsyncJournal,
    AsyncSession,
    AsyncTransport,
    Clock,
    Feedback,
    Journal,
    Marks,
    NewId,
    Session,
    Signer,
    Transport,
)
from .system import new_delivery_id, utc_now
from .tracking import Tracker
from .unsubscribe import Unsubscribe
from .verp import ReturnAddresses, envelope_id

_SOURCE = "smtp"

Leading = TypeVar("Leading", Tracker, Unsubscribe)


def _domain_names(domains: Collection[SendingDomain | str] | None) -> frozenset[str] | None:
    return None if domains is None else frozenset(names_of(domains))


def _one_at_least(_instance: object, _attribute: "Attribute[Any]", names: frozenset[str] | None) -> None:
    if names is not None and not names:
        raise ConfigurationError("domains is empty, so no mail could be sent: add a domain, or leave domains out")


_DOES = {"tracker": "track", "unsubscribe": "mark", "feedback": "mark", "returns": "address", "signer": "sign"}
"""What each part of a preparation is asked to do."""


def _a_part(_instance: object, attribute: "Attribute[Any]", part: object) -> None:
    does = _DOES[attribute.name]
    if part is not None and not callable(getattr(part, does, None)):
        raise ConfigurationError(
            f"{attribute.name} is a {type(part).__name__}, which has no {does}(): see Preparation for what goes there"
        )


@frozen
class Prepared:
    """A mail ready to go, with the copy to keep of it."""

    outgoing: Outgoing
    copy: Copy


@frozen(kw_only=True)
class Preparation:
    """What happens to each mail before it is handed over. Every part may be left out.

    Attributes:
        text_from_html: whether a mail without a text gets one, made of its HTML: `custom_smtp.html_text`.
        tracker: rewrites its links and adds the pixel.
        unsubscribe: gives it the headers, and the link, that let its reader unsubscribe in one click.
        links: chooses the host of all these links by its From domain. None: they lead over the base URLs that the
            tracker and ``unsubscribe`` were given.
        feedback: marks it, so that the provider's reports find it.
        returns: gives it a return address of its own, so that its bounce mail finds it and nobody can forge one.
        signer: signs it.
        domains: the sending domains that were added; a From address on any other is refused. None allows all.
        clock: dates it.
        new_id: names it.

    Raises:
        ConfigurationError: a part cannot do what it is for, or ``domains`` is there, and empty.
    """

    text_from_html: bool = True
    tracker: Tracker | None = field(default=None, validator=_a_part)
    unsubscribe: Unsubscribe | None = field(default=None, validator=_a_part)
    links: LinkDomains | None = None
    feedback: Feedback | None = field(default=None, validator=_a_part)
    returns: ReturnAddresses | None = field(default=None, validator=_a_part)
    signer: Signer | None = field(default=None, validator=_a_part)
    domains: frozenset[str] | None = field(default=None, converter=_domain_names, validator=_one_at_least)
    clock: Clock = utc_now
    new_id: NewId = new_delivery_id
    _tracker: Tracker | None = field(init=False, repr=False, eq=False)
    # By template, for as long as that is there, and by the hosts that its links lead over.
    _compiled: MutableMapping[MergeMail, dict[tuple[str, ...], CompiledTemplate]] = field(
        init=False, repr=False, eq=False, factory=WeakKeyDictionary
    )

    @_tracker.default
    def _knowing_our_links(self) -> Tracker | None:
        if self.tracker is None or self.links is None:
            return self.tracker
        return evolve(self.tracker, rules=(*self.links.rules(self.tracker.base_url), *self.tracker.rules))

    def prepare(self, mail: ToSend) -> Prepared:
        """The mail's final bytes, under a new delivery id. Nothing has left yet.

        Raises:
            MailError: its From domain was not added, or may not lead its links; a header contradicts the provider's
                mark; or an unsubscribe link is asked for in a mail that goes out without.
        """
        self._require_known_domain(mail)
        delivery_id, at = self.new_id(), self.clock()
        content: bytes
        if isinstance(mail, FilledMail):
            content = self._template(mail).written(mail, delivery_id, at)
        else:
            content = self._written(mail, delivery_id, at)
        if self.signer is not None:
            content = self.signer.sign(content, at)
        return Prepared(
            Outgoing(delivery_id, self._envelope(mail, delivery_id), content, smtputf8=mail.smtputf8),
            Copy(
                delivery_id=delivery_id,
                recipient=mail.to.email,
                at=at,
                content=content,
                subject=mail.subject,
                campaign=mail.campaign or "",
            ),
        )

    def _written(self, mail: Sendable, delivery_id: DeliveryId, at: datetime) -> WireForm:
        # The link to unsubscribe comes in after the others were tracked, and so stays what it is.
        tracked = self._tracked(self._with_text(mail), delivery_id)
        written = self._marked(self._unsubscribable(tracked, delivery_id), delivery_id)
        return (
            rewrite(written, delivery_id, at) if isinstance(written, FinishedMail) else render(written, delivery_id, at)
        )

    def _template(self, mail: FilledMail) -> CompiledTemplate:
        """Its template, compiled when the first of its mails is sent."""
        by_hosts = self._compiled.get(mail.merge)
        if by_hosts is None:
            by_hosts = self._compiled.setdefault(mail.merge, {})
        hosts = self._hosts(mail)
        compiled = by_hosts.get(hosts)
        if compiled is None:
            compiled = by_hosts[hosts] = compile_template(
                mail.merge,
                tracker=None if self._tracker is None else self._branded(self._tracker, mail),
                unsubscribe=None if self.unsubscribe is None else self._branded(self.unsubscribe, mail),
                marks=self._marks,
                text_from_html=self.text_from_html,
            )
        return compiled

    def _hosts(self, mail: FilledMail) -> tuple[str, ...]:
        """The hosts that its links lead over, where that is for its From domain to say."""
        if self.links is None:
            return ()
        return tuple(self._base_url(part, mail) for part in (self._tracker, self.unsubscribe) if part is not None)

    def _require_known_domain(self, mail: ToSend) -> None:
        if self.domains is not None and mail.sender.domain not in self.domains:
            raise MailError(
                f"{mail.sender.domain} is not a sending domain yet: add it to Preparation(domains=...), "
                f"which has {', '.join(sorted(self.domains))}"
            )

    def _with_text(self, mail: AnyMail) -> AnyMail:
        # A finished mail keeps the parts that it has.
        if isinstance(mail, FinishedMail) or mail.text is not None or mail.html is None or not self.text_from_html:
            return mail
        text = text_of(mail.html)
        return evolve(mail, text=text) if text else mail

    def _tracked(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        return mail if self._tracker is None else self._branded(self._tracker, mail).track(mail, delivery_id)

    def _unsubscribable(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        return mail if self.unsubscribe is None else self._branded(self.unsubscribe, mail).mark(mail, delivery_id)

    def _branded(self, part: Leading, mail: ToSend) -> Leading:
        base_url = self._base_url(part, mail)
        return part if base_url == part.base_url else evolve(part, base_url=base_url)

    def _base_url(self, part: Tracker | Unsubscribe, mail: ToSend) -> str:
        return part.base_url if self.links is None else self.links.base_url(part.base_url, mail.sender.domain)

    def _marked(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        headers = mail.headers
        for part in self._marks:
            headers = part.mark(headers, delivery_id)
        return evolve(mail, headers=headers) if self._marks else mail

    @property
    def _marks(self) -> tuple[Marks, ...]:
        """The parts that mark each mail."""
        return tuple(part for part in (self.feedback, self.returns) if part is not None)

    def _envelope(self, mail: ToSend, delivery_id: DeliveryId) -> Envelope:
        if self.returns is None:
            return Envelope(mail.bounces_to or mail.sender, (mail.to,))
        sender = mail.bounces_to or self.returns.address(delivery_id)
        return Envelope(sender, (mail.to,), envelope_id=envelope_id(delivery_id, self.returns.tokens))


def _a_transport(_instance: object, _attribute: "Attribute[Any]", transport: object) -> None:
    if not callable(getattr(transport, "deliver", None)):
        raise ConfigurationError(
            f"a {type(transport).__name__} delivers nothing: hand in a transport, as in Sender(SmtpTransport(server))"
        )


def _a_preparation(_instance: object, _attribute: "Attribute[Any]", preparation: object) -> None:
    if not isinstance(preparation, Preparation):
        raise ConfigurationError(
            f"a {type(preparation).__name__} is no preparation: write Sender(transport, Preparation(...), archive=...)"
        )


@frozen
class Sender:
    """Sends mail through one transport, keeping a copy before and writing down what came of it after.

    Attributes:
        transport: hands mail to a server.
        preparation: what happens to each mail first.
        archive: where copies are kept; None keeps none.
        journal: where events are written down; None writes none.

    Raises:
        ConfigurationError: the transport is none, or the preparation.
    """

    transport: Transport = field(validator=_a_transport)
    preparation: Preparation = field(default=Preparation(), validator=_a_preparation)
    archive: Archive | None = field(default=None, kw_only=True)
    journal: Journal | None = field(default=None, kw_only=True)

    def send(self, mail: ToSend, /) -> Receipt:
        """Send one mail.

        Raises:
            MailError: it cannot be written; nothing has left.
            ArchiveError: its copy could not be kept; nothing has left.
            TransportError: it was not accepted; ``retry`` says what another try would do.
            UnrecordedError: the journal failed after the transport had answered; the message says whether the mail may
                be sent again.
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
        except BaseException as interruption:
            self._record_interruption(prepared.copy, interruption)
            raise
        self._record(prepared.copy, receipt)
        return receipt

    def send_all(self, mails: Iterable[ToSend], /, *, through: Session, batch: int = 1) -> Generator[Outcome]:
        """Send many mails over lines that are kept; tell what became of each, in their order.

        The next mail is asked for while those before are on their way, so the mails may come from a generator, however
        many there are. Leave the loop when you like: what is on its way then is waited for and written down.

        Args:
            mails: what to send.
            through: a transport's session.
            batch: how many are prepared, and their copies kept in one go, before the first of them leaves. An archive
                that waits for its disk once for many is quicker; so many mails are held in memory, and copies of some
                that never left stay in the archive when the loop is left.

        Raises:
            ConfigurationError: ``batch`` is no number from 1 on.
            MailError: a mail cannot be written. Those before it are sent, and written down.
            ArchiveError: a copy could not be kept. The same holds.
            UnrecordedError: the journal failed; its ``outcome`` is the one that could not be written down.
        """
        pending: dict[DeliveryId, Copy] = {}
        try:
            for outcome in through.deliver_all(self._prepared(mails, batch, pending)):
                self._record(pending.pop(outcome.delivery_id), outcome.result)
                yield outcome
        finally:
            self._record_rest(through.take_unclaimed(), pending)

    def _prepared(self, mails: Iterable[ToSend], batch: int, pending: dict[DeliveryId, Copy]) -> Iterator[Outgoing]:
        for several in _in_batches(map(self.preparation.prepare, mails), batch):
            if self.archive is not None:
                self.archive.store_all([prepared.copy for prepared in several])
            for prepared in several:
                # What is written down later names the mail; its content would only take up room until then.
                pending[prepared.copy.delivery_id] = evolve(prepared.copy, content=b"")
                yield prepared.outgoing

    def _record(self, copy: Copy, result: Receipt | TransportError) -> None:
        if self.journal is None:
            return
        try:
            for event in what_happened(copy, result, self.preparation.clock()):
                self.journal.record(event)
        except ArchiveError as error:
            raise UnrecordedError(_unrecorded(copy, result, error), outcome=result) from error

    def _record_rest(self, unclaimed: list[Outcome], pending: dict[DeliveryId, Copy]) -> None:
        """One that cannot be written down keeps none of the others from it. Those of an earlier loop are not ours."""
        failures: list[UnrecordedError] = []
        for outcome in unclaimed:
            if (copy := pending.pop(outcome.delivery_id, None)) is not None:
                try:
                    self._record(copy, outcome.result)
                except UnrecordedError as error:
                    failures.append(error)
        _raise_first(failures)

    def _record_interruption(self, copy: Copy, interruption: BaseException) -> None:
        try:
            self._record(copy, outcome_of(interruption))
        except UnrecordedError as error:
            # Whoever interrupts must not be held up by the journal.
            interruption.add_note(str(error))


@frozen
class AsyncSender:
    """`Sender`, on an event loop: every part it waits for is awaited.

    Attributes:
        transport: hands mail to a server.
        preparation: what happens to each mail first.
        archive: where copies are kept; None keeps none.
        journal: where events are written down; None writes none.

    Raises:
        ConfigurationError: the transport is none, or the preparation.
    """

    transport: AsyncTransport = field(validator=_a_transport)
    preparation: Preparation = field(default=Preparation(), validator=_a_preparation)
    archive: AsyncArchive | None = field(default=None, kw_only=True)
    journal: AsyncJournal | None = field(default=None, kw_only=True)

    async def send(self, mail: ToSend, /) -> Receipt:
        """Send one mail.

        Raises:
            MailError: it cannot be written; nothing has left.
            ArchiveError: its copy could not be kept; nothing has left.
            TransportError: it was not accepted; ``retry`` says what another try would do.
            UnrecordedError: the journal failed after the transport had answered; the message says whether the mail may
                be sent again.
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
        except BaseException as interruption:
            await self._record_interruption(prepared.copy, interruption)
            raise
        await self._record(prepared.copy, receipt)
        return receipt

    async def send_all(
        self, mails: Iterable[ToSend], /, *, through: AsyncSession, batch: int = 1
    ) -> AsyncGenerator[Outcome]:
        """Send many mails over lines that are kept; tell what became of each, in their order.

        The next mail is asked for while those before are on their way, so the mails may come from a generator, however
        many there are. Leave the loop when you like: what is on its way then is waited for and written down.

        Args:
            mails: what to send.
            through: a transport's session.
            batch: how many are prepared, and their copies kept in one go, before the first of them leaves. An archive
                that waits for its disk once for many is quicker; so many mails are held in memory, and copies of some
                that never left stay in the archive when the loop is left.

        Raises:
            ConfigurationError: ``batch`` is no number from 1 on.
            MailError: a mail cannot be written. Those before it are sent, and written down.
            ArchiveError: a copy could not be kept. The same holds.
            UnrecordedError: the journal failed; its ``outcome`` is the one that could not be written down.
        """
        pending: dict[DeliveryId, Copy] = {}
        try:
            async for outcome in through.deliver_all(self._prepared(mails, batch, pending)):
                await self._record(pending.pop(outcome.delivery_id), outcome.result)
                yield outcome
        finally:
            await self._record_rest(await through.take_unclaimed(), pending)

    async def _prepared(
        self, mails: Iterable[ToSend], batch: int, pending: dict[DeliveryId, Copy]
    ) -> AsyncIterator[Outgoing]:
        for several in _in_batches(map(self.preparation.prepare, mails), batch):
            if self.archive is not None:
                await self.archive.store_all([prepared.copy for prepared in several])
            for prepared in several:
                # What is written down later names the mail; its content would only take up room until then.
                pending[prepared.copy.delivery_id] = evolve(prepared.copy, content=b"")
                yield prepared.outgoing

    async def _record(self, copy: Copy, result: Receipt | TransportError) -> None:
        if self.journal is None:
            return
        try:
            for event in what_happened(copy, result, self.preparation.clock()):
                await self.journal.record(event)
        except ArchiveError as error:
            raise UnrecordedError(_unrecorded(copy, result, error), outcome=result) from error

    async def _record_rest(self, unclaimed: list[Outcome], pending: dict[DeliveryId, Copy]) -> None:
        """One that cannot be written down keeps none of the others from it. Those of an earlier loop are not ours."""
        failures: list[UnrecordedError] = []
        for outcome in unclaimed:
            if (copy := pending.pop(outcome.delivery_id, None)) is not None:
                try:
                    await self._record(copy, outcome.result)
                except UnrecordedError as error:
                    failures.append(error)
        _raise_first(failures)

    async def _record_interruption(self, copy: Copy, interruption: BaseException) -> None:
        try:
            await self._record(copy, outcome_of(interruption))
        except UnrecordedError as error:
            # Whoever interrupts must not be held up by the journal.
            interruption.add_note(str(error))


def _in_batches(prepared: Iterator[Prepared], size: int) -> Iterator[list[Prepared]]:
    """So many at a time, and the rest. Where one fails those before it come first, and then the failure.

    Raises:
        ConfigurationError: the size is no number from 1 on.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigurationError(f"batch is {size!r}: give how many mails are kept at a time, from 1 on")
    while True:
        several: list[Prepared] = []
        try:
            for one in islice(prepared, size):
                several.append(one)  # noqa: PERF402  # what came before a failure is needed
        except Exception:
            if several:
                yield several
            raise
        if not several:
            return
        yield several


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


def outcome_of(interruption: BaseException) -> Receipt | TransportError:
    """What an interruption (a cancelled task, Ctrl-C) means for the mail that was being delivered.

    A part that knows says so on the exception, as ``outcome``; otherwise nobody can say how far it had come.
    """
    known = getattr(interruption, "outcome", None)
    if isinstance(known, Receipt | TransportError):
        return known
    return UncertainError(f"interrupted by {type(interruption).__name__}")


def _raise_first(failures: list[UnrecordedError]) -> None:
    """The first of several; what the others say stands in its notes."""
    for failure in failures[1:]:
        failures[0].add_note(str(failure))
    if failures:
        raise failures[0]


def _unrecorded(copy: Copy, result: Receipt | TransportError, error: ArchiveError) -> str:
    safe = isinstance(result, TransportError) and result.retry is not Retry.RISKY
    advice = "it was not accepted, so sending it again mails nobody twice" if safe else "do not send it again"
    return f"what became of delivery {copy.delivery_id} could not be written down ({error}): {advice}"
