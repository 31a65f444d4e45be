"""Time several ways of doing one thing in turns: medians of wall-clock and CPU seconds, ratios with their range."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

OURS = "dfworkbench"


class Measured(NamedTuple):
    """What the runs of one way took.

    Attributes:
        wall_s: `(runs,)` wall-clock seconds.
        cpu_s: `(runs,)` CPU seconds of all threads of the process.
        result: What the last run returned.
    """

    wall_s: NDArray[np.float64]
    cpu_s: NDArray[np.float64]
    result: Any


class Way(NamedTuple):
    """One way of doing the thing that is measured.

    Attributes:
        run: Does it once.
        share: The part of the whole work that `run` does; seconds are scaled up by it.
    """

    run: Callable[[], Any]
    share: float = 1.0


def alternate(ways: Mapping[str, Way], runs: int) -> dict[str, Measured]:
    """Run all ways once to warm up, then in turns, so that a busy machine slows all of them; every other round backwards."""
    results = {name: way.run() for name, way in ways.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(runs):
        for name in list(ways) if number % 2 == 0 else reversed(ways):
            wall, cpu = time.perf_counter(), time.process_time()
            results[name] = ways[name].run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            taken[name].append((wall / ways[name].share, cpu / ways[name].share))
    return {name: Measured(*np.array(taken[name]).T, results[name]) for name in ways}


def ratio(theirs: Measured, ours: Measured, *, wall: bool = False) -> str:
    """How many times as long theirs takes, by CPU or wall-clock seconds: the median of the rounds, and their range."""
    each = theirs.wall_s / ours.wall_s if wall else theirs.cpu_s / ours.cpu_s
    return f"{np.median(each):.2f} ({each.min():.2f} to {each.max():.2f})"


def print_table(title: str, measured: Mapping[str, Measured], columns: Mapping[str, Mapping[str, str]]) -> None:
    """Print a Markdown table: a row for each way, with its times, its time over ours, and further columns.

    Args:
        title: What was done.
        measured: By name; `OURS` is what the others are compared with.
        columns: Heading to name to text.
    """
    print(f"\n### {title}\n")
    headings = ["way", "CPU", "wall clock", "CPU time over ours: median (range)", *columns]
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings))
    for name, one in measured.items():
        over = "1" if name == OURS else ratio(one, measured[OURS])
        times = (_seconds(float(np.median(values))) for values in (one.cpu_s, one.wall_s))
        print("| " + " | ".join([name, *times, over, *(column.get(name, "") for column in columns.values())]) + " |")
    print(flush=True)


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
