"""``problem.json``: everything that a `Problem` can say, losslessly.

One object: ``nodes`` (a list of objects with ``name`` and optionally ``speed``, ``cores``,
``memory_bytes``, ``tasks_max``), ``links`` (``source``, ``target``, and ``latency_s`` with
``seconds_per_byte``, or ``curve`` with constant, linear and square, or ``points``), ``tasks``
(``name``, and ``work_s`` or ``execution_s`` by node; optionally ``memory_bytes``, ``pinned``,
``forbidden``), ``edges`` (``source``, ``target``, ``bytes``), and ``objective``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from jupiter.formats.json_document import Document, read_document
from jupiter.formats.problem_parts import GraphParts
from jupiter.formats.text import Content, Faults, Parsed, Path, parse_with
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Objective, Problem
from jupiter.model.transfer import QuadraticTransfer, TableTransfer, Transfer, TransferModel

OBJECTIVES = ("makespan", "period", "both")


def parse(content: Content, file: str = "") -> Parsed[Problem]:
    """Return the problem of a file.

    Raises:
        InputError: It has faults; all of them.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Problem:
    """Return what can be understood; the rest is reported."""
    document = read_document(content, faults)
    empty = Problem(graph=GraphParts().graph(), nodes=(), links={})
    if document is None:
        return empty
    reader = _Reader(document)
    reader.nodes()
    reader.links()
    reader.tasks()
    reader.edges()
    objective = document.values.get("objective", "makespan")
    if objective not in OBJECTIVES:
        document.error(
            "is unknown", ("objective",), objective, ", ".join(OBJECTIVES), "one of these"
        )
    if faults.has_errors:
        return empty
    return reader.problem(cast("Objective", objective))


class _Reader:
    """Collects the parts of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes: dict[NodeId, float] = {}
        self._cores: dict[NodeId, int] = {}
        self._room: dict[NodeId, float] = {}
        self._places: dict[NodeId, int] = {}
        self._links: dict[tuple[NodeId, NodeId], Transfer] = {}
        self._parts = GraphParts()
        self._execution_s: dict[tuple[TaskId, NodeId], float] = {}
        self._without_work: set[TaskId] = set()
        self._pinned: dict[TaskId, NodeId] = {}
        self._forbidden: dict[TaskId, frozenset[NodeId]] = {}
        self._memory: dict[TaskId, float] = {}

    def problem(self, objective: Objective) -> Problem:
        """Return all that was read."""
        work_s = self._parts.work_s
        return Problem(
            graph=self._parts.graph(),
            nodes=tuple(self._nodes),
            links=self._links,
            execution_s=self._execution_s,
            work_s={task: work_s[task] for task in work_s if task not in self._without_work},
            edge_bytes=self._parts.edge_bytes,
            speed={node: speed for node, speed in self._nodes.items() if speed != 1.0},
            cores=self._cores,
            pinned=self._pinned,
            forbidden=self._forbidden,
            memory_bytes=self._memory,
            node_memory_bytes=self._room,
            tasks_max=self._places,
            objective=objective,
        )

    def nodes(self) -> None:
        """Read the nodes."""
        document = self._document
        for at, node in document.tables(document.values.get("nodes"), ("nodes",)):
            name = NodeId(document.name(node, "name", at))
            if name in self._nodes:
                document.error(
                    "is a second node of this name", at, name, "distinct names", "rename"
                )
            self._nodes[name] = document.number(node, "speed", at, default=1.0) or 1.0
            if node.get("speed", 1) == 0:
                document.error("is 0", (*at, "speed"), 0, "a positive number", "correct it")
            if "cores" in node:
                self._cores[name] = int(document.number(node, "cores", at, low=1))
            if "memory_bytes" in node:
                self._room[name] = document.number(node, "memory_bytes", at)
            if "tasks_max" in node:
                self._places[name] = int(document.number(node, "tasks_max", at))

    def links(self) -> None:
        """Read the links."""
        document = self._document
        for at, link in document.tables(document.values.get("links", []), ("links",)):
            ends = [self._node(document.name(link, key, at), (*at, key)) for key in _ENDS]
            model = self._model(link, at)
            if ends[0] == ends[1]:
                document.error("joins a node with itself", at, ends[0], "two nodes", "delete it")
            elif model is not None:
                self._links[ends[0], ends[1]] = model

    def _model(self, link: Mapping[str, object], at: Path) -> Transfer | None:
        document = self._document
        try:
            if "curve" in link:
                numbers = self._numbers(link["curve"], (*at, "curve"), 3)
                return QuadraticTransfer(*numbers) if numbers else None
            if "points" in link:
                pairs = link["points"] if isinstance(link["points"], list) else []
                found = [self._numbers(pair, (*at, "points", k), 2) for k, pair in enumerate(pairs)]
                return TableTransfer(tuple((pair[0], pair[1]) for pair in found if pair))
        except ValueError as error:
            document.error(f"is no link: {error}", at, "", "", "correct the numbers")
            return None
        return TransferModel(
            document.number(link, "latency_s", at, default=0.0),
            document.number(link, "seconds_per_byte", at, default=0.0),
        )

    def _numbers(self, value: object, at: Path, count: int) -> list[float]:
        if isinstance(value, list) and len(value) == count:
            wanted = {str(k): each for k, each in enumerate(value)}
            return [self._document.number(wanted, str(k), at, low=-1e300) for k in range(count)]
        self._document.error("is no such list", at, value, f"{count} numbers", "correct it")
        return []

    def tasks(self) -> None:
        """Read the tasks."""
        document = self._document
        for at, task in document.tables(document.values.get("tasks"), ("tasks",)):
            name = TaskId(document.name(task, "name", at))
            self._parts.add_task(
                document, at, name, document.number(task, "work_s", at, default=0.0)
            )
            if "work_s" not in task:
                self._without_work.add(name)
            times = document.table(task.get("execution_s", {}), (*at, "execution_s"))
            for node in times:
                known = self._node(node, (*at, "execution_s", node))
                seconds = document.number(times, node, (*at, "execution_s"))
                self._execution_s[name, known] = seconds
            if "pinned" in task:
                pin = document.name(task, "pinned", at)
                self._pinned[name] = self._node(pin, (*at, "pinned"))
            if "forbidden" in task:
                nodes = task["forbidden"] if isinstance(task["forbidden"], list) else []
                where = (*at, "forbidden")
                self._forbidden[name] = frozenset(self._node(str(n), where) for n in nodes)
            if "memory_bytes" in task:
                self._memory[name] = document.number(task, "memory_bytes", at)

    def edges(self) -> None:
        """Read the edges."""
        document = self._document
        for at, edge in document.tables(document.values.get("edges", []), ("edges",)):
            ends = [document.name(edge, key, at) for key in _ENDS]
            size = document.number(edge, "bytes", at, default=0.0)
            self._parts.add_edge(document, at, ends[0], ends[1], size)
        self._parts.check(document, ())

    def _node(self, name: str, at: Path) -> NodeId:
        if name and name not in self._nodes:
            self._document.error("is no node", at, name, "one of nodes", "add it, or correct it")
        return NodeId(name)


_ENDS = ("source", "target")


def dumps(problem: Problem) -> str:
    """Return the text of a problem; begun tasks and the release are of a moment and left out."""
    document = {
        "nodes": [_node_of(problem, node) for node in problem.nodes],
        "links": [
            {"source": source, "target": target, **_link_of(model)}
            for (source, target), model in problem.links.items()
        ],
        "tasks": [_task_of(problem, task) for task in problem.graph.tasks],
        "edges": [
            {"source": e.source, "target": e.target, "bytes": problem.size_bytes(e)}
            for e in problem.graph.edges
        ],
        "objective": problem.objective,
    }
    parts = []
    for key, value in document.items():
        if isinstance(value, list):
            rows = ",\n".join(f"  {json.dumps(each)}" for each in value)
            parts.append(f' "{key}": [\n{rows}\n ]' if rows else f' "{key}": []')
        else:
            parts.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _node_of(problem: Problem, node: NodeId) -> dict[str, object]:
    made: dict[str, object] = {"name": node}
    for key, values in (
        ("speed", problem.speed),
        ("cores", problem.cores),
        ("memory_bytes", problem.node_memory_bytes),
        ("tasks_max", problem.tasks_max),
    ):
        if node in values:
            made[key] = values[node]
    return made


def _link_of(model: Transfer) -> dict[str, object]:
    if isinstance(model, QuadraticTransfer):
        return {"curve": [model.constant_s, model.linear, model.square]}
    if isinstance(model, TableTransfer):
        return {"points": [list(point) for point in model.points]}
    if isinstance(model, TransferModel):
        return {"latency_s": model.latency_s, "seconds_per_byte": model.seconds_per_byte}
    raise TypeError(f"no way to write a {type(model).__name__}")


def _task_of(problem: Problem, task: TaskId) -> dict[str, object]:
    made: dict[str, object] = {"name": task}
    if task in problem.work_s:
        made["work_s"] = problem.work_s[task]
    times = {
        node: problem.execution_s[task, node]
        for node in problem.nodes
        if (task, node) in problem.execution_s
    }
    if times:
        made["execution_s"] = times
    if task in problem.pinned:
        made["pinned"] = problem.pinned[task]
    if task in problem.forbidden:
        made["forbidden"] = sorted(problem.forbidden[task])
    if task in problem.memory_bytes:
        made["memory_bytes"] = problem.memory_bytes[task]
    return made
