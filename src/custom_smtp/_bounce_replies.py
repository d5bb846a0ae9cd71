"""Answers of machines (RFC 3834, and what came before it): on holiday, address changed, please confirm. No bounces."""

import re

from ._bounce_addresses import addresses_in
from ._bounce_findings import Finding
from ._bounce_mail import Header, kept, unencoded
from ._bounce_words import AUTO_REPLY_FIELDS, AUTO_REPLY_SUBJECTS

_REPLY = re.compile(r"(?:(?:re|aw|sv|vs|antw|fwd?)\s{0,3}:\s{0,3}){1,5}")
_SUBJECT_LIMIT = 300


def by_subject(head: Header) -> bool:
    """Whether the Subject is one that machines give their answers, and nothing speaks of a list."""
    subject = unencoded(head.get("subject")).lower().strip()
    if "list-id" in head or "list-unsubscribe" in head:
        return False
    subject = _REPLY.sub("", subject, count=1) if _REPLY.match(subject) else subject
    return subject.startswith(AUTO_REPLY_SUBJECTS) or subject.rstrip(".").endswith("is out of the office")


def by_header(head: Header) -> bool:
    """Whether the header says that a machine answers."""
    return head.says(_FIELDS)


def _field(name: str, values: tuple[str, ...]) -> str:
    return rf"{name}:[ \t]*(?:\n[ \t]+)?(?:{'|'.join(map(re.escape, values))})"


_FIELDS = re.compile("\n(?:{})".format("|".join(_field(*row) for row in AUTO_REPLY_FIELDS.items())).encode())


def findings(head: Header) -> list[Finding]:
    """Whose machine it was; its Subject as the reason."""
    sender = next((address for address, _, _ in addresses_in(unencoded(head.get("from")))), "")
    subject = unencoded(head.get("subject"))[:_SUBJECT_LIMIT]
    return [Finding(recipient=sender, action="replied", reason=subject, raw=kept(head))]
