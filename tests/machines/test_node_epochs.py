"""A whole node: epochs, home, and the end of items."""

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

from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, item_id
from jupiter.model.view import Load, Numbers


def test_word_of_an_older_epoch_is_acknowledged_and_ignored() -> None:
    machine = started(config(first=view(2)))
    actions = machine.step(deliver(epoch=1), 0.0)
    assert acked(actions) == [7]
    assert len(actions) == 1
    assert machine.size == 0
    assert not machine.wants(entry(0, epoch=1))


def test_word_of_a_newer_epoch_is_not_acknowledged_and_home_is_asked_once() -> None:
    machine = started(config())
    assert machine.step(deliver(epoch=2), 0.0) == [
        act.Transmit(HOME, 0, words.Beat(1, 1, 0, -1, Load()))
    ]
    assert machine.step(deliver(seq=1, epoch=2), 0.0) == []
    assert not machine.wants(entry(0, epoch=2))
    assert machine.size == 0


def test_view_of_home_is_written_down_once_and_then_taken_up() -> None:
    machine = started(config())
    news = status(view(2))
    assert machine.step(news, 0.0) == [act.Persist(rec.Seen(view(2)), is_synced=True)]
    assert machine.step(news, 0.0) == []
    machine.step(ev.Kept(rec.Seen(view(2))), 0.0)
    assert machine.view == view(2)
    assert runs(tell(machine, deliver(epoch=2))) == [(A, "0")]


def test_older_view_is_not_taken_up() -> None:
    machine = started(config(first=view(3)))
    assert tell(machine, status(view(2))) == []
    assert machine.view == view(3)


def test_delivery_whose_epoch_ends_while_it_is_written_down_is_dropped() -> None:
    machine = started(config())
    machine.step(deliver(), 0.0)
    tell(machine, status(view(2)))
    assert machine.step(ev.Kept(rec.Taken(entry(0))), 0.0) == [act.DropInputs(item_id(0), A, 1)]


def test_words_of_an_older_epoch_are_no_longer_said() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    assert machine.outbox.size == 1
    tell(machine, status(view(2)))
    assert machine.outbox.size == 0


def test_result_of_the_older_epoch_is_sent_in_the_new_one() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    tell(machine, status(view(2, a=X, b=HOME)))
    assert not machine.wants(entry(0, epoch=2))
    actions = tell(machine, deliver(number=8, epoch=2))
    assert acked(actions) == [8]
    assert runs(actions) == []
    ((node, word),) = said(actions, words.Deliver)
    assert isinstance(word, words.Deliver)
    assert (node, word.delivery.epoch, word.delivery.attempt) == (HOME, 2, (1, 1))


def test_node_that_forgot_is_no_member_of_a_view_with_its_older_self() -> None:
    machine = started(replace(config(), incarnation=2))
    assert not machine.is_member
    assert not machine.wants(entry(0))
    assert records(machine.step(deliver(), 0.0)) == []


def test_input_goes_from_home_to_the_node_of_its_task() -> None:
    machine = started(config(HOME))
    actions = tell(machine, offered())
    assert delivered(actions) == [(X, A, "0")]
    assert act.Accept(0, "f", 0.0) in actions


def test_item_ends_at_home_and_what_was_said_about_it_is_forgotten() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    actions = tell(machine, result())
    (publish,) = (a for a in actions if isinstance(a, act.Publish))
    shown = tell(machine, ev.Shown(publish.commit.number))
    assert act.Resolve(rec.Ending(0, "done", "", ("out",))) in shown
    assert act.DropOutputs(item_id(0), INGRESS) in shown
    assert machine.size == 0
    late = tell(machine, result(number=4))
    assert acked(late) == [4]
    assert len(late) == 1


def test_end_of_the_last_item_is_told_to_all_members_and_drains() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    tell(machine, ev.InputClosed())
    tell(machine, result())
    actions = tell(machine, ev.Shown(1))
    news = words.Status(view(), Numbers(1), 1)
    assert said(actions, words.Status) == [(X, news), (Y, news)]
    assert actions.count(act.Drained()) == 1


def test_hold_is_acknowledged_and_makes_room() -> None:
    machine = started(replace(config(HOME), in_flight_max=1))
    tell(machine, offered("f"))
    assert delivered(tell(machine, offered("g"))) == []
    actions = tell(machine, ev.Received(X, 5, words.Hold(1, (0,))))
    assert acked(actions) == [5]
    assert delivered(actions) == [(X, A, "1")]


def test_node_that_knows_less_than_home_is_told_and_others_are_not() -> None:
    machine = started(config(HOME))
    behind = ev.Received(X, 0, words.Beat(1, 0, 0, -1, Load()))
    equal = ev.Received(X, 0, words.Beat(1, 1, 0, -1, Load()))
    assert said(tell(machine, behind), words.Status) == [(X, words.Status(view(), Numbers(), -1))]
    assert said(tell(machine, equal), words.Status) == []


def test_lost_node_starts_a_new_epoch_in_which_items_are_sent_again() -> None:
    made = replace(config(HOME), lease_s=4.0)
    machine = started(made)
    tell(machine, offered())
    for now in (1.0, 2.0, 3.0, 4.0):
        machine.step(ev.Received(Y, 0, words.Beat(1, 1, 0, -1, Load())), now)
        machine.step(ev.Due(ev.Timer("lease")), now)
    actions = machine.step(ev.Due(ev.Timer("lease")), 5.0)
    actions += keep(machine, actions)
    assert machine.view.members == {HOME: 1, Y: 1}
    assert delivered(actions) == [(Y, A, "0")]


def test_items_that_ended_are_forgotten_when_that_is_written_down() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    actions = machine.step(status(view(), 1), 0.0)
    assert actions == [act.Persist(rec.Forgotten(Numbers(1)), is_synced=True)]
    assert machine.keeps_outputs(A, item_id(0))
    assert act.DropOutputs(item_id(0), A) in keep(machine, actions)
    assert not machine.keeps_outputs(A, item_id(0))
    assert machine.size == 0


def test_delivery_of_an_item_that_ended_is_acknowledged_and_ignored() -> None:
    machine = started(config())
    tell(machine, status(view(), 1))
    assert not machine.wants(entry(0))
    actions = tell(machine, deliver())
    assert acked(actions) == [7]
    assert len(actions) == 1


def test_older_news_after_newer_changes_nothing() -> None:
    machine = started(config())
    tell(machine, status(view(), 2, (4,), total=9))
    assert tell(machine, status(view(), 1)) == []


def test_unfinished_batch_fails_when_home_tells_the_number_of_items() -> None:
    machine = started(config(plans=SCATTER, first=view(a=X, b=Y, c=Y)))
    tell(machine, deliver())
    assert said(tell(machine, ended()), words.Hold) == [(HOME, words.Hold(1, (0,)))]
    actions = tell(machine, status(view(a=X, b=Y, c=Y), total=1))
    assert delivered(actions) == [(Y, B, "a.0"), (Y, C, "a.0")]
