"""Everything on the node that needs the least time for all of it, one core or many."""

from __future__ import annotations

from math import fsum

from jupiter.errors import SchedulingError
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.tables import UNREACHABLE_S
from jupiter.schedulers.workbench import Workbench


def fastest_node(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule on the node with the least sum of execution times.

    Pinned tasks stay where they are pinned. `single_node` tries all nodes and is never worse.

    Args:
        problem: As for `heft`.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: No node can run all tasks, or not reach the pinned ones.
    """
    bench = Workbench(problem)
    t = bench.tables
    free = [task for task in range(t.task_count) if t.pin[task] < 0]
    sums_s = [fsum(bench.execution_s(task, node) for task in free) for node in range(t.node_count)]
    node = sums_s.index(min(sums_s)) if sums_s else 0
    if free and sums_s[node] == UNREACHABLE_S:
        raise SchedulingError("no single node can run all tasks")
    bench.place_where_told(bench.rank_order(), [node if pin < 0 else int(pin) for pin in t.pin])
    return bench.schedule("fastest-node", seed=seed)
