"""Is the twin true: streams simulated before they run against what was then measured.

    make bench BENCH=benchmarks/twin.py

Generated applications on emulated networks of three kinds, each profiled, mapped by HEFT and
streamed by real agents of the engine `local`. Errors are relative to what was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from jupiter.engines.local import LocalEngine
from jupiter.formats.generated import files, generate
from jupiter.formats.task_config import TaskConfig
from jupiter.model.run import RunRecord
from jupiter.orchestrator import wiring, workflow
from jupiter.orchestrator.loading import load_app, load_network
from jupiter.settings import RunSettings

GOAL = 0.10
NETWORKS = {
    "even": ("100 Mbit/s", "1 ms", (0.2, 0.2, 0.2, 0.2)),
    "edge and fog": ("20 Mbit/s", "8 ms", (0.3, 0.2, 0.12, 0.08)),
    "slow links": ("4 Mbit/s", "20 ms", (0.25, 0.2, 0.15)),
}
"""Bandwidth and latency of all links, and the speeds of the nodes. A speed of 0.2 is a fifth of a
core, so that the emulated nodes together fit on a small machine."""


@dataclass(frozen=True)
class Pair:
    """One application on one network."""

    app: str
    network: str
    run: RunRecord


def cluster(name: str) -> str:
    """The file of one of the networks."""
    bandwidth, latency, speeds = NETWORKS[name]
    lines = [f'name = "{name}"', "[defaults]", f'bandwidth = "{bandwidth}"']
    lines += [f'latency = "{latency}"', "[[node]]", 'name = "home"', 'role = "home"']
    for k, speed in enumerate(speeds):
        lines += ["[[node]]", f'name = "n{k}"', f"speed = {speed}"]
    return "\n".join(lines) + "\n"


def write_app(folder: Path, seed: int) -> Path:
    """A generated application of 7 to 10 tasks, about 10 ms of a real core each."""
    config = TaskConfig(
        depth=2 + seed % 3,
        width_min=2,
        width_max=3,
        total_num=5 + seed % 4,
        comp_mu=0.01,
        comp_sigma=0.003,
        ccr=5_000.0 if seed % 2 else 1_000.0,
    )
    root = folder / f"app{seed}"
    for name, content in files(generate(config, seed)).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def stream(app: Path, network: Path, folder: Path, items: int) -> RunRecord:
    """Profile, map, predict and run."""
    inputs = folder / "inputs"
    inputs.mkdir(exist_ok=True)
    for k in range(items):
        (inputs / f"{k}in.txt").write_text(f"input {k}\n" * 50)
    results = folder / f"results-{app.name}-{network.stem}"
    results.mkdir()
    job = workflow.Job(
        app=load_app(app)[0],
        network=load_network(network)[0],
        settings=RunSettings(in_flight_max=16),
        inputs=[(path,) for path in sorted(inputs.iterdir())],
        results_dir=results,
        store=wiring.open_store(folder / "measurements.db"),
    )
    return asyncio.run(workflow.run(job, LocalEngine())).main


def errors(run: RunRecord) -> tuple[float, float, float]:
    """Relative errors of makespan, period and median latency."""
    predicted = run.prediction
    assert predicted is not None
    latencies = run.latencies_s
    measured = (run.makespan_s, run.period_s, latencies[len(latencies) // 2])
    wanted = (predicted.makespan_s, predicted.period_s, predicted.latency_s)
    return tuple(w / m - 1 for w, m in zip(wanted, measured, strict=True))  # type: ignore[return-value]


def show(pairs: list[Pair]) -> bool:
    """Print all errors and their medians; return whether these reach the goal."""
    table = Table(title="Simulated against measured")
    for column in ("application", "network"):
        table.add_column(column)
    for column in ("tasks", "measured", "makespan", "period", "latency"):
        table.add_column(column, justify="right")
    all_errors = [errors(pair.run) for pair in pairs]
    for pair, found in zip(pairs, all_errors, strict=True):
        tasks = str(len(pair.run.app.tasks))
        cells = [f"{error:+.1%}" for error in found]
        table.add_row(pair.app, pair.network, tasks, f"{pair.run.makespan_s:.2f} s", *cells)
    console = Console()
    console.print(table)
    medians = [statistics.median(abs(row[k]) for row in all_errors) for k in range(3)]
    names = ("makespan", "period", "latency")
    text = ", ".join(f"{name} {value:.1%}" for name, value in zip(names, medians, strict=True))
    console.print(f"median error: {text} (goal <= {GOAL:.0%})")
    return all(value <= GOAL for value in medians)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=10)
    parser.add_argument("--items", type=int, default=40)
    options = parser.parse_args()
    pairs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apps = [write_app(folder, seed) for seed in range(options.apps)]
        networks = []
        for k, kind in enumerate(NETWORKS):
            path = folder / f"network{k}.toml"
            path.write_text(cluster(kind))
            networks.append((kind, path))
        for app, (kind, network) in track([(a, n) for a in apps for n in networks], "streams"):
            run = stream(app, network, folder, options.items)
            pairs.append(Pair(app.name, kind, run))
    return 0 if show(pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
