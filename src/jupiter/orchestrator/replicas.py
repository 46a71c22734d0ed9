"""Puts replicas into an application, so that everything that runs or draws it just sees tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from jupiter.errors import SchedulingError
from jupiter.kit.names import fold
from jupiter.model.app import Application
from jupiter.model.graph import Edge
from jupiter.model.ids import SINK, NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule


@dataclass(frozen=True)
class Deployment:
    """An application whose tasks are the replicas of a schedule, each on one node.

    Attributes:
        app: With a task for every replica that is needed.
        schedule: With one assignment for each of them.
        execution_s: Of the problem, replicas included.
        edge_bytes: As above.
    """

    app: Application
    schedule: Schedule
    execution_s: Mapping[tuple[TaskId, NodeId], float]
    edge_bytes: Mapping[Edge, float]


def deploy(app: Application, problem: Problem, schedule: Schedule) -> Deployment:
    """Return an application in which every replica is a task of its own.

    A replica gets the inputs that its task would get, and hands its outputs to those replicas of
    the children that they reach first. A replica that nobody takes outputs from is left out.

    Args:
        app: As its author wrote it.
        problem: What was placed; costs are known for all of its tasks.
        schedule: Valid for it.

    Raises:
        SchedulingError: The replicas take turns, which streams cannot do yet.
    """
    if schedule.replicas == "none":
        return Deployment(app, schedule, problem.execution_s, problem.edge_bytes)
    if schedule.replicas == "shared":
        raise SchedulingError(
            f"the schedule of {schedule.scheduler} has replicas that take turns; they are planned "
            "and compared, but cannot be streamed through yet"
        )
    names = _names(app, schedule)
    feeds = _feeds(problem, schedule)
    tasks = []
    for task in app.tasks:
        for placed in (each for each in schedule.assignments if each.task == task.name):
            if placed not in feeds:
                continue
            children = tuple(
                names[child] for wanted in task.children for child in feeds[placed]
                if child.task == wanted
            )  # fmt: skip
            is_first = names[placed] == task.name
            known = (*children, *(c for c in task.children if c not in app.by_name))
            tasks.append(
                replace(
                    task,
                    name=names[placed],
                    children=known,
                    is_sink=task.is_sink and is_first,
                )
            )
    kept = [each for each in schedule.assignments if each in feeds or each.task not in app.by_name]
    return Deployment(
        app=replace(app, tasks=tuple(tasks)),
        schedule=replace(
            schedule,
            assignments=tuple(
                msgspec.structs.replace(each, task=names.get(each, each.task)) for each in kept
            ),
        ),
        execution_s=_executions(problem, names),
        edge_bytes=_sizes(problem, names, feeds),
    )


def _names(app: Application, schedule: Schedule) -> dict[Assignment, TaskId]:
    """Return a name for every replica: the task's for the first, then with a number."""
    taken = {fold(task.name) for task in app.tasks}
    names: dict[Assignment, TaskId] = {}
    seen: set[TaskId] = set()
    for each in schedule.assignments:
        if each.task not in app.by_name:
            continue
        name, number = each.task, 2
        while each.task in seen and fold(name) in taken:
            name, number = TaskId(f"{each.task}+{number}"), number + 1
        seen.add(each.task)
        taken.add(fold(name))
        names[each] = name
    return names


def _feeds(problem: Problem, schedule: Schedule) -> dict[Assignment, list[Assignment]]:
    """Return, for every replica that is needed, the replicas that take its outputs."""
    found: dict[TaskId, list[Assignment]] = defaultdict(list)
    for each in schedule.assignments:
        found[each.task].append(each)
    graph = problem.graph
    feeds: dict[Assignment, list[Assignment]] = {}
    ends = [
        task for task in graph.tasks if SINK in graph.children[task] or not graph.children[task]
    ]
    open_ = [found[task][0] for task in ends]
    for each in open_:
        feeds[each] = []
    while open_:
        target = open_.pop()
        for parent in graph.parents[target.task]:
            edge = Edge(parent, target.task)
            arrivals: list[tuple[float, int, Assignment]] = []
            for source in found[parent]:
                transfer_s = problem.transfer_s(edge, source.node, target.node)
                if transfer_s is not None:
                    arrivals.append((source.finish_s + transfer_s, len(arrivals), source))
            source = min(arrivals)[2]
            if source not in feeds:
                feeds[source] = []
                open_.append(source)
            feeds[source].append(target)
    return feeds


def _executions(
    problem: Problem, names: Mapping[Assignment, TaskId]
) -> dict[tuple[TaskId, NodeId], float]:
    made = dict(problem.execution_s)
    for each, name in names.items():
        made[name, each.node] = problem.execution_s[each.task, each.node]
    return made


def _sizes(
    problem: Problem,
    names: Mapping[Assignment, TaskId],
    feeds: Mapping[Assignment, list[Assignment]],
) -> dict[Edge, float]:
    made = dict(problem.edge_bytes)
    for source, targets in feeds.items():
        for target in targets:
            edge = Edge(names.get(source, source.task), names.get(target, target.task))
            made[edge] = problem.size_bytes(Edge(source.task, target.task))
    return made
