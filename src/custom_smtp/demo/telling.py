"""What the demo prints: what became of the mails, what each server told, and one mail with its story."""

from collections.abc import Mapping, Sequence
from email import message_from_bytes, policy

from ..archive import Copy
from ..report import Figures
from ..timeline import Moment
from .relays import RELAYS, SERVERS

_HEADERS = ("From", "To", "Subject", "Date", "Message-ID")
_LINES = 4


def table(figures: Mapping[str, Figures]) -> str:
    """A line for each campaign, a column for each figure."""
    head = ("", "people", "taken", "refused", "delivered", "bounced", "opened", "clicked", "complained")
    rows = [head] + [
        (
            name,
            *map(str, (one.people, one.accepted, one.refused, one.delivered, one.bounced)),
            _and_machines(one.opened.human, one.opened.machine),
            _and_machines(one.clicked.human, one.clicked.machine),
            str(one.complained),
        )
        for name, one in figures.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    note = "+n: by machines alone"
    return "\n".join(["", *(line.rstrip() for line in lines), note.rjust(len(lines[0])), ""])


def _and_machines(human: int, machine: int) -> str:
    return f"{human} +{machine}" if machine else f"{human}   "


def by_server(shown: Mapping[str, int]) -> str:
    """A line for each server: what it took, and what came back of it."""
    lines = [f"{'':{_NAME}}  mails  reports kept"]
    for name in SERVERS:
        kept = shown[f"reports kept of {name}" if name in RELAYS else _BY_MAIL]
        how = "signed posts, to one endpoint" if name in RELAYS else "bounce mail, from its mailbox"
        lines.append(f"{name:{_NAME}}  {shown[f'mails at {name}']:5}  {kept:12}  {how}")
    return "\n".join([*lines, ""])


_NAME = 15
_BY_MAIL = "bounce mailbox: reports kept, each proven by its signature"


def one_copy(copy: Copy) -> str:
    """A mail as it was kept: its headers and first lines."""
    mail = message_from_bytes(copy.content, policy=policy.default)
    body = mail.get_body(("plain",))
    text = "" if body is None else str(body.get_content())
    lines = [line for line in text.splitlines() if line.strip()][:_LINES]
    return "\n".join(
        [
            f"The copy kept for {copy.recipient} ({copy.delivery_id}, {len(copy.content):,} bytes):",
            "",
            *(f"    {name}: {mail[name]}" for name in _HEADERS),
            "",
            *(f"    {line}" for line in lines),
            "    ...",
            "",
        ]
    )


def one_story(moments: Sequence[Moment]) -> str:
    """A mail's story: when, what, who says so, and the rest in words."""
    return "\n".join(
        [
            "Its story:",
            "",
            *(f"    {one.at:%H:%M:%S}  {one.what:12}  {one.told_by:16}  {one.detail}".rstrip() for one in moments),
            "",
        ]
    )
