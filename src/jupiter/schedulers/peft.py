"""The node from which the rest can finish earliest, by a table of optimistic costs (PEFT)."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.by_order import FINISH_AND_TAIL
from jupiter.schedulers.kernels.orders import optimistic_costs, row_means
from jupiter.schedulers.workbench import Workbench


def peft(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the PEFT schedule, with insertion.

    Of the ready tasks always the one with the highest mean optimistic cost is placed next, on the
    node with the least sum of its finish and its optimistic cost.

    Args:
        problem: As for `heft`.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left.

    Cost: as HEFT, and a table of tasks x nodes.
    Source: Arabnejad, Barbosa 2014, doi:10.1109/TPDS.2013.57.
    """
    bench = Workbench(problem)
    t = bench.tables
    costs = bench.rows(t.task_count, t.node_count)
    means = bench.floats(t.task_count)
    scratch = bench.floats(t.node_count)
    bench.call(optimistic_costs, costs, scratch)
    bench.call(row_means, costs, means, scratch)
    bench.place(bench.priority_order(means), FINISH_AND_TAIL, costs)
    return bench.schedule("peft", seed=seed)
