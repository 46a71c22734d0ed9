"""Lower bounds that no schedule can beat; pure arithmetic on best cases."""

from __future__ import annotations

from math import fsum

from jupiter.model.problem import Problem
from jupiter.schedulers.indexed import UNREACHABLE_S, Indexed, index, members


def makespan_bound_s(problem: Problem) -> float:
    """Return seconds that no schedule of one item can go below.

    The larger of two: the longest way through the graph with every task on its fastest node and
    every edge over its cheapest link (free where both tasks can share a node); and all work, each
    task at its fastest, over all cores of nodes that can do any. Infinite where some task has no
    node.

    Cost: O(edges x nodes² + tasks x nodes) at worst; pairs of nodes are looked at only for edges
    whose tasks cannot share one.
    """
    indexed = index(problem)
    fastest_s = [min(row, default=0.0) for row in indexed.seconds]
    done_s = [0.0] * len(fastest_s)
    for task in indexed.order:
        done_s[task] += fastest_s[task]
        for child, size in zip(indexed.children[task], indexed.child_bytes[task], strict=True):
            arrive_s = done_s[task] + _least_s(indexed, task, child, size=size, latency=True)
            done_s[child] = max(done_s[child], arrive_s)
    return max(max(done_s, default=0.0), _work_over_cores_s(indexed, fastest_s))


def period_bound_s(problem: Problem) -> float:
    """Return seconds an item that no stream through one mapping can go below.

    The largest of three loads, each in its best case: all work over all cores; the one task that
    is slowest on its fastest node, over the cores of that node; and the one edge that must cross a
    link and keeps it busy longest (a link sends one item after the other, latency not counted).

    Cost: as `makespan_bound_s`.
    """
    indexed = index(problem)
    fastest_s = [min(row, default=0.0) for row in indexed.seconds]
    shares_s = [
        min((row[node] / indexed.cores[node] for node in range(len(row))), default=0.0)
        for row in indexed.seconds
    ]
    crossings_s = [
        _least_s(indexed, task, child, size=size, latency=False)
        for task in indexed.order
        for child, size in zip(indexed.children[task], indexed.child_bytes[task], strict=True)
    ]
    return max(
        _work_over_cores_s(indexed, fastest_s),
        max(shares_s, default=0.0),
        max(crossings_s, default=0.0),
    )


def _work_over_cores_s(indexed: Indexed, fastest_s: list[float]) -> float:
    used = 0
    for able, seconds in zip(indexed.able, fastest_s, strict=True):
        if seconds > 0:
            used |= able
    cores = sum(indexed.cores[node] for node in members(used))
    return fsum(fastest_s) / cores if cores else 0.0


def _least_s(indexed: Indexed, source: int, target: int, *, size: float, latency: bool) -> float:
    """Return the least seconds of a transfer between two tasks, wherever they are.

    Without `latency` only the time counts for which the link is busy.
    """
    able = indexed.able[target]
    if indexed.able[source] & able:
        return 0.0
    return min(
        (
            indexed.latency_s[n][m] * latency + size * indexed.seconds_per_byte[n][m]
            for n in members(indexed.able[source])
            for m in members(able & indexed.joined[n])
        ),
        default=UNREACHABLE_S,
    )
