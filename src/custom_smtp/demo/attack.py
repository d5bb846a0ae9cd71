"""Somebody cheats: made-up tokens, reports with a wrong proof, one altered on its way, a bounce of nothing."""

from attrs import evolve

from ..state import why_not_to_write
from .bouncing import forged as forged_bounce
from .bouncing import put_into
from .feedback import posted, taken_by
from .relays import RELAYS
from .reports import report
from .script import PARTS, Told
from .web import ask, post
from .world import World


def attack(world: World) -> dict[str, int]:
    """Try all of it; none of it may lead anywhere or count for anything."""
    before = _events(world)
    links = [ask(f"{world.site.url}/t/{kind}/{token}") for kind in "co" for token in ("made-up", "AQ" * 60)]
    statuses = [post(world.site, posted(name, [_lie(world, name)], world, forged=True)) for name in RELAYS]
    statuses.append(_altered(world))
    made = _events(world) - before
    return {
        "forged links that led anywhere": sum(bool(reply.location) for reply in links),
        "forged reports believed": sum(status != 401 for status in statuses),
        "events made of forgeries": made,
        "people silenced by a forged bounce": _silenced(world),
    }


def _lie(world: World, name: str) -> object:
    """A bounce of the first mail that this relay took, which did not bounce."""
    part, content = taken_by(world, name)[0]
    return report(name, part, Told.BOUNCED, content)


def _altered(world: World) -> int:
    """A report that was rightly signed, and says something else since."""
    part, content = taken_by(world, "sendgrid")[0]
    request = posted("sendgrid", [report("sendgrid", part, Told.DELIVERED, content)], world)
    return post(world.site, evolve(request, body=request.body.replace(b'"delivered"', b'"spamreport"')))


def _silenced(world: World) -> int:
    """Whether a bounce that anybody could have written keeps us from writing to a good reader."""
    reader = next(part for part in PARTS if part.role.follows and part.role.told == (Told.DELIVERED,)).person.address
    put_into(world.mailbox.path, [forged_bounce(reader.email, world.clock())])
    world.mailbox.take_in(world.journal)
    return why_not_to_write(world.journal.of_recipient(reader.email)) is not None


def _events(world: World) -> int:
    return sum(len(world.journal.of_recipient(part.person.address.email)) for part in PARTS)
