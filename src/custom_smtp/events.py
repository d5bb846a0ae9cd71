"""What can happen to a mail, one class for each thing; what happened is never changed, only added to.

State is worked out from events (see `custom_smtp.state`), so late, double or disordered reports do no harm.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError, aware, shown
from .errors import Retry, Step
from .identifiers import DeliveryId
from .replies import Reply


def _said(_instance: object, attribute: "Attribute[Any]", text: str) -> None:
    if not isinstance(text, str) or not text:
        raise ConfigurationError(
            f"{attribute.name} is {shown(text)}: a report without one could not be told from another, so make one"
        )


def _a_scope(_instance: object, attribute: "Attribute[Any]", text: str) -> None:
    if not isinstance(text, str):
        raise ConfigurationError(f"{attribute.name} is {shown(text)}: name a group or a stream; leave it out for all")


def _names(several: Iterable[str]) -> tuple[str, ...]:
    return tuple(several)


@frozen(kw_only=True)
class About:
    """Which mail, which person, who says so, and when: the part that every event has.

    Attributes:
        delivery_id: our id for the mail; None where the report names none of ours.
        recipient: the person's address, as reported.
        at: when it happened.
        source: who says so: ``smtp``, ``tracking``, ``bounce-mail``, or a provider's name.
        key: tells this report from every other of its source; the same report told twice has the same key.
        raw: the report itself, that event alone; None where there is none.

    Raises:
        ConfigurationError: the time has no zone, or source or key is empty.
    """

    delivery_id: DeliveryId | None
    recipient: str
    at: datetime = field(validator=aware)
    source: str = field(validator=_said)
    key: str = field(validator=_said)
    raw: Mapping[str, Any] | None = field(default=None, repr=False)


@frozen
class Attempted:
    """A server could not be talked to: no connection, no secret channel, or no login. Nothing left."""

    about: About
    error: str
    retry: Retry = Retry.LATER


@frozen
class Accepted:
    """Our server took the mail."""

    about: About
    reply: Reply


@frozen
class Refused:
    """Our server refused the mail while we talked to it."""

    about: About
    reply: Reply
    at_step: Step

    @property
    def permanent(self) -> bool:
        """Whether another try would be refused alike."""
        return not self.reply.temporary


@frozen
class Uncertain:
    """The line broke after the mail's last byte: it may have been accepted."""

    about: About
    error: str


@frozen
class Delivered:
    """The recipient's own server took the mail."""

    about: About
    reply: str = ""


@frozen
class Deferred:
    """The recipient's server did not take it yet; the sending server goes on trying."""

    about: About
    reason: str = ""
    status: str = ""


class BounceKind(Enum):
    """What a bounce says about the address."""

    HARD = "hard"
    """The address does not work: do not write to it again."""
    SOFT = "soft"
    """It could not be delivered this time: a full mailbox, a server that stayed away."""
    BLOCK = "block"
    """The mail or its sender was turned away, for content, reputation or policy; the address may be good."""
    UNDETERMINED = "undetermined"
    """The report does not say."""


@frozen
class Bounced:
    """The mail was not delivered and will not be.

    Attributes:
        about: which mail.
        kind: what it says about the address.
        reason: in the words of whoever reported it.
        status: the enhanced status code (RFC 3463), such as ``5.1.1``; empty where none was told.
    """

    about: About
    kind: BounceKind
    reason: str = ""
    status: str = ""


@frozen
class Dropped:
    """The provider did not even try, since the person had bounced, complained or unsubscribed before."""

    about: About
    reason: str = ""


@frozen
class Opened:
    """The mail's pixel was loaded.

    The flags are a first verdict, from this request alone; `custom_smtp.state` gives the final one.

    Attributes:
        about: which mail.
        proxied: a proxy loaded it in a person's stead and hides who and where.
        prefetched: a machine loaded it, whether or not a person ever looks.
        synthetic: no pixel was loaded; a click implies the open.
        evidence: by name, what the flags rest on.
        user_agent: of the request; hashed or empty where that was asked for, empty where unknown.
        client: the address it came from; cut to a range, hashed or empty where that was asked for.
        campaign: the campaign, where no person and no mail is named since opens are counted together.
        second_hand: a provider tells of it; nobody asked us for the pixel.
    """

    about: About
    proxied: bool = field(default=False, kw_only=True)
    prefetched: bool = field(default=False, kw_only=True)
    synthetic: bool = field(default=False, kw_only=True)
    evidence: tuple[str, ...] = field(default=(), converter=_names, kw_only=True)
    user_agent: str = field(default="", kw_only=True)
    client: str = field(default="", kw_only=True)
    campaign: str = field(default="", kw_only=True)
    second_hand: bool = field(default=False, kw_only=True)


@frozen
class Clicked:
    """A link was followed.

    The flag is a first verdict, from this request alone; `custom_smtp.state` gives the final one.

    Attributes:
        about: which mail.
        url: where it leads.
        link: which link of the mail, where links are told apart; may be empty.
        machine: a scanner followed it, not a person.
        evidence: by name, what the flag rests on.
        user_agent: of the request; hashed or empty where that was asked for, empty where unknown.
        client: the address it came from; cut to a range, hashed or empty where that was asked for.
        campaign: the campaign, where no person and no mail is named since clicks are counted together.
        second_hand: a provider tells of it; nobody asked us for the link.
    """

    about: About
    url: str
    link: str = field(default="", kw_only=True)
    machine: bool = field(default=False, kw_only=True)
    evidence: tuple[str, ...] = field(default=(), converter=_names, kw_only=True)
    user_agent: str = field(default="", kw_only=True)
    client: str = field(default="", kw_only=True)
    campaign: str = field(default="", kw_only=True)
    second_hand: bool = field(default=False, kw_only=True)


@frozen
class Complained:
    """The person called it spam."""

    about: About


@frozen
class Unsubscribed:
    """The person does not want such mail any more.

    Attributes:
        about: which mail and whom.
        reason: in the words of whoever reported it.
        scope: the provider's group or stream that it holds for; empty for all.

    Raises:
        ConfigurationError: the scope is no text.
    """

    about: About
    reason: str = ""
    scope: str = field(default="", kw_only=True, validator=_a_scope)


@frozen
class Resubscribed:
    """The person, or somebody for them, lifted an earlier unsubscription or block.

    Attributes:
        about: whom.
        scope: the provider's group or stream that it holds for, and for no other; empty for an address as a whole.

    Raises:
        ConfigurationError: the scope is no text.
    """

    about: About
    scope: str = field(default="", kw_only=True, validator=_a_scope)


@frozen
class AutoReplied:
    """A machine answered: on holiday, address changed. Not a bounce."""

    about: About
    reason: str = ""


@frozen
class Unrecognised:
    """A proven report of a kind not known here; kept, so that a newer version can read it again."""

    about: About
    name: str


Event = (
    Attempted
    | Accepted
    | Refused
    | Uncertain
    | Delivered
    | Deferred
    | Bounced
    | Dropped
    | Opened
    | Clicked
    | Complained
    | Unsubscribed
    | Resubscribed
    | AutoReplied
    | Unrecognised
)
"""Anything that can happen."""
