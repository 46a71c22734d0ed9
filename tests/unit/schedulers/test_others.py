"""Random, single node, static, exhaustive, and the evaluation under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupiter.errors import InputError, SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.evaluate import evaluate
from jupiter.schedulers.exhaustive import exhaustive
from jupiter.schedulers.generate import ProblemShape, random_problem
from jupiter.schedulers.heft import heft
from jupiter.schedulers.random_mapping import random_mapping
from jupiter.schedulers.single_node import single_node
from jupiter.schedulers.static import static_mapping

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem


def test_random_mapping_is_the_same_for_a_seed_and_differs_between_seeds() -> None:
    problem = random_problem(ProblemShape(tasks=20, nodes=5))
    assert random_mapping(problem, seed=1) == random_mapping(problem, seed=1)
    assert random_mapping(problem, seed=1).mapping != random_mapping(problem, seed=2).mapping


def test_random_mapping_uses_every_able_node_about_equally_often(
    make_problem: MakeProblem,
) -> None:
    problem = make_problem({}, {f"t{k}": [1, None, 1, 1] for k in range(300)})
    nodes = list(random_mapping(problem).mapping.values())
    assert nodes.count(NodeId("n1")) == 0
    assert min(nodes.count(NodeId(node)) for node in ("n0", "n2", "n3")) > 70


def test_random_mapping_names_a_task_that_no_node_can_run(make_problem: MakeProblem) -> None:
    with pytest.raises(SchedulingError, match="task a"):
        random_mapping(make_problem({}, {"a": [None]}))


def test_single_node_takes_the_node_that_is_fastest_in_all(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 2, 9], "b": [9, 2, 1]})
    schedule = single_node(problem)
    assert schedule.mapping == {"a": "n1", "b": "n1"}
    assert schedule.makespan_s == 4
    assert schedule.assignments[0].reason == "all on n1"


def test_single_node_counts_the_way_to_pinned_ends(make_problem: MakeProblem) -> None:
    """n1 is faster, but has no link back."""
    rows = {"in": [0, None, None], "a": [None, 1, 2], "out": [0, None, None]}
    problem = make_problem(
        {"in": ["a"], "a": ["out"]},
        rows,
        links=[(0, 1), (0, 2), (2, 0)],
        pinned={"in": 0, "out": 0},
    )
    assert single_node(problem).mapping == {"in": "n0", "a": "n2", "out": "n0"}


def test_single_node_takes_the_first_of_equal_nodes(make_problem: MakeProblem) -> None:
    assert single_node(make_problem({}, {"a": [3, 3]})).mapping == {"a": "n0"}


def test_single_node_says_why_none_is_possible(make_problem: MakeProblem) -> None:
    with pytest.raises(SchedulingError, match="no single node can take everything"):
        single_node(make_problem({}, {"a": [1, None], "b": [None, 1]}))


def test_evaluation_in_another_order_gives_other_times(make_problem: MakeProblem) -> None:
    problem = make_problem({}, {"a": [1.0], "b": [2.0]})
    a, b, node = TaskId("a"), TaskId("b"), NodeId("n0")
    schedule = evaluate(problem, {a: node, b: node}, scheduler="x", order=[a, b])
    assert [(each.task, each.start_s) for each in schedule.assignments] == [(a, 0), (b, 1)]
    schedule = evaluate(problem, {a: node, b: node}, scheduler="x", order=[b, a])
    assert [(each.task, each.start_s) for each in schedule.assignments] == [(b, 0), (a, 2)]


def test_evaluation_of_the_mapping_of_heft_in_its_order_gives_its_times() -> None:
    problem = random_problem(ProblemShape(tasks=30, nodes=4, cores_max=2))
    schedule = heft(problem)
    again = evaluate(
        problem,
        schedule.mapping,
        scheduler="again",
        order=[each.task for each in schedule.assignments],
    )
    assert [each.finish_s for each in again.assignments] == [
        each.finish_s for each in schedule.assignments
    ]


def test_evaluation_names_a_missing_link(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 1], "b": [1, 1]}, links=[])
    mapping = {TaskId("a"): NodeId("n0"), TaskId("b"): NodeId("n1")}
    with pytest.raises(SchedulingError, match="no link leads there from node n0"):
        evaluate(problem, mapping, scheduler="x")


def test_a_static_mapping_is_followed(make_problem: MakeProblem) -> None:
    problem = make_problem(
        {"in": ["a"], "a": ["b"]}, {"in": [0, 0], "a": [1, 9], "b": [1, 9]}, pinned={"in": 0}
    )
    schedule = static_mapping(problem, {"a": "n1", "b": "n0"})
    assert schedule.mapping == {"in": "n0", "a": "n1", "b": "n0"}
    assert check_schedule(problem, schedule) == []
    assert schedule.scheduler == "static"


def test_a_static_mapping_is_told_everything_that_is_wrong(make_problem: MakeProblem) -> None:
    problem = make_problem(
        {"split": ["join"]},
        {"split": [1, 1, 1], "join": [1, 1, 1], "last": [None, 1, 1], "pin": [1, 1, 1]},
        links=[],
        pinned={"pin": 0},
    )
    wrong = {"splt": "n0", "split": "n1", "join": "n9", "last": "n0", "pin": "n1"}
    with pytest.raises(InputError) as caught:
        static_mapping(problem, wrong)
    text = str(caught.value)
    assert "unknown task (got 'splt'). Try: did you mean split?" in text
    assert "unknown node (got 'n9'). Try: name a node that exists" in text
    assert "task last cannot run on the node" in text
    assert "task pin is fixed to a node (got 'n1'; expected n0)" in text
    assert len(caught.value.faults) == 4


def test_a_static_mapping_without_a_task_or_a_link_is_refused(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, 1], "b": [1, 1], "c": [1, 1]}, links=[])
    with pytest.raises(InputError) as caught:
        static_mapping(problem, {"a": "n0", "b": "n1"})
    text = str(caught.value)
    assert "no node for task c" in text
    assert "no link leads from node n0 to node n1" in text


def test_exhaustive_beats_heft_where_looking_ahead_pays(make_problem: MakeProblem) -> None:
    """HEFT is drawn to the faster node for a and then pays for the transfer."""
    problem = make_problem({"a": ["b"]}, {"a": [1, 2], "b": [None, 1]}, transfer_s=9)
    assert heft(problem).makespan_s == 11
    assert exhaustive(problem).makespan_s == 3


def test_exhaustive_refuses_what_is_too_large() -> None:
    with pytest.raises(SchedulingError, match="too many"):
        exhaustive(random_problem(ProblemShape(tasks=13, nodes=2)))


def test_exhaustive_gives_up_after_many_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupiter.schedulers.exhaustive.TRIES_MAX", 10)
    with pytest.raises(SchedulingError, match="too many"):
        exhaustive(random_problem(ProblemShape(tasks=6, nodes=3)))


def test_exhaustive_knows_when_there_is_no_schedule(make_problem: MakeProblem) -> None:
    problem = make_problem({"a": ["b"]}, {"a": [1, None], "b": [None, 1]}, links=[])
    with pytest.raises(SchedulingError, match="no schedule exists"):
        exhaustive(problem)
