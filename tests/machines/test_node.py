"""A whole node: what is written down before it is said, where items go, and its workers."""

from __future__ import annotations

from dataclasses import replace

from tests.machines.nodes import (
    HOME,
    A,
    B,
    X,
    Y,
    acked,
    config,
    deliver,
    delivered,
    ended,
    entry,
    keep,
    records,
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
from jupiter.model.ids import item_id
from jupiter.model.view import Load


def test_first_view_is_written_down_before_anything_is_taken() -> None:
    machine = Node(config())
    assert machine.start(0.0) == [act.Persist(rec.Seen(view()), is_synced=True)]
    assert not machine.is_member
    machine.step(ev.Kept(rec.Seen(view())), 0.0)
    assert machine.is_member


def test_delivery_is_acknowledged_when_it_is_written_down() -> None:
    machine = started(config())
    first = machine.step(deliver(), 0.0)
    assert first == [act.Persist(rec.Taken(entry(0)), is_synced=True)]
    second = machine.step(ev.Kept(rec.Taken(entry(0))), 1.0)
    assert acked(second) == [7]
    assert runs(second) == [(A, "0")]


def test_delivery_that_comes_twice_is_written_once_and_acknowledged_twice() -> None:
    machine = started(config())
    machine.step(deliver(number=7), 0.0)
    assert machine.step(deliver(number=9), 0.0) == []
    assert acked(machine.step(ev.Kept(rec.Taken(entry(0))), 0.0)) == [7, 9]
    late = machine.step(deliver(number=11), 0.0)
    assert acked(late) == [11]
    assert records(late) == []


def test_outputs_leave_only_after_their_election_is_written_down() -> None:
    machine = started(config())
    tell(machine, deliver())
    actions = machine.step(ended(), 0.0)
    assert [type(action) for action in actions] == [act.Persist]
    assert delivered(keep(machine, actions)) == [(Y, B, "0")]


def test_delivery_is_said_until_it_is_acknowledged() -> None:
    machine = started(config())
    tell(machine, deliver())
    (out,) = (a for a in tell(machine, ended()) if isinstance(a, act.Transmit))
    assert machine.step(ev.Connected(Y), 0.0) == [out]
    assert machine.step(ev.Received(Y, 0, words.Ack(out.number, 64)), 0.0) == []
    assert machine.step(ev.Connected(Y), 0.0) == []


def test_level_none_writes_nothing_down() -> None:
    machine = started(config(level="none"))
    actions = machine.step(deliver(), 0.0)
    assert records(actions) == []
    assert acked(actions) == [7]
    assert delivered(machine.step(ended(), 0.0)) == [(Y, B, "0")]


def test_level_ingress_syncs_only_what_home_writes() -> None:
    away = Node(config(X, level="ingress"))
    home = Node(config(HOME, level="ingress"))
    assert away.start(0.0) == [act.Persist(rec.Seen(view()), is_synced=False)]
    assert home.start(0.0) == [act.Persist(rec.Seen(view()), is_synced=True)]


def test_nothing_is_acknowledged_where_nothing_can_get_lost() -> None:
    machine = started(replace(config(level="none"), has_acks=False))
    assert acked(machine.step(deliver(), 0.0)) == []
    (out,) = (a for a in machine.step(ended(), 0.0) if isinstance(a, act.Transmit))
    assert out.number == 0
    assert machine.outbox.size == 0


def test_credit_falls_with_the_queue_and_never_below_one() -> None:
    machine = started(replace(config(level="none"), credit_max=3))
    found = [
        word.credit
        for seq in range(6)
        for _, word in said(machine.step(deliver(seq, seq + 1), 0.0), words.Ack)
        if isinstance(word, words.Ack)
    ]
    assert found == [3, 3, 2, 1, 1, 1]


def test_local_delivery_is_handed_over_before_it_runs() -> None:
    machine = started(config(first=view(a=X, b=X), level="none"))
    machine.step(deliver(), 0.0)
    actions = machine.step(ended(), 0.0)
    kinds = [type(action) for action in actions if isinstance(action, act.Hand | act.Run)]
    assert kinds == [act.Hand, act.Run]
    assert delivered(actions) == []


def test_local_delivery_is_handed_over_then_written_down_then_run() -> None:
    machine = started(config(first=view(a=X, b=X)))
    tell(machine, deliver())
    actions = tell(machine, ended())
    order = [
        "taken" if isinstance(action, act.Persist) else type(action).__name__
        for action in actions
        if isinstance(action, act.Hand | act.Run)
        or (isinstance(action, act.Persist) and isinstance(action.record, rec.Taken))
    ]
    assert order == ["Hand", "taken", "Run"]


def test_every_event_from_outside_ends_in_as_many_runs_as_there_are_cores() -> None:
    machine = started(replace(config(level="none"), cores=2))
    found = [run for seq in range(4) for run in runs(machine.step(deliver(seq), 0.0))]
    assert found == [(A, "0"), (A, "1")]


def test_delivery_waits_until_its_place_is_known() -> None:
    machine = started(replace(config(), placement="least-loaded"))
    ((node, question),) = said(tell(machine, deliver()), words.Ask)
    assert (node, question) == (Y, words.Ask(1, B, item_id(0), 0))
    assert delivered(tell(machine, ended())) == []
    answer = words.Placed(1, 1, B, item_id(0), HOME, 0)
    assert delivered(tell(machine, ev.Received(Y, 0, answer))) == [(HOME, B, "0")]


def test_answer_to_a_question_acknowledges_it() -> None:
    machine = started(replace(config(), placement="least-loaded"))
    tell(machine, deliver())
    assert machine.outbox.size == 1
    tell(machine, ev.Received(Y, 0, words.Placed(1, 1, B, item_id(0), Y, 0)))
    assert machine.outbox.size == 0


def test_question_is_answered_when_the_choice_is_written_down() -> None:
    machine = started(replace(config(Y), placement="least-loaded"))
    first = machine.step(ev.Received(X, 4, words.Ask(1, B, item_id(0), 0)), 0.0)
    (record,) = records(first)
    assert said(first, words.Placed) == []
    assert isinstance(record, rec.Assigned)
    told = said(keep(machine, first), words.Placed)
    assert told == [(X, words.Placed(4, 1, B, item_id(0), record.node, 0))]


def test_node_that_asks_itself_needs_no_network() -> None:
    made = replace(config(first=view(a=X, b=X)), placement="least-loaded")
    machine = started(made)
    actions = tell(machine, deliver())
    assert said(actions, words.Ask, words.Placed) == []
    assert machine.placing.where(B, item_id(0)) == X


def test_query_is_answered_with_the_load() -> None:
    machine = started(config(level="none"))
    for seq in range(3):
        machine.step(deliver(seq), 0.0)
    assert machine.step(ev.Received(Y, 0, words.Query(B, item_id(0))), 0.0) == [
        act.Transmit(Y, 0, words.Quote(B, item_id(0), Load(2, 1, 1)))
    ]


def test_workers_are_started_as_the_view_wants_and_items_wait_for_them() -> None:
    machine = Node(replace(config(), has_workers=True))
    assert act.Start(A) in keep(machine, machine.start(0.0))
    assert runs(tell(machine, deliver())) == []
    assert runs(tell(machine, ev.Ready(A))) == [(A, "0")]
    moved = tell(machine, status(view(2, a=Y, b=X)))
    assert [a for a in moved if isinstance(a, act.Start | act.Stop)] == [
        act.Stop(A),
        act.Start(B),
    ]


def test_workers_that_cannot_start_are_tried_again() -> None:
    machine = started(replace(config(), has_workers=True))
    assert tell(machine, ev.Unready(A, "no such file")) == [
        act.SetTimer(ev.Timer("restart", A), 0.5)
    ]
    assert tell(machine, ev.Due(ev.Timer("restart", A))) == [act.Start(A)]


def test_sign_of_life_is_given_again_and_again() -> None:
    machine = Node(replace(config(), beat_s=2.0))
    again = act.SetTimer(ev.Timer("beat"), 2.0)
    assert again in machine.start(0.0)
    beat = machine.step(ev.Due(ev.Timer("beat")), 2.0)
    assert [node for node, _ in said(beat, words.Beat)] == [HOME]
    assert again in beat
