"""Complaints: feedback reports (RFC 5965), and one older form. Who complains is often struck out (RFC 6590)."""

import re

from ._bounce_addresses import addresses_in
from ._bounce_findings import Finding
from ._bounce_letters import is_passed_on
from ._bounce_mail import HEADER_LIMIT, Header, Opened, all_fields, blocks, date, has, kept, unfolded
from ._bounce_words import COMPLAINERS, COMPLAINTS, REDACTED, UNSUBSCRIPTIONS

_TYPE = "message/feedback-report"
_RECIPIENTS_LIMIT = 100
_KEPT_FIELDS = 60
_WORD = re.compile(r"[a-z-]{1,40}")

_ACTION = dict.fromkeys(COMPLAINTS, "complained") | dict.fromkeys(UNSUBSCRIPTIONS, "unsubscribed")


def may_be_one(head: Header, body: bytes) -> bool:
    """Whether a report stands in it, though it says to be none; or it comes from who complains in a form of their own.

    What somebody passes on is a report to them.
    """
    if b"message/feedback-report" in body:
        return not is_passed_on(head)
    return has(head.get("from").lower(), COMPLAINERS)


def is_report(mail: Opened) -> bool:
    """Whether it is a feedback report, of whatever type."""
    return _TYPE in mail.reports


def findings(mail: Opened) -> list[Finding]:
    """Who complained, or wants no more; nothing where the report says something else."""
    report = mail.reports.get(_TYPE)
    if report is None:
        return _of_old(mail)
    block = b"\n".join(blocks(report, _RECIPIENTS_LIMIT))
    fields = all_fields(block)
    told = _WORD.match(fields.get("feedback-type", "").lower().lstrip('"'))
    action = _ACTION.get(told[0] if told else "")
    if action is None:
        return []
    at = date(fields.get("arrival-date", "") or fields.get("received-date", ""))
    told_fields = dict(list(fields.items())[:_KEPT_FIELDS])
    return [
        Finding(
            recipient=person,
            action=action,
            reason=told[0] if told else "",
            at=at,
            raw={**told_fields, "recipient": person},
        )
        for person in _people(block, mail.returned)
    ]


def _people(block: bytes, returned: Header) -> list[str]:
    """Whom the report names; else the one that the mail was sent to; else nobody, which its delivery tells then."""
    named = [
        address
        for name, value in unfolded(block[:HEADER_LIMIT])
        if name in ("original-rcpt-to", "removal-recipient")
        for address, _, _ in addresses_in(value)
    ]
    for several in (
        named,
        *(_addresses(returned, name) for name in ("x-hmxmroriginalrecipient", "delivered-to", "to")),
    ):
        told = list(dict.fromkeys(address for address in several if not _is_redacted(address)))[:_RECIPIENTS_LIMIT]
        if told:
            return told
    return [""]


def _addresses(returned: Header, name: str) -> list[str]:
    found = [address for address, _, _ in addresses_in(returned.get(name))]
    return found if len(found) == 1 else []


def _is_redacted(address: str) -> bool:
    local, _, host = address.lower().partition("@")
    return local.strip("[]-_.") in REDACTED or local.startswith("redacted") or host.startswith("redacted")


def _of_old(mail: Opened) -> list[Finding]:
    """A complaint in a form of its own: the mail, as a part, from an address that sends nothing else."""
    sender = next((address.lower() for address, _, _ in addresses_in(mail.head.get("from"))), "")
    field = COMPLAINERS.get(sender)
    if field is None or not mail.returns:
        return []
    person = next(iter(_addresses(mail.returned, field)), "")
    raw = kept(mail.head)
    return [Finding(recipient=person, action="complained", raw={**raw, "recipient": person})]
