"""Mail that comes back, read into events: bounces, delays, complaints, answers of machines.

What is read, in this order; the first that says something holds:

1. delivery status notifications (RFC 3464, and RFC 6533 for addresses beyond ASCII), and a Sieve script's refusal
   (RFC 5429), which is a disposition notification by form;
2. feedback reports (RFC 5965): complaints, and wishes to be written to no more;
3. bounce mail that follows no standard, by tables of words (`custom_smtp.bounce_phrases`);
4. answers of machines (RFC 3834), which are no bounces. A bounce mail too says that a machine sent it: it is one
   where it reports a failure.

Any bytes are taken. What is none of these gives nothing: a newsletter, a receipt, a reply that quotes a bounce, a
receipt for reading (RFC 8098). Nothing here raises or takes long: every part is looked for where it must stand, within
bounds, and what the events hold in all grows with the mail alone, never with the product of its parts.

By itself nothing proves such a mail: whoever knows the address that bounces go to can send one. Given `Tokens`, the
delivery is looked for in its signed form (`custom_smtp.verp`), which nobody can make who did not get that mail: such
events have the source `PROVEN`, all others `SOURCE`. Whom they name, it does not prove.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain

from . import _bounce_complaints as complaints
from . import _bounce_letters as letters
from . import _bounce_replies as replies
from . import _bounce_status as status
from ._bounce_findings import Finding
from ._bounce_mail import Header, Opened, date, opened, split, straightened
from .bounce_causes import kind_of_failure
from .events import About, AutoReplied, Bounced, Complained, Deferred, Delivered, Event, Unsubscribed
from .identifiers import DeliveryId
from .ports import Clock
from .system import utc_now
from .tokens import Tokens
from .verp import delivery_id_in as signed_delivery_id_in
from .webhooks import delivery_id_in, delivery_id_in_message_id

SOURCE = "bounce-mail"
"""The source of what anybody may have sent."""

PROVEN = "proven-bounce-mail"
"""The source of what carries the signed form of a delivery id."""


def read(content: bytes, *, tokens: Tokens | None = None, clock: Clock = utc_now) -> tuple[Event, ...]:
    """The events that a mail tells: one for each recipient that it reports on; none where it is no report.

    The delivery is found by the envelope id that our transport gave (RFC 3461 section 4.4), by the returned mail's
    own marks and Message-ID, or by the address that the report was sent to. Where a complaint hides who complained,
    the delivery tells it, and the recipient is empty.

    Args:
        content: the mail, as it came: any line ends, any bytes.
        tokens: those that signed the return addresses, envelope ids and marks; without them nothing is proven.
        clock: says when, where neither the report nor the mail does.
    """
    head_bytes, body = split(straightened(content))
    head = Header(head_bytes)
    found, mail = _found(head, body)
    if not found:
        return ()
    letter = _Letter(
        head=head,
        returned=mail.returned,
        clock=clock,
        tokens=tokens,
        key=(head.get("message-id"), head.get("date")),
    )
    return tuple(letter.event(finding) for finding in found)


# ---- which kind of mail it is ----------------------------------------------------------------------------------------

_REPORT_TYPE = re.compile(r'report-type[ \t]{0,9}=[ \t]{0,9}"?([a-z-]{1,40})')
_STATUS_REPORTS = ("delivery-status", "global-delivery-status")
_REFUSED = re.compile(
    r"^disposition[ \t]*:[^;\n]{0,60}automatic-action[^;\n]{0,60};[ \t\n]*deleted", re.IGNORECASE | re.MULTILINE
)


def _found(head: Header, body: bytes) -> tuple[list[Finding], Opened]:
    """What a mail says; and the mail, taken apart. Most mail in a mailbox is told by its header to be no report."""
    content_type = head.get("content-type")
    mail: Opened | None = None
    report = content_type[:16].lower() == "multipart/report"
    if content_type[:10].lower() == "multipart/" and _may_have_status(content_type, body):
        mail = opened(head, body)
        if (found := status.findings(mail)) and (report or not letters.is_passed_on(head)):
            return found, mail
    seen = letters.outside(head)
    if report or seen.likely or seen.unanswerable or complaints.may_be_one(head, body):
        found, mail = _found_inside(mail or opened(head, body), seen)
        if found or report or seen.daemon or complaints.is_report(mail):
            return found, mail
    return (replies.findings(head) if replies.by_header(head) or replies.by_subject(head) else []), mail or Opened(head)


def _found_inside(mail: Opened, seen: letters.Outside) -> tuple[list[Finding], Opened]:
    """What a mail says that is no notification by its form."""
    if found := complaints.findings(mail):
        return found, mail
    if complaints.is_report(mail) or _is_a_receipt(mail):
        return [], mail
    if seen.daemon and mail.returned.get("content-type").lower().startswith("multipart/report"):
        # A scanner on the way put the whole report into a mail of its own.
        inner = opened(mail.returned, split(mail.returns)[1])
        if found := status.findings(inner):
            return found, inner
    answers = replies.by_subject(mail.head) or (not seen.likely and replies.by_header(mail.head))
    return ([] if answers else letters.findings(mail, seen)), mail


_SPELLINGS = (b"elivery-status", b"elivery-Status", b"ELIVERY-STATUS")
"""Of the type's name, as it is written: quicker than a search that heeds no case."""


def _may_have_status(content_type: str, body: bytes) -> bool:
    """Whether to look for a notification: in no report on something else (RFC 6522 section 3)."""
    if told := _REPORT_TYPE.search(content_type.lower()):
        return told[1] in _STATUS_REPORTS
    return any(spelling in body for spelling in _SPELLINGS)


def _is_a_receipt(mail: Opened) -> bool:
    """Whether it only says that somebody read the mail, or threw it away; a script that refuses it bounces it."""
    told = mail.reports.get("message/disposition-notification")
    return told is not None and not _REFUSED.search(told.decode("latin-1")[:4_000])


# ---- as events -------------------------------------------------------------------------------------------------------

_Meaning = Callable[[About, Finding], Event]

_MEANING: Mapping[str, _Meaning] = {
    "failed": lambda about, told: Bounced.told(
        about, kind_of_failure(told.cause, told.reason, told.status), told.reason, told.status, told.cause
    ),
    "delayed": lambda about, told: Deferred(about, told.reason, told.status, cause=told.cause),
    "delivered": lambda about, told: Delivered(about, told.reason),
    "relayed": lambda about, told: Delivered(about, told.reason),
    "expanded": lambda about, told: Delivered(about, told.reason),
    "complained": lambda about, _: Complained(about),
    "unsubscribed": lambda about, told: Unsubscribed(about, told.reason),
    "replied": lambda about, told: AutoReplied(about, told.reason),
}
"""What each action becomes: those of RFC 3464 section 2.3.3, and ours. After ``relayed`` and ``expanded`` nothing more
is told."""


class _Letter:
    """A mail that reports, with what all its events share."""

    def __init__(
        self, *, head: Header, returned: Header, clock: Clock, tokens: Tokens | None, key: tuple[str, ...]
    ) -> None:
        self._head = head
        self._returned = returned
        self._clock = clock
        self._written: datetime | None = None
        self._tokens = tokens
        self._key = key

    def event(self, told: Finding) -> Event:
        proven = None if self._tokens is None else self._proven(told, self._tokens)
        about = About.told(
            delivery_id=self._claimed(told) if proven is None else proven,
            recipient=told.recipient,
            at=told.at or self._said(),
            source=SOURCE if proven is None else PROVEN,
            key=_digest((*self._key, told.action, *chain.from_iterable(sorted(told.raw.items())))),
            raw=told.raw,
        )
        return _MEANING[told.action](about, told)

    def _said(self) -> datetime:
        """When the report was written, or else read."""
        if self._written is None:
            self._written = date(self._head.get("date")) or self._clock()
        return self._written

    def _proven(self, told: Finding, tokens: Tokens) -> DeliveryId | None:
        """The delivery by a signed form, wherever one of ours may have come back."""
        for value in (told.envelope_id, *self._marks()):
            if value and (found := signed_delivery_id_in(value, tokens)) is not None:
                return found
        return None

    def _marks(self) -> Iterator[str]:
        for name in _RETURNED_MARKS:
            yield self._returned.get(name)
        for name in _ADDRESSED:
            yield self._head.get(name)
        yield self._head.every(_PASSED_ON)

    def _claimed(self, told: Finding) -> DeliveryId | None:
        """The delivery as anybody may have written it."""
        if told.envelope_id and (found := delivery_id_in(told.envelope_id)) is not None:
            return found
        if (found := delivery_id_in_message_id(self._returned.get("message-id"))) is not None:
            return found
        return delivery_id_in_message_id(self._head.get("in-reply-to")) if told.action == "replied" else None


_RETURNED_MARKS = ("x-delivery", "return-path")
_ADDRESSED = ("to", "envelope-to", "x-envelope-to")
_PASSED_ON = re.compile(rb"\n(?:delivered-to|x-original-to)[ \t]{0,9}:([^\n]*)")
"""Each server that passes it on puts a line of its own on top (RFC 9228): so the address that a report was
sent to stands below that of the mailbox it ended in."""


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
