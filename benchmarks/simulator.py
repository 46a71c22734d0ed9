"""How fast is the simulator: items through large graphs, and SimPy and ncsim on the same streams.

    make bench BENCH=benchmarks/simulator.py

Ours runs the real dispatchers, joins and queues of every node; the SimPy program has a process for
each execution and transfer, and no dispatcher at all; ncsim gets a graph for each item. Makespans
differ by ties in the order of events; ncsim shares a link among transfers that ours sends one after
the other. An event is an execution or a transfer.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Generator
from typing import Any

import simpy
import yaml
from ncsim.core.simulation import Simulation
from ncsim.io.scenario_loader import load_scenario
from ncsim.models.dag import MultiDAGSource
from ncsim.models.routing import DirectLinkRouting
from ncsim.scheduler.saga_adapter import create_scheduler
from rich.console import Console
from rich.table import Table

from jupiter.kit.rng import stream
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.transfer import Transfer, TransferModel
from jupiter.schedulers.families import FamilyShape, family_problem
from jupiter.simulator.stream import Scenario, simulate

SIZES = ((14, 4, 200), (100, 10, 100), (1_000, 100, 20), (10_000, 1_000, 5))
SIMPY_MAX = 1_000
NCSIM_MAX = 10_000
HOME = NodeId("home")


class Everywhere(dict[tuple[NodeId, NodeId], Transfer]):
    """One link model for all pairs: a thousand nodes have a million links."""

    model = TransferModel(0.001, 1e-7)

    def get(self, key: Any, default: Any = None) -> Any:
        """The one model."""
        return self.model


def make(tasks: int, nodes: int, items: int) -> Scenario:
    """A layered graph on random nodes; executions take 5 to 15 ms."""
    graph = family_problem(FamilyShape("layered", tasks, 1), seed=1).graph
    draw = stream(1, "benchmark")
    names = [NodeId(f"n{k}") for k in range(nodes)]
    mapping = {task: draw.choice(names) for task in graph.tasks}
    plans = tuple(
        TaskPlan(
            name=task,
            parents=graph.parents[task] or (INGRESS,),
            children=graph.children[task] or (SINK,),
            rank=rank,
        )
        for rank, task in enumerate(graph.topological_order)
    )
    return Scenario(
        plans=plans,
        mapping=mapping,
        home=HOME,
        execution_s={(t, n): draw.uniform(0.005, 0.015) for t, n in mapping.items()},
        edge_bytes={edge: float(draw.randint(100, 20_000)) for edge in graph.edges},
        links=Everywhere(),
        items=items,
        in_flight_max=items,
    )


def in_simpy(scenario: Scenario) -> float:
    """The makespan of the same stream, written for SimPy; the oldest item runs first."""
    env = simpy.Environment()
    cores = {node: simpy.PriorityResource(env) for node in (*scenario.mapping.values(), HOME)}
    links: dict[tuple[NodeId, NodeId], simpy.Resource] = {}
    model = Everywhere.model
    last_rank = len(scenario.plans)
    where = {**scenario.mapping, INGRESS: HOME, SINK: HOME}

    def send(source: TaskId, target: TaskId, arrived: simpy.Event) -> Generator[Any, Any, None]:
        pair = where[source], where[target]
        if pair[0] != pair[1]:
            size = scenario.edge_bytes.get(Edge(source, target), 0.0)
            if pair not in links:
                links[pair] = simpy.Resource(env)
            with links[pair].request() as turn:
                yield turn
                yield env.timeout(model.busy_s(size))
            yield env.timeout(model.latency_s)
        arrived.succeed()

    def execute(
        item: int, plan: TaskPlan, inputs: list[simpy.Event], outputs: list[simpy.Event]
    ) -> Generator[Any, Any, None]:
        yield env.all_of(inputs)
        node = where[plan.name]
        with cores[node].request(priority=item * last_rank + last_rank - plan.rank) as turn:
            yield turn
            yield env.timeout(scenario.execution_s[plan.name, node])
        for child, arrived in zip(plan.children, outputs, strict=True):
            env.process(send(plan.name, child, arrived))

    ends = []
    for item in range(scenario.items):
        events = {
            (plan.name, child): env.event() for plan in scenario.plans for child in plan.children
        }
        ends += [event for (_, child), event in events.items() if child == SINK]
        for plan in scenario.plans:
            if plan.parents == (INGRESS,):
                events[INGRESS, plan.name] = env.event()
                env.process(send(INGRESS, plan.name, events[INGRESS, plan.name]))
            inputs = [events[parent, plan.name] for parent in plan.parents]
            outputs = [events[plan.name, child] for child in plan.children]
            env.process(execute(item, plan, inputs, outputs))
    env.run(env.all_of(ends))
    return float(env.now)


def in_ncsim(scenario: Scenario) -> tuple[float, float]:
    """Seconds that ncsim takes for the same stream, without reading it, and its makespan."""
    nodes = list(dict.fromkeys((HOME, *scenario.mapping.values())))
    where = {**scenario.mapping, INGRESS: HOME, SINK: HOME}
    model = Everywhere.model
    graphs = []
    for k in range(scenario.items):
        edges = [(p.name, c) for p in scenario.plans for c in p.children]
        edges += [(INGRESS, p.name) for p in scenario.plans if p.parents == (INGRESS,)]
        seconds = {p.name: scenario.execution_s[p.name, where[p.name]] for p in scenario.plans}
        graphs.append(
            {
                "id": f"i{k}",
                "inject_at": k * 2e-6,  # at one time it would take the first only
                "tasks": [
                    {
                        "id": f"{k}{t}",
                        "compute_cost": seconds.get(t, 1e-9),
                        "pinned_to": str(where[t]),
                    }
                    for t in (INGRESS, *seconds, SINK)
                ],
                "edges": [
                    {
                        "from": f"{k}{a}",
                        "to": f"{k}{b}",
                        "data_size": scenario.edge_bytes.get(Edge(a, b), 1) / 1e6,
                    }
                    for a, b in edges
                ],
            }
        )
    content = {
        "scenario": {
            "name": "stream",
            "network": {
                "nodes": [
                    {"id": str(n), "compute_capacity": 1.0, "position": {"x": 0, "y": 0}}
                    for n in nodes
                ],
                "links": [
                    {
                        "id": f"{a}-{b}",
                        "from": str(a),
                        "to": str(b),
                        "bandwidth": 1e-6 / model.seconds_per_byte,
                        "latency": model.latency_s,
                    }
                    for a in nodes
                    for b in nodes
                    if a != b
                ],
            },
            "dags": graphs,
            "config": {"scheduler": "manual", "seed": 1, "interference": "none"},
        }
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.dump(content, file, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
        file.flush()
        loaded = load_scenario(file.name)
    simulation = Simulation(
        network=loaded.network,
        scheduler=create_scheduler("manual"),
        dag_source=MultiDAGSource(loaded.dags),
        routing_model=DirectLinkRouting(),
        interference_model=None,
        seed=1,
    )
    start = time.perf_counter()
    result = simulation.run()
    return time.perf_counter() - start, float(result.makespan)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    table = Table(title="Streams in virtual time")
    for column in (
        "tasks x nodes",
        "items",
        "events",
        "ours",
        "events/s",
        "SimPy",
        "ratio",
        "ncsim",
        "ratio",
        "makespans",
    ):
        table.add_column(column, justify="right")
    logs = []
    for tasks, nodes, items in SIZES:
        scenario = make(tasks, nodes, items)
        ours_s = math.inf
        for _ in range(3 if tasks <= 100 else 1):
            start = time.perf_counter()
            found = simulate(scenario)
            ours_s = min(ours_s, time.perf_counter() - start)
        events = len(found.tasks) + len(found.transfers)
        logs.append((math.log(events), math.log(ours_s)))
        cells = [f"{tasks:,} x {nodes:,}", str(items), f"{events:,}", f"{ours_s:.2f} s"]
        cells.append(f"{events / ours_s:,.0f}")
        if tasks <= SIMPY_MAX:
            theirs_s = math.inf
            for _ in range(3 if tasks <= 100 else 1):
                start = time.perf_counter()
                theirs = in_simpy(scenario)
                theirs_s = min(theirs_s, time.perf_counter() - start)
            mine = found.prediction.makespan_s
            cells += [f"{theirs_s:.2f} s", f"{theirs_s / ours_s:.2f} x"]
            makespans = [mine, theirs]
            if events <= NCSIM_MAX:
                other_s, other = in_ncsim(scenario)
                cells += [f"{other_s:.2f} s", f"{other_s / ours_s:.2f} x"]
                makespans.append(other)
            else:
                cells += ["", ""]
            cells.append(" / ".join(f"{each:.3f}" for each in makespans) + " s")
        table.add_row(*cells)
    Console(width=140).print(table)
    slope = statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope
    print(f"growth: time ~ events ^ {slope:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
