"""The checker must catch every kind of fault: schedules doctored one way each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from jupiter.model.graph import TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.heft import heft

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem


@pytest.fixture
def problem(make_problem: MakeProblem) -> Problem:
    """in (pinned to n0) -> a, b -> out; n1 is fast; nothing leads from n2 to n1."""
    return make_problem(
        {"in": ["a", "b"], "a": ["out"], "b": ["out"]},
        {"in": [1, 9, 9], "a": [9, 2, 5], "b": [9, 2, None], "out": [9, 2, 2]},
        links=[(0, 1), (1, 0), (1, 2), (0, 2)],
        pinned={"in": 0},
    )


def doctored(schedule: Schedule, task: str, **changes: Any) -> Schedule:
    return Schedule(
        schedule.scheduler,
        tuple(
            structs.replace(each, **changes) if each.task == task else each
            for each in schedule.assignments
        ),
    )


def test_an_untouched_schedule_is_valid(problem: Problem) -> None:
    assert check_schedule(problem, heft(problem)) == []


def move(task: str, node: str) -> Callable[[Schedule], Schedule]:
    return lambda schedule: doctored(schedule, task, node=NodeId(node))


def shift(task: str, start_s: float, finish_s: float) -> Callable[[Schedule], Schedule]:
    return lambda schedule: doctored(schedule, task, start_s=start_s, finish_s=finish_s)


def without(task: str) -> Callable[[Schedule], Schedule]:
    return lambda schedule: Schedule(
        "x", tuple(each for each in schedule.assignments if each.task != task)
    )


def plus(task: str, node: str) -> Callable[[Schedule], Schedule]:
    extra = Assignment(TaskId(task), NodeId(node), 50.0, 52.0)
    return lambda schedule: Schedule("x", (*schedule.assignments, extra))


def wrong_makespan(schedule: Schedule) -> Schedule:
    schedule.__dict__["makespan_s"] = 1.0
    return schedule


def wrong_period(schedule: Schedule) -> Schedule:
    return replace(schedule, facts={"period_s": 1.0})


@pytest.mark.parametrize(
    ("doctor", "message"),
    [
        pytest.param(without("a"), "task a is assigned 0 times", id="missing task"),
        pytest.param(plus("a", "n1"), "task a is assigned 2 times", id="task twice"),
        pytest.param(plus("ghost", "n1"), "task ghost is unknown", id="unknown task"),
        pytest.param(move("a", "mars"), "unknown node mars", id="unknown node"),
        pytest.param(move("in", "n1"), "pinned to n0", id="pin"),
        pytest.param(move("b", "n2"), "task b cannot run on n2", id="unable node"),
        pytest.param(move("a", "n2"), "has no link from n2 to n1", id="missing link"),
        pytest.param(shift("in", -1.0, 0.0), "starts before 0", id="before 0"),
        pytest.param(shift("out", 20.0, 21.0), "takes 1.0 s on n1, not 2", id="duration"),
        pytest.param(shift("a", 1.5, 3.5), "before the output of in arrives", id="precedence"),
        pytest.param(shift("b", 3.0, 5.0), "has 1 cores but runs", id="overlap"),
        pytest.param(shift("out", 5.0, float("nan")), "not finite", id="not a number"),
        pytest.param(shift("out", 5.0, float("inf")), "not finite", id="infinite"),
        pytest.param(wrong_makespan, "the makespan is", id="makespan"),
        pytest.param(wrong_period, "the period is", id="period"),
    ],
)
def test_each_kind_of_fault_is_caught(
    problem: Problem, doctor: Callable[[Schedule], Schedule], message: str
) -> None:
    schedule = heft(problem)
    assert schedule.mapping == {"in": "n0", "a": "n1", "b": "n1", "out": "n1"}
    found = check_schedule(problem, doctor(schedule))
    assert any(message in each for each in found), found


def test_as_many_executions_as_cores_may_overlap(problem: Problem) -> None:
    both = shift("b", 2.0, 4.0)(shift("a", 2.0, 4.0)(heft(problem)))
    assert any("has 1 cores" in each for each in check_schedule(problem, both))
    two_cores = replace(problem, cores={NodeId("n1"): 2})
    assert check_schedule(two_cores, both) == []


def test_rounding_is_no_fault(problem: Problem) -> None:
    schedule = heft(problem)
    last = schedule.assignments[-1]
    tiny = 1e-13
    assert (
        check_schedule(
            problem,
            doctored(
                schedule, last.task, start_s=last.start_s - tiny, finish_s=last.finish_s - tiny
            ),
        )
        == []
    )


def test_an_empty_problem_has_an_empty_schedule() -> None:
    assert check_schedule(Problem(graph=TaskGraph({}), nodes=(), links={}), Schedule("x", ())) == []
