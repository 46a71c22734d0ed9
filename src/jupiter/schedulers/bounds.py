"""Lower bounds that no schedule can beat; pure arithmetic on best cases."""

from __future__ import annotations

from math import fsum

from jupiter.model.problem import Problem
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Tables
from jupiter.schedulers.workbench import Workbench


def makespan_bound_s(problem: Problem) -> float:
    """Return seconds that no schedule of one item can go below.

    The larger of two: the longest way through the graph with every task on its fastest node and
    every edge over its cheapest link (free where both tasks can share a node); and all work, each
    task at its fastest, over all cores of nodes that can do any. Infinite where some task has no
    node. Tasks that have begun do not count; nothing else starts before the release.

    Cost: O(edges x nodes² + tasks x nodes) at worst; pairs of nodes are looked at only for edges
    whose tasks cannot share one.
    """
    best = _BestCases(problem)
    t = best.tables
    done_s = [t.release_s] * t.task_count
    for task in t.order:
        if len(t.begun_s) and t.begun_s[task][1] >= 0:
            done_s[task] = t.begun_s[task][1]
        else:
            done_s[task] += best.fastest_s[task]
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            child = t.child[edge]
            arrive_s = done_s[task] + best.least_s(task, edge, has_latency=True)
            done_s[child] = max(done_s[child], arrive_s)
    if not t.task_count:
        return 0.0
    began_s = min((row[0] for row in t.begun_s if row[1] >= 0), default=t.release_s)
    if len(t.begun_s):
        return max(done_s) - min(began_s, t.release_s)
    return max(max(done_s) - t.release_s, best.work_over_cores_s())


def period_bound_s(problem: Problem) -> float:
    """Return seconds an item that no stream through one mapping can go below.

    The largest of three loads, each in its best case: all work over all cores; the one task that
    is slowest on its fastest node, over the cores of that node; and the one edge that must cross a
    link and keeps it busy longest (a link sends one item after the other, latency not counted).
    Schedules that share a task among replicas can go below the last two.

    Cost: as `makespan_bound_s`.
    """
    best = _BestCases(problem)
    t = best.tables
    shares_s = [
        min(
            (
                seconds / (t.lane_first[node + 1] - t.lane_first[node])
                for node, seconds in enumerate(row)
            ),
            default=0.0,
        )
        for row in best.rows
    ]
    crossings_s = [
        best.least_s(task, edge, has_latency=False)
        for task in range(t.task_count)
        for edge in range(t.child_first[task], t.child_first[task + 1])
    ]
    return max(
        best.work_over_cores_s(),
        max(shares_s, default=0.0),
        max(crossings_s, default=0.0),
    )


class _BestCases:
    """What tasks and edges need at least."""

    def __init__(self, problem: Problem) -> None:
        bench = Workbench(problem, is_compiled=False, is_checked=False)
        self._problem = problem
        self._nodes = bench.nodes
        self.tables: Tables = bench.tables
        t = self.tables
        self.rows = t.seconds
        if t.is_related:
            self.rows = [
                [
                    work_s / speed if t.pin[task] in (-1, node) else UNREACHABLE_S
                    for node, speed in enumerate(t.speed)
                ]
                for task, work_s in enumerate(t.work_s)
            ]
        self.fastest_s = [min(row, default=0.0) for row in self.rows]
        self._able = [
            frozenset(node for node, seconds in enumerate(row) if seconds < UNREACHABLE_S)
            for row in self.rows
        ]

    def work_over_cores_s(self) -> float:
        """Return all work at its fastest over all cores of nodes that can do any."""
        t = self.tables
        used: set[int] = set()
        for able, seconds in zip(self._able, self.fastest_s, strict=True):
            if seconds > 0:
                used |= able
        cores = sum(t.lane_first[node + 1] - t.lane_first[node] for node in used)
        return fsum(self.fastest_s) / cores if cores else 0.0

    def least_s(self, task: int, edge: int, *, has_latency: bool) -> float:
        """Return the least seconds of a leaving edge, wherever its ends are.

        Without `has_latency` only the time counts for which the link is busy.
        """
        t = self.tables
        sources, targets = self._able[task], self._able[t.child[edge]]
        if sources & targets:
            return 0.0
        size = t.child_bytes[edge]
        links = self._problem.links
        models = (links.get((self._nodes[n], self._nodes[m])) for n in sources for m in targets)
        times = (
            (model.transfer_s(size) if has_latency else model.busy_s(size))
            for model in models
            if model is not None
        )
        return min(times, default=UNREACHABLE_S)
