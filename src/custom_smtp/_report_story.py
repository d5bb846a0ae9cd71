"""One mail's story as a list: when, what, and who says so; and the report that proves what came of it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ._report_preview import plain
from .state import Reason
from .timeline import Moment, Tone

_LONGEST_PROOF = 4_000  # characters


def story_of(moments: Sequence[Moment]) -> str:
    """The moments, from top to bottom; nothing where there are none."""
    if not moments:
        return ""
    begun = moments[0].at
    shown = [_moment(one, _after(one.at - begun) if number else _day(begun)) for number, one in enumerate(moments)]
    return f'<ol class="story">{"".join(shown)}</ol>'


def _moment(one: Moment, beside: str) -> str:
    told_by = f'<span class="by">{plain(one.told_by)}</span>' if one.told_by else ""
    detail = f"<p><bdi>{plain(one.detail)}</bdi></p>" if one.detail else ""
    return (
        f'<li class="{_CLASS[one.tone]}"><time>{one.at.astimezone(UTC):%H:%M:%S}<small>{beside}</small></time>'
        f"<div><strong>{plain(one.what)}</strong>{told_by}{detail}{_proof(one.proof)}</div></li>"
    )


_CLASS = {Tone.PLAIN: "plain", Tone.GOOD: "good", Tone.MACHINE: "by-machine", Tone.BAD: "bad"}


def _day(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}"


def _after(span: timedelta) -> str:
    """How long after the mail was written."""
    seconds = span.total_seconds()
    if not seconds:
        return "at once"
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:+.1f} {name}".replace(".0 ", " ")
    return f"{seconds:+.1f} s".replace(".0 ", " ")


def _proof(reason: Reason | None) -> str:
    """The report behind it, as it came: text alone."""
    if reason is None or reason.about.raw is None:
        return ""
    told = json.dumps(dict(reason.about.raw), indent=2, ensure_ascii=False, default=str)
    cut = "\n..." if len(told) > _LONGEST_PROOF else ""
    return f"<pre><b>The proof, as {plain(reason.about.source)} told it</b>\n{plain(told[:_LONGEST_PROOF] + cut)}</pre>"
