"""Distinct types for identifiers that are all strings."""

from __future__ import annotations

from typing import NewType

TaskId = NewType("TaskId", str)
NodeId = NewType("NodeId", str)
ItemId = NewType("ItemId", str)
"""An input travelling through the graph. Items accepted at the ingress are ``"0"``, ``"1"``, …;
a batch that a scattering task collected over several items is ``"TASK.N"`` after the first."""

HOME = TaskId("home")
"""The child that means "this is a result". The seeds' first system wrote ``scheduler``."""
INGRESS = TaskId("@in")
"""The producer of what enters; no user task can have this name."""
SINK = TaskId("@out")
"""The consumer of results; no user task can have this name."""


def item_id(seq: int, scope: str = "") -> ItemId:
    """Return the id of the item with a sequence number, of the ingress or of a batching task."""
    return ItemId(f"{scope}.{seq}" if scope else str(seq))


def is_batch(item: ItemId) -> bool:
    """Return whether an id is that of a batch."""
    return "." in item
