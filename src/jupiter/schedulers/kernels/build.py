"""From a problem to its tables, and to the digest of all that it says."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, repeat
from typing import Any

from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import Transfer, TransferModel
from jupiter.schedulers.kernels.columns import Maker, mean_of
from jupiter.schedulers.kernels.orders import topological, transpose
from jupiter.schedulers.kernels.tables import (
    NOWHERE,
    PLACES_MAX,
    UNREACHABLE_S,
    Floats,
    Ints,
    Rows,
    Tables,
)


def build_tables(problem: Problem, maker: Maker) -> tuple[Tables, str]:
    """Return a problem in numbers, and its digest.

    Raises:
        SchedulingError: The problem names an unknown node or task, or has no nodes.

    Cost: O(tasks + edges + nodes²), and O(tasks x nodes) where execution times are given by pair.
    """
    graph, nodes = problem.graph, problem.nodes
    tasks = tuple(graph.children)
    count, width = len(tasks), len(nodes)
    if not nodes and tasks:
        raise SchedulingError("the problem has no nodes, so nothing can be placed")
    number = dict(zip(tasks, range(count), strict=True))
    widths = list(map(len, graph.children.values()))
    edge_count = sum(widths)
    first = accumulate(widths, initial=0)
    targets = list(chain.from_iterable(graph.children.values()))
    child_first = maker.ints(first, count + 1)
    child = maker.ints(map(number.__getitem__, targets), edge_count)
    child_bytes = maker.floats(_sizes(problem, widths, targets), edge_count)
    links = _Links(problem, maker)
    child_matrix = links.classes(child_bytes, edge_count)
    parent_first = maker.zeros(count + 1)
    parent = maker.zeros(edge_count)
    arriving = maker.zeros(edge_count)
    maker.call(transpose, child_first, child, parent_first, parent, arriving)
    order = maker.zeros(count)
    waiting = maker.zeros(count)
    maker.call(topological, child_first, child, parent_first, order, waiting)
    executions = _Executions(problem, number, maker)
    lanes = [0]
    for node in nodes:
        lanes.append(lanes[-1] + problem.cores.get(node, 1))
    tables = Tables(
        task_count=count,
        node_count=width,
        order=order,
        parent_first=parent_first,
        parent=parent,
        parent_bytes=_picked(child_bytes, arriving),
        parent_matrix=_picked(child_matrix, arriving),
        child_first=child_first,
        child=child,
        child_bytes=child_bytes,
        child_matrix=child_matrix,
        is_related=executions.is_related,
        seconds=executions.seconds,
        work_s=executions.work_s,
        speed=executions.speed,
        latency_s=links.latency_s,
        rate=links.rate,
        matrices=links.matrices,
        mean_execution_s=executions.mean_s,
        mean_transfer_s=links.means(
            executions.common,
            child_bytes,
            _pinned_edges(executions.pins, (child_first, child), (parent_first, parent, arriving)),
        ),
        lane_first=maker.ints(lanes, width + 1),
        pin=executions.pin,
        is_limited=bool(problem.tasks_max or (problem.memory_bytes and problem.node_memory_bytes)),
        memory_bytes=maker.float_zeros(count)
        if not problem.memory_bytes
        else maker.floats(map(problem.memory_bytes.get, tasks, repeat(0.0)), count),
        room_bytes=maker.floats(
            (problem.node_memory_bytes.get(node, UNREACHABLE_S) for node in nodes), width
        ),
        places=maker.ints((problem.tasks_max.get(node, PLACES_MAX) for node in nodes), width),
        is_sparse=links.is_sparse(executions),
        joined=links.joined,
        begun_s=maker.rows(_begun(problem, tasks), 2),
        release_s=float(problem.release_s),
        shortest_s=executions.shortest_s,
    )
    return tables, _digest(problem, tasks, tables, maker)


def _sizes(problem: Problem, widths: list[int], targets: list[TaskId]) -> Iterable[float]:
    """Return the bytes of every leaving edge."""
    if not problem.edge_bytes:
        return repeat(0.0, len(targets))
    sources = chain.from_iterable(map(repeat, problem.graph.children, widths))
    known: Any = problem.edge_bytes  # plain pairs are equal to edges, and quicker to make
    return map(known.get, zip(sources, targets, strict=True), repeat(0.0))


def _picked(column: Any, places: Any) -> Any:
    """Return the values at some places."""
    if isinstance(column, list):
        return [column[place] for place in places]
    return column[places]


def _begun(problem: Problem, tasks: tuple[TaskId, ...]) -> list[list[float]]:
    """Return start and finish of the tasks that run already; nothing where there is none."""
    if not problem.begun:
        return []
    return [
        [problem.begun[task].start_s, problem.begun[task].finish_s]
        if task in problem.begun
        else [math.nan, math.nan]
        for task in tasks
    ]


class _Executions:
    """Times of tasks on nodes, pins respected."""

    def __init__(self, problem: Problem, number: dict[TaskId, int], maker: Maker) -> None:
        tasks, nodes = tuple(number), problem.nodes
        count, width = len(tasks), len(nodes)
        at = {node: n for n, node in enumerate(nodes)}
        self.pins = {number[t]: _known(at, n, "pinned to", t) for t, n in problem.pinned.items()}
        for task, placed in problem.begun.items():
            self.pins[number[task]] = _known(at, placed.node, "begun on", task)
        pin = [NOWHERE] * count
        for each, node in self.pins.items():
            pin[each] = node
        self.pin = maker.ints(pin, count)
        speeds = [float(problem.speed.get(node, 1.0)) for node in nodes]
        self.speed = maker.floats(speeds, width)
        self._width = width
        self.is_related = (
            bool(tasks)
            and not problem.execution_s
            and not problem.forbidden
            and len(problem.work_s) >= count
            and all(map(problem.work_s.__contains__, tasks))
        )
        if self.is_related:
            self.work_s = maker.floats(map(problem.work_s.__getitem__, tasks), count)
            self.seconds = maker.rows([], width)
            inverse = mean_of([1.0 / speed for speed in speeds])
            self.mean_s = maker.scaled(self.work_s, inverse)
            for each, node in self.pins.items():
                self.mean_s[each] = self.work_s[each] / speeds[node]
            least_s = min(filter(None, self.work_s), default=UNREACHABLE_S)
            self.shortest_s = float(least_s / max(speeds, default=1.0))
            self.common = set(range(width)) if len(self.pins) < count else set()
            self.unable: list[int] = []
            return
        rows = _seconds(problem, tasks, speeds, self.pins)
        self.work_s = maker.floats([], 0)
        self.seconds = maker.rows(rows, width)
        self.mean_s = maker.means(self.seconds, width)
        self.shortest_s = min(
            (each for row in rows for each in row if each > 0), default=UNREACHABLE_S
        )
        self.unable = [k for k, row in enumerate(rows) if min(row) == UNREACHABLE_S]
        self.common = set()
        for each, row in enumerate(rows):
            if len(self.common) == width:
                break
            if each not in self.pins:
                self.common.update(n for n, time_s in enumerate(row) if time_s < UNREACHABLE_S)

    @property
    def used(self) -> set[int]:
        """Nodes that could get a task."""
        return self.common | set(self.pins.values())


def _known(at: dict[NodeId, int], node: NodeId, how: str, task: TaskId) -> int:
    if node not in at:
        raise SchedulingError(f"task {task} is {how} node {node}, which does not exist")
    return at[node]


def _seconds(
    problem: Problem, tasks: tuple[TaskId, ...], speeds: list[float], pins: dict[int, int]
) -> list[list[float]]:
    """Return the row of execution times of every task."""
    nodes = problem.nodes
    known: Any = problem.execution_s
    rows = []
    for k, task in enumerate(tasks):
        row: list[float]
        work_s = problem.work_s.get(task)
        if known:
            times = list(map(known.get, zip(repeat(task), nodes)))  # quicker than a comprehension
            if None not in times:
                row = times
            elif work_s is None:
                row = [UNREACHABLE_S if time_s is None else time_s for time_s in times]
            else:
                row = [
                    work_s / speed if time_s is None else time_s
                    for time_s, speed in zip(times, speeds, strict=True)
                ]
        elif work_s is None:
            row = [UNREACHABLE_S] * len(nodes)
        else:
            row = [work_s / speed for speed in speeds]
        if task in problem.forbidden:
            unwanted = problem.forbidden[task]
            row = [
                UNREACHABLE_S if node in unwanted else time_s
                for node, time_s in zip(nodes, row, strict=True)
            ]
        if k in pins:
            row = [time_s if n == pins[k] else UNREACHABLE_S for n, time_s in enumerate(row)]
        if task in problem.begun:
            begun = problem.begun[task]
            row[pins[k]] = begun.finish_s - begun.start_s
        rows.append(list(map(float, row)))
    return rows


class _Links:
    """Links as matrices; those that are not affine by the class (size) of an edge."""

    def __init__(self, problem: Problem, maker: Maker) -> None:
        at = {node: n for n, node in enumerate(problem.nodes)}
        width = len(at)
        self._maker, self._width = maker, width
        self._other: dict[tuple[int, int], Transfer] = {}
        latency_s = [[UNREACHABLE_S] * width for _ in range(width)]
        rate = [[0.0] * width for _ in range(width)]
        for (source, target), model in problem.links.items():
            n, m = at.get(source, NOWHERE), at.get(target, NOWHERE)
            if n < 0 or m < 0 or n == m:
                continue
            if isinstance(model, TransferModel):
                rate[n][m] = float(model.seconds_per_byte)
                latency_s[n][m] = float(model.latency_s)
                if rate[n][m] == UNREACHABLE_S:
                    rate[n][m], latency_s[n][m] = 0.0, UNREACHABLE_S
            else:
                self._other[n, m] = model
                latency_s[n][m] = 0.0
        for n in range(width):
            latency_s[n][n] = 0.0
        self._latency_s, self._rate = latency_s, rate
        self._is_full = not any(UNREACHABLE_S in row for row in latency_s)
        self.latency_s = maker.rows(latency_s, width)
        self.rate = maker.rows(rate, width)
        self.joined = maker.flags(
            []
            if self._is_full
            else [[int(time_s < UNREACHABLE_S) for time_s in row] for row in latency_s],
            width,
        )
        self.matrices = maker.cube([], width)
        self._class_of: dict[float, int] = {}
        self._lists: list[Rows] = []

    def classes(self, sizes: Iterable[float], count: int) -> Ints:
        """Return the matrix of every edge, made here; -1 for all where every link is affine."""
        if not self._other:
            return self._maker.ints(repeat(NOWHERE, count), count)
        found = []
        for size in sizes:
            if size not in self._class_of:
                self._class_of[float(size)] = len(self._lists)
                self._lists.append(self._matrix(float(size)))
            found.append(self._class_of[size])
        self.matrices = self._maker.cube(self._lists, self._width)
        return self._maker.ints(found, count)

    def _matrix(self, size: float) -> Rows:
        matrix = [
            [latency_s + size * rate for latency_s, rate in zip(*rows, strict=True)]
            for rows in zip(self._latency_s, self._rate, strict=True)
        ]
        for (n, m), model in self._other.items():
            matrix[n][m] = float(model.transfer_s(size))
        return matrix

    def is_sparse(self, executions: _Executions) -> bool:
        """Return whether two nodes in use are not joined."""
        if self._is_full:
            return False
        used = sorted(executions.used)
        return any(self._latency_s[n][m] == UNREACHABLE_S for n in used for m in used)

    def means(
        self,
        common: set[int],
        sizes: Floats,
        pinned: Iterable[tuple[int, int | None, int | None]],
    ) -> Floats:
        """Return `Tables.mean_transfer_s`.

        Args:
            common: Nodes that a task may be on which is not pinned.
            sizes: Of leaving edges.
            pinned: Edges with a pinned end, each with the nodes of its ends where they are fixed.
        """
        if self._other:
            by_class = [self._mean_of(matrix, common, common) for matrix in self._lists]
            means = self._maker.floats(
                (by_class[self._class_of[float(size)]] for size in sizes), len(sizes)
            )
        else:
            means = self._maker.affine(sizes, *self._mean_link(common, common))
        known: dict[tuple[int | None, int | None], tuple[float, float]] = {}
        for edge, source, target in pinned:
            sources, targets = (common if end is None else {end} for end in (source, target))
            if self._other:
                matrix = self._lists[self._class_of[float(sizes[edge])]]
                means[edge] = self._mean_of(matrix, sources, targets)
                continue
            if (source, target) not in known:
                known[source, target] = self._mean_link(sources, targets)
            latency_s, rate = known[source, target]
            means[edge] = latency_s + sizes[edge] * rate
        return means

    def _mean_link(self, sources: set[int], targets: set[int]) -> tuple[float, float]:
        """Return the mean latency and seconds per byte from some nodes to others."""
        if self._is_full and len(sources) == len(targets) == self._width > 1:
            count = self._width * (self._width - 1)  # the diagonal is zero
            latency_s = math.fsum(chain.from_iterable(self._latency_s))
            return latency_s / count, math.fsum(chain.from_iterable(self._rate)) / count
        pairs = self._pairs(sources, targets)
        if not pairs:
            return 0.0, 0.0
        latency_s = math.fsum(self._latency_s[n][m] for n, m in pairs)
        return latency_s / len(pairs), math.fsum(self._rate[n][m] for n, m in pairs) / len(pairs)

    def _mean_of(self, matrix: Rows, sources: set[int], targets: set[int]) -> float:
        pairs = self._pairs(sources, targets)
        return math.fsum(matrix[n][m] for n, m in pairs) / len(pairs) if pairs else 0.0

    def _pairs(self, sources: set[int], targets: set[int]) -> list[tuple[int, int]]:
        """Return the joined pairs of distinct nodes."""
        return [
            (n, m)
            for n in sorted(sources)
            for m in sorted(targets)
            if n != m and self._latency_s[n][m] < UNREACHABLE_S
        ]


def _pinned_edges(
    pins: dict[int, int], leaving: tuple[Ints, Ints], arriving: tuple[Ints, Ints, Ints]
) -> Iterator[tuple[int, int | None, int | None]]:
    """Yield every leaving edge with a pinned end, and the nodes that its ends are pinned to."""
    child_first, child = leaving
    parent_first, parent, position = arriving
    for task, node in pins.items():
        for edge in range(int(child_first[task]), int(child_first[task + 1])):
            yield edge, node, pins.get(int(child[edge]))
        for place in range(int(parent_first[task]), int(parent_first[task + 1])):
            yield int(position[place]), pins.get(int(parent[place])), node


def _digest(problem: Problem, tasks: tuple[TaskId, ...], tables: Tables, maker: Maker) -> str:
    """Return SHA-256 over names and numbers; the same for lists and arrays."""
    digest = hashlib.sha256("\0".join(tasks).encode("utf-8", "surrogatepass"))
    digest.update("\0".join(("", *problem.nodes)).encode("utf-8", "surrogatepass"))
    columns = (
        *(tables.child_first, tables.child, tables.child_bytes, tables.seconds, tables.work_s),
        *(tables.speed, tables.latency_s, tables.rate, tables.matrices, tables.lane_first),
        *(tables.pin, tables.memory_bytes, tables.room_bytes, tables.places, tables.begun_s),
    )
    for column in columns:
        digest.update(len(column).to_bytes(8, "big"))
        digest.update(maker.digest(column))
    digest.update(f"{problem.objective} {float(problem.release_s)!r}".encode())
    return digest.hexdigest()
