"""The optimum of tiny problems by trying everything; the judge of the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from jupiter.errors import SchedulingError
from jupiter.kit.version import VERSION
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule

TASKS_MAX = 12
TRIES_MAX = 2_000_000
"""Placements of one task that are tried before giving up; a few seconds."""


def exhaustive(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return a schedule of the least makespan.

    It is exact about the model of `Problem`: free choice of node and order, several cores a node,
    idle links, no interruption, each task once (no duplicates). Every mapping is tried with every
    order in which tasks can start one after the other; some optimal schedule has this form, as
    moving starts forward in time never makes a schedule longer. Branches that cannot beat the
    best schedule found are left.

    Args:
        problem: Up to about 8 tasks on 3 nodes.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: There is no schedule, or the problem is too large to be tried out.
    """
    if problem.begun or problem.objective != "makespan":
        raise SchedulingError("trying everything is for the makespan of what has not begun")
    if len(problem.graph.tasks) > TASKS_MAX:
        raise _too_large(problem)
    search = _Search(problem)
    search.run()
    if search.best is None:
        raise SchedulingError("no schedule exists: every mapping lacks a node or a link")
    return Schedule(
        "exhaustive", search.best, {"seed": seed}, version=VERSION, facts={"optimal": 1}
    )


def _too_large(problem: Problem) -> SchedulingError:
    return SchedulingError(
        f"trying everything is for tiny problems; {len(problem.graph.tasks)} tasks on "
        f"{len(problem.nodes)} nodes are too many"
    )


@dataclass
class _Search:
    """Depth-first search over starts that never go back in time."""

    problem: Problem
    best: tuple[Assignment, ...] | None = None
    best_s: float = math.inf
    tries: int = 0
    placed: dict[TaskId, Assignment] = field(default_factory=dict)
    free_s: dict[NodeId, list[float]] = field(default_factory=dict)
    tail_s: dict[TaskId, float] = field(default_factory=dict)

    def run(self) -> None:
        problem = self.problem
        self.free_s = {node: [0.0] * problem.cores.get(node, 1) for node in problem.nodes}
        for task in reversed(problem.graph.topological_order):
            times_s = [self._seconds(task, node) for node in problem.candidates(task)]
            after_s = max((self.tail_s[child] for child in problem.graph.children[task]), default=0)
            self.tail_s[task] = min(times_s, default=math.inf) + after_s
        self._extend(0.0)

    def _extend(self, last_start_s: float) -> None:
        problem = self.problem
        if len(self.placed) == len(problem.graph.tasks):
            self.best = tuple(self.placed.values())
            self.best_s = max((each.finish_s for each in self.best), default=0.0)
            return
        for task in problem.graph.topological_order:
            parents = problem.graph.parents[task]
            if task in self.placed or any(parent not in self.placed for parent in parents):
                continue
            for node in problem.candidates(task):
                self._try(task, node, last_start_s)

    def _try(self, task: TaskId, node: NodeId, last_start_s: float) -> None:
        self.tries += 1
        if self.tries > TRIES_MAX:
            raise _too_large(self.problem)
        seconds = self._seconds(task, node)
        if not self._has_room(task, node):
            return
        cores = self.free_s[node]
        core = cores.index(min(cores))
        start_s = self._ready_s(task, node)
        if seconds > 0:
            start_s = max(start_s, cores[core])
        if start_s < last_start_s or self._least_s(task, start_s + seconds) >= self.best_s:
            return
        before_s = cores[core]
        self.placed[task] = Assignment(task, node, start_s, start_s + seconds)
        if seconds > 0:
            cores[core] = start_s + seconds
        self._extend(start_s)
        cores[core] = before_s
        del self.placed[task]

    def _seconds(self, task: TaskId, node: NodeId) -> float:
        seconds = self.problem.seconds(task, node)
        return math.inf if seconds is None else seconds

    def _has_room(self, task: TaskId, node: NodeId) -> bool:
        problem = self.problem
        mine = [each.task for each in self.placed.values() if each.node == node]
        if len(mine) >= problem.tasks_max.get(node, math.inf):
            return False
        used = sum(problem.memory_bytes.get(each, 0.0) for each in (*mine, task))
        return used <= problem.node_memory_bytes.get(node, math.inf)

    def _least_s(self, task: TaskId, finish_s: float) -> float:
        """Return the earliest end of everything once a task finishes at a time."""
        children = self.problem.graph.children[task]
        return finish_s + max((self.tail_s[child] for child in children), default=0.0)

    def _ready_s(self, task: TaskId, node: NodeId) -> float:
        ready_s = self.problem.release_s
        for parent in self.problem.graph.parents[task]:
            source = self.placed[parent]
            transfer_s = self.problem.transfer_s(Edge(parent, task), source.node, node)
            arrive_s = math.inf if transfer_s is None else source.finish_s + transfer_s
            ready_s = max(ready_s, arrive_s)
        return ready_s
