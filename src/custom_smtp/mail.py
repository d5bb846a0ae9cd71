"""What an application writes: a mail to one person."""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .addresses import Address
from .checks import ConfigurationError, MailError, each_a, one_line, several, shown, writable

Headers = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 section 3.6.8, short enough to leave room on its line (2.1.1)
_LONGEST_PIECE = 900  # so that, folded, no line passes 998 octets (RFC 5322 section 2.1.1)
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:; ?[A-Za-z0-9-]+=[A-Za-z0-9_.+-]+)*")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?:@[A-Za-z0-9.-]+)?")
_ID_OCTETS = 250  # it stands in one line of a header, which has room for 998 (RFC 5322 section 2.1.1)

WRITTEN_BY_US = {
    "from": "Mail(sender=...)",
    "to": "Mail(to=...) or Mail(shown_to=...)",
    "cc": "Mail(shown_cc=...)",
    "bcc": "Mail.fan_out(bcc=...)",
    "subject": "Mail(subject=...)",
    "reply-to": "Mail(reply_to=...)",
    "date": "Preparation(clock=...)",
    "message-id": "Preparation(new_id=...)",
    "mime-version": "nothing: it is always written",
    "return-path": "Mail(bounces_to=...)",
}
"""Headers that come from a field of the mail, with the field to use instead."""

NO_FREE_TEXT = frozenset(
    name
    for names in (
        "sender in-reply-to references received",  # RFC 5322 section 3.6
        "dkim-signature authentication-results auto-submitted",  # RFC 6376, RFC 8601, RFC 3834
        "disposition-notification-to return-receipt-to errors-to",  # RFC 8098, and older ways to name an address
        "cfbl-address cfbl-feedback-id feedback-id",  # RFC 9477, and Gmail's Feedback Loop
        "precedence priority importance x-priority",
        "x-smtpapi x-msys-api x-mailgun-variables x-mc-metadata x-mc-mergevars x-mt-custom-variables",  # JSON
        "x-mj-customid x-mj-eventpayload x-mj-vars",
        "x-ses-configuration-set x-ses-message-tags",
    )
    for name in names.split()
)
"""Headers that a program reads by a grammar of their own: addresses, ids, links, JSON. There an encoded word would be
taken as it stands (RFC 2047 section 5), so they are written in ASCII alone, and never encoded."""

NO_FREE_TEXT_BEGINS = ("list-", "resent-", "arc-")
"""How the names of whole families of them begin (RFC 2369, RFC 2919, RFC 8058; RFC 5322 section 3.6.6; RFC 8617)."""

FOLDS = re.compile(r"(?<=[^ ]) (?=[^ ])")
"""Where a header may be folded: single spaces, so that unfolding gives the same text back (RFC 5322 section 2.2.3)."""


def is_free_text(name: str) -> bool:
    """Whether a header of this name is for people to read, so that encoded words may stand in it (RFC 2047)."""
    return name.lower() not in NO_FREE_TEXT and not name.lower().startswith(NO_FREE_TEXT_BEGINS)


class CampaignType(StrEnum):
    """Why a mail is sent, as far as the choice of its server goes."""

    SEGMENT_TRIGGERED = "segment_triggered"
    EVENT_TRIGGERED = "event_triggered"
    NEWSLETTER = "newsletter"
    TRIGGERED_BROADCAST = "triggered_broadcast"


class Mode(IntEnum):
    """How closely opens or clicks are tracked, from the strictest on."""

    OFF = 0
    """Not at all: the mail stays as it was written."""
    AGGREGATE = 1
    """Counted by campaign: no token says which person it was. (A link that is personal itself still does.)"""
    INDIVIDUAL = 2
    """Told with the mail and the person."""


def _a_mode(_instance: object, attribute: "Attribute[Any]", mode: Mode) -> None:
    if not isinstance(mode, Mode):
        raise ConfigurationError(f"{attribute.name} is {shown(mode)}: use Mode.OFF, Mode.AGGREGATE or Mode.INDIVIDUAL")


@frozen(kw_only=True)
class Tracking:
    """What is allowed at most: of a mail, of a campaign, by a person.

    Attributes:
        opens: how closely opens may be tracked.
        clicks: how closely clicks may be.

    Raises:
        ConfigurationError: one of them is no `Mode`.
    """

    opens: Mode = field(default=Mode.INDIVIDUAL, validator=_a_mode)
    clicks: Mode = field(default=Mode.INDIVIDUAL, validator=_a_mode)

    def within(self, other: "Tracking") -> "Tracking":
        """What both allow: of opens and of clicks, the stricter."""
        if self.opens <= other.opens and self.clicks <= other.clicks:
            return self
        return Tracking(opens=min(self.opens, other.opens), clicks=min(self.clicks, other.clicks))


def a_tracking(_instance: object, attribute: "Attribute[Any]", tracking: Tracking) -> None:
    """Refuse what is no `Tracking`; a validator for those that take one."""
    if not isinstance(tracking, Tracking):
        raise ConfigurationError(f"{attribute.name} is {shown(tracking)}: write Tracking(opens=Mode.OFF), for example")


@frozen
class Attachment:
    """A file that travels with a mail; with a ``content_id``, a picture that its HTML shows as ``cid:...``.

    Attributes:
        name: the file's name, as the reader sees it.
        content: its bytes.
        content_type: its media type (RFC 2046), such as ``application/pdf``.
        content_id: what the HTML calls it, without angle brackets; None for a file to save.

    Raises:
        MailError: a field cannot be written into a header.
    """

    name: str = field(validator=one_line("the attachment's name"))
    content: bytes = field(repr=lambda content: f"<{len(content)} bytes>")
    content_type: str = "application/octet-stream"
    content_id: str | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.content, bytes):
            raise MailError(f"the attachment {self.name!r} holds {type(self.content).__name__}: give it bytes")
        if not (isinstance(self.content_type, str) and _TYPE.fullmatch(self.content_type)):
            raise MailError(f"{shown(self.content_type)} is no media type: write one such as 'application/pdf'")
        if self.content_type.lower().startswith(("multipart/", "message/")):
            raise MailError(f"an attachment cannot be {self.content_type}: attach it as application/octet-stream")
        if self.content_id is not None and not (
            isinstance(self.content_id, str)
            and len(self.content_id) <= _ID_OCTETS
            and _CONTENT_ID.fullmatch(self.content_id)
        ):
            raise MailError(
                f"{shown(self.content_id)} is no content id: write one such as 'logo', without angle brackets"
            )


def _addresses(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return several(addresses, "address")


def _attachments(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    return several(attachments, "attachment")


def _headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    return tuple(map(_header, several(pairs, "header")))


def _header(pair: tuple[str, str]) -> tuple[str, str]:
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise MailError(f"{pair!r} is no header: write pairs, as in headers=[('X-Name', 'value')] or headers.items()")
    name, value = pair
    return name, value


def _can_be_written(_instance: object, _attribute: "Attribute[Any]", headers: Headers) -> None:
    for name, value in headers:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise MailError(
                f"{shown(name)} is no header name: use 1 to 76 printable ASCII characters without ':' (RFC 5322)"
            )
        if instead := WRITTEN_BY_US.get(name.lower()):
            raise MailError(f"the header {name} is written from the mail itself: use {instead}")
        if name.lower().startswith("content-"):
            raise MailError(f"the header {name} is written from the mail's parts: use text, html and attachments")
        writable(value, f"the header {name}", one_line=True)
        if not (value.isascii() or is_free_text(name)):
            raise MailError(
                f"the header {name} is {shown(value)}, and cannot be encoded (RFC 2047 section 5): write it in ASCII, "
                "percent-encoded in links, with \\u escapes in JSON"
            )
        if value.isascii() and max(map(len, FOLDS.split(value))) > _LONGEST_PIECE:
            raise MailError(
                f"the header {name} has over {_LONGEST_PIECE} octets in one piece: put a single space where it may be "
                "folded"
            )


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

    sender: Address
    to: Address
    subject: str = field(validator=one_line("the subject"))
    text: str | None = field(default=None, validator=_a_body)
    html: str | None = field(default=None, validator=_a_body)
    attachments: tuple[Attachment, ...] = field(
        default=(), converter=_attachments, validator=each_a(Attachment, "give it Attachment values")
    )
    reply_to: Address | None = None
    bounces_to: Address | None = None
    shown_to: tuple[Address, ...] = field(
        default=(), converter=_addresses, validator=each_a(Address, "give it Address values")
    )
    shown_cc: tuple[Address, ...] = field(
        default=(), converter=_addresses, validator=each_a(Address, "give it Address values")
    )
    headers: Headers = field(default=(), converter=_headers, validator=_can_be_written)
    campaign: CampaignType | str | None = None
    tracking: Tracking = field(default=Tracking(), validator=a_tracking)
    unsubscribe: bool = True

    def __attrs_post_init__(self) -> None:
        for role in ("sender", "to", "reply_to", "bounces_to"):
            told = getattr(self, role)
            if not (isinstance(told, Address) or (told is None and role in ("reply_to", "bounces_to"))):
                raise MailError(f"{role} is {shown(told)}: write Address.parse('Ada <ada@example.net>')")
        if self.text is None and self.html is None:
            raise MailError("the mail has no body: give it text, html or both")
        if not isinstance(self.unsubscribe, bool):
            raise MailError(f"unsubscribe is {shown(self.unsubscribe)}: write True or False")
        if self.campaign is not None and not (isinstance(self.campaign, str) and self.campaign):
            raise MailError(
                f"the campaign {self.campaign!r} is no type: use a CampaignType, a name, or None for the fallback"
            )
        if self.campaign:
            writable(self.campaign, "the campaign", one_line=True)

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
