"""The campaign's commands: ``python -m campaign --help``."""

from __future__ import annotations

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

import jupiter
from campaign.planted import BUGS, with_bug
from campaign.play import play
from campaign.render import render
from campaign.scenario import make
from campaign.shrink import shrink

RESULTS = Path(__file__).parent / "results.jsonl"
REAL_RESULTS = Path(__file__).parent / "real_results.jsonl"
REPORT = Path(__file__).parent.parent / "docs" / "reliability.md"
SLICE = 250
CORES = os.cpu_count() or 1
KINDS = ("lost", "duplicated", "ghost", "wrong", "mixed", "misordered", "late", "leaks")

app = typer.Typer(add_completion=False, no_args_is_help=True)
screen = Console()


@dataclass
class Sum:
    """What came of many seeds."""

    seeds: int = 0
    void: int = 0
    events: int = 0
    virtual_s: float = 0.0
    injected: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Sum) -> None:
        """Take in the sum of other seeds."""
        self.seeds += other.seeds
        self.void += other.void
        self.events += other.events
        self.virtual_s += other.virtual_s
        self.injected.update(other.injected)
        self.kinds.update(other.kinds)
        self.failed += other.failed


def play_slice(first: int, count: int) -> Sum:
    """Play some seeds one after the other."""
    total = Sum(seeds=count)
    for seed in range(first, first + count):
        played = play(make(seed))
        total.events += played.events
        total.virtual_s += played.virtual_s
        total.void += played.verdict.is_void
        total.injected.update(played.injected)
        if not played.is_good:
            total.kinds.update(list(played.verdict.faults))
            total.kinds["broken"] += bool(played.broken)
            total.failed.append((seed, played.why))
    return total


def play_all(first: int, seeds: int, jobs: int) -> Sum:
    """Play many seeds on several cores, with a progress bar."""
    total = Sum()
    starts = range(first, first + seeds, SLICE)
    counts = [min(SLICE, first + seeds - start) for start in starts]
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen) as progress, ProcessPoolExecutor(jobs) as pool:
        bar = progress.add_task("seeds", total=seeds)
        for part in pool.map(play_slice, starts, counts):
            total.add(part)
            progress.advance(bar, part.seeds)
    return total


def core_digest() -> str:
    """Return a digest of the code that decides, so that a result names what it is about."""
    source = Path(jupiter.__file__).parent
    found = sha256()
    for path in sorted((source / "control").glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def note(path: Path, entry: dict[str, object]) -> None:
    """Append a result."""
    about = {
        "date": date.today().isoformat(),
        "control": core_digest(),
        "python": platform.python_version(),
    }
    with path.open("a") as file:
        file.write(json.dumps(about | entry) + "\n")


Jobs = Annotated[int, typer.Option(help="Processes.")]


@app.command()
def run(
    seeds: Annotated[int, typer.Option(help="How many.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    jobs: Jobs = CORES,
    results: Annotated[Path | None, typer.Option(help="Append the figures here.")] = None,
) -> None:
    """Play seeds and judge each; exit code 1 where anything is not as promised."""
    start_s = time.perf_counter()
    total = play_all(first, seeds, jobs)
    took_s = time.perf_counter() - start_s
    table = Table(title=f"{seeds:,} seeds from {first:,}", show_header=False)
    for kind in (*KINDS, "broken"):
        table.add_row(kind, f"{total.kinds[kind]:,}")
    table.add_row("void", f"{total.void:,}")
    table.add_row("virtual time", f"{total.virtual_s / 3600:,.1f} h")
    table.add_row("events", f"{total.events:,} ({total.events / took_s:,.0f} a second)")
    table.add_row("seeds a second", f"{seeds / took_s:,.0f}")
    table.add_row("faults", ", ".join(f"{n:,} {k}" for k, n in sorted(total.injected.items()) if n))
    screen.print(table)
    for seed, why in total.failed[:10]:
        screen.print(f"seed {seed}: {why}", markup=False)
        screen.print(f"  python -m campaign show {seed}", markup=False)
    if results is not None:
        entry = {
            "kind": "seeds",
            "first": first,
            "seeds": seeds,
            "void": total.void,
            "virtual_h": round(total.virtual_s / 3600, 2),
            "events": total.events,
            "seconds": round(took_s, 1),
            "injected": dict(total.injected),
            "failed": {kind: total.kinds[kind] for kind in (*KINDS, "broken")},
            "failing_seeds": [seed for seed, _ in total.failed],
        }
        note(results, entry)
    raise typer.Exit(1 if total.failed else 0)


@app.command()
def show(
    seed: int,
    bug: Annotated[str, typer.Option(help="Plant this bug.")] = "",
    trace: Annotated[Path | None, typer.Option(help="Write every event here.")] = None,
    small: Annotated[bool, typer.Option(help="Shrink it first, if it fails.")] = True,
) -> None:
    """Print what a seed means and what comes of it."""
    scenario = make(seed)
    with with_bug(bug):
        played = play(scenario)
        if small and not played.is_good:
            scenario = shrink(scenario, lambda one: not play(one).is_good)
        lines: list[str] = []
        played = play(scenario, trace=lines.append if trace is not None else None)
    if trace is not None:
        trace.write_text("\n".join(lines) + "\n")
    screen.print(str(scenario), markup=False)
    screen.print(played.why or "good", markup=False)
    raise typer.Exit(0 if played.is_good else 1)


def first_found(name: str, seeds: int) -> tuple[str, int | None, str]:
    """Return the name of a bug, the first seed that finds it, and how."""
    with with_bug(name):
        for seed in range(seeds):
            played = play(make(seed))
            if not played.is_good:
                return name, seed, played.why.split("\n")[-1]
    return name, None, ""


@app.command()
def planted(
    seeds: Annotated[int, typer.Option(help="Give up after so many.")] = 10_000,
    jobs: Jobs = CORES,
    results: Annotated[Path | None, typer.Option(help="Append the figures here.")] = None,
) -> None:
    """Plant every known bug and see how many seeds it takes to find it."""
    table = Table(title="Planted bugs")
    for column in ("bug", "first seed", "how it showed"):
        table.add_column(column)
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(first_found, BUGS, [seeds] * len(BUGS)))
    for name, seed, how in sorted(found, key=lambda each: (each[1] is None, each[1] or 0)):
        table.add_row(name, "not found" if seed is None else f"{seed:,}", how[:70])
    screen.print(table)
    firsts = [seed for _, seed, _ in found if seed is not None]
    screen.print(f"{len(firsts)} of {len(found)} found; median first seed {median(firsts):g}")
    if results is not None:
        bugs = {name: {"seed": seed, "how": how.split(":")[0]} for name, seed, how in found}
        note(results, {"kind": "planted", "seeds": seeds, "bugs": bugs})
    raise typer.Exit(0 if len(firsts) == len(found) else 1)


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="What to read.")] = RESULTS,
    real: Annotated[Path, typer.Option(help="Those of real faults.")] = REAL_RESULTS,
    output: Annotated[Path, typer.Option(help="What to write.")] = REPORT,
) -> None:
    """Write the results into the documentation."""
    output.write_text(render([*_entries(results), *_entries(real)]))
    screen.print(f"wrote {output}", markup=False)


def _entries(path: Path) -> Iterator[dict[str, object]]:
    for line in path.read_text().splitlines() if path.exists() else ():
        yield json.loads(line)


if __name__ == "__main__":
    app()
