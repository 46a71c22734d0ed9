"""Drives the control code in virtual time: a stream of items through one mapping.

The model of the world is small on purpose: a task takes its profiled median on its node, a node
runs as many executions at once as it has cores, a directed link sends one delivery after the other
and adds its latency. Everything else is the code that runs live.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from jupiter.control.dispatch import Dispatcher
from jupiter.control.ingress import Ingress
from jupiter.control.plan import entries_of, sinks_of
from jupiter.control.policy import StaticPlacement
from jupiter.control.sink import Sink
from jupiter.errors import SchedulingError
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId, item_id
from jupiter.model.items import Part, TaskPlan
from jupiter.model.run import ItemRecord, Prediction, TaskRecord, TransferRecord, steady_period_s
from jupiter.model.transfer import Transfer


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
    return _World(scenario).run()


class _World:
    """The event queue, and the machines of every node."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = 0
        policy = StaticPlacement(scenario.mapping)
        nodes = dict.fromkeys((scenario.home, *scenario.mapping.values()))
        self._dispatchers = {
            node: Dispatcher(
                [plan for plan in scenario.plans if scenario.mapping[plan.name] == node],
                scenario.cores.get(node, 1),
                policy,
                scenario.home,
            )
            for node in nodes
        }
        self._plans = {plan.name: plan for plan in scenario.plans}
        self._ingress = Ingress(entries_of(scenario.plans), policy, scenario.in_flight_max)
        self._sink = Sink(sinks_of(scenario.plans))
        self._link_free_s: dict[tuple[NodeId, NodeId], float] = {}
        self._accepted: dict[int, tuple[float, float]] = {}
        self._items: list[ItemRecord] = []
        self._tasks: list[TaskRecord] = []
        self._transfers: list[TransferRecord] = []

    def run(self) -> Simulated:
        size = sum(
            size for edge, size in self._scenario.edge_bytes.items() if edge.source == INGRESS
        )
        for k in range(self._scenario.items):
            offer = ev.Offered(f"item {k}", (Part(f"item{k}", round(size)),))
            self._at(k * self._scenario.interval_s, partial(self._tell_ingress, offer))
        last_s = max(0, self._scenario.items - 1) * self._scenario.interval_s
        self._at(last_s, partial(self._tell_ingress, ev.InputClosed()))
        while self._heap:
            self._now, _, do = heapq.heappop(self._heap)
            do()
        return Simulated(tuple(self._items), tuple(self._tasks), tuple(self._transfers))

    def _at(self, time_s: float, do: Callable[[], None]) -> None:
        self._counter += 1
        heapq.heappush(self._heap, (time_s, self._counter, do))

    def _tell_ingress(self, event: ev.Event) -> None:
        self._do(self._scenario.home, self._ingress.step(event, self._now))

    def _tell(self, node: NodeId, event: ev.Event) -> None:
        self._do(node, self._dispatchers[node].step(event, self._now))

    def _do(self, node: NodeId, actions: list[act.Action]) -> None:
        for action in actions:
            match action:
                case act.Run():
                    self._run_task(node, action)
                case act.Send():
                    self._send(node, action)
                case act.SendEnd(source, target, peer, count):
                    ended = ev.EdgeEnded(source, target, count)
                    self._travel(node, peer, 0.0, partial(self._receive, peer, ended))
                case act.SendHeld(origins):
                    home = self._scenario.home
                    held = ev.Held(origins)
                    self._travel(node, home, 0.0, partial(self._tell_ingress, held))
                case act.Later(item, task, delay_s):
                    due = ev.Due(item, task)
                    self._at(self._now + delay_s, partial(self._tell, node, due))
                case act.Accept(seq, _, offered_s):
                    self._accepted[seq] = (offered_s, self._now)
                case act.Resolve():
                    self._resolve(action)
                case _:
                    pass

    def _run_task(self, node: NodeId, run: act.Run) -> None:
        seconds = self._scenario.execution_s.get((run.task, node))
        if seconds is None:
            raise SchedulingError(f"task {run.task} has no execution time on node {node}")
        finish_s = self._now + seconds
        outputs = self._outputs(run.task)
        self._tasks.append(
            TaskRecord(
                item=run.item,
                task=run.task,
                node=node,
                enter_s=run.enter_s,
                execute_s=self._now,
                finish_s=finish_s,
                attempt=run.attempt,
                input_bytes=sum(each.size_bytes for each in run.inputs),
                output_bytes=sum(part.size_bytes for part in outputs),
            )
        )
        finished = ev.Finished(run.item, run.task, run.attempt, outputs)
        self._at(finish_s, partial(self._tell, node, finished))

    def _outputs(self, task: TaskId) -> tuple[Part, ...]:
        plan = self._plans[task]
        sizes = [
            round(self._scenario.edge_bytes.get(Edge(task, child), 0.0)) for child in plan.children
        ]
        if not plan.is_scatter:
            sizes = [max(sizes)]
        return tuple(Part(f"{task}_{k}", size) for k, size in enumerate(sizes))

    def _send(self, node: NodeId, send: act.Send) -> None:
        delivery = send.delivery
        edge = Edge(delivery.source, delivery.target)
        size = self._scenario.edge_bytes.get(edge, 0.0) if delivery.outcome == "done" else 0.0
        send_s = self._now
        arrive_s = self._travel(
            node, send.node, size, partial(self._receive, send.node, ev.Arrived(delivery))
        )
        self._at(arrive_s, partial(self._acknowledge, node, send))
        self._transfers.append(
            TransferRecord(
                item=delivery.item,
                source_task=delivery.source,
                target_task=delivery.target,
                source=node,
                target=send.node,
                size_bytes=round(size),
                send_s=send_s,
                arrive_s=arrive_s,
            )
        )

    def _acknowledge(self, node: NodeId, send: act.Send) -> None:
        if send.delivery.source != INGRESS:
            self._tell(node, ev.Delivered(send.refs))

    def _travel(self, source: NodeId, target: NodeId, size: float, do: Callable[[], None]) -> float:
        """Put something on a link, behind what is on it; return when it arrives."""
        arrive_s = self._now
        if source != target:
            model = self._scenario.links.get((source, target))
            if model is None:
                raise SchedulingError(f"no link leads from node {source} to node {target}")
            start_s = max(self._now, self._link_free_s.get((source, target), 0.0))
            free_s = start_s + model.busy_s(size)
            self._link_free_s[source, target] = free_s
            arrive_s = start_s + model.transfer_s(size)
        self._at(arrive_s, do)
        return arrive_s

    def _receive(self, node: NodeId, event: ev.Arrived | ev.EdgeEnded) -> None:
        target = event.delivery.target if isinstance(event, ev.Arrived) else event.target
        if target == SINK:
            self._do(node, self._sink.step(event, self._now))
        else:
            self._tell(node, event)

    def _resolve(self, resolve: act.Resolve) -> None:
        offered_s, accepted_s = self._accepted[resolve.seq]
        self._items.append(
            ItemRecord(
                item=item_id(resolve.seq),
                name=f"item {resolve.seq}",
                offered_s=offered_s,
                accepted_s=accepted_s,
                done_s=self._now,
                status=resolve.outcome,
                detail=resolve.detail,
                results=resolve.results,
            )
        )
        self._tell_ingress(
            ev.Resolved(resolve.seq, resolve.outcome, resolve.detail, resolve.results)
        )
