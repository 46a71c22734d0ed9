"""Says in plain text why a task is on its node."""

from __future__ import annotations

from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest
from jupiter.kit.units import show_seconds
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule


def explain(problem: Problem, schedule: Schedule, task: TaskId) -> str:
    """Return what every node offered for a task and why the winner won, one row a node.

    Nodes are listed by finish time, then those that could not take the task, each with the reason.

    Args:
        problem: What was placed.
        schedule: Valid for it.
        task: One of its tasks.

    Raises:
        InputError: The schedule has no such task.
    """
    placed = {each.task: each for each in schedule.assignments}
    if task not in placed:
        near = nearest(task, placed)
        remedy = f"did you mean {near}?" if near else "name a task of the application"
        raise InputError(Fault("the schedule has no such task", got=task, remedy=remedy))
    mine = placed[task]
    title = (
        f"{task} on {mine.node}: starts at {show_seconds(mine.start_s)}, "
        f"finishes at {show_seconds(mine.finish_s)}"
    )
    if mine.reason:
        title += f" ({mine.reason})"
    offers = mine.finish_by_node_s or {mine.node: mine.finish_s}
    ranked = sorted(offers, key=lambda node: (node != mine.node, offers[node]))
    rows = [
        (node, show_seconds(offers[node]), _against(mine, offers[node], node)) for node in ranked
    ]
    rows += [
        (node, "-", _why_not(problem, placed, mine, node))
        for node in problem.nodes
        if node not in offers
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    lines = [f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]}" for row in rows]
    return "\n".join([title, *lines])


def _against(mine: Assignment, finish_s: float, node: NodeId) -> str:
    if node == mine.node:
        return "chosen"
    gap_s = finish_s - mine.finish_s
    return f"{show_seconds(gap_s)} later" if gap_s > 0 else "as early, but listed later"


def _why_not(
    problem: Problem, placed: dict[TaskId, Assignment], mine: Assignment, node: NodeId
) -> str:
    pin = problem.pinned.get(mine.task)
    if pin is not None and node != pin:
        return f"the task is pinned to {pin}"
    if (mine.task, node) not in problem.execution_s:
        return "cannot run it"
    for parent in problem.graph.parents[mine.task]:
        source = placed[parent].node
        if problem.transfer_s(Edge(parent, mine.task), source, node) is None:
            return f"no link from {source}, where {parent} is"
    if not mine.finish_by_node_s:
        return "not compared"
    return "a later task could not be reached from there"
