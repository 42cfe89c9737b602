"""What the benchmarks share: runs that alternate, their medians beside ours, and a baseline of the ratios.

Every benchmark takes `--repeats N`; `--write` puts its ratios into baseline.json, and `--gate` ends with 1 if a ratio
has lost more than LOSS of the one written there. Times of one machine say little about another; ratios of runs that
alternate in one process hold better, also on a busy machine.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro

BASELINE = Path(__file__).with_name("baseline.json")
LOSS = 0.15
"""Share of a ratio that may be lost."""
SIDE = 512
"""Rows and columns of the matrices whose product stands for a processor's arithmetic."""


@dataclass(frozen=True)
class Race:
    """Ways to do one thing, the first of which is ours."""

    title: str
    unit: str
    """What is counted: frame, clip, command."""
    runs: Mapping[str, Callable[[], float]]
    """Each does its work and returns how many units it did."""
    once: frozenset[str] = field(default=frozenset())
    """Those that are so slow that they run once."""


@dataclass(frozen=True)
class Options:
    repeats: int = 5
    """Runs of each way, whose median counts."""
    gate: bool = False
    """End with 1 if a ratio has lost more than a sixth of that in baseline.json."""
    write: bool = False
    """Put the ratios into baseline.json."""


def benchmark(name: str, races: Callable[[], Iterable[Race]]) -> None:
    """The command of one benchmark: print a table of each race, then write or compare the ratios."""
    options = tyro.cli(Options)
    print(f"medians of {options.repeats}, {os.cpu_count()} cores, {platform.machine()}, jax {jax.__version__}")
    ratios = {race.title: _ratios(race, options.repeats) for race in races()}
    baseline = json.loads(BASELINE.read_text()) if BASELINE.is_file() else {}
    if options.write:
        BASELINE.write_text(json.dumps(baseline | {name: ratios}, indent=2, sort_keys=True) + "\n")
    if options.gate:
        lost = losses(baseline.get(name, {}), ratios)
        print("\n".join(lost), file=sys.stderr)
        sys.exit(1 if lost else 0)


def losses(before: Mapping[str, Mapping[str, float]], now: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each ratio that is missing or has lost more than LOSS."""
    lines = []
    for title, ratios in before.items():
        for run, ratio in ratios.items():
            found = now.get(title, {}).get(run)
            if found is None or found < (1 - LOSS) * ratio:
                lines.append(f"{title}, {run}: {'nothing' if found is None else f'{found:.3g}'}, was {ratio:.3g}")
    return lines or ([] if before else ["baseline.json has nothing of this benchmark: --write"])


def _ratios(race: Race, repeats: int) -> dict[str, float]:
    """Print the table of a race; how many times each other way's time is ours."""
    times: dict[str, list[float]] = {name: [] for name in race.runs}
    for name, run in race.runs.items():
        if name not in race.once:
            run()  # compiles
    for repeat in range(repeats):
        for name, run in race.runs.items():
            if repeat == 0 or name not in race.once:
                start = time.perf_counter()
                units = run()
                times[name].append((time.perf_counter() - start) / units)
    medians = {name: float(np.median(each)) for name, each in times.items()}
    ours, *others = medians
    print(f"\n{race.title}\n{'':34}{'ms a ' + race.unit:>16}{race.unit + 's a second':>20}{'times ours':>12}")
    for name, seconds in medians.items():
        print(f"{name:34}{1e3 * seconds:16.3f}{1 / seconds:20.1f}{seconds / medians[ours]:12.3g}")
    return {name: round(medians[name] / medians[ours], 4) for name in others}


def products(flops: float, units: float) -> Callable[[], float]:
    """Products of matrices with as many floating-point operations: a floor for what is no better than a product."""
    factors = jnp.ones((2, SIDE, SIDE)) / SIDE
    count = max(1, round(flops / (2 * SIDE**3)))

    @jax.jit
    def run(factors: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, count, lambda _, left: left @ factors[1], factors[0])

    def once() -> float:
        jax.block_until_ready(run(factors))
        return units

    return once
