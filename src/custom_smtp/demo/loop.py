"""The run of the demo, from top to bottom: send, read, report back, look, compare."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from ..archive import Copy
from ..errors import RefusedError
from ..report import Campaign, Figures, figures, page
from ..state import why_not_to_write
from ..timeline import Moment, timeline
from .attack import attack
from .expected import differences, expected, found
from .feedback import fetch_bounces, report_back, taken_by
from .letters import Letter
from .readers import read
from .relays import SERVERS
from .script import PARTS, Part, Told, of_letter
from .telling import by_server, one_copy, one_story, table
from .times import END, sent_at
from .world import TOKENS, World, begin

EXPECTED = expected()
"""The figures that the script leads to."""


def run(directory: Path, *, out: TextIO, report: Path | None = None, wanted: Mapping[str, int] = EXPECTED) -> int:
    """Play the whole loop; return 0, or 1 if any figure is not the expected one.

    Args:
        directory: where the database goes, and the report.
        out: where to tell of it.
        report: where the report goes instead.
        wanted: the figures to expect.

    Raises:
        CustomSmtpError: a part of the loop broke; everything that was started is stopped all the same.
        OSError: likewise.
    """
    report = report or directory / "report.html"
    with ExitStack() as stack:
        world = begin(stack, directory / "mail.db")
        shown = _send(world) | _read(world)
        world.clock.now = END
        shown |= report_back(world) | fetch_bounces(world) | attack(world) | _not_to_be_written_to(world)
        campaigns = [_campaign(world, letter) for letter in Letter]
        copy, story = _story(world, _TOLD_OF)
    html = page(
        "Café Möwe, one Friday in October",
        campaigns,
        at=END,
        tokens=TOKENS,
        stories={f"{_TOLD_OF.person.first_name}'s newsletter, from submission to complaint": story},
    )
    report.write_text(html, encoding="utf-8", newline="\n")
    totals = {campaign.name: _figures([campaign]) for campaign in campaigns} | {"All": _figures(campaigns)}
    for name, parts in [*((letter.title, of_letter(letter)) for letter in Letter), ("All", PARTS)]:
        shown |= found(name, totals[name], parts)
    print(table(totals), by_server(shown), one_copy(copy), one_story(story), sep="\n", file=out)
    return _verdict(wanted, shown, report, out)


_TOLD_OF = next(part for part in PARTS if Told.COMPLAINED in part.role.told)
"""Whose copy and story are told: somebody who went the whole way."""


def _verdict(wanted: Mapping[str, int], shown: Mapping[str, int], report: Path, out: TextIO) -> int:
    wrong = [*differences(wanted, shown)]
    for line in wrong:
        print(f"differs: {line}", file=out)
    if not wrong:
        print(f"All {len(wanted)} figures are the expected ones.", file=out)
    print(f"The report: {report}", file=out)
    return 1 if wrong else 0


def _send(world: World) -> dict[str, int]:
    """Everybody's mail, each by the server of its type."""
    over_tls = 0
    for part in PARTS:
        world.clock.now = sent_at(part)
        try:
            receipt = world.plan.send(part.mail)
        except RefusedError:
            # Written down by the sender; the report shows it.
            continue
        over_tls += receipt.channel is not None and receipt.channel.protocol in ("TLSv1.2", "TLSv1.3")
    return {
        "copies kept": sum(len(world.archive.find(part.person.address.email)) for part in PARTS),
        "mails taken over TLS": over_tls,
        **{f"mails at {name}": len(sink.received) for name, sink in world.sinks.items()},
    }


def _read(world: World) -> dict[str, int]:
    """People and machines open the mails and follow their links, by real requests."""
    received = [each for name in SERVERS for each in taken_by(world, name)]
    astray = [line for part, content in received for line in read(part, content, world.clock)]
    return {"links that led astray": len(astray)}


def _not_to_be_written_to(world: World) -> dict[str, int]:
    """Whom the next newsletter must leave out, by what forbids it."""
    reasons = [why_not_to_write(world.journal.of_recipient(part.person.address.email)) for part in PARTS]
    names = Counter(type(reason).__name__ for reason in reasons if reason is not None)
    return {f"people not to be written to: {name}": count for name, count in names.items()}


def _story(world: World, part: Part) -> tuple[Copy, tuple[Moment, ...]]:
    """The copy of one person's mail, found by the person, and what happened."""
    [copy] = world.archive.find(part.person.address.email)
    known = world.journal.of_recipient(part.person.address.email)
    return copy, timeline(copy, world.journal.of_delivery(copy.delivery_id), known=known)


def _campaign(world: World, letter: Letter) -> Campaign:
    """What the database holds of one mail, found by person and by delivery."""
    copies = [copy for part in of_letter(letter) for copy in world.archive.find(part.person.address.email)]
    events = {copy.delivery_id: world.journal.of_delivery(copy.delivery_id) for copy in copies}
    return Campaign(name=letter.title, copies=copies, events=events)


def _figures(campaigns: Iterable[Campaign]) -> Figures:
    return figures({copy.delivery_id: each.of(copy) for each in campaigns for copy in each.copies})
