"""Bounce mail read into events: delivery status notifications (RFC 3464, and RFC 6533 for addresses beyond ASCII).

Any bytes are taken. What is no such report gives nothing, and nothing here raises or takes long: every part is looked
for where it must stand, within bounds, and what its events hold in all grows with the mail alone, never with the
product of its parts. The standard library's parser is not used, since its reading of header parameters takes time in
the square of a hostile header's length; and since a report's own few fields are all we need.

Nothing proves a bounce mail: whoever knows the address that bounces go to can send one. So `custom_smtp.state` lets it
forbid writing to somebody only where it knows the id of a mail that they were sent.
"""

import base64
import hashlib
import json
import quopri
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice

from attrs import frozen

from .events import About, Bounced, BounceKind, Deferred, Delivered, Event
from .identifiers import DeliveryId
from .ports import Clock
from .system import utc_now
from .webhooks import delivery_id_in, delivery_id_in_message_id, enhanced_status

SOURCE = "bounce-mail"

BYTES_LIMIT = 1024 * 1024
"""How much of a mail is looked at: a report comes before the mail it returns."""

HEADER_LIMIT = 64 * 1024
"""How much of it may be headers, and of each part's, and of each block of fields in a report."""

FIELDS_LIMIT = 1_000
"""How many fields a header or a block may have."""

PARTS_LIMIT = 20
RECIPIENTS_LIMIT = 1_000

MESSAGE_FIELDS = ("original-envelope-id", "reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date")
"""The fields about the message (RFC 3464 section 2.2): each recipient's event holds them too, and no others."""

VALUE_LIMIT = 300
"""How much of each of these is read."""

KIND_OF_STATUS: dict[str, BounceKind] = {
    "1.7": BounceKind.BLOCK,  # bad sender's mailbox address syntax
    "1.8": BounceKind.BLOCK,  # bad sender's system address
    "1": BounceKind.HARD,  # the address: no such mailbox, no such system, moved, ambiguous, null MX (RFC 7505)
    "2.1": BounceKind.HARD,  # mailbox disabled, for good
    "2.2": BounceKind.SOFT,  # mailbox full
    "2.3": BounceKind.BLOCK,  # larger than the mailbox takes
    "2": BounceKind.SOFT,  # the mailbox exists, and something is wrong with it
    "3.3": BounceKind.BLOCK,  # the system lacks a feature that the mail needs
    "3.4": BounceKind.BLOCK,  # larger than the system takes
    "3": BounceKind.SOFT,  # the mail system: full, down, set up wrongly
    "4.4": BounceKind.HARD,  # no route: the domain has no mail exchanger
    "4": BounceKind.SOFT,  # the network: no answer, a loop, time ran out
    "5": BounceKind.UNDETERMINED,  # the protocol: it says nothing about the person
    "6": BounceKind.BLOCK,  # the content or its form
    "7": BounceKind.BLOCK,  # security or policy
}
"""What a permanent failure says about the address, by subject and detail, or by subject alone (RFC 3463 section 3)."""

KIND_OF_CODE: dict[str, BounceKind] = {
    "550": BounceKind.HARD,  # mailbox unavailable
    "551": BounceKind.HARD,  # user not local
    "552": BounceKind.SOFT,  # exceeded storage allocation
    "553": BounceKind.HARD,  # mailbox name not allowed
}
"""The same by SMTP reply code, for a report without a status (RFC 5321 section 4.2.2)."""


def kind_of(status: str) -> BounceKind:
    """What a final failure with this enhanced status code (RFC 3463) says about the address.

    ``4.x.x`` is soft: it was tried until time ran out. ``5.x.x`` stands in `KIND_OF_STATUS`, and is hard otherwise.
    """
    category, _, rest = status.partition(".")
    if category == "4":
        return BounceKind.SOFT
    if category != "5":
        return BounceKind.UNDETERMINED
    return KIND_OF_STATUS.get(rest) or KIND_OF_STATUS.get(rest.partition(".")[0], BounceKind.HARD)


def read(content: bytes, *, clock: Clock = utc_now) -> tuple[Event, ...]:
    """The events that a bounce mail tells: one for each recipient that it reports on.

    A mail that is no delivery status notification gives nothing. The delivery is found by the envelope id that our
    transport gave (RFC 3461 section 4.4), or by the returned mail's Message-ID; it is as little proven as the rest.

    Args:
        content: the mail, as it came: any line ends, any bytes.
        clock: says when, where neither the report nor the mail does.
    """
    report = _report_in(content[:BYTES_LIMIT])
    if report is None:
        return ()
    said = clock() if report.said is None else report.said
    events = (_event(report, recipient, said) for recipient in report.recipients)
    return tuple(event for event in events if event is not None)


# ---- the report, as it stands in the mail ----------------------------------------------------------------------------

Fields = dict[str, str]
"""Header fields by lower-case name, unfolded; of several with one name the first."""


@frozen
class _Report:
    delivery_id: DeliveryId | None
    said: datetime | None
    message: Fields
    recipients: list[Fields]
    key: str
    """The same for one report however often it is read, wherever it was fetched from."""


_LOOKS = re.compile(rb"delivery-status", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_BOUNDARY = re.compile(r'\bboundary[ \t]{0,9}=[ \t]{0,9}(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_REPORT_TYPE = re.compile(r'\breport-type[ \t]{0,9}=[ \t]{0,9}"?(?:global-)?delivery-status\b', re.IGNORECASE)
_OTHER_REPORT = re.compile(r"\breport-type[ \t]{0,9}=", re.IGNORECASE)

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")


def _report_in(content: bytes) -> _Report | None:
    # Look before parsing: most mail in a mailbox is no report.
    if not _LOOKS.search(content):
        return None
    head, body = _split(content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n"))
    mail = _fields(head)
    content_type = mail.get("content-type", "")
    if not content_type.lower().startswith("multipart/") or _is_another_report(content_type):
        return None
    parts = [_part(part) for part in _parts(body, content_type)]
    status = next((text for kind, text in parts if kind in _STATUS_TYPES), None)
    if status is None:
        return None
    message, recipients = _blocks(status)
    returned = next((text for kind, text in parts if kind in _RETURNED_TYPES), b"")
    return _Report(
        delivery_id=_delivery_id(message, _fields(_split(returned.replace(b"\r\n", b"\n"))[0])),
        said=_date(mail.get("date", "")),
        message=message,
        recipients=recipients,
        key=_digest([mail.get("message-id"), mail.get("date"), sorted(message.items())]),
    )


def _is_another_report(content_type: str) -> bool:
    """Whether it is a report on something else: a complaint, a reading, a policy (RFC 6522 section 3)."""
    return bool(_OTHER_REPORT.search(content_type) and not _REPORT_TYPE.search(content_type))


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Headers and body (RFC 5322 section 2.1)."""
    if content.startswith(b"\n"):
        return b"", content
    found = _BLANK_LINE.search(content)
    return (content, b"") if found is None else (content[: found.start()], content[found.end() :])


def _fields(head: bytes) -> Fields:
    """The fields of a header or a block; of one that is too long the first ones."""
    fields: Fields = {}
    for name, value in islice(_unfolded(head[:HEADER_LIMIT]), FIELDS_LIMIT):
        fields.setdefault(name, value)
    return fields


def _unfolded(head: bytes) -> Iterator[tuple[str, str]]:
    """Each field's lower-case name and its value in one line (RFC 5322 section 2.2.3)."""
    name, lines = "", list[bytes]()
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t") and lines:
            lines.append(line.strip())
            continue
        if lines:
            yield name, _text(b" ".join(lines))
        before, colon, after = line.partition(b":")
        name, lines = _text(before).strip().lower(), [after.strip()] if colon else []
    if lines:
        yield name, _text(b" ".join(lines))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parts(body: bytes, content_type: str) -> list[bytes]:
    """What stands between the boundary's lines (RFC 2046 section 5.1.1); the preamble aside, `PARTS_LIMIT` of it."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return []
    boundary = re.escape((found[1] or found[2]).encode())
    line = rb"(?:\A|\n)--" + boundary + rb"(?:--)?[ \t]*(?=\n|\Z)"
    return re.split(line, body, maxsplit=PARTS_LIMIT + 1)[1 : PARTS_LIMIT + 1]


def _part(part: bytes) -> tuple[str, bytes]:
    """A part's media type, and its content, decoded."""
    head, body = _split(part.removeprefix(b"\n"))
    fields = _fields(head)
    kind = fields.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (*_STATUS_TYPES, *_RETURNED_TYPES):
        return kind, b""
    return kind, _decoded(body, fields.get("content-transfer-encoding", "").strip().lower())


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding:
        case "base64":
            letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
            letters = letters[: len(letters) - (len(letters) % 4 == 1)]  # one left over is cut off, and no byte
            return base64.b64decode(letters + b"=" * (-len(letters) % 4))
        case "quoted-printable":
            return quopri.decodestring(body)
    return body


def _blocks(status: bytes) -> tuple[Fields, list[Fields]]:
    """The fields about the message, and those about each recipient (RFC 3464 section 2.1)."""
    status = status.replace(b"\r\n", b"\n")  # once more: encoded parts keep line ends of their own
    message: Fields = {}
    recipients: list[Fields] = []
    for block in _BLANK_LINE.split(status, maxsplit=RECIPIENTS_LIMIT + 1)[: RECIPIENTS_LIMIT + 1]:
        fields = _fields(block)
        if "final-recipient" in fields or "original-recipient" in fields:
            recipients.append(fields)
            continue
        for name in MESSAGE_FIELDS:
            if name in fields:
                message.setdefault(name, fields[name][:VALUE_LIMIT])
    return message, recipients


# ---- what it says ----------------------------------------------------------------------------------------------------

_MEANING: Mapping[str, Callable[[About, str, str], Event]] = {
    "failed": lambda about, reason, status: Bounced(about, _verdict(reason, status), reason, status),
    "delayed": Deferred,
    "delivered": lambda about, reason, _: Delivered(about, reason),
    "relayed": lambda about, reason, _: Delivered(about, reason),
    "expanded": lambda about, reason, _: Delivered(about, reason),
}
"""What each action-value of RFC 3464 section 2.3.3 becomes. After ``relayed`` and ``expanded`` nothing more is told."""

_ACTION_OF_CLASS = {"2": "delivered", "4": "delayed", "5": "failed"}
"""The action that a status implies where none is told, or none that is known (RFC 3463 section 3.1)."""

_ACTION = re.compile(r"[A-Za-z]{1,20}")
_CODE = re.compile(r"(?<![\d.])[45]\d\d(?![\d.])", re.ASCII)
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_CODE_POINT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_COMMENT = re.compile(r"\([^()]*\)")


def _event(report: _Report, fields: Fields, said: datetime) -> Event | None:
    reason = _typed(fields.get("diagnostic-code", ""))[1]
    status = _status(fields.get("status", ""), reason)
    action = _ACTION.match(fields.get("action", ""))
    meaning = _MEANING.get(action[0].lower() if action else "") or _MEANING.get(_ACTION_OF_CLASS.get(status[:1], ""))
    if meaning is None:
        return None
    tried = _date(fields.get("last-attempt-date", ""))
    about = About(
        delivery_id=report.delivery_id,
        recipient=_address(fields),
        at=said if tried is None else tried,
        source=SOURCE,
        key=_digest([report.key, sorted(fields.items())]),
        raw={**report.message, **fields},
    )
    return meaning(about, reason, status)


def _delivery_id(message: Fields, returned: Fields) -> DeliveryId | None:
    envelope_id = _XTEXT.sub(lambda found: chr(int(found[1], 16)), message.get("original-envelope-id", ""))
    return delivery_id_in(envelope_id) or delivery_id_in_message_id(returned.get("message-id"))


def _address(fields: Fields) -> str:
    """Whom we wrote to, which a forwarding on the way does not change; else whom it failed for."""
    for name in ("original-recipient", "final-recipient"):
        kind, address = _typed(fields.get(name, ""))
        if kind == "utf-8":  # RFC 6533 section 3
            address = _CODE_POINT.sub(_letter, address)
        address = address.strip("<> \t")
        if "@" in address:
            return address
    return _typed(fields.get("final-recipient", ""))[1]


def _letter(escaped: re.Match[str]) -> str:
    number = int(escaped[1], 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else "\ufffd"


def _typed(value: str) -> tuple[str, str]:
    """A typed value's type and the rest of it: ``rfc822; ada@example.net``, ``smtp; 550 no such user``."""
    kind, semicolon, rest = value.partition(";")
    return (kind.strip().lower(), rest.strip()) if semicolon else ("", value.strip())


def _status(told: str, reason: str) -> str:
    """The status, or that of the reply where it is of the same class and says more."""
    status, quoted = enhanced_status(told), enhanced_status(reason)
    vague = not status or (status.endswith(".0.0") and status[0] == quoted[:1])
    return (quoted or status) if vague else status


def _verdict(reason: str, status: str) -> BounceKind:
    code = _CODE.search(reason)
    if status or code is None:
        return kind_of(status)
    # Of any other code the first digit alone is known.
    return KIND_OF_CODE.get(code[0], kind_of(f"{code[0][0]}.5"))


def _date(told: str) -> datetime | None:
    """A date as mail writes it (RFC 5322 section 3.3); None where it is none."""
    try:
        read = parsedate_to_datetime(_COMMENT.sub("", told[:100]))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
