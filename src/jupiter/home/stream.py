"""One stream of items through one mapping: prepare the agents, offer, wait, collect, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.control.membership import spread
from jupiter.control.plan import plan_tasks
from jupiter.errors import JupiterError, RunError
from jupiter.home.bundle import code_of
from jupiter.home.collector import Collector
from jupiter.home.controller import Controller
from jupiter.model import messages as msg
from jupiter.model.app import Application
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord

OFFERED_AT_ONCE = 256
"""Inputs in one order; the ingress holds what it cannot take yet."""
BEAT_S = 0.25
STOP_S_MAX = 10.0
"""An agent that has not stopped a run by then is left to the engine."""
LEASE_S = 1.0
"""A node that was not heard for so long is taken for lost; of four beats, three may be late."""


@dataclass(frozen=True)
class StreamOrder:
    """What is to be streamed.

    Attributes:
        run: Id, unique in the session.
        app: Its code must be on all nodes already.
        bundle: Name under which it is there.
        mapping: Node of every task.
        inputs: One entry an item: the paths of its files, on home's machine.
        results_dir: Existing folder for results, on home's machine.
        interval_s: Seconds between two offers; 0 offers all at once.
        in_flight_max: As for the ingress.
        workers: Nodes that may run tasks; only those of the mapping where none are named.
        placement: Name of the policy that places each item.
        is_ordered: Items end in the order in which they were accepted.
    """

    run: str
    app: Application
    bundle: str
    mapping: Mapping[TaskId, NodeId]
    inputs: Sequence[tuple[Path, ...]]
    results_dir: Path
    interval_s: float = 0.0
    in_flight_max: int = 32
    workers: tuple[NodeId, ...] = ()
    placement: str = "static"
    is_ordered: bool = False


@dataclass(frozen=True)
class StreamOutcome:
    """What came of it; times are seconds after the first acceptance.

    Attributes:
        started_at: Wall time of the first acceptance, seconds since 1970.
        notes: What went wrong and was dealt with, one sentence each.
    """

    started_at: float
    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]
    notes: tuple[str, ...] = ()


class _Crew:
    """Who takes part, and what the stream waits for.

    Which node takes over a task is decided at home's agent; here it is only foreseen, by the same
    rule, to end a run that cannot go on and to tell the user of one that does.

    Raises:
        RunError: A task can run on no node that is still there.
    """

    def __init__(self, controller: Controller, order: StreamOrder) -> None:
        self.home = controller.home
        self.workers = order.workers or tuple(dict.fromkeys(order.mapping.values()))
        self.plans = plan_tasks(order.app, dict.fromkeys(order.app.graph.tasks, self.workers))
        self.wanted = order.mapping
        self.ended = asyncio.Event()
        self.problem = ""
        self.notes: list[str] = []
        self.lost = [node for node in self.workers if controller.is_lost(node)]
        mapping = spread(self.plans, self.wanted, self._members(), self.home)
        if mapping is None:
            raise RunError(f"the agent of node {self.lost[0]} is gone, and no other can take over")
        self.mapping: Mapping[TaskId, NodeId] = mapping
        self.members = self._members()

    def fail(self, reason: str) -> None:
        """End the run."""
        self.problem = self.problem or reason
        self.ended.set()

    def lose(self, node: NodeId, reason: str, items: int) -> None:
        """Note that an agent is gone."""
        if node == self.home:
            self.fail(reason)
        if node not in self.workers or node in self.lost:
            return
        self.lost.append(node)
        mapping = spread(self.plans, self.wanted, self._members(), self.home)
        if mapping is None:
            self.fail(reason)
            return
        moved = [task for task, of in self.mapping.items() if of == node]
        to = ", ".join(sorted({mapping[task] for task in moved}))
        what = f"its tasks moved to {to}" if moved else "it ran no tasks"
        self.notes.append(f"node {node} was lost after {items} items; {what}")
        self.mapping = mapping

    def change(self, fact: msg.Changed) -> None:
        """Note who was silent for too long, though the agent is still there, and who is back."""
        self.notes += [
            f"node {node} was not heard for {LEASE_S:g} s; its tasks moved for a while"
            for node in fact.silent
            if node not in self.lost
        ]
        self.notes += [f"node {node} takes part again" for node in fact.back]

    def _members(self) -> dict[NodeId, int]:
        here = (node for node in self.workers if node not in self.lost)
        return dict.fromkeys((self.home, *here), 1)


async def stream(
    controller: Controller, order: StreamOrder, on_item: Callable[[], None] = lambda: None
) -> StreamOutcome:
    """Stream items and return what happened.

    Agents may be lost on the way, as long as there is another node for each of their tasks.

    Args:
        controller: Connected to all nodes of the order and to home's own agent.
        order: What to stream.
        on_item: Called for every item that ends.

    Raises:
        TaskError: The code of a task cannot be loaded.
        RunError: Home's agent was lost, or all that can run a task, or one cannot reach another.
    """
    crew = _Crew(controller, order)
    collector = Collector(
        controller.clock_offset_s,
        on_item,
        crew.ended.set,
        crew.fail,
        crew.change,
        crew.notes.append,
    )

    def lose(node: NodeId, reason: str) -> None:
        crew.lose(node, reason, collector.ended)

    controller.listen(order.run, collector.take, lose)
    nodes = tuple(crew.members)
    offset_s = wall_s() - monotonic_s()
    try:
        # Home comes last: leases begin with it, and the others may load their code for long.
        others = [node for node in nodes if node != controller.home]
        await asyncio.gather(*(_prepare(controller, order, crew, node) for node in others))
        await _prepare(controller, order, crew, controller.home)
        offering = asyncio.ensure_future(_offer(controller, order))
        waiting = asyncio.ensure_future(crew.ended.wait())
        try:
            await asyncio.wait({offering, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not crew.ended.is_set():
                await offering  # raises what went wrong with an offer
            await waiting
        finally:
            offering.cancel()
            waiting.cancel()
            await asyncio.gather(offering, waiting, return_exceptions=True)
        if crew.problem:
            raise RunError(crew.problem)
    finally:
        await _stop(controller, order.run, nodes)
        controller.unlisten(order.run)
    items, tasks, transfers = collector.records()
    started_at = collector.first_accepted_s + offset_s
    return StreamOutcome(started_at, items, tasks, transfers, tuple(crew.notes))


async def _prepare(controller: Controller, order: StreamOrder, crew: _Crew, node: NodeId) -> None:
    tasks: tuple[TaskPlan, ...] = crew.plans
    code = tuple([code_of(order.app, plan.name) for plan in tasks])
    await controller.order(
        node,
        lambda number: msg.Prepare(
            id=number,
            run=order.run,
            bundle=order.bundle,
            home=controller.home,
            tasks=tasks,
            code=code,
            mapping=dict(crew.mapping),
            members=crew.members,
            incarnation=crew.members[node],
            in_flight_max=order.in_flight_max,
            results_dir=str(order.results_dir) if node == controller.home else "",
            placement=order.placement,
            is_ordered=order.is_ordered,
            beat_s=BEAT_S,
            lease_s=LEASE_S,
        ),
        msg.Done,
    )


async def _offer(controller: Controller, order: StreamOrder) -> None:
    inputs = [tuple(str(path.absolute()) for path in paths) for paths in order.inputs]
    at_once = 1 if order.interval_s else OFFERED_AT_ONCE
    start_s = monotonic_s()
    for first in range(0, len(inputs), at_once):
        due_s = start_s + first * order.interval_s
        if due_s > monotonic_s():
            await asyncio.sleep(due_s - monotonic_s())
        batch = tuple(inputs[first : first + at_once])
        make = partial(_make_offer, order.run, batch)
        await controller.order(controller.home, make, msg.Done)
    await controller.order(
        controller.home, lambda number: msg.CloseInput(number, order.run), msg.Done
    )


def _make_offer(run: str, inputs: tuple[tuple[str, ...], ...], number: int) -> msg.Offer:
    return msg.Offer(number, run, inputs)


async def _stop(controller: Controller, run: str, nodes: tuple[NodeId, ...]) -> None:
    """Stop a run on all nodes that still answer."""

    async def on(node: NodeId) -> None:
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await controller.order(node, lambda number: msg.StopRun(number, run), msg.Done)
        except (JupiterError, TimeoutError):
            return  # its agent is gone, and the run with it, or stands still and will be killed

    await asyncio.shield(asyncio.gather(*map(on, nodes)))
