"""What became of a campaign: its figures, and one self-contained HTML page that shows them.

The page loads nothing, runs nothing and leads nowhere: it may be mailed, kept and printed. Whatever a mail, a server or
a provider put into the events is shown as text. Nothing here reads a clock, a file or a journal: copies and events are
handed in.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from ._report_aggregate import AggregateFigures, aggregate
from ._report_chart import over_time
from ._report_figures import Campaign, Figures, LinkReactions, Reactions, figures, name_of
from ._report_links import SameLinks, claim_of
from ._report_preview import CONTENT_POLICY, plain, preview
from ._report_sources import who_told
from ._report_story import story_of
from ._report_style import STYLE
from .archive import Copy
from .errors import ConfigurationError
from .events import Accepted, Bounced, Clicked, Complained, Delivered, Dropped, Event, Opened, Refused, Unsubscribed
from .state import DeliveryState, Stage, delivery_state, story
from .timeline import Moment
from .tokens import Tokens
from .verdicts import JUDGE, Judge, is_human

__all__ = [
    "LINKS_SHOWN",
    "MEANING",
    "PEOPLE_SHOWN",
    "AggregateFigures",
    "Campaign",
    "Figures",
    "LinkReactions",
    "Reactions",
    "aggregate",
    "figures",
    "page",
]

PEOPLE_SHOWN = 1000
"""How many mails a page lists one by one; its figures are always of all."""

LINKS_SHOWN = 50
"""How many links of a campaign it lists."""

MEANING = {
    "5.1.1": "no such mailbox",
    "5.1.2": "no such domain",
    "5.1.10": "the domain takes no mail",
    "5.2.1": "the mailbox is switched off",
    "5.2.2": "the mailbox is full",
    "5.3.4": "the mail is too large",
    "5.4.4": "no way to the domain's server",
    "5.4.7": "not delivered in time",
    "5.7.1": "turned away by policy",
    "5.7.26": "the sender is not authenticated",
    "4.2.0": "the mailbox is busy: a later try may succeed",
    "4.2.1": "the mailbox is set aside: a later try may succeed",
    "4.2.2": "the mailbox is full for now",
    "4.4.1": "the domain's server did not answer",
    "4.4.7": "not delivered in time",
    "4.7.0": "held back for now",
    "4.7.1": "held back for now by policy",
    "hard": "the address does not work",
    "soft": "not delivered this time",
    "block": "turned away",
    "undetermined": "not delivered",
    "dropped": "the provider did not try, as where the person had bounced, complained or unsubscribed before",
}
"""What a status code (RFC 3463; IANA's registry of enhanced status codes) or a kind of bounce means to a reader."""


def page(
    title: str,
    campaigns: Iterable[Campaign],
    *,
    at: datetime,
    tokens: Tokens | None = None,
    shown: int = PEOPLE_SHOWN,
    stories: Mapping[str, Sequence[Moment]] = MappingProxyType({}),
    judge: Judge = JUDGE,
) -> str:
    """One HTML page, complete in itself: write it to a file as UTF-8.

    Args:
        title: its headline.
        campaigns: what it is about, in order.
        at: when the figures were taken.
        tokens: what sealed the mails' links, so that they are shown by where they lead.
        shown: how many mails are listed one by one, those that went wrong first.
        stories: single mails to tell of, each by its headline, as `custom_smtp.timeline.timeline` makes them.
        judge: who tells people from machines.

    Raises:
        ConfigurationError: ``at`` has no time zone.
    """
    if at.utcoffset() is None:
        raise ConfigurationError(f"at is {at!r}, with no time zone: use datetime.now(UTC)")
    several = tuple(campaigns)
    everything = {copy.delivery_id: each.of(copy) for each in several for copy in each.copies}
    total = figures(everything, judge=judge)
    return _document(
        title,
        _masthead(title, several, total, at),
        _tiles(total),
        _section("From sending to clicking", _funnel(total)),
        _section("Over time", over_time(_moments(everything.values(), judge), _BAD_ROWS)),
        _section("Who told what", who_told(everything.values())),
        *(_section(headline, story_of(moments)) for headline, moments in stories.items()),
        *(_campaign(each, tokens, judge) for each in several),
        _section("What did not arrive", _failures(total)),
        _section("Person by person", _people(several, shown, judge)),
        _FOOTER,
    )


# The page, from top to bottom


def _document(title: str, *parts: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{plain(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{''.join(parts)}\n</body>\n</html>\n"
    )


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{plain(heading)}</h2>\n{content}\n</section>\n" if content else ""


def _masthead(title: str, campaigns: Sequence[Campaign], total: Figures, at: datetime) -> str:
    kinds = "" if len(campaigns) == 1 else f" in {len(campaigns)} campaigns"
    return (
        f'<header>\n<p class="when">{_moment(at)}</p>\n<h1><bdi>{plain(title)}</bdi></h1>\n'
        f'<p class="lead">{_mails(total.people)}{kinds}: {total.accepted:,} taken by our servers, '
        f"{total.delivered:,} delivered, {total.opened.human:,} opened and {total.clicked.human:,} clicked by people."
        "</p>\n</header>\n"
    )


def _tiles(total: Figures) -> str:
    failed = total.refused + total.bounced
    tiles = (
        ("Delivered", total.delivered, f"{total.delivered:,} of {_mails(total.people)}"),
        ("Opened by people", total.opened.human, _and_machines(total.opened)),
        ("Clicked by people", total.clicked.human, _and_machines(total.clicked)),
        ("Did not arrive", failed, f"{_mails(failed)}: {total.refused:,} refused, {total.bounced:,} bounced"),
    )
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{name}</dt><dd>{_share(count, total.people)}<small>{note}</small></dd></div>"
            for name, count, note in tiles
        )
        + "</dl>\n"
    )


def _and_machines(reactions: Reactions) -> str:
    return f"{_mails(reactions.human)}, {reactions.machine:,} more by machines alone"


def _funnel(total: Figures) -> str:
    steps = (
        ("Sent", total.people, 0),
        ("Taken by our server", total.accepted, 0),
        ("Delivered", total.delivered, 0),
        ("Opened", total.opened.human, total.opened.machine),
        ("Clicked", total.clicked.human, total.clicked.machine),
    )
    rows = "".join(_funnel_row(name, human, machine, total.people) for name, human, machine in steps)
    key = (
        '<p class="note key"><i class="human"></i>by people<i class="machine"></i>by machines alone, such as mail '
        "scanners and prefetching. Every share is of the mails sent.</p>"
    )
    return f"<div>{rows}</div>{key}"


def _funnel_row(name: str, human: int, machine: int, whole: int) -> str:
    bars = "".join(
        f'<i class="{who}" style="width:{_percent(count, whole):.2f}%"></i>'
        for who, count in (("human", human), ("machine", machine))
        if count
    )
    also = f' title="{machine:,} more by machines alone"' if machine else ""
    return (
        f'<div class="row"><span>{name}</span><span class="bar"{also}>{bars}</span>'
        f'<span>{human:,}</span><span class="soft">{_share(human, whole)}</span></div>'
    )


def _moments(stories: Iterable[Sequence[Event]], judge: Judge) -> dict[str, list[datetime]]:
    """When each thing first happened to each mail; what machines did is left out."""
    rows: dict[str, list[datetime]] = {name: [] for name in _ROW_OF.values()}
    for happened in stories:
        firsts: dict[str, datetime] = {}
        for event in story(happened, judge=judge):
            if isinstance(event, Opened | Clicked) and not is_human(event):
                continue
            if name := _ROW_OF.get(type(event)):
                firsts[name] = min(firsts.get(name, event.about.at), event.about.at)
        for name, moment in firsts.items():
            rows[name].append(moment)
    return rows


_ROW_OF: dict[type, str] = {
    Accepted: "Taken",
    Refused: "Refused",
    Delivered: "Delivered",
    Opened: "Opened",
    Clicked: "Clicked",
    Bounced: "Bounced",
    Complained: "Called spam",
    Unsubscribed: "Unsubscribed",
}
_BAD_ROWS = frozenset({"Refused", "Bounced", "Called spam", "Unsubscribed"})


def _campaign(campaign: Campaign, tokens: Tokens | None, judge: Judge) -> str:
    same = SameLinks(campaign.copies, tokens)
    found = figures(
        {copy.delivery_id: campaign.of(copy) for copy in campaign.copies},
        same_link=lambda click: name_of(click.link) or same.name(click.about.delivery_id, click.url),
        judge=judge,
    )
    told = (
        f'<header><h2><bdi>{plain(campaign.name)}</bdi></h2></header>\n<p class="sentence">{_mails(found.people)}: '
        f"{found.delivered:,} delivered, {found.opened.human:,} opened and {found.clicked.human:,} clicked by people, "
        f"{found.refused + found.bounced:,} did not arrive.</p>\n{_as_a_whole(campaign, judge)}"
    )
    if not campaign.copies:
        return f'<section class="campaign">{told}</section>\n'
    return (
        f'<section class="campaign">{told}<div class="mail">{_frame(campaign.copies[0], found, tokens)}'
        f"<div>{_link_table(found)}</div></div></section>\n"
    )


def _as_a_whole(campaign: Campaign, judge: Judge) -> str:
    told = aggregate(campaign.unnamed, judge=judge)
    if not (told.opens.all or told.clicks.all):
        return ""
    return (
        f'<p class="sentence">Of mails tracked as a whole, which name nobody: {_times(told.opens.human)} opened and '
        f"{_times(told.clicks.human)} clicked by people, {told.opens.machine + told.clicks.machine:,} more by "
        "machines.</p>\n"
    )


def _frame(copy: Copy, found: Figures, tokens: Tokens | None) -> str:
    ranks = {link.link or link.url: (rank, link) for rank, link in enumerate(found.links, 1) if link.human}

    def badge(url: str) -> tuple[str, str] | None:
        claim = claim_of(url, tokens)
        if claim is None:
            return None
        name = name_of(claim.link) or claim.url
        if name not in ranks:
            return claim.url, "0"
        rank, link = ranks[name]
        return claim.url, f"{rank}: {link.human:,} \u00b7 {_share(link.human, found.people)}"

    return (
        f'<div class="frame"><dl><dt>Subject</dt><dd><bdi>{plain(copy.subject)}</bdi></dd>'
        f"<dt>For</dt><dd><bdi>{plain(copy.recipient)}</bdi></dd><dt>Kept</dt><dd>{_moment(copy.at)}</dd></dl>"
        f'<iframe sandbox="" referrerpolicy="no-referrer" title="The mail as it was sent, with its clicks" '
        f'srcdoc="{plain(preview(copy.content, badge))}"></iframe></div>'
    )


def _link_table(found: Figures) -> str:
    followed = [link for link in found.links if link.human]
    rows = "".join(
        f'<tr><td><span class="badge">{rank}</span></td><td>{_url(link.url)}</td>'
        f'<td class="n">{link.human:,}</td><td class="n soft">{_count(link.machine)}</td></tr>'
        for rank, link in enumerate(followed[:LINKS_SHOWN], 1)
    )
    head = '<tr><th></th><th>Link</th><th class="n">People</th><th class="n">Machines</th></tr>'
    table = f'<table class="links"><thead>{head}</thead><tbody>{rows}</tbody></table>' if rows else ""
    return table + _others(len(found.links) - len(followed), len(followed) - LINKS_SHOWN) or _NO_CLICKS


_NO_CLICKS = '<p class="note">Nobody followed a link.</p>'


def _others(by_machines: int, not_shown: int) -> str:
    told = []
    if not_shown > 0:
        told.append(f"{not_shown:,} more were followed by people.")
    if by_machines:
        told.append(f"{by_machines:,} {'more was' if by_machines == 1 else 'more were'} followed by machines alone.")
    return f'<p class="note">{" ".join(told)}</p>' if told else ""


def _url(url: str) -> str:
    """A URL as it reads best: without its scheme, its query set back, broken where it has joints."""
    address, mark, query = url.removeprefix("https://").removeprefix("http://").partition("?")
    return (
        f"<bdi>{plain(address).replace('/', '<wbr>/')}"
        f'<span class="soft">{plain(mark + query).replace("?", "<wbr>?").replace("&amp;", "<wbr>&amp;")}</span></bdi>'
    )


def _failures(total: Figures) -> str:
    unreached = total.people - total.accepted - total.refused - total.uncertain
    entries = [
        *((code, "refused by our server", MEANING.get(code.split()[-1], ""), n) for code, n in total.refusals.items()),
        *((code, "bounced", MEANING.get(code, ""), n) for code, n in total.bounces.items()),
        ("", "uncertain", "the line broke after the last byte: only the server knows", total.uncertain),
        ("", "not sent", "no server could be talked to", unreached),
    ]
    rows = "".join(
        f'<tr><td class="code">{plain(code)}</td><td>{what}</td><td>{meaning}</td><td class="n">{count:,}</td></tr>'
        for code, what, meaning, count in entries
        if count
    )
    if not rows:
        return f'<p class="soft">Every mail was taken, and none came back.</p>{_complaints(total)}'
    head = '<tr><th>Code</th><th>What happened</th><th>Meaning</th><th class="n">Mails</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{_complaints(total)}"


def _complaints(total: Figures) -> str:
    return f'<p class="note">{total.complained:,} called spam, {total.unsubscribed:,} answered by unsubscribing.</p>'


def _people(campaigns: Sequence[Campaign], shown: int, judge: Judge) -> str:
    listed = [(delivery_state(each.of(copy), judge=judge), copy, each) for each in campaigns for copy in each.copies]
    if not listed:
        return ""
    listed.sort(key=lambda entry: (_PLACE[entry[0].stage], entry[1].recipient))
    rows = "".join(
        f'<tr><td><bdi>{plain(copy.recipient)}</bdi></td><td class="wide soft"><bdi>{plain(campaign.name)}</bdi></td>'
        f'<td><span class="stage {_WORDS[state.stage][1]}">{_word(state)}</span>'
        f'<span class="soft"> <bdi>{plain(_reason(state))}</bdi></span></td>'
        f'<td class="n">{_count(state.opens.human)}</td><td class="n">{_count(state.clicks.human)}</td></tr>'
        for state, copy, campaign in listed[:shown]
    )
    left = len(listed) - shown
    more = f'<p class="note">{left:,} more are counted above and not listed here.</p>' if left > 0 else ""
    return (
        '<table class="people"><thead><tr><th>Person</th><th class="wide">Campaign</th><th>What became of it</th>'
        f'<th class="n">Opens</th><th class="n">Clicks</th></tr></thead><tbody>{rows}</tbody></table>{more}'
    )


_FOOTER = (
    "<footer><p>Every number counts mails, one for each person; a report told twice counts once. An open or a click "
    "counts as a person&rsquo;s unless a machine gave itself away, and whoever clicked has opened the mail. Delivered "
    "mails that came back count as bounced.</p><p>This page is complete in itself: it loads nothing from anywhere, and "
    "the mails in it are shown without their pictures, with their links switched off.</p></footer>"
)


def _word(state: DeliveryState) -> str:
    return "Not tried" if isinstance(state.failure, Dropped) and state.stage is Stage.FAILED else _WORDS[state.stage][0]


def _reason(state: DeliveryState) -> str:
    if state.stage is Stage.REFUSED and state.refused is not None:
        return str(state.refused.reply)
    if state.failure is not None:
        return state.failure.reason
    return "and unsubscribed" if state.unsubscribed is not None else ""


_WORDS: Mapping[Stage, tuple[str, str]] = {
    Stage.REFUSED: ("Refused", "bad"),
    Stage.FAILED: ("Bounced", "bad"),
    Stage.COMPLAINED: ("Called spam", "bad"),
    Stage.ATTEMPTED: ("Not sent", "bad"),
    Stage.UNCERTAIN: ("Uncertain", "bad"),
    Stage.NOTHING: ("Nothing known", ""),
    Stage.DEFERRED: ("Put off", ""),
    Stage.ACCEPTED: ("On its way", ""),
    Stage.DELIVERED: ("Delivered", "good"),
    Stage.OPENED: ("Opened", "good"),
    Stage.CLICKED: ("Clicked", "good"),
}
"""Where a mail stands, in a reader's word, and its colour; in the order in which mails are listed."""

_PLACE = {stage: place for place, stage in enumerate(_WORDS)}


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count:,} mails"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _count(count: int) -> str:
    return f"{count:,}" if count else '<span class="soft">\u2013</span>'


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0


def _share(part: int, whole: int) -> str:
    return f"{_percent(part, whole):.0f}\u2009%"


def _moment(at: datetime) -> str:
    return plain(f"{at.day} {at:%B %Y, %H:%M:%S %Z}")
