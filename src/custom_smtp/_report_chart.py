"""Moments as bars over time: rows of inline SVG that share one axis."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ._report_preview import plain

_BARS = 72
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 10_800, 21_600, 86_400, 604_800)
)
"""How long a bar may last: the first that needs no more than `_BARS` bars is taken."""

_HEIGHT = 36


def over_time(rows: Mapping[str, Sequence[datetime]], bad: frozenset[str] = frozenset()) -> str:
    """One row of bars for each name, each on its own scale; nothing where nothing happened.

    Args:
        rows: by name, when such things happened; rows without any are left out.
        bad: the names to draw in the colour of failures.
    """
    moments = [moment for row in rows.values() for moment in row]
    if not moments:
        return ""
    first, last = min(moments), max(moments)
    step = _step(last - first)
    drawn = "".join(
        _row(name, [(moment - first) // step for moment in row], (last - first) // step + 1, name in bad)
        for name, row in rows.items()
        if row
    )
    return (
        f"<div>{drawn}{_axis(first, last)}</div>"
        f'<p class="note">A bar is {_words(step)}, in UTC. Each mail counts once in a row, when it first happened; '
        "each row has a scale of its own. What only follows from something else, as an opened mail was delivered, has "
        "no time and stands not here.</p>"
    )


def _step(span: timedelta) -> timedelta:
    for step in _STEPS:
        if span // step < _BARS:
            return step
    return timedelta(days=span.days // _BARS + 1)


def _row(name: str, places: Sequence[int], bars: int, bad: bool) -> str:
    counts = Counter(places)
    tallest = max(counts.values())
    drawn = "".join(_bar(place, count, tallest) for place, count in sorted(counts.items()))
    kind = ' class="bad"' if bad else ""
    return (
        f'<div class="moments"><span>{plain(name)}</span>'
        f'<svg{kind} viewBox="0 0 {bars} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{plain(name)} over time: {len(places)} in all, at most {tallest} in a bar">{drawn}</svg>'
        f"<span>{len(places):,}</span></div>"
    )


def _bar(place: int, count: int, tallest: int) -> str:
    height = max(_HEIGHT * count / tallest, 1.5)
    return f'<rect x="{place + 0.08:g}" y="{_HEIGHT - height:.2f}" width="0.84" height="{height:.2f}"/>'


def _axis(first: datetime, last: datetime) -> str:
    marks = (first, first + (last - first) / 2, last)
    spans = "".join(f"<span>{_mark(moment.astimezone(UTC), last - first)}</span>" for moment in marks)
    return f'<div class="moments"><span></span><div class="axis">{spans}</div><span></span></div>'


def _mark(moment: datetime, span: timedelta) -> str:
    if span < timedelta(minutes=1):
        return f"{moment:%H:%M:%S}.{moment.microsecond // 100_000}"
    if span < timedelta(days=1):
        return f"{moment:%H:%M:%S}"
    return f"{moment.day} {moment:%b %H:%M}" if span < timedelta(days=60) else f"{moment.day} {moment:%b %Y}"


def _words(step: timedelta) -> str:
    for seconds, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if step.total_seconds() >= seconds:
            count = step.total_seconds() / seconds
            return f"{count:g} {name}{'' if count == 1 else 's'}"
    return f"{step.total_seconds():g} seconds"
