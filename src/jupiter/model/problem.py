"""All that a scheduler may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.profile import TransferModel


@dataclass(frozen=True)
class Problem:
    """A task graph, nodes and links with their costs.

    Attributes:
        graph: What is to be placed, fixed ends (``@in``, ``@out``) included where there are any.
        nodes: Where it can be placed, in the order that breaks ties.
        execution_s: Seconds of a task on a node; a missing pair means that the node cannot run it.
        edge_bytes: Bytes along every edge of the graph.
        links: By (source, target); a missing pair cannot be crossed. Within a node transfers are
            free.
        cores: Executions that a node can run at once; 1 where missing.
        pinned: Tasks that must be on a certain node.
    """

    graph: TaskGraph
    nodes: tuple[NodeId, ...]
    execution_s: Mapping[tuple[TaskId, NodeId], float]
    edge_bytes: Mapping[Edge, float]
    links: Mapping[tuple[NodeId, NodeId], TransferModel]
    cores: Mapping[NodeId, int] = field(default_factory=dict)
    pinned: Mapping[TaskId, NodeId] = field(default_factory=dict)

    def transfer_s(self, edge: Edge, source: NodeId, target: NodeId) -> float | None:
        """Return the seconds of an edge between two nodes, or None where no link joins them."""
        if source == target:
            return 0.0
        link = self.links.get((source, target))
        return None if link is None else link.transfer_s(self.edge_bytes[edge])

    def candidates(self, task: TaskId) -> tuple[NodeId, ...]:
        """Return the nodes that can run a task, in the order of `nodes`."""
        pin = self.pinned.get(task)
        return tuple(
            node
            for node in self.nodes
            if (pin is None or node == pin) and (task, node) in self.execution_s
        )
