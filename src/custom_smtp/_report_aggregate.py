"""What is known of mails that were tracked as a whole: how often, and never who."""

from collections.abc import Iterable, Mapping

from attrs import frozen

from ._report_figures import name_of
from .events import Clicked, Event, Opened
from .state import Count, story
from .verdicts import JUDGE, Judge, is_human


@frozen(kw_only=True)
class AggregateFigures:
    """How often mails were opened and links followed that were tracked with ``Mode.AGGREGATE``.

    These count requests and not mails, since nobody can tell whose they are: one person who comes twice counts twice.

    Attributes:
        opens: how often pixels were loaded.
        clicks: how often links were followed.
        links: the same for each link, by what the mail's writer calls it or else by where it leads, the one that
            people followed most first.
    """

    opens: Count
    clicks: Count
    links: Mapping[str, Count]


def aggregate(events: Iterable[Event], *, campaign: str | None = None, judge: Judge = JUDGE) -> AggregateFigures:
    """What the events that name nobody tell.

    Args:
        events: in any order; those that name a mail or a person are not counted. A journal has the others together,
            as ``journal.of_recipient("")``.
        campaign: the campaign type whose events count; None for all.
        judge: who tells people from machines. Each request is judged by itself.
    """
    told = [
        event
        for event in story(events, judge=judge)
        if isinstance(event, Opened | Clicked)
        and event.about.delivery_id is None
        and not event.about.recipient
        and campaign in (None, event.campaign)
    ]
    clicks = [event for event in told if isinstance(event, Clicked)]
    by_link: dict[str, list[Clicked]] = {}
    for click in clicks:
        by_link.setdefault(name_of(click.link) or click.url, []).append(click)
    counts = [(link, _count(several)) for link, several in by_link.items()]
    counts.sort(key=lambda entry: (-entry[1].human, -entry[1].all, entry[0]))
    return AggregateFigures(
        opens=_count(event for event in told if isinstance(event, Opened)), clicks=_count(clicks), links=dict(counts)
    )


def _count(events: Iterable[Opened | Clicked]) -> Count:
    by_people = list(map(is_human, events))
    return Count(sum(by_people), len(by_people) - sum(by_people))
