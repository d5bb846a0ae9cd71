"""What every benchmark does with its figures: medians with their spread, against what is promised."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path


def spread(figures: Sequence[float], form: str) -> str:
    """The median, with the least and the most."""
    return f"{statistics.median(figures):{form}} ({min(figures):{form}} to {max(figures):{form}})"


def held(median: float, hold: float | None, aim: float, *, less: bool = False) -> str:
    """How a figure stands to what is promised of it, or aimed at alone; ``less`` is better for costs."""
    if hold is None:
        return "aim reached" if (median <= aim if less else median >= aim) else "aim not reached"
    if less:
        median, hold, aim = -median, -hold, -aim
    return "aim reached" if median >= aim else "holds" if median >= hold else "does not hold"


def machine() -> str:
    """What it runs on, in one line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(": ")[2]
            break
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}"


def apart() -> int | None:
    """Leave the first core to the server: we, and every client that we start, stay off it. Its number, if it can be."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return None
    os.sched_setaffinity(0, others)
    return first
