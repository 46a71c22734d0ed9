"""``jupiter simulate``: the report of a stream that never ran."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

import jupiter
from jupiter.cli import render
from jupiter.cli.notes import tell
from jupiter.cli.problem_commands import write_text
from jupiter.cli.render import table
from jupiter.control.config import Level
from jupiter.control.policy import make_policy
from jupiter.costs.what_if import apply, read_changes
from jupiter.errors import Fault, InputError
from jupiter.kit.units import show_seconds
from jupiter.orchestrator import output
from jupiter.orchestrator.loading import load_app, load_network
from jupiter.orchestrator.problems import load_problem
from jupiter.orchestrator.simulation import (
    RECORDED,
    Simulation,
    given_profiles,
    kept_profiles,
    recorded_run,
    simulate_report,
    sweep,
)
from jupiter.reports.sweep import Point, point, sweep_figure
from jupiter.schedulers.base import find_scheduler
from jupiter.settings import RunSettings


@dataclass(frozen=True)
class SimulateRequest:
    """What the user asked for."""

    app: Path
    cluster: Path
    profiles: Path | None
    costs: Path | None
    settings: RunSettings
    items: int
    changes: Sequence[str]
    vary: Sequence[str]
    replay: Path | None
    faults: Sequence[str]
    durability: Level
    varies: bool
    output: Path | None
    as_json: bool


def simulate_and_show(request: SimulateRequest) -> int:
    """Simulate; return the exit code."""
    for name in (request.settings.scheduler, *request.settings.compare):
        if name != RECORDED or request.replay is None:
            find_scheduler(name)
    make_policy(request.settings.placement)
    simulation = _load(request)
    console = Console()
    if request.vary:
        steps = [change for text in request.vary for change in read_changes(text)]
        points = [
            point(str(change), change.factor, run)
            for change, runs in sweep(simulation, steps)
            for run in runs
        ]
        if request.output is not None:
            request.output.mkdir(parents=True, exist_ok=True)
            write_text(request.output / "sweep.svg", sweep_figure(points))
        if request.as_json:
            sys.stdout.write(json.dumps([asdict(each) for each in points], indent=1) + "\n")
            return 0
        _show_sweep(console, points)
        if request.output is not None:
            console.print(f"Plot: {request.output / 'sweep.svg'}", soft_wrap=True)
        return 0
    report = simulate_report(simulation)
    if request.as_json:
        runs = (report.main, *report.others)
        values = [asdict(point("as it is", 1.0, run)) for run in runs]
        sys.stdout.write(json.dumps(values, indent=1) + "\n")
        return 0
    console.print(render.mapping_table([run.schedule for run in (report.main, *report.others)]))
    console.print(render.report(report))
    for run in (report.main, *report.others):
        for text in run.notes:
            console.print(f"{run.schedule.scheduler}: {text}", style="yellow", markup=False)
    if request.output is not None:
        request.output.mkdir(parents=True, exist_ok=True)
        page = output.write_report(request.output, report, jupiter.__version__)
        console.print(f"Report:  {page}", soft_wrap=True)
    return 0


def _load(request: SimulateRequest) -> Simulation:
    app, app_notes = load_app(request.app)
    network, network_notes = load_network(request.cluster)
    tell((*app_notes, *network_notes))
    if (request.profiles is None) == (request.costs is None):
        raise InputError(
            Fault(
                "a simulation needs run times and sizes",
                expected="either --profiles or --costs",
                remedy="--profiles FOLDER of an earlier run or map, or --costs problem.json",
            )
        )
    if request.profiles is not None:
        profiles = kept_profiles(app, network, request.profiles)
    else:
        assert request.costs is not None  # noqa: S101 - checked above
        profiles = given_profiles(app, network, load_problem([request.costs]).problem)
    measured = profiles
    for text in request.changes:
        for change in read_changes(text):
            network, profiles = apply(network, profiles, change)
    recording = recorded_run(request.replay) if request.replay is not None else None
    return Simulation(
        app,
        network,
        profiles,
        request.settings,
        len(recording.names) if recording is not None else request.items,
        faults=tuple(request.faults),
        level=request.durability,
        varies=request.varies,
        recording=recording,
        measured=measured,
    )


def _show_sweep(console: Console, points: Sequence[Point]) -> None:
    schedulers = list(dict.fromkeys(each.scheduler for each in points))
    columns = [f"{name} {what}" for name in schedulers for what in ("makespan", "period")]
    made = table("What if", "change", *columns, numbers=1)
    for what in dict.fromkeys(each.what for each in points):
        cells = []
        for name in schedulers:
            found = next(p for p in points if p.what == what and p.scheduler == name)
            cells += [show_seconds(found.makespan_s), show_seconds(found.period_s)]
        made.add_row(what, *cells)
    console.print(made)
