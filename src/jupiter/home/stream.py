"""One stream of items through one mapping: prepare the agents, offer, wait, collect, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.control.plan import plan_tasks
from jupiter.errors import JupiterError, RunError
from jupiter.home.bundle import code_of
from jupiter.home.collector import Collector
from jupiter.home.controller import Controller
from jupiter.model import messages as msg
from jupiter.model.app import Application
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord

OFFERED_AT_ONCE = 256
"""Inputs in one order; the ingress holds what it cannot take yet."""


@dataclass(frozen=True)
class StreamOrder:
    """What is to be streamed.

    Attributes:
        run: Id, unique in the session.
        app: Its code must be on all nodes of the mapping already.
        bundle: Name under which it is there.
        mapping: Node of every task.
        inputs: One entry an item: the paths of its files, on home's machine.
        results_dir: Existing folder for results, on home's machine.
        interval_s: Seconds between two offers; 0 offers all at once.
        in_flight_max: As for the ingress.
    """

    run: str
    app: Application
    bundle: str
    mapping: Mapping[TaskId, NodeId]
    inputs: Sequence[tuple[Path, ...]]
    results_dir: Path
    interval_s: float = 0.0
    in_flight_max: int = 32


@dataclass(frozen=True)
class StreamOutcome:
    """What came of it; times are seconds after the first acceptance.

    Attributes:
        started_at: Wall time of the first acceptance, seconds since 1970.
    """

    started_at: float
    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]


@dataclass
class _Progress:
    """What the stream waits for."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str = ""

    def fail(self, reason: str) -> None:
        self.problem = self.problem or reason
        self.ended.set()


async def stream(
    controller: Controller, order: StreamOrder, on_item: Callable[[], None] = lambda: None
) -> StreamOutcome:
    """Stream items and return what happened.

    Args:
        controller: Connected to all nodes of the mapping and to home's own agent.
        order: What to stream.
        on_item: Called for every item that ends.

    Raises:
        TaskError: The code of a task cannot be loaded.
        RunError: An agent was lost, or cannot reach another.
    """
    progress = _Progress()
    collector = Collector(controller.clock_offset_s, on_item, progress.ended.set, progress.fail)
    controller.listen(order.run, collector.take, progress.fail)
    nodes = tuple(dict.fromkeys((controller.home, *order.mapping.values())))
    offset_s = wall_s() - monotonic_s()
    try:
        await asyncio.gather(*(_prepare(controller, order, node) for node in nodes))
        offering = asyncio.ensure_future(_offer(controller, order))
        waiting = asyncio.ensure_future(progress.ended.wait())
        try:
            await asyncio.wait({offering, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not progress.ended.is_set():
                await offering  # raises what went wrong with an offer
            await waiting
        finally:
            offering.cancel()
            waiting.cancel()
            await asyncio.gather(offering, waiting, return_exceptions=True)
        if progress.problem:
            raise RunError(progress.problem)
    finally:
        await _stop(controller, order.run, nodes)
        controller.unlisten(order.run)
    items, tasks, transfers = collector.records()
    return StreamOutcome(collector.first_accepted_s + offset_s, items, tasks, transfers)


async def _prepare(controller: Controller, order: StreamOrder, node: NodeId) -> None:
    code = tuple(code_of(order.app, task) for task, where in order.mapping.items() if where == node)
    results = str(order.results_dir) if node == controller.home else ""
    await controller.order(
        node,
        lambda number: msg.Prepare(
            id=number,
            run=order.run,
            bundle=order.bundle,
            home=controller.home,
            tasks=plan_tasks(order.app),
            code=code,
            mapping=dict(order.mapping),
            in_flight_max=order.in_flight_max,
            results_dir=results,
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
            await controller.order(node, lambda number: msg.StopRun(number, run), msg.Done)
        except JupiterError:
            return  # its agent is gone, and the run with it

    await asyncio.shield(asyncio.gather(*map(on, nodes)))
