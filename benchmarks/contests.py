"""What the benchmarks share that let contestants take turns: the turns, the clock, and what is promised of the ratios.

In each round every contestant has its turn, in an order that rotates, so that whatever else the machine does falls on
all of them. Ratios are taken within a round, so both sides of one met the same machine.
"""

import argparse
import statistics
import sys
import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import TypeVar

from figures import held, machine, spread

K = TypeVar("K")
R = TypeVar("R")

Round = Mapping[str, float]
"""How often each contestant did its work in a second."""


@dataclass(frozen=True)
class Bound:
    """What is promised, or aimed at alone: one contestant against another."""

    what: str
    ours: str
    theirs: str
    hold: float | None
    aim: float


# --- Before the first turn --------------------------------------------------------------------------------------------


def asked(purpose: str, parts: Iterable[str], what: str, *, rounds: int, seconds: float) -> argparse.Namespace:
    """What the command line asks for: how many rounds, how long a turn is, and which of these parts alone."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each contestant has its turn")
    parser.add_argument("--seconds", type=float, default=seconds, help="how long a turn is, at the least")
    parser.add_argument("--only", nargs="+", choices=[*parts], metavar=what.upper(), help=f"only these {what}s")
    return parser.parse_args()


def require_peers(peers: Mapping[str, str], listed: str) -> None:
    """End here where the module of a package is missing."""
    for package, module in peers.items():
        if find_spec(module) is None:
            sys.exit(f"missing: {package} (pip install -r benchmarks/{listed})")


def conditions(peers: Iterable[str], rounds: int, *others: str) -> str:
    """What it runs on, against whom, when and how often."""
    against = [*(f"{package} {version(package)}" for package in peers), *others]
    return (
        f"{machine()}.\n{', '.join(against)}.\n"
        f"{datetime.now(UTC):%Y-%m-%d}; {rounds} rounds, in turns; medians (least to most)."
    )


# --- Turns ------------------------------------------------------------------------------------------------------------


def in_turns(turns: Mapping[K, Callable[[], R]], rounds: int) -> list[dict[K, R]]:
    """What everybody's turns gave, in an order that rotates."""
    names = list(turns)
    done = []
    for number in range(rounds):
        first = number % len(names)
        done.append({name: turns[name]() for name in [*names[first:], *names[:first]]})
    return done


def times_a_second(once: Callable[[], object], seconds: float) -> float:
    """How often it is done in a second of the CPU's clock: what other programs take of the time is not ours."""
    once()
    times, begun = 0, time.process_time()
    while (took := time.process_time() - begun) < seconds:
        once()
        times += 1
    return times / took


# --- Telling ----------------------------------------------------------------------------------------------------------

BOUNDS_HEAD = ("| what is promised | must hold | aim | is | |", "|---|---|---|---|---|")


def together(sections: Iterable[Sequence[Round]]) -> list[Round]:
    """The rounds of several sections as if they were one's."""
    return [dict(ChainMap(*map(dict, each))) for each in zip(*sections, strict=True)]


def bounds_table(bounds: Iterable[Bound], done: Sequence[Round]) -> Iterator[str]:
    """What is promised, and what is, of whoever was there."""
    yield from BOUNDS_HEAD
    for bound in bounds:
        if bound.ours in done[0] and bound.theirs in done[0]:
            yield bound_row(bound.what, ratios_of(done, bound.ours, bound.theirs), bound.hold, bound.aim)


def bound_row(what: str, measured: Sequence[float], hold: float | None, aim: float, form: str = ".2f") -> str:
    """One promise, and what is."""
    verdict = held(statistics.median(measured), hold, aim)
    return f"| {what} | {'' if hold is None else hold} | {aim} | {spread(measured, form)} | {verdict} |"


def ratios_of(done: Sequence[Round], name: str, other: str) -> list[float]:
    """How one stood to the other, in each round."""
    return [each[name] / each[other] for each in done]


def rates_of(done: Sequence[Round], name: str, form: str = ".0f") -> str:
    """How fast one was."""
    return spread([each[name] for each in done], form)
