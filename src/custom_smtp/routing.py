"""Which server a mail goes through: by its campaign type, and by who can be reached."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

from attrs import Attribute, evolve, field, frozen

from .checks import ConfigurationError
from .errors import AuthError, ConnectError, RefusedError, RouteError, Step, TlsError, TransportError
from .mail import CampaignType, Mail
from .outgoing import Outgoing, Receipt
from .ports import Sends, Transport

R = TypeVar("R")


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


SAFE_TO_GO_ON = (ConnectError, TlsError, AuthError)
"""Errors after which nothing has been said about the mail, so that another server may be asked."""

BEFORE_THE_MAIL = frozenset({Step.CONNECT, Step.EHLO, Step.STARTTLS, Step.AUTH})
"""Steps at which a refusal, even for good, is about the server and not about the mail."""


def _transports(several: Iterable[Transport]) -> tuple[Transport, ...]:
    return tuple(several)


def _some(_instance: object, _attribute: "Attribute[Any]", transports: tuple[Transport, ...]) -> None:
    if not transports:
        raise ConfigurationError("a Failover of no transports delivers nothing: give it at least one")


@frozen
class Failover:
    """A transport that asks the next server where one cannot be reached or is busy.

    It goes on only from states in which the mail cannot have been taken: no connection, no secret channel, no login,
    or a temporary refusal before the content was sent. It never goes on from a lasting refusal of the mail, and never
    from an uncertain end, which would mail the person twice.

    Attributes:
        transports: in the order in which they are asked.
    """

    transports: tuple[Transport, ...] = field(converter=_transports, validator=_some)

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Deliver by the first server that can.

        Raises:
            TransportError: the last server's; ``earlier`` holds what the others said.
        """
        return _deliver(outgoing, self.transports, earlier=())


def _deliver(outgoing: Outgoing, transports: tuple[Transport, ...], *, earlier: tuple[TransportError, ...]) -> Receipt:
    first, *others = transports
    try:
        receipt = first.deliver(outgoing)
    except TransportError as error:
        # A transport may be a Failover itself: what it tried comes first.
        error.earlier = (*earlier, *error.earlier)
        if not others or not _may_go_on(error):
            raise
        failed = error
    else:
        return evolve(receipt, earlier=(*earlier, *receipt.earlier))
    return _deliver(outgoing, tuple(others), earlier=(*failed.earlier, failed))


def _may_go_on(error: TransportError) -> bool:
    if isinstance(error, RefusedError):
        return error.at in BEFORE_THE_MAIL or (error.reply.temporary and error.at is not Step.CONTENT)
    return isinstance(error, SAFE_TO_GO_ON)
