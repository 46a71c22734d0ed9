"""HEFT that spreads tasks over nodes by what the nodes can do."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, fsum

from jupiter.model.ids import NodeId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.workbench import Workbench


def heft_balanced(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the HEFT schedule in which no node gets more tasks than its share.

    The share of a node is that of all tasks which corresponds to its cores and speed, rounded up;
    the speed is the number of tasks that it could run in a second. Limits of the problem that are
    tighter stay. (The seeds took a constant, although they meant the power of the node.)

    Args:
        problem: As for `heft`.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left; with nodes that run only some tasks that can
            happen although there is a schedule.

    Source: the seeds' modified HEFT; Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206.
    """
    limits = {
        node: min(share, problem.tasks_max.get(node, share))
        for node, share in _shares(problem).items()
    }
    bench = Workbench(replace(problem, tasks_max=limits))
    bench.place(bench.rank_order())
    return bench.schedule("heft-balanced", seed=seed)


def _shares(problem: Problem) -> dict[NodeId, int]:
    """Return the tasks that each node may have; pinned tasks come on top."""
    power: dict[NodeId, float] = {}
    fixed = {**problem.pinned, **{task: each.node for task, each in problem.begun.items()}}
    free = [task for task in problem.graph.tasks if task not in fixed]
    for node in problem.nodes:
        times_s = [problem.seconds(task, node) for task in free]
        known = [time_s for time_s in times_s if time_s is not None]
        cores = problem.cores.get(node, 1)
        # A node that takes no time has no limit to its speed; any large number does.
        power[node] = cores * len(known) / max(fsum(known), 1e-9)
    total = fsum(power.values()) or 1.0
    at = list(fixed.values())
    return {node: ceil(len(free) * power[node] / total) + at.count(node) for node in problem.nodes}
