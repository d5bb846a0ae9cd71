"""What travels with a mail: files, pictures, other mails, and invitations."""

import re
from enum import StrEnum

from attrs import field, frozen

from .body_encodings import LONGEST_LINE, Encoding, base64_blocks
from .checks import MailError, one_line, shown, writable

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:; ?[A-Za-z0-9-]+=[A-Za-z0-9_.+-]+)*")
_TYPE_OCTETS = 900  # it stands in one line of a header, which has room for 998 (RFC 5322 section 2.1.1)
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?:@[A-Za-z0-9.-]+)?")
_CALENDAR = re.compile(r"\s*BEGIN:VCALENDAR[\r\n].*[\r\n]END:VCALENDAR\s*", re.IGNORECASE | re.DOTALL)
_METHOD = re.compile(r"[\r\n]METHOD:([^\r\n]*)", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_NOT_IN_CALENDAR = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # RFC 5545 section 3.1, CONTROL
_ID_OCTETS = 250  # it stands in one line of a header, which has room for 998 (RFC 5322 section 2.1.1)


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
