"""Streams through the 14-task shape: Jupiter at each level of durability beside all others.

``make bench BENCH=benchmarks/stream.py``; ``python benchmarks/stream.py --help`` has options.

The systems are measured in turn, round after round, each in a process and a folder (in TMPDIR) of
its own. A ratio is the median of those within a round, as other work on the machine changes slowly.
The tasks of all systems read files and write files; those of systems named ``-memory`` get bytes
and give bytes instead, for comparison. Results are added to benchmarks/results/stream.jsonl, one
line a system and size.

Ends with exit code 1 where a system failed or is missing, as its goals say nothing then; goals
that were missed are only told, as they depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

from rich.console import Console

import report
from peers import SYSTEMS, tools
from runs import IN_FLIGHT, SIZES, Runs, measure_here, own_all_descendants


def main() -> int:
    """Measure what is asked for, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--minutes", type=float, default=14, help="begin no round beyond them")
    parser.add_argument("--no-record", action="store_true", help="do not write the results' file")
    parser.add_argument("--one", nargs=3, metavar=("SYSTEM", "SIZE", "FOLDER"), help="for itself")
    options = parser.parse_args()
    if options.one:
        measure_here(*options.one)
        return 0
    console = Console(width=None if sys.stdout.isatty() else 140)
    own_all_descendants()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and end what was started
    start_s = time.monotonic()
    problems = _fetch(options.systems, console)
    load = os.getloadavg()[0]
    console.print(
        f"{os.cpu_count()} cores, load {load:.1f} before, {IN_FLIGHT} items in flight, "
        f"{options.rounds} rounds"
    )
    if load > 1:
        console.print("[bold red]other work runs on this machine: only ratios mean something")
    runs = Runs({name for name in options.systems if name not in problems})
    for size in options.sizes:
        limit_s = 60 * options.minutes / len(options.sizes)
        problems.update(runs.measure(size, options.rounds, limit_s, console))
        report.tell_size(size, runs, console)
    report.tell_goals(runs, console)
    if not options.no_record:
        report.record(runs, load)
    for name, problem in problems.items():
        console.print(f"[bold red]NOT MEASURED: {name}: {problem}", highlight=False)
    console.print(f"{time.monotonic() - start_s:.0f} s in all")
    return 1 if problems else 0


def _fetch(names: list[str], console: Console) -> dict[str, str]:
    """Fetch what the systems need; return those that cannot be measured, and why."""
    problems = {}
    for name in names:
        system = SYSTEMS[name]
        missing = tools.missing(system.packages, system.programs)
        if missing:
            problems[name] = "; ".join(missing)
            console.print(f"[bold red]{name} will be missing: {problems[name]}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
