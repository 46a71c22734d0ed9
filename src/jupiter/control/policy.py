"""Which node runs a task of an item: the one question that dispatch asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from jupiter.model.ids import ItemId, NodeId, TaskId


class PlacementPolicy(Protocol):
    """Answers where a task of an item runs."""

    def node_for(self, task: TaskId, item: ItemId) -> NodeId:
        """Return the node; the same one for every question about the same task and item."""
        ...


class StaticPlacement:
    """The schedule's mapping, the same for every item."""

    def __init__(self, mapping: Mapping[TaskId, NodeId]) -> None:
        self._mapping = mapping

    def node_for(self, task: TaskId, item: ItemId) -> NodeId:
        """Return the mapped node, whatever the item."""
        return self._mapping[task]
