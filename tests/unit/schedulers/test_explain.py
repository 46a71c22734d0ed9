from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupiter.errors import InputError
from jupiter.model.ids import TaskId
from jupiter.schedulers.explain import explain
from jupiter.schedulers.heft import heft
from jupiter.schedulers.random_mapping import random_mapping

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem


A, B, C = TaskId("a"), TaskId("b"), TaskId("c")


def test_every_node_has_a_row_with_its_time_or_its_reason(make_problem: MakeProblem) -> None:
    problem = make_problem(
        {"a": ["b"]},
        {"a": [1, None, None, None, None], "b": [None, 1, 1.5, 2, 2]},
        links=[(0, 1), (0, 2), (0, 3)],
    )
    assert explain(problem, heft(problem), B).splitlines() == [
        "b on n1: starts at 2 s, finishes at 3 s (finishes 500 ms before n2)",
        "  n1    3 s  chosen",
        "  n2  3.5 s  500 ms later",
        "  n3    4 s  1 s later",
        "  n0      -  cannot run it",
        "  n4      -  no link from n0, where a is",
    ]


def test_a_dead_end_a_pin_and_a_tie_are_told(make_problem: MakeProblem) -> None:
    problem = make_problem(
        {"a": ["b"]},
        {"a": [1, 5], "b": [1, 1], "c": [4, 4]},
        links=[],
        pinned={"b": 1},
        cores=[5, 5],
    )
    schedule = heft(problem)
    assert "n0    -  a later task could not be reached from there" in explain(problem, schedule, A)
    assert "n0    -  the task is pinned to n1" in explain(problem, schedule, B)
    assert "n1  4 s  as early, but listed later" in explain(problem, schedule, C)


def test_a_scheduler_that_compares_nothing_says_so(make_problem: MakeProblem) -> None:
    problem = make_problem({}, {"a": [1, 1]})
    text = explain(problem, random_mapping(problem), A)
    assert "(drawn at random)" in text


def test_an_unknown_task_is_refused(make_problem: MakeProblem) -> None:
    problem = make_problem({}, {"fusion": [1]})
    with pytest.raises(InputError, match="did you mean fusion"):
        explain(problem, heft(problem), TaskId("fuson"))
