"""A stream of items through a schedule in virtual time, on hosts that work.

The model of the world is small on purpose: a task takes its profiled median on its node, a node
runs as many executions at once as it has cores, a directed link sends one delivery after the other
and adds its latency. Everything else is the code that runs live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupiter.control.config import NodeConfig
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, NodeId, TaskId
from jupiter.model.items import Delivery, Part, TaskPlan
from jupiter.model.run import ItemRecord, Prediction, TaskRecord, TransferRecord, steady_period_s
from jupiter.model.transfer import Transfer
from jupiter.model.view import View
from jupiter.simulator.contents import Content
from jupiter.simulator.network import Links
from jupiter.simulator.world import Outcome, World, no_duration


@dataclass(frozen=True)
class Scenario:
    """A stream to simulate.

    Attributes:
        plans: From `control.plan.plan_tasks`.
        mapping: Node of every task.
        home: Node of the ingress and the sink.
        cores: Executions at once, by node; 1 where missing.
        execution_s: Seconds by (task, node).
        edge_bytes: Bytes that one item sends along each edge, ends included.
        links: By (source, target).
        items: How many enter.
        interval_s: Seconds between two offers; 0 offers all at once.
        in_flight_max: As for the ingress.
        placement: Name of the policy that places each item.
    """

    plans: tuple[TaskPlan, ...]
    mapping: Mapping[TaskId, NodeId]
    home: NodeId
    execution_s: Mapping[tuple[TaskId, NodeId], float]
    edge_bytes: Mapping[Edge, float]
    links: Mapping[tuple[NodeId, NodeId], Transfer]
    items: int
    cores: Mapping[NodeId, int] = field(default_factory=dict)
    interval_s: float = 0.0
    in_flight_max: int = 32
    placement: str = "static"


@dataclass(frozen=True)
class Simulated:
    """What happened, in the records of a real run."""

    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]

    @property
    def prediction(self) -> Prediction:
        """Makespan, period and median latency of the items that ended."""
        done = sorted(i.done_s for i in self.items if i.done_s is not None)
        latencies = sorted(i.done_s - i.accepted_s for i in self.items if i.done_s is not None)
        if not done:
            return Prediction(0.0, 0.0, 0.0)
        return Prediction(
            makespan_s=done[-1] - min(i.accepted_s for i in self.items),
            period_s=steady_period_s(tuple(done)),
            latency_s=latencies[len(latencies) // 2],
        )


def simulate(scenario: Scenario) -> Simulated:
    """Run a stream in virtual time.

    Raises:
        SchedulingError: A delivery has no link to travel on, or a task no duration.
    """
    world = World(Links(scenario.links), Costs(scenario))
    mapping = scenario.mapping
    names = [scenario.home, *mapping.values(), *(n for plan in scenario.plans for n in plan.nodes)]
    nodes = tuple(dict.fromkeys(names))
    view = View(1, dict.fromkeys(nodes, 1), mapping)
    by_node: dict[NodeId, list[TaskPlan]] = {node: [] for node in nodes}
    for plan in scenario.plans:
        by_node[mapping[plan.name]].append(plan)
    for node in nodes:
        # A node of a static stream needs no plan of the tasks of others: it never sees them.
        is_all = node == scenario.home or scenario.placement != "static"
        world.add(
            NodeConfig(
                node=node,
                home=scenario.home,
                plans=scenario.plans if is_all else tuple(by_node[node]),
                preferred=mapping,
                cores=scenario.cores.get(node, 1),
                view=view,
                placement=scenario.placement,
                in_flight_max=scenario.in_flight_max,
                has_acks=False,
            )
        )
    for host in world.hosts.values():
        host.start()
    home = world.hosts[scenario.home]
    size = sum(size for edge, size in scenario.edge_bytes.items() if edge.source == INGRESS)
    for k in range(scenario.items):
        part = Part(f"item{k}", round(size))
        world.at(k * scenario.interval_s, home.offer, f"item {k}", (part,))
    last_s = max(0, scenario.items - 1) * scenario.interval_s
    world.at(last_s, home.tell, ev.InputClosed())
    world.run()
    found = world.recorded
    return Simulated(tuple(found.items), tuple(found.tasks), tuple(found.transfers))


class Costs:
    """Executions and transfers as long as they were measured."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._outputs: dict[TaskId, tuple[Part, ...]] = {}
        # An edge is a pair and equal to one, and pairs are made faster.
        self._sizes: dict[tuple[TaskId, TaskId], float] = {
            (edge.source, edge.target): size for edge, size in scenario.edge_bytes.items()
        }
        for plan in scenario.plans:
            sizes = [
                round(scenario.edge_bytes.get(Edge(plan.name, child), 0.0))
                for child in plan.children
            ]
            if not plan.is_scatter:
                sizes = [max(sizes)]
            self._outputs[plan.name] = tuple(
                Part(f"{plan.name}_{k}", size) for k, size in enumerate(sizes)
            )

    def execute(self, node: NodeId, run: act.Run, inputs: list[list[Content]]) -> Outcome:
        """Return how an attempt will end: well, after its median time."""
        seconds = self._scenario.execution_s.get((run.task, node))
        if seconds is None:
            raise no_duration(run.task, node)
        return Outcome(seconds, self._outputs[run.task])

    def size_bytes(self, delivery: Delivery) -> float:
        """Return how much travels for a delivery."""
        if delivery.outcome != "done":
            return 0.0
        return self._sizes.get((delivery.source, delivery.target), 0.0)
