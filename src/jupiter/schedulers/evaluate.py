"""The times that follow from a mapping and an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.indexed import Indexed, index
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order


def evaluate(
    problem: Problem,
    mapping: Mapping[TaskId, NodeId],
    *,
    scheduler: str,
    order: Sequence[TaskId] | None = None,
    options: Mapping[str, str | int | float] | None = None,
    reason: str = "",
) -> Schedule:
    """Return the schedule in which each task starts as early as its node and inputs allow.

    Args:
        problem: What is placed.
        mapping: Node of every task of the graph, fixed ends included.
        scheduler: Name to record.
        order: All tasks, parents before children: earlier ones choose their time first. By
            falling upward rank where it is None.
        options: To record.
        reason: Of every assignment.

    Raises:
        SchedulingError: A node cannot run its task, or a link is missing.
    """
    indexed = index(problem)
    number = {task: k for k, task in enumerate(indexed.tasks)}
    number_of_node = {node: n for n, node in enumerate(indexed.nodes)}
    nodes = [number_of_node[mapping[task]] for task in indexed.tasks]
    sequence = rank_order(indexed) if order is None else [number[task] for task in order]
    placing = place_all(indexed, nodes, sequence)
    assignments = tuple(placing.assignment(task, reason) for task in sequence)
    return Schedule(scheduler, assignments, options or {})


def place_all(indexed: Indexed, nodes: Sequence[int], order: Sequence[int]) -> Placing:
    """Return all tasks on given nodes, placed one after the other; raises as `evaluate`."""
    placing = Placing(indexed)
    for task in order:
        placing.put(task, nodes[task])
    return placing
