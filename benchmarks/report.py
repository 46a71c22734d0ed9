"""Tells what the stream benchmark found: a table a size, the goals, and lines for the record."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from peers import SYSTEMS
from runs import SIZES, One, Runs

RECORD = Path(__file__).parent / "results" / "stream.jsonl"
LEVELS = ("jupiter-none", "jupiter-ingress", "jupiter-hop")
RAY = ("ray", "ray-one-node")
DASK = ("dask",)
BROKERS = ("nats-pull", "nats-push", "redis-single", "redis-batch")


def at(values: list[float], share: float) -> float:
    """Return a quantile of ascending values."""
    return values[min(len(values) - 1, int(share * len(values)))]


def figures(size_name: str, ones: list[One]) -> dict[str, float]:
    """Return the figures of one system at one size: medians over the rounds, times in ms."""
    size = SIZES[size_name][0]
    lone = sorted(value for one in ones for value in one.lone.latencies_s)
    return {
        "items_per_s": median(one.loaded.items_per_s for one in ones),
        "lone_p50_ms": at(lone, 0.5) * 1e3,
        "lone_p99_ms": at(lone, 0.99) * 1e3,
        "p50_ms": median(at(one.loaded.latencies_s, 0.5) for one in ones) * 1e3,
        "p99_ms": median(at(one.loaded.latencies_s, 0.99) for one in ones) * 1e3,
        "cpu_ms_per_item": median(one.loaded.cpu_s / one.items for one in ones) * 1e3,
        "written_per_byte": median(one.loaded.written_bytes / one.items / size for one in ones),
    }


def tell_size(size_name: str, runs: Runs, console: Console) -> None:
    """Print the table of a size: all figures, and the ratio of each level to each system."""
    names = [name for name in SYSTEMS if (name, size_name) in runs.found]
    levels = [name for name in LEVELS if name in names]
    table = Table(title=f"{size_name}: medians; none, ingress, hop: times the items/s of the row")
    heads = ["system", "survives", "items/s", *[name.removeprefix("jupiter-") for name in levels]]
    heads += ["lone ms", "p99", "loaded ms", "p99", "CPU ms", "written"]
    for k, head in enumerate(heads):
        table.add_column(head, justify="left" if k < 2 else "right", no_wrap=True)
    for name in names:
        found = figures(size_name, runs.found[name, size_name])
        table.add_row(
            name,
            SYSTEMS[name].survives,
            f"{found['items_per_s']:.1f}",
            *[f"{runs.ratio(level, name, size_name):.2f} x" for level in levels],
            f"{found['lone_p50_ms']:.1f}",
            f"{found['lone_p99_ms']:.0f}",
            f"{found['p50_ms']:.0f}",
            f"{found['p99_ms']:.0f}",
            f"{found['cpu_ms_per_item']:.1f}",
            f"{found['written_per_byte']:.1f}",
        )
    console.print(table)
    console.print(
        "lone: one item at a time; loaded: 50 in flight; both p50 and p99. CPU: of all processes,"
        " an item. written: bytes for each byte of input, all processes: pages of files on disks"
        " that writes made dirty (write_bytes of /proc/PID/io; a page counts 4096 bytes)\n"
    )


Goal = tuple[str, float | None, str]
"""What is to be reached, the figure, and the rule that it must pass (``>= 3``)."""


def tell_goals(runs: Runs, console: Console) -> None:
    """Print every goal, what was found, and whether it was met."""
    table = Table(title="goals")
    for head in ("goal", "must be", "found", ""):
        table.add_column(head)
    for text, value, rule in _goals(runs):
        if value is None:
            table.add_row(text, rule, "", "[bold red]NOT MEASURED")
            continue
        sign, limit = rule.split()
        is_met = {">=": value >= float(limit), ">": value > float(limit)}.get(
            sign, value < float(limit)
        )
        verdict = "[green]met" if is_met else "[bold red]missed"
        table.add_row(text, rule, f"{value:.2f}", verdict)
    console.print(table)


def _goals(runs: Runs) -> Iterator[Goal]:
    def over(level: str, others: tuple[str, ...], size: str) -> Iterator[tuple[str, float | None]]:
        name = f"jupiter-{level}"
        for other in others:
            is_there = (name, size) in runs.found and (other, size) in runs.found
            value = runs.ratio(name, other, size) if is_there else None
            yield f"{level}, {size}: items/s over {other}", value

    for others, rule, size in (
        (RAY, ">= 3", "1 KB"),
        (DASK, ">= 10", "1 KB"),
        (("pipeline",), ">= 0.5", "1 KB"),
    ):
        for text, value in over("ingress", others, size):
            yield text, value, rule
    yield from _lone_goals(runs)
    for others, rule, size in (
        ((*RAY, "dask"), ">= 4", "100 KB"),
        ((*RAY, "dask"), ">= 1", "10 MB"),
    ):
        for text, value in over("ingress", others, size):
            yield text, value, rule
    for others, rule in ((RAY, "> 1"), (BROKERS, ">= 1.5")):
        for text, value in over("hop", others, "1 KB"):
            yield text, value, rule
    for level in ("ingress", "hop"):
        for text, value in over(level, ("scp",), "1 KB"):
            yield text, value, ">= 300"


def _lone_goals(runs: Runs) -> Iterator[Goal]:
    is_there = ("jupiter-ingress", "1 KB") in runs.found
    own_s = runs.lone_s("jupiter-ingress", "1 KB") if is_there else None
    yield "ingress, 1 KB: a lone item, ms", own_s and own_s * 1e3, "< 10"
    for other in RAY:
        value = None
        if own_s is not None and (other, "1 KB") in runs.found:
            value = own_s / runs.lone_s(other, "1 KB")
        yield f"ingress, 1 KB: a lone item's latency over {other}'s", value, "< 1"


def record(runs: Runs, load: float) -> None:
    """Append the figures to the record, one line a system and size."""
    RECORD.parent.mkdir(exist_ok=True)
    common = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
    }
    with RECORD.open("a") as file:
        for (name, size_name), ones in runs.found.items():
            found = {key: round(value, 2) for key, value in figures(size_name, ones).items()}
            rates = [round(one.loaded.items_per_s, 1) for one in ones]
            line = {**common, "size": size_name, "system": name, **found, "rounds": rates}
            file.write(json.dumps(line) + "\n")


def _commit() -> str:
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
