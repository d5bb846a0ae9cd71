"""The figures that the script leads to, and those that were found: each under the same name, to be compared."""

from collections.abc import Iterable, Iterator, Mapping

from ..report import Figures
from .letters import Letter
from .readers import leads_to
from .relays import PLAIN, RELAYS, SERVERS
from .script import PARTS, UNKNOWN, Part, Reads, Role, Told, of_letter, through

_BOUNCES = {Told.BOUNCED: "5.1.1", Told.FULL: "5.2.2"}

_MACHINES = {Reads.PREFETCHED, Reads.SCANNED}


def expected(parts: Iterable[Part] = PARTS) -> dict[str, int]:
    """What the report must show, by counting in the script alone."""
    several = tuple(parts)
    wanted: dict[str, int] = {}
    for letter in Letter:
        wanted |= _of_script(letter.title, of_letter(letter, several))
    return wanted | _of_script("All", several) | _on_the_wire(several)


def found(name: str, figures: Figures, parts: Iterable[Part]) -> dict[str, int]:
    """What the report shows, under the names that `expected` uses."""
    counted = {
        "people": figures.people,
        "taken": figures.accepted,
        "uncertain": figures.uncertain,
        "delivered": figures.delivered,
        "called spam": figures.complained,
        "unsubscribed": figures.unsubscribed,
        "opened by people": figures.opened.human,
        "opened by machines alone": figures.opened.machine,
        "clicked by people": figures.clicked.human,
        "clicked by machines alone": figures.clicked.machine,
        "refused": figures.refused,
        "bounced": figures.bounced,
    }
    counted |= {f"refused {code}": count for code, count in figures.refusals.items()}
    counted |= {f"bounced {code}": count for code, count in figures.bounces.items()}
    by_url = {link.url: link.human for link in figures.links}
    for words, urls in _links(parts).items():
        counted[f"people at {words!r}"] = sum(by_url.get(url, 0) for url in urls)
    return {f"{name}: {what}": count for what, count in counted.items()}


def differences(wanted: Mapping[str, int], shown: Mapping[str, int]) -> Iterator[str]:
    """A line for each figure that is not the expected one; a code that occurs on one side only is 0 on the other."""
    for what in dict.fromkeys([*wanted, *shown]):
        if wanted.get(what, 0) != shown.get(what, 0):
            yield f"{what}: expected {wanted.get(what, 0)}, found {shown.get(what, 0)}"


def _of_script(name: str, parts: tuple[Part, ...]) -> dict[str, int]:
    roles = [part.role for part in parts]
    wanted = {
        "people": len(roles),
        "taken": sum(not role.refused for role in roles),
        "uncertain": 0,
        "delivered": sum(map(_arrives, roles)),
        "called spam": sum(Told.COMPLAINED in role.told for role in roles),
        "unsubscribed": sum(Told.UNSUBSCRIBED in role.told for role in roles),
        "opened by people": sum(_is_seen(role) for role in roles),
        "opened by machines alone": sum(Reads.PREFETCHED in role.reads and not _is_seen(role) for role in roles),
        "clicked by people": sum(bool(role.follows) for role in roles),
        "clicked by machines alone": sum(Reads.SCANNED in role.reads and not role.follows for role in roles),
        "refused": sum(bool(role.refused) for role in roles),
        "bounced": sum(bool(_BOUNCES.keys() & role.told) for role in roles),
    }
    for role in roles:
        if role.refused:
            _add(wanted, f"refused {role.refused[:9]}")
        for told in _BOUNCES.keys() & role.told:
            _add(wanted, f"bounced {_BOUNCES[told]}")
        for words in role.follows:
            _add(wanted, f"people at {words!r}")
    return {f"{name}: {what}": count for what, count in wanted.items()}


def _on_the_wire(parts: tuple[Part, ...]) -> dict[str, int]:
    """What happens beside the report."""
    taken = [part for part in parts if not part.role.refused]
    by_mail = sum(len(part.role.told) for part in through(PLAIN, taken))
    return {
        "copies kept": len(parts),
        "mails taken over TLS": len(taken),
        **{f"mails at {server}": len(through(server, taken)) for server in SERVERS},
        "links that led astray": 0,
        "reports not taken in": 0,
        **{f"reports kept of {relay}": _reports(through(relay, taken)) for relay in RELAYS},
        "bounce mailbox: mails understood": 2 * by_mail,
        "bounce mailbox: reports kept, each proven by its signature": by_mail,
        "bounce mailbox: mails left for a person": 1,
        "forged links that led anywhere": 0,
        "forged reports believed": 0,
        "events made of forgeries": 0,
        "people silenced by a forged bounce": 0,
        "people not to be written to: Complained": _ending(parts, Told.COMPLAINED),
        "people not to be written to: Unsubscribed": _ending(parts, Told.UNSUBSCRIBED),
        "people not to be written to: Bounced": _ending(parts, Told.BOUNCED)
        + sum(part.role.refused == UNKNOWN for part in parts),
    }


def _reports(parts: Iterable[Part]) -> int:
    return sum(len(part.role.told) for part in parts)


def _ending(parts: Iterable[Part], told: Told) -> int:
    return sum(told in part.role.told for part in parts)


def _arrives(role: Role) -> bool:
    """Whether it is known to have arrived: somebody said so, or it was read, complained of or answered."""
    known = bool(role.reads) or bool({Told.DELIVERED, Told.COMPLAINED, Told.AWAY} & {*role.told})
    return not role.refused and known and not _BOUNCES.keys() & role.told


def _is_seen(role: Role) -> bool:
    return bool(role.follows) or bool({*role.reads} - _MACHINES)


def _add(counts: dict[str, int], what: str) -> None:
    counts[what] = counts.get(what, 0) + 1


def _links(parts: Iterable[Part]) -> dict[str, set[str]]:
    """Where each link leads that somebody follows: to one place, or to each person's own."""
    links: dict[str, set[str]] = {}
    for part in parts:
        for words in part.role.follows:
            links.setdefault(words, set()).add(leads_to(part, words))
    return links
