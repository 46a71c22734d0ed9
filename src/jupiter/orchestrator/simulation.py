"""``jupiter simulate``: streams in virtual time, from measurements that were kept or given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from jupiter.aio.clock import wall_s
from jupiter.control.config import Level
from jupiter.costs.gather import gather
from jupiter.costs.what_if import Change, apply
from jupiter.errors import Fault, InputError
from jupiter.formats import trace_jsonl
from jupiter.home.bundle import read_bundle
from jupiter.kit.rng import stream
from jupiter.model.app import Application
from jupiter.model.graph import Edge
from jupiter.model.ids import TaskId
from jupiter.model.network import Network
from jupiter.model.problem import Problem
from jupiter.model.profile import ExecutionProfile, Profiles
from jupiter.model.recording import Recording
from jupiter.model.run import Report, RunRecord
from jupiter.orchestrator import output, wiring
from jupiter.orchestrator.planning import Circumstances, Planner
from jupiter.orchestrator.replicas import Deployment
from jupiter.orchestrator.workflow import network_digest
from jupiter.settings import RunSettings
from jupiter.simulator.faults import InjectedFault, random_faults, read_fault

RECORDED = "recorded"
"""In place of a scheduler: the mapping of the run that is repeated."""
RANDOM_MAX = 1000


@dataclass(frozen=True)
class Simulation:
    """What is to be simulated.

    Attributes:
        items: How many enter the stream.
        faults: What goes wrong, in the words of the command line.
        level: What nodes keep when it does.
        varies: Executions vary as much as they did when they were measured.
        recording: A run that is repeated, with its mapping where no scheduler is named.
        measured: What was measured, before anything was changed; for repeated runs.
    """

    app: Application
    network: Network
    profiles: Profiles
    settings: RunSettings
    items: int
    faults: tuple[str, ...] = ()
    level: Level = "ingress"
    varies: bool = False
    recording: Recording | None = None
    measured: Profiles | None = None


def recorded_run(folder: Path) -> Recording:
    """Return what a run in an output folder recorded.

    Raises:
        InputError: There is none.
    """
    path = folder / output.TRACE
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            Fault(
                f"holds no recorded run: {getattr(error, 'strerror', None) or error}",
                file=str(path),
                expected="the output folder of jupiter run",
                remedy="name the folder that --output of a run made",
            )
        ) from None
    return trace_jsonl.loads(text, str(path))


def kept_profiles(app: Application, network: Network, folder: Path) -> Profiles:
    """Return what an earlier run or map in a folder measured.

    Measurements on this very network are taken as they are. Of another network only run times
    count, scaled by the speed of nodes; its links say nothing of these.

    Raises:
        InputError: Nothing was measured there for this code.
    """
    path = folder / output.STORE
    bundle = read_bundle(Path(app.root)).name
    if path.exists():
        store = wiring.open_store(path)
        samples = store.newest(app.name, bundle, network_digest(network))
        if samples is not None:
            return gather(
                samples.executions, samples.edge_bytes, samples.transfers, samples.resources
            )
        samples = store.newest(app.name, bundle)
        if samples is not None:
            return gather(samples.executions, samples.edge_bytes, (), ())
    raise InputError(
        Fault(
            "holds no measurements of this application's code",
            file=str(folder),
            expected="the output folder of jupiter run or jupiter map",
            remedy="run jupiter map with --output first, or give run times with --costs",
        )
    )


def given_profiles(app: Application, network: Network, costs: Problem) -> Profiles:
    """Return measurements made up from the work and bytes of a problem with the same tasks.

    Raises:
        InputError: A task of the application has no work in it.
    """
    missing = [task for task in app.graph.tasks if task not in costs.work_s]
    if missing:
        raise InputError(
            Fault(
                "the costs do not say how long every task takes",
                got=", ".join(missing[:8]),
                expected="work_s for every task of the application",
                remedy="add these tasks, by the same names",
            )
        )
    return Profiles(
        executions={
            (task, node.name): ExecutionProfile(
                task, node.name, costs.work_s[task] / node.speed, 0.0, 0
            )
            for task in app.graph.tasks
            for node in network.workers
        },
        edge_bytes={Edge(*edge): size for edge, size in costs.edge_bytes.items()},
        links={},
    )


def simulate_report(simulation: Simulation) -> Report:
    """Return the same report that a run would give.

    Raises:
        InputError: No scheduler has one of the names.
        SchedulingError: There is no schedule.
    """
    settings = simulation.settings
    names = dict.fromkeys((settings.scheduler, *settings.compare))
    records = [_record(simulation, name) for name in names]
    return Report(
        main=records[0],
        profiles=simulation.profiles,
        others=tuple(records[1:]),
        settings={
            "simulated": "yes",
            "items": str(simulation.items),
            **{name: str(value) for name, value in settings.model_dump().items()},
        },
    )


def sweep(
    simulation: Simulation, changes: Sequence[Change]
) -> list[tuple[Change, tuple[RunRecord, ...]]]:
    """Return the runs under each change; schedulers decide anew each time."""
    found = []
    for change in changes:
        network, profiles = apply(simulation.network, simulation.profiles, change)
        report = simulate_report(replace(simulation, network=network, profiles=profiles))
        found.append((change, (report.main, *report.others)))
    return found


def _record(simulation: Simulation, scheduler: str) -> RunRecord:
    planner = Planner(simulation.app, simulation.network, simulation.profiles, simulation.settings)
    recording = simulation.recording
    if scheduler == RECORDED and recording is not None:
        mapping = {str(task): str(node) for task, node in recording.mapping.items()}
        schedule = planner.given(mapping, f"{recording.scheduler} (recorded)")
    else:
        schedule = planner.schedule(scheduler)
    deployment = planner.deploy(schedule)
    how = _circumstances(simulation, planner, deployment)
    found = planner.simulate(deployment, simulation.items, how)
    lost = sum(item.status == "lost" for item in found.items)
    notes = [f"fault: {fault}" for fault in how.faults]
    if lost:
        notes.append(f"{lost} items had not ended after ten minutes in which nothing ran")
    return RunRecord(
        run=f"simulated-{scheduler}",
        started_at=wall_s(),
        app=deployment.app,
        network=simulation.network,
        schedule=deployment.schedule,
        items=found.items,
        tasks=found.tasks,
        transfers=found.transfers,
        is_simulated=True,
        notes=tuple(notes),
    )


def _circumstances(
    simulation: Simulation, planner: Planner, deployment: Deployment
) -> Circumstances:
    """Return what happens to a stream beside its items."""
    recorded_s = {}
    if simulation.recording is not None:
        before = Planner(
            simulation.app,
            simulation.network,
            simulation.measured or simulation.profiles,
            simulation.settings,
        )
        recorded_s = dict(before.problem.execution_s)
    how = Circumstances(
        level=simulation.level,
        recording=simulation.recording,
        recorded_s=recorded_s,
        spread=_spread(simulation.profiles) if simulation.varies else {},
    )
    if not simulation.faults:
        return how
    nodes = tuple(node.name for node in simulation.network.nodes)
    workers = tuple(node.name for node in simulation.network.workers)
    faults: list[InjectedFault] = []
    for text in simulation.faults:
        kind, _, number = text.partition(":")
        if kind == "random":
            draw = stream(simulation.settings.seed, "faults", text)
            calm = planner.simulate(deployment, simulation.items, how).prediction.makespan_s
            count = _count(text, number)
            faults += random_faults(count, workers, calm, draw)
        else:
            faults.append(read_fault(text, nodes))
    return replace(how, faults=tuple(sorted(faults, key=lambda fault: fault.start_s)))


def _spread(profiles: Profiles) -> dict[TaskId, float]:
    """Return how much run times of each task vary over their median, on its middle node."""
    found: dict[TaskId, list[float]] = {}
    for (task, _), profile in profiles.executions.items():
        if profile.median_s > 0:
            found.setdefault(task, []).append(profile.stdev_s / profile.median_s)
    return {task: median(values) for task, values in found.items()}


def _count(text: str, number: str) -> int:
    if number.isdecimal() and 0 < int(number) <= RANDOM_MAX:
        return int(number)
    raise InputError(
        Fault(
            "this says not how many faults",
            got=text,
            expected=f"random:N, N from 1 to {RANDOM_MAX}",
            remedy="write random:5",
        )
    )
