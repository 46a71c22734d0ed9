"""Highest upward rank first, onto the node that finishes it earliest (HEFT)."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.workbench import Workbench


def heft(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the HEFT schedule, with insertion.

    Equal ranks keep topological order, which keeps written order; equal finish times go to the
    node named first. The result depends on nothing else, and on no name.

    Args:
        problem: Any number of entries, exits and pinned tasks. A pair of nodes without a link
            cannot be crossed; a node from which a child could not be reached is not chosen.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left. With few links or tight limits that can happen
            although a schedule exists, because decisions are not taken back (see `domains`).

    Cost: O(edges x nodes + tasks x nodes x (lanes + gaps after the task is ready)).
    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206. Departs: nodes have several cores,
        and those that lead to a dead end are left out.
    """
    bench = Workbench(problem)
    bench.place(bench.rank_order())
    return bench.schedule("heft", seed=seed)
