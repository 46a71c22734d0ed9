"""HEFT that runs a parent twice where that is quicker than sending its output."""

from __future__ import annotations

from collections import defaultdict

from jupiter.model.graph import Edge
from jupiter.model.ids import TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.kernels.duplicate import new_copies, place_with_copies
from jupiter.schedulers.workbench import Workbench

_ROUNDING = 1 + 1e-12


def heft_duplication(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule of HEFT with duplication.

    Tasks come in the order of HEFT. On each node the parent whose output would arrive last may be
    run again, in an idle gap, if the task can then start earlier; the best node with or without
    such a copy wins. Copies are assignments like all others: they take time, memory and a place on
    their node, and are in the schedule that is deployed. (The seeds planned with copies that they
    never deployed.) A copy that no child needs in the end is left out.

    Args:
        problem: As for `heft`. Links must join the nodes: dead ends are not looked for.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left.

    Source: after the duplication pass of the seeds' HEFT; compare Topcuoglu, Hariri, Wu 2002,
        doi:10.1109/71.993206, and Ahmad, Kwok 1998, doi:10.1109/71.707542.
    """
    bench = Workbench(problem, effort=4)
    unique = [int(task in problem.unique) for task in bench.tasks]
    copies = new_copies(bench.tables, bench.maker, unique)
    if not bench.run(place_with_copies, copies, bench.rank_order()):
        bench.refuse()
    extra = [
        Assignment(
            bench.tasks[copies.task[k]],
            bench.nodes[copies.node[k]],
            float(copies.start_s[k]),
            float(copies.finish_s[copies.task[k]][copies.node[k]]),
        )
        for k in range(int(copies.count_of[0]))
    ]
    plain = bench.schedule("heft-duplication", seed=seed).assignments
    kept = (*plain, *_needed(problem, plain, extra))
    return bench.made(
        "heft-duplication",
        tuple(sorted(kept, key=lambda each: each.start_s)),
        seed=seed,
        replicas="each",
    )


def _needed(
    problem: Problem, plain: tuple[Assignment, ...], extra: list[Assignment]
) -> list[Assignment]:
    """Return the copies without which some task could not start when it does."""
    copies: dict[TaskId, list[Assignment]] = defaultdict(list)
    for copy in extra:
        copies[copy.task].append(copy)
    first = {each.task: each for each in plain}
    kept: dict[Assignment, None] = {}
    open_ = list(plain)
    while open_:
        target = open_.pop()
        for parent in problem.graph.parents[target.task]:
            found = [first[parent], *copies[parent]]
            arrivals = [_arrive_s(problem, each, target) for each in found]
            if arrivals[0] <= target.start_s * _ROUNDING:
                continue
            copy = found[arrivals.index(min(arrivals))]
            if copy not in kept:
                kept[copy] = None
                open_.append(copy)
    return [copy for copy in extra if copy in kept]


def _arrive_s(problem: Problem, source: Assignment, target: Assignment) -> float:
    edge = Edge(source.task, target.task)
    transfer_s = problem.transfer_s(edge, source.node, target.node)
    return float("inf") if transfer_s is None else source.finish_s + transfer_s
