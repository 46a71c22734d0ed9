"""Best imaginary level: what a task is worth on a node if all that follows goes well (BIL)."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.levels import imaginary_levels, place_by_imaginary_makespan
from jupiter.schedulers.workbench import Workbench


def bil(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the BIL schedule.

    The imaginary makespan of a ready task on a node is its start there plus its best imaginary
    level. With k tasks ready, the task whose k-th least imaginary makespan is the highest comes
    next; it goes to the node with the least one, execution times counting more where more tasks
    are ready than there are nodes.

    Args, errors: as for `heft`.
    Source: Oh, Ha 1996, doi:10.1007/BFb0024750. Departs: starts are found with insertion.
    """
    bench = Workbench(problem, effort=8)
    t = bench.tables
    levels = bench.rows(t.task_count, t.node_count)
    bench.call(imaginary_levels, levels, bench.floats(t.node_count))
    columns = bench.maker.zeros(t.task_count), bench.maker.zeros(t.task_count)
    rows = bench.floats(t.node_count), bench.floats(t.node_count)
    if not bench.run(place_by_imaginary_makespan, levels, *columns, *rows):
        bench.refuse()
    return bench.schedule("bil", seed=seed)
