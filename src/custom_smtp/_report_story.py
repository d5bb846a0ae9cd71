"""One mail's story as a list: when, what, and who says so; and the report that proves what came of it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ._report_preview import plain
from .state import Reason
from .timeline import Moment

_LONGEST_PROOF = 4_000  # characters


def story_of(moments: Sequence[Moment]) -> str:
    """The moments, from top to bottom; nothing where there are none."""
    if not moments:
        return ""
    begun = moments[0].at
    return f'<ol class="story">{"".join(_moment(one, begun) for one in moments)}</ol>'


def _moment(one: Moment, begun: datetime) -> str:
    at = one.at.astimezone(UTC)
    told_by = f'<span class="by">{plain(one.told_by)}</span>' if one.told_by else ""
    return (
        f'<li class="{one.tone.value}"><time>{at:%H:%M:%S}<small>{_after(one.at - begun, at)}</small></time>'
        f"<div><strong>{plain(one.what)}</strong>{told_by}<p><bdi>{plain(one.detail)}</bdi></p>{_proof(one.proof)}</div></li>"
    )


def _after(span: timedelta, at: datetime) -> str:
    """How long after the mail was written."""
    seconds = span.total_seconds()
    if not seconds:
        return f"{at.day} {at:%B %Y}"
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
    return f"<pre><b>{plain(reason.about.source)}</b>\n{plain(told[:_LONGEST_PROOF] + cut)}</pre>"
