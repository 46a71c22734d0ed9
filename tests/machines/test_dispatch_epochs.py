"""The dispatcher: what a new epoch makes of the work, and the end of items."""

from __future__ import annotations

from tests.machines.dispatching import (
    FIRST,
    JOIN,
    PART,
    SCATTER,
    SIMPLE,
    A,
    B,
    C,
    D,
    arrive,
    attempts,
    begin,
    delivery,
    dispatcher,
    ended,
    entry,
    finish,
    keep,
    runs,
    sent,
    tell,
)

from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.ids import INGRESS, SINK, ItemId, item_id
from jupiter.model.items import Delivery, TaskPlan


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
