"""Routing: which child gets which output."""

from __future__ import annotations

from itertools import permutations

import pytest

from jupiter.control.routing import Produced, Routed, Router
from jupiter.model.ids import INGRESS, TaskId, item_id
from jupiter.model.items import Outcome, Part, PartRef, TaskPlan
from jupiter.model.view import Numbers

A, B, C, D = (TaskId(name) for name in "abcd")


def router(
    *children: TaskId, name: TaskId = A, scatter: bool = True, settled: Numbers | None = None
) -> Router:
    machine = Router(TaskPlan(name, (INGRESS,), children, is_scatter=scatter))
    machine.begin(1, settled or Numbers())
    return machine


def produced(
    seq: int, *names: str, outcome: Outcome = "done", detail: str = "", number: int = 1
) -> Produced:
    refs = tuple(PartRef(item_id(seq), A, Part(name, 1)) for name in names)
    return Produced("", seq, (seq,), refs, outcome, detail, (1, number))


def received(routed: list[Routed]) -> list[tuple[str, TaskId, list[str]]]:
    """Return who got what: item, child, names of the parts."""
    return [
        (str(delivery.item), delivery.target, [part.name for part in delivery.parts])
        for delivery, _ in routed
    ]


def test_broadcast_gives_every_output_to_every_child() -> None:
    routed = router(B, C, scatter=False).route(produced(0, "p", "q"))
    assert received(routed) == [("0", B, ["p", "q"]), ("0", C, ["p", "q"])]


def test_delivery_carries_epoch_attempt_and_the_places_of_its_parts() -> None:
    ((delivery, refs),) = router(B, scatter=False).route(produced(4, "p", number=3))
    assert (delivery.epoch, delivery.attempt, delivery.source) == (1, (1, 3), A)
    assert delivery.origins == (4,)
    assert refs == (PartRef(item_id(4), A, Part("p", 1)),)


def test_task_without_output_filters_the_item_and_is_named() -> None:
    routed = router(B, C, scatter=False).route(produced(0))
    assert [each.delivery.outcome for each in routed] == ["filtered", "filtered"]
    assert routed[0].delivery.detail == "task a gave no output"


def test_failure_goes_to_every_child_without_parts() -> None:
    for is_scatter in (False, True):
        machine = router(B, C, scatter=is_scatter)
        routed = machine.route(produced(0, "left over", outcome="failed", detail="boom"))
        assert received(routed) == [("0", B, []), ("0", C, [])]
        assert {(each.delivery.outcome, each.delivery.detail) for each in routed} == {
            ("failed", "boom")
        }


def test_scatter_gives_the_kth_output_to_the_kth_child_and_goes_round() -> None:
    routed = router(B, C).route(produced(0, "p", "q", "r"))
    assert received(routed) == [("0", B, ["p", "r"]), ("0", C, ["q"])]
    assert [ref.part.name for ref in routed[0].refs] == ["p", "r"]


def test_batch_is_numbered_like_its_first_item() -> None:
    machine = router(B, C)
    assert machine.route(produced(0, "x", "y"))
    assert machine.route(produced(1, "p")) == []
    routed = machine.route(produced(2, "q"))
    assert received(routed) == [("a.1", B, ["p"]), ("a.1", C, ["q"])]
    assert {each.delivery.origins for each in routed} == {(1, 2)}
    assert {(each.delivery.scope, each.delivery.seq) for each in routed} == {("a", 1)}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_batches_are_of_consecutive_items_whatever_finishes_first(order: tuple[int, ...]) -> None:
    machine = router(B, C)
    routed = [each for seq in order for each in machine.route(produced(seq, f"out{seq}"))]
    assert received(routed) == [
        ("a.0", B, ["out0"]),
        ("a.0", C, ["out1"]),
        ("a.2", B, ["out2"]),
        ("a.2", C, ["out3"]),
    ]


def test_item_with_enough_outputs_does_not_wait_for_the_batch_around_it() -> None:
    machine = router(B, C)
    assert machine.route(produced(0, "p")) == []
    assert [item for item, _, _ in received(machine.route(produced(1, "x", "y")))] == ["1", "1"]
    assert received(machine.route(produced(2, "q")))[0] == ("a.0", B, ["p"])


def test_batch_takes_its_outputs_round_the_children_as_well() -> None:
    machine = router(B, C, D)
    machine.route(produced(0, "p", "q"))
    routed = machine.route(produced(1, "r", "s"))
    assert received(routed) == [("a.0", B, ["p", "s"]), ("a.0", C, ["q"]), ("a.0", D, ["r"])]


def test_item_without_outputs_is_part_of_the_batch() -> None:
    machine = router(B, C)
    for seq, names in enumerate([["p"], []]):
        assert machine.route(produced(seq, *names)) == []
    routed = machine.route(produced(2, "q"))
    assert routed[0].delivery.origins == (0, 1, 2)


def test_settled_numbers_are_passed_over() -> None:
    machine = router(B, C, settled=Numbers(2, (3,)))
    assert machine.route(produced(2, "p")) == []
    routed = machine.route(produced(4, "q"))
    assert received(routed) == [("a.2", B, ["p"]), ("a.2", C, ["q"])]


def test_number_that_settles_later_lets_the_batch_behind_it_go() -> None:
    machine = router(B, C)
    machine.route(produced(1, "p"))
    assert machine.route(produced(2, "q")) == []
    assert received(machine.pass_over((0,))) == [("a.1", B, ["p"]), ("a.1", C, ["q"])]


def test_failed_item_lets_the_batch_behind_it_go() -> None:
    machine = router(B, C)
    machine.route(produced(1, "p"))
    machine.route(produced(2, "q"))
    routed = machine.route(produced(0, outcome="failed", detail="boom"))
    assert [item for item, _, _ in received(routed)] == ["0", "0", "a.1", "a.1"]


def test_item_is_held_from_being_put_aside_until_its_batch_goes() -> None:
    machine = router(B, C)
    machine.route(produced(1, "q"))
    assert machine.holds(produced(1))
    machine.route(produced(0, "p"))
    assert not machine.holds(produced(0))
    assert not machine.holds(produced(1))


def test_item_in_a_begun_batch_is_held() -> None:
    machine = router(B, C)
    machine.route(produced(0, "p"))
    assert machine.holds(produced(0))
    assert not machine.holds(produced(1))


def test_unfinished_batch_fails_at_the_end_and_says_why() -> None:
    machine = router(B, C)
    machine.route(produced(0, "p"))
    machine.close(1)
    routed = machine.finish()
    assert received(routed) == [("a.0", B, []), ("a.0", C, [])]
    assert {each.delivery.outcome for each in routed} == {"failed"}
    assert {each.delivery.origins for each in routed} == {(0,)}
    assert routed[0].delivery.detail == "the stream ended before every child of a had an output"
    assert machine.finish() == []


def test_end_waits_for_items_that_did_not_come_yet() -> None:
    machine = router(B, C)
    machine.route(produced(0, "p"))
    assert machine.finish() == []
    machine.close(2)
    assert machine.finish() == []
    assert received(machine.route(produced(1, "q")))[0] == ("a.0", B, ["p"])
    assert machine.finish() == []


def test_new_epoch_makes_batches_anew() -> None:
    machine = router(B, C)
    machine.route(produced(0, "p"))
    machine.begin(2, Numbers())
    assert machine.route(produced(1, "q")) == []
    ((first, _), _) = machine.route(produced(0, "p"))
    assert (first.item, first.epoch, first.attempt) == ("a.0", 2, (2, 0))


def test_new_epoch_numbers_a_batch_after_the_first_item_that_is_left() -> None:
    machine = router(B, C)
    machine.begin(2, Numbers(1))
    machine.route(produced(1, "q"))
    assert received(machine.route(produced(2, "r")))[0] == ("a.1", B, ["q"])


def as_produced(routed: Routed, *names: str) -> Produced:
    """Return the end of an execution of a routed delivery."""
    delivery = routed.delivery
    refs = tuple(PartRef(delivery.item, B, Part(name, 1)) for name in names)
    return Produced(delivery.scope, delivery.seq, delivery.origins, refs)


def test_nested_scatter_makes_batches_of_batches() -> None:
    outer, inner = router(B, C), router(C, D, name=B)
    routed = [each for seq in range(4) for each in outer.route(produced(seq, f"out{seq}"))]
    batches = [each for each in routed if each.delivery.target == B]
    assert [each.delivery.item for each in batches] == ["a.0", "a.2"]
    assert inner.route(as_produced(batches[1], "late")) == []
    routed = inner.route(as_produced(batches[0], "early"))
    assert received(routed) == [("b.0", C, ["early"]), ("b.0", D, ["late"])]
    assert routed[0].delivery.origins == (0, 1, 2, 3)


def test_nested_scatter_never_mixes_items_with_batches() -> None:
    inner = router(C, D, name=B)
    batch = Produced("a", 0, (0, 1), (PartRef(item_id(0, "a"), B, Part("p", 1)),))
    assert inner.route(batch) == []
    assert inner.route(produced(2, "q")) == []
    assert received(inner.route(produced(3, "r"))) == [("b.2", C, ["q"]), ("b.2", D, ["r"])]
    inner.close(4)
    assert [each.delivery.origins for each in inner.finish()] == [(0, 1), (0, 1)]
