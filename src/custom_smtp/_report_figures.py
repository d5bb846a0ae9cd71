"""A campaign in numbers, worked out from what happened to each of its mails."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import field, frozen

from .archive import Copy
from .claims import HONEYPOT
from .events import Bounced, Clicked, Dropped, Event
from .identifiers import DeliveryId
from .state import Count, DeliveryState, Stage, delivery_state, story
from .verdicts import JUDGE, Judge


def _copies(several: Iterable[Copy]) -> tuple[Copy, ...]:
    return tuple(several)


@frozen(kw_only=True)
class Campaign:
    """What is reported on: mails of one kind, and what happened to each.

    Attributes:
        name: as the reader shall see it.
        copies: one for each mail; the first is shown. To save memory the others may come without their content, as
            ``attrs.evolve(copy, content=b"")``; links that each person has of their own are then told apart.
        events: by delivery id. A mail of which nothing is known may be absent; events of other mails are not counted.
        unnamed: opens and clicks of mails that were tracked as a whole, which name nobody. They are in no mail's
            figures, and told of beside them.
    """

    name: str
    copies: tuple[Copy, ...] = field(converter=_copies)
    events: Mapping[DeliveryId, Sequence[Event]]
    unnamed: Sequence[Event] = ()

    def of(self, copy: Copy) -> Sequence[Event]:
        """What happened to this mail."""
        return self.events.get(copy.delivery_id, ())


@frozen(kw_only=True)
class Reactions:
    """In how many mails something was done: by a person, or by machines alone."""

    human: int
    machine: int

    @property
    def all(self) -> int:
        """In how many by anybody."""
        return self.human + self.machine


@frozen(kw_only=True)
class LinkReactions(Reactions):
    """In how many mails one link was followed.

    Attributes:
        url: where it leads.
        link: what the mail's writer calls it; may be empty.
    """

    url: str
    link: str = ""


@frozen(kw_only=True)
class Figures:
    """A campaign in numbers. Each counts mails, never reports: one told twice counts once.

    Attributes:
        people: mails made, each for one person.
        accepted: taken by our server.
        refusals: by code, mails that our server refused, and never took.
        uncertain: mails of which only the server knows whether it took them.
        delivered: taken by the person's own server, as reported or as shown by what followed, and not sent back.
        bounces: by status code or kind, mails sent back; ``dropped`` for those that a provider did not try.
        complained: called spam.
        unsubscribed: answered by an unsubscription.
        opened: shown to a person, or loaded by machines alone. A person's click shows that it was.
        clicked: with a link followed by a person, or by machines alone.
        links: the same for each link, the most followed first.
    """

    people: int
    accepted: int
    refusals: Mapping[str, int]
    uncertain: int
    delivered: int
    bounces: Mapping[str, int]
    complained: int
    unsubscribed: int
    opened: Reactions
    clicked: Reactions
    links: tuple[LinkReactions, ...]

    @property
    def refused(self) -> int:
        """Mails that our server refused, whatever the code."""
        return sum(self.refusals.values())

    @property
    def bounced(self) -> int:
        """Mails sent back, whatever the code."""
        return sum(self.bounces.values())


def name_of(link: str) -> str:
    """What the writer of a mail calls a link; nothing where it is told by its place alone, which differs by mail."""
    return "" if _PLACE.fullmatch(link) else link


# As a Tracker counts them, in the HTML, the text and an AMP part; and as SendGrid does.
_PLACE = re.compile(r"(?:[at]|html-|text-)?[0-9]+")


def _by_itself(click: Clicked) -> str:
    return name_of(click.link) or click.url


def figures(
    events: Mapping[DeliveryId, Sequence[Event]],
    *,
    same_link: Callable[[Clicked], str] = _by_itself,
    judge: Judge = JUDGE,
) -> Figures:
    """A campaign in numbers.

    Args:
        events: what happened to each mail, in any order. One of which nothing is known is there with none.
        same_link: under which URL a click counts. By default its own, or its link's name where its writer gave it one;
            `page` takes personal URLs that stand in the same place of their mails for one link.
        judge: who tells people from machines.
    """
    states = [delivery_state(happened, judge=judge) for happened in events.values()]
    return Figures(
        people=len(states),
        accepted=sum(state.stage not in _NOT_TAKEN for state in states),
        refusals=_counted(_refusal(state) for state in states),
        uncertain=sum(state.stage is Stage.UNCERTAIN for state in states),
        delivered=sum(state.stage in _ARRIVED and state.failure is None for state in states),
        bounces=_counted(_failure(state) for state in states),
        complained=sum(state.complaint is not None for state in states),
        unsubscribed=sum(state.unsubscribed is not None for state in states),
        opened=_reactions(state.opens for state in states),
        clicked=_reactions(state.clicks for state in states),
        links=_links((_clicks(happened, judge) for happened in events.values()), same_link),
    )


_NOT_TAKEN = frozenset({Stage.NOTHING, Stage.ATTEMPTED, Stage.REFUSED, Stage.UNCERTAIN})
_ARRIVED = frozenset({Stage.DELIVERED, Stage.OPENED, Stage.CLICKED, Stage.COMPLAINED})


def _refusal(state: DeliveryState) -> str:
    if state.stage is not Stage.REFUSED or state.refused is None:
        return ""
    return f"{state.refused.reply.code} {state.refused.reply.enhanced}".rstrip()


def _failure(state: DeliveryState) -> str:
    match state.failure:
        case Bounced(status=status, kind=kind):
            return status or kind.value
        case Dropped():
            return "dropped"
    return ""


def _counted(codes: Iterable[str]) -> dict[str, int]:
    """How often each code stands there, the most frequent first; no code, no count."""
    return dict(sorted(Counter(filter(None, codes)).items(), key=lambda entry: (-entry[1], entry[0])))


def _reactions(counts: Iterable[Count]) -> Reactions:
    told = [(count.human > 0, count.machine > 0) for count in counts]
    return Reactions(
        human=sum(human for human, _ in told), machine=sum(machine and not human for human, machine in told)
    )


def _clicks(happened: Sequence[Event], judge: Judge) -> list[Clicked]:
    """The clicks on links that the mail's writer knows of, each with its final verdict."""
    if not any(isinstance(event, Clicked) for event in happened):
        return []
    told = story(happened, judge=judge)
    return [event for event in told if isinstance(event, Clicked) and event.link != HONEYPOT]


def _links(stories: Iterable[Sequence[Clicked]], name: Callable[[Clicked], str]) -> tuple[LinkReactions, ...]:
    followed: dict[str, list[Count]] = {}
    clicks: dict[str, Clicked] = {}
    for told in stories:
        by_link: dict[str, list[Clicked]] = {}
        for click in told:
            by_link.setdefault(name(click), []).append(click)
        for key, several in by_link.items():
            clicks.setdefault(key, several[0])
            machines = sum(click.machine for click in several)
            followed.setdefault(key, []).append(Count(len(several) - machines, machines))
    links = []
    for key, counts in followed.items():
        by = _reactions(counts)
        link = name_of(clicks[key].link)
        url = clicks[key].url if key == link else key
        links.append(LinkReactions(url=url, link=link, human=by.human, machine=by.machine))
    return tuple(sorted(links, key=lambda link: (-link.human, -link.all, link.url, link.link)))
