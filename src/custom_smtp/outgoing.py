"""Final bytes on their way, and what became of them."""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from attrs import Attribute, field, frozen

from .addresses import Address
from .body_encodings import LONGEST_LINE
from .checks import MailError, aware, each_a, one_of, several, shown
from .errors import Refusal, TransportError
from .identifiers import DeliveryId
from .replies import Reply

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")
_ENVELOPE_ID = re.compile(r"[A-Za-z0-9._-]{0,100}")


def _recipients(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return several(addresses, "recipients")


class Notify(StrEnum):
    """When the server shall report on a recipient (RFC 3461 section 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


class Returned(StrEnum):
    """How much of the mail a report brings back (RFC 3461 section 4.3)."""

    FULL = "FULL"
    HEADERS = "HDRS"


def _occasions(several: Iterable[Notify]) -> tuple[Notify, ...]:
    return tuple(several)


def _an_envelope_id(_instance: object, _attribute: "Attribute[Any]", text: str) -> None:
    # RFC 3461 section 4.4: 100 characters once they are spelled, and each may be spelled with three.
    if text != "" and not (isinstance(text, str) and _ENVELOPE_ID.fullmatch(text)):
        raise MailError(f"{shown(text)} is no envelope id: use up to 100 letters, digits, '.', '_' or '-'")


@frozen
class Envelope:
    """Whom the server hands the mail to, and whom it tells of failures (RFC 5321 section 2.3.1).

    Attributes:
        sender: where failures are reported; None for mail that must not be answered (``MAIL FROM:<>``).
        recipients: at least one.
        notify: when to report on a recipient, on servers with DSN (RFC 3461); empty leaves it to the server, which
            reports failures as a rule.
        returned: how much of the mail such a report brings back.
        envelope_id: what such a report names the mail by (ENVID); empty for its delivery id.

    Raises:
        MailError: there is no recipient, `Notify.NEVER` stands beside an occasion, or ``returned`` is no `Returned`.
    """

    sender: Address | None
    recipients: tuple[Address, ...] = field(converter=_recipients, validator=each_a(Address, "give it Address values"))
    notify: tuple[Notify, ...] = field(
        default=(), converter=_occasions, validator=each_a(Notify, "give it Notify values"), kw_only=True
    )
    returned: Returned = field(default=Returned.HEADERS, kw_only=True, validator=one_of(Returned, MailError))
    envelope_id: str = field(default="", kw_only=True, validator=_an_envelope_id)

    def __attrs_post_init__(self) -> None:
        if Notify.NEVER in self.notify and len(self.notify) > 1:
            raise MailError("notify says never, and when: leave one of them out (RFC 3461 section 4.1)")
        if not (self.sender is None or isinstance(self.sender, Address)):
            raise MailError(f"the envelope's sender is {shown(self.sender)}: give it an Address, or None")
        if not self.recipients:
            raise MailError("the envelope names no recipient: give it at least one address")

    @property
    def smtputf8(self) -> bool:
        """Whether an address needs a server with SMTPUTF8 (RFC 6531)."""
        for recipient in self.recipients:
            if not recipient.wire.isascii():
                return True
        return self.sender is not None and not self.sender.wire.isascii()


class WireForm(bytes):
    """A mail's content as it may stand on the wire: CRLF line ends alone, no NUL, no line over 998 octets.

    A value of this type has been looked through, or was written so: nobody has to look again.

    Attributes:
        dotted: whether a line begins with a dot, which SMTP doubles (RFC 5321 section 4.5.2).
        canonical: whether its body is known to stand in every form that DKIM hashes (RFC 6376 section 3.4): no blanks
            together or at a line's end, no tab, and one line end at its own end.
    """

    dotted: bool
    canonical: bool

    def __new__(cls, content: bytes, /) -> Self:
        """Look the content through.

        Raises:
            MailError: it could be read in two ways (a bare CR or LF), or not be carried at all.
        """
        if isinstance(content, cls):
            return content
        return cls.written(content, dotted=_looked_through(content))

    @classmethod
    def written(cls, content: bytes, /, *, dotted: bool, canonical: bool = False) -> Self:
        """For writers alone: content that is known to have this form, since it was written so."""
        form = super().__new__(cls, content)
        form.dotted, form.canonical = dotted, canonical
        return form

    @property
    def eight_bit(self) -> bool:
        """Whether it needs a server with 8BITMIME (RFC 6152)."""
        return not self.isascii()


def _looked_through(content: bytes) -> bool:
    """Whether a line begins with a dot; raises MailError where the content has not the form of the wire."""
    if not isinstance(content, bytes):
        raise MailError(f"the content is {type(content).__name__}: give it bytes in RFC 5322 form")
    # Without its line feeds, of each CRLF the CR is left: if a CRLF for each of those gives the content again, every
    # line ends as it must. That is far quicker than to search.
    crlf_alone = content.replace(b"\n", b"").replace(b"\r", b"\r\n") == content
    if not (crlf_alone and b"\0" not in content) and (found := _BARE.search(content)):
        raise MailError(
            f"the content holds {found[0]!r} alone at {found.start()}: end every line with CRLF, and leave out NUL"
        )
    if not content.endswith(b"\r\n"):
        raise MailError("the content does not end with CRLF: end its last line")
    if _has_long_line(content):
        raise MailError(f"the content has a line of over {LONGEST_LINE} octets: encode that part (RFC 2045)")
    return b"." in content and (content.startswith(b".") or b"\n." in content)


def _has_long_line(content: bytes) -> bool:
    """In steps of the longest line that may be, each ending at the last line end within it."""
    start, longest = 0, LONGEST_LINE + 2
    while len(content) - start > longest:
        end = content.rfind(b"\n", start, start + longest)
        if end < 0:
            return True
        start = end + 1
    return False


@frozen
class Outgoing:
    """A mail as it will stand on the wire: nothing but the transport touches it any more.

    Attributes:
        delivery_id: what its copy and its events are filed under.
        envelope: from whom, to whom.
        content: RFC 5322 bytes: CRLF line ends, no line over 998 octets. Not yet dot-stuffed.
        smtputf8: whether the headers hold raw UTF-8 (RFC 6532).
        require_tls: every server on the way must keep it secret (RFC 8689), or it is not delivered.

    Raises:
        MailError: the content could be read in two ways (a bare CR or LF), or not carried at all; or another part is
            not what it should be.
    """

    delivery_id: DeliveryId
    envelope: Envelope
    content: bytes = field(converter=WireForm, repr=lambda content: f"<{len(content)} bytes>")
    smtputf8: bool = False
    require_tls: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.delivery_id, DeliveryId):
            raise MailError(f"delivery_id is {shown(self.delivery_id)}: write DeliveryId(...)")
        if not isinstance(self.envelope, Envelope):
            raise MailError(f"envelope is {shown(self.envelope)}: write Envelope(sender, recipients)")


@frozen
class Channel:
    """How secret the line was.

    Attributes:
        protocol: such as ``TLSv1.3``.
        cipher: such as ``TLS_AES_256_GCM_SHA384``.
        certificate_ends: when the server's certificate runs out, UTC; None where that was not told.
    """

    protocol: str
    cipher: str
    certificate_ends: datetime | None = field(default=None, validator=aware)


@frozen
class Receipt:
    """The server took the mail and answers for it from now on.

    Attributes:
        delivery_id: which mail.
        reply: the server's last word, with its own queue id in it.
        server: who took it, as ``host:port``; empty where there is no server.
        channel: the encryption used; None where there was none.
        earlier: why servers that were tried before did not take it.
        refused: the recipients, of several, whom the server did not take; everybody else gets the mail.
    """

    delivery_id: DeliveryId
    reply: Reply
    server: str = ""
    channel: Channel | None = None
    earlier: tuple[TransportError, ...] = ()
    refused: tuple[Refusal, ...] = ()


@frozen
class Outcome:
    """One delivery of many, and what became of it."""

    delivery_id: DeliveryId
    result: Receipt | TransportError
