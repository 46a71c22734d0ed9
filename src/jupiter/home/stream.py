"""One stream of items through one mapping: prepare the agents, offer, wait, collect, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.control.membership import spread
from jupiter.control.plan import plan_tasks
from jupiter.errors import AgentError, JupiterError, RunError
from jupiter.home.bundle import code_of
from jupiter.home.collector import Collector, OnFacts
from jupiter.home.controller import Controller, Listener
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


class Log(Protocol):
    """Keeps facts, so that home can end and start again."""

    def add(self, node: NodeId, facts: msg.Facts) -> None:
        """Write facts down."""

    def read(self) -> Iterator[tuple[NodeId, msg.Facts]]:
        """Yield all that was written down."""

    def finish(self) -> None:
        """Note that the run has come to its end."""

    @property
    def is_finished(self) -> bool:
        """Whether it has."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written down."""
        ...


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
        durability: As for `RunSettings`.
        log: Keeps the facts of the run; None where nobody will ask for them again.
        is_resumed: Agents may be at work on the run already.
        on_facts: Hears of all that agents report, old facts first where the run is resumed.
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
    durability: Literal["none", "ingress", "hop"] = "none"
    log: Log | None = None
    is_resumed: bool = False
    on_facts: OnFacts = lambda node, facts: None


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
    rule, to end a run that cannot go on.

    Raises:
        RunError: A task can run on no node that is still there.
    """

    def __init__(self, controller: Controller, order: StreamOrder) -> None:
        self._controller = controller
        self._order = order
        self.home = controller.home
        self.workers = order.workers or tuple(dict.fromkeys(order.mapping.values()))
        self.plans = plan_tasks(order.app, dict.fromkeys(order.app.graph.tasks, self.workers))
        self.wanted = order.mapping
        self.ended = asyncio.Event()
        self.home_back = asyncio.Event()
        self.problem = ""
        self._is_home_lost = False
        self.notes: list[str] = []
        self.lost = [node for node in self.workers if controller.is_lost(node)]
        mapping = spread(self.plans, self.wanted, self._here(), self.home)
        if mapping is None:
            raise RunError(f"the agent of node {self.lost[0]} is gone, and no other can take over")
        self.mapping: Mapping[TaskId, NodeId] = mapping
        self.members = {
            node: controller.attached[node].incarnation for node in (self.home, *self._here())
        }
        self.preparing = set(self.members)
        """Nodes that are being prepared for the first time, as often as they die of it."""
        self._jobs: set[asyncio.Task[None]] = set()

    def fail(self, reason: str) -> None:
        """End the run."""
        self.problem = self.problem or reason
        self.ended.set()

    def lose(self, node: NodeId, reason: str, items: int) -> None:
        """Note that an agent is not there."""
        if node == self.home:
            if node in self.preparing:
                return  # nothing is accepted yet
            if self._order.durability == "none":
                self.fail(reason)
            elif not self._is_home_lost and not self.ended.is_set():
                self._is_home_lost = True
                self.notes.append(f"home's agent was lost after {items} items")
            return
        if node not in self.workers or node in self.lost:
            return
        self.lost.append(node)
        self.notes.append(f"the agent of node {node} was lost after {items} items")

    def gone(self, node: NodeId, reason: str) -> None:
        """Note that an agent will not come back."""
        is_needed = spread(self.plans, self.wanted, self._here(), self.home) is None
        if node == self.home or (node in self.workers and is_needed):
            self.fail(reason)

    def back(self, node: NodeId, attached: msg.Attached) -> None:
        """Take an agent in again that was started anew."""
        if node in self.lost:
            self.lost.remove(node)
            self.notes.append(f"the agent of node {node} is back")
        is_known = self._order.run in attached.runs
        if node in self.preparing and not is_known:
            return  # it will be told
        if node == self.home:
            if is_known:
                self._is_home_lost = False
                self.home_back.set()
            else:
                self.fail("home's agent has lost what it had written down")
        elif node in self.workers and not is_known:
            job = asyncio.ensure_future(self._prepare_late(node, attached.incarnation))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    def change(self, fact: msg.Changed) -> None:
        """Note who takes part no more, and who does again."""
        for node in fact.silent:
            if node in self.lost:
                self.notes.append(f"the tasks of node {node} moved for a while")
            else:
                note = f"node {node} was not heard for {LEASE_S:g} s; its tasks moved for a while"
                self.notes.append(note)
        self.notes += [f"node {node} takes part again" for node in fact.back]

    def close(self) -> None:
        """End what is under way."""
        for job in self._jobs:
            job.cancel()

    async def _prepare_late(self, node: NodeId, incarnation: int) -> None:
        """Let a node that has lost everything take part again."""
        try:
            await prepare(self._controller, self._order, self, node, incarnation, is_late=True)
        except AgentError:
            return  # lost again; it will be told
        except RunError as error:
            self.notes.append(f"node {node} cannot take part again: {error}")

    def _here(self) -> dict[NodeId, int]:
        return dict.fromkeys((node for node in self.workers if node not in self.lost), 1)


async def stream(
    controller: Controller, order: StreamOrder, on_item: Callable[[], None] = lambda: None
) -> StreamOutcome:
    """Stream items and return what happened.

    Agents may be lost on the way, as long as there is another node for each of their tasks, or
    they come back.

    Args:
        controller: Connected to all nodes of the order and to home's own agent.
        order: What to stream.
        on_item: Called for every item that ends.

    Raises:
        TaskError: The code of a task cannot be loaded.
        RunError: Home's agent was lost for good, or all that can run a task, or one cannot reach
            another.
    """
    crew = _Crew(controller, order)
    collector = Collector(
        controller.clock_offset_s,
        on_item,
        crew.ended.set,
        crew.fail,
        crew.change,
        crew.notes.append,
        order.on_facts,
    )
    if order.log is not None and order.is_resumed:
        for node, facts in order.log.read():
            collector.take(node, facts)

    def take(node: NodeId, facts: msg.Facts) -> bool:
        if collector.take(node, facts) and order.log is not None:
            order.log.add(node, facts)
        return True

    def lose(node: NodeId, reason: str) -> None:
        crew.lose(node, reason, collector.ended)

    controller.listen(order.run, Listener(take, lose, crew.back, crew.gone))
    nodes = tuple(crew.members)
    if order.log is not None and order.is_resumed:
        _refuse_if_lost(controller, order.run, order.log)
    offset_s = wall_s() - monotonic_s()
    is_complete = False
    try:
        if order.log is not None and order.log.is_finished:
            crew.ended.set()
        else:
            # Home comes last: leases begin with it, and the others may load their code for long.
            others = [node for node in nodes if node != controller.home]
            preparing = (_prepare_first(controller, order, crew, node) for node in others)
            await asyncio.gather(*preparing)
            await _prepare_first(controller, order, crew, controller.home)
        feeding = asyncio.ensure_future(_feed(controller, order, crew))
        waiting = asyncio.ensure_future(crew.ended.wait())
        try:
            await asyncio.wait({feeding, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if feeding.done():
                await feeding  # raises what went wrong with an offer
        finally:
            feeding.cancel()
            waiting.cancel()
            await asyncio.gather(feeding, waiting, return_exceptions=True)
        if crew.problem:
            raise RunError(crew.problem)
        if order.log is not None and not order.log.is_finished:
            order.log.finish()
        is_complete = True
    finally:
        crew.close()
        if is_complete or order.log is None:
            await _stop(controller, order.run, nodes)
        controller.unlisten(order.run)
    items, tasks, transfers = collector.records()
    started_at = collector.first_accepted_s + offset_s
    return StreamOutcome(started_at, items, tasks, transfers, tuple(crew.notes))


def _refuse_if_lost(controller: Controller, run: str, log: Log) -> None:
    """Raise where what home's agent had written down is gone: items would take effect twice."""
    is_known = run in controller.attached[controller.home].runs
    if not is_known and not log.is_empty and not log.is_finished:
        raise RunError(
            f"home's agent knows nothing of run {run}, though items were accepted; "
            "start it anew with: jupiter run --overwrite"
        )


async def _prepare_first(
    controller: Controller, order: StreamOrder, crew: _Crew, node: NodeId
) -> None:
    is_late = order.is_resumed and node != controller.home
    while order.run not in controller.attached[node].runs:
        incarnation = crew.members[node] = controller.attached[node].incarnation
        try:
            await prepare(controller, order, crew, node, incarnation, is_late=is_late)
            break
        except AgentError:
            # It died of something else than the order, or of it: then it will be given up.
            await controller.returned(node)
    crew.preparing.discard(node)


async def prepare(
    controller: Controller,
    order: StreamOrder,
    crew: _Crew,
    node: NodeId,
    incarnation: int,
    *,
    is_late: bool = False,
) -> None:
    """Let a node get ready for a run.

    Raises:
        TaskError: The code of a task cannot be loaded there.
        RunError: It could not be done.
    """
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
            incarnation=incarnation,
            in_flight_max=order.in_flight_max,
            results_dir=str(order.results_dir.absolute()) if node == controller.home else "",
            placement=order.placement,
            is_ordered=order.is_ordered,
            beat_s=BEAT_S,
            lease_s=LEASE_S,
            durability=order.durability,
            is_late=is_late,
        ),
        msg.Done,
    )


async def _feed(controller: Controller, order: StreamOrder, crew: _Crew) -> None:
    """Offer all inputs; go on where it ended whenever home's agent has come back."""
    is_back = order.is_resumed
    start_s = monotonic_s()
    while True:
        crew.home_back.clear()
        try:
            if is_back:
                await controller.order(
                    controller.home, lambda number: msg.Recall(number, order.run), msg.Done
                )
            await _offer(controller, order, start_s)
        except AgentError:
            if order.durability == "none":
                raise
        await crew.home_back.wait()
        is_back = True


async def _offer(controller: Controller, order: StreamOrder, start_s: float) -> None:
    inputs = [tuple(str(path.absolute()) for path in paths) for paths in order.inputs]
    at_once = 1 if order.interval_s else OFFERED_AT_ONCE
    count = await _offer_some(controller, order.run, 0, ())
    while count < len(inputs):
        due_s = start_s + count * order.interval_s
        if due_s > monotonic_s():
            await asyncio.sleep(due_s - monotonic_s())
        batch = tuple(inputs[count : count + at_once])
        count = await _offer_some(controller, order.run, count, batch)
    await controller.order(
        controller.home, lambda number: msg.CloseInput(number, order.run), msg.Done
    )


async def _offer_some(
    controller: Controller, run: str, first: int, inputs: tuple[tuple[str, ...], ...]
) -> int:
    """Offer inputs; return how many home's agent was offered in all."""
    took = await controller.order(
        controller.home, lambda number: msg.Offer(number, run, first, inputs), msg.Took
    )
    return took.count


async def _stop(controller: Controller, run: str, nodes: tuple[NodeId, ...]) -> None:
    """Stop a run on all nodes that still answer."""

    async def on(node: NodeId) -> None:
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await controller.order(node, lambda number: msg.StopRun(number, run), msg.Done)
        except (JupiterError, TimeoutError):
            return  # its agent is gone, and the run with it, or stands still and will be killed

    await asyncio.shield(asyncio.gather(*map(on, nodes)))
