"""HEFT that tries each node and looks how early the children could then finish."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.by_order import LOOK_AHEAD
from jupiter.schedulers.workbench import Workbench


def look_ahead(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule of HEFT with one step of look-ahead.

    Tasks come in the order of HEFT. Each goes to the node from which the last of its children,
    each at its own best node, finishes earliest.

    Args:
        problem: As for `heft`.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left.

    Cost: O(edges x parents x nodes²).
    Source: Bittencourt, Sakellariou, Madeira 2010, doi:10.1109/PDP.2010.56, the variant without
        priorities among children.
    """
    bench = Workbench(problem, effort=len(problem.nodes))
    bench.place(bench.rank_order(), LOOK_AHEAD)
    return bench.schedule("look-ahead", seed=seed)
