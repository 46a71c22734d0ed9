"""The dispatcher: event lists in, exact actions out."""

from __future__ import annotations

from jupiter.control.dispatch import Dispatcher
from jupiter.control.policy import StaticPlacement
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, Part, TaskPlan

A, B, C, D = (TaskId(name) for name in "abcd")
HERE, THERE, HOME = NodeId("here"), NodeId("there"), NodeId("home")
PART = Part("x", 3)


def delivery(seq: int, source: TaskId, target: TaskId, *parts: Part, scope: str = "") -> Delivery:
    return Delivery(scope, seq, (seq,), source, target, parts or (PART,))


def dispatcher(*plans: TaskPlan, cores: int = 1) -> Dispatcher:
    mapping = {A: HERE, B: HERE, C: THERE, D: HERE}
    return Dispatcher(plans, cores, StaticPlacement(mapping), HOME)


def runs(actions: list[act.Action]) -> list[tuple[TaskId, ItemId]]:
    return [(action.task, action.item) for action in actions if isinstance(action, act.Run)]


def sends(actions: list[act.Action]) -> list[tuple[TaskId, NodeId, tuple[str, ...]]]:
    return [
        (action.delivery.target, action.node, tuple(part.name for part in action.delivery.parts))
        for action in actions
        if isinstance(action, act.Send)
    ]


def test_item_runs_when_its_only_input_arrives() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,)))
    assert runs(machine.step(ev.Arrived(delivery(0, INGRESS, A)), 1.0)) == [(A, "0")]


def test_join_waits_for_parts_of_the_same_item_and_orders_them_by_parent() -> None:
    machine = dispatcher(TaskPlan(D, (B, C), (SINK,)), cores=2)
    assert machine.step(ev.Arrived(delivery(0, C, D)), 1.0) == []
    assert machine.step(ev.Arrived(delivery(1, B, D)), 2.0) == []
    actions = machine.step(ev.Arrived(delivery(0, B, D)), 3.0)
    assert runs(actions) == [(D, "0")]
    run = actions[0]
    assert isinstance(run, act.Run)
    assert [each.source for each in run.inputs] == [B, C]
    assert run.enter_s == 1.0


def test_delivery_that_comes_twice_takes_effect_once() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,)), cores=2)
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 1.0)
    assert machine.has_seen(delivery(0, INGRESS, A))
    assert machine.step(ev.Arrived(delivery(0, INGRESS, A)), 2.0) == []


def test_no_more_executions_run_than_there_are_cores() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,)), cores=2)
    started = [
        run
        for seq in range(3)
        for run in runs(machine.step(ev.Arrived(delivery(seq, INGRESS, A)), 0.0))
    ]
    assert started == [(A, "0"), (A, "1")]
    assert runs(machine.step(ev.Finished(ItemId("0"), A, 1, (PART,)), 1.0)) == [(A, "2")]


def test_oldest_item_goes_first_and_downstream_before_upstream() -> None:
    plans = (TaskPlan(A, (INGRESS,), (B,), rank=0), TaskPlan(B, (A,), (C,), rank=1))
    machine = dispatcher(*plans)
    machine.step(ev.Arrived(delivery(1, INGRESS, A)), 0.0)
    machine.step(ev.Arrived(delivery(2, INGRESS, A)), 0.0)
    machine.step(ev.Arrived(delivery(2, A, B)), 0.0)
    machine.step(ev.Arrived(delivery(0, A, B)), 0.0)
    order = []
    item, task = ItemId("1"), A
    for _ in range(3):
        ((task, item),) = runs(machine.step(ev.Finished(item, task, 1, (PART,)), 1.0))
        order.append((task, item))
    assert order == [(B, "0"), (B, "2"), (A, "2")]


def test_broadcast_gives_every_output_to_every_child() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B, C)))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    outputs = (Part("p", 1), Part("q", 1))
    actions = machine.step(ev.Finished(ItemId("0"), A, 1, outputs), 1.0)
    assert sends(actions) == [(B, HERE, ("p", "q")), (C, THERE, ("p", "q"))]


def test_scatter_gives_the_kth_output_to_the_kth_child() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B, C), is_scatter=True))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    outputs = tuple(Part(name, 1) for name in "pqr")
    actions = machine.step(ev.Finished(ItemId("0"), A, 1, outputs), 1.0)
    assert sends(actions) == [(B, HERE, ("p", "r")), (C, THERE, ("q",))]


def finish_one_output_each(machine: Dispatcher, order: list[int]) -> list[act.Send]:
    """Let items arrive in order and finish in another, each with one output named by its number."""
    for seq in range(len(order)):
        machine.step(ev.Arrived(delivery(seq, INGRESS, A)), 0.0)
    return [
        action
        for seq in order
        for action in machine.step(
            ev.Finished(ItemId(str(seq)), A, 1, (Part(f"out{seq}", 1),)), 1.0
        )
        if isinstance(action, act.Send)
    ]


def test_scatter_collects_consecutive_items_whatever_finishes_first() -> None:
    plan = TaskPlan(A, (INGRESS,), (B, C), is_scatter=True)
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        sent = finish_one_output_each(dispatcher(plan, cores=4), order)
        assert [
            (each.delivery.item, each.delivery.target, each.delivery.parts[0].name) for each in sent
        ] == [("a.0", B, "out0"), ("a.0", C, "out1"), ("a.1", B, "out2"), ("a.1", C, "out3")]
        assert [each.delivery.origins for each in sent[::2]] == [(0, 1), (2, 3)]


def test_item_in_an_incomplete_batch_is_told_to_the_ingress() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B, C), is_scatter=True))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    actions = machine.step(ev.Finished(ItemId("0"), A, 1, (PART,)), 1.0)
    assert act.SendHeld((0,)) in actions


def test_batch_that_stays_incomplete_fails_at_the_end_and_says_why() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B, C), is_scatter=True))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    machine.step(ev.Finished(ItemId("0"), A, 1, (PART,)), 1.0)
    actions = machine.step(ev.EdgeEnded(INGRESS, A, 1), 2.0)
    failed = [a.delivery for a in actions if isinstance(a, act.Send)]
    assert [each.outcome for each in failed] == ["failed", "failed"]
    assert failed[0].origins == (0,)
    assert "before every child of a" in failed[0].detail
    assert [a for a in actions if isinstance(a, act.SendEnd)] == [
        act.SendEnd(A, B, HERE, 1),
        act.SendEnd(A, C, THERE, 1),
    ]


def test_failed_attempt_is_repeated_after_a_pause_then_the_item_fails() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=1))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    first = machine.step(ev.Failed(ItemId("0"), A, 1, "boom"), 1.0)
    assert first == [act.Later(ItemId("0"), A, 0.05)]
    again = machine.step(ev.Due(ItemId("0"), A), 1.05)
    assert [a.attempt for a in again if isinstance(a, act.Run)] == [2]
    last = machine.step(ev.Failed(ItemId("0"), A, 2, "boom"), 2.0)
    (sent,) = (a.delivery for a in last if isinstance(a, act.Send))
    assert (sent.outcome, sent.parts) == ("failed", ())
    assert "task a failed in 2 attempts: boom" in sent.detail


def test_final_failure_is_not_repeated() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=5))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    actions = machine.step(ev.Failed(ItemId("0"), A, 1, "no such file", is_final=True), 1.0)
    assert not [a for a in actions if isinstance(a, act.Later)]


def test_result_of_an_attempt_that_no_longer_counts_is_ignored() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,)))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    machine.step(ev.Failed(ItemId("0"), A, 1, "boom"), 1.0)
    assert machine.step(ev.Finished(ItemId("0"), A, 1, (PART,)), 1.1) == []


def test_failure_travels_on_without_running_the_tasks_that_follow() -> None:
    machine = dispatcher(TaskPlan(D, (B, C), (SINK,)))
    bad = Delivery("", 0, (0,), B, D, (), "failed", "b broke")
    machine.step(ev.Arrived(bad), 0.0)
    actions = machine.step(ev.Arrived(delivery(0, C, D)), 1.0)
    assert runs(actions) == []
    (sent,) = (a for a in actions if isinstance(a, act.Send))
    assert (sent.node, sent.delivery.outcome, sent.delivery.detail) == (HOME, "failed", "b broke")


def test_task_without_output_filters_the_item() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,)))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    actions = machine.step(ev.Finished(ItemId("0"), A, 1, ()), 1.0)
    (sent,) = (a.delivery for a in actions if isinstance(a, act.Send))
    assert (sent.outcome, sent.detail) == ("filtered", "task a gave no output")


def test_outputs_are_dropped_when_the_last_child_has_them() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B, C)))
    machine.step(ev.Arrived(delivery(0, INGRESS, A)), 0.0)
    actions = machine.step(ev.Finished(ItemId("0"), A, 1, (PART,)), 1.0)
    refs = [a.refs for a in actions if isinstance(a, act.Send)]
    assert machine.step(ev.Delivered(refs[0]), 2.0) == []
    assert machine.step(ev.Delivered(refs[1]), 3.0) == [act.DropOutputs(ItemId("0"), A)]


def test_end_passes_on_only_after_the_last_delivery_and_execution() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,)))
    assert machine.step(ev.EdgeEnded(INGRESS, A, 1), 0.0) == []
    actions = machine.step(ev.Arrived(delivery(0, INGRESS, A)), 1.0)
    assert not [a for a in actions if isinstance(a, act.SendEnd)]
    actions = machine.step(ev.Finished(ItemId("0"), A, 1, (PART,)), 2.0)
    assert act.SendEnd(A, B, HERE, 1) in actions


def test_join_that_can_never_be_complete_fails_at_the_end() -> None:
    machine = dispatcher(TaskPlan(D, (B, C), (SINK,)))
    machine.step(ev.Arrived(delivery(0, B, D)), 0.0)
    machine.step(ev.EdgeEnded(B, D, 1), 1.0)
    actions = machine.step(ev.EdgeEnded(C, D, 0), 2.0)
    (sent,) = (a.delivery for a in actions if isinstance(a, act.Send))
    assert sent.outcome == "failed"
    assert "task d never got an input from c" in sent.detail
