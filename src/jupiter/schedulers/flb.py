"""Fast load balancing: each task where its last input comes from, or where it is idle first."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.balancing import place_by_load
from jupiter.schedulers.kernels.orders import static_levels
from jupiter.schedulers.workbench import Workbench


def flb(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the FLB schedule.

    Two candidates are compared at each step. The first is the ready task that can start earliest
    on the node which its last input comes from (its enabling node), among the tasks whose last
    input arrives after that node is idle. The second is, among the other ready tasks, the one
    whose inputs are there first, on the node where it can start first. The earlier start wins; of
    equal ones the second candidate, as nothing has to be waited for. Equal tasks: the higher static
    level.

    Args:
        problem: As for `heft`.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left.

    Source: Rădulescu, van Gemund 2000, doi:10.1109/HCW.2000.843756 (FCP and FLB). Departs: times
        are those of the real nodes and links, which may differ.
    """
    bench = Workbench(problem, effort=4)
    t = bench.tables
    levels = bench.floats(t.task_count)
    bench.call(static_levels, levels)
    columns = bench.maker.zeros(t.task_count), bench.maker.zeros(t.task_count)
    if not bench.run(place_by_load, levels, *columns):
        bench.refuse()
    return bench.schedule("flb", seed=seed)
