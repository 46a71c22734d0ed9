from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.schedule import Assignment
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.heft import heft
from jupiter.schedulers.online import Decision, Hysteresis, Moment, decide_again, remaining

if TYPE_CHECKING:
    from tests.unit.schedulers.conftest import MakeProblem

A, B, C = (TaskId(name) for name in "abc")
N0, N1 = NodeId("n0"), NodeId("n1")
QUICK = Hysteresis(migration_s=0.5, gain_min=0.05)


def chain(make_problem: MakeProblem, slow: float = 1.0) -> tuple[object, Moment]:
    """a is done on n0 at 1 s; b and c are deployed there."""
    problem = make_problem(
        {"a": ["b"], "b": ["c"]},
        {"a": [1, 1], "b": [4 * slow, 4], "c": [4 * slow, 4]},
        transfer_s=0.2,
    )
    moment = Moment(1.0, {A: Assignment(A, N0, 0.0, 1.0)}, dict.fromkeys((A, B, C), N0))
    return problem, moment


def decide(make_problem: MakeProblem, slow: float) -> Decision:
    problem, moment = chain(make_problem, slow)
    return decide_again(problem, moment, heft, QUICK)  # type: ignore[arg-type]


def test_nothing_moves_while_costs_are_as_planned(make_problem: MakeProblem) -> None:
    decision = decide(make_problem, 1.0)
    assert decision.moves == {}
    assert decision.schedule.makespan_s == decision.stay_s == 9


def test_a_small_gain_is_not_worth_a_move(make_problem: MakeProblem) -> None:
    assert decide(make_problem, 1.16).moves == {}


def test_a_slow_node_is_left_and_what_is_done_stays(make_problem: MakeProblem) -> None:
    problem, moment = chain(make_problem, 3.0)
    decision = decide(make_problem, 3.0)
    assert decision.moves == {B: N1, C: N1}
    first = decision.schedule.assignments[0]
    assert (first.task, first.node, first.start_s, first.finish_s) == (A, N0, 0.0, 1.0)
    assert decision.stay_s == 25
    # 0.2 s of transfer, and half a second for each task to get going on its new node.
    assert decision.schedule.makespan_s == pytest.approx(1.0 + 0.2 + 4.5 + 4.5)
    left = remaining(problem, moment, QUICK)  # type: ignore[arg-type]
    assert check_schedule(left, decision.schedule) == []


def test_what_is_on_a_lost_node_moves_at_any_price(make_problem: MakeProblem) -> None:
    problem, moment = chain(make_problem)
    moment = replace(moment, begun={}, current=dict.fromkeys((A, B, C), NodeId("lost")))
    decision = decide_again(problem, moment, heft, QUICK)  # type: ignore[arg-type]
    assert set(decision.moves) == {A, B, C}
    assert min(each.start_s for each in decision.schedule.assignments) >= 1.0


def test_where_nothing_is_possible_it_says_so(make_problem: MakeProblem) -> None:
    problem = make_problem({}, {"a": [None]})
    with pytest.raises(SchedulingError, match="no node can run it"):
        decide_again(problem, Moment(0.0, {}, {A: NodeId("lost")}), heft)
