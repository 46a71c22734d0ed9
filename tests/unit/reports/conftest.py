"""Records of runs, made by the simulator from random applications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from jupiter.control.plan import plan_tasks
from jupiter.model.app import Application, CommandRun, Task
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.network import Link, Network, Node
from jupiter.model.profile import Profiles
from jupiter.model.run import Prediction, Report, RunRecord
from jupiter.model.schedule import Assignment, Schedule
from jupiter.model.transfer import TransferModel
from jupiter.simulator.stream import Scenario, simulate

MakeRun = Callable[..., RunRecord]


def make(
    *, tasks: int = 5, workers: int = 3, items: int = 10, cores: int = 1, name: str = "t"
) -> RunRecord:
    """Return the record of a simulated stream through a chain with a bypass."""
    names = [TaskId(f"{name}{k}") for k in range(tasks)]
    children = {
        task: tuple(names[k + 1 : k + 2]) + ((names[-1],) if k < tasks - 3 else ())
        for k, task in enumerate(names)
    }
    app = Application(
        f"app {name}",
        ".",
        tuple(
            Task(task, CommandRun(("true",)), children[task], is_sink=not children[task])
            for task in names
        ),
    )
    nodes = [NodeId("home"), *(NodeId(f"n{k}") for k in range(workers))]
    network = Network(
        "net",
        tuple(Node(n, "home" if n == "home" else "worker", cores) for n in nodes),
        tuple(Link(a, b, 1e6, 0.001) for a in nodes for b in nodes if a != b),
    )
    mapping = {task: nodes[1 + k % workers] for k, task in enumerate(names)}
    edges = [*app.graph.edges, *(Edge(INGRESS, t) for t in app.graph.entries)]
    edges += [Edge(t, SINK) for t in app.graph.exits]
    found = simulate(
        Scenario(
            plans=plan_tasks(app),
            mapping=mapping,
            home=NodeId("home"),
            execution_s={(t, n): 0.01 + 0.001 * k for k, t in enumerate(names) for n in nodes},
            edge_bytes=dict.fromkeys(edges, 1000.0),
            links={(x.source, x.target): TransferModel(0.001, 1e-6) for x in network.links},
            items=items,
            cores=dict.fromkeys(nodes, cores),
        )
    )
    assignments = tuple(Assignment(t, n, 0.0, 0.1, "because") for t, n in mapping.items())
    return RunRecord(
        run="1",
        started_at=1.7e9,
        app=app,
        network=network,
        schedule=Schedule("heft", assignments),
        items=found.items,
        tasks=found.tasks,
        transfers=found.transfers,
        prediction=found.prediction if items else Prediction(0.0, 0.0, 0.0),
    )


@pytest.fixture
def make_run() -> MakeRun:
    """Return the maker of records."""
    return make


@pytest.fixture
def report_of() -> Callable[..., Report]:
    """Return a function that makes a report of one or several records."""

    def report(*runs: RunRecord) -> Report:
        others = tuple(
            replace(run, schedule=replace(run.schedule, scheduler=f"other{k}"))
            for k, run in enumerate(runs[1:])
        )
        return Report(runs[0], Profiles({}, {}, {}), others, {"seed": "0"})

    return report
