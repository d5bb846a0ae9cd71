"""The send path, from top to bottom: a mail is prepared, its copy kept, the mail handed over, the end written down."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .archive import Copy
from .checks import ConfigurationError
from .errors import ArchiveError, RefusedError, Retry, TransportError, UncertainError, UnrecordedError
from .events import About, Accepted, Attempted, Event, Refused, Uncertain
from .identifiers import DeliveryId
from .merging import ToSend
from .outgoing import Outcome, Outgoing, Receipt
from .ports import Archive, AsyncArchive, AsyncJournal, AsyncSession, AsyncTransport, Journal, Session, Transport
from .preparation import Preparation, Prepared

_SOURCE = "smtp"

_PATIENCE = 3
"""How often the journal is asked to write the same down, where it is interrupted; one that always is, is none."""


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
            ConfigurationError: ``batch`` is no number from 1 on, ``through`` is no session, or ``new_id`` gave one id
                to two mails on their way.
            MailError: a mail cannot be written. Those before it are sent, and written down.
            ArchiveError: a copy could not be kept. The same holds.
            UnrecordedError: the journal failed; its ``outcome`` is the one that could not be written down. Where there
                were several it is the first of them, and its notes tell the others.
        """
        _check_session(through)
        pending: dict[DeliveryId, Copy] = {}
        failures: list[UnrecordedError] = []
        try:
            for outcome in through.deliver_all(self._prepared(mails, batch, pending)):
                self._record(pending.pop(outcome.delivery_id), outcome.result)
                yield outcome
        except UnrecordedError as error:
            failures.append(error)
            raise
        finally:
            failures += self._record_unclaimed(through, pending)
            _raise_first(failures)

    def _prepared(self, mails: Iterable[ToSend], batch: int, pending: dict[DeliveryId, Copy]) -> Iterator[Outgoing]:
        # Not by `map`, which would take a StopIteration out of somebody's ``new_id`` for the end of the mails.
        for several in _in_batches((self.preparation.prepare(mail) for mail in mails), batch):
            if self.archive is not None:
                self.archive.store_all([prepared.copy for prepared in several])
            for prepared in several:
                _remember(prepared.copy, pending)
                yield prepared.outgoing

    def _record(self, copy: Copy, result: Receipt | TransportError) -> None:
        """Write it down, whoever interrupts; written twice, an event is one."""
        if self.journal is None:
            return
        events = what_happened(copy, result, self.preparation.clock())
        interruption: BaseException | None = None
        for _ in range(_PATIENCE):
            try:
                for event in events:
                    self.journal.record(event)
                break
            except ArchiveError as error:
                raise UnrecordedError(_unrecorded(copy, result, error), outcome=result) from error
            except (Exception, GeneratorExit):
                raise
            except BaseException as again:  # noqa: BLE001 - raised below
                interruption = again
        if interruption is not None:
            raise _knowing(result, interruption)

    def _record_unclaimed(self, through: Session, pending: dict[DeliveryId, Copy]) -> list[UnrecordedError]:
        try:
            unclaimed = through.take_unclaimed()
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            # Interrupted once more, the session has given up what was on its way: what is known of it is here now.
            self._record_rest(through.take_unclaimed(), pending)
            raise
        return self._record_rest(unclaimed, pending)

    def _record_rest(self, unclaimed: list[Outcome], pending: dict[DeliveryId, Copy]) -> list[UnrecordedError]:
        """Write them down, as far as can be; return what was not. Those of an earlier loop are not ours."""
        failures: list[UnrecordedError] = []
        interruption: BaseException | None = None
        for outcome in unclaimed:
            if (copy := pending.pop(outcome.delivery_id, None)) is not None:
                try:
                    self._record(copy, outcome.result)
                except UnrecordedError as error:
                    failures.append(error)
                except (Exception, GeneratorExit):
                    raise
                except BaseException as again:  # noqa: BLE001 - raised below
                    interruption = again
        if interruption is not None:
            raise interruption
        return failures

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
            ConfigurationError: ``batch`` is no number from 1 on, ``through`` is no session, or ``new_id`` gave one id
                to two mails on their way.
            MailError: a mail cannot be written. Those before it are sent, and written down.
            ArchiveError: a copy could not be kept. The same holds.
            UnrecordedError: the journal failed; its ``outcome`` is the one that could not be written down. Where there
                were several it is the first of them, and its notes tell the others.
        """
        _check_session(through)
        pending: dict[DeliveryId, Copy] = {}
        failures: list[UnrecordedError] = []
        try:
            async for outcome in through.deliver_all(self._prepared(mails, batch, pending)):
                await self._record(pending.pop(outcome.delivery_id), outcome.result)
                yield outcome
        except UnrecordedError as error:
            failures.append(error)
            raise
        finally:
            failures += await self._record_unclaimed(through, pending)
            _raise_first(failures)

    async def _prepared(
        self, mails: Iterable[ToSend], batch: int, pending: dict[DeliveryId, Copy]
    ) -> AsyncIterator[Outgoing]:
        # Not by `map`, which would take a StopIteration out of somebody's ``new_id`` for the end of the mails.
        for several in _in_batches((self.preparation.prepare(mail) for mail in mails), batch):
            if self.archive is not None:
                await self.archive.store_all([prepared.copy for prepared in several])
            for prepared in several:
                _remember(prepared.copy, pending)
                yield prepared.outgoing

    async def _record(self, copy: Copy, result: Receipt | TransportError) -> None:
        """Write it down, whoever interrupts; written twice, an event is one."""
        if self.journal is None:
            return
        events = what_happened(copy, result, self.preparation.clock())
        interruption: BaseException | None = None
        for _ in range(_PATIENCE):
            try:
                for event in events:
                    await self.journal.record(event)
                break
            except ArchiveError as error:
                raise UnrecordedError(_unrecorded(copy, result, error), outcome=result) from error
            except (Exception, GeneratorExit):
                raise
            except BaseException as again:  # noqa: BLE001 - raised below
                interruption = again
        if interruption is not None:
            raise _knowing(result, interruption)

    async def _record_unclaimed(self, through: AsyncSession, pending: dict[DeliveryId, Copy]) -> list[UnrecordedError]:
        try:
            unclaimed = await through.take_unclaimed()
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            # Interrupted once more, the session has given up what was on its way: what is known of it is here now.
            await self._record_rest(await through.take_unclaimed(), pending)
            raise
        return await self._record_rest(unclaimed, pending)

    async def _record_rest(self, unclaimed: list[Outcome], pending: dict[DeliveryId, Copy]) -> list[UnrecordedError]:
        """Write them down, as far as can be; return what was not. Those of an earlier loop are not ours."""
        failures: list[UnrecordedError] = []
        interruption: BaseException | None = None
        for outcome in unclaimed:
            if (copy := pending.pop(outcome.delivery_id, None)) is not None:
                try:
                    await self._record(copy, outcome.result)
                except UnrecordedError as error:
                    failures.append(error)
                except (Exception, GeneratorExit):
                    raise
                except BaseException as again:  # noqa: BLE001 - raised below
                    interruption = again
        if interruption is not None:
            raise interruption
        return failures

    async def _record_interruption(self, copy: Copy, interruption: BaseException) -> None:
        try:
            await self._record(copy, outcome_of(interruption))
        except UnrecordedError as error:
            # Whoever interrupts must not be held up by the journal.
            interruption.add_note(str(error))


def _check_session(through: object) -> None:
    if not callable(getattr(through, "deliver_all", None)):
        raise ConfigurationError(
            f"a {type(through).__name__} is no session: open one by `with transport.session() as session`, "
            "and write through=session"
        )


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


def _remember(copy: Copy, pending: dict[DeliveryId, Copy]) -> None:
    """Keep what is written down when its end is known: it names the mail, and its content would only take up room."""
    if copy.delivery_id in pending:
        raise ConfigurationError(f"new_id gave two mails the id {copy.delivery_id}: each needs one of its own")
    pending[copy.delivery_id] = evolve(copy, content=b"")


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


def _knowing(result: Receipt | TransportError, interruption: BaseException) -> BaseException:
    """The interruption, which is to say what became of the mail, and not of the journal's call: see `outcome_of`."""
    interruption.outcome = result  # type: ignore[attr-defined]  # read by `outcome_of`
    return interruption


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
