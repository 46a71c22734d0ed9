"""Everything on the one node that finishes it earliest: no transfers, no parallel nodes."""

from __future__ import annotations

from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order


def single_node(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the best schedule that uses one node; pinned tasks stay where they are pinned.

    Args:
        problem: What is to be placed.
        seed: Not used; nothing is drawn at random.

    Raises:
        SchedulingError: No node can run all tasks.
    """
    order = rank_order(problem)
    best: Schedule | None = None
    for node in problem.nodes:
        schedule = _all_on(problem, order, node)
        if schedule and (best is None or schedule.makespan_s < best.makespan_s):
            best = schedule
    if best is None:
        raise SchedulingError("no single node can run all tasks")
    return best


def _all_on(problem: Problem, order: list[TaskId], node: NodeId) -> Schedule | None:
    placing = Placing(problem)
    for task in problem.graph.tasks:
        if node not in placing.candidates(task) and task not in problem.pinned:
            return None
    try:
        for task in order:
            placing.place(task, problem.pinned.get(task, node))
    except SchedulingError:
        return None
    return placing.schedule("single-node", node=node)
