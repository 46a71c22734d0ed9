"""The ingress: back-pressure, retention, and the end of the input."""

from __future__ import annotations

import pytest

from jupiter.control.ingress import Ingress
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, TaskId, item_id
from jupiter.model.items import Part, PartRef
from jupiter.model.view import Numbers, View

A, B = TaskId("a"), TaskId("b")


def ingress(in_flight_max: int = 2, *, ending: SeqSet | None = None) -> Ingress:
    machine = Ingress((A, B), in_flight_max, ending)
    begin(machine, 1)
    return machine


def begin(machine: Ingress, epoch: int) -> list[act.Action]:
    return tell(machine, ev.Began(View(epoch, {}, {}), True, Numbers()))


def tell(machine: Ingress, event: ev.Event, now: float = 0.0) -> list[act.Action]:
    """Return what follows from an event when all that is to be written down is."""
    actions = machine.step(event, now)
    for action in actions:
        if isinstance(action, act.Persist):
            actions += tell(machine, ev.Kept(action.record), now)
    return actions


def offered(k: int) -> ev.Offered:
    return ev.Offered(f"f{k}", (Part(f"f{k}", 1),))


def offer(machine: Ingress, count: int) -> list[act.Action]:
    return [a for k in range(count) for a in tell(machine, offered(k), float(k))]


def accepted(actions: list[act.Action]) -> list[int]:
    return [action.seq for action in actions if isinstance(action, act.Accept)]


def sent(actions: list[act.Action]) -> list[tuple[TaskId, str, int]]:
    """Return target, item and epoch of every delivery."""
    return [
        (a.delivery.target, str(a.delivery.item), a.delivery.epoch)
        for a in actions
        if isinstance(a, act.Send)
    ]


def drained(actions: list[act.Action]) -> int:
    return actions.count(act.Drained())


def test_every_entry_task_gets_the_item() -> None:
    actions = offer(ingress(), 1)
    assert sent(actions) == [(A, "0", 1), (B, "0", 1)]
    (send, _) = (a for a in actions if isinstance(a, act.Send))
    assert send.delivery.source == INGRESS
    assert send.refs == (PartRef(item_id(0), INGRESS, Part("f0", 1)),)


def test_input_is_an_item_only_when_that_is_written_down() -> None:
    machine = ingress()
    actions = machine.step(offered(0), 2.0)
    record = rec.Accepted(0, "f0", (Part("f0", 1),))
    assert actions == [act.Persist(record, is_synced=True)]
    assert machine.step(ev.Kept(record), 3.0)[0] == act.Accept(0, "f0", 2.0)


def test_input_waits_while_the_stream_is_full() -> None:
    machine = ingress(in_flight_max=2)
    assert accepted(offer(machine, 5)) == [0, 1]
    assert machine.waiting == 3
    assert accepted(tell(machine, ev.Settled((1,)))) == [2]
    assert machine.in_flight == 2


def test_input_that_is_being_written_down_counts_as_in_flight() -> None:
    machine = ingress(in_flight_max=1)
    assert len(machine.step(offered(0), 0.0)) == 1
    assert machine.step(offered(1), 0.0) == []
    assert (machine.in_flight, machine.waiting) == (1, 1)


def test_held_item_makes_room_for_the_items_its_batch_needs() -> None:
    machine = ingress(in_flight_max=1)
    assert accepted(offer(machine, 3)) == [0]
    assert accepted(tell(machine, ev.Held((0,)))) == [1]
    assert tell(machine, ev.Held((0,))) == []
    assert machine.in_flight == 1


def test_item_that_ended_makes_room_once_though_it_was_held() -> None:
    machine = ingress(in_flight_max=1)
    offer(machine, 4)
    tell(machine, ev.Held((0,)))
    assert tell(machine, ev.Settled((0,))) == [act.DropOutputs(item_id(0), INGRESS)]
    assert machine.in_flight == 1


def test_hold_that_comes_after_the_end_of_its_item_makes_no_room() -> None:
    machine = ingress(in_flight_max=1)
    offer(machine, 3)
    tell(machine, ev.Settled((0,)))
    assert tell(machine, ev.Held((0,))) == []
    assert machine.in_flight == 1


def test_parked_items_make_room_only_behind_a_held_one() -> None:
    machine = ingress(in_flight_max=2)
    offer(machine, 4)
    assert tell(machine, ev.Parked((1,))) == []
    assert accepted(tell(machine, ev.Held((0,)))) == [2, 3]


def test_parked_items_make_room_behind_a_held_one_that_is_not_the_first() -> None:
    machine = ingress(in_flight_max=2)
    offer(machine, 4)
    assert accepted(tell(machine, ev.Held((1,)))) == [2]
    assert tell(machine, ev.Parked((2,))) == []  # item 0 is under way, and may free it
    assert accepted(tell(machine, ev.Parked((0,)))) == [3]


def test_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ingress(in_flight_max=0)


def test_input_is_kept_until_its_item_has_ended() -> None:
    machine = ingress()
    assert not any(isinstance(a, act.DropOutputs) for a in offer(machine, 1))
    assert machine.keeps(0)
    assert act.DropOutputs(item_id(0), INGRESS) in tell(machine, ev.Settled((0,)))
    assert not machine.keeps(0)


def test_items_that_have_not_ended_are_sent_again_in_a_new_epoch() -> None:
    machine = ingress(in_flight_max=3)
    offer(machine, 3)
    tell(machine, ev.Settled((1,)))
    assert sent(begin(machine, 2)) == [(A, "0", 2), (B, "0", 2), (A, "2", 2), (B, "2", 2)]


def test_items_whose_end_is_decided_are_not_sent_again() -> None:
    ending = SeqSet()
    machine = ingress(ending=ending)
    offer(machine, 2)
    ending.add(0)
    assert sent(begin(machine, 2)) == [(A, "1", 2), (B, "1", 2)]


def test_new_epoch_forgets_what_was_held_and_parked() -> None:
    machine = ingress(in_flight_max=2)
    offer(machine, 3)
    tell(machine, ev.Parked((1,)))
    tell(machine, ev.Held((0,)))
    begin(machine, 2)
    assert machine.in_flight == 3


def test_item_that_is_accepted_before_the_first_epoch_is_sent_in_it() -> None:
    machine = Ingress((A,), 2)
    assert sent(offer(machine, 1)) == []
    assert sent(begin(machine, 1)) == [(A, "0", 1)]


def test_input_ends_after_the_last_offer_is_accepted() -> None:
    machine = ingress(in_flight_max=1)
    offer(machine, 2)
    assert tell(machine, ev.InputClosed()) == []
    assert machine.total == -1
    actions = tell(machine, ev.Settled((0,)))
    assert act.Persist(rec.Closed(2), is_synced=True) in actions
    assert machine.total == 2


def test_stream_is_drained_once_and_after_the_last_item() -> None:
    machine = ingress()
    offer(machine, 2)
    assert drained(tell(machine, ev.InputClosed())) == 0
    assert drained(tell(machine, ev.Settled((1,)))) == 0
    assert drained(tell(machine, ev.Settled((0,)))) == 1
    assert tell(machine, ev.Settled((0,))) == []


def test_stream_is_not_drained_while_more_may_come() -> None:
    machine = ingress()
    offer(machine, 1)
    assert drained(tell(machine, ev.Settled((0,)))) == 0
    assert drained(tell(machine, ev.InputClosed())) == 1


def test_closing_an_empty_input_drains_at_once() -> None:
    assert drained(tell(ingress(), ev.InputClosed())) == 1


def test_restart_goes_on_with_the_next_number_and_what_has_not_ended() -> None:
    machine = Ingress((A,), 9)
    parts = (Part("f", 1),)
    for seq in range(3):
        machine.restore(rec.Accepted(seq, "f", parts))
    machine.restore(rec.Committed(1, (rec.Ending(1, "done", "", ()),), ()))
    assert sent(begin(machine, 2)) == [(A, "0", 2), (A, "2", 2)]
    assert accepted(offer(machine, 1)) == [3]


def test_restart_remembers_that_the_input_is_closed() -> None:
    machine = Ingress((A,), 9)
    machine.restore(rec.Accepted(0, "f", ()))
    machine.restore(rec.Closed(1))
    assert machine.total == 1
    assert drained(tell(machine, ev.Settled((0,)))) == 1


# -- very many at once -----------------------------------------------------------------------------


def again(machine: Ingress, actions: list[act.Action]) -> list[list[tuple[TaskId, str, int]]]:
    """Return what is sent again at once, then after each timer until there is none."""
    found = [sent(actions)]
    while timers := [each for each in actions if isinstance(each, act.SetTimer)]:
        assert timers == [act.SetTimer(ev.Timer("again"), 0.0)]
        actions = tell(machine, ev.Due(timers[0].timer))
        found.append(sent(actions))
    return found


def test_what_is_sent_again_is_sent_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupiter.control.ingress.AGAIN_MAX", 2)
    machine = ingress(5)
    offer(machine, 5)
    pieces = again(machine, begin(machine, 2))
    assert [[item for _, item, _ in piece] for piece in pieces] == [
        ["0", "0", "1", "1"],
        ["2", "2", "3", "3"],
        ["4", "4"],
    ]
    assert {epoch for piece in pieces for _, _, epoch in piece} == {2}


def test_pieces_of_an_epoch_that_is_over_are_sent_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jupiter.control.ingress.AGAIN_MAX", 2)
    machine = ingress(6)
    offer(machine, 5)
    first = begin(machine, 2)
    assert sent(first)
    assert begin(machine, 3) == []  # the timer of the epoch before goes on
    tell(machine, ev.Settled((1,)))
    assert accepted(offer(machine, 1)) == [5]  # and is sent at once, not again
    pieces = again(machine, first)
    assert [item for piece in pieces[1:] for _, item, _ in piece[::2]] == ["0", "2", "3", "4"]
    assert {epoch for piece in pieces[1:] for _, _, epoch in piece} == {3}
