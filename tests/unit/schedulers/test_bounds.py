from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jupiter.model.transfer import TransferModel
from jupiter.schedulers.bounds import makespan_bound_s, period_bound_s

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem


def test_the_longest_way_bounds_the_makespan(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 3], "b": [4, 2]}, cores=[9, 9])
    assert makespan_bound_s(problem) == 3


def test_a_transfer_that_cannot_be_avoided_counts(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 3], "b": [4, 2]}, pinned={"a": 0, "b": 1})
    assert makespan_bound_s(problem) == 1 + 1 + 2


def test_all_work_over_all_useful_cores_bounds_the_makespan(make_problem: MakeProblem) -> None:
    rows: dict[str, list[float | None]] = {f"t{k}": [1, 1, None] for k in range(12)}
    assert makespan_bound_s(make_problem({}, rows, cores=[1, 3, 50])) == pytest.approx(3)


def test_nothing_bounds_what_no_node_can_run(make_problem: MakeProblem) -> None:
    assert makespan_bound_s(make_problem({}, {"a": [None]})) == math.inf


def test_the_slowest_task_bounds_the_period(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [8, 9], "b": [1, 1]}, cores=[1, 3])
    assert period_bound_s(problem) == 3


def test_the_work_over_all_cores_bounds_the_period(make_problem: MakeProblem) -> None:
    rows = {f"t{k}": [1, 1] for k in range(12)}
    assert period_bound_s(make_problem({}, rows)) == 6


def test_the_busiest_link_bounds_the_period_without_its_latency(
    make_problem: MakeProblem,
) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 3], "b": [4, 2]}, pinned={"a": 0, "b": 1})
    links = dict.fromkeys(problem.links, TransferModel(100.0, 7.0))
    assert period_bound_s(replace(problem, links=links)) == 7
