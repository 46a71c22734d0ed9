"""``jupiter simulate``: streams in virtual time, from measurements that were kept or given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupiter.aio.clock import wall_s
from jupiter.costs.gather import gather
from jupiter.costs.what_if import Change, apply
from jupiter.errors import Fault, InputError
from jupiter.home.bundle import read_bundle
from jupiter.model.app import Application
from jupiter.model.graph import Edge
from jupiter.model.network import Network
from jupiter.model.problem import Problem
from jupiter.model.profile import ExecutionProfile, Profiles
from jupiter.model.run import Report, RunRecord
from jupiter.orchestrator import output, wiring
from jupiter.orchestrator.planning import Planner
from jupiter.orchestrator.workflow import network_digest
from jupiter.settings import RunSettings


@dataclass(frozen=True)
class Simulation:
    """What is to be simulated.

    Attributes:
        items: How many enter the stream.
    """

    app: Application
    network: Network
    profiles: Profiles
    settings: RunSettings
    items: int


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
    deployment = planner.deploy(planner.schedule(scheduler))
    found = planner.simulate(deployment, simulation.items)
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
    )
