"""Joins: inputs are matched by item and epoch, never by arrival."""

from __future__ import annotations

from jupiter.control.joins import Join
from jupiter.model.ids import INGRESS, ItemId, TaskId
from jupiter.model.items import Delivery, Part

B, C, D = TaskId("b"), TaskId("c"), TaskId("d")


def delivery(
    seq: int, source: TaskId, *, epoch: int = 1, scope: str = "", size: int = 3
) -> Delivery:
    return Delivery(scope, seq, (seq,), source, D, (Part("x", size),), epoch=epoch)


def join(memory_bytes_max: int = 0) -> Join:
    return Join((B, C), memory_bytes_max)


def test_only_parent_is_never_waited_for() -> None:
    machine = Join((INGRESS,))
    only = delivery(0, INGRESS)
    assert machine.add(only, 2.0) == ((only,), 2.0)
    assert machine.waiting == 0


def test_inputs_come_in_the_order_of_the_parents_with_the_time_of_the_first() -> None:
    machine = join()
    b, c = delivery(0, B), delivery(0, C)
    assert machine.add(c, 1.0) is None
    assert machine.add(b, 4.0) == ((b, c), 1.0)
    assert machine.waiting == 0


def test_two_items_in_flight_are_not_mixed() -> None:
    machine = join()
    assert machine.add(delivery(0, B), 0.0) is None
    assert machine.add(delivery(1, C), 0.0) is None
    assert machine.waiting == 2
    assert machine.add(delivery(1, B), 0.0) == ((delivery(1, B), delivery(1, C)), 0.0)
    assert machine.is_open(ItemId("0"))
    assert not machine.is_open(ItemId("1"))


def test_item_and_batch_of_one_number_are_not_mixed() -> None:
    machine = join()
    assert machine.add(delivery(0, B), 0.0) is None
    assert machine.add(delivery(0, C, scope="a"), 0.0) is None
    assert machine.waiting == 2


def test_delivery_that_comes_twice_counts_once() -> None:
    machine = join()
    assert machine.add(delivery(0, B), 0.0) is None
    assert machine.add(delivery(0, B), 1.0) is None
    assert machine.has(delivery(0, B))
    assert not machine.has(delivery(0, C))
    assert machine.waiting == 1


def test_newer_epoch_takes_the_place_of_the_older() -> None:
    machine = join()
    machine.add(delivery(0, B), 0.0)
    assert machine.add(delivery(0, C, epoch=2), 5.0) is None
    assert not machine.has(delivery(0, B))
    assert machine.add(delivery(0, B, epoch=2), 6.0) == (
        (delivery(0, B, epoch=2), delivery(0, C, epoch=2)),
        5.0,
    )


def test_older_delivery_does_not_complete_a_newer_item() -> None:
    machine = join()
    machine.add(delivery(0, B, epoch=2), 0.0)
    assert machine.add(delivery(0, C, epoch=1), 1.0) is None


def test_same_delivery_of_another_epoch_is_not_here() -> None:
    machine = join()
    machine.add(delivery(0, B), 0.0)
    assert not machine.has(delivery(0, B, epoch=2))


def test_youngest_items_leave_memory_until_the_rest_fits() -> None:
    machine = join(memory_bytes_max=10)
    for seq in range(4):
        machine.add(delivery(seq, B, size=4), float(seq))
    assert machine.memory_bytes == 16
    assert machine.evict() == ["3", "2"]
    assert machine.memory_bytes == 8
    assert machine.evict() == []


def test_evicted_item_is_still_completed() -> None:
    machine = join(memory_bytes_max=1)
    machine.add(delivery(0, B), 0.0)
    assert machine.evict() == ["0"]
    assert machine.add(delivery(0, C), 1.0) == ((delivery(0, B), delivery(0, C)), 0.0)
    assert machine.memory_bytes == 0


def test_bytes_in_memory_are_freed_however_an_item_leaves() -> None:
    machine = join(memory_bytes_max=100)
    for seq in range(3):
        machine.add(delivery(seq, B, size=4), 0.0)
    machine.add(delivery(0, C), 0.0)
    assert machine.memory_bytes == 8
    machine.drop(ItemId("1"))
    assert machine.memory_bytes == 4
    machine.add(delivery(2, B, epoch=2, size=5), 0.0)
    assert machine.memory_bytes == 5


def test_item_that_is_dropped_is_forgotten() -> None:
    machine = join()
    machine.add(delivery(0, B), 0.0)
    machine.drop(ItemId("0"))
    machine.drop(ItemId("7"))
    assert machine.waiting == 0
    assert machine.add(delivery(0, C), 0.0) is None


def test_batches_are_dropped_and_items_kept() -> None:
    machine = join()
    machine.add(delivery(0, B), 0.0)
    machine.add(delivery(1, B, scope="a"), 0.0)
    machine.drop_batches()
    assert machine.is_open(ItemId("0"))
    assert not machine.is_open(ItemId("a.1"))
