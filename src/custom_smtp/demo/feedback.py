"""What comes back: six providers post what they know, and a plain server's bounce mail is fetched from its mailbox."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import evolve

from ..testing.reporters import REPORTERS
from ..web import Request
from .bouncing import letter, put_into, returned
from .relays import PLAIN, RELAYS
from .reports import AT_ONCE, report
from .script import PARTS, Part, through
from .web import post
from .world import World


def report_back(world: World) -> dict[str, int]:
    """Every provider posts every report, the last one first, and all of it twice."""
    requests = [request for name in RELAYS for request in _posts(world, name)]
    statuses = [post(world.site, request) for request in (*requests, *requests)]
    kept = {name: len(_told_by(world, name)) for name in RELAYS}
    return {
        "reports not taken in": sum(status != 200 for status in statuses),
        **{f"reports kept of {name}": count for name, count in kept.items()},
    }


def fetch_bounces(world: World) -> dict[str, int]:
    """What came back to the plain server's return addresses, each mail twice; and one that is for a person to read."""
    mails = [
        returned(part, told, taken.content, taken.return_path)
        for part in through(PLAIN)
        for told in part.role.told
        for taken in (world.sinks[PLAIN].received[part.person.address.email],)
    ]
    put_into(world.mailbox.path, [*mails, *mails, letter(PARTS[0].person.address.email, world.clock())])
    passed = world.mailbox.take_in(world.journal)
    return {
        "bounce mailbox: mails understood": passed.understood,
        "bounce mailbox: reports kept, each proven by its signature": len(_told_by(world, "proven-bounce-mail")),
        "bounce mailbox: mails left for a person": passed.left,
    }


def posted(name: str, reports: Sequence[Any], world: World, *, forged: bool = False) -> Request:
    """A provider's post of these reports, to its own path of the one mount for all."""
    reporter = REPORTERS[name]
    written = (reporter.forged if forged else reporter.request)(
        reports if AT_ONCE[name] > 1 else reports[0], at=world.clock()
    )
    return evolve(written, path=f"/hooks/{name}")


def taken_by(world: World, name: str) -> list[tuple[Part, bytes]]:
    """The mails that came through this server, as it received them."""
    received = world.sinks[name].received
    return [
        (part, received[email].content) for part in through(name) if (email := part.person.address.email) in received
    ]


def _posts(world: World, name: str) -> Iterator[Request]:
    reports = [
        report(name, part, told, content)
        for part, content in taken_by(world, name)
        for told in reversed(part.role.told)
    ]
    for some in _batched(reports, AT_ONCE[name]):
        yield posted(name, some, world)


def _batched(reports: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (reports[start : start + size] for start in range(0, len(reports), size))


def _told_by(world: World, source: str) -> list[object]:
    events = [event for part in PARTS for event in world.journal.of_recipient(part.person.address.email)]
    return [event for event in events if event.about.source == source]
