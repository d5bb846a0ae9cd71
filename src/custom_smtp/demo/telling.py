"""What the demo prints: a table of what became of the mails, and one person's copy."""

from collections.abc import Mapping, Sequence
from email import message_from_bytes, policy

from ..archive import Copy
from ..events import Accepted, Bounced, Clicked, Event, Opened, Refused
from ..report import Figures

_HEADERS = ("From", "To", "Subject", "Date", "Message-ID")
_LINES = 6


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


def one_copy(copy: Copy, events: Sequence[Event]) -> str:
    """A mail as it was kept, its headers and first lines, and what happened to it."""
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
            "What happened to it:",
            "",
            *(f"    {event.about.at:%H:%M:%S}  {event.about.source:9} {_words(event)}".rstrip() for event in events),
            "",
        ]
    )


def _words(event: Event) -> str:
    name = type(event).__name__.lower()
    match event:
        case Accepted(reply=reply) | Refused(reply=reply):
            return f"{name}: {reply}"
        case Clicked(url=url):
            return f"{name}: {url}"
        case Opened(evidence=evidence) if evidence:
            return f"{name}: {', '.join(evidence)}"
        case Bounced(reason=reason):
            return f"{name}: {reason}"
    return name
