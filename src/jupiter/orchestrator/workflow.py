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
from jupiter.interfaces.engine import Engine
from jupiter.interfaces.store import Samples, Store
from jupiter.model.app import Application
from jupiter.model.network import Network
from jupiter.model.profile import Profiles
from jupiter.model.run import Report, RunRecord
from jupiter.model.schedule import Schedule
from jupiter.orchestrator.planning import Planner
from jupiter.orchestrator.session import Session, Watch
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
    """

    app: Application
    network: Network
    settings: RunSettings
    inputs: Sequence[tuple[Path, ...]]
    results_dir: Path
    store: Store
    reuse_profiles: bool = False


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
    async with Session(job.app, job.network, engine, settings) as session:
        profiles = await profile(session, job, screen)
        planner = Planner(job.app, job.network, profiles, settings)
        names = dict.fromkeys((settings.scheduler, *settings.compare))
        schedules = [planner.schedule(name) for name in names]
        for schedule in schedules:
            planner.deploy(schedule)  # what cannot be streamed through is known before anything is
        on_schedules(profiles, schedules)
        records: list[RunRecord] = []
        for schedule in schedules:
            with TemporaryDirectory(prefix="jupiter-compare-") as folder:
                results = Path(folder) if records else job.results_dir
                records.append(await _stream(session, job, planner, schedule, results, screen))
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
) -> RunRecord:
    deployment = planner.deploy(schedule)
    prediction = planner.predict(deployment, len(job.inputs))
    with screen.stage(f"Streaming through {schedule.scheduler}", len(job.inputs)) as tick:
        return await session.stream(
            deployment.schedule,
            job.inputs,
            results_dir,
            app=deployment.app,
            prediction=prediction,
            watch=Watch(item=tick),
        )
