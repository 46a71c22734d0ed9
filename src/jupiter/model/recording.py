"""What a run left behind, in the form in which it can be run again in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupiter.model.ids import ItemId, NodeId, TaskId


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt.

    Attributes:
        seconds: From its start to its last output.
        error: Why there was none; empty after success.
    """

    node: NodeId
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Recording:
    """One recorded stream.

    Attributes:
        scheduler: That made the mapping.
        mapping: Node of every task.
        names: Of the inputs, in the order in which they were accepted.
        offered_s: When they were offered, seconds after the first.
        attempts: By task and item, in their order.
        size_bytes: By source task, target task and item.
    """

    scheduler: str
    mapping: Mapping[TaskId, NodeId]
    names: tuple[str, ...]
    offered_s: tuple[float, ...]
    attempts: Mapping[tuple[TaskId, ItemId], tuple[Tried, ...]]
    size_bytes: Mapping[tuple[TaskId, TaskId, ItemId], int]
