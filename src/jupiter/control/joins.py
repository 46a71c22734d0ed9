"""Holds the deliveries of an item until every parent of a task has made its own.

Deliveries are matched by item and epoch, never by arrival: two items in flight cannot be mixed, one
that arrives twice counts once, and what a newer epoch sends takes the place of the older.
"""

from __future__ import annotations

from jupiter.model.ids import ItemId, TaskId, is_batch
from jupiter.model.items import Delivery


class Gathered:
    """The deliveries of one item so far.

    Attributes:
        enter_s: When the first came.
        epoch: That all of them belong to.
        by_parent: What came, by producer.
        in_memory: Bytes of them that are not on disk.
    """

    __slots__ = ("by_parent", "enter_s", "epoch", "in_memory")

    def __init__(self, enter_s: float, epoch: int) -> None:
        self.enter_s = enter_s
        self.epoch = epoch
        self.by_parent: dict[TaskId, Delivery] = {}
        self.in_memory = 0


class Join:
    """Collects the inputs of one task, item by item.

    Args:
        parents: The producers that every item needs, in the order of the inputs.
        memory_bytes_max: What may wait in memory; 0 where everything goes to disk on arrival.
    """

    def __init__(self, parents: tuple[TaskId, ...], memory_bytes_max: int = 0) -> None:
        self._parents = parents
        self._open: dict[ItemId, Gathered] = {}
        self._memory_bytes_max = memory_bytes_max
        self.memory_bytes = 0
        """Bytes that wait in memory."""

    def add(self, delivery: Delivery, now: float) -> tuple[tuple[Delivery, ...], float] | None:
        """Put a delivery in.

        Returns:
            The inputs of the item in the order of the parents, with the time of the first, when
            this was the last one missing; else None.
        """
        item = delivery.item
        if len(self._parents) == 1:
            return (delivery,), now
        gathered = self._open.get(item)
        if gathered is None or gathered.epoch < delivery.epoch:
            if gathered is not None:
                self.memory_bytes -= gathered.in_memory
            gathered = self._open[item] = Gathered(now, delivery.epoch)
        if delivery.source in gathered.by_parent or delivery.epoch < gathered.epoch:
            return None
        gathered.by_parent[delivery.source] = delivery
        if len(gathered.by_parent) < len(self._parents):
            if self._memory_bytes_max:
                gathered.in_memory += delivery.size_bytes
                self.memory_bytes += delivery.size_bytes
            return None
        del self._open[item]
        self.memory_bytes -= gathered.in_memory
        return tuple(gathered.by_parent[parent] for parent in self._parents), gathered.enter_s

    def has(self, delivery: Delivery) -> bool:
        """Return whether this delivery waits here."""
        gathered = self._open.get(delivery.item)
        return (
            gathered is not None
            and gathered.epoch == delivery.epoch
            and delivery.source in gathered.by_parent
        )

    def evict(self) -> list[ItemId]:
        """Return the items that must leave memory: the youngest, as they are needed last."""
        evicted: list[ItemId] = []
        if self.memory_bytes <= self._memory_bytes_max:
            return evicted
        in_memory = [(g.enter_s, item) for item, g in self._open.items() if g.in_memory]
        for _, item in sorted(in_memory, reverse=True):
            if self.memory_bytes <= self._memory_bytes_max:
                break
            self.memory_bytes -= self._open[item].in_memory
            self._open[item].in_memory = 0
            evicted.append(item)
        return evicted

    def drop(self, item: ItemId) -> None:
        """Forget an item."""
        gathered = self._open.pop(item, None)
        if gathered is not None:
            self.memory_bytes -= gathered.in_memory

    def drop_batches(self) -> None:
        """Forget the batches; in a new epoch they are made anew."""
        for item in [item for item in self._open if is_batch(item)]:
            self.drop(item)

    def is_open(self, item: ItemId) -> bool:
        """Return whether an item misses an input."""
        return item in self._open

    @property
    def waiting(self) -> int:
        """Items that miss an input."""
        return len(self._open)
