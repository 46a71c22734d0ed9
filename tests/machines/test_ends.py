"""Ingress and sink: back-pressure, retention, results once."""

from __future__ import annotations

import pytest

from jupiter.control.ingress import Ingress
from jupiter.control.policy import StaticPlacement
from jupiter.control.sink import Sink
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, Outcome, Part

A, B = TaskId("a"), TaskId("b")
THERE = NodeId("there")


def ingress(in_flight_max: int = 2) -> Ingress:
    return Ingress((A, B), StaticPlacement({A: THERE, B: THERE}), in_flight_max)


def accepted(actions: list[act.Action]) -> list[int]:
    return [action.seq for action in actions if isinstance(action, act.Accept)]


def offer(machine: Ingress, count: int) -> list[act.Action]:
    return [
        action
        for k in range(count)
        for action in machine.step(ev.Offered(f"f{k}", (Part(f"f{k}", 1),)), float(k))
    ]


def resolved(seq: int) -> ev.Resolved:
    return ev.Resolved(seq, "done", "", ())


def test_every_entry_task_gets_the_item() -> None:
    actions = offer(ingress(), 1)
    sent = [a.delivery for a in actions if isinstance(a, act.Send)]
    assert [(each.source, each.target, each.item) for each in sent] == [
        (INGRESS, A, "0"),
        (INGRESS, B, "0"),
    ]


def test_input_waits_while_the_stream_is_full() -> None:
    machine = ingress(in_flight_max=2)
    assert accepted(offer(machine, 5)) == [0, 1]
    assert machine.waiting == 3
    assert accepted(machine.step(resolved(1), 9.0)) == [2]
    assert machine.in_flight == 2


def test_held_item_makes_room_for_the_items_its_batch_needs() -> None:
    machine = ingress(in_flight_max=1)
    assert accepted(offer(machine, 2)) == [0]
    assert accepted(machine.step(ev.Held((0,)), 2.0)) == [1]


def test_input_is_kept_until_its_item_has_ended() -> None:
    machine = ingress()
    assert not any(isinstance(a, act.DropOutputs) for a in offer(machine, 1))
    assert act.DropOutputs(ItemId("0"), INGRESS) in machine.step(resolved(0), 1.0)


def test_end_and_drain_are_said_once_and_in_order() -> None:
    machine = ingress()
    offer(machine, 1)
    closing = machine.step(ev.InputClosed(), 1.0)
    assert closing == [act.SendEnd(INGRESS, A, THERE, 1), act.SendEnd(INGRESS, B, THERE, 1)]
    assert act.Drained() in machine.step(resolved(0), 2.0)
    assert machine.step(resolved(0), 3.0) == []


def test_closing_an_empty_input_drains_at_once() -> None:
    assert act.Drained() in ingress().step(ev.InputClosed(), 0.0)


def test_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ingress(in_flight_max=0)


def result(
    source: TaskId, seq: int, *names: str, outcome: Outcome = "done", detail: str = ""
) -> ev.Arrived:
    parts = tuple(Part(name, 1) for name in names)
    return ev.Arrived(Delivery("", seq, (seq,), source, SINK, parts, outcome, detail))


def test_item_ends_when_every_sink_has_spoken() -> None:
    machine = Sink((A, B))
    first = machine.step(result(A, 0, "x"), 0.0)
    assert [type(action) for action in first] == [act.KeepResult]
    second = machine.step(result(B, 0, "y"), 1.0)
    assert second[-1] == act.Resolve(0, "done", "", ("x", "y"))


def test_result_that_comes_twice_counts_once() -> None:
    machine = Sink((A,))
    machine.step(result(A, 0, "x"), 0.0)
    assert machine.has_seen(result(A, 0, "x").delivery)
    assert machine.step(result(A, 0, "x"), 1.0) == []


def test_results_of_one_name_are_kept_apart() -> None:
    machine = Sink((A,))
    names = [
        action.names
        for seq in range(3)
        for action in machine.step(result(A, seq, "out.log"), 0.0)
        if isinstance(action, act.KeepResult)
    ]
    assert names == [("out.log",), ("out~1.log",), ("out~2.log",)]


def test_worst_outcome_of_the_sinks_is_the_items() -> None:
    machine = Sink((A, B))
    machine.step(result(A, 0, "x"), 0.0)
    actions = machine.step(result(B, 0, outcome="failed", detail="b broke"), 1.0)
    assert actions == [act.Resolve(0, "failed", "b broke", ("x",))]


def test_batch_ends_all_items_it_came_from() -> None:
    machine = Sink((A,))
    batch = Delivery("s", 0, (0, 1, 2), A, SINK, (Part("x", 1),))
    ended = [a.seq for a in machine.step(ev.Arrived(batch), 0.0) if isinstance(a, act.Resolve)]
    assert ended == [0, 1, 2]
