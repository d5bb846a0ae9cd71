"""Who told what: a row for our server, our links, each provider and the bounce mail, a column for each kind of news."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ._report_preview import plain
from .events import Event
from .timeline import SAID_BY, TITLES


def who_told(stories: Iterable[Sequence[Event]]) -> str:
    """Of how many mails each source told each thing; nothing where nothing was told."""
    told = Counter(
        news
        for happened in stories
        for news in {(SAID_BY.get(event.about.source, event.about.source), type(event)) for event in happened}
    )
    if not told:
        return ""
    kinds = [kind for kind in TITLES if any(kind is each for _, each in told)]
    names = sorted({name for name, _ in told}, key=lambda name: (_PLACE.get(name, _OF_PROVIDERS), name))
    head = "".join(f'<th class="n">{TITLES[kind]}</th>' for kind in kinds)
    rows = "".join(
        f"<tr><td>{plain(name)}</td>{''.join(_cell(told[name, kind]) for kind in kinds)}</tr>" for name in names
    )
    return (
        f'<div class="scroll"><table class="told"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
        '</div><p class="note">In mails; what machines did counts here too.</p>'
    )


_OF_PROVIDERS = 2
_PLACE = {SAID_BY["smtp"]: 0, SAID_BY["tracking"]: 1, SAID_BY["bounce-mail"]: 3, SAID_BY["proven-bounce-mail"]: 3}
"""What we know ourselves comes first, then the providers, then mail."""


def _cell(count: int) -> str:
    return f'<td class="n">{count:,}</td>' if count else '<td class="n"><span class="soft">\u2013</span></td>'
