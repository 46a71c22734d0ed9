"""Placing: where an item runs, and the policies that decide it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jupiter.control.placing import CHOOSE_S, Placing
from jupiter.control.policy import POLICIES, LeastLoaded, Question, StaticPlacement, make_policy
from jupiter.errors import InputError
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId, item_id
from jupiter.model.items import Delivery, TaskPlan
from jupiter.model.view import Load, View
from jupiter.model.words import Ask, Placed, Query, Quote

A, B, S = TaskId("a"), TaskId("b"), TaskId("s")
HOME, X, Y, Z = (NodeId(name) for name in ("home", "x", "y", "z"))
PLANS = {
    A: TaskPlan(A, (INGRESS,), (B,)),
    B: TaskPlan(B, (A,), (SINK,), nodes=(X, Y)),
    S: TaskPlan(S, (A,), (B,), is_scatter=True),
}
ITEM = item_id(0)
BUSY = Load(4, 1, 1)


def view(epoch: int = 1, *members: NodeId) -> View:
    return View(epoch, dict.fromkeys(members or (HOME, X, Y, Z), 1), {A: X, B: Y, S: Z})


def placing(policy: str = "least-loaded", node: NodeId = X) -> Placing:
    machine = Placing(node, HOME, PLANS, make_policy(policy))
    machine.begin(view())
    return machine


def ask(seq: int = 0, *, task: TaskId = B, epoch: int = 1) -> Ask:
    return Ask(epoch, task, item_id(seq), seq)


def record_of(actions: list[act.Action]) -> rec.Assigned:
    (found,) = (
        a.record
        for a in actions
        if isinstance(a, act.Persist) and isinstance(a.record, rec.Assigned)
    )
    return found


def place(machine: Placing, seq: int = 0) -> NodeId:
    """Ask, and return what was chosen."""
    return record_of(machine.asked(ask(seq), X, seq + 1)).node


def choose(loads: Mapping[NodeId, Load], own: NodeId = Y) -> NodeId:
    return LeastLoaded().choose(Question(B, ITEM, (X, Y, Z), own), loads)


# -- policies --------------------------------------------------------------------------------------


def test_every_policy_answers_with_a_candidate() -> None:
    for name in POLICIES.names():
        question = Question(B, ITEM, (X, Y), Y)
        assert make_policy(name).choose(question, {X: BUSY, Y: BUSY}) in (X, Y)


def test_unknown_policy_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError) as caught:
        make_policy("least-loadd")
    assert "unknown placement policy" in str(caught.value)
    assert "did you mean least-loaded?" in str(caught.value)


def test_unknown_policy_is_refused_with_all_names() -> None:
    with pytest.raises(InputError) as caught:
        make_policy("qqqq")
    for name in POLICIES.names():
        assert name in str(caught.value)


def test_static_policy_takes_the_node_of_the_view_however_busy() -> None:
    assert StaticPlacement().choose(Question(B, ITEM, (X, Y), Y), {Y: BUSY}) == Y


def test_least_loaded_node_is_chosen() -> None:
    assert choose({X: Load(2, 1, 1), Y: Load(1, 1, 1), Z: Load(0, 1, 1)}) == Z


def test_load_is_counted_a_core() -> None:
    assert choose({X: Load(2, 2, 8), Y: Load(1, 0, 1), Z: Load(1, 1, 2)}) == X


def test_node_of_the_view_is_chosen_where_it_is_as_good_as_any() -> None:
    even = dict.fromkeys((X, Y, Z), Load(1, 0, 1))
    assert choose(even, own=Z) == Z
    assert choose({}, own=Y) == Y


def test_node_of_which_nothing_is_known_counts_as_idle() -> None:
    assert choose({X: BUSY, Y: BUSY}) == Z


# -- who asks --------------------------------------------------------------------------------------


def test_static_answers_without_asking() -> None:
    machine = placing("static")
    assert not machine.is_asking
    assert machine.where(B, ITEM) == Y
    assert machine.expect(B, ITEM, 0) == []


def test_results_go_home_and_scattering_tasks_stay_where_they_are() -> None:
    machine = placing()
    assert machine.is_asking
    assert machine.where(SINK, ITEM) == HOME
    assert machine.where(S, ITEM) == Z
    assert machine.where(B, ITEM) is None


def test_node_of_the_task_is_asked_once() -> None:
    machine = placing()
    assert machine.expect(B, item_id(4), 4) == [act.Say(Y, Ask(1, B, item_id(4), 4))]
    assert machine.expect(B, item_id(4), 4) == []


def test_answer_brings_what_waited_for_it_on_its_way() -> None:
    machine = placing()
    sends = [
        act.Send(Delivery("", 0, (0,), source, B, epoch=1), ()) for source in (A, TaskId("other"))
    ]
    machine.expect(B, ITEM, 0)
    for send in sends:
        machine.park(send)
    answer = Placed(1, 1, B, ITEM, X, 0)
    assert machine.placed(answer) == sends
    assert machine.where(B, ITEM) == X
    assert machine.placed(answer) == []
    assert machine.expect(B, ITEM, 0) == []


def test_first_answer_counts() -> None:
    machine = placing()
    machine.expect(B, ITEM, 0)
    machine.placed(Placed(1, 1, B, ITEM, X, 0))
    machine.placed(Placed(1, 1, B, ITEM, Y, 0))
    assert machine.where(B, ITEM) == X


def test_answer_of_an_older_epoch_is_ignored() -> None:
    machine = placing()
    machine.expect(B, ITEM, 0)
    machine.begin(view(2))
    assert machine.placed(Placed(1, 1, B, ITEM, X, 0)) == []
    assert machine.where(B, ITEM) is None
    assert machine.expect(B, ITEM, 0) == [act.Say(Y, ask(epoch=2))]


# -- who is asked ----------------------------------------------------------------------------------


def test_choice_is_written_down_before_it_is_told() -> None:
    machine = placing(node=Y)
    actions = machine.asked(ask(), X, 7)
    record = rec.Assigned(1, B, ITEM, Y, 0)
    assert actions == [act.Persist(record, is_synced=True)]
    assert machine.kept(record) == [act.Transmit(X, 0, Placed(7, 1, B, ITEM, Y, 0))]


def test_every_asker_gets_the_same_answer() -> None:
    machine = placing(node=Y)
    record = record_of(machine.asked(ask(), X, 7))
    assert machine.asked(ask(), Z, 3) == []
    machine.heard(record.node, Load(99, 0, 1))
    early = machine.kept(record)
    late = machine.asked(ask(), HOME, 5)
    told = [a for a in early + late if isinstance(a, act.Transmit)]
    assert [a.node for a in told] == [X, Z, HOME]
    assert {(a.word.node, a.word.number) for a in told if isinstance(a.word, Placed)} == {
        (record.node, 7),
        (record.node, 3),
        (record.node, 5),
    }


def test_only_members_that_may_run_the_task_are_candidates() -> None:
    machine = placing(node=Y)
    machine.heard(X, BUSY)
    machine.heard(Y, BUSY)
    assert place(machine) in (X, Y)
    machine.begin(view(2, HOME, Y, Z))
    machine.heard(Y, Load(99, 0, 1))
    assert record_of(machine.asked(ask(epoch=2), X, 1)).node == Y


def test_what_was_placed_counts_as_load_until_the_node_says_more() -> None:
    machine = placing(node=Y)
    assert [place(machine, seq) for seq in range(4)] == [Y, X, Y, X]
    machine.heard(X, Load(0, 0, 1))
    assert place(machine, 4) == X


def test_choice_of_an_older_epoch_is_not_told() -> None:
    machine = placing(node=Y)
    record = record_of(machine.asked(ask(), X, 7))
    machine.begin(view(2))
    assert machine.kept(record) == []
    assert machine.asked(ask(epoch=2), X, 8) == [
        act.Persist(rec.Assigned(2, B, ITEM, X, 0), is_synced=True)
    ]


def test_choice_is_the_same_after_a_restart() -> None:
    machine = placing(node=Y)
    machine.restore(rec.Assigned(1, B, ITEM, X, 0))
    assert machine.asked(ask(), Z, 2) == [act.Transmit(Z, 0, Placed(2, 1, B, ITEM, X, 0))]


def test_candidates_are_asked_first_with_a_deadline() -> None:
    machine = placing("least-loaded-now", Y)
    assert machine.asked(ask(), X, 7) == [
        act.Transmit(X, 0, Query(B, ITEM)),
        act.Transmit(Y, 0, Query(B, ITEM)),
        act.SetTimer(ev.Timer("choose", B, ITEM), CHOOSE_S),
    ]


def test_last_quote_decides() -> None:
    machine = placing("least-loaded-now", Y)
    machine.asked(ask(), X, 7)
    assert machine.quoted(Quote(B, ITEM, BUSY), Y) == []
    assert machine.quoted(Quote(B, ITEM, BUSY), Y) == []
    assert record_of(machine.quoted(Quote(B, ITEM, Load()), X)).node == X


def test_deadline_decides_with_what_is_known() -> None:
    machine = placing("least-loaded-now", Y)
    machine.heard(X, Load(9, 0, 1))
    machine.asked(ask(), X, 7)
    machine.quoted(Quote(B, ITEM, Load(10, 0, 1)), Y)
    assert record_of(machine.due(B, ITEM)).node == X
    assert machine.due(B, ITEM) == []
    assert machine.quoted(Quote(B, ITEM, Load()), X) == []


def test_who_asks_while_quotes_are_missing_is_answered_too() -> None:
    machine = placing("least-loaded-now", Y)
    machine.asked(ask(), X, 7)
    assert machine.asked(ask(), Z, 3) == []
    record = record_of(machine.due(B, ITEM))
    told = [a.node for a in machine.kept(record) if isinstance(a, act.Transmit)]
    assert told == [X, Z]


def test_places_of_items_that_ended_are_forgotten() -> None:
    machine = placing(node=Y)
    machine.expect(B, item_id(0), 0)
    machine.park(act.Send(Delivery("", 0, (0,), A, B, epoch=1), ()))
    machine.expect(B, item_id(1), 1)
    machine.placed(Placed(2, 1, B, item_id(1), X, 1))
    machine.kept(record_of(machine.asked(ask(2), X, 3)))
    assert machine.size == 4  # the question and the delivery that waits for it count alone
    machine.forget(1)
    assert machine.size == 2
    machine.forget(2)
    assert machine.where(B, item_id(1)) is None
    machine.forget(3)
    assert machine.size == 0


def test_place_that_is_written_down_after_its_item_ended_is_not_kept() -> None:
    machine = placing(node=Y)
    record = record_of(machine.asked(ask(), X, 3))
    machine.forget(1)
    assert machine.kept(record) == []
    assert machine.size == 0


def test_open_choice_is_forgotten_with_its_item() -> None:
    machine = placing("least-loaded-now", Y)
    machine.asked(ask(), X, 7)
    machine.forget(1)
    assert machine.size == 0
    assert machine.due(B, ITEM) == []


def test_tasks_that_may_run_on_a_node_need_workers_there() -> None:
    assert placing("static", X).tasks_here() == (A,)
    assert placing(node=X).tasks_here() == (A, B)
    assert placing(node=Z).tasks_here() == (A, S)
