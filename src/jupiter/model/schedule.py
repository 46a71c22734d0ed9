"""Which task runs where, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import msgspec

from jupiter.model.ids import NodeId, TaskId

Replicas = Literal["none", "each", "shared"]
"""What a second assignment of a task means. ``each``: every replica runs for every item, and a
child takes the output that reaches it first. ``shared``: the replicas take turns, each runs for
its share of the items."""


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """One task on one node. A `msgspec` structure, as schedules of a million tasks are made.

    Attributes:
        start_s: Seconds after the item entered.
        finish_s: As above.
        reason: Why it is there, for people; empty until `schedulers.explain` is asked.
    """

    task: TaskId
    node: NodeId
    start_s: float
    finish_s: float
    reason: str = ""


@dataclass(frozen=True)
class Schedule:
    """The plan of one item, with what is needed to make it again.

    Attributes:
        scheduler: Name of the algorithm.
        assignments: In the order in which they were decided; a task has one, or several where it
            has replicas.
        options: What the algorithm was told, its seed included.
        replicas: What further assignments of a task mean.
        version: Of Jupiter; empty where a schedule was not made by it.
        problem_digest: SHA-256 over all that the problem says, in hexadecimal; empty as above.
        facts: What the algorithm found out besides, such as a proof that nothing is shorter.
    """

    scheduler: str
    assignments: tuple[Assignment, ...]
    options: Mapping[str, str | int | float] = field(default_factory=dict)
    replicas: Replicas = "none"
    version: str = ""
    problem_digest: str = ""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)

    @cached_property
    def mapping(self) -> Mapping[TaskId, NodeId]:
        """The node of every task; of replicas the first one's."""
        return {each.task: each.node for each in reversed(self.assignments)}

    @cached_property
    def nodes_of(self) -> Mapping[TaskId, tuple[NodeId, ...]]:
        """All nodes of every task, in the order in which they were decided."""
        found: dict[TaskId, list[NodeId]] = {}
        for each in self.assignments:
            found.setdefault(each.task, []).append(each.node)
        return {task: tuple(nodes) for task, nodes in found.items()}

    @cached_property
    def makespan_s(self) -> float:
        """Seconds from the earliest start to the latest finish; 0 for an empty schedule."""
        if not self.assignments:
            return 0.0
        return max(a.finish_s for a in self.assignments) - min(a.start_s for a in self.assignments)
