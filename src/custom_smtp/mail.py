"""What an application writes: a mail to one person."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Any

from attrs import Attribute, evolve, field, frozen
from attrs.validators import optional

from .addresses import Address, an_address
from .attachments import Attachment, Invitation
from .checks import ConfigurationError, MailError, each_a, one_line, one_of, several, shown, writable, yes_or_no
from .headers import Headers, are_writable, as_headers


class CampaignType(StrEnum):
    """Why a mail is sent, as far as the choice of its server goes."""

    SEGMENT_TRIGGERED = "segment_triggered"
    EVENT_TRIGGERED = "event_triggered"
    NEWSLETTER = "newsletter"
    TRIGGERED_BROADCAST = "triggered_broadcast"


def a_campaign(_instance: object, _attribute: "Attribute[Any]", campaign: CampaignType | str) -> None:
    """Refuse what is no campaign type; a validator for those that take one."""
    if not (isinstance(campaign, str) and campaign):
        raise MailError(f"the campaign {campaign!r} is no type: use a CampaignType, a name, or None for the fallback")
    writable(campaign, "the campaign", one_line=True)


class Mode(IntEnum):
    """How closely opens or clicks are tracked, from the strictest on."""

    OFF = 0
    """Not at all: the mail stays as it was written."""
    AGGREGATE = 1
    """Counted by campaign: no token says which person it was. (A link that is personal itself still does.)"""
    INDIVIDUAL = 2
    """Told with the mail and the person."""


@frozen(kw_only=True)
class Tracking:
    """What is allowed at most: of a mail, of a campaign, by a person.

    Attributes:
        opens: how closely opens may be tracked.
        clicks: how closely clicks may be.

    Raises:
        ConfigurationError: one of them is no `Mode`.
    """

    opens: Mode = field(default=Mode.INDIVIDUAL, validator=one_of(Mode))
    clicks: Mode = field(default=Mode.INDIVIDUAL, validator=one_of(Mode))

    def within(self, other: "Tracking") -> "Tracking":
        """What both allow: of opens and of clicks, the stricter."""
        if self.opens <= other.opens and self.clicks <= other.clicks:
            return self
        return Tracking(opens=min(self.opens, other.opens), clicks=min(self.clicks, other.clicks))


def a_tracking(_instance: object, attribute: "Attribute[Any]", tracking: Tracking) -> None:
    """Refuse what is no `Tracking`; a validator for those that take one."""
    if not isinstance(tracking, Tracking):
        raise ConfigurationError(f"{attribute.name} is {shown(tracking)}: write Tracking(opens=Mode.OFF), for example")


def _addresses(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return several(addresses, "address")


def _attachments(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    return several(attachments, "attachment")


def _an_invitation(_instance: object, _attribute: "Attribute[Any]", invitation: object) -> None:
    if not isinstance(invitation, Invitation):
        raise MailError(f"invitation is {shown(invitation)}: write Invitation('BEGIN:VCALENDAR ...')")


def _a_body(_instance: object, attribute: "Attribute[Any]", body: str | None) -> None:
    if body is not None:
        writable(body, f"the mail's {attribute.name}", one_line=False)


@frozen(kw_only=True)
class Mail:
    """One mail to one person.

    Tracking, the archive and reports are all kept by that pair. A message to several people is one `Mail` for each,
    which `fan_out` makes.

    Attributes:
        sender: who it is from, as the reader sees it.
        to: whom it goes to.
        subject: its subject line, any language.
        text: the plain text; give it, or ``html``, or both.
        html: the HTML.
        amp: the same as AMP, which programs that know it show instead of the HTML (amp.dev, "AMP Email structure").
        invitation: a calendar object, which programs show with buttons to answer it.
        attachments: files, and pictures shown in the HTML.
        reply_to: where answers go, if not to ``sender``.
        bounces_to: where the mail server reports failures (the envelope's sender), if not to ``sender``.
        shown_to: what the To header shows, if not ``to`` alone.
        shown_cc: what the Cc header shows.
        headers: further headers, as name and value.
        campaign: the campaign type that chooses the server; None goes to the fallback.
        tracking: how closely it may be tracked at most; a `Tracker` may be stricter.
        unsubscribe: whether an `Unsubscribe` gives it a way to unsubscribe; False for what its reader has to get.

    Raises:
        ConfigurationError: ``tracking`` is no `Tracking`.
        MailError: it cannot be written; the message says what to change.
    """

    sender: Address = field(validator=an_address)
    to: Address = field(validator=an_address)
    subject: str = field(validator=one_line("the subject"))
    text: str | None = field(default=None, validator=_a_body)
    html: str | None = field(default=None, validator=_a_body)
    amp: str | None = field(default=None, validator=_a_body)
    invitation: Invitation | None = field(default=None, validator=optional(_an_invitation))
    attachments: tuple[Attachment, ...] = field(
        default=(), converter=_attachments, validator=each_a(Attachment, "give it Attachment values")
    )
    reply_to: Address | None = field(default=None, validator=optional(an_address))
    bounces_to: Address | None = field(default=None, validator=optional(an_address))
    shown_to: tuple[Address, ...] = field(
        default=(), converter=_addresses, validator=each_a(Address, "give it Address values")
    )
    shown_cc: tuple[Address, ...] = field(
        default=(), converter=_addresses, validator=each_a(Address, "give it Address values")
    )
    headers: Headers = field(default=(), converter=as_headers, validator=are_writable)
    campaign: CampaignType | str | None = field(default=None, validator=optional(a_campaign))
    tracking: Tracking = field(default=Tracking(), validator=a_tracking)
    unsubscribe: bool = field(default=True, validator=yes_or_no(MailError))

    def __attrs_post_init__(self) -> None:
        if self.text is None and self.html is None:
            raise MailError(
                "the mail has no body: give it text, html or both, beside which amp and an invitation may stand"
            )

    @property
    def smtputf8(self) -> bool:
        """Whether an address in it needs a server with SMTPUTF8 (RFC 6531)."""
        shown = (self.sender, self.to, self.reply_to, self.bounces_to, *self.shown_to, *self.shown_cc)
        return any(address is not None and not address.local.isascii() for address in shown)

    def fan_out(
        self, *, to: Iterable[Address] = (), cc: Iterable[Address] = (), bcc: Iterable[Address] = ()
    ) -> "tuple[Mail, ...]":
        """The same message to several people: one mail each, all showing the same To and Cc, and no Bcc.

        Where ``bcc`` alone is given, To and Cc go on showing what this mail shows. A person named twice gets one mail.

        Raises:
            MailError: nobody was named, or somebody in ``cc`` and nobody in ``to``; or what is named is no address.
        """
        to, cc, bcc = _people("to", to), _people("cc", cc), _people("bcc", bcc)
        if cc and not to:
            raise MailError("cc without to leaves the To header nobody to show: name somebody in to, or write to bcc")
        people = {address.key: address for address in (*bcc, *cc, *to)}
        if not people:
            raise MailError("nobody to send to: name somebody in to, cc or bcc")
        shown = (to, cc) if to else (self.shown_to or (self.to,), self.shown_cc)
        everybody = [people.pop(address.key) for address in (*to, *cc, *bcc) if address.key in people]
        return tuple(evolve(self, to=address, shown_to=shown[0], shown_cc=shown[1]) for address in everybody)


def _people(role: str, named: Iterable[Address]) -> tuple[Address, ...]:
    people = several(named, role)
    for person in people:
        if not isinstance(person, Address):
            raise MailError(f"{role} holds {shown(person)}: write Address.parse('Ada <ada@example.net>')")
    return people
