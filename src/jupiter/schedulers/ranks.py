"""Upward and downward ranks, critical path and CCR."""

from __future__ import annotations

from math import fsum

from jupiter.model.graph import Edge
from jupiter.model.ids import TaskId
from jupiter.model.problem import Problem
from jupiter.schedulers.indexed import Indexed, index, members

_ANYWHERE = -1


def mean_execution_s(problem: Problem) -> dict[TaskId, float]:
    """Return the mean execution time of every task over the nodes that can run it, in seconds.

    0 where there is no such node.
    """
    return _named(problem, execution_means(index(problem)))


def mean_transfer_s(problem: Problem) -> dict[Edge, float]:
    """Return the mean transfer time of every edge, in seconds.

    The mean is over ordered pairs of *distinct* nodes which a link joins; pairs that no link joins
    are left out. The ends of a pinned task are its node; those of any other are all nodes that
    can run at least one task which is not pinned. Where no such pair is left, the mean is 0: then
    both tasks can only be on one node, or there is no schedule at all.

    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206. Departs: the mean is over transfer
        times, not size over mean bandwidth.
    """
    indexed = index(problem)
    means = transfer_means(indexed)
    tasks = indexed.tasks
    return {
        Edge(tasks[task], tasks[child]): mean_s
        for task, children in enumerate(indexed.children)
        for child, mean_s in zip(children, means[task], strict=True)
    }


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
    indexed = index(problem)
    return _named(problem, upward(indexed, execution_means(indexed), transfer_means(indexed)))


def downward_ranks(problem: Problem) -> dict[TaskId, float]:
    """Return the downward rank of every task, in seconds.

    A task's downward rank is the longest way from an entry task to it, its own execution left
    out.

    Returns, cost and source: as `upward_ranks`.
    """
    indexed = index(problem)
    work_s, transfer_s = execution_means(indexed), transfer_means(indexed)
    ranks = [0.0] * len(indexed.tasks)
    for task in indexed.order:
        done_s = ranks[task] + work_s[task]
        for child, mean_s in zip(indexed.children[task], transfer_s[task], strict=True):
            ranks[child] = max(ranks[child], done_s + mean_s)
    return _named(problem, ranks)


def critical_path(problem: Problem) -> tuple[TaskId, ...]:
    """Return the tasks on one longest way through the graph, by mean times.

    Of equally long ways the one whose tasks come first in written order is taken.
    """
    indexed = index(problem)
    transfer_s = transfer_means(indexed)
    ranks = upward(indexed, execution_means(indexed), transfer_s)
    entries = [task for task, parents in enumerate(indexed.parents) if not parents]
    path: list[int] = []
    if entries:
        path.append(max(entries, key=lambda task: (ranks[task], -task)))
    while path and indexed.children[path[-1]]:
        last = path[-1]
        tails = zip(indexed.children[last], transfer_s[last], strict=True)
        path.append(-max((mean_s + ranks[child], -child) for child, mean_s in tails)[1])
    return tuple(indexed.tasks[task] for task in path)


def ccr(problem: Problem) -> float:
    """Return the communication to computation ratio: mean transfer over mean execution time.

    The mean transfer is over all edges of `mean_transfer_s`, the mean execution over all tasks of
    `mean_execution_s`. 0 without edges or without work.
    """
    indexed = index(problem)
    transfer_s = [mean_s for row in transfer_means(indexed) for mean_s in row]
    work_s = execution_means(indexed)
    total_s = fsum(work_s)
    if not transfer_s or not total_s:
        return 0.0
    return (fsum(transfer_s) / len(transfer_s)) / (total_s / len(work_s))


def rank_order(indexed: Indexed) -> list[int]:
    """Return all tasks by falling upward rank, parents first.

    A parent never ranks below its child, and equal ranks (of tasks without work) keep topological
    order.
    """
    ranks = upward(indexed, execution_means(indexed), transfer_means(indexed))
    return sorted(indexed.order, key=lambda task: -ranks[task])


def execution_means(indexed: Indexed) -> list[float]:
    """Return `mean_execution_s` of an indexed problem.

    Sums are exact before they are rounded, so they are equal on every version of Python.
    """
    means = []
    for row, able in zip(indexed.seconds, indexed.able, strict=True):
        if able.bit_count() < len(row):
            row = [row[node] for node in members(able)]
        means.append(fsum(row) / len(row) if row else 0.0)
    return means


def transfer_means(indexed: Indexed) -> list[list[float]]:
    """Return `mean_transfer_s` of an indexed problem, beside `Indexed.children`."""
    common = 0
    for able, pin in zip(indexed.able, indexed.pin, strict=True):
        if pin == _ANYWHERE:
            common |= able
    pins = indexed.pin
    known: dict[tuple[int, int], tuple[float, float]] = {}
    means = []
    for task, children in enumerate(indexed.children):
        row = []
        for child, size in zip(children, indexed.child_bytes[task], strict=True):
            ends = (pins[task], pins[child])
            if ends not in known:
                known[ends] = _mean_link(
                    indexed, *(common if pin == _ANYWHERE else 1 << pin for pin in ends)
                )
            latency_s, seconds_per_byte = known[ends]
            row.append(latency_s + size * seconds_per_byte)
        means.append(row)
    return means


def upward(indexed: Indexed, work_s: list[float], transfer_s: list[list[float]]) -> list[float]:
    """Return `upward_ranks` of an indexed problem from its mean times."""
    ranks = [0.0] * len(indexed.tasks)
    for task in reversed(indexed.order):
        tail_s = 0.0
        for child, mean_s in zip(indexed.children[task], transfer_s[task], strict=True):
            way_s = mean_s + ranks[child]
            if way_s > tail_s:
                tail_s = way_s
        ranks[task] = work_s[task] + tail_s
    return ranks


def _mean_link(indexed: Indexed, sources: int, targets: int) -> tuple[float, float]:
    """Return the mean latency and seconds per byte from some nodes to others."""
    latencies_s: list[float] = []
    rates: list[float] = []
    for source in members(sources):
        for target in members(targets & indexed.joined[source] & ~(1 << source)):
            latencies_s.append(indexed.latency_s[source][target])
            rates.append(indexed.seconds_per_byte[source][target])
    if not rates:
        return 0.0, 0.0
    return fsum(latencies_s) / len(rates), fsum(rates) / len(rates)


def _named(problem: Problem, values: list[float]) -> dict[TaskId, float]:
    return dict(zip(problem.graph.tasks, values, strict=True))
