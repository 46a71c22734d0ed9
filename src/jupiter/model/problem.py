"""All that a scheduler may see."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.schedule import Assignment
from jupiter.model.transfer import Transfer

Objective = Literal["makespan", "period", "both"]
"""What is to be small: the seconds of one item from entry to exit, the seconds between two items
of a stream (the load of the busiest core or link), or the geometric mean of the two."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A task graph, nodes and links with their costs.

    Times of tasks come in two forms which may be mixed: `execution_s` names seconds for a pair of
    task and node; `work_s` names the seconds on a node of speed 1, for all nodes at once.

    Attributes:
        graph: What is to be placed, fixed ends (``@in``, ``@out``) included where there are any.
        nodes: Where it can be placed, in the order that breaks ties.
        links: By (source, target); a missing pair cannot be crossed. Within a node transfers are
            free.
        execution_s: Seconds of a task on a node. Wins over `work_s`.
        work_s: Seconds of a task on a node of speed 1. A pair that neither this nor `execution_s`
            knows means that the node cannot run the task.
        edge_bytes: Bytes along edges; 0 where missing.
        speed: Of nodes; 1 where missing.
        cores: Executions that a node can run at once; 1 where missing.
        pinned: Tasks that must be on a certain node.
        forbidden: Nodes that a task must not be on.
        unique: Tasks that must not be replicated.
        memory_bytes: What a task takes on its node for as long as it is deployed; 0 where missing.
        node_memory_bytes: What all tasks of a node may take together; unlimited where missing.
        tasks_max: Tasks that a node may have; unlimited where missing.
        begun: Tasks that already run or are done, each with its node and times; they stay.
        release_s: Nothing else starts before this time.
        objective: What is to be small.
        cpu_used: Share of each node's processors that other work takes, 0 to 1; 0 where missing.
            Only schedulers that look at load instead of measured times read this and the next.
        memory_used: The same of its memory.
    """

    graph: TaskGraph
    nodes: tuple[NodeId, ...]
    links: Mapping[tuple[NodeId, NodeId], Transfer]
    execution_s: Mapping[tuple[TaskId, NodeId], float] = field(default_factory=dict)
    work_s: Mapping[TaskId, float] = field(default_factory=dict)
    edge_bytes: Mapping[Edge, float] = field(default_factory=dict)
    speed: Mapping[NodeId, float] = field(default_factory=dict)
    cores: Mapping[NodeId, int] = field(default_factory=dict)
    pinned: Mapping[TaskId, NodeId] = field(default_factory=dict)
    forbidden: Mapping[TaskId, frozenset[NodeId]] = field(default_factory=dict)
    unique: frozenset[TaskId] = frozenset()
    memory_bytes: Mapping[TaskId, float] = field(default_factory=dict)
    node_memory_bytes: Mapping[NodeId, float] = field(default_factory=dict)
    tasks_max: Mapping[NodeId, int] = field(default_factory=dict)
    begun: Mapping[TaskId, Assignment] = field(default_factory=dict)
    release_s: float = 0.0
    objective: Objective = "makespan"
    cpu_used: Mapping[NodeId, float] = field(default_factory=dict)
    memory_used: Mapping[NodeId, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check("an execution time", self.execution_s.values())
        _check("the work of a task", self.work_s.values())
        _check("the size of an edge", self.edge_bytes.values())
        _check("the memory of a task", self.memory_bytes.values())
        _check("the release time", (self.release_s,))
        if not all(speed > 0 and math.isfinite(speed) for speed in self.speed.values()):
            raise ValueError("the speed of a node must be positive and finite")
        if not all(cores >= 1 for cores in self.cores.values()):
            raise ValueError("a node needs at least one core")
        if any(limit < 0 for limit in self.tasks_max.values()):
            raise ValueError("the task limit of a node must not be negative")
        if not all(size >= 0 for size in self.node_memory_bytes.values()):
            raise ValueError("the memory of a node must not be negative")
        if len(set(self.nodes)) != len(self.nodes):
            raise ValueError("two nodes have the same name")

    def seconds(self, task: TaskId, node: NodeId) -> float | None:
        """Return the execution time of a task on a node, or None where it cannot run there.

        Pins and limits are not looked at, forbidden nodes are.
        """
        if node in self.forbidden.get(task, ()):
            return None
        exact_s = self.execution_s.get((task, node))
        if exact_s is not None:
            return exact_s
        work_s = self.work_s.get(task)
        return None if work_s is None else work_s / self.speed.get(node, 1.0)

    def transfer_s(self, edge: Edge, source: NodeId, target: NodeId) -> float | None:
        """Return the seconds of an edge between two nodes, or None where no link joins them."""
        if source == target:
            return 0.0
        link = self.links.get((source, target))
        return None if link is None else link.transfer_s(self.size_bytes(edge))

    def size_bytes(self, edge: Edge) -> float:
        """Return the bytes along an edge."""
        return self.edge_bytes.get(edge, 0.0)

    def candidates(self, task: TaskId) -> tuple[NodeId, ...]:
        """Return the nodes that can run a task alone, in the order of `nodes`."""
        pin = self.pinned.get(task)
        needed_bytes = self.memory_bytes.get(task, 0.0)
        return tuple(
            node
            for node in self.nodes
            if (pin is None or node == pin)
            and self.seconds(task, node) is not None
            and needed_bytes <= self.node_memory_bytes.get(node, math.inf)
            and self.tasks_max.get(node, 1) >= 1
        )


def _check(what: str, values: Iterable[float]) -> None:
    # Two passes in C; a problem may have millions of values.
    found = tuple(values)
    if not all(map(math.isfinite, found)) or min(found, default=0.0) < 0:
        raise ValueError(f"{what} must be finite and not negative")
