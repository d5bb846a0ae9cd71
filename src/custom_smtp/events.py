"""What can happen to a mail, one class for each thing; what happened is never changed, only added to.

State is worked out from events (see `custom_smtp.state`), so late, double or disordered reports do no harm.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self

from attrs import field, fields, frozen

from .checks import ConfigurationError, shown
from .errors import Retry, Step
from .identifiers import DeliveryId
from .replies import Reply


def _names(several: Iterable[str]) -> tuple[str, ...]:
    return tuple(several)


@frozen(kw_only=True, slots=False)  # `told` fills it at once
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
        ConfigurationError: the time has no zone, source or key is empty, or one of the texts is none.
    """

    delivery_id: DeliveryId | None
    recipient: str
    at: datetime
    source: str
    key: str
    raw: Mapping[str, Any] | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        _check_about(self.recipient, self.at, source=self.source, key=self.key)

    @classmethod
    def told(
        cls,
        *,
        delivery_id: DeliveryId | None,
        recipient: str,
        at: datetime,
        source: str,
        key: str,
        raw: Mapping[str, Any] | None,
    ) -> Self:
        """The same, checked alike and made in half the time: for whoever makes one for each report of a batch."""
        if not (
            type(recipient) is type(source) is type(key) is str
            and source
            and key
            and type(at) is datetime
            and at.tzinfo is UTC
        ):
            _check_about(recipient, at, source=source, key=key)
        about = _made(cls)
        held = about.__dict__
        held["delivery_id"] = delivery_id
        held["recipient"] = recipient
        held["at"] = at
        held["source"] = source
        held["key"] = key
        held["raw"] = raw
        return about


_made = object.__new__  # asked for once, and not with each event


def _check_about(recipient: object, at: object, **said: object) -> None:
    """Say which part is wrong; right are also a time in another zone and a kind of text of its own."""
    if not isinstance(recipient, str):
        raise ConfigurationError(
            f"recipient is {shown(recipient)}: give the address as text, empty where it is unknown"
        )
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ConfigurationError(f"at is {at!r}, with no time zone: use datetime.now(UTC)")
    for name, text in said.items():
        if not isinstance(text, str) or not text:
            raise ConfigurationError(
                f"{name} is {shown(text)}: a report without one could not be told from another, so make one"
            )


def _check_texts(event: Any) -> None:
    """Say which field that is text holds something else: a link that is a number, a reason that is a list."""
    for one in fields(type(event)):
        if one.type is str and not isinstance(text := getattr(event, one.name), str):
            raise ConfigurationError(f"{one.name} is {shown(text)}: give it as text, empty where there is none")


@frozen
class Attempted:
    """A server could not be talked to: no connection, no secret channel, or no login. Nothing left."""

    about: About
    error: str
    retry: Retry = Retry.LATER

    def __attrs_post_init__(self) -> None:
        if type(self.error) is not str:
            _check_texts(self)


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

    def __attrs_post_init__(self) -> None:
        if type(self.error) is not str:
            _check_texts(self)


class Cause(Enum):
    """Why a mail came back, as far as the report says; and what to do about it.

    What each is read from stands in `custom_smtp.bounce_phrases`.
    """

    NO_SUCH_USER = "no_such_user"
    """The domain does not know the address. Do not write to it again."""
    NO_SUCH_DOMAIN = "no_such_domain"
    """The domain does not exist, or has no mail server. Do not write to it again."""
    NO_MAIL_TAKEN = "no_mail_taken"
    """The domain takes no mail at all (RFC 7505). Do not write to it again."""
    MOVED = "moved"
    """The person has another address now. Do not write to this one again."""
    MAILBOX_DISABLED = "mailbox_disabled"
    """The account is closed, suspended or long unused. Do not write to it again."""
    MAILBOX_FULL = "mailbox_full"
    """The person has no room left. Try with a later mail; give up after some weeks."""
    TOO_LARGE = "too_large"
    """The mail is larger than they take. Make it smaller."""
    RECIPIENT_REFUSES = "recipient_refuses"
    """The person, or a rule of theirs, turns your mail away. Write to them no more than they asked for."""
    SPAM = "spam"
    """The mail was taken for spam. Look at its content and at whom you send it to."""
    VIRUS = "virus"
    """A scanner found malware in the mail. Look at what it carries."""
    CONTENT = "content"
    """Something in the mail or its form is not allowed there: an attachment, a header. Change it."""
    REPUTATION = "reputation"
    """Your address, domain or server is on a list, or has a bad name. Ask to be taken off; find out why."""
    AUTHENTICATION = "authentication"
    """SPF, DKIM, DMARC or the name of your server's address (PTR) is missing or wrong. Mend your DNS."""
    SENDER_REFUSED = "sender_refused"
    """The address in MAIL FROM or From is not taken. Check that it exists and takes mail."""
    POLICY = "policy"
    """A rule of theirs that is not told more exactly. Ask their postmaster."""
    RELAY_DENIED = "relay_denied"
    """The server does not feel responsible for that domain, or wants a login. Check your login, then their MX."""
    RATE_LIMITED = "rate_limited"
    """Too many mails or connections at once. Send more slowly."""
    GREYLISTED = "greylisted"
    """A new sender is put off once. Try again after some minutes, from the same address."""
    TLS = "tls"
    """They want a secret channel, or it could not be made. Check TLS of your server."""
    PROTOCOL = "protocol"
    """The two servers did not understand each other. Tell whoever runs yours."""
    LOOP = "loop"
    """The mail went in circles. Only they can mend it; try with a later mail."""
    NETWORK = "network"
    """Their server could not be reached, or the line broke. Try with a later mail."""
    EXPIRED = "expired"
    """It was tried until time ran out. Try with a later mail."""
    SYSTEM_FULL = "system_full"
    """Their server has no room left. Try with a later mail."""
    SYSTEM_ERROR = "system_error"
    """Something is broken there. Try with a later mail."""
    UNKNOWN = "unknown"
    """The report does not say, or not in words known here. Read its reason."""


@frozen
class Delivered:
    """The recipient's own server took the mail."""

    about: About
    reply: str = ""

    def __attrs_post_init__(self) -> None:
        if type(self.reply) is not str:
            _check_texts(self)

    @property
    def smtp_code(self) -> int | None:
        """The three digits that the recipient's server answered, such as 250; None where the report tells none."""
        return _smtp_code_in(self.reply)


def _smtp_code_in(said: str) -> int | None:
    """A server's reply code (RFC 5321 section 4.2), as reports write it: in front, or where the server is quoted."""
    found = _SMTP_CODE.search(said)
    return int(found[1] or found[2]) if found else None


_SMTP_CODE = re.compile(
    r"(?:^|smtp; ?|[(:] ?)([245][0-5]\d)(?=[\s-]|$)"  # "550 no", "smtp;550 no", "sent (250 OK)", "it said: 550 no"
    r"|(?<![\d.])([245][0-5]\d)(?=[ -][245]\.\d{1,3}\.\d)",  # "they said 550 5.1.1 no"
    re.ASCII,
)


@frozen
class Deferred:
    """The recipient's server did not take it yet; the sending server goes on trying.

    Attributes:
        about: which mail.
        reason: in the words of whoever reported it.
        status: the enhanced status code (RFC 3463); empty where none was told.
        cause: the reason as one of a few.
    """

    about: About
    reason: str = ""
    status: str = ""
    cause: Cause = Cause.UNKNOWN

    def __attrs_post_init__(self) -> None:
        if not (type(self.reason) is type(self.status) is str):
            _check_texts(self)

    @property
    def smtp_code(self) -> int | None:
        """The three digits that the recipient's server answered, such as 451; None where the reason tells none."""
        return _smtp_code_in(self.reason)


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


@frozen(slots=False)
class Bounced:
    """The mail was not delivered and will not be.

    Attributes:
        about: which mail.
        kind: what it says about the address.
        reason: in the words of whoever reported it.
        status: the enhanced status code (RFC 3463), such as ``5.1.1``; empty where none was told.
        cause: the reason as one of a few, each with what it calls for.
    """

    about: About
    kind: BounceKind
    reason: str = ""
    status: str = ""
    cause: Cause = Cause.UNKNOWN

    @classmethod
    def told(cls, about: About, kind: BounceKind, reason: str, status: str, cause: Cause, /) -> Self:
        """The same, checked alike and made faster: see `About.told`."""
        bounced = _made(cls)
        held = bounced.__dict__
        held["about"] = about
        held["kind"] = kind
        held["reason"] = reason
        held["status"] = status
        held["cause"] = cause
        if not (type(reason) is type(status) is str):
            _check_texts(bounced)
        return bounced

    def __attrs_post_init__(self) -> None:
        if not (type(self.reason) is type(self.status) is str):
            _check_texts(self)

    @property
    def smtp_code(self) -> int | None:
        """The three digits that the recipient's server answered, such as 550; None where the reason tells none."""
        return _smtp_code_in(self.reason)


class DropKind(Enum):
    """Why a provider did not even try, and what to do about it."""

    SUPPRESSED = "suppressed"
    """The person bounced, complained or unsubscribed before, or stands on a list of yours there. Look for that report:
    it is what forbids writing to them."""
    INVALID = "invalid"
    """The address cannot be one, or its domain takes no mail. Correct it."""
    POLICY = "policy"
    """A rule of the provider's on the mail, its sender or your account: a spam filter, a quota. Look at its reason."""
    FAILED = "failed"
    """The mail could not be made or handed on: a template, a header of the provider's. Mend it."""
    UNKNOWN = "unknown"
    """The report does not say, or not in words known here. Read its reason."""


@frozen
class Dropped:
    """The provider did not even try.

    Attributes:
        about: which mail.
        reason: in the words of whoever reported it.
        kind: the reason as one of a few.
        status: the enhanced status code (RFC 3463); empty where none was told.
    """

    about: About
    reason: str = ""
    kind: DropKind = DropKind.UNKNOWN
    status: str = ""

    def __attrs_post_init__(self) -> None:
        if not (type(self.reason) is type(self.status) is str):
            _check_texts(self)

    @property
    def smtp_code(self) -> int | None:
        """The three digits that the provider gives for it, such as 554; None where the reason tells none."""
        return _smtp_code_in(self.reason)


@frozen(slots=False)
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

    @classmethod
    def told(
        cls,
        about: About,
        *,
        user_agent: str,
        client: str,
        evidence: tuple[str, ...] = (),
        prefetched: bool = False,
        proxied: bool = False,
        campaign: str = "",
        second_hand: bool = True,
    ) -> Self:
        """The same, checked alike and made faster: see `About.told`."""
        opened = _made(cls)
        held = opened.__dict__
        held["about"] = about
        held["proxied"] = proxied
        held["prefetched"] = prefetched
        held["synthetic"] = False
        held["evidence"] = evidence
        held["user_agent"] = user_agent
        held["client"] = client
        held["campaign"] = campaign
        held["second_hand"] = second_hand
        if not (type(user_agent) is type(client) is type(campaign) is str):
            _check_texts(opened)
        return opened

    def __attrs_post_init__(self) -> None:
        if not (type(self.user_agent) is type(self.client) is type(self.campaign) is str):
            _check_texts(self)


@frozen(slots=False)
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

    @classmethod
    def told(
        cls,
        about: About,
        url: str,
        *,
        user_agent: str,
        client: str,
        link: str = "",
        evidence: tuple[str, ...] = (),
        machine: bool = False,
        campaign: str = "",
        second_hand: bool = True,
    ) -> Self:
        """The same, checked alike and made faster: see `About.told`."""
        clicked = _made(cls)
        held = clicked.__dict__
        held["about"] = about
        held["url"] = url
        held["link"] = link
        held["machine"] = machine
        held["evidence"] = evidence
        held["user_agent"] = user_agent
        held["client"] = client
        held["campaign"] = campaign
        held["second_hand"] = second_hand
        if not (type(url) is type(link) is type(user_agent) is type(client) is type(campaign) is str):
            _check_texts(clicked)
        return clicked

    def __attrs_post_init__(self) -> None:
        if not (
            type(self.url)
            is type(self.link)
            is type(self.user_agent)
            is type(self.client)
            is type(self.campaign)
            is str
        ):
            _check_texts(self)


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
    scope: str = field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not (type(self.reason) is type(self.scope) is str):
            _check_texts(self)


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
    scope: str = field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if type(self.scope) is not str:
            _check_texts(self)


@frozen
class AutoReplied:
    """A machine answered: on holiday, address changed. Not a bounce."""

    about: About
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        if type(self.reason) is not str:
            _check_texts(self)


@frozen
class Unrecognised:
    """A proven report of a kind not known here; kept, so that a newer version can read it again."""

    about: About
    name: str

    def __attrs_post_init__(self) -> None:
        if type(self.name) is not str:
            _check_texts(self)


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
