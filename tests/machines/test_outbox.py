"""The outbox: everything is said until it is acknowledged, and never too much at once."""

from __future__ import annotations

import random

from jupiter.control.outbox import Outbox
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.ids import NodeId, TaskId, item_id
from jupiter.model.items import Delivery
from jupiter.model.words import Ask, Deliver, Hold

A, B = TaskId("a"), TaskId("b")
X, Y = NodeId("x"), NodeId("y")


def word(seq: int, epoch: int = 1, origins: tuple[int, ...] = ()) -> Deliver:
    return Deliver(Delivery("", seq, origins or (seq,), A, B, epoch=epoch))


def numbers(actions: list[act.Action]) -> list[int]:
    return [action.number for action in actions if isinstance(action, act.Transmit)]


def waits(actions: list[act.Action]) -> list[float]:
    return [action.delay_s for action in actions if isinstance(action, act.SetTimer)]


def post(machine: Outbox, count: int, node: NodeId = X) -> list[int]:
    return [n for seq in range(count) for n in numbers(machine.post(node, word(seq)))]


def ended(*seqs: int) -> SeqSet:
    settled = SeqSet()
    for seq in seqs:
        settled.add(seq)
    return settled


def test_words_are_numbered_from_the_first_on_over_all_nodes() -> None:
    machine = Outbox(first=7)
    assert machine.post(X, word(0)) == [act.Transmit(X, 7, word(0))]
    assert machine.post(Y, word(0)) == [act.Transmit(Y, 8, word(0))]


def test_no_more_than_the_credit_is_under_way() -> None:
    machine = Outbox(credit_max=2)
    assert post(machine, 5) == [1, 2]
    assert machine.size == 5
    machine.acked(X, 1, credit=2)
    assert numbers(machine.pump(X)) == [3]
    assert numbers(machine.pump(X)) == []


def test_each_node_has_a_window_of_its_own() -> None:
    machine = Outbox(credit_max=1)
    assert post(machine, 2, X) == [1]
    assert post(machine, 2, Y) == [3]


def test_receiver_may_shrink_the_window_and_open_it_again() -> None:
    machine = Outbox(credit_max=4)
    post(machine, 8)
    machine.acked(X, 1, credit=2)
    assert machine.pump(X) == []
    machine.acked(X, 2, credit=2)
    assert machine.pump(X) == []
    machine.acked(X, 3, credit=4)
    assert numbers(machine.pump(X)) == [5, 6, 7]


def test_window_is_never_wider_than_its_own_limit() -> None:
    machine = Outbox(credit_max=2)
    post(machine, 6)
    machine.acked(X, 1, credit=100)
    assert numbers(machine.pump(X)) == [3]
    assert machine.credits() == {X: 0}


def test_full_receiver_still_gets_one_word_at_a_time() -> None:
    machine = Outbox(credit_max=2)
    post(machine, 4)
    for number, credit in ((1, 0), (2, -5)):
        machine.acked(X, number, credit)
    assert numbers(machine.pump(X)) == [3]
    assert machine.credits() == {X: 0}


def test_credit_is_never_negative() -> None:
    draw = random.Random(5)
    machine = Outbox(credit_max=8)
    for seq in range(300):
        machine.post(X, word(seq))
        if draw.random() < 0.7:
            machine.acked(X, draw.randint(1, seq + 1), draw.randint(-3, 12))
            machine.pump(X)
        assert 0 <= machine.credits()[X] <= 8


def test_credit_is_not_negative_when_the_window_shrinks_below_what_is_under_way() -> None:
    machine = Outbox(credit_max=4)
    post(machine, 4)
    machine.acked(X, 1, credit=1)
    assert machine.credits() == {X: 0}


def test_acknowledged_word_is_forgotten_and_returned_once() -> None:
    machine = Outbox()
    post(machine, 1)
    found = machine.acked(X, 1, 64)
    assert found is not None
    assert found.word == word(0)
    assert machine.acked(X, 1, 64) is None
    assert machine.size == 0
    assert machine.again(X) == []


def test_acknowledgement_of_a_node_that_was_told_nothing_is_ignored() -> None:
    machine = Outbox()
    assert machine.acked(Y, 1, 64) is None
    assert machine.pump(Y) == []
    assert machine.again(Y) == []


def test_acknowledgement_by_another_node_frees_nothing() -> None:
    machine = Outbox()
    post(machine, 1, X)
    post(machine, 1, Y)
    machine.acked(Y, 1, 64)
    assert machine.size == 2


def test_new_connection_brings_again_what_was_under_way_and_nothing_else() -> None:
    machine = Outbox(credit_max=2)
    post(machine, 4)
    assert numbers(machine.again(X)) == [1, 2]


def test_word_is_resent_with_growing_waits_up_to_a_limit() -> None:
    machine = Outbox(resend_s=1.0)
    first = machine.post(X, word(0))
    assert first[1:] == [act.SetTimer(ev.Timer("resend", node=X), 1.0)]
    rounds = [machine.due(X) for _ in range(5)]
    assert [numbers(each) for each in rounds] == [[1]] * 5
    assert [waits(each) for each in rounds] == [[2.0], [4.0], [8.0], [8.0], [8.0]]


def test_sign_of_life_makes_the_waits_short_again() -> None:
    machine = Outbox(resend_s=1.0)
    post(machine, 2)
    machine.due(X)
    machine.due(X)
    machine.acked(X, 1, 64)
    assert waits(machine.due(X)) == [2.0]


def test_one_timer_a_node_is_enough() -> None:
    machine = Outbox(resend_s=1.0)
    assert [len(waits(machine.post(X, word(seq)))) for seq in range(3)] == [1, 0, 0]


def test_timer_ends_with_the_last_word_and_is_set_again_with_the_next() -> None:
    machine = Outbox(resend_s=1.0)
    post(machine, 1)
    machine.acked(X, 1, 64)
    assert machine.due(X) == []
    assert waits(machine.post(X, word(1))) == [1.0]


def test_words_that_waited_are_resent_too() -> None:
    machine = Outbox(resend_s=1.0, credit_max=1)
    post(machine, 2)
    machine.acked(X, 1, 1)
    machine.due(X)
    pumped = machine.pump(X)
    assert numbers(pumped) == [2]
    assert len(waits(pumped)) == 1


def test_network_that_loses_nothing_needs_no_timer() -> None:
    assert waits(Outbox().post(X, word(0))) == []


def test_new_epoch_drops_words_of_older_ones() -> None:
    machine = Outbox(credit_max=1)
    machine.post(X, word(0, epoch=1))
    machine.post(X, Hold(1, (0,)))
    machine.post(X, Ask(1, B, item_id(0), 0))
    machine.post(X, word(0, epoch=2))
    assert numbers(machine.begin(2, (X,))) == [4]
    assert machine.size == 1


def test_new_epoch_drops_words_to_nodes_that_left() -> None:
    machine = Outbox()
    machine.post(X, word(0, epoch=2))
    machine.post(Y, word(1, epoch=2))
    machine.begin(2, (Y,))
    assert machine.size == 1
    assert numbers(machine.again(Y)) == [2]
    assert machine.again(X) == []


def test_words_about_items_that_ended_are_forgotten_and_make_room() -> None:
    machine = Outbox(credit_max=1)
    machine.post(X, word(0))
    machine.post(X, word(1))
    assert numbers(machine.forget(ended(0))) == [2]
    assert machine.size == 1


def test_batch_is_forgotten_with_the_last_of_its_items() -> None:
    machine = Outbox()
    machine.post(X, word(0, origins=(0, 1)))
    machine.forget(ended(0))
    assert machine.size == 1
    machine.forget(ended(0, 1))
    assert machine.size == 0


def test_question_is_forgotten_when_all_up_to_its_last_item_have_ended() -> None:
    machine = Outbox()
    machine.post(X, Ask(1, B, item_id(2), 2))
    machine.forget(ended(2))
    assert machine.size == 1
    machine.forget(ended(0, 1, 2))
    assert machine.size == 0


def test_hold_is_said_until_it_is_acknowledged() -> None:
    machine = Outbox()
    machine.post(X, Hold(1, (0,)))
    machine.forget(ended(0))
    assert machine.size == 1
