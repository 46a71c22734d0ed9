"""``jupiter run`` and ``jupiter map``: the workflow with its screen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

import jupiter
from jupiter.cli import render
from jupiter.cli.home_metrics import both, with_metrics
from jupiter.cli.notes import tell
from jupiter.cli.problem_commands import as_json as schedule_values
from jupiter.cli.screen import RichScreen
from jupiter.control.policy import make_policy
from jupiter.errors import Fault, RunError, TaskError
from jupiter.formats.app_toml import FILE_NAME as APP_TOML
from jupiter.formats.seed_folder import CONFIGURATION
from jupiter.home.metrics import Totals
from jupiter.model.app import Application
from jupiter.model.ids import TaskId
from jupiter.model.network import Network
from jupiter.model.profile import Profiles
from jupiter.model.run import Report
from jupiter.model.schedule import Schedule
from jupiter.orchestrator import output, wiring, workflow
from jupiter.orchestrator.dead_letters import DeadLetters, Origin
from jupiter.orchestrator.inputs import find_inputs
from jupiter.orchestrator.loading import load_app, load_network
from jupiter.orchestrator.planning import Planner
from jupiter.orchestrator.session import Session
from jupiter.orchestrator.state import StateFolder
from jupiter.reports import metrics
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.explain import explain
from jupiter.settings import RunSettings

T = TypeVar("T")


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for."""

    app: Path
    cluster: Path
    inputs: list[Path]
    output: Path
    settings: RunSettings
    engine: str
    reuse_profiles: bool
    overwrite: bool
    metrics: str = ""


def run_and_report(request: RunRequest) -> int:
    """Do the whole job; return the exit code."""
    app, network = _load(request)
    inputs = find_inputs(request.inputs)
    state = StateFolder(request.output)
    state.refuse_if_busy(overwrite=request.overwrite)
    results = output.prepare(request.output, overwrite=request.overwrite)
    origin = Origin(
        app=str(Path(app.root).absolute()),
        cluster=str(request.cluster.absolute()),
        engine=request.engine,
        settings=request.settings.model_dump_json(),
    )
    letters = DeadLetters(request.output, origin, inputs, is_new=True)
    totals = Totals(len(inputs))
    job = workflow.Job(
        app=app,
        network=network,
        settings=request.settings,
        inputs=inputs,
        results_dir=results,
        store=wiring.open_store(request.output / output.STORE),
        reuse_profiles=request.reuse_profiles,
        state=state,
        cluster=str(request.cluster),
        engine=request.engine,
        on_facts=both(letters.take, totals.take),
    )
    console = Console()

    def show(profiles: Profiles, schedules: list[Schedule]) -> None:
        console.print(render.profile_tables(app, network, profiles))
        console.print(render.mapping_table(schedules))

    engine = wiring.make_engine(request.engine, request.settings, state.nodes)
    screen = RichScreen(Console(stderr=True))
    try:
        work = workflow.run(job, engine, screen, show)
        with letters:
            report = run_to_end(with_metrics(work, request.metrics, totals, state))
    except BaseException as error:
        if not state.exists:  # nothing was accepted yet
            state.remove()
        elif isinstance(error, RunError):
            raise RunError(f"{error}; go on with: jupiter resume {request.output}") from error
        raise
    return _tell_end(report, request.output, results, letters)


def _tell_end(report: Report, folder: Path, results: Path, letters: DeadLetters) -> int:
    """Show and write what came of a run; return the exit code."""
    console = Console()
    console.print(render.report(report))
    for record in (report.main, *report.others):
        tell(
            Fault(f"{record.schedule.scheduler}: {note}", level="warning") for note in record.notes
        )
    page = output.write_report(folder, report, jupiter.__version__)
    console.print(f"Results: {results}/")
    console.print(f"Report:  {page}", soft_wrap=True)
    if letters.count:
        console.print(f"Failed:  jupiter dlq list {folder}", soft_wrap=True)
    if letters.problem:
        tell([Fault(letters.problem, level="warning")])
    bad = metrics.items_with(report.main, "failed", "lost")
    return 1 if bad else 0


def resume_and_report(folder: Path) -> int:
    """Go on with a run that was interrupted; return the exit code."""
    folder_state = StateFolder(folder)
    state = folder_state.load()
    app, app_notes = load_app(Path(state.app))
    network, network_notes = load_network(Path(state.cluster))
    tell((*app_notes, *network_notes))
    settings = RunSettings.model_validate_json(state.settings)
    inputs = [tuple(Path(path) for path in paths) for paths in state.inputs]
    origin = Origin(state.app, state.cluster, state.engine, state.settings)
    letters = DeadLetters(folder, origin, inputs, is_new=False)
    job = workflow.Job(
        app=app,
        network=network,
        settings=settings,
        inputs=inputs,
        results_dir=Path(state.results),
        store=wiring.open_store(folder / output.STORE),
        state=folder_state,
        cluster=state.cluster,
        engine=state.engine,
        on_facts=letters.take,
    )
    engine = wiring.make_engine(state.engine, settings, folder_state.nodes)
    with letters:
        report = run_to_end(workflow.resume(job, state, engine, RichScreen(Console(stderr=True))))
    return _tell_end(report, folder, job.results_dir, letters)


def stop_run(folder: Path, *, forget: bool) -> int:
    """End the agents of a run whose command is gone; return the exit code."""
    state = StateFolder(folder)
    if not state.exists and not state.at_work():
        state.load()  # says what is wrong
    stopped = state.stop_agents()
    console = Console()
    console.print(f"Stopped: {', '.join(stopped)}" if stopped else "No agent is at work.")
    if forget:
        state.remove()
        console.print("The run is forgotten; its results so far stay.")
    else:
        console.print(f"Go on with: jupiter resume {folder}", soft_wrap=True)
    return 0


def is_application(paths: Sequence[Path]) -> bool:
    """Return whether the arguments of ``map`` are an application, not a problem in a file."""
    if len(paths) != 1:
        return False
    path = paths[0]
    return path.is_dir() or path.name in (APP_TOML, CONFIGURATION)


def map_and_show(
    request: RunRequest, explained: Sequence[str] = (), *, as_json: bool = False
) -> int:
    """Profile and map; return the exit code."""
    app, network = _load(request)
    inputs = find_inputs(request.inputs) if request.inputs else []
    request.output.mkdir(parents=True, exist_ok=True)
    job = workflow.Job(
        app=app,
        network=network,
        settings=request.settings,
        inputs=inputs,
        results_dir=request.output,
        store=wiring.open_store(request.output / output.STORE),
        reuse_profiles=request.reuse_profiles,
    )
    screen = RichScreen(Console(stderr=True))

    async def measure() -> Profiles:
        engine = wiring.make_engine(request.engine, request.settings)
        async with Session(app, network, engine, request.settings) as session:
            return await workflow.profile(session, job, screen)

    profiles = run_to_end(measure())
    planner = Planner(app, network, profiles, request.settings)
    names = dict.fromkeys((request.settings.scheduler, *request.settings.compare))
    schedules = [planner.schedule(name) for name in names]
    output.write_profiles(request.output / "profiles", profiles)
    first = schedules[0]
    if as_json:
        sys.stdout.write(json.dumps(schedule_values(planner.problem, first), indent=1) + "\n")
        return 0
    console = Console()
    console.print(render.profile_tables(app, network, profiles))
    console.print(render.mapping_table(schedules))
    for task in explained:
        console.print(Text(explain(planner.problem, first, TaskId(task))))
    return 0


def _load(request: RunRequest) -> tuple[Application, Network]:
    """Check everything that can be checked before anything is started."""
    for name in (request.settings.scheduler, *request.settings.compare):
        find_scheduler(name)
    make_policy(request.settings.placement)
    app, app_notes = load_app(request.app)
    network, network_notes = load_network(request.cluster)
    tell((*app_notes, *network_notes))
    return app, network


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; SIGTERM and Ctrl-C cancel it, and it cleans up before they take effect.

    Raises:
        RunError: It was stopped by a signal, or failed.
    """

    async def guarded() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        stopped_by: list[str] = []

        def stop(name: str) -> None:
            stopped_by.append(name)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop, number.name)
        try:
            return await task
        except asyncio.CancelledError:
            name = stopped_by[0] if stopped_by else "cancellation"
            raise RunError(f"stopped by {name}; no process of the run is left") from None

    try:
        return asyncio.run(guarded())
    except TaskError as error:
        if error.detail:
            sys.stderr.write(f"{error.detail.rstrip()}\n")
        raise
