"""Holds the deliveries of an item until every parent of a task has made its own.

Deliveries are matched by item, never by arrival: two items in flight cannot be mixed, an item that
arrives twice counts once, and what is complete is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupiter.kit.seqset import SeqSet
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Delivery


class Gathered:
    """The deliveries of one item so far.

    Attributes:
        enter_s: When the first came.
        by_parent: What came, by producer.
    """

    __slots__ = ("by_parent", "enter_s")

    def __init__(self, enter_s: float) -> None:
        self.enter_s = enter_s
        self.by_parent: dict[TaskId, Delivery] = {}


class Join:
    """Collects the inputs of one task, item by item.

    Args:
        parents: The producers that every item needs, in the order of the inputs.
    """

    def __init__(self, parents: tuple[TaskId, ...]) -> None:
        self._parents = parents
        self._open: dict[ItemId, Gathered] = {}
        self._seen: dict[TaskId, dict[str, SeqSet]] = {parent: {} for parent in parents}
        self._expected: dict[TaskId, int] = {}

    def add(self, delivery: Delivery, now: float) -> tuple[tuple[Delivery, ...], float] | None:
        """Put a delivery in.

        Returns:
            The inputs of the item in the order of the parents, with the time of the first, when
            this was the last one missing; else None.
        """
        if not self._seen[delivery.source].setdefault(delivery.scope, SeqSet()).add(delivery.seq):
            return None
        gathered = self._open.get(delivery.item)
        if gathered is None:
            gathered = self._open[delivery.item] = Gathered(now)
        gathered.by_parent[delivery.source] = delivery
        if len(gathered.by_parent) < len(self._parents):
            return None
        del self._open[delivery.item]
        return tuple(gathered.by_parent[parent] for parent in self._parents), gathered.enter_s

    def has_seen(self, delivery: Delivery) -> bool:
        """Return whether this delivery came before."""
        seen = self._seen[delivery.source].get(delivery.scope)
        return seen is not None and delivery.seq in seen

    def end(self, parent: TaskId, count: int) -> None:
        """Note that a parent will have made so many deliveries in all."""
        self._expected[parent] = count

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can come."""
        return len(self._expected) == len(self._parents) and all(
            sum(len(seqs) for seqs in self._seen[parent].values()) >= count
            for parent, count in self._expected.items()
        )

    @property
    def waiting(self) -> int:
        """Items that miss an input."""
        return len(self._open)

    def give_up(self) -> Iterator[tuple[Delivery, tuple[TaskId, ...]]]:
        """Forget the items that can never be complete.

        Yields:
            One of the deliveries of each, and the parents that made none.
        """
        open_items, self._open = self._open, {}
        for gathered in open_items.values():
            missing = tuple(p for p in self._parents if p not in gathered.by_parent)
            yield next(iter(gathered.by_parent.values())), missing
