"""What an application writes: a mail to one person."""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from typing import Any

from attrs import Attribute, evolve, field, frozen
from attrs.validators import optional

from .addresses import Address, an_address
from .body_encodings import LONGEST_LINE, Encoding, base64_blocks
from .checks import ConfigurationError, MailError, each_a, one_line, one_of, several, shown, writable

Headers = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 section 3.6.8, short enough to leave room on its line (2.1.1)
_LONGEST_PIECE = 900  # so that, folded, no line passes 998 octets (RFC 5322 section 2.1.1)
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:; ?[A-Za-z0-9-]+=[A-Za-z0-9_.+-]+)*")
_TYPE_OCTETS = 900  # it stands in one line of a header, which has room for 998 (RFC 5322 section 2.1.1)
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?:@[A-Za-z0-9.-]+)?")
_CALENDAR = re.compile(r"\s*BEGIN:VCALENDAR[\r\n].*[\r\n]END:VCALENDAR\s*", re.IGNORECASE | re.DOTALL)
_METHOD = re.compile(r"[\r\n]METHOD:([^\r\n]*)", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_NOT_IN_CALENDAR = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # RFC 5545 section 3.1, CONTROL
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


MESSAGE = "message/rfc822"
"""The media type of a whole mail inside of another (RFC 2046 section 5.2.1)."""


@frozen
class Attachment:
    """A file that travels with a mail; with a ``content_id``, a picture that its HTML shows as ``cid:...``.

    It is encoded once, however many mails it is in: share one among the mails of a campaign. What it is encoded to is
    kept as long as it is.

    Attributes:
        name: the file's name, as the reader sees it.
        content: its bytes. With the type ``message/rfc822`` they are a mail, and travel as they are: so they have CRLF
            line ends, and no line over 998 octets.
        content_type: its media type (RFC 2046), such as ``application/pdf``.
        content_id: what the HTML calls it, without angle brackets; None for a file to save.

    Raises:
        MailError: a field cannot be written into a header, or a mail cannot travel as it is.
    """

    name: str = field(validator=one_line("the attachment's name"))
    content: bytes = field(repr=lambda content: f"<{len(content)} bytes>")
    content_type: str = "application/octet-stream"
    content_id: str | None = None
    _written: list[tuple[bytes, ...]] = field(init=False, repr=False, eq=False, factory=list)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.content, bytes):
            raise MailError(f"the attachment {self.name!r} holds {type(self.content).__name__}: give it bytes")
        if not (
            isinstance(self.content_type, str)
            and len(self.content_type) <= _TYPE_OCTETS
            and _TYPE.fullmatch(self.content_type)
        ):
            raise MailError(f"{shown(self.content_type)} is no media type: write one such as 'application/pdf'")
        if self.is_message:
            _travels_as_it_is(self.content, self.name)
        elif self.content_type.lower().startswith(("multipart/", "message/")):
            raise MailError(f"an attachment cannot be {self.content_type}: attach it as application/octet-stream")
        if self.content_id is not None and not (
            isinstance(self.content_id, str)
            and len(self.content_id) <= _ID_OCTETS
            and _CONTENT_ID.fullmatch(self.content_id)
        ):
            raise MailError(
                f"{shown(self.content_id)} is no content id: write one such as 'logo', without angle brackets"
            )

    @property
    def is_message(self) -> bool:
        """Whether it is a mail itself."""
        return self.content_type.lower() == MESSAGE

    @property
    def encoding(self) -> Encoding:
        """How it travels: in base64, unless it is a mail, which no encoding may hide (RFC 2046 section 5.2.1)."""
        if not self.is_message:
            return Encoding.BASE64
        return Encoding.SEVEN_BIT if self.content.isascii() else Encoding.EIGHT_BIT

    @property
    def encoded(self) -> tuple[bytes, ...]:
        """Its content as it stands in a mail, in pieces to be joined; encoded when it is first asked for."""
        if self.is_message:
            return (self.content,)
        if not self._written:  # two threads that ask at once write the same
            self._written.append(base64_blocks(self.content))
        return self._written[0]


def _travels_as_it_is(content: bytes, name: str) -> None:
    lines = content.split(b"\r\n")
    if b"\0" in content or b"\r" in (rest := b"".join(lines)) or b"\n" in rest:
        raise MailError(f"the mail {name!r} holds a NUL, or a CR or LF alone: end each of its lines with CRLF")
    if len(max(lines, key=len)) > LONGEST_LINE:
        raise MailError(
            f"the mail {name!r} has a line of over {LONGEST_LINE} octets: attach it as a file of another type"
        )


class Method(StrEnum):
    """What a calendar object asks of whoever gets it (RFC 5546 section 1.4)."""

    PUBLISH = "PUBLISH"
    REQUEST = "REQUEST"
    REPLY = "REPLY"
    ADD = "ADD"
    CANCEL = "CANCEL"
    REFRESH = "REFRESH"
    COUNTER = "COUNTER"
    DECLINECOUNTER = "DECLINECOUNTER"


@frozen
class Invitation:
    """A calendar object (RFC 5545) that mail programs show with buttons to answer it: an invitation, or its end.

    It travels twice, as they expect it: beside the text and the HTML (RFC 6047 section 2.4), and as a file to save.

    Attributes:
        calendar: the whole object, from ``BEGIN:VCALENDAR`` to ``END:VCALENDAR``.
        name: what the file is called.

    Raises:
        MailError: it is no calendar object, or has not one METHOD of RFC 5546.
    """

    calendar: str
    name: str = field(default="invite.ics", validator=one_line("the name of the invitation's file"))

    def __attrs_post_init__(self) -> None:
        writable(self.calendar, "the calendar", one_line=False)
        if found := _NOT_IN_CALENDAR.search(self.calendar):
            raise MailError(f"the calendar holds the control character {found[0]!r} at {found.start()}: take it out")
        if not _CALENDAR.fullmatch(self.calendar):
            raise MailError("the calendar does not begin with BEGIN:VCALENDAR and end with END:VCALENDAR (RFC 5545)")
        told = self._methods
        if len(told) != 1 or told[0] not in Method.__members__:
            raise MailError(
                f"the calendar has the methods {told}: give it one line such as METHOD:REQUEST or METHOD:CANCEL "
                "(RFC 5546 section 1.4)"
            )

    @property
    def method(self) -> Method:
        """What it asks, as it says itself."""
        return Method(self._methods[0])

    @property
    def file(self) -> Attachment:
        """The object as a file to save."""
        return Attachment(self.name, _LINE_ENDS.sub("\r\n", self.calendar).encode(), "application/ics")

    @property
    def _methods(self) -> list[str]:
        return [told.strip().upper() for told in _METHOD.findall(self.calendar)]


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
    require_writable(headers)


def require_writable(headers: Headers) -> None:
    """Raise `MailError` for headers that cannot be written, or are written from elsewhere."""
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


def _an_invitation(_instance: object, _attribute: "Attribute[Any]", invitation: object) -> None:
    if not isinstance(invitation, Invitation):
        raise MailError(f"invitation is {shown(invitation)}: write Invitation('BEGIN:VCALENDAR ...')")


def yes_or_no(_instance: object, attribute: "Attribute[Any]", told: bool) -> None:
    """Refuse what is neither True nor False; a validator for what a mail says of itself."""
    if not isinstance(told, bool):
        raise MailError(f"{attribute.name} is {shown(told)}: write True or False")


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
    headers: Headers = field(default=(), converter=_headers, validator=_can_be_written)
    campaign: CampaignType | str | None = field(default=None, validator=optional(a_campaign))
    tracking: Tracking = field(default=Tracking(), validator=a_tracking)
    unsubscribe: bool = field(default=True, validator=yes_or_no)

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
