"""The times that follow from a mapping and an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.workbench import Workbench


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
        SchedulingError: A node cannot run its task, a link is missing, or a limit is exceeded.
    """
    bench = Workbench(problem)
    at = {node: n for n, node in enumerate(bench.nodes)}
    nodes = [at[mapping[task]] for task in bench.tasks]
    check_limits(bench, nodes)
    if order is None:
        sequence = bench.rank_order()
    else:
        number = {task: k for k, task in enumerate(bench.tasks)}
        sequence = bench.maker.ints((number[task] for task in order), len(bench.tasks))
    bench.place_where_told(sequence, nodes)
    return bench.schedule(scheduler, options=options, reason=reason)


def check_limits(bench: Workbench, nodes: Sequence[int]) -> None:
    """Refuse a mapping that puts too much on a node.

    Raises:
        SchedulingError: The limit of tasks or the memory of a node is exceeded.
    """
    t = bench.tables
    if not t.is_limited:
        return
    for node, name in enumerate(bench.nodes):
        mine = [task for task, each in enumerate(nodes) if each == node]
        if len(mine) > t.places[node]:
            raise SchedulingError(f"node {name} may have {t.places[node]} tasks, not {len(mine)}")
        needed = sum(t.memory_bytes[task] for task in mine)
        if needed > t.room_bytes[node]:
            raise SchedulingError(
                f"node {name} has {t.room_bytes[node]:.0f} bytes of memory, its tasks need "
                f"{needed:.0f}"
            )
