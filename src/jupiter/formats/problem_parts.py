"""Parts of a problem while it is being read, with the rules that all formats share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jupiter.formats.json_document import Document
from jupiter.formats.text import Path
from jupiter.kit.names import nearest, printable
from jupiter.model.graph import Edge, TaskGraph, find_cycle
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.transfer import TransferModel


class Reporter(Protocol):
    """Takes what is wrong with a value at a path."""

    def error(self, problem: str, path: Path, value: object, expected: str, remedy: str) -> None:
        """Report a value."""
        ...


@dataclass
class GraphParts:
    """What was read so far.

    Attributes:
        work_s: Seconds of every task on a node of speed 1, in written order.
        edge_bytes: Size of every edge, in written order.
    """

    work_s: dict[TaskId, float] = field(default_factory=dict)
    edge_bytes: dict[Edge, float] = field(default_factory=dict)

    def add_task(self, reporter: Reporter, at: Path, name: str, work_s: float) -> None:
        """Take a task in, unless its name is taken."""
        if name in self.work_s:
            reporter.error("is a second task of this name", at, name, "distinct names", "rename it")
        elif name:
            self.work_s[TaskId(name)] = work_s

    def add_edge(
        self, reporter: Reporter, at: Path, source: str, target: str, size_bytes: float
    ) -> None:
        """Take an edge in, if both its ends are known and it is new."""
        is_known = True
        for name in dict.fromkeys((source, target)):
            if name not in self.work_s:
                is_known = False
                near = nearest(name, self.work_s) if len(self.work_s) < 1000 else None
                remedy = f"did you mean {near}?" if near else "add the task, or delete the edge"
                if name:
                    reporter.error("names an unknown task", at, name, "a task", remedy)
        edge = Edge(TaskId(source), TaskId(target))
        if edge in self.edge_bytes:
            text = f"{source} -> {target}"
            reporter.error("is a second edge", at, text, "one edge a pair", "add the sizes up")
        elif is_known:
            self.edge_bytes[edge] = size_bytes

    def check(self, reporter: Reporter, path: Path) -> None:
        """Report a graph without tasks or with a cycle."""
        if not self.work_s:
            reporter.error("has no tasks", path, "", "at least one", "add one")
        cycle = find_cycle(self._children())
        if cycle:
            text = " -> ".join(cycle[:8])
            reporter.error(
                "has a cycle", path, printable(text), "a graph without", "remove one of its edges"
            )

    def _children(self) -> dict[TaskId, list[TaskId]]:
        children: dict[TaskId, list[TaskId]] = {task: [] for task in self.work_s}
        for edge in self.edge_bytes:
            children[edge.source].append(edge.target)
        return children

    def graph(self) -> TaskGraph:
        """Return the task graph; to be called where nothing was reported."""
        return TaskGraph({task: tuple(found) for task, found in self._children().items()})


@dataclass
class NetworkParts:
    """What was read of a network so far.

    Attributes:
        speed: Of every node, in written order.
        links: In written order.
    """

    speed: dict[NodeId, float] = field(default_factory=dict)
    links: dict[tuple[NodeId, NodeId], TransferModel] = field(default_factory=dict)

    def add_node(
        self, document: Document, at: Path, node: Mapping[str, object], keys: tuple[str, str]
    ) -> None:
        """Take a node in, after reporting that its name is taken.

        Args:
            document: What is read.
            at: Where the node is.
            node: Its values; without a speed, or with none, it is 1.
            keys: Of its name and its speed.
        """
        name = NodeId(document.name(node, keys[0], at))
        if name in self.speed:
            what, expected = f"is a second node of this {keys[0]}", f"distinct {keys[0]}s"
            document.error(what, at, name, expected, "rename it")
        self.speed[name] = document.number(node, keys[1], at, default=1.0) or 1.0

    def ends(
        self,
        document: Document,
        at: Path,
        link: Mapping[str, object],
        keys: tuple[str, str],
        expected: str = "a node",
    ) -> tuple[NodeId, NodeId]:
        """Return the ends of a link, after reporting those that are no nodes.

        Args:
            document: What is read.
            at: Where the link is.
            link: Its values.
            keys: Of the sender and the receiver.
            expected: What an end must be, in words.
        """
        source, target = (NodeId(document.name(link, key, at)) for key in keys)
        for key, end in zip(keys, (source, target), strict=True):
            if end and end not in self.speed:
                document.error("is no node", (*at, key), end, expected, "add it")
        return source, target
