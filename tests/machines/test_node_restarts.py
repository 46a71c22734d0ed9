"""A whole node that starts again from what it had written down."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.nodes import (
    HOME,
    SCATTER,
    A,
    B,
    C,
    X,
    Y,
    acked,
    config,
    deliver,
    delivered,
    ended,
    keep,
    offered,
    records,
    result,
    runs,
    status,
    tell,
    view,
)

from jupiter.control.node import Node
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, item_id
from jupiter.model.items import TaskPlan


def journal(machine: Node, *told: ev.Event) -> list[rec.Record]:
    """Return what a node writes down from its start on."""
    actions = machine.start(0.0)
    actions += keep(machine, actions)
    for event in told:
        actions += tell(machine, event)
    return records(actions)


def test_restored_node_knows_the_same_elections_and_sends_them_again() -> None:
    before = Node(config())
    written = journal(before, deliver(0, 1), ended(seq=0), deliver(1, 2), ended(seq=1))
    after = Node(replace(config(), first_number=100))
    after.restore(written, 5.0)
    assert before.dispatcher.elected() == {(A, "0"): (1, (1, 1)), (A, "1"): (1, (1, 1))}
    assert after.dispatcher.elected() == before.dispatcher.elected()
    assert after.view == before.view
    assert after.is_member
    actions = after.resume(6.0)
    assert delivered(actions) == [(Y, B, "0"), (Y, B, "1")]
    assert runs(actions) == []
    numbers = [a.number for a in actions if isinstance(a, act.Transmit)]
    assert numbers == [100, 101]


def test_restored_node_runs_again_what_was_cut_short() -> None:
    written = journal(Node(config()), deliver(0, 1), deliver(1, 2))
    after = Node(config())
    after.restore(written, 5.0)
    (run,) = (a for a in after.resume(6.0) if isinstance(a, act.Run))
    assert (run.item, run.attempt) == ("0", (1, 2))
    assert after.keeps_inputs(A, item_id(1))


def test_restored_node_takes_a_delivery_that_it_had_written_down_only_once() -> None:
    after = Node(config())
    after.restore(journal(Node(config()), deliver()), 5.0)
    after.resume(6.0)
    actions = after.step(deliver(number=8), 7.0)
    assert acked(actions) == [8]
    assert len(actions) == 1


def test_restored_node_knows_what_had_ended() -> None:
    written = journal(Node(config()), deliver(), ended(), status(view(), 1))
    after = Node(config())
    after.restore(written, 5.0)
    assert after.size == 0
    assert delivered(after.resume(6.0)) == []
    assert not after.keeps_outputs(A, item_id(0))


def test_restored_node_says_nothing_while_it_reads() -> None:
    after = Node(config())
    after.restore(journal(Node(config()), deliver(), ended()), 5.0)
    assert after.step(ev.Connected(Y), 5.0) == []


def test_restored_home_begins_a_new_epoch_and_sends_again_what_has_not_ended() -> None:
    before = Node(config(HOME))
    written = journal(before, offered("f"), offered("g"), result(0), ev.Shown(1))
    after = Node(config(HOME))
    after.restore(written, 5.0)
    actions = after.resume(6.0)
    actions += keep(after, actions)
    assert after.view == view(2)
    assert delivered(actions) == [(X, A, "1")]


def test_restored_home_shows_what_was_committed_and_not_published() -> None:
    after = Node(config(HOME))
    after.restore(journal(Node(config(HOME)), offered(), result()), 5.0)
    actions = after.resume(6.0)
    assert [a.commit.number for a in actions if isinstance(a, act.Publish)] == [1]
    assert after.keeps_inputs(SINK, item_id(0))
    shown = tell(after, ev.Shown(1))
    assert act.Resolve(rec.Ending(0, "done", "", ("out",))) in shown


def test_home_without_a_record_starts_as_if_it_were_new() -> None:
    machine = Node(config(HOME))
    machine.restore([], 0.0)
    assert machine.resume(0.0) == [act.Persist(rec.Seen(view()), is_synced=True)]


def test_restored_home_lets_an_unfinished_batch_of_its_own_fail() -> None:
    made = config(HOME, SCATTER, view(a=HOME, b=X, c=X))
    after = Node(made)
    after.restore(journal(Node(made), offered(), ev.InputClosed()), 5.0)
    resumed = after.resume(6.0)
    (run,) = (a for a in resumed if isinstance(a, act.Run))
    keep(after, resumed)
    actions = tell(after, ended(attempt=run.attempt))
    assert delivered(actions) == [(X, B, "a.0"), (X, C, "a.0")]


def test_restored_home_keeps_nothing_of_what_had_ended() -> None:
    made = config(HOME, (TaskPlan(A, (INGRESS,), (SINK,)),), view(a=HOME))
    before = Node(made)
    written = journal(before, offered(), ended(), ev.Shown(1))
    assert before.size == 0
    after = Node(made)
    after.restore(written, 5.0)
    keep(after, after.resume(6.0))
    assert not after.keeps_outputs(A, item_id(0))
    assert after.size == 0
