"""A report as nearly every server writes it, told at a glance: three parts, none encoded, each field once in its group.

Nothing here is a rule of its own. Each function says what its careful twin says, in half the time, or None where
anything is unusual; then the careful one is asked.
"""

import re
from functools import lru_cache

from ._bounce_mail import (
    BOUNDARY,
    FIELDS_LIMIT,
    HEADER_LIMIT,
    RETURNED_TYPES,
    STATUS_TYPES,
    Fields,
    Header,
    Opened,
    media_type,
    one_line,
    split,
)

_WORDS = ("text/plain", "text/html")
_END = (b"--", b"--\n")
_PLAIN = ("", "7bit", "8bit", "binary")
_GAP_OR_FIELD = re.compile(r"\n(?:([^\s:][^:\n]*):([^\n]*(?:\n[ \t]+[^ \t\n][^\n]*)*)|[ \t]*(?=\n))")


def opened(head: Header, body: bytes) -> Opened | None:
    """A report of three parts: its words, its status, the mail that it returns (RFC 6522 section 3).

    Its twin is `custom_smtp._bounce_mail.opened`.
    """
    boundary = BOUNDARY.search(head.get("content-type"))
    if boundary is None:
        return None
    parts = (b"\n" + body).split(b"\n--" + (boundary[1] or boundary[2]).encode(), 4)
    if len(parts) != 5 or parts[4][:3] not in _END:
        return None
    words_type, words_header, words = _part(parts[1])
    status_type, _, status = _part(parts[2])
    returned_type, _, returned = _part(parts[3])
    if words_type not in _WORDS or status_type not in STATUS_TYPES or returned_type not in RETURNED_TYPES:
        return None
    returned = returned.lstrip(b"\n") or b"\n"
    return Opened(
        head, [(words_header, words)], {status_type: status}, returned=Header(split(returned)[0]), returns=returned
    )


def _part(part: bytes) -> tuple[str, Header, bytes]:
    """A part's media type, header and content; no type where something is unusual."""
    head, blank, content = part.partition(b"\n\n")
    kind, header = _told_by(head) if blank and len(head) <= _HEAD_LIMIT else ("", Header())
    return kind, header, content


_HEAD_LIMIT = 400


@lru_cache(maxsize=512)
def _told_by(head: bytes) -> tuple[str, Header]:
    """What stands behind the boundary, remembered: a server writes the same over the parts of all its reports."""
    header = Header(head[1:])
    plain = head[:1] == b"\n" and header.get("content-transfer-encoding").lower() in _PLAIN
    return media_type(header.get("content-type")) if plain else "", header


def groups(report: bytes) -> list[Fields] | None:
    """The groups of fields of a status (RFC 3464 section 2.1).

    Its twins are `custom_smtp._bounce_mail.blocks` and `custom_smtp._bounce_mail.all_fields`.
    """
    if len(report) > HEADER_LIMIT or not report.isascii() or b"\r" in report:
        return None
    several: list[Fields] = []
    group: Fields = {}
    found = _GAP_OR_FIELD.findall(f"\n{report.decode()}")
    for name, value in found:
        if name:
            name = name.rstrip().lower()
            if name in group:
                return None
            group[name] = one_line(value)
        elif group:
            several.append(group)
            group = {}
    if group:
        several.append(group)
    return several if len(found) < FIELDS_LIMIT else None
