"""The run of the demo, from top to bottom: send, read, report back, look, compare."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from ..archive import Copy
from ..bounces import read as read_bounce
from ..errors import RefusedError
from ..events import Event
from ..report import Campaign, Figures, figures, page
from ..system import utc_now
from .expected import differences, expected, found
from .letters import Letter
from .providers import bounce_mail
from .readers import read
from .script import BULK, PARTS, Part, Told, of_letter
from .telling import one_copy, table
from .web import ask, post
from .world import POSTMARK, SENDGRID, TOKENS, World, begin

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
        shown = _send(world) | _read(world) | _report_back(world) | _attack(world)
        campaigns = [_campaign(world, letter) for letter in Letter]
        told_of = _story(world, PARTS[_TOLD_OF])
    html = page("Café Möwe in October", campaigns, at=utc_now(), tokens=TOKENS)
    report.write_text(html, encoding="utf-8", newline="\n")
    totals = {campaign.name: _figures([campaign]) for campaign in campaigns} | {"All": _figures(campaigns)}
    for name, parts in [*((letter.title, of_letter(letter)) for letter in Letter), ("All", PARTS)]:
        shown |= found(name, totals[name], parts)
    print(table(totals), one_copy(*told_of), sep="\n", file=out)
    return _verdict(wanted, shown, report, out)


_TOLD_OF = 4
"""Whose copy is printed: somebody who clicked twice."""


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
        try:
            receipt = world.plan.send(part.letter.written_to(part.person))
        except RefusedError:
            # Written down by the sender; the report shows it.
            continue
        over_tls += receipt.channel is not None and receipt.channel.protocol in ("TLSv1.2", "TLSv1.3")
    return {
        "copies kept": sum(len(world.archive.find(part.person.address.email)) for part in PARTS),
        "mails taken over TLS": over_tls,
        "mails at the server for all": len(world.sinks["main"].received),
        "mails at the server for bulk": len(world.sinks["bulk"].received),
    }


def _read(world: World) -> dict[str, int]:
    """People and machines open the mails and follow their links, by real requests."""
    astray = [line for part, content in _received(world, PARTS) for line in read(part, content)]
    return {"links that led astray": len(astray)}


def _report_back(world: World) -> dict[str, int]:
    """The providers tell what they know, after the mails were read, and twice; a bounce mail comes back, twice."""
    shipped, bulk = _received(world, _through(bulk=False)), _received(world, _through(bulk=True))
    requests = [*POSTMARK.requests(shipped), *SENDGRID.requests(bulk, utc_now())]
    answers = [post(world.site, request) for request in (*requests, *requests)]
    returned = [content for part, content in shipped if Told.BOUNCED_BY_MAIL in part.role.told]
    told = [event for content in (*returned, *returned) for event in read_bounce(bounce_mail(content))]
    return {
        "reports not taken in": sum(status != 200 for status in answers),
        "reports kept": len(_of_providers(world)),
        "bounce mails kept": sum(world.journal.record(event) for event in told),
    }


def _attack(world: World) -> dict[str, int]:
    """Somebody makes up a token, alters one, and reports what never happened."""
    before = sum(len(_events(world, part)) for part in PARTS)
    (_, shipped), (_, bulk) = _received(world, _through(bulk=False))[0], _received(world, _through(bulk=True))[0]
    forged = [ask(f"{world.site.url}/t/{kind}/{token}") for kind in "co" for token in ("made-up", "AQ" * 60)]
    claims = [post(world.site, request) for request in (POSTMARK.forged(shipped), SENDGRID.forged(bulk, utc_now()))]
    return {
        "forged links that led anywhere": sum(bool(reply.location) for reply in forged),
        "forged reports believed": sum(status != 401 for status in claims),
        "events made of forgeries": sum(len(_events(world, part)) for part in PARTS) - before,
    }


def _through(*, bulk: bool) -> tuple[Part, ...]:
    return tuple(part for part in PARTS if (part.letter in BULK) is bulk)


def _received(world: World, parts: Iterable[Part]) -> list[tuple[Part, bytes]]:
    """The mails that came through, as the servers received them."""
    received = {**world.sinks["main"].received, **world.sinks["bulk"].received}
    return [(part, received[email]) for part in parts if (email := part.person.address.email) in received]


def _events(world: World, part: Part) -> list[Event]:
    return world.journal.of_recipient(part.person.address.email)


def _of_providers(world: World) -> list[Event]:
    events = [event for part in PARTS for event in _events(world, part)]
    return [event for event in events if event.about.source in ("postmark", "sendgrid")]


def _story(world: World, part: Part) -> tuple[Copy, list[Event]]:
    """The copy of one person's mail, found by the person, and what happened."""
    [copy] = world.archive.find(part.person.address.email)
    return copy, _events(world, part)


def _campaign(world: World, letter: Letter) -> Campaign:
    """What the database holds of one mail, found by person and by delivery."""
    copies = [copy for part in of_letter(letter) for copy in world.archive.find(part.person.address.email)]
    events = {copy.delivery_id: world.journal.of_delivery(copy.delivery_id) for copy in copies}
    return Campaign(name=letter.title, copies=copies, events=events)


def _figures(campaigns: Iterable[Campaign]) -> Figures:
    return figures({copy.delivery_id: each.of(copy) for each in campaigns for copy in each.copies})
