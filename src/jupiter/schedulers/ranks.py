"""Upward and downward ranks, critical path and CCR."""

from __future__ import annotations

from math import fsum

from jupiter.model.graph import Edge
from jupiter.model.ids import TaskId
from jupiter.model.problem import Problem
from jupiter.schedulers.kernels.tables import Floats
from jupiter.schedulers.workbench import Workbench


def mean_execution_s(problem: Problem) -> dict[TaskId, float]:
    """Return the mean execution time of every task over the nodes that can run it, in seconds.

    0 where there is no such node.
    """
    return _named(problem, _bench(problem).tables.mean_execution_s)


def mean_transfer_s(problem: Problem) -> dict[Edge, float]:
    """Return the mean transfer time of every edge, in seconds.

    The mean is over ordered pairs of *distinct* nodes which a link joins; pairs that no link joins
    are left out. The ends of a pinned task are its node; those of any other are all nodes that
    can run at least one task which is not pinned. Where no such pair is left, the mean is 0: then
    both tasks can only be on one node, or there is no schedule at all.

    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206. Departs: the mean is over transfer
        times, not size over mean bandwidth.
    """
    means = _bench(problem).tables.mean_transfer_s
    return dict(zip(problem.graph.edges, means, strict=True))


def upward_ranks(problem: Problem) -> dict[TaskId, float]:
    """Return the upward rank of every task, in seconds.

    A task's upward rank is the longest way from it to an exit task, counting mean execution and
    mean transfer times, its own execution included.

    Returns:
        Rank by task, in written order.

    Cost: O(nodes² + edges + tasks x nodes); no recursion, so long chains are no danger.
    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206. Means as `mean_execution_s` and
        `mean_transfer_s` say.
    """
    return _named(problem, _bench(problem).upward_ranks())


def downward_ranks(problem: Problem) -> dict[TaskId, float]:
    """Return the downward rank of every task, in seconds.

    A task's downward rank is the longest way from an entry task to it, its own execution left
    out.

    Returns, cost and source: as `upward_ranks`.
    """
    return _named(problem, _bench(problem).downward_ranks())


def critical_path(problem: Problem) -> tuple[TaskId, ...]:
    """Return the tasks on one longest way through the graph, by mean times.

    Of equally long ways the one whose tasks come first in written order is taken.
    """
    bench = _bench(problem)
    return tuple(bench.tasks[task] for task in critical_tasks(bench, bench.upward_ranks()))


def critical_tasks(bench: Workbench, ranks: Floats) -> list[int]:
    """Return `critical_path` as numbers.

    Args:
        bench: The problem.
        ranks: Upward ranks.
    """
    t = bench.tables
    entries = [k for k in range(t.task_count) if t.parent_first[k] == t.parent_first[k + 1]]
    path: list[int] = []
    if entries:
        path.append(max(entries, key=lambda task: (ranks[task], -task)))
    while path:
        last = path[-1]
        tails = [
            (t.mean_transfer_s[edge] + ranks[t.child[edge]], -int(t.child[edge]))
            for edge in range(int(t.child_first[last]), int(t.child_first[last + 1]))
        ]
        if not tails:
            break
        path.append(-max(tails)[1])
    return path


def ccr(problem: Problem) -> float:
    """Return the communication to computation ratio: mean transfer over mean execution time.

    The mean transfer is over all edges of `mean_transfer_s`, the mean execution over all tasks of
    `mean_execution_s`. 0 without edges or without work.
    """
    tables = _bench(problem).tables
    total_s = fsum(tables.mean_execution_s)
    if not len(tables.mean_transfer_s) or not total_s:
        return 0.0
    transfer_s = fsum(tables.mean_transfer_s) / len(tables.mean_transfer_s)
    return transfer_s / (total_s / len(tables.mean_execution_s))


def _bench(problem: Problem) -> Workbench:
    return Workbench(problem, is_compiled=False, is_checked=False)


def _named(problem: Problem, values: Floats) -> dict[TaskId, float]:
    return dict(zip(problem.graph.tasks, values, strict=True))
