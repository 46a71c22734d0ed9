"""Tasks and edges while a problem is being read, with the rules that all formats share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from jupiter.formats.text import Path
from jupiter.kit.names import nearest, printable
from jupiter.model.graph import Edge, TaskGraph, find_cycle
from jupiter.model.ids import TaskId


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
