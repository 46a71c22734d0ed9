"""A whole node whose files cannot be used any more, and home that hears of deaths."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.nodes import (
    HOME,
    A,
    B,
    X,
    Y,
    config,
    deliver,
    delivered,
    ended,
    entry,
    keep,
    offered,
    records,
    result,
    runs,
    said,
    started,
    status,
    tell,
    view,
)

from jupiter.control.node import Node
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId, item_id
from jupiter.model.items import Delivery, TaskPlan
from jupiter.model.view import Load, View

ITEM = item_id(0)
LONE = (TaskPlan(A, (INGRESS,), (SINK,)),)


def damaged(task: TaskId = A) -> ev.Damaged:
    return ev.Damaged(ITEM, task, "bytes 0 to 9 are others")


def knowing(epoch: int = 2, incarnation: int = 2) -> View:
    """Return a view of an epoch whose home knows what X has forgotten."""
    return View(epoch, {HOME: 1, X: incarnation, Y: 1}, {A: X, B: Y})


def beats(actions: list[act.Action]) -> list[tuple[NodeId, words.Word]]:
    return said(actions, words.Beat)


# -- deaths ------------------------------------------------------------------------------------


def watching() -> Node:
    return started(replace(config(HOME), lease_s=4.0))


def test_tasks_of_a_dead_process_move_at_once() -> None:
    machine = watching()
    actions = tell(machine, ev.Gone(X))
    assert records(actions) == [rec.Seen(View(2, {HOME: 1, Y: 1}, {A: Y, B: Y}))]
    assert machine.view.mapping == {A: Y, B: Y}


def test_wrong_news_of_a_death_is_mended_by_signs_of_life() -> None:
    machine = watching()
    tell(machine, ev.Gone(X))
    beat = ev.Received(X, 0, words.Beat(1, 1, 0, -1, Load()))
    for now in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        machine.step(beat, now)
        keep(machine, machine.step(ev.Received(Y, 0, words.Beat(1, 2, 0, -1, Load())), now))
    keep(machine, machine.step(ev.Due(ev.Timer("lease")), 3.0))
    assert machine.view == view(3)


def test_news_of_a_death_mean_nothing_to_others_than_home_or_without_leases() -> None:
    assert tell(started(config()), ev.Gone(Y)) == []
    assert tell(started(config(HOME)), ev.Gone(X)) == []


def test_home_is_never_gone_and_unknown_nodes_neither() -> None:
    machine = watching()
    assert tell(machine, ev.Gone(HOME)) == []
    assert tell(machine, ev.Gone(NodeId("z"))) == []


# -- files of a node ---------------------------------------------------------------------------


def test_damage_is_written_down_before_anything_follows() -> None:
    machine = started(config())
    tell(machine, deliver())
    lost = rec.Lost(ITEM, A, "bytes 0 to 9 are others")
    assert machine.step(damaged(), 0.0) == [act.Persist(lost, is_synced=True)]
    assert machine.is_member


def test_node_with_a_damaged_input_takes_part_no_more_until_home_knows() -> None:
    machine = started(config())
    assert runs(tell(machine, deliver())) == [(A, ITEM)]
    actions = tell(machine, damaged())
    assert act.Kill(ITEM, A, (1, 1)) in actions
    assert act.DropInputs(ITEM, A, 1) in actions
    assert beats(actions) == [(HOME, words.Beat(2, 1, 0, -1, Load()))]
    assert not machine.is_member
    assert not machine.wants(entry(1))
    assert tell(machine, deliver(1)) == []
    assert not machine.keeps_inputs(A, ITEM)


def test_input_that_was_damaged_comes_again_in_a_new_epoch_and_is_executed() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, damaged())
    tell(machine, status(view(2)))  # of a home that has not heard
    assert not machine.wants(entry(0, epoch=2))
    tell(machine, status(knowing(3)))
    assert machine.wants(entry(0, epoch=3))
    actions = tell(machine, deliver(epoch=3))
    assert [a.attempt for a in actions if isinstance(a, act.Run)] == [(3, 1)]


def test_damaged_outputs_are_dropped_and_no_word_speaks_of_them_again() -> None:
    machine = started(config())
    tell(machine, deliver())
    assert delivered(tell(machine, ended())) == [(Y, B, ITEM)]
    assert delivered(machine.step(ev.Connected(Y), 0.0)) == [(Y, B, ITEM)]
    actions = tell(machine, damaged())
    assert act.DropOutputs(ITEM, A) in actions
    assert machine.dispatcher.elected() == {}
    assert delivered(machine.step(ev.Connected(Y), 0.0)) == []
    assert machine.outbox.size == 0


def test_what_ends_after_damage_is_said_in_the_new_epoch_only() -> None:
    machine = started(replace(config(), cores=2))
    tell(machine, deliver(0, 1))
    tell(machine, deliver(1, 2))
    tell(machine, damaged())
    assert delivered(tell(machine, ended(seq=1))) == []
    tell(machine, status(knowing()))
    assert delivered(tell(machine, deliver(1, epoch=2))) == [(Y, B, "1")]


def test_delivery_that_was_being_written_when_damage_was_found_leaves_no_files() -> None:
    machine = started(config())
    tell(machine, deliver(0, 1))
    (taken,) = records(machine.step(deliver(1, 2), 0.0))
    tell(machine, damaged())
    assert act.DropInputs(item_id(1), A, 1) in machine.step(ev.Kept(taken), 0.0)


def test_loss_is_known_after_a_restart() -> None:
    before = Node(config())
    actions = before.start(0.0)
    written = records(actions + keep(before, actions))
    for event in (deliver(), ended(), damaged()):
        written += records(tell(before, event))
    after = Node(replace(config(), beat_s=1.0))
    after.restore(written, 5.0)
    assert not after.is_member
    assert after.dispatcher.elected() == {}
    assert not after.keeps_outputs(A, ITEM)
    actions = after.resume(6.0)
    assert beats(actions) == [(HOME, words.Beat(2, 1, 0, -1, Load()))]
    assert delivered(actions) == []
    assert [a for a in actions if isinstance(a, act.Start)] == []


def test_restart_passes_over_a_delivery_that_was_written_behind_the_end_of_its_epoch() -> None:
    taken = rec.Taken(entry(0, epoch=1))
    after = Node(config())
    after.restore([rec.Seen(view()), rec.Seen(view(2)), taken], 5.0)
    assert after.size == 0
    lost = rec.Lost(item_id(1), A, "gone")
    after = Node(config())
    after.restore([rec.Seen(view()), lost, taken], 5.0)
    assert after.size == 0


def test_restart_tells_no_load_of_what_had_ended() -> None:
    before = Node(config())
    actions = before.start(0.0)
    written = records(actions + keep(before, actions))
    written += records(tell(before, deliver()) + tell(before, ended()))
    after = Node(config())
    after.restore(written, 5.0)
    after.resume(6.0)
    assert after.dispatcher.load == Load()


# -- an input that was lost when it was sent again ---------------------------------------------


def unreadable(epoch: int) -> ev.Received:
    delivery = Delivery("", 0, (0,), INGRESS, A, (), "failed", "lost", epoch)
    return ev.Received(HOME, 9, words.Deliver(delivery))


def test_what_was_made_of_an_input_before_it_was_lost_is_used() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    tell(machine, status(view(2)))
    assert delivered(tell(machine, unreadable(2))) == [(Y, B, ITEM)]


def test_input_that_was_lost_before_it_was_used_is_not_executed() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, status(view(2)))
    actions = tell(machine, unreadable(2))
    assert act.Kill(ITEM, A, (1, 1)) in actions
    assert runs(actions) == []
    ((_, word),) = said(actions, words.Deliver)
    assert isinstance(word, words.Deliver)
    assert (word.delivery.outcome, word.delivery.detail) == ("failed", "lost")


# -- files of home -----------------------------------------------------------------------------


def test_accepted_input_that_cannot_be_read_fails_in_a_new_epoch() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    actions = tell(machine, damaged(INGRESS))
    assert rec.Seen(view(2)) in records(actions)
    ((node, word),) = said(actions, words.Deliver)
    assert isinstance(word, words.Deliver)
    assert node == X
    assert word.delivery.outcome == "failed"
    assert word.delivery.detail == "bytes 0 to 9 are others"
    assert word.delivery.parts == ()


def test_accepted_input_that_was_lost_fails_after_a_restart_too() -> None:
    accepted = rec.Accepted(0, "f", ())
    after = Node(config(HOME))
    after.restore([rec.Seen(view()), accepted, rec.Lost(ITEM, INGRESS, "lost")], 5.0)
    resumed = after.resume(6.0)
    ((_, word),) = said(resumed + keep(after, resumed), words.Deliver)
    assert isinstance(word, words.Deliver)
    assert (word.delivery.outcome, word.delivery.detail) == ("failed", "lost")


def test_item_that_has_ended_does_not_mind_that_its_input_is_lost() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    tell(machine, result())
    tell(machine, ev.Shown(1))
    assert delivered(tell(machine, damaged(INGRESS))) == []
    assert machine.size == 0


def test_home_executes_again_what_it_has_lost_of_its_own_task() -> None:
    machine = started(config(HOME, LONE, view(a=HOME)))
    assert runs(tell(machine, offered())) == [(A, ITEM)]
    actions = tell(machine, damaged())
    assert machine.view.epoch == 2
    assert [a.attempt for a in actions if isinstance(a, act.Run)] == [(2, 1)]


def test_home_takes_nothing_between_damage_and_the_new_epoch() -> None:
    plans = (TaskPlan(B, (INGRESS,), (A,)), TaskPlan(A, (B,), (SINK,)))
    machine = started(config(HOME, plans, view(b=X, a=HOME)))
    tell(machine, offered())
    delivery = Delivery("", 0, (0,), B, A, (), epoch=1, attempt=(1, 1))
    assert runs(tell(machine, ev.Received(X, 5, words.Deliver(delivery)))) == [(A, ITEM)]
    (lost,) = records(machine.step(damaged(), 0.0))
    machine.step(ev.Kept(lost), 0.0)
    assert machine.view.epoch == 1
    assert machine.step(ev.Received(X, 5, words.Deliver(delivery)), 0.0) == []
    assert not machine.wants(delivery)


def test_lost_files_of_results_only_begin_an_epoch() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    actions = tell(machine, damaged(SINK))
    assert machine.view.epoch == 2
    assert delivered(actions) == [(X, A, ITEM)]
