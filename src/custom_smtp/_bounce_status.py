"""Delivery status notifications (RFC 3464; RFC 6533 for addresses beyond ASCII) and their kin."""

import re
from collections.abc import Iterator
from functools import lru_cache

from ._bounce_findings import Finding
from ._bounce_groups import groups
from ._bounce_letters import reason_about
from ._bounce_mail import STATUS_TYPES, Fields, Opened, date
from .bounce_causes import cause_of
from .events import Cause
from .webhooks import enhanced_status

RECIPIENTS_LIMIT = 1_000

MESSAGE_FIELDS = ("original-envelope-id", "reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date")
"""The fields about the message (RFC 3464 section 2.2): each recipient's event holds them too, and no others."""

VALUE_LIMIT = 300
"""How much of each of these is read."""

ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")
"""RFC 3464 section 2.3.3."""

_ACTION_OF_CLASS = {"2": "delivered", "4": "delayed", "5": "failed"}
"""The action that a status implies where none is told, or none that is known (RFC 3463 section 3.1)."""

_ACTION = re.compile(r"[A-Za-z]{1,20}")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_CODE_POINT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_COMMENT = re.compile(r"\([^()]*\)")


def findings(mail: Opened) -> list[Finding]:
    """What a notification says of each recipient; nothing where there is none, or none that says anything."""
    report = next((mail.reports[kind] for kind in STATUS_TYPES if kind in mail.reports), None)
    if report is None:
        return []
    message, recipients = _blocks(report)
    return list(_findings(mail, message, recipients))


def _blocks(status: bytes) -> tuple[Fields, list[Fields]]:
    """The fields about the message, and those about each recipient (RFC 3464 section 2.1)."""
    message: Fields = {}
    recipients: list[Fields] = []
    for fields in groups(status, RECIPIENTS_LIMIT + 1):
        if "final-recipient" in fields or "original-recipient" in fields:
            recipients.append(fields)
            continue
        for name in MESSAGE_FIELDS:
            if name in fields:
                message.setdefault(name, fields[name][:VALUE_LIMIT])
    return message, recipients[:RECIPIENTS_LIMIT]


def _findings(mail: Opened, message: Fields, recipients: list[Fields]) -> Iterator[Finding]:
    told = set[tuple[str, str]]()
    envelope_id = _unescaped(message.get("original-envelope-id", ""))
    for fields in recipients:
        reason = _typed(fields["diagnostic-code"])[1] if "diagnostic-code" in fields else ""
        status = _status(fields.get("status", ""), reason)
        action = _action(fields.get("action", "")) or _ACTION_OF_CLASS.get(status[:1], "")
        if not action:
            continue
        address = _address(fields)
        key = address.lower(), action
        if key in told:
            continue  # a forwarding that leads to one address several times
        told.add(key)
        yield Finding(
            recipient=address,
            action=action,
            status=status,
            reason=reason,
            cause=_cause(reason, status, mail, address) if action in ("failed", "delayed") else Cause.UNKNOWN,
            at=date(fields.get("last-attempt-date", "")),
            raw={**message, **fields},
            envelope_id=envelope_id,
        )


@lru_cache(maxsize=64)
def _action(told: str) -> str:
    """The action that a field tells, whatever stands behind it; empty where it is none that is known."""
    word = _ACTION.match(told)
    return word[0].lower() if word is not None and word[0].lower() in ACTIONS else ""


def _cause(reason: str, status: str, mail: Opened, address: str) -> Cause:
    """By the report's own words; else by what the letter beside it says of this person."""
    told = cause_of(reason, status)
    if reason and told is not Cause.UNKNOWN:
        return told
    beside = cause_of(reason_about(mail.words(), address), status)
    return told if beside is Cause.UNKNOWN else beside


def _typed(value: str) -> tuple[str, str]:
    """The type and the rest of ``rfc822; ada@example.net``, ``smtp; 550 no such user``."""
    kind, semicolon, rest = value.partition(";")
    return (kind.strip().lower(), rest.strip()) if semicolon else ("", value.strip())


def _status(told: str, reason: str) -> str:
    """The status, or that of the reply where it is of the same class and says more."""
    status = enhanced_status(told)
    if status and not status.endswith(".0.0"):
        return status
    quoted = enhanced_status(reason)
    return quoted if quoted and status[:1] in ("", quoted[0]) else status


def _address(fields: Fields) -> str:
    """Whom we wrote to, which a forwarding on the way does not change; else whom it failed for."""
    for name in ("original-recipient", "final-recipient"):
        kind, address = _typed(fields.get(name, ""))
        if kind == "utf-8":  # RFC 6533 section 3
            address = _CODE_POINT.sub(_letter, address)
        if "(" in address:
            address = _COMMENT.sub("", address)
        address = address.strip().rpartition("<")[2].strip("> \t\"'")
        if "+" in address and (plain := _unescaped(address)).lower() in fields.get("final-recipient", "").lower():
            return plain  # as the ORCPT that they were given has it (RFC 3461 section 4)
        if "@" in address:
            return address
    return _typed(fields.get("final-recipient", ""))[1]


def _unescaped(xtext: str) -> str:
    return _XTEXT.sub(lambda found: chr(int(found[1], 16)), xtext) if "+" in xtext else xtext


def _letter(escaped: re.Match[str]) -> str:
    number = int(escaped[1], 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else "\ufffd"
