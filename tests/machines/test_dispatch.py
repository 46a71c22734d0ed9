"""The dispatcher: what runs next, what follows from it, what becomes of failures."""

from __future__ import annotations

import pytest

from jupiter.control.dispatch import CRASHES_MAX, Dispatcher
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Outcome, Part, TaskPlan
from jupiter.model.view import Load, Numbers, View
from jupiter.model.words import Hold

A, B, C, D = (TaskId(name) for name in "abcd")
HOME = NodeId("home")
PART = Part("x", 3)
FIRST = (1, 1)
SIMPLE = TaskPlan(A, (INGRESS,), (B,))
SCATTER = TaskPlan(A, (INGRESS,), (B, C), is_scatter=True, batchers=(A,))
JOIN = TaskPlan(D, (B, C), (SINK,))


def dispatcher(*plans: TaskPlan, cores: int = 1) -> Dispatcher:
    machine = Dispatcher(plans, cores, HOME)
    begin(machine, 1)
    for plan in plans:
        machine.step(ev.Ready(plan.name), 0.0)
    return machine


def begin(machine: Dispatcher, epoch: int) -> list[act.Action]:
    return machine.step(ev.Began(View(epoch, {}, {}), True, Numbers()), 0.0)


def delivery(
    seq: int,
    source: TaskId,
    target: TaskId,
    *,
    epoch: int = 1,
    attempt: Attempt = (0, 0),
    outcome: Outcome = "done",
    detail: str = "",
) -> Delivery:
    parts = (PART,) if outcome == "done" else ()
    return Delivery("", seq, (seq,), source, target, parts, outcome, detail, epoch, attempt)


def entry(seq: int, *, epoch: int = 1, attempt: Attempt = (0, 0)) -> Delivery:
    return delivery(seq, INGRESS, A, epoch=epoch, attempt=attempt)


def tell(machine: Dispatcher, event: ev.Event, now: float = 0.0) -> list[act.Action]:
    """Return what follows from an event, with what can run then."""
    return machine.step(event, now) + machine.start()


def arrive(machine: Dispatcher, *deliveries: Delivery, now: float = 0.0) -> list[act.Action]:
    return [action for each in deliveries for action in tell(machine, ev.Arrived(each), now)]


def ended(task: TaskId, seq: int, *outputs: Part, attempt: Attempt = FIRST) -> ev.Finished:
    return ev.Finished(item_id(seq), task, attempt, outputs)


def broken(reason: str = "boom", *, attempt: Attempt = FIRST, is_final: bool = False) -> ev.Failed:
    return ev.Failed(item_id(0), A, attempt, reason, is_final)


def keep(machine: Dispatcher, actions: list[act.Action]) -> list[act.Action]:
    """Answer all elections; return what follows from them."""
    return [
        follow
        for action in actions
        if isinstance(action, act.Persist) and isinstance(action.record, rec.Elected)
        for follow in tell(machine, ev.Kept(action.record))
    ]


def finish(
    machine: Dispatcher, task: TaskId, seq: int, *outputs: Part, attempt: Attempt = FIRST
) -> list[act.Action]:
    """End an attempt and write the election down; return all that follows."""
    actions = tell(machine, ended(task, seq, *outputs, attempt=attempt))
    return actions + keep(machine, actions)


def retry(machine: Dispatcher, attempt: Attempt) -> list[act.Action]:
    return tell(machine, ev.Due(ev.Timer("retry", A, item_id(0), attempt=attempt)))


def runs(actions: list[act.Action]) -> list[tuple[TaskId, ItemId]]:
    return [(action.task, action.item) for action in actions if isinstance(action, act.Run)]


def attempts(actions: list[act.Action]) -> list[Attempt]:
    return [action.attempt for action in actions if isinstance(action, act.Run)]


def sent(actions: list[act.Action]) -> list[Delivery]:
    return [action.delivery for action in actions if isinstance(action, act.Send)]


def names(delivery: Delivery) -> tuple[TaskId, list[str]]:
    return delivery.target, [part.name for part in delivery.parts]


def elected(actions: list[act.Action]) -> rec.Elected:
    (found,) = (
        action.record
        for action in actions
        if isinstance(action, act.Persist) and isinstance(action.record, rec.Elected)
    )
    return found


# -- what runs -------------------------------------------------------------------------------------


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


# -- what follows ----------------------------------------------------------------------------------


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


# -- failures --------------------------------------------------------------------------------------


def test_failed_attempt_is_repeated_after_a_pause() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    timer = ev.Timer("retry", A, item_id(0), attempt=FIRST)
    assert tell(machine, broken()) == [act.SetTimer(timer, 0.05)]
    assert machine.free_cores == 1
    assert attempts(tell(machine, ev.Due(timer))) == [(1, 2)]


def test_pauses_grow() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=3))
    arrive(machine, entry(0))
    pauses = []
    for number in (1, 2, 3):
        (pause,) = tell(machine, broken(attempt=(1, number)))
        assert isinstance(pause, act.SetTimer)
        pauses.append(pause.delay_s)
        retry(machine, (1, number))
    assert pauses == [0.05, 0.1, 0.2]


def test_item_fails_with_the_reason_when_its_retries_are_used_up() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=1))
    arrive(machine, entry(0))
    tell(machine, broken())
    retry(machine, FIRST)
    actions = tell(machine, broken(attempt=(1, 2)))
    assert elected(actions).attempt == (1, 2)
    (out,) = sent(keep(machine, actions))
    assert (out.outcome, out.parts) == ("failed", ())
    assert out.detail == "task a failed in 2 attempts: boom"


def test_final_failure_is_not_repeated() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=5))
    arrive(machine, entry(0))
    actions = tell(machine, broken("no such file", is_final=True))
    assert elected(actions).outcome == "failed"
    assert elected(actions).detail == "task a failed in 1 attempt: no such file"


def test_result_of_an_attempt_that_no_longer_counts_is_ignored() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    tell(machine, broken())
    assert tell(machine, ended(A, 0, PART)) == []
    retry(machine, FIRST)
    assert tell(machine, ended(A, 0, PART)) == []
    assert tell(machine, broken()) == []
    assert machine.free_cores == 0


def test_second_result_of_an_attempt_is_ignored() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    finish(machine, A, 0, PART)
    assert tell(machine, ended(A, 0, Part("other", 1))) == []


def test_attempt_that_takes_too_long_is_killed_and_frees_its_core() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=0, timeout_s=2.5))
    actions = arrive(machine, entry(0), entry(1))
    timer = ev.Timer("timeout", A, item_id(0), attempt=FIRST)
    assert act.SetTimer(timer, 2.5) in actions
    late = tell(machine, ev.Due(timer))
    assert late[0] == act.Kill(item_id(0), A, FIRST)
    assert runs(late) == [(A, "1")]
    assert "no end within the time limit of 2.5 s" in elected(late).detail


def test_time_limit_of_an_attempt_that_ended_does_nothing() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), timeout_s=2.5))
    arrive(machine, entry(0))
    timer = ev.Timer("timeout", A, item_id(0), attempt=FIRST)
    tell(machine, broken())
    retry(machine, FIRST)
    assert tell(machine, ev.Due(timer)) == []
    finish(machine, A, 0, PART, attempt=(1, 2))
    assert tell(machine, ev.Due(timer)) == []


def test_retry_that_comes_twice_runs_once() -> None:
    machine = dispatcher(SIMPLE, cores=4)
    arrive(machine, entry(0))
    tell(machine, broken())
    assert len(runs(retry(machine, FIRST))) == 1
    assert retry(machine, FIRST) == []


# -- epochs ----------------------------------------------------------------------------------------


def test_older_result_is_adopted_when_its_lineage_is_the_same() -> None:
    machine = dispatcher(JOIN)
    inputs = [delivery(0, B, D, attempt=(1, 2)), delivery(0, C, D, attempt=(1, 1))]
    arrive(machine, *inputs)
    finish(machine, D, 0, PART)
    begin(machine, 2)
    again = [delivery(0, each.source, D, epoch=2, attempt=each.attempt) for each in inputs]
    actions = arrive(machine, *again)
    assert runs(actions) == []
    (out,) = sent(actions)
    assert (out.target, out.epoch, out.attempt, out.parts) == (SINK, 2, FIRST, (PART,))
    assert act.DropInputs(item_id(0), D, 2) in actions
    assert machine.elected() == {(D, "0"): (2, FIRST)}


def test_parts_of_what_can_be_adopted_are_not_wanted() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    finish(machine, A, 0, PART)
    begin(machine, 2)
    assert not machine.wants(entry(0, epoch=2))
    assert machine.wants(entry(0, epoch=2, attempt=(2, 1)))
    assert not machine.has_seen(entry(0, epoch=2))


def test_older_result_is_thrown_away_when_its_lineage_differs() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0, attempt=(1, 1)))
    finish(machine, A, 0, PART)
    begin(machine, 2)
    actions = arrive(machine, entry(0, epoch=2, attempt=(2, 1)))
    assert act.DropOutputs(item_id(0), A) in actions
    assert act.DropInputs(item_id(0), A, 1) in actions
    assert sent(actions) == []
    assert attempts(actions) == [(2, 1)]


def test_running_attempt_is_killed_when_its_lineage_differs() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0, attempt=(1, 1)))
    begin(machine, 2)
    actions = arrive(machine, entry(0, epoch=2, attempt=(2, 1)))
    assert act.Kill(item_id(0), A, FIRST) in actions
    assert attempts(actions) == [(2, 1)]
    assert tell(machine, ended(A, 0, PART)) == []


def test_running_attempt_goes_on_into_the_new_epoch() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    begin(machine, 2)
    assert arrive(machine, entry(0, epoch=2)) == []
    (out,) = sent(finish(machine, A, 0, PART))
    assert (out.epoch, out.attempt) == (2, FIRST)


def test_attempt_that_ends_between_the_epochs_is_kept_and_not_sent() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    begin(machine, 2)
    assert sent(finish(machine, A, 0, PART)) == []
    (out,) = sent(arrive(machine, entry(0, epoch=2)))
    assert (out.epoch, out.attempt) == (2, FIRST)


def test_what_waited_in_an_older_epoch_runs_only_when_it_comes_again() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0), entry(1))
    begin(machine, 2)
    assert runs(finish(machine, A, 0, PART)) == []
    assert attempts(arrive(machine, entry(1, epoch=2))) == [(2, 1)]


def test_delivery_of_an_older_epoch_does_nothing() -> None:
    machine = dispatcher(SIMPLE)
    begin(machine, 2)
    arrive(machine, entry(0, epoch=2))
    assert arrive(machine, entry(0, epoch=1, attempt=(7, 7))) == []


def test_batches_end_with_their_epoch_and_free_what_they_hold() -> None:
    plan = TaskPlan(B, (A,), (SINK,), batchers=(A,))
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B, C), is_scatter=True, batchers=(A,)), plan)
    batch = Delivery("a", 0, (0, 1), A, B, (PART,), epoch=1, attempt=(1, 0))
    assert runs(arrive(machine, batch)) == [(B, "a.0")]
    actions = begin(machine, 2)
    assert act.Kill(ItemId("a.0"), B, FIRST) in actions
    assert act.DropBatches() in actions
    assert machine.free_cores == 1


def test_stream_without_batches_has_none_to_drop() -> None:
    assert begin(dispatcher(SIMPLE), 2) == []


# -- the end of items ------------------------------------------------------------------------------


def test_item_that_ended_frees_everything() -> None:
    machine = dispatcher(SIMPLE, JOIN)
    arrive(machine, entry(0), entry(1), delivery(0, B, D))
    finish(machine, A, 0, PART)
    actions = tell(machine, ev.Settled((0, 1)))
    assert act.DropOutputs(item_id(0), A) in actions
    assert act.Kill(item_id(1), A, FIRST) in actions
    assert {(a.item, a.task) for a in actions if isinstance(a, act.DropInputs)} == {
        ("0", A),
        ("1", A),
        ("0", D),
    }
    assert (machine.size, machine.waiting, machine.free_cores) == (0, 0, 1)
    assert machine.elected() == {}


def test_batch_is_freed_with_its_items() -> None:
    machine = dispatcher(SCATTER, TaskPlan(B, (A,), (SINK,), batchers=(A,)))
    arrive(machine, Delivery("a", 3, (3, 4), A, B, (PART,), epoch=1, attempt=(1, 0)))
    actions = tell(machine, ev.Settled((3, 4)))
    assert act.Kill(ItemId("a.3"), B, FIRST) in actions
    assert (machine.size, machine.free_cores) == (0, 1)


def test_end_of_one_item_leaves_the_others() -> None:
    machine = dispatcher(SIMPLE, cores=2)
    arrive(machine, entry(0), entry(1))
    tell(machine, ev.Settled((0,)))
    assert len(sent(finish(machine, A, 1, PART))) == 1


def test_election_that_is_written_down_after_the_end_of_its_item_sends_nothing() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    actions = tell(machine, ended(A, 0, PART))
    tell(machine, ev.Settled((0,)))
    assert keep(machine, actions) == []


# -- after a restart -------------------------------------------------------------------------------


def restored(*records: rec.Record, retries: int = 2) -> Dispatcher:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=retries))
    machine.is_restoring = True
    for record in records:
        machine.restore(record, 0.0)
    machine.is_restoring = False
    return machine


def test_attempt_that_was_cut_short_begins_anew_with_the_next_number() -> None:
    machine = restored(rec.Taken(entry(0)), rec.Started(A, item_id(0), FIRST))
    actions = machine.resume() + machine.start()
    assert attempts(actions) == [(1, 2)]


def test_what_was_elected_is_sent_again_and_not_run() -> None:
    machine = restored(
        rec.Taken(entry(0)),
        rec.Started(A, item_id(0), FIRST),
        rec.Elected(A, item_id(0), FIRST, ((0, 0),), (PART,), "done", ""),
    )
    assert machine.elected() == {(A, "0"): (1, FIRST)}
    actions = machine.resume() + machine.start()
    assert runs(actions) == []
    assert [names(each) for each in sent(actions)] == [(B, ["x"])]


def test_election_of_another_lineage_is_not_restored() -> None:
    machine = restored(
        rec.Taken(entry(0, attempt=(1, 2))),
        rec.Elected(A, item_id(0), FIRST, ((1, 1),), (PART,), "done", ""),
    )
    assert machine.elected() == {}
    assert runs(machine.resume() + machine.start()) == [(A, "0")]


@pytest.mark.parametrize(("number", "is_given_up"), [(CRASHES_MAX, False), (CRASHES_MAX + 1, True)])
def test_item_that_kills_its_node_is_given_up_at_last(number: int, is_given_up: bool) -> None:
    machine = restored(rec.Taken(entry(0)), rec.Started(A, item_id(0), (1, number)), retries=0)
    actions = machine.resume() + machine.start()
    assert bool(runs(actions)) != is_given_up
    if is_given_up:
        assert elected(actions).detail == f"task a never ended in {number} attempts"


def test_failure_that_was_passed_on_is_decided_again() -> None:
    machine = restored(rec.Taken(delivery(0, INGRESS, A, outcome="failed", detail="boom")))
    (out,) = sent(keep(machine, machine.resume()))
    assert (out.outcome, out.detail) == ("failed", "boom")
