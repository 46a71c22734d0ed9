"""Which task runs where, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from jupiter.model.ids import NodeId, TaskId


@dataclass(frozen=True, slots=True)
class Assignment:
    """One task on one node.

    Attributes:
        start_s: Seconds after the item entered.
        finish_s: As above.
        reason: Why this node won, for people; empty where there was no choice.
        finish_by_node_s: The finish time that every candidate offered; empty where the scheduler
            did not compare any.
    """

    task: TaskId
    node: NodeId
    start_s: float
    finish_s: float
    reason: str = ""
    finish_by_node_s: Mapping[NodeId, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """The plan of one item.

    Attributes:
        scheduler: Name of the algorithm.
        assignments: One a task, in the order in which they were decided.
        options: What the algorithm was told, its seed included.
    """

    scheduler: str
    assignments: tuple[Assignment, ...]
    options: Mapping[str, str | int | float] = field(default_factory=dict)

    @cached_property
    def mapping(self) -> Mapping[TaskId, NodeId]:
        """The node of every task."""
        return {each.task: each.node for each in self.assignments}

    @cached_property
    def makespan_s(self) -> float:
        """Seconds from the earliest start to the latest finish; 0 for an empty schedule."""
        if not self.assignments:
            return 0.0
        return max(a.finish_s for a in self.assignments) - min(a.start_s for a in self.assignments)
