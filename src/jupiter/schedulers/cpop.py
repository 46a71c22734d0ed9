"""The critical path on one node, everything else where it finishes first (CPOP)."""

from __future__ import annotations

from math import fsum

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.tables import NOWHERE, UNREACHABLE_S
from jupiter.schedulers.ranks import critical_tasks
from jupiter.schedulers.workbench import Workbench


def cpop(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the CPOP schedule, with insertion.

    The critical path is one longest way by mean times (`ranks.critical_path`); all its tasks go
    to the node that runs them in the least time together. Of the ready tasks always the one with
    the highest sum of upward and downward rank is placed next. A critical task that cannot be on
    the critical node goes where it finishes first.

    Args:
        problem: As for `heft`.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left.

    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206.
    """
    bench = Workbench(problem)
    up, down = bench.upward_ranks(), bench.downward_ranks()
    count = bench.tables.task_count
    priority = bench.maker.floats((up[k] + down[k] for k in range(count)), count)
    wanted = [NOWHERE] * count
    path = critical_tasks(bench, up)
    node = _critical_node(bench, path)
    for task in path:
        wanted[task] = node
    bench.place(bench.priority_order(priority), wanted=wanted)
    return bench.schedule("cpop", seed=seed)


def _critical_node(bench: Workbench, path: list[int]) -> int:
    """Return the node that runs the most tasks of the path, and of such the fastest for them."""

    def cost(node: int) -> tuple[int, float, int]:
        times_s = [bench.execution_s(task, node) for task in path]
        able = [time_s for time_s in times_s if time_s < UNREACHABLE_S]
        return -len(able), fsum(able), node

    return min(range(bench.tables.node_count), key=cost, default=NOWHERE)
