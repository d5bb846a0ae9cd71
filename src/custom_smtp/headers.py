"""The further headers of a mail: what may stand in one, and which are for people to read and which for programs."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import Attribute

from .checks import MailError, several, shown, writable

Headers = tuple[tuple[str, str], ...]
"""Names and values."""

_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 section 3.6.8, short enough to leave room on its line (2.1.1)
_LONGEST_PIECE = 900  # so that, folded, no line passes 998 octets (RFC 5322 section 2.1.1)

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


def as_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Names and values, as a tuple of pairs; `MailError` where they are none. A converter for those that take some."""
    return tuple(map(_header, several(pairs, "header")))


def _header(pair: tuple[str, str]) -> tuple[str, str]:
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise MailError(f"{pair!r} is no header: write pairs, as in headers=[('X-Name', 'value')] or headers.items()")
    name, value = pair
    return name, value


def are_writable(_instance: object, _attribute: "Attribute[Any]", headers: Headers) -> None:
    """Refuse headers as `require_writable` does; a validator for those that take some."""
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
