"""What `import custom_smtp` costs, beside `import attr`: fresh interpreters, in turns, less the bare interpreter.

    python benchmarks/import_time.py [--rounds 40] [--most 1.6]

Each round starts one interpreter for each import, in an order that rotates, so that whatever else the machine does
falls on all of them. The figure is the ratio of the medians; beside it stands the whole process, start included.
Exits 1 if the ratio of the whole process, ours to attr's, is over ``--most``.
"""

import argparse
import statistics
import subprocess
import sys
import time

IMPORTS = {
    "bare interpreter": "pass",
    "import attr": "import attr",
    "import custom_smtp": "import custom_smtp",
    "... Mail, Address, Server": "from custom_smtp import Mail, Address, Server",
    "... every name": "import custom_smtp; [getattr(custom_smtp, name) for name in custom_smtp.__all__]",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what importing custom_smtp costs.")
    parser.add_argument("--rounds", type=int, default=40, help="interpreters started for each import")
    parser.add_argument("--most", type=float, default=1.6, help="the highest ratio to `import attr` that passes")
    told = parser.parse_args()
    medians = {name: statistics.median(times) for name, times in _measured(told.rounds).items()}
    bare, peer = medians["bare interpreter"], medians["import attr"]
    print(f"Python {sys.version.split()[0]}, {told.rounds} rounds, in turns; medians")
    print(f"{'':28}{'process':>10}{'/ attr':>9}{'import alone':>15}{'/ attr':>9}")
    for name, seconds in medians.items():
        alone = seconds - bare
        print(
            f"{name:28}{seconds * 1e3:7.1f} ms{seconds / peer:9.2f}{alone * 1e3:12.1f} ms{alone / (peer - bare):9.2f}"
        )
    ratio = medians["import custom_smtp"] / peer
    print(f"import custom_smtp / import attr: {ratio:.2f} (at most {told.most})")
    return int(ratio > told.most)


def _measured(rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    names = list(IMPORTS)
    for name in names:
        _seconds(IMPORTS[name])  # once unmeasured, so that every file is read from memory
    for each in range(rounds):
        turn = each % len(names)
        for name in names[turn:] + names[:turn]:
            times[name].append(_seconds(IMPORTS[name]))
    return times


def _seconds(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
