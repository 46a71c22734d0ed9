"""A stream of items through a schedule in virtual time, on hosts that work.

The model of the world is small on purpose: a task takes its profiled median on its node, a node
runs as many executions at once as it has cores, a directed link sends one delivery after the other
and adds its latency. Everything else is the code that runs live.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jupiter.control.config import Level, NodeConfig
from jupiter.errors import SchedulingError
from jupiter.kit.rng import stream
from jupiter.model import actions as act
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, NodeId, TaskId, item_id
from jupiter.model.items import Delivery, Part, TaskPlan
from jupiter.model.recording import Recording
from jupiter.model.run import ItemRecord, Prediction, TaskRecord, TransferRecord, steady_period_s
from jupiter.model.transfer import Transfer
from jupiter.model.view import View
from jupiter.simulator.contents import Content
from jupiter.simulator.faults import InjectedFault, Injector
from jupiter.simulator.host import Host
from jupiter.simulator.network import Links
from jupiter.simulator.source import Input, Source
from jupiter.simulator.tasks import Outcome
from jupiter.simulator.world import World


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
        is_ordered: Items end in the order in which they were accepted.
        faults: What goes wrong.
        level: What nodes keep when it does; see `NodeConfig`.
        seed: Of all chance.
        recording: A run whose executions and sizes are repeated, as far as it knows them.
        recorded_s: Seconds by (task, node) when it was recorded; where they are others now,
            executions take longer or shorter in proportion.
        spread: Standard deviation of the run time over its median, by task; executions vary by so
            much (log-normally, so that the median stays). All take their median where it is empty.
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
    is_ordered: bool = False
    faults: tuple[InjectedFault, ...] = ()
    level: Level = "ingress"
    seed: int = 0
    recording: Recording | None = None
    recorded_s: Mapping[tuple[TaskId, NodeId], float] = field(default_factory=dict)
    spread: Mapping[TaskId, float] = field(default_factory=dict)


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


BEAT_S, LEASE_S, RESEND_S, SYNC_S = 0.25, 1.0, 0.5, 0.001
"""Of agents, where something can go wrong."""
_ANY = Content("")
"""Of every file: what holds nothing that anybody compares."""
IDLE_S = 600.0
"""A stream in which nothing was executed for so long is given up."""


def simulate(scenario: Scenario) -> Simulated:
    """Run a stream in virtual time.

    Raises:
        SchedulingError: A delivery has no link to travel on, or a task no duration.
    """
    costs = Costs(scenario)
    draw = stream(scenario.seed, "simulation") if scenario.faults else None
    is_watched = any(fault.kind == "rot" for fault in scenario.faults)
    world = World(Links(scenario.links, draw=draw), costs, draw, is_watched=is_watched)
    for config, kinds in _configs(scenario):
        world.add(Host, config, **kinds)
    for host in world.hosts.values():
        if host.config.view is not None:
            host.start()
    home = world.hosts[scenario.home]
    Source(world, home, _inputs(scenario)).begin()
    if scenario.faults:
        injector = Injector(world)
        costs.slowness = injector.slowness
        injector.plan(scenario.faults)
        world.run(is_over=lambda: home.is_drained or _is_stuck(world))
    else:
        world.run()
    return _found(world, home, scenario)


def _configs(scenario: Scenario) -> Iterator[tuple[NodeConfig, dict[str, float]]]:
    """Yield what every node is told, and how its host is."""
    mapping = scenario.mapping
    names = [scenario.home, *mapping.values(), *(n for plan in scenario.plans for n in plan.nodes)]
    nodes = tuple(dict.fromkeys(names))
    late = {fault.node for fault in scenario.faults if fault.kind == "join"}
    there = {node: 1 for node in nodes if node not in late}
    by_node: dict[NodeId, list[TaskPlan]] = {node: [] for node in nodes}
    for plan in scenario.plans:
        by_node[mapping[plan.name]].append(plan)
    is_calm = not scenario.faults
    for node in nodes:
        # A node of a calm, static stream needs no plan of others' tasks: it never sees them.
        is_all = node == scenario.home or scenario.placement != "static" or not is_calm
        config = NodeConfig(
            node=node,
            home=scenario.home,
            plans=scenario.plans if is_all else tuple(by_node[node]),
            preferred=mapping,
            cores=scenario.cores.get(node, 1),
            view=View(1, there, mapping) if node in there else None,
            placement=scenario.placement,
            in_flight_max=scenario.in_flight_max,
            is_ordered=scenario.is_ordered,
            has_acks=not is_calm,
            has_workers=not is_calm,
            level="none" if is_calm else scenario.level,
            beat_s=0.0 if is_calm else BEAT_S,
            lease_s=0.0 if is_calm else LEASE_S,
            resend_s=0.0 if is_calm else RESEND_S,
        )
        yield config, {} if is_calm else {"sync_s": SYNC_S}


def _inputs(scenario: Scenario) -> list[Input]:
    size = sum(size for edge, size in scenario.edge_bytes.items() if edge.source == INGRESS)
    recording = scenario.recording
    if recording is None:
        times = [(f"item {k}", k * scenario.interval_s) for k in range(scenario.items)]
    else:
        times = list(zip(recording.names, recording.offered_s, strict=True))[: scenario.items]
    return [Input(name, time_s, (Part(name, round(size)),), (_ANY,)) for name, time_s in times]


def _is_stuck(world: World) -> bool:
    tasks = world.recorded.tasks
    return world.now - (tasks[-1].finish_s if tasks else 0.0) > IDLE_S


def _found(world: World, home: Host, scenario: Scenario) -> Simulated:
    found = world.recorded
    items = {record.item: record for record in found.items}  # after a crash some are told again
    for _, accept in home.accepted:
        item = item_id(accept.seq)
        if item not in items:
            accepted_s = found.accepted_s(accept.seq)
            detail = "it had not ended when the simulation was given up"
            items[item] = ItemRecord(
                item, accept.name, accepted_s, accepted_s, None, "lost", detail
            )
    return Simulated(tuple(items.values()), tuple(found.tasks), tuple(found.transfers))


class Costs:
    """Executions and transfers as long as they were measured, or recorded."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._recording = scenario.recording
        self._draw = stream(scenario.seed, "spread")
        self.slowness: Mapping[NodeId, float] = {}
        """How many times longer executions take, by node."""
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
        """Return how an attempt will end: as it did, or well after its median time."""
        seconds = self._scenario.execution_s.get((run.task, node))
        if seconds is None:
            raise _no_duration(run.task, node)
        error = ""
        if self._recording is not None:
            tried = self._recording.attempts.get((run.task, run.item))
            if tried:
                before = tried[min(run.attempt[1], len(tried)) - 1]
                then_s = self._scenario.recorded_s.get((run.task, before.node), seconds)
                seconds = before.seconds * seconds / then_s if then_s else before.seconds
                error = before.error
        elif self._scenario.spread:
            seconds *= self._factor(self._scenario.spread.get(run.task, 0.0))
        if self.slowness:
            seconds *= self.slowness.get(node, 1.0)
        parts = self._outputs[run.task]
        return Outcome(seconds, parts, (_ANY,) * len(parts), error)

    def _factor(self, spread: float) -> float:
        """Draw how many times its median an execution takes."""
        # By Box and Muller, as `gauss` is not promised to stay the same from version to version.
        angle, length = self._draw.random(), 1.0 - self._draw.random()
        normal = math.sqrt(-2 * math.log(length)) * math.cos(2 * math.pi * angle)
        return math.exp(math.sqrt(math.log1p(spread * spread)) * normal)

    def size_bytes(self, delivery: Delivery) -> float:
        """Return how much travels for a delivery."""
        if delivery.outcome != "done":
            return 0.0
        if self._recording is not None:
            key = (delivery.source, delivery.target, delivery.item)
            size = self._recording.size_bytes.get(key)
            if size is not None:
                return float(size)
        return self._sizes.get((delivery.source, delivery.target), 0.0)


def _no_duration(task: TaskId, node: NodeId) -> SchedulingError:
    return SchedulingError(f"task {task} has no execution time on node {node}")
