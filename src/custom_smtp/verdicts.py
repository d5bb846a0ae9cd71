"""People or machines: the verdict on each open and click, from all that is known of its delivery.

An endpoint or a provider gives a first verdict, from one request alone. The final one is worked out here, whenever
somebody asks, from the facts that the events hold: so a journal can be judged again when the tables have improved.
Nothing here is proof. A scanner that takes its time and calls itself Chrome is a person to us, and so it is counted.

==========================  ================================================================================  ==========
Evidence                    What was seen                                                                     it makes
==========================  ================================================================================  ==========
a row of the tables         the User-Agent or the address is known (see `custom_smtp.readers`)                as it says
``HEAD``                    only the headers were asked for                                                   a machine
``Sec-Purpose: prefetch``   a browser said that nobody asked yet; ``Purpose`` and ``X-Moz`` likewise          a machine
``honeypot``                the hidden link was followed, or another one within ten seconds of it             a machine
``several links at once``   it is one of three different links followed within three seconds                  a machine
``HEAD before``             the same reader had just asked for the same link with HEAD                        a machine
``too soon``                within five seconds of the moment the mail was taken, or just before it           a machine
``as told``                 whoever reported it says so, and not why                                          as told
==========================  ================================================================================  ==========

For an open, "a machine" means ``prefetched``; honeypot, several links and ``HEAD before`` are about clicks alone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain
from operator import itemgetter
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .checks import ConfigurationError
from .claims import HONEYPOT
from .events import Accepted, Clicked, Delivered, Event, Opened, Uncertain
from .identifiers import DeliveryId
from .readers import HASHED, HEAD, TABLES, Tables

SEVERAL = "several links at once"
AFTER_HEAD = "HEAD before"
TOO_SOON = "too soon"
AS_TOLD = "as told"

CIRCUMSTANCES = frozenset({HONEYPOT, SEVERAL, AFTER_HEAD, TOO_SOON})
"""Evidence that is worked out each time, and never taken from an event."""

HANDED_OVER = (Accepted, Uncertain, Delivered)
"""What shows that the mail was, or may have been, in a server's hands: no person can have had it before the first."""

_BEFORE = 120.0
"""Seconds: some gateways follow the links before they answer the last byte of a mail.

See https://suped.com/learn/email-deliverability/how-to-identify-artificial-email-opens-and-clicks-generated-by-spam-filters
"""


def _a_span(_instance: object, attribute: "Attribute[Any]", span: timedelta) -> None:
    if not isinstance(span, timedelta) or span < timedelta(0):
        raise ConfigurationError(f"{attribute.name} is {span!r}: give a timedelta, such as timedelta(seconds=5)")


def _several(_instance: object, _attribute: "Attribute[Any]", count: int) -> None:
    if not isinstance(count, int) or count < 2:
        raise ConfigurationError(f"burst_links is {count!r}: one link is no burst, so give 2 or more")


@frozen(kw_only=True)
class Judge:
    """Tells people from machines; a pure function of the facts that events hold, whatever their order.

    The spans are choices, not knowledge. One sender counted 836 bursts of five and more links in a second, half of them
    43 seconds and more after sending (https://github.com/putyourlightson/craft-campaign/issues/546); to another, ten
    seconds around a hidden link served well (https://github.com/mautic/mautic/issues/9798).

    Attributes:
        tables: what is known of programs and networks.
        too_soon: how long after a mail was taken nobody can have read it yet; zero, to leave that out.
        burst: the span in which a person does not follow several links.
        burst_links: how many different links those are.
        around_honeypot: how far from a click on the honeypot other clicks are the same machine's.

    Raises:
        ConfigurationError: a span is negative, or a burst of one link.
    """

    tables: Tables = TABLES
    too_soon: timedelta = field(default=timedelta(seconds=5), validator=_a_span)
    burst: timedelta = field(default=timedelta(seconds=3), validator=_a_span)
    burst_links: int = field(default=3, validator=_several)
    around_honeypot: timedelta = field(default=timedelta(seconds=10), validator=_a_span)

    def first(self, event: Opened | Clicked) -> Opened | Clicked:
        """The verdict that an open's or a click's own facts allow.

        What rests on the tables is judged anew where the fact itself was kept. Whatever else was told stays.
        """
        trapped = isinstance(event, Clicked) and event.link == HONEYPOT
        return self._with(event, (HONEYPOT,) if trapped else ())

    def final(self, events: Iterable[Event]) -> list[Event]:
        """The same events in the same order, each open and click with its final verdict.

        Events of several deliveries may come together: those of one never change the verdict on another's. Where an
        event names no delivery, it is judged by itself.
        """
        told = list(events)
        if not any(isinstance(event, Opened | Clicked) for event in told):
            return told
        deliveries: dict[DeliveryId, list[Event]] = {}
        for event in told:
            if event.about.delivery_id is not None and isinstance(event, _COUNTS):
                deliveries.setdefault(event.about.delivery_id, []).append(event)
        seen: dict[int, list[str]] = {}
        for story in deliveries.values():
            for event, evidence in self._circumstances(story):
                seen.setdefault(id(event), []).append(evidence)
        return [
            (self._with(event, seen[id(event)]) if id(event) in seen else self.first(event))
            if isinstance(event, Opened | Clicked)
            else event
            for event in told
        ]

    def _circumstances(self, story: Sequence[Event]) -> Iterator[tuple[Event, str]]:
        """What the events of one delivery say about each other."""
        clicks = [(_moment(event), event) for event in story if isinstance(event, Clicked)]
        clicks.sort(key=itemgetter(0))
        yield from ((event, HONEYPOT) for event in self._around_honeypot(clicks))
        yield from ((event, SEVERAL) for event in self._bursts(clicks))
        yield from ((event, AFTER_HEAD) for event in self._after_head(clicks))
        yield from ((event, TOO_SOON) for event in self._too_soon(story))

    def _around_honeypot(self, clicks: "_Clicks") -> Iterator[Clicked]:
        """Those on the hidden link, and those near them."""
        touched = [at for at, click in clicks if click.link == HONEYPOT]
        span = self.around_honeypot.total_seconds()
        for at, click in clicks if touched else ():
            near = bisect_left(touched, at - span)
            if near < len(touched) and touched[near] <= at + span:
                yield click

    def _bursts(self, clicks: "_Clicks") -> Iterator[Clicked]:
        """Those in any span that is short enough and holds enough different links."""
        span = self.burst.total_seconds()
        inside: dict[str, int] = {}
        first = told = 0
        for place, (at, click) in enumerate(clicks):
            inside[_link(click)] = inside.get(_link(click), 0) + 1
            while at - clicks[first][0] > span:
                link = _link(clicks[first][1])
                inside[link] -= 1
                if not inside[link]:
                    del inside[link]
                first += 1
            if len(inside) >= self.burst_links:
                yield from (click for _, click in clicks[max(first, told) : place + 1])
                told = place + 1

    def _after_head(self, clicks: "_Clicks") -> Iterator[Clicked]:
        """Those that some program made sure of with HEAD, and then followed."""
        span = self.burst.total_seconds()
        asked: dict[tuple[str, str, str], list[float]] = {}
        for at, click in clicks:
            if HEAD in click.evidence and (click.user_agent or click.client):
                asked.setdefault(_reader(click), []).append(at)
        for at, click in clicks if asked else ():
            heads = asked.get(_reader(click), ())
            last = bisect_right(heads, at) - 1
            if last >= 0 and at - heads[last] <= span and HEAD not in click.evidence:
                yield click

    def _too_soon(self, story: Sequence[Event]) -> Iterator[Event]:
        """Those that nobody can have made who had the mail before them."""
        span = self.too_soon.total_seconds()
        taken = sorted(_moment(event) for event in story if isinstance(event, HANDED_OVER))
        accepted = min((_moment(event) for event in story if isinstance(event, Accepted)), default=None)
        if not taken or not span:
            return
        for event in story:
            if isinstance(event, Opened | Clicked):
                at = _moment(event)
                last = bisect_right(taken, at) - 1
                if (at - taken[last] < span) if last >= 0 else (taken[0] == accepted and accepted - at <= _BEFORE):
                    yield event

    def _with(self, event: Opened | Clicked, seen: Collection[str]) -> Opened | Clicked:
        """The event with the verdict that its own facts, and what was seen beside them, allow."""
        agent, client = event.user_agent, event.client
        if agent.startswith(HASHED) or client.startswith(HASHED):
            agent, client = _in_clear(agent), _in_clear(client)
        rows = self.tables.rows(agent, client) if agent or client else ()
        if not (event.evidence or rows or seen):
            return event
        # A flag stands by evidence of its own; one that came with none is somebody's word.
        told = event.evidence or ((AS_TOLD,) if _is_flagged(event) else ())
        kept = [name for name in told if not self._can_be_judged_anew(name, agent, client)]
        stands = bool(kept)
        if isinstance(event, Clicked):
            machines = [row.evidence for row in rows if row.machine]
            machine = bool(machines or seen) or (stands and event.machine)
            return evolve(event, machine=machine, evidence=_each_once(kept, seen, machines))
        return evolve(
            event,
            proxied=any(row.proxied for row in rows) or (stands and event.proxied),
            prefetched=any(row.prefetched or row.machine for row in rows)
            or bool(seen)
            or (stands and event.prefetched),
            evidence=_each_once(kept, seen, (row.evidence for row in rows)),
        )

    def _can_be_judged_anew(self, name: str, agent: str, client: str) -> bool:
        of_agents, of_networks = self.tables.agent_names, self.tables.network_names
        return name in CIRCUMSTANCES or bool(agent and name in of_agents) or bool(client and name in of_networks)


_Clicks = Sequence[tuple[float, Clicked]]
_COUNTS = (*HANDED_OVER, Opened, Clicked)


JUDGE = Judge()
"""Judges as this version does by default."""


def is_human(event: Opened | Clicked) -> bool:
    """Whether a person did it, by the verdict that the event holds."""
    return not (event.prefetched if isinstance(event, Opened) else event.machine)


def _is_flagged(event: Opened | Clicked) -> bool:
    return event.machine if isinstance(event, Clicked) else event.proxied or event.prefetched


def _in_clear(fact: str) -> str:
    """A fact that was kept as it is; nothing where it was dropped or hashed."""
    return "" if fact.startswith(HASHED) else fact


def _moment(event: Event) -> float:
    # As a number: two times of one zone are otherwise subtracted as its clocks show them, wrong by an hour at times.
    return event.about.at.timestamp()


def _link(click: Clicked) -> str:
    # By where it leads: a mail often has one target in several places, its plain text among them.
    return click.url or click.link


def _reader(click: Clicked) -> tuple[str, str, str]:
    return _link(click), click.client, click.user_agent


def _each_once(*several: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain(*several)))
