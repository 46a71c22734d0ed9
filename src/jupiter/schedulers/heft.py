"""Highest upward rank first, onto the node that finishes it earliest (HEFT)."""

from __future__ import annotations

from jupiter.errors import SchedulingError
from jupiter.kit.units import show_seconds
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order


def heft(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the HEFT schedule, with insertion.

    Equal ranks keep topological order; equal finish times go to the node named first. The result
    depends on nothing else, and on no name.

    Args:
        problem: What is to be placed.
        seed: Not used; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node that all its inputs can reach.

    Cost: O(edges x nodes + tasks x nodes x busy intervals passed).
    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206.
    """
    placing = Placing(problem)
    for task in rank_order(problem):
        finish_s: dict[NodeId, float] = {}
        for node in placing.candidates(task):
            interval = placing.interval_s(task, node)
            if interval is not None:
                finish_s[node] = interval[1]
        if not finish_s:
            raise SchedulingError(
                f"task {task} cannot be placed: no node can get all of its inputs"
            )
        best = min(finish_s, key=finish_s.__getitem__)
        placing.place(task, best, _reason(problem, task, best, finish_s), finish_s)
    return placing.schedule("heft")


def _reason(problem: Problem, task: TaskId, best: NodeId, finish_s: dict[NodeId, float]) -> str:
    if task in problem.pinned:
        return "pinned"
    others = [node for node in finish_s if node != best]
    if not others:
        return "the only node that can run it"
    second = min(others, key=finish_s.__getitem__)
    gain_s = finish_s[second] - finish_s[best]
    if not gain_s:
        return f"finishes as early as on {second}, and comes first"
    return f"finishes {show_seconds(gain_s)} before {second}"
