"""Checks a schedule against its problem; shares no code with the schedulers, on purpose."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule

RELATIVE_TOLERANCE = 1e-9
"""Of the makespan: sums of floats in another order differ by far less, faults by far more."""


def check_schedule(problem: Problem, schedule: Schedule) -> list[str]:
    """Return everything that is wrong with a schedule; nothing where it is valid.

    Checked are: every task once (or its replicas on different nodes) and no other; known nodes
    that can run their tasks and are not forbidden; pins; finite times, not before the release;
    durations; tasks that had begun are where and when they were; each task after its parents and
    their transfers, over links that exist (of replicas that all run, after one; of replicas that
    take turns, after all); no more executions at once than a node has cores (those of 0 s need
    none); memory and number of tasks of every node; the recorded makespan and period.

    Cost: O(tasks log tasks + edges).
    """
    known = [
        each
        for each in schedule.assignments
        if each.task in problem.graph.children and each.node in problem.nodes
    ]
    times = [time_s for each in known for time_s in (each.start_s, each.finish_s)]
    if not all(math.isfinite(time_s) for time_s in times):
        return [*_names(problem, schedule), "a time is not finite"]
    slack_s = RELATIVE_TOLERANCE * max((abs(time_s) for time_s in times), default=0.0)
    placed: dict[TaskId, list[Assignment]] = defaultdict(list)
    for each in known:
        placed[each.task].append(each)
    return list(
        chain(
            _names(problem, schedule),
            _executions(problem, known, slack_s),
            _precedence(problem, schedule, placed, slack_s),
            _overlaps(problem, known, slack_s),
            _limits(problem, known),
            _records(problem, schedule, placed, slack_s),
        )
    )


def _names(problem: Problem, schedule: Schedule) -> Iterable[str]:
    nodes_of: dict[TaskId, list[NodeId]] = defaultdict(list)
    for each in schedule.assignments:
        nodes_of[each.task].append(each.node)
    for task in problem.graph.tasks:
        nodes = nodes_of[task]
        if not nodes or (len(nodes) > 1 and schedule.replicas == "none"):
            yield f"task {task} is assigned {len(nodes)} times"
        elif len(nodes) > 1 and task in problem.unique:
            yield f"task {task} must not be replicated, but is on {', '.join(nodes)}"
        elif len(set(nodes)) != len(nodes):
            yield f"task {task} has two replicas on one node"
    for each in schedule.assignments:
        if each.task not in problem.graph.children:
            yield f"task {each.task} is unknown"
        if each.node not in problem.nodes:
            yield f"task {each.task} is on the unknown node {each.node}"


def _needed_s(problem: Problem, task: TaskId, node: NodeId) -> float | None:
    """Return the seconds of a task on a node, by the words of `Problem`."""
    if (task, node) in problem.execution_s:
        return problem.execution_s[task, node]
    if task in problem.work_s:
        return problem.work_s[task] / problem.speed.get(node, 1.0)
    return None


def _executions(problem: Problem, known: Sequence[Assignment], slack_s: float) -> Iterable[str]:
    for each in known:
        begun = problem.begun.get(each.task)
        if begun is not None:
            if (each.node, each.start_s, each.finish_s) != (
                begun.node,
                begun.start_s,
                begun.finish_s,
            ):
                yield f"task {each.task} had begun on {begun.node} at {begun.start_s} s"
            continue
        pin = problem.pinned.get(each.task)
        if pin is not None and each.node != pin:
            yield f"task {each.task} is on {each.node} but pinned to {pin}"
        if each.node in problem.forbidden.get(each.task, ()):
            yield f"task {each.task} is on {each.node}, which is forbidden for it"
        if each.start_s < problem.release_s - slack_s:
            yield f"task {each.task} starts before {problem.release_s:g}, at {each.start_s} s"
        needed_s = _needed_s(problem, each.task, each.node)
        if needed_s is None:
            yield f"task {each.task} cannot run on {each.node}"
        elif abs(each.finish_s - each.start_s - needed_s) > slack_s:
            yield (
                f"task {each.task} takes {each.finish_s - each.start_s} s on {each.node}, "
                f"not {needed_s} s"
            )


def _precedence(
    problem: Problem,
    schedule: Schedule,
    placed: Mapping[TaskId, Sequence[Assignment]],
    slack_s: float,
) -> Iterable[str]:
    decisive = max if schedule.replicas == "shared" else min
    for parent, children in problem.graph.children.items():
        for child in children:
            size = problem.edge_bytes.get(Edge(parent, child), 0.0)
            for target in placed.get(child, ()):
                if target.task in problem.begun:
                    continue
                sources = placed.get(parent, ())
                arrivals = [_arrive_s(problem, source, target, size) for source in sources]
                if not arrivals:
                    continue
                arrive_s = decisive(arrivals)
                if math.isinf(arrive_s):
                    nodes = ", ".join(source.node for source in sources)
                    yield f"edge {parent} -> {child} has no link from {nodes} to {target.node}"
                elif target.start_s < arrive_s - slack_s:
                    yield (
                        f"task {child} starts at {target.start_s} s, before the output of "
                        f"{parent} arrives at {arrive_s} s"
                    )


def _arrive_s(problem: Problem, source: Assignment, target: Assignment, size: float) -> float:
    if source.node == target.node:
        return source.finish_s
    link = problem.links.get((source.node, target.node))
    return math.inf if link is None else source.finish_s + link.transfer_s(size)


def _overlaps(problem: Problem, known: Sequence[Assignment], slack_s: float) -> Iterable[str]:
    by_node: dict[NodeId, list[Assignment]] = defaultdict(list)
    for each in known:
        if each.finish_s - each.start_s > slack_s:
            by_node[each.node].append(each)
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
            if len(running) > cores and not all(each in problem.begun for each in running):
                yield f"node {node} has {cores} cores but runs {', '.join(running)} at {time_s} s"


def _limits(problem: Problem, known: Sequence[Assignment]) -> Iterable[str]:
    tasks: dict[NodeId, int] = defaultdict(int)
    used_bytes: dict[NodeId, float] = defaultdict(float)
    for each in known:
        tasks[each.node] += 1
        used_bytes[each.node] += problem.memory_bytes.get(each.task, 0.0)
    for node, count in tasks.items():
        if count > problem.tasks_max.get(node, count):
            yield f"node {node} has {count} tasks but may have {problem.tasks_max[node]}"
    for node, size in used_bytes.items():
        room = problem.node_memory_bytes.get(node, math.inf)
        if size > room * (1 + RELATIVE_TOLERANCE):
            yield f"node {node} has {room:.0f} bytes of memory but its tasks need {size:.0f}"


def _records(
    problem: Problem,
    schedule: Schedule,
    placed: Mapping[TaskId, Sequence[Assignment]],
    slack_s: float,
) -> Iterable[str]:
    if schedule.assignments:
        first_s = min(each.start_s for each in schedule.assignments)
        last_s = max(each.finish_s for each in schedule.assignments)
        if not abs(schedule.makespan_s - (last_s - first_s)) <= slack_s:
            yield f"the makespan is {last_s - first_s} s, not {schedule.makespan_s} s"
    recorded = schedule.facts.get("period_s")
    if recorded is not None:
        found_s = _period_s(problem, schedule, placed)
        if not abs(found_s - float(recorded)) <= RELATIVE_TOLERANCE * max(found_s, 1e-300):
            yield f"the period is {found_s} s, not {recorded} s"


def _period_s(
    problem: Problem, schedule: Schedule, placed: Mapping[TaskId, Sequence[Assignment]]
) -> float:
    """Return the load that one item puts on the busiest node (a core of it) or link."""
    load: dict[object, float] = defaultdict(float)
    share = {
        task: 1.0 / len(found) if schedule.replicas == "shared" else 1.0
        for task, found in placed.items()
    }
    for task, found in placed.items():
        for each in found:
            seconds = (each.finish_s - each.start_s) * share[task]
            load[each.node] += seconds / problem.cores.get(each.node, 1)
    for parent, children in problem.graph.children.items():
        for child in children:
            size = problem.edge_bytes.get(Edge(parent, child), 0.0)
            for target in placed.get(child, ()):
                sources = placed.get(parent, ())
                part = share.get(parent, 1.0) * share[child]
                if schedule.replicas != "shared" and len(sources) > 1:
                    sources = [min(sources, key=lambda s: _arrive_s(problem, s, target, size))]
                for source in sources:
                    link = problem.links.get((source.node, target.node))
                    if source.node != target.node and link is not None:
                        load[source.node, target.node] += link.busy_s(size) * part
    return max(load.values(), default=0.0)
