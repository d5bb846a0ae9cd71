"""The groups of fields that a delivery status has: one on the message, one for each recipient (RFC 3464 section 2.1).

Nearly every server writes them plainly, each field once in its group and a blank line between two: those are read at a
glance. What is not plain is read with care, and what is plain says the same either way.
"""

import re

from ._bounce_mail import FIELDS_LIMIT, HEADER_LIMIT, Fields, all_fields, blocks, one_line, unfolded


def groups(status: bytes, limit: int) -> list[Fields]:
    """The groups, of many the first ones; any of them may be empty."""
    return plain_groups(status) or careful_groups(status, limit)


def plain_groups(status: bytes) -> list[Fields] | None:
    """The groups where everything is plain and little; None where anything is not."""
    if len(status) > HEADER_LIMIT or not status.isascii() or b"\r" in status:
        return None
    several: list[Fields] = [{}]
    group = several[0]
    found = _FIELD_OR_GAP.findall(f"\n{status.decode()}")
    for told, value in found:
        if not told:
            group = {}
            several.append(group)
            continue
        name = told.rstrip().lower()
        if name in group:
            return None
        group[name] = one_line(value) if "\n" in value else value.strip()
    return several if len(found) < FIELDS_LIMIT else None


_FIELD_OR_GAP = re.compile(r"\n(?:([^\s:][^:\n]*):([^\n]*(?:\n[ \t]+[^ \t\n][^\n]*)*)|[ \t]*(?=\n))")


def careful_groups(status: bytes, limit: int) -> list[Fields]:
    """The groups of any status, each within bounds."""
    return [group for block in blocks(status, limit) for group in _groups_of_block(block)]


_OF_A_RECIPIENT = ("original-recipient", "final-recipient", "action", "status")


def _groups_of_block(block: bytes) -> list[Fields]:
    """The fields of a block: one group; or one for each recipient where the blank lines between them are left out."""
    if block.lower().count(b"final-recipient") < 2:
        return [all_fields(block)]
    several: list[Fields] = [{}]
    for name, value in unfolded(block)[:FIELDS_LIMIT]:
        if name in _OF_A_RECIPIENT and name in several[-1] and "final-recipient" in several[-1]:
            several.append({})
        several[-1].setdefault(name, value)
    return several
