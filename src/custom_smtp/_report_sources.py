"""Who told what: a row for our server, our links, each provider and the bounce mail, a column for each kind of news."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ._report_preview import plain
from .events import Event
from .timeline import SAID_BY, TITLES


def who_told(stories: Iterable[Sequence[Event]]) -> str:
    """How many mails each source told each thing about; nothing where nothing was told."""
    told = Counter(
        (source, kind)
        for happened in stories
        for source, kind in {(event.about.source, type(event)) for event in happened}
    )
    kinds = [kind for kind in TITLES if any(kind is each for _, each in told)]
    sources = sorted({source for source, _ in told}, key=lambda source: (_place(source), source))
    if not told:
        return ""
    head = "".join(f'<th class="n">{plain(TITLES[kind])}</th>' for kind in kinds)
    rows = "".join(
        f"<tr><td>{plain(SAID_BY.get(source, source))}</td>"
        + "".join(f'<td class="n">{_count(told[source, kind])}</td>' for kind in kinds)
        + "</tr>"
        for source in sources
    )
    return (
        f'<div class="scroll"><table class="told"><thead><tr><th></th>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="note">In mails; what machines did counts here too.</p>'
    )


def _place(source: str) -> int:
    """Our own first, the providers by name, and mail last."""
    if source not in SAID_BY:
        return len(_OURS)
    return _OURS.index(source) if source in _OURS else len(_OURS) + 1


_OURS = ("smtp", "tracking", "unsubscribe")


def _count(count: int) -> str:
    return f"{count:,}" if count else '<span class="soft">\u2013</span>'
