"""Runs every task on every node and times it.

The whole graph is put on one node and sample items are sent through it, so tasks meet
the inputs that their parents really make, and are timed by the same agent that runs them later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jupiter.errors import RunError
from jupiter.home.controller import Controller
from jupiter.home.stream import StreamOrder, StreamOutcome, stream
from jupiter.model.app import Application
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId
from jupiter.model.network import Node
from jupiter.model.profile import ExecutionSample

REPEATS = 5
IN_FLIGHT = 3
"""So that a node goes from one task to the next without a pause, as it does in a stream: after a
pause processors are slower for a while."""


@dataclass(frozen=True)
class ExecutionSamples:
    """What was measured.

    Attributes:
        executions: One each time that a task ran.
        edge_bytes: Sizes that one item sent along each edge, ``@in`` and ``@out`` included.
    """

    executions: tuple[ExecutionSample, ...]
    edge_bytes: tuple[tuple[Edge, int], ...]


async def measure_tasks(
    controller: Controller,
    app: Application,
    bundle: str,
    nodes: Sequence[Node],
    *,
    sample: Sequence[tuple[Path, ...]],
    repeats: int = REPEATS,
    together: Sequence[Sequence[Node]] | None = None,
    on_item: Callable[[], None] = lambda: None,
    scratch: Path | None = None,
) -> ExecutionSamples:
    """Return timed executions of every task on every node.

    Args:
        controller: Connected to all nodes.
        app: Its code must be on the nodes already.
        bundle: Name under which it is there.
        nodes: Where to measure.
        sample: Inputs, one entry an item; used in turn.
        repeats: Items that count; one more goes first and warms the workers up.
        together: Groups of nodes that are measured at the same time; all of them by default.
        on_item: Called for every item that is done.
        scratch: Existing folder for what lives no longer than this call.

    Raises:
        RunError: A task failed on a node.
    """
    inputs = [sample[k % len(sample)] for k in range(repeats + 1)]
    executions: list[ExecutionSample] = []
    edge_bytes: list[tuple[Edge, int]] = []

    async def measure(node: Node) -> StreamOutcome:
        with TemporaryDirectory(prefix="jupiter-profile-", dir=scratch) as folder:
            order = StreamOrder(
                run=f"profile-{node.name}",
                app=app,
                bundle=bundle,
                mapping=dict.fromkeys(app.graph.tasks, node.name),
                inputs=inputs,
                results_dir=Path(folder),
                in_flight_max=IN_FLIGHT,
            )
            return await stream(controller, order, on_item)

    for group in together or [nodes]:
        for node, outcome in zip(group, await asyncio.gather(*map(measure, group)), strict=True):
            _refuse_failures(outcome, node.name)
            executions += [
                ExecutionSample(
                    each.task,
                    node.name,
                    each.finish_s - each.execute_s,
                    each.input_bytes,
                    each.output_bytes,
                )
                for each in outcome.tasks
                if each.item != "0"
            ]
            edge_bytes += [
                (Edge(each.source_task, each.target_task), each.size_bytes)
                for each in outcome.transfers
            ]
    return ExecutionSamples(tuple(executions), tuple(edge_bytes))


def together_on(nodes: Sequence[Node], cores: int) -> list[list[Node]]:
    """Group emulated nodes so that a group needs no more than half of this machine's cores.

    Args:
        nodes: All run on this machine, slowed down to their speeds.
        cores: Of this machine.
    """
    fastest = max(1.0, *(node.speed for node in nodes)) if nodes else 1.0
    groups: list[list[Node]] = []
    room = 0.0
    for node in nodes:
        need = node.cores * node.speed / fastest
        if need > room or not groups:
            groups.append([])
            room = max(1.0, cores / 2)
        groups[-1].append(node)
        room -= need
    return groups


def _refuse_failures(outcome: StreamOutcome, node: NodeId) -> None:
    for item in outcome.items:
        if item.status == "failed":
            raise RunError(f"profiling on node {node}: {item.detail}")
