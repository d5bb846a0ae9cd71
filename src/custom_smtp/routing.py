"""Which server a mail goes through: by its campaign type, and by who can be reached.

`ByCampaign` is the plan; it explains itself and looks for its own weak spots. `Failover` and `RoundRobin` are
transports made of several, which go on to the next one only while the mail cannot have been taken.

Threads may share them. Nothing here locks: what changes is how each transport does, kept as one frozen `Health` that is
replaced in a single step, and only by a mail that saw the one it replaces.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from itertools import combinations, count
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from attrs import Attribute, define, evolve, field, frozen

from .addresses import ascii_domain
from .checks import ConfigurationError, MailError, shown
from .domains import DomainReport, SendingDomain
from .errors import (
    AuthError,
    ConnectError,
    RefusedError,
    Retry,
    RouteError,
    Step,
    TlsError,
    TransportError,
    UncertainError,
)
from .mail import CampaignType, Mail
from .outgoing import Outgoing, Receipt
from .ports import Clock, Sends, Transport
from .system import utc_now

R = TypeVar("R")
E = TypeVar("E", bound=TransportError)


# --- The plan ---------------------------------------------------------------------------------------------------------


def _a_sender(_instance: object, _attribute: "Attribute[Any]", sender: object) -> None:
    if not hasattr(sender, "send"):
        raise ConfigurationError(
            "all_emails names no sender: it is mandatory, since it takes whatever is not assigned; give it Sender(...)"
        )


def _by_type(assigned: Mapping[CampaignType | str, Sends[R]]) -> dict[str, Sends[R]]:
    return {str(campaign): sender for campaign, sender in assigned.items()}


def _names(declared: Collection[str]) -> tuple[str, ...]:
    if isinstance(declared, str):
        raise ConfigurationError(f"declared is one text, {declared!r}: give a list of names, even of one")
    return tuple(str(name) for name in declared)


def _senders(unassigned: Iterable[Sends[R]]) -> tuple[Sends[R], ...]:
    return tuple(unassigned)


@frozen(kw_only=True)
class ByCampaign(Generic[R]):
    """Several servers, one for each campaign type, and a fallback for everything else.

    Attributes:
        all_emails: sends whatever no other is assigned to. Mandatory.
        assigned: who sends which type. A name that is not a `CampaignType` declares a type of one's own.
        declared: types of one's own that have no server yet, and go through ``all_emails``.
        unassigned: servers that were just added ("none"): they send nothing until they are assigned.

    Raises:
        ConfigurationError: the fallback is missing, a type's name is empty, or an unassigned sender is assigned.
    """

    # Left out, it is refused by the check, in our words; type checkers are told by the annotation of `ports.Sends`.
    all_emails: Sends[R] = field(default=cast("Sends[R]", None), validator=_a_sender)
    assigned: Mapping[str, Sends[R]] = field(factory=dict, converter=_by_type)
    declared: tuple[str, ...] = field(default=(), converter=_names)
    unassigned: tuple[Sends[R], ...] = field(default=(), converter=_senders)

    def __attrs_post_init__(self) -> None:
        if not all(self.types):
            raise ConfigurationError("a campaign type has an empty name: name it, or assign it to all_emails")
        for campaign, sender in self.assigned.items():
            if not hasattr(sender, "send"):
                raise ConfigurationError(f"the type {campaign!r} has no sender: give it Sender(...), or take it out")
        working = (self.all_emails, *self.assigned.values())
        if any(sender is other for sender in self.unassigned for other in working):
            raise ConfigurationError("a sender is both assigned and unassigned: take it out of one of them")

    @property
    def types(self) -> tuple[str, ...]:
        """Every campaign type that this plan knows."""
        return tuple(dict.fromkeys([*map(str, CampaignType), *self.assigned, *self.declared]))

    def sender_for(self, mail: Mail, /) -> Sends[R]:
        """Who sends this mail.

        Raises:
            RouteError: nobody declared its campaign type.
        """
        campaign = mail.campaign
        if campaign is None:
            return self.all_emails
        if campaign not in self.types:
            raise RouteError(
                f"no such campaign type: {str(campaign)!r}; this plan knows {', '.join(self.types)}",
                campaign=campaign,
            )
        return self.assigned.get(str(campaign), self.all_emails)

    def send(self, mail: Mail, /) -> R:
        """Send one mail through the server of its type. Raises what that sender raises, and `RouteError`."""
        return self.sender_for(mail).send(mail)

    def explain(self, mail: Mail, /, *, report: DomainReport | None = None) -> "Explanation[R]":
        """Where this mail would go, and why; ``print`` it. Nothing is sent, and nothing is raised.

        ``report`` is what the DNS says about its From domain, if you have asked.
        """
        reason = self._reason(mail.campaign)
        sender = None if reason is Reason.UNKNOWN else self.sender_for(mail)
        added = _domains_of(sender)
        return Explanation(
            campaign=None if mail.campaign is None else str(mail.campaign),
            reason=reason,
            sender=sender,
            domain=mail.sender.domain,
            domain_added=None if added is None else mail.sender.domain in added,
            domain_verified=None if report is None else report.verified,
            types=self.types,
            within=sender.explain(mail, report=report) if isinstance(sender, ByCampaign) else None,
        )

    def _reason(self, campaign: str | None) -> "Reason":
        if campaign in self.assigned:
            return Reason.ASSIGNED
        if campaign in self.declared:
            return Reason.DECLARED
        return Reason.FALLBACK if campaign is None or campaign in self.types else Reason.UNKNOWN

    def lint(
        self,
        *,
        domains: Collection[SendingDomain | str] = (),
        reports: Mapping[str, DomainReport] = MappingProxyType({}),
    ) -> "tuple[PlanFinding, ...]":
        """What in this plan may not be meant so; each finding prints as a sentence, and none is an error.

        A plan without a fallback is not found here: it cannot be made.

        Args:
            domains: the domains that you send from, so that servers which would refuse them are found.
            reports: what the DNS says about domains, by their names, so that those not verified are found.

        Raises:
            ConfigurationError: ``domains`` or ``reports`` names what is no domain.
        """
        asked = {_domain_name(name): report for name, report in reports.items()}
        named = dict.fromkeys([*_domain_names(domains), *asked])
        return (
            *self._types_alike(),
            *self._types_without_server(),
            *self._servers_shared(),
            *map(ServerUnused, self.unassigned),
            *self._domains_not_added(tuple(named)),
            *(DomainNotVerified(name, report) for name, report in asked.items() if not report.verified),
        )

    def _types_alike(self) -> "Iterator[TypesAlike]":
        for first, second in combinations(self.types, 2):
            if _letters(first) == _letters(second):
                yield TypesAlike(first, second)

    def _types_without_server(self) -> "Iterator[TypeWithoutServer]":
        for campaign in self.types:
            if self.assigned.get(campaign, self.all_emails) is self.all_emails:
                yield TypeWithoutServer(campaign)

    def _servers_shared(self) -> "Iterator[ServerShared]":
        types_of: dict[int, list[str]] = {}
        for campaign, sender in self.assigned.items():
            if sender is not self.all_emails:
                types_of.setdefault(id(sender), []).append(campaign)
        for campaigns in types_of.values():
            if len(campaigns) > 1:
                yield ServerShared(self.assigned[campaigns[0]], tuple(campaigns))

    def _domains_not_added(self, names: tuple[str, ...]) -> "Iterator[DomainNotAdded]":
        senders = {id(sender): sender for sender in _leaves(self)}
        for sender in senders.values():
            added = _domains_of(sender)
            for name in names:
                if added is not None and name not in added:
                    yield DomainNotAdded(name, sender)


def _leaves(plan: ByCampaign[R]) -> Iterator[Sends[R]]:
    """Every sender at work in a plan, and in the plans that stand in it."""
    for sender in (plan.all_emails, *plan.assigned.values()):
        yield from _leaves(sender) if isinstance(sender, ByCampaign) else (sender,)


def _domains_of(sender: object) -> Collection[str] | None:
    """The domains that a sender takes mail from; None where it takes any, or does not say."""
    domains: Collection[str] | None = getattr(getattr(sender, "preparation", None), "domains", None)
    return domains


def _domain_names(domains: Collection[SendingDomain | str]) -> list[str]:
    if isinstance(domains, str):
        raise ConfigurationError(f"domains is one text, {domains!r}: give a list, even of one")
    return [_domain_name(one) for one in domains]


def _domain_name(domain: SendingDomain | str) -> str:
    try:
        return domain.name if isinstance(domain, SendingDomain) else ascii_domain(domain)
    except MailError as error:
        raise ConfigurationError(f"{shown(domain)} is named as a sending domain: {error}") from error


def _letters(campaign: str) -> str:
    """A type's name as a hurried reader takes it in."""
    return "".join(filter(str.isalnum, campaign)).casefold() or campaign


# --- The plan, explained ----------------------------------------------------------------------------------------------


class Reason(Enum):
    """Why a mail goes where it goes."""

    ASSIGNED = "assigned"
    """A server is assigned to its type."""
    DECLARED = "declared"
    """Its type was declared and has no server yet: the one for all emails."""
    FALLBACK = "fallback"
    """No server is assigned to its type, or it has none: the one for all emails."""
    UNKNOWN = "unknown"
    """Nobody declared its type: sending it raises `RouteError`."""


@frozen(kw_only=True)
class Explanation(Generic[R]):
    """Where a mail would go, and why; its text is a sentence or two for a person.

    Attributes:
        campaign: the mail's campaign type; None if it has none.
        reason: why it goes there.
        sender: who would send it; None if nobody would.
        domain: the domain it is from.
        domain_added: whether the sender takes mail from that domain; None if it takes any, or does not say.
        domain_verified: whether the domain's DNS records are right; None if that was not asked.
        types: the types that the plan knows.
        within: the same from the plan that stands in this plan's place, if one does.
    """

    campaign: str | None
    reason: Reason
    sender: Sends[R] | None
    domain: str
    domain_added: bool | None
    domain_verified: bool | None
    types: tuple[str, ...] = field(repr=False)
    within: "Explanation[R] | None" = None

    def __str__(self) -> str:
        if self.within is not None:
            return f"{self._route()} There: {self.within}"
        return " ".join(filter(None, (self._route(), self._domain(), self._records())))

    def _route(self) -> str:
        what = "A mail of no campaign type" if self.campaign is None else f"A mail of the type {self.campaign!r}"
        if self.reason is Reason.UNKNOWN:
            return f"{what} goes nowhere: nobody declared that type; this plan knows {', '.join(self.types)}."
        why = _WHY[self.reason] if self.campaign is not None else "the one for all emails"
        return f"{what} goes through {_in_words(self.sender)}, {why}."

    def _domain(self) -> str:
        match self.domain_added:
            case True:
                return f"{self.domain} is one of its sending domains."
            case False:
                added = ", ".join(sorted(_domains_of(self.sender) or ()))
                return f"Yet it would be refused: {self.domain} is none of its sending domains, which are {added}."
        return ""

    def _records(self) -> str:
        if self.domain_verified is None:
            return ""
        return f"The DNS records of {self.domain} are {'right' if self.domain_verified else 'not all right'}."


_WHY = {
    Reason.ASSIGNED: "which is assigned to that type",
    Reason.DECLARED: "the one for all emails, since the type is declared and has no server of its own",
    Reason.FALLBACK: "the one for all emails, since no server is assigned to that type",
}


def _in_words(part: object) -> str:
    """A sender or a transport as a person knows it: by its server, where it names one."""
    if isinstance(part, ByCampaign):
        return "a plan of its own"
    if isinstance(part, Failover | RoundRobin):
        return (" or else " if isinstance(part, Failover) else " in turns with ").join(map(_in_words, part.transports))
    if (inner := getattr(part, "transport", None)) is not None:
        return _in_words(inner)
    return str(getattr(part, "server", None) or type(part).__name__)


@frozen
class TypesAlike:
    """Two types whose names differ in nothing but case, spaces and signs: two servers, perhaps, for one type."""

    first: str
    second: str

    def __str__(self) -> str:
        return f"The types {self.first!r} and {self.second!r} are two to this plan: are they not one?"


@frozen
class TypeWithoutServer:
    """A type with no server of its own."""

    campaign: str

    def __str__(self) -> str:
        return f"The type {self.campaign!r} has no server of its own, and goes through the one for all emails."


@frozen
class ServerShared:
    """One server assigned to several types, so that each bears what the others do to its reputation."""

    sender: Sends[object]
    campaigns: tuple[str, ...]

    def __str__(self) -> str:
        types = ", ".join(map(repr, self.campaigns))
        return f"{_sentence(self.sender)} sends several types, {types}: their reputation is one."


@frozen
class ServerUnused:
    """A server that sends nothing, since no type is assigned to it."""

    sender: Sends[object]

    def __str__(self) -> str:
        return f"{_sentence(self.sender)} sends nothing: no type is assigned to it."


@frozen
class DomainNotAdded:
    """A domain that you send from, and a server that would refuse it."""

    domain: str
    sender: Sends[object]

    def __str__(self) -> str:
        return (
            f"{_sentence(self.sender)} would refuse mail from {self.domain}: add it to its Preparation(domains=...), "
            "or send that mail elsewhere."
        )


@frozen
class DomainNotVerified:
    """A domain whose DNS records are not all right."""

    domain: str
    report: DomainReport

    def __str__(self) -> str:
        return f"The DNS records of {self.domain} are not all right: see its report."


PlanFinding = TypesAlike | TypeWithoutServer | ServerShared | ServerUnused | DomainNotAdded | DomainNotVerified
"""What `ByCampaign.lint` may find."""


def _sentence(sender: object) -> str:
    words = _in_words(sender)
    return words[0].upper() + words[1:] if isinstance(sender, ByCampaign) else words


# --- Several transports as one ----------------------------------------------------------------------------------------


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
    is back: if so it works again, if not it rests twice as long. Where every server rests, they are asked nonetheless,
    that whose rest ends first before the others. What is the matter with a mail or its recipient makes no server rest.

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

    def trial(self) -> "_Trial | None":
        """The right to give it a mail: while it works, or for one mail at a time once its rest is over."""
        spell = self.spell
        if spell.health.working:
            return _Trial(self, spell)
        if spell.health.probing or spell.health.rests_at(self.clock()):
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
            self._ended(_blame(error), error)
            raise
        except BaseException:
            # Interrupted, or a fault of the transport's own: nothing is known, and the next mail may try.
            self._ended(_Blame.NOBODY)
            raise
        self._ended(_Blame.MAIL)
        return receipt

    def _ended(self, blame: _Blame, error: TransportError | None = None) -> None:
        """Begin the transport's next spell, if this mail's end changes how it does."""
        health = self.spell.health
        if blame is _Blame.MAIL and not health.working:
            self.spell.end(Health(last_error=health.last_error))
        elif blame is _Blame.NOBODY and self.probe:
            self.spell.end(evolve(health, probing=False))
        elif blame is _Blame.SERVER and (self.probe or not health.probing):
            # A mail that came at need, while another is the probe, leaves the end to that one.
            self.spell.end(self._failed(health, error))

    def _failed(self, health: Health, error: TransportError | None) -> Health:
        failed = evolve(health, failures=health.failures + 1, last_error=_kept(error), probing=False)
        if health.resting_since is None or health.resting_until is None:
            return self._resting(failed, self.watch.rest)
        if self.probe:
            return self._resting(
                failed, min(2 * (health.resting_until - health.resting_since), self.watch.longest_rest)
            )
        # A try at need, before the rest was over: it neither ends the rest nor prolongs it.
        return failed

    def _resting(self, health: Health, rest: timedelta) -> Health:
        now = self.watch.clock()
        return evolve(health, resting_since=now, resting_until=now + rest)


def _kept(error: TransportError | None) -> TransportError | None:
    """An error to be kept for long: without its traceback, which would keep the mail."""
    if error is None:
        return None
    kept = _copied(error)
    kept.earlier = ()
    return kept
