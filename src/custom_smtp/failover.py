"""Several transports as one, which goes on to the next only while the mail cannot have been taken.

Threads may share a `Failover` or a `RoundRobin`. Nothing here locks: what changes is how each transport does, kept as
one frozen `Health` that is replaced in a single step, and only by a mail that saw the one it replaces.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from typing import Any, TypeVar

from attrs import Attribute, define, evolve, field, frozen

from .checks import ConfigurationError, shown
from .errors import (
    AuthError,
    ConnectError,
    RefusedError,
    Retry,
    Step,
    TlsError,
    TransportError,
    UncertainError,
)
from .outgoing import Outgoing, Receipt
from .ports import Clock, Transport
from .system import utc_now

E = TypeVar("E", bound=TransportError)

SAFE_TO_GO_ON = (ConnectError, TlsError, AuthError)
"""Errors after which the mail cannot have been taken, so that another server may be asked."""

BEFORE_THE_MAIL = frozenset({Step.CONNECT, Step.EHLO, Step.STARTTLS, Step.AUTH})
"""Steps at which a refusal, even for good, is about the server and not about the mail."""

ABOUT_THE_MAIL = frozenset({"5.3.4", "5.5.3", "5.6.3", "5.6.7", "5.7.30"})
"""What a mail is refused with where the server's EHLO already rules it out: its size, its recipients' number, its
letters, its secrecy (RFC 1870, RFC 9422, RFC 6152, RFC 6531, RFC 8689). Another server may well take it."""

GOING_AWAY = 421
"""The server ends the conversation, whatever it was asked (RFC 5321 section 3.8)."""


@frozen(kw_only=True)
class Health:
    """How one of several transports does.

    Attributes:
        resting_since: when its rest began; None while it works.
        resting_until: from when on a mail may try whether it is back; None while it works.
        failures: how many mails in a row it failed; 0 while it works.
        last_error: what it failed with last, without traceback; still there when it works again.
        probing: whether a mail is trying, right now, if it is back.
    """

    resting_since: datetime | None = None
    resting_until: datetime | None = None
    failures: int = 0
    last_error: TransportError | None = None
    probing: bool = False

    @property
    def working(self) -> bool:
        """Whether mail is given to it."""
        return self.resting_until is None

    def rests_at(self, moment: datetime) -> bool:
        """Whether its rest is not over yet. Nor has it begun where a clock was set back, so as not to last for ever."""
        if self.resting_since is None or self.resting_until is None:
            return False
        return self.resting_since <= moment < self.resting_until

    def __str__(self) -> str:
        if self.resting_until is None:
            return "working"
        rest = "being tried again" if self.probing else f"resting until {self.resting_until.isoformat()}"
        return f"{rest}, {self.failures} failed in a row, last with {type(self.last_error).__name__}: {self.last_error}"


def _transports(several: Iterable[Transport]) -> tuple[Transport, ...]:
    if not isinstance(several, Iterable):
        raise ConfigurationError(
            f"transports is a {type(several).__name__}: give several, as in Failover((main, spare))"
        )
    return tuple(several)


def _some(instance: object, _attribute: "Attribute[Any]", transports: tuple[Transport, ...]) -> None:
    name = type(instance).__name__
    if not transports:
        raise ConfigurationError(f"a {name} of no transports delivers nothing: give it at least one")
    for transport in transports:
        if not hasattr(transport, "deliver"):
            raise ConfigurationError(f"a {name} is made of transports, and {shown(transport)} is none")


_A_YEAR = timedelta(days=365)


def _a_rest(_instance: object, attribute: "Attribute[Any]", rest: timedelta) -> None:
    if not isinstance(rest, timedelta) or not timedelta() < rest <= _A_YEAR:
        raise ConfigurationError(f"{attribute.name} is {rest!r}: use a timedelta above 0, up to a year")


def _no_shorter(instance: "Failover | RoundRobin", attribute: "Attribute[Any]", longest: timedelta) -> None:
    _a_rest(instance, attribute, longest)
    if longest < instance.rest:
        raise ConfigurationError(f"longest_rest, {longest}, is shorter than rest, {instance.rest}: make it longer")


def _sixteen_rests(instance: "Failover | RoundRobin") -> timedelta:
    # A wrong rest is refused by its own check, in its own words.
    return min(16 * instance.rest, _A_YEAR) if isinstance(instance.rest, timedelta) else _A_YEAR


def _watched(instance: "Failover | RoundRobin") -> "tuple[_Watch, ...]":
    return tuple(
        _Watch(transport, instance.rest, instance.longest_rest, instance.clock) for transport in instance.transports
    )


@frozen
class Failover:
    """A transport that asks the next server where one cannot be reached or is busy.

    It goes on only from states in which the mail cannot have been taken: no connection, no secret channel, no login,
    or a temporary refusal before the content was sent. It never goes on from a lasting refusal of the mail, and never
    from an uncertain end, which would mail the person twice.

    A server that fails rests for a while and is passed over. When its rest is over, one mail at a time tries whether it
    is back: if so it works again, if not it rests twice as long. Where all that are left rest, they are asked
    nonetheless, beginning with the one whose rest ends first. To refuse a mail or its recipient is not to fail.

    Attributes:
        transports: in the order in which they are asked.
        rest: how long a server rests when it fails.
        longest_rest: how long it rests at most, if it goes on failing; 16 times ``rest`` unless said otherwise.
        clock: says when a rest is over.

    Raises:
        ConfigurationError: there is no transport, or a rest cannot be.
    """

    transports: tuple[Transport, ...] = field(converter=_transports, validator=_some)
    rest: timedelta = field(default=timedelta(minutes=1), kw_only=True, validator=_a_rest)
    longest_rest: timedelta = field(kw_only=True, validator=_no_shorter)
    clock: Clock = field(default=utc_now, kw_only=True, repr=False)
    _watches: "tuple[_Watch, ...]" = field(init=False, repr=False, eq=False)

    @longest_rest.default
    def _by_rest(self) -> timedelta:
        return _sixteen_rests(self)

    @_watches.default
    def _one_each(self) -> "tuple[_Watch, ...]":
        return _watched(self)

    @property
    def health(self) -> tuple[Health, ...]:
        """How each transport does, in their order."""
        return tuple(watch.spell.health for watch in self._watches)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Deliver by the first server that can.

        Raises:
            TransportError: the last server's; ``earlier`` holds what the others said, and ``retry`` is LATER where
                one of them may take the mail then.
        """
        return _deliver(outgoing, self._watches)


@frozen
class RoundRobin:
    """A transport that spreads mail over several: each mail begins with the next one.

    From there it goes on as a `Failover` does, from the same safe states, and its servers rest alike.

    Attributes:
        transports: each is the first to be asked in its turn.
        rest: how long a server rests when it fails.
        longest_rest: how long it rests at most, if it goes on failing; 16 times ``rest`` unless said otherwise.
        clock: says when a rest is over.

    Raises:
        ConfigurationError: there is no transport, or a rest cannot be.
    """

    transports: tuple[Transport, ...] = field(converter=_transports, validator=_some)
    rest: timedelta = field(default=timedelta(minutes=1), kw_only=True, validator=_a_rest)
    longest_rest: timedelta = field(kw_only=True, validator=_no_shorter)
    clock: Clock = field(default=utc_now, kw_only=True, repr=False)
    _watches: "tuple[_Watch, ...]" = field(init=False, repr=False, eq=False)
    # One step in C. Should two threads ever draw the same number, two mails begin with the same server: no harm.
    _turns: "count[int]" = field(factory=count, init=False, repr=False, eq=False)

    @longest_rest.default
    def _by_rest(self) -> timedelta:
        return _sixteen_rests(self)

    @_watches.default
    def _one_each(self) -> "tuple[_Watch, ...]":
        return _watched(self)

    @property
    def health(self) -> tuple[Health, ...]:
        """How each transport does, in their order."""
        return tuple(watch.spell.health for watch in self._watches)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Deliver by the server whose turn it is, or the next that can.

        Raises:
            TransportError: the last server's; ``earlier`` holds what the others said, and ``retry`` is LATER where
                one of them may take the mail then.
        """
        first = next(self._turns) % len(self._watches)
        return _deliver(outgoing, (*self._watches[first:], *self._watches[:first]))


def _deliver(outgoing: Outgoing, watches: "tuple[_Watch, ...]") -> Receipt:
    failed: tuple[TransportError, ...] = ()
    for trial in _trials(watches):
        try:
            receipt = trial.deliver(outgoing)
        except TransportError as error:
            # A transport may be a Failover itself: what it tried comes first.
            failed = (*failed, *error.earlier, error)
            if not _may_go_on(error):
                break
        else:
            return evolve(receipt, earlier=(*failed, *receipt.earlier))
    *earlier, last = failed
    raise _telling(last, tuple(earlier))


def _trials(watches: "tuple[_Watch, ...]") -> "Iterator[_Trial]":
    """Each once: first those that work or are to be tried again, then, at need, those that rest."""
    resting = []
    for watch in watches:
        trial = watch.trial()
        if trial is None:
            resting.append(watch)
        else:
            yield trial
    for watch in sorted(resting, key=_rest_ends):
        yield watch.trial_at_need()


def _rest_ends(watch: "_Watch") -> float:
    until = watch.spell.health.resting_until
    # Another mail may have found it working in the meantime.
    return 0 if until is None else until.timestamp()


def _may_go_on(error: TransportError) -> bool:
    if any(not refusal.error.reply.temporary for refusal in error.refused):
        return False
    if isinstance(error, RefusedError):
        return error.at in BEFORE_THE_MAIL or (error.reply.temporary and error.at is not Step.CONTENT)
    return isinstance(error, SAFE_TO_GO_ON)


def _telling(error: E, earlier: tuple[TransportError, ...]) -> E:
    """The same error, with what was said before it. A transport may raise one error many times: it stays as it is."""
    if earlier == error.earlier:
        return error
    telling = _copied(error)
    telling.earlier = earlier
    if _may_go_on(error) and any(other.retry is Retry.LATER for other in earlier):
        # A wrong password at the spare is no reason never to ask again a server that was only out of reach.
        telling.retry = Retry.LATER
    telling.__cause__, telling.__context__ = error.__cause__, error.__context__
    telling.__suppress_context__ = error.__suppress_context__
    return telling.with_traceback(error.__traceback__)


def _copied(error: E) -> E:
    # Not by `copy`, which calls the class with `args`: a stranger's error may be made from other things.
    copied = type(error).__new__(type(error), *error.args)
    copied.__dict__.update(error.__dict__)
    return copied


# --- How each of them does --------------------------------------------------------------------------------------------


class _Blame(Enum):
    """What an error says about the server that it came from."""

    SERVER = "server"
    """It does not work."""
    MAIL = "mail"
    """It works, and will not take this mail, or not now."""
    NOBODY = "nobody"
    """Nothing."""


def _blame(error: TransportError) -> _Blame:
    match error:
        case RefusedError(reply=reply, at=step):
            about_it = step in BEFORE_THE_MAIL and reply.enhanced not in ABOUT_THE_MAIL
            return _Blame.SERVER if about_it or reply.code == GOING_AWAY else _Blame.MAIL
        case ConnectError() | TlsError() | AuthError() | UncertainError():
            return _Blame.SERVER
    return _Blame.NOBODY


@define(eq=False)
class _Spell:
    """A transport's health for as long as it stays so, and the way to the spell that followed."""

    health: Health
    _followed_by: "dict[str, _Spell]" = field(factory=dict, init=False)

    @property
    def latest(self) -> "_Spell":
        spell = self
        while spell._followed_by:
            spell = spell._followed_by["next"]
        return spell

    def end(self, health: Health) -> "_Spell | None":
        """Begin the next spell; None where another mail has ended this one before.

        `dict.setdefault` looks and stores in one step, which no thread can come between: of several mails that saw this
        spell, one ends it, and what the others saw is out of date.
        """
        spell = _Spell(health)
        return spell if self._followed_by.setdefault("next", spell) is spell else None


@define(eq=False)
class _Watch:
    """One transport, and how it does."""

    transport: Transport
    rest: timedelta
    longest_rest: timedelta
    clock: Clock
    _known: _Spell = field(factory=lambda: _Spell(Health()), init=False)

    @property
    def spell(self) -> _Spell:
        """Its present spell."""
        # Only a hint, so that spells gone by are forgotten: an old one that is stored late leads to the latest too.
        self._known = self._known.latest
        return self._known

    def now(self) -> datetime:
        """The time in UTC, since a rest that is reckoned in a zone of its own would change with summer time."""
        return self.clock().astimezone(UTC)

    def trial(self) -> "_Trial | None":
        """The right to give it a mail: while it works, or for one mail at a time once its rest is over."""
        spell = self.spell
        if spell.health.working:
            return _Trial(self, spell)
        if spell.health.probing or spell.health.rests_at(self.now()):
            return None
        probe = spell.end(evolve(spell.health, probing=True))
        return None if probe is None else _Trial(self, probe, probe=True)

    def trial_at_need(self) -> "_Trial":
        """A trial where no other transport is left."""
        return self.trial() or _Trial(self, self.spell)


@frozen
class _Trial:
    """One mail given to one transport, and what it says about that transport.

    Its end counts only if the transport's health is still the one it began under: a mail that was on its way since
    before an outage neither ends the rest nor prolongs it.
    """

    watch: _Watch
    spell: _Spell
    probe: bool = False

    def deliver(self, outgoing: Outgoing) -> Receipt:
        try:
            receipt = self.watch.transport.deliver(outgoing)
        except TransportError as error:
            self._ended(error)
            raise
        except BaseException:
            # Interrupted, or a fault of the transport's own.
            self._unknown()
            raise
        self._works()
        return receipt

    def _ended(self, error: TransportError) -> None:
        match _blame(error):
            case _Blame.SERVER:
                self._fails(error)
            case _Blame.MAIL:
                self._works()
            case _:
                self._unknown()

    def _works(self) -> None:
        health = self.spell.health
        if not health.working:
            self.spell.end(Health(last_error=health.last_error))

    def _unknown(self) -> None:
        if self.probe:
            # The next mail may try.
            self.spell.end(evolve(self.spell.health, probing=False))

    def _fails(self, error: TransportError) -> None:
        health = self.spell.health
        if health.probing and not self.probe:
            # This mail came at need, while another tries whether it is back: the end is that one's.
            return
        failed = evolve(health, failures=health.failures + 1, last_error=_kept(error), probing=False)
        rest = self._next_rest(health)
        if rest is not None:
            now = self.watch.now()
            failed = evolve(failed, resting_since=now, resting_until=now + rest)
        self.spell.end(failed)

    def _next_rest(self, health: Health) -> timedelta | None:
        """How long it shall rest from now on; None where the rest that it has stays as it is."""
        if health.resting_since is None or health.resting_until is None:
            return self.watch.rest
        # At need, before a rest was over, it is tried without ending the rest or prolonging it.
        return min(2 * (health.resting_until - health.resting_since), self.watch.longest_rest) if self.probe else None


def _kept(error: TransportError) -> TransportError:
    """An error to be kept for long: without its traceback, which would keep the mail."""
    kept = _copied(error)
    kept.earlier = ()
    return kept
