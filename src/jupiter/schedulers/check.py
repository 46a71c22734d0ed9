"""Checks a schedule against its problem; shares no code with the schedulers, on purpose."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule

RELATIVE_TOLERANCE = 1e-9
"""Of the makespan: sums of floats in another order differ by far less, faults by far more."""


def check_schedule(problem: Problem, schedule: Schedule) -> list[str]:
    """Return everything that is wrong with a schedule; nothing where it is valid.

    Checked are: every task once and no other; known nodes that can run their tasks; pins; finite
    times, not before 0; durations; each task after its parents and their transfers, over links
    that exist; no more executions at once than a node has cores (those of 0 s need none); the
    recorded makespan and the recorded finish time of the chosen node.

    Cost: O(tasks log tasks + edges).
    """
    known = [
        each
        for each in schedule.assignments
        if each.task in problem.graph.children and each.node in problem.nodes
    ]
    times = [time_s for each in known for time_s in (each.start_s, each.finish_s)]
    if not all(math.isfinite(time_s) for time_s in times):
        return [*_names(problem, schedule.assignments), "a time is not finite"]
    slack_s = RELATIVE_TOLERANCE * max((abs(time_s) for time_s in times), default=0.0)
    return list(
        chain(
            _names(problem, schedule.assignments),
            _executions(problem, known, slack_s),
            _precedence(problem, known, slack_s),
            _overlaps(problem, known, slack_s),
            _records(schedule, slack_s),
        )
    )


def _names(problem: Problem, assignments: Sequence[Assignment]) -> Iterable[str]:
    counts = Counter(each.task for each in assignments)
    for task in problem.graph.tasks:
        if counts[task] != 1:
            yield f"task {task} is assigned {counts[task]} times"
    for each in assignments:
        if each.task not in problem.graph.children:
            yield f"task {each.task} is unknown"
        if each.node not in problem.nodes:
            yield f"task {each.task} is on the unknown node {each.node}"


def _executions(problem: Problem, known: Sequence[Assignment], slack_s: float) -> Iterable[str]:
    for each in known:
        pin = problem.pinned.get(each.task)
        if pin is not None and each.node != pin:
            yield f"task {each.task} is on {each.node} but pinned to {pin}"
        if each.start_s < -slack_s:
            yield f"task {each.task} starts before 0, at {each.start_s} s"
        needed_s = problem.execution_s.get((each.task, each.node))
        if needed_s is None:
            yield f"task {each.task} cannot run on {each.node}"
        elif abs(each.finish_s - each.start_s - needed_s) > slack_s:
            yield (
                f"task {each.task} takes {each.finish_s - each.start_s} s on {each.node}, "
                f"not {needed_s} s"
            )


def _precedence(problem: Problem, known: Sequence[Assignment], slack_s: float) -> Iterable[str]:
    placed: dict[TaskId, Assignment] = {each.task: each for each in known}
    for edge in problem.graph.edges:
        source, target = placed.get(edge.source), placed.get(edge.target)
        if source is None or target is None:
            continue
        arrive_s = source.finish_s
        if source.node != target.node:
            link = problem.links.get((source.node, target.node))
            if link is None:
                yield (
                    f"edge {edge.source} -> {edge.target} has no link from {source.node} "
                    f"to {target.node}"
                )
                continue
            arrive_s += link.latency_s + link.seconds_per_byte * problem.edge_bytes[edge]
        if target.start_s < arrive_s - slack_s:
            yield (
                f"task {edge.target} starts at {target.start_s} s, before the output of "
                f"{edge.source} arrives at {arrive_s} s"
            )


def _overlaps(problem: Problem, known: Sequence[Assignment], slack_s: float) -> Iterable[str]:
    by_node: dict[NodeId, list[Assignment]] = {}
    for each in known:
        if each.finish_s - each.start_s > slack_s:
            by_node.setdefault(each.node, []).append(each)
    for node, found in by_node.items():
        cores = problem.cores.get(node, 1)
        changes = sorted(
            [(each.start_s, 1, each.task) for each in found]
            + [(each.finish_s - slack_s, -1, each.task) for each in found],
            key=lambda change: change[:2],
        )
        running: dict[TaskId, None] = {}
        for time_s, change, task in changes:
            if change < 0:
                running.pop(task, None)
                continue
            running[task] = None
            if len(running) > cores:
                yield (f"node {node} has {cores} cores but runs {', '.join(running)} at {time_s} s")


def _records(schedule: Schedule, slack_s: float) -> Iterable[str]:
    if schedule.assignments:
        first_s = min(each.start_s for each in schedule.assignments)
        last_s = max(each.finish_s for each in schedule.assignments)
        if not abs(schedule.makespan_s - (last_s - first_s)) <= slack_s:
            yield f"the makespan is {last_s - first_s} s, not {schedule.makespan_s} s"
    for each in schedule.assignments:
        offers = each.finish_by_node_s
        if offers and not abs(offers.get(each.node, math.nan) - each.finish_s) <= slack_s:
            yield f"the compared finish times of task {each.task} do not hold its own"
