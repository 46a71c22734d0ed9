from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel
from jupiter.schedulers.heft import heft
from jupiter.schedulers.ranks import (
    ccr,
    critical_path,
    downward_ranks,
    mean_execution_s,
    mean_transfer_s,
    upward_ranks,
)

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem


A, B, C = TaskId("a"), TaskId("b"), TaskId("c")
AB = Edge(A, B)


def test_the_mean_execution_leaves_unable_nodes_out(make_problem: MakeProblem) -> None:
    problem = make_problem({}, {"a": [2, None, 4], "b": [None, None, None]})
    assert mean_execution_s(problem) == {A: 3, B: 0}


def test_the_mean_transfer_is_over_distinct_joined_pairs(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 1, 1], "b": [1, 1, 1]}, links=[(0, 1), (2, 0)])
    assert mean_transfer_s(problem) == {AB: 1.0}


def test_the_mean_transfer_of_a_pinned_task_is_over_the_links_of_its_node(
    make_problem: MakeProblem,
) -> None:
    rows = {"a": [1, None, None], "b": [None, 1, 1], "c": [None, 1, 1]}
    problem = make_problem({"a": ["b"], "b": ["c"]}, rows, pinned={"a": 0})
    slow = {
        pair: TransferModel(5.0, 0.0) if NodeId("n0") in pair else model
        for pair, model in problem.links.items()
    }
    means = mean_transfer_s(replace(problem, links=slow))
    assert means == {AB: 5.0, Edge(B, C): 1.0}


def test_without_any_joined_pair_transfers_count_as_nothing(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 3], "b": [1, 3]}, links=[])
    assert mean_transfer_s(problem) == {AB: 0.0}
    assert upward_ranks(problem) == {A: 4, B: 2}


def test_ranks_follow_the_longest_way(make_problem: MakeProblem) -> None:
    problem = make_problem(
        {"a": ["b", "c"], "b": ["d"], "c": ["d"]},
        {"a": [1, 1], "b": [5, 5], "c": [2, 2], "d": [1, 1]},
    )
    assert upward_ranks(problem) == {"a": 9, "b": 7, "c": 4, "d": 1}
    assert downward_ranks(problem) == {"a": 0, "b": 2, "c": 2, "d": 8}
    assert critical_path(problem) == ("a", "b", "d")
    assert ccr(problem) == pytest.approx(1 / (9 / 4))


def test_an_empty_problem_has_no_path(make_problem: MakeProblem) -> None:
    empty = Problem(graph=TaskGraph({}), nodes=(), links={})
    assert critical_path(empty) == ()
    assert ccr(empty) == 0
    assert heft(empty).assignments == ()


def test_of_equally_long_ways_the_first_written_is_critical(make_problem: MakeProblem) -> None:
    problem = make_problem({"x": ["q", "p"]}, {"x": [1, 1], "q": [1, 1], "p": [1, 1]})
    assert critical_path(problem) == ("x", "q")


def test_a_chain_of_ten_thousand_tasks_is_no_danger(make_problem: MakeProblem) -> None:
    count = 10_000
    problem = make_problem(
        {f"t{k}": [f"t{k + 1}"] for k in range(count - 1)},
        {f"t{k}": [1, 1] for k in range(count)},
    )
    assert upward_ranks(problem)[TaskId("t0")] == 2 * count - 1
    assert heft(problem).makespan_s == count
