"""Items a second and latency of the 14-task shape: Jupiter, a plain pipeline, Dask, in one run.

``make bench BENCH=benchmarks/stream.py``; ``python benchmarks/stream.py --help`` has options.
None of them is durable. Wrong results end it with exit code 1; no goal is set here yet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from statistics import median

from rich.console import Console
from rich.table import Table

from peers import IN_FLIGHT, SYSTEMS, Measured

SIZES = {"1 KB": (1_000, 400), "100 KB": (100_000, 150), "10 MB": (10_000_000, 10)}
"""Payload in bytes, and items in a stream."""
LONE_ITEMS = 12


def at(values: list[float], share: float) -> float:
    """Return a quantile of ascending values."""
    return values[min(len(values) - 1, int(share * len(values)))]


def main() -> int:
    """Measure in turn, each system in a process of its own, so that none disturbs another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--one", nargs=2, metavar=("SYSTEM", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure_one(*options.one)
        return 0
    console = Console()
    console.print(f"{os.cpu_count()} cores, {IN_FLIGHT} items in flight, {options.rounds} rounds")
    for size_name in options.sizes:
        loaded: dict[str, list[Measured]] = {name: [] for name in options.systems}
        lone: dict[str, list[float]] = {name: [] for name in options.systems}
        for _ in range(options.rounds):
            for name in options.systems:
                words = [sys.executable, __file__, "--one", name, size_name]
                done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
                if done.returncode:
                    console.print(f"{name} failed; its figures would mean nothing")
                    return 1
                found = json.loads(done.stdout.splitlines()[-1])
                loaded[name].append(Measured(**found["loaded"]))
                lone[name] += found["lone_s"]
        console.print(figures(size_name, SIZES[size_name][1], loaded, lone))
    return 0


def measure_one(system: str, size_name: str) -> None:
    """Measure one system once and print the figures as JSON."""
    size, items = SIZES[size_name]
    with SYSTEMS[system]() as stream:
        stream(3, size, 1)  # what is started at first use has started
        loaded = stream(items, size, IN_FLIGHT)
        lone = stream(LONE_ITEMS, size, 1)
    print(json.dumps({"loaded": asdict(loaded), "lone_s": lone.latencies_s}))


def figures(
    size_name: str, items: int, loaded: dict[str, list[Measured]], lone: dict[str, list[float]]
) -> Table:
    """Return a table of medians over the rounds, with Jupiter's ratio to each."""
    table = Table(title=f"{size_name}, {items} items")
    for column in ("system", "items/s", "Jupiter is", "lone ms", "p50 ms", "p99 ms", "CPU ms/item"):
        table.add_column(column, justify="left" if column == "system" else "right")
    rates = {name: median(m.items_per_s for m in found) for name, found in loaded.items()}
    for name, found in loaded.items():
        ratio = rates["jupiter"] / rates[name] if "jupiter" in rates else 0.0
        table.add_row(
            name,
            f"{rates[name]:.1f}",
            f"{ratio:.2f} x",
            f"{median(lone[name]) * 1e3:.1f}",
            f"{median(at(m.latencies_s, 0.5) for m in found) * 1e3:.0f}",
            f"{median(at(m.latencies_s, 0.99) for m in found) * 1e3:.0f}",
            f"{median(m.cpu_s for m in found) / items * 1e3:.1f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
