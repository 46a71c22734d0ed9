from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

from jupiter.errors import SchedulingError
from jupiter.model.ids import TaskId
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.base import Scheduler
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.explain import Explainer, with_reasons
from jupiter.schedulers.heft import heft
from jupiter.schedulers.random_mapping import random_mapping

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem


def by_task(schedule: Schedule) -> dict[str, Assignment]:
    return {each.task: each for each in schedule.assignments}


def test_a_task_is_inserted_into_a_gap(make_problem: MakeProblem) -> None:
    """b waits 9 s for its input on n0, where the short c fits before it."""
    problem = make_problem(
        {"a": ["b"]},
        {"a": [None, 1], "b": [2, None], "c": [3, 30]},
        transfer_s=9,
    )
    found = by_task(heft(problem))
    assert (found["b"].start_s, found["c"].start_s) == (10, 0)


def test_two_cores_run_two_tasks_at_once(make_problem: MakeProblem) -> None:
    rows = {"a": [2.0], "b": [2.0], "c": [2.0]}
    assert heft(make_problem({}, rows)).makespan_s == 6
    assert heft(make_problem({}, rows, cores=[2])).makespan_s == 4
    assert heft(make_problem({}, rows, cores=[3])).makespan_s == 2


def test_an_assignment_says_what_was_compared_and_why(make_problem: MakeProblem) -> None:
    problem = make_problem({}, {"a": [2, 1.5, None, 7]})
    found = Explainer(problem, heft(problem)).explain(TaskId("a"))
    assert found.assignment.node == "n1"
    assert [(each.node, each.finish_s) for each in found.offers] == [
        ("n1", 1.5),
        ("n0", 2),
        ("n3", 7),
        ("n2", inf),
    ]
    assert found.assignment.reason == "finishes 500 ms before n0"


def test_reasons_name_ties_pins_and_the_lack_of_choice(make_problem: MakeProblem) -> None:
    rows: dict[str, list[float | None]] = {"tie": [1, 1], "pin": [1, 1], "only": [None, 1]}
    problem = make_problem({}, rows, pinned={"pin": 1}, cores=[3, 3])
    found = by_task(with_reasons(problem, heft(problem)))
    assert found["tie"].reason == "finishes as early as n1 and is listed first"
    assert found["pin"].reason == "pinned to n1"
    assert found["only"].reason == "the only node that can run it here"


def test_equal_ranks_keep_written_order(make_problem: MakeProblem) -> None:
    order = heft(make_problem({}, {"z": [1, 1], "a": [1, 1], "m": [1, 1]})).assignments
    assert [each.task for each in order] == ["z", "a", "m"]


def test_parents_without_work_come_before_their_children(make_problem: MakeProblem) -> None:
    rows = {"child": [0, 0], "parent": [0, 0]}
    problem = make_problem({"parent": ["child"]}, rows, transfer_s=0)
    assert [each.task for each in heft(problem).assignments] == ["parent", "child"]


def test_a_node_that_leads_to_a_dead_end_is_not_chosen(make_problem: MakeProblem) -> None:
    """n0 is fastest for a, but only n1 has the link to n2, where c is pinned."""
    rows = {"a": [1, 5, 5], "b": [1, 5, 5], "c": [1, 1, 1]}
    problem = make_problem({"a": ["b"], "b": ["c"]}, rows, links=[(0, 0), (1, 2)], pinned={"c": 2})
    schedule = heft(problem)
    assert schedule.mapping == {"a": "n1", "b": "n1", "c": "n2"}
    offers = Explainer(problem, schedule).explain(TaskId("a")).offers
    assert {each.node: each.finish_s for each in offers} == {"n1": 5, "n2": 5, "n0": inf}
    assert check_schedule(problem, schedule) == []


def test_two_parents_are_kept_within_reach_of_one_child_node(make_problem: MakeProblem) -> None:
    """Each parent alone could be on its fastest node, but then no node gets both outputs."""
    rows = {
        "a": [1, 9, None, None],
        "b": [9, 1, None, None],
        "c": [None, None, 1, 1],
    }
    problem = make_problem({"a": ["c"], "b": ["c"]}, rows, links=[(0, 2), (1, 3)])
    schedule = heft(problem)
    assert schedule.mapping[TaskId("a")] == schedule.mapping[TaskId("b")]
    assert check_schedule(problem, schedule) == []


@pytest.mark.parametrize(
    ("children", "rows", "message"),
    [
        ({}, {"a": [None, None]}, "task a cannot be placed: no node can run it"),
        (
            {"a": ["b"]},
            {"a": [1, None], "b": [None, 1]},
            "task a cannot be placed: no link leads to a node that can take its child b",
        ),
    ],
    ids=["no node", "no link"],
)
def test_what_cannot_be_placed_is_named_with_the_reason(
    make_problem: MakeProblem,
    children: dict[str, list[str]],
    rows: dict[str, list[float | None]],
    message: str,
) -> None:
    with pytest.raises(SchedulingError, match=message):
        heft(make_problem(children, rows, links=[]))


@pytest.mark.parametrize("scheduler", [heft, random_mapping])
def test_a_dead_end_that_only_trying_shows_is_named(
    make_problem: MakeProblem, scheduler: Scheduler
) -> None:
    """Each edge alone can be joined, but the way over b always ends at the wrong node for c."""
    rows: dict[str, list[float | None]] = {
        "a": [1, 1, None, None, None, None],
        "b": [None, None, 1, 1, None, None],
        "c": [None, None, None, None, 1, 1],
    }
    links = [(0, 2), (1, 3), (2, 4), (3, 5), (0, 5), (1, 4)]
    problem = make_problem({"a": ["b", "c"], "b": ["c"]}, rows, links=links)
    with pytest.raises(SchedulingError, match="task a cannot be placed: from every node"):
        scheduler(problem)
