"""A problem with names turned into numbers once, so that hot loops work on plain lists."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem

UNREACHABLE_S = math.inf
"""Seconds of what cannot be: a missing link, or a task on a node that cannot run it."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """A problem in numbers: task k is ``tasks[k]``, node n is ``nodes[n]``.

    A set of nodes is an integer whose bit n stands for node n.

    Attributes:
        tasks: In written order.
        nodes: In the order that breaks ties.
        order: All tasks in topological order.
        place: Position of every task in `order`.
        parents: Of every task, in written order.
        children: Of every task, in the order in which they are served.
        parent_bytes: Bytes that come from each parent, beside `parents`.
        child_bytes: Bytes that go to each child, beside `children`.
        seconds: Execution time. Shape: (tasks, nodes); infinite where the node cannot run the
            task or the task is pinned elsewhere.
        able: Set of the nodes that can run each task, pins respected.
        pin: Node that each task is pinned to, or -1.
        latency_s: Shape: (source, target); 0 within a node, infinite where no link is.
        seconds_per_byte: As above, but 0 where no link is.
        joined: Set of the nodes that each node can send to, itself included.
        cores: Executions at once on every node.
    """

    tasks: tuple[TaskId, ...]
    nodes: tuple[NodeId, ...]
    order: list[int]
    place: list[int]
    parents: list[list[int]]
    children: list[list[int]]
    parent_bytes: list[list[float]]
    child_bytes: list[list[float]]
    seconds: list[list[float]]
    able: list[int]
    pin: list[int]
    latency_s: list[list[float]]
    seconds_per_byte: list[list[float]]
    joined: list[int]
    cores: list[int]


def index(problem: Problem) -> Indexed:
    """Return a problem in numbers.

    Cost: O(tasks x nodes + edges + nodes²).
    """
    graph = problem.graph
    tasks = graph.tasks
    number = {task: k for k, task in enumerate(tasks)}
    order = [number[task] for task in graph.topological_order]
    place = [0] * len(tasks)
    for position, task in enumerate(order):
        place[task] = position
    children = [[number[child] for child in graph.children[task]] for task in tasks]
    child_bytes = [
        [problem.edge_bytes[Edge(task, child)] for child in graph.children[task]] for task in tasks
    ]
    parents: list[list[int]] = [[] for _ in tasks]
    parent_bytes: list[list[float]] = [[] for _ in tasks]
    for task, (found, sizes) in enumerate(zip(children, child_bytes, strict=True)):
        for child, size in zip(found, sizes, strict=True):
            parents[child].append(task)
            parent_bytes[child].append(size)
    seconds, able, pin = _executions(problem)
    latency_s, seconds_per_byte, joined = _links(problem)
    return Indexed(
        tasks=tasks,
        nodes=problem.nodes,
        order=order,
        place=place,
        parents=parents,
        children=children,
        parent_bytes=parent_bytes,
        child_bytes=child_bytes,
        seconds=seconds,
        able=able,
        pin=pin,
        latency_s=latency_s,
        seconds_per_byte=seconds_per_byte,
        joined=joined,
        cores=[problem.cores.get(node, 1) for node in problem.nodes],
    )


def members(nodes: int) -> Iterator[int]:
    """Yield the numbers of the nodes in a set, ascending."""
    while nodes:
        lowest = nodes & -nodes
        yield lowest.bit_length() - 1
        nodes ^= lowest


def _executions(problem: Problem) -> tuple[list[list[float]], list[int], list[int]]:
    """Return the rows of execution times, the sets of able nodes, and the pins."""
    nodes = problem.nodes
    number = {node: n for n, node in enumerate(nodes)}
    known = problem.execution_s.get
    everywhere = (1 << len(nodes)) - 1
    seconds: list[list[float]] = []
    able: list[int] = []
    pins: list[int] = []
    for task in problem.graph.tasks:
        times = list(map(known, zip(repeat(task), nodes)))  # half the time of a comprehension
        row = [UNREACHABLE_S if time_s is None else time_s for time_s in times]
        pin = -1
        if task in problem.pinned:
            pin = number.get(problem.pinned[task], -1)
            row = [each if n == pin else UNREACHABLE_S for n, each in enumerate(row)]
        seconds.append(row)
        pins.append(pin)
        if UNREACHABLE_S in row:
            able.append(sum(1 << n for n, each in enumerate(row) if each < UNREACHABLE_S))
        else:
            able.append(everywhere)
    return seconds, able, pins


def _links(problem: Problem) -> tuple[list[list[float]], list[list[float]], list[int]]:
    """Return the matrices of latencies and seconds per byte, and the sets of joined nodes."""
    number = {node: n for n, node in enumerate(problem.nodes)}
    count = len(number)
    latency_s = [[UNREACHABLE_S] * count for _ in range(count)]
    seconds_per_byte = [[0.0] * count for _ in range(count)]
    joined = [1 << n for n in range(count)]
    for (source, target), model in problem.links.items():
        if source not in number or target not in number or source == target:
            continue
        if math.isinf(model.latency_s) or math.isinf(model.seconds_per_byte):
            continue
        n, m = number[source], number[target]
        latency_s[n][m] = model.latency_s
        seconds_per_byte[n][m] = model.seconds_per_byte
        joined[n] |= 1 << m
    for n in range(count):
        latency_s[n][n] = 0.0
    return latency_s, seconds_per_byte, joined
