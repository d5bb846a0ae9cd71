"""A mail that another program has written, on its way through this one: its texts and headers may change, no more.

What makes one of bytes is `custom_smtp.mime_reading`; what makes bytes of it again is `custom_smtp.mime_rewriting`.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, TypeVar, Union

from attrs import Attribute, field, frozen
from attrs.validators import optional

from .addresses import Address, an_address
from .body_encodings import Encoding
from .checks import MailError, one_line, writable, yes_or_no
from .headers import Headers, require_writable
from .mail import CampaignType, Mail, Tracking, a_campaign, a_tracking

Sendable = Union[Mail, "FinishedMail"]
"""Either kind of mail."""

AnyMail = TypeVar("AnyMail", bound=Sendable)
"""For what takes either kind, and gives back the same."""


class Untouched(Enum):
    """Why a whole mail is sent as it came, its texts included."""

    ENCRYPTED = "it is encrypted: whatever is changed in it can no longer be opened"
    SIGNED = "it is signed by S/MIME or PGP: a change would break the signature"
    INLINE_PGP = "its text is signed or encrypted by PGP"
    DKIM = "it has a DKIM or ARC signature: to have it tracked, take that out, and let Preparation(signer=...) sign"


@frozen
class HeaderField:
    """One header as it came.

    Attributes:
        name: its name.
        value: its value, unfolded; not decoded.
        wire: its lines as they travel, each ended.
    """

    name: str
    value: str
    wire: bytes = field(repr=False)


@frozen
class TextPart:
    """A part of a mail whose text is known to the last byte, so that it can be changed and written again.

    Attributes:
        media_type: ``text/plain``, ``text/html`` or ``text/x-amp-html``.
        text: what it says, line ends as they are in it.
        charset: by which its bytes were read, as Python calls it.
        encoding: how it travels.
        content: its bytes as they travel.
        fields: its headers; None where they are the mail's own.
    """

    media_type: str
    text: str = field(repr=False)
    charset: str
    encoding: Encoding
    content: bytes = field(repr=False)
    fields: tuple[HeaderField, ...] | None = field(repr=False)


@frozen
class Skeleton:
    """A mail taken apart, ready for the wire.

    Attributes:
        fields: its headers, in their order.
        body: everything below them, in its order: bytes that stay, and the texts that may change.
        boundaries: what no line of a new text may be.
    """

    fields: tuple[HeaderField, ...]
    body: tuple[bytes | TextPart, ...]
    boundaries: frozenset[bytes]

    def text_part(self, media_type: str) -> TextPart | None:
        """The text of this type, if it is one that may change."""
        return next((part for part in self.text_parts() if part.media_type == media_type), None)

    def text_parts(self) -> Iterator[TextPart]:
        """The texts that may change, in their order."""
        return (part for part in self.body if isinstance(part, TextPart))

    def text_of(self, media_type: str) -> str | None:
        """What that text says; None where there is none."""
        part = self.text_part(media_type)
        return None if part is None else part.text


def _writable_where_new(mail: "FinishedMail", _attribute: "Attribute[Any]", headers: Headers) -> None:
    there = {(one.name, one.value) for one in mail.skeleton.fields}
    require_writable(tuple(pair for pair in headers if pair not in there))


@frozen(kw_only=True)
class FinishedMail:
    """A mail to one person that another program has written: `custom_smtp.mime_reading.read` makes it.

    It is sent as a `Mail` is. Change it with ``attrs.evolve``: its text and HTML where it has them, its headers, and
    what is said of it. Whatever is not changed leaves byte for byte as it came.

    Attributes:
        skeleton: the mail, taken apart.
        to: whom it goes to, whatever its headers show.
        sender: who it is from: its From header.
        subject: its subject line, decoded, for lists.
        headers: all its headers, as name and value. New ones are written in front; one that is left out goes.
        text: its plain text; None where it has none, or none that can be changed safely.
        html: its HTML; likewise.
        bounces_to: where the mail server reports failures, if not to ``sender``.
        campaign: the campaign type that chooses the server; None goes to the fallback.
        tracking: how closely it may be tracked at most; a `Tracker` may be stricter.
        unsubscribe: whether an `Unsubscribe` gives it a way to unsubscribe.
        untouched: why it is sent as it came; None where its texts may change.
        notes: what else of it is left alone, or had to be written anew, and why: a sentence each.

    Raises:
        ConfigurationError: ``tracking`` is no `Tracking`.
        MailError: a text is there for which it has no part, or the other way round; or a new header cannot be written.
    """

    skeleton: Skeleton = field(repr=False)
    to: Address = field(validator=an_address)
    sender: Address = field(validator=an_address)
    subject: str = field(default="", validator=one_line("the subject"))
    headers: Headers = field(validator=_writable_where_new)
    text: str | None = field()
    html: str | None = field()
    bounces_to: Address | None = field(default=None, validator=optional(an_address))
    campaign: CampaignType | str | None = field(default=None, validator=optional(a_campaign))
    tracking: Tracking = field(default=Tracking(), validator=a_tracking)
    unsubscribe: bool = field(default=True, validator=yes_or_no(MailError))
    untouched: Untouched | None = None
    notes: tuple[str, ...] = ()

    @headers.default
    def _as_they_came(self) -> Headers:
        return tuple((one.name, one.value) for one in self.skeleton.fields)

    @text.default
    def _text_as_it_came(self) -> str | None:
        return self.skeleton.text_of("text/plain")

    @html.default
    def _html_as_it_came(self) -> str | None:
        return self.skeleton.text_of("text/html")

    def __attrs_post_init__(self) -> None:
        _fits("text", self.text, self.skeleton.text_part("text/plain"))
        _fits("html", self.html, self.skeleton.text_part("text/html"))

    @property
    def amp(self) -> str | None:
        """Its AMP, which is never changed."""
        return self.skeleton.text_of("text/x-amp-html")

    @property
    def smtputf8(self) -> bool:
        """Whether it needs a server with SMTPUTF8 (RFC 6531): for an address, or for headers that are UTF-8 as such."""
        named = (self.sender, self.to, self.bounces_to)
        return any(address is not None and not address.local.isascii() for address in named) or not all(
            one.wire.isascii() for one in self.skeleton.fields
        )


def _fits(role: str, text: str | None, part: TextPart | None) -> None:
    if text is None and part is None:
        return
    if text is None:
        raise MailError(f"{role} is None, and the mail has such a part: a finished mail keeps its parts")
    if part is None:
        raise MailError(f"the finished mail has no part for {role} that can be changed: leave it None")
    writable(text, f"the mail's {role}", one_line=False)
