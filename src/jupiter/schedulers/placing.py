"""A schedule while it is being built: which tasks have a place, and when the next could run."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.errors import SchedulingError
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.timeline import Timeline


class Placing:
    """Tasks placed so far, parents before children.

    Args:
        problem: What is to be placed.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._timelines = {node: Timeline(problem.cores.get(node, 1)) for node in problem.nodes}
        self._placed: dict[TaskId, Assignment] = {}
        self._candidates = viable_nodes(problem)

    def candidates(self, task: TaskId) -> tuple[NodeId, ...]:
        """Return the nodes that can run a task and pass its outputs on."""
        return self._candidates[task]

    def interval_s(self, task: TaskId, node: NodeId) -> tuple[float, float] | None:
        """Return the earliest start and finish of a task on a node.

        None where a parent's output cannot get there.
        """
        problem = self._problem
        ready_s = 0.0
        for parent in problem.graph.parents[task]:
            placed = self._placed[parent]
            transfer_s = problem.transfer_s(Edge(parent, task), placed.node, node)
            if transfer_s is None:
                return None
            ready_s = max(ready_s, placed.finish_s + transfer_s)
        duration_s = problem.execution_s[task, node]
        start_s = self._timelines[node].earliest_start_s(ready_s, duration_s)
        return start_s, start_s + duration_s

    def place(
        self,
        task: TaskId,
        node: NodeId,
        reason: str = "",
        finish_by_node_s: Mapping[NodeId, float] | None = None,
    ) -> None:
        """Put a task on a node at its earliest time there.

        Raises:
            SchedulingError: An input cannot get there.
        """
        interval = self.interval_s(task, node)
        if interval is None:
            raise SchedulingError(f"an input of task {task} has no link to node {node}")
        start_s, finish_s = interval
        self._timelines[node].occupy(start_s, finish_s - start_s)
        self._placed[task] = Assignment(
            task, node, start_s, finish_s, reason, finish_by_node_s or {}
        )

    def schedule(self, scheduler: str, **options: str | int | float) -> Schedule:
        """Return what was built."""
        return Schedule(scheduler, tuple(self._placed.values()), options)


def viable_nodes(problem: Problem) -> dict[TaskId, tuple[NodeId, ...]]:
    """Return the nodes of every task from which each child can be reached on one of its own.

    So a task is never put where its outputs would be stuck.

    Raises:
        SchedulingError: A task has no such node.
    """
    viable: dict[TaskId, tuple[NodeId, ...]] = {}
    for task in reversed(problem.graph.topological_order):
        able = problem.candidates(task)
        viable[task] = tuple(
            node
            for node in able
            if all(
                any(other == node or (node, other) in problem.links for other in viable[child])
                for child in problem.graph.children[task]
            )
        )
        if not viable[task]:
            why = "its outputs have no link to its children" if able else "no node can run it"
            raise SchedulingError(f"task {task} cannot be placed: {why}")
    return viable
