"""The main job: profile, map, stream, compare; what ``jupiter run`` does, without its screen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from jupiter.costs.gather import gather
from jupiter.errors import Fault, InputError
from jupiter.formats import cluster
from jupiter.home.collector import OnFacts
from jupiter.home.log import FactLog
from jupiter.interfaces.engine import Engine
from jupiter.interfaces.store import Samples, Store
from jupiter.model import messages as msg
from jupiter.model.app import Application
from jupiter.model.ids import NodeId
from jupiter.model.network import Network
from jupiter.model.profile import Profiles
from jupiter.model.run import Prediction, Report, RunRecord
from jupiter.model.schedule import Schedule
from jupiter.orchestrator.planning import Planner
from jupiter.orchestrator.session import Session, Watch
from jupiter.orchestrator.state import State, StateFolder
from jupiter.settings import RunSettings


class Screen(Protocol):
    """Where the progress of a job is shown."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Open a stage of so many units; the value is called once a unit."""
        ...


class NoScreen:
    """Shows nothing."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Ignore the stage."""
        return nullcontext(lambda: None)


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        inputs: One entry an item.
        results_dir: Existing folder for the results of the main run.
        store: Where measurements are kept.
        reuse_profiles: Take the newest measurements of this code on this network, if there are
            any, and measure only what is not known.
        state: Where the state of the main run is kept; None where it cannot be resumed.
        cluster: File of the network, for the state.
        engine: Name of the engine, for the state.
        on_facts: Hears of all that agents report of the main run.
    """

    app: Application
    network: Network
    settings: RunSettings
    inputs: Sequence[tuple[Path, ...]]
    results_dir: Path
    store: Store
    reuse_profiles: bool = False
    state: StateFolder | None = None
    cluster: str = ""
    engine: str = "local"
    on_facts: OnFacts = lambda node, facts: None


def network_digest(network: Network) -> str:
    """Return an id of everything that a network file says."""
    return hashlib.sha256(cluster.dumps(network).encode()).hexdigest()[:24]


def sample_of(
    app: Application, inputs: Sequence[tuple[Path, ...]], count: int
) -> list[tuple[Path, ...]]:
    """Return the items to profile with: some of the inputs, evenly spread, else the shipped ones.

    Run times depend on what is in an item, so the inputs at hand tell more than a sample.

    Raises:
        InputError: There are neither.
    """
    if inputs:
        step = max(1, len(inputs) // count)
        return list(inputs[::step][:count])
    if not app.sample_input:
        raise InputError(
            Fault(
                "there is nothing to profile the tasks with",
                file=app.root,
                expected="inputs, or files in sample_input/",
                remedy="name some with --input, or put typical ones into sample_input/",
            )
        )
    return [(Path(app.root, name),) for name in app.sample_input]


async def profile(session: Session, job: Job, screen: Screen) -> Profiles:
    """Measure, keep the samples, and return what follows from them."""
    known: Samples | None = None
    key = (job.app.name, session.bundle.name, network_digest(job.network))
    if job.reuse_profiles:
        known = job.store.newest(*key)
    if known is None:
        links = len(job.network.links)
        items = len(job.network.workers) * (job.settings.profile_repeats + 1)
        with screen.stage("Profiling links and tasks", links + items) as tick:
            watch = Watch(link=tick, profile_item=tick)
            sample = sample_of(job.app, job.inputs, job.settings.profile_repeats)
            known = await session.profile(sample, watch)
        job.store.add(*key, known)
    return gather(known.executions, known.edge_bytes, known.transfers, known.resources)


async def run(
    job: Job,
    engine: Engine,
    screen: Screen | None = None,
    on_schedules: Callable[[Profiles, list[Schedule]], None] = lambda profiles, schedules: None,
) -> Report:
    """Do the job.

    Args:
        job: What is to be done.
        engine: Puts agents on the nodes; nothing of it is left afterwards.
        screen: Shows the progress.
        on_schedules: Told the measurements and all schedules before anything is streamed.

    Raises:
        InputError: The job cannot be done as it is described.
        RunError: It was started and did not reach its end.
    """
    screen = screen or NoScreen()
    settings = job.settings
    scratch = job.state.path if job.state is not None else None
    async with Session(job.app, job.network, engine, settings, scratch=scratch) as session:
        profiles = await profile(session, job, screen)
        planner = Planner(job.app, job.network, profiles, settings)
        names = dict.fromkeys((settings.scheduler, *settings.compare))
        schedules = [planner.schedule(name) for name in names]
        for schedule in schedules:
            planner.deploy(schedule)  # what cannot be streamed through is known before anything is
        on_schedules(profiles, schedules)
        records: list[RunRecord] = []
        for schedule in schedules:
            with TemporaryDirectory(prefix="jupiter-compare-", dir=scratch) as folder:
                results = Path(folder) if records else job.results_dir
                state = None if records else job.state
                record = await _stream(session, job, planner, schedule, results, screen, state)
                records.append(record)
    if job.state is not None:
        job.state.remove()
    return Report(
        main=records[0],
        profiles=profiles,
        others=tuple(records[1:]),
        settings={name: str(value) for name, value in settings.model_dump().items()},
    )


async def _stream(
    session: Session,
    job: Job,
    planner: Planner,
    schedule: Schedule,
    results_dir: Path,
    screen: Screen,
    state: StateFolder | None,
) -> RunRecord:
    deployment = planner.deploy(schedule)
    prediction = planner.predict(deployment, len(job.inputs))
    log: FactLog | None = None
    if state is not None and job.settings.durability != "none":
        state.save(_state_of(session, job, schedule, results_dir, prediction))
        log = state.log()
    with screen.stage(f"Streaming through {schedule.scheduler}", len(job.inputs)) as tick:
        return await session.stream(
            deployment.schedule,
            job.inputs,
            results_dir,
            app=deployment.app,
            prediction=prediction,
            watch=Watch(item=tick),
            log=log,
            on_facts=_ignore if state is None else job.on_facts,
        )


def _ignore(node: NodeId, facts: msg.Facts) -> None:
    """Take no note of what is streamed only for comparison."""


def _state_of(
    session: Session,
    job: Job,
    schedule: Schedule,
    results_dir: Path,
    prediction: Prediction,
) -> State:
    return State(
        token=session.token,
        run=session.next_run(schedule),
        engine=job.engine,
        app=str(Path(job.app.root).absolute()),
        bundle=session.bundle.name,
        cluster=str(Path(job.cluster).absolute()),
        settings=job.settings.model_dump_json(),
        inputs=tuple([tuple(str(path.absolute()) for path in paths) for paths in job.inputs]),
        results=str(results_dir.absolute()),
        schedule=schedule,
        prediction=prediction,
    )


async def resume(job: Job, state: State, engine: Engine, screen: Screen | None = None) -> Report:
    """Go on with the main stream of a job that was interrupted.

    Args:
        job: As it was, with its state.
        state: Of the stream.
        engine: Finds the agents, or starts them again.
        screen: Shows the progress.

    Raises:
        InputError: The application or the network is not what it was.
        RunError: It was taken up and did not reach its end.
    """
    screen = screen or NoScreen()
    assert job.state is not None  # noqa: S101 - says just that
    key = (job.app.name, state.bundle, network_digest(job.network))
    known = job.store.newest(*key)
    if known is None:
        raise InputError(
            Fault(
                "the network is not the one that the run was started on",
                file=job.cluster,
                remedy="bring the file back to what it was, or start anew with --overwrite",
            )
        )
    profiles = gather(known.executions, known.edge_bytes, known.transfers, known.resources)
    planner = Planner(job.app, job.network, profiles, job.settings)
    deployment = planner.deploy(state.schedule)
    async with Session(job.app, job.network, engine, job.settings, state.token) as session:
        if session.bundle.name != state.bundle:
            raise InputError(
                Fault(
                    "the application has changed since the run was started",
                    file=str(job.app.root),
                    remedy="bring it back to what it was, or start anew with --overwrite",
                )
            )
        with screen.stage(f"Streaming through {state.schedule.scheduler}", len(job.inputs)) as tick:
            record = await session.stream(
                deployment.schedule,
                job.inputs,
                job.results_dir,
                app=deployment.app,
                prediction=state.prediction,
                watch=Watch(item=tick),
                log=job.state.log(),
                resumed=state.run,
                on_facts=job.on_facts,
            )
    job.state.remove()
    return Report(
        main=record,
        profiles=profiles,
        settings={name: str(value) for name, value in job.settings.model_dump().items()},
    )
