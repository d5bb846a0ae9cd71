"""Which server a mail goes through, by its campaign type: a plan that explains itself and finds its own weak spots."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from itertools import combinations
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from attrs import Attribute, field, frozen

from .checks import ConfigurationError, shown
from .domains import DomainReport, SendingDomain, names_of
from .errors import RouteError
from .failover import Failover, RoundRobin
from .mail import CampaignType
from .merging import ToSend
from .ports import Sends

R = TypeVar("R")


def _a_sender(_instance: object, _attribute: "Attribute[Any]", sender: object) -> None:
    if not hasattr(sender, "send"):
        raise ConfigurationError(
            "all_emails names no sender: it is mandatory, since it takes whatever is not assigned; give it Sender(...)"
        )


def _by_type(assigned: Mapping[CampaignType | str, Sends[R]]) -> dict[str, Sends[R]]:
    if not isinstance(assigned, Mapping):
        raise ConfigurationError(
            f"assigned is a {type(assigned).__name__}: give a table such as {{'newsletter': sender}}"
        )
    return {str(campaign): sender for campaign, sender in assigned.items()}


def _names(declared: Collection[str]) -> tuple[str, ...]:
    if isinstance(declared, str) or not isinstance(declared, Iterable):
        raise ConfigurationError(f"declared is {shown(declared)}: give a list of names, even of one")
    return tuple(str(name) for name in declared)


def _senders(unassigned: Iterable[Sends[R]]) -> tuple[Sends[R], ...]:
    if not isinstance(unassigned, Iterable):
        raise ConfigurationError(f"unassigned is a {type(unassigned).__name__}: give a list of senders, even of one")
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

    def sender_for(self, mail: ToSend, /) -> Sends[R]:
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

    def send(self, mail: ToSend, /) -> R:
        """Send one mail through the server of its type. Raises what that sender raises, and `RouteError`."""
        return self.sender_for(mail).send(mail)

    def explain(self, mail: ToSend, /, *, report: DomainReport | None = None) -> "Explanation[R]":
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
        asked = dict(zip(names_of(reports), reports.values(), strict=True))
        named = dict.fromkeys([*names_of(domains), *asked])
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
