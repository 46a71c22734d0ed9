"""The task graph: tasks, directed edges, and nothing else."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from jupiter.model.ids import TaskId


class CycleError(ValueError):
    """The edges run in a circle.

    Attributes:
        cycle: Its tasks, the first repeated at the end.
    """

    def __init__(self, cycle: Sequence[TaskId]) -> None:
        self.cycle = tuple(cycle)
        super().__init__(f"cycle: {' -> '.join(self.cycle)}")


class Edge(NamedTuple):
    """A data dependency between two tasks; equal to the plain pair of their names."""

    source: TaskId
    target: TaskId


def find_cycle(children: Mapping[TaskId, Iterable[TaskId]]) -> tuple[TaskId, ...] | None:
    """Return one cycle, its first task repeated at the end, or None.

    Children that are no keys are ignored.
    """
    done: set[TaskId] = set()
    for root in children:
        if root in done:
            continue
        path: dict[TaskId, None] = {root: None}
        stack = [iter(children[root])]
        while stack:
            child = next((c for c in stack[-1] if c in children and c not in done), None)
            if child is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif child in path:
                names = list(path)
                return (*names[names.index(child) :], child)
            else:
                path[child] = None
                stack.append(iter(children[child]))
    return None


@dataclass(frozen=True)
class TaskGraph:
    """A directed acyclic graph of tasks.

    Attributes:
        children: The children of every task, in the order in which they were written: it is the
            order in which a scattering task serves them.
    """

    children: Mapping[TaskId, tuple[TaskId, ...]]

    def __post_init__(self) -> None:
        for task, children in self.children.items():
            for child in children:
                if child not in self.children:
                    raise ValueError(f"task {task!r} has an unknown child {child!r}")
            if len(set(children)) != len(children):
                raise ValueError(f"task {task!r} names a child twice")
        cycle = find_cycle(self.children)
        if cycle:
            raise CycleError(cycle)

    @property
    def tasks(self) -> tuple[TaskId, ...]:
        """All tasks in the order in which they were written."""
        return tuple(self.children)

    @cached_property
    def parents(self) -> Mapping[TaskId, tuple[TaskId, ...]]:
        """The parents of every task, in the order in which the tasks were written."""
        parents: dict[TaskId, list[TaskId]] = {task: [] for task in self.children}
        for task, children in self.children.items():
            for child in children:
                parents[child].append(task)
        return {task: tuple(found) for task, found in parents.items()}

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, by source in written order, then by child."""
        return tuple(
            Edge(task, child) for task, children in self.children.items() for child in children
        )

    @cached_property
    def entries(self) -> tuple[TaskId, ...]:
        """Tasks without a parent."""
        return tuple(task for task in self.children if not self.parents[task])

    @cached_property
    def exits(self) -> tuple[TaskId, ...]:
        """Tasks without a child."""
        return tuple(task for task, children in self.children.items() if not children)

    @cached_property
    def topological_order(self) -> tuple[TaskId, ...]:
        """All tasks, parents first; among ready tasks the one written first comes first."""
        place = {task: k for k, task in enumerate(self.children)}
        open_parents = {task: len(found) for task, found in self.parents.items()}
        ready = [place[task] for task in self.entries]
        heapq.heapify(ready)
        tasks = self.tasks
        order = []
        while ready:
            task = tasks[heapq.heappop(ready)]
            order.append(task)
            for child in self.children[task]:
                open_parents[child] -= 1
                if not open_parents[child]:
                    heapq.heappush(ready, place[child])
        return tuple(order)
