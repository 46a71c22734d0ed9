"""Says in plain text why a task is on its node, by deciding again up to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest
from jupiter.kit.units import show_seconds
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.kernels.domains import narrow, settle
from jupiter.schedulers.kernels.state import finish_row, put, reset
from jupiter.schedulers.kernels.tables import UNREACHABLE_S
from jupiter.schedulers.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Offer:
    """What one node offered for a task.

    Attributes:
        finish_s: When the task would have been done there; infinite where it cannot be.
        remark: What people want to know of it.
    """

    node: NodeId
    finish_s: float
    remark: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a task is on its node.

    Attributes:
        assignment: Of the task, with the reason filled in.
        offers: The chosen node first, then by finish time, then those that could not take it.
    """

    assignment: Assignment
    offers: tuple[Offer, ...]

    def __str__(self) -> str:
        mine = self.assignment
        title = (
            f"{mine.task} on {mine.node}: starts at {show_seconds(mine.start_s)}, "
            f"finishes at {show_seconds(mine.finish_s)} ({mine.reason})"
        )
        rows = [(each.node, _time(each.finish_s), each.remark) for each in self.offers]
        widths = [max(len(row[k]) for row in rows) for k in range(2)]
        lines = [f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]}" for row in rows]
        return "\n".join([title, *lines])


def _time(finish_s: float) -> str:
    return show_seconds(finish_s) if finish_s < UNREACHABLE_S else "-"


class Explainer:
    """Explains the tasks of one schedule.

    Offers are computed anew: everything that was decided before the task is put where the schedule
    has it, then each node is asked when it could finish the task. For schedulers that decide task
    by task these are the offers that they saw.

    Args:
        problem: What was placed.
        schedule: Valid for it, without replicas before the task.
    """

    def __init__(self, problem: Problem, schedule: Schedule) -> None:
        self._problem, self._schedule = problem, schedule
        self._bench = Workbench(problem, is_compiled=False)
        self._first = {each.task: each for each in reversed(schedule.assignments)}

    def explain(self, task: TaskId) -> Explanation:
        """Return what every node offered for a task and why the winner won.

        Raises:
            InputError: The schedule has no such task.
        """
        if task not in self._first:
            near = nearest(task, self._first)
            remedy = f"did you mean {near}?" if near else "name a task of the application"
            raise InputError(Fault("the schedule has no such task", got=task, remedy=remedy))
        return next(each for each in self.all() if each.assignment.task == task)

    def all(self) -> Iterator[Explanation]:
        """Yield the explanation of every task, in the order in which they were decided."""
        bench = self._bench
        number = {task: k for k, task in enumerate(bench.tasks)}
        at = {node: n for n, node in enumerate(bench.nodes)}
        bench.run(reset)
        bench.run(narrow)
        for task, mine in reversed(self._first.items()):
            bench.run(finish_row, number[task])
            offers = dict(zip(bench.nodes, bench.state.end_s, strict=True))
            if bench.state.node[number[task]] < 0:
                bench.run(settle, number[task], at[mine.node])
                bench.run(put, number[task], at[mine.node], mine.start_s, mine.finish_s)
            yield self._explained(mine, offers)

    def _explained(self, mine: Assignment, finishes: Mapping[NodeId, float]) -> Explanation:
        nodes = self._bench.nodes
        ranked = sorted(
            (node for node in nodes if finishes[node] < UNREACHABLE_S),
            key=lambda node: (node != mine.node, finishes[node]),
        )
        offers = [Offer(n, finishes[n], self._against(mine, finishes, n)) for n in ranked]
        offers += [
            Offer(n, UNREACHABLE_S, self._why_not(mine, n)) for n in nodes if n not in ranked
        ]
        reason = mine.reason or self._reason(mine, finishes, ranked)
        return Explanation(msgspec.structs.replace(mine, reason=reason), tuple(offers))

    def _reason(
        self, mine: Assignment, finishes: Mapping[NodeId, float], ranked: list[NodeId]
    ) -> str:
        if mine.task in self._problem.begun:
            return "it has begun there"
        if mine.task in self._problem.pinned:
            return f"pinned to {mine.node}"
        others = [node for node in ranked if node != mine.node]
        if not others:
            return "the only node that can run it here"
        second = min(others, key=finishes.__getitem__)
        gap_s = finishes[second] - finishes.get(mine.node, UNREACHABLE_S)
        if gap_s > 0:
            return f"finishes {show_seconds(gap_s)} before {second}"
        if gap_s == 0:
            return f"finishes as early as {second} and is listed first"
        return (
            f"{self._schedule.scheduler} looks further: {second} offers {show_seconds(-gap_s)} less"
        )

    def _against(self, mine: Assignment, finishes: Mapping[NodeId, float], node: NodeId) -> str:
        if node == mine.node:
            return "chosen"
        gap_s = finishes[node] - finishes.get(mine.node, mine.finish_s)
        if gap_s < 0:
            return f"{show_seconds(-gap_s)} earlier"
        return f"{show_seconds(gap_s)} later" if gap_s > 0 else "as early, but listed later"

    def _why_not(self, mine: Assignment, node: NodeId) -> str:
        problem = self._problem
        pin = problem.pinned.get(mine.task)
        if pin is not None and node != pin:
            return f"the task is pinned to {pin}"
        if node in problem.forbidden.get(mine.task, ()):
            return "forbidden for it"
        if problem.seconds(mine.task, node) is None:
            return "cannot run it"
        for parent in problem.graph.parents[mine.task]:
            source = self._first[parent].node
            if problem.transfer_s(Edge(parent, mine.task), source, node) is None:
                return f"no link from {source}, where {parent} is"
        if self._bench.tables.is_sparse:
            return "a later task could not be reached from there"
        return "its limit of tasks or its memory is used up"


def explain(problem: Problem, schedule: Schedule, task: TaskId) -> str:
    """Return what every node offered for a task and why the winner won, one row a node.

    Nodes are listed by finish time, then those that could not take the task, each with the reason.

    Raises:
        InputError: The schedule has no such task.
    """
    return str(Explainer(problem, schedule).explain(task))


def with_reasons(problem: Problem, schedule: Schedule) -> Schedule:
    """Return a schedule with the reason of every assignment filled in.

    Cost: as HEFT without compiled code.
    """
    explained = [each.assignment for each in Explainer(problem, schedule).all()]
    reasons = {each.task: each.reason for each in explained}
    return replace(
        schedule,
        assignments=tuple(
            msgspec.structs.replace(each, reason=each.reason or reasons[each.task])
            for each in schedule.assignments
        ),
    )
