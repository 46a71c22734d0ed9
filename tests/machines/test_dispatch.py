"""The dispatcher: what runs next, and what follows from it."""

from __future__ import annotations

from tests.machines.dispatching import (
    FIRST,
    HOME,
    JOIN,
    PART,
    SCATTER,
    SIMPLE,
    A,
    B,
    C,
    D,
    arrive,
    delivery,
    dispatcher,
    ended,
    entry,
    finish,
    keep,
    names,
    runs,
    sent,
    tell,
)

from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, item_id
from jupiter.model.items import Delivery, Part, TaskPlan
from jupiter.model.view import Load
from jupiter.model.words import Hold


def test_item_runs_when_its_only_input_arrives() -> None:
    actions = arrive(dispatcher(SIMPLE), entry(0), now=1.0)
    assert act.Run(item_id(0), A, FIRST, (entry(0),), 1.0) in actions


def test_item_runs_only_with_complete_inputs_in_the_order_of_the_parents() -> None:
    machine = dispatcher(JOIN, cores=2)
    assert arrive(machine, delivery(0, C, D), now=1.0) == []
    assert arrive(machine, delivery(1, B, D), now=2.0) == []
    (run,) = (a for a in arrive(machine, delivery(0, B, D), now=3.0) if isinstance(a, act.Run))
    assert (run.item, run.enter_s) == ("0", 1.0)
    assert [each.source for each in run.inputs] == [B, C]


def test_attempt_is_noted_before_it_runs() -> None:
    actions = arrive(dispatcher(SIMPLE), entry(0))
    assert actions[0] == act.Persist(rec.Started(A, item_id(0), FIRST), is_synced=False)
    assert isinstance(actions[1], act.Run)


def test_delivery_that_comes_twice_takes_effect_once() -> None:
    machine = dispatcher(SIMPLE, cores=2)
    arrive(machine, entry(0))
    assert machine.has_seen(entry(0))
    assert not machine.wants(entry(0))
    assert arrive(machine, entry(0)) == []


def test_no_more_executions_run_than_there_are_cores() -> None:
    machine = dispatcher(SIMPLE, cores=2)
    assert runs(arrive(machine, *(entry(seq) for seq in range(4)))) == [(A, "0"), (A, "1")]
    assert machine.load == Load(2, 2, 2)
    assert runs(tell(machine, ended(A, 0, PART))) == [(A, "2")]


def test_task_with_many_cores_waits_until_so_many_are_free() -> None:
    wide = TaskPlan(B, (A,), (SINK,), cores=2, rank=1)
    machine = dispatcher(SIMPLE, wide, cores=2)
    arrive(machine, entry(5))
    assert runs(arrive(machine, delivery(0, A, B))) == []
    assert runs(tell(machine, ended(A, 5, PART))) == [(B, "0")]
    assert machine.free_cores == 0


def test_task_that_wants_more_cores_than_there_are_runs_alone() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), cores=8), cores=2)
    assert runs(arrive(machine, entry(0), entry(1))) == [(A, "0")]
    finish(machine, A, 0, PART)
    assert machine.free_cores == 0
    finish(machine, A, 1, PART)
    assert machine.free_cores == 2


def test_oldest_item_goes_first_and_downstream_before_upstream() -> None:
    machine = dispatcher(
        TaskPlan(A, (INGRESS,), (B,), rank=0), TaskPlan(B, (A,), (SINK,), rank=1), cores=1
    )
    arrive(machine, entry(9))
    arrive(machine, entry(2), delivery(2, A, B), delivery(0, A, B), entry(1))
    order = []
    task, seq = A, 9
    for _ in range(4):
        ((task, item),) = runs(finish(machine, task, seq, PART))
        seq = int(item)
        order.append((task, seq))
    assert order == [(B, 0), (A, 1), (B, 2), (A, 2)]


def test_task_runs_only_while_its_workers_are_ready() -> None:
    machine = dispatcher(SIMPLE)
    machine.step(ev.Unready(A, "it runs elsewhere"), 0.0)
    assert runs(arrive(machine, entry(0))) == []
    assert runs(tell(machine, ev.Ready(A))) == [(A, "0")]


def test_task_that_is_not_ready_is_in_nobodys_way() -> None:
    machine = dispatcher(SIMPLE, TaskPlan(B, (A,), (SINK,), rank=1))
    machine.step(ev.Unready(B, "it runs elsewhere"), 0.0)
    assert runs(arrive(machine, delivery(0, A, B), entry(1))) == [(A, "1")]


def test_child_is_announced_when_its_parent_starts() -> None:
    plan = TaskPlan(A, (INGRESS,), (B, SINK))
    actions = arrive(dispatcher(plan), entry(3))
    assert [a for a in actions if isinstance(a, act.Expect)] == [act.Expect(item_id(3), B, 3)]


def test_children_of_a_scattering_task_are_not_announced() -> None:
    actions = arrive(dispatcher(SCATTER), entry(0))
    assert not [a for a in actions if isinstance(a, act.Expect)]


def test_nothing_is_sent_before_the_election_is_written_down() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    actions = tell(machine, ended(A, 0, PART))
    record = rec.Elected(A, item_id(0), FIRST, ((0, 0),), (PART,), "done", "")
    assert actions == [act.Persist(record, is_synced=True)]
    assert machine.elected() == {}
    (out,) = sent(tell(machine, ev.Kept(record)))
    assert (out.target, out.epoch, out.attempt) == (B, 1, FIRST)
    assert machine.elected() == {(A, "0"): (1, FIRST)}


def test_inputs_are_dropped_when_the_election_is_written_down() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    assert machine.keeps_inputs(A, item_id(0))
    assert act.DropInputs(item_id(0), A, 1) in finish(machine, A, 0, PART)
    assert not machine.keeps_inputs(A, item_id(0))
    assert machine.keeps_outputs(A, item_id(0))


def test_outputs_go_where_routing_says() -> None:
    p, q, r = (Part(name, 1) for name in "pqr")
    for plan, expected in (
        (TaskPlan(A, (INGRESS,), (B, C)), [(B, ["p", "q", "r"]), (C, ["p", "q", "r"])]),
        (SCATTER, [(B, ["p", "r"]), (C, ["q"])]),
    ):
        machine = dispatcher(plan)
        arrive(machine, entry(0))
        assert [names(each) for each in sent(finish(machine, A, 0, p, q, r))] == expected


def test_task_without_output_filters_the_item() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    actions = finish(machine, A, 0)
    (out,) = sent(actions)
    assert (out.outcome, out.detail) == ("filtered", "task a gave no output")
    assert act.DropOutputs(item_id(0), A) in actions


def test_failure_travels_on_without_running_the_tasks_that_follow() -> None:
    machine = dispatcher(JOIN)
    bad = delivery(0, B, D, outcome="failed", detail="b broke")
    actions = arrive(machine, bad, delivery(0, C, D))
    assert runs(actions) == []
    (out,) = sent(keep(machine, actions))
    assert (out.target, out.outcome, out.detail) == (SINK, "failed", "b broke")


def test_item_in_an_incomplete_batch_is_told_to_home() -> None:
    machine = dispatcher(SCATTER)
    arrive(machine, entry(0))
    actions = finish(machine, A, 0, PART)
    assert sent(actions) == []
    assert act.Say(HOME, Hold(1, (0,))) in actions


def test_batch_that_is_complete_is_not_held() -> None:
    machine = dispatcher(SCATTER)
    arrive(machine, entry(0), entry(1))
    finish(machine, A, 0, PART)
    actions = finish(machine, A, 1, PART)
    assert [each.item for each in sent(actions)] == ["a.0", "a.0"]
    assert not [a for a in actions if isinstance(a, act.Say)]


def test_unfinished_batch_fails_when_the_number_of_items_is_known() -> None:
    machine = dispatcher(SCATTER)
    arrive(machine, entry(0))
    finish(machine, A, 0, PART)
    assert {each.outcome for each in sent(machine.close(1))} == {"failed"}


def test_unfinished_batch_fails_with_the_last_item_that_comes() -> None:
    machine = dispatcher(SCATTER)
    assert machine.close(1) == []
    arrive(machine, entry(0))
    assert [each.outcome for each in sent(finish(machine, A, 0, PART))] == ["failed", "failed"]


def test_batch_goes_on_when_an_item_before_it_has_ended_elsewhere() -> None:
    machine = dispatcher(SCATTER, cores=2)
    arrive(machine, entry(1), entry(2))
    finish(machine, A, 1, PART)
    assert sent(finish(machine, A, 2, PART)) == []
    assert [each.item for each in sent(tell(machine, ev.Settled((0,))))] == ["a.1", "a.1"]


def test_join_that_a_batch_can_never_complete_fails_and_names_the_parent() -> None:
    plans = (
        TaskPlan(B, (A,), (D,), batchers=(A,)),
        TaskPlan(C, (INGRESS,), (D,)),
        JOIN,
    )
    machine = dispatcher(*plans)
    actions = arrive(machine, Delivery("a", 0, (0, 1), B, D, (PART,), epoch=1))
    assert runs(actions) == []
    (out,) = sent(keep(machine, actions))
    assert (out.outcome, out.origins) == ("failed", (0, 1))
    assert out.detail == "task d never got an input from c"
