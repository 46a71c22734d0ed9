"""Deciding again while a schedule runs: what is done stays, what is left may move if that pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.evaluate import evaluate
from jupiter.schedulers.loads import objective_s


@dataclass(frozen=True, slots=True)
class Moment:
    """What has become of a schedule.

    Attributes:
        now_s: Seconds after the item entered.
        begun: Tasks that run or are done, with their measured start and their measured or expected
            finish.
        current: Where every task is deployed now, the begun ones included.
    """

    now_s: float
    begun: Mapping[TaskId, Assignment] = field(default_factory=dict)
    current: Mapping[TaskId, NodeId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """When a change is worth its trouble.

    Attributes:
        migration_s: Seconds that a task which moves needs on its new node before it can run: its
            code is sent and its worker started.
        gain_min: Share by which the new plan must beat the old one. Measurements are not exact,
            and plans that take turns help nobody.
    """

    migration_s: float = 0.5
    gain_min: float = 0.05


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Attributes:
        schedule: To follow from now on; of the old mapping where nothing moves.
        stay_s: What the old mapping would give.
        moves: New node of every task that moves.
    """

    schedule: Schedule
    stay_s: float
    moves: Mapping[TaskId, NodeId]


def remaining(problem: Problem, moment: Moment, hysteresis: Hysteresis) -> Problem:
    """Return the problem of what is left at a moment.

    Tasks that have begun are fixed. Every other one may go elsewhere, but needs
    `Hysteresis.migration_s` more there.

    Args:
        problem: With the newest measured costs.
        moment: What has become of the schedule.
        hysteresis: What a move costs.
    """
    execution_s = dict(problem.execution_s)
    for task in problem.graph.tasks:
        node = moment.current.get(task)
        if task in moment.begun or node is None:
            continue
        for other in problem.nodes:
            seconds = problem.seconds(task, other)
            if seconds is not None and other != node:
                execution_s[task, other] = seconds + hysteresis.migration_s
    return replace(
        problem,
        execution_s=execution_s,
        begun=dict(moment.begun),
        release_s=max(moment.now_s, problem.release_s),
    )


def decide_again(
    problem: Problem,
    moment: Moment,
    scheduler: Callable[[Problem], Schedule],
    hysteresis: Hysteresis | None = None,
) -> Decision:
    """Return whether tasks should move now, and where.

    The scheduler is run on what is left. Its plan is taken if it beats the present mapping by more
    than the hysteresis asks for; a mapping that has become impossible is always left.

    Args:
        problem: With the newest measured costs; a node that was lost is no longer in it.
        moment: What has become of the schedule.
        scheduler: Any, with its options bound.
        hysteresis: When a change is worth its trouble.

    Raises:
        SchedulingError: Neither the present mapping nor a new one is possible.
    """
    hysteresis = hysteresis or Hysteresis()
    left = remaining(problem, moment, hysteresis)
    stay = _stay(left, moment)
    try:
        found = scheduler(left)
    except SchedulingError:
        if stay is None:
            raise
        return Decision(stay, objective_s(left, stay), {})
    if stay is None:
        return Decision(found, float("inf"), _moves(found, moment))
    stay_s = objective_s(left, stay)
    if objective_s(left, found) < stay_s * (1 - hysteresis.gain_min):
        return Decision(found, stay_s, _moves(found, moment))
    return Decision(stay, stay_s, {})


def _stay(left: Problem, moment: Moment) -> Schedule | None:
    """Return the schedule of the present mapping, or None where it has become impossible."""
    mapping = {
        **moment.current,
        **{task: each.node for task, each in left.begun.items()},
    }
    known = set(left.nodes)
    if any(mapping.get(task) not in known for task in left.graph.tasks):
        return None
    try:
        return evaluate(left, mapping, scheduler="stay")
    except SchedulingError:
        return None


def _moves(found: Schedule, moment: Moment) -> dict[TaskId, NodeId]:
    return {task: node for task, node in found.mapping.items() if moment.current.get(task) != node}
