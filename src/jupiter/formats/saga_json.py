"""Problems and schedules of SAGA as JSON: ``{"network": {…}, "task_graph": {…}}``.

SAGA's networks are undirected, its nodes have one speed and one core, its links a speed and no
latency. Its task graphs have a cost a task and a size a dependency, both without a unit; here they
are read as seconds on a node of speed 1, and as bytes over bytes per second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from jupiter.errors import Fault, InputError
from jupiter.formats.json_document import Document, path_text, read_document
from jupiter.formats.problem_parts import GraphParts, NetworkParts
from jupiter.formats.text import Content, Faults, Parsed, Path, parse_with
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.model.transfer import TransferModel


def loads(text: Content) -> Problem:
    """Return the problem of one document.

    Raises:
        InputError: The document has faults; all of them.
    """
    return parse(text).value


def parse(content: Content, file: str = "") -> Parsed[Problem]:
    """Return the problem of one document with both parts.

    Raises:
        InputError: As `loads`.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Problem:
    """Return what can be understood; the rest is reported."""
    document = read_document(content, faults)
    if document is None:
        return _EMPTY
    for key in ("network", "task_graph"):
        if key not in document.values:
            document.error(f"has no {key}", (), "", "network and task_graph", "add it")
    network = document.table(document.values.get("network", {}), ("network",))
    graph = document.table(document.values.get("task_graph", {}), ("task_graph",))
    return _problem((document, network, ("network",)), (document, graph, ("task_graph",)))


def parse_parts(
    network: Content, graph: Content, files: tuple[str, str] = ("", "")
) -> Parsed[Problem]:
    """Return the problem of two documents, one with the network and one with the task graph.

    Raises:
        InputError: As `loads`.
    """
    faults = Faults(files[0])
    first = read_document(network, faults)
    second = read_document(graph, faults.of_file(files[1]))
    if first is None or second is None:
        faults.raise_errors()
    assert first is not None  # noqa: S101 - raised above
    assert second is not None  # noqa: S101
    return faults.parsed(_problem((first, first.values, ()), (second, second.values, ())))


_Part = tuple[Document, Mapping[str, object], Path]
_EMPTY = Problem(graph=GraphParts().graph(), nodes=(), links={})


def _problem(network: _Part, task_graph: _Part) -> Problem:
    net = _network(*network)
    parts = _graph(*task_graph)
    if network[0].faults.has_errors or task_graph[0].faults.has_errors:
        return _EMPTY
    return Problem(
        graph=parts.graph(),
        nodes=tuple(net.speed),
        links=net.links,
        work_s=parts.work_s,
        edge_bytes=parts.edge_bytes,
        speed=net.speed,
    )


def _network(document: Document, values: Mapping[str, object], path: Path) -> NetworkParts:
    parts = NetworkParts()
    for at, node in document.tables(values.get("nodes"), (*path, "nodes")):
        parts.add_node(document, at, node, ("name", "speed"))
        if node.get("speed") == 0:
            document.error("has no speed", (*at, "speed"), 0, "a positive number", "correct it")
    for at, edge in document.tables(values.get("edges", []), (*path, "edges")):
        keys = "source", "target"
        source, target = parts.ends(document, at, edge, keys, "a node of the network")
        if source == target:
            own = edge.get("speed")
            if isinstance(own, int | float) and own < math.inf:
                what = f"{path_text(at)} makes transfers within {source} take time"
                document.faults.note(f"{what}; here they are free")
            continue
        # SAGA writes what is infinite as null.
        known = {**edge, "speed": math.inf} if edge.get("speed", 0) is None else edge
        rate = document.number(known, "speed", at, may_be_infinite=True)
        if rate > 0:
            model = TransferModel(0.0, 1.0 / rate)
            parts.links[source, target] = parts.links[target, source] = model
    return parts


def _graph(document: Document, values: Mapping[str, object], path: Path) -> GraphParts:
    parts = GraphParts()
    for at, task in document.tables(values.get("tasks"), (*path, "tasks")):
        name = document.name(task, "name", at)
        parts.add_task(document, at, name, document.number(task, "cost", at))
    for at, edge in document.tables(values.get("dependencies", []), (*path, "dependencies")):
        ends = document.name(edge, "source", at), document.name(edge, "target", at)
        parts.add_edge(document, at, *ends, document.number(edge, "size", at, default=0.0))
    parts.check(document, path)
    return parts


def dumps(problem: Problem) -> str:
    """Return a problem as one document.

    Raises:
        InputError: The problem says something that SAGA cannot: times by pair of task and node,
            latency, several cores, pins, limits, or links that differ by direction.
    """
    faults = list(_lost(problem))
    if faults:
        raise InputError(faults)
    edges = []
    for (source, target), model in problem.links.items():
        if problem.nodes.index(source) < problem.nodes.index(target):
            seconds = model.busy_s(1.0)
            speed = math.inf if seconds == 0 else 1.0 / seconds
            edges.append({"source": source, "target": target, "speed": speed})
    # SAGA cannot read the null that it writes, but reads Infinity.
    edges += [{"source": node, "target": node, "speed": math.inf} for node in problem.nodes]
    document = {
        "network": {
            "nodes": [
                {"name": node, "speed": problem.speed.get(node, 1.0)} for node in problem.nodes
            ],
            "edges": edges,
        },
        "task_graph": {
            "tasks": [{"name": task, "cost": problem.work_s[task]} for task in problem.graph.tasks],
            "dependencies": [
                {"source": edge.source, "target": edge.target, "size": problem.size_bytes(edge)}
                for edge in problem.graph.edges
            ],
        },
    }
    return json.dumps(document, indent=1) + "\n"


def _lost(problem: Problem) -> list[Fault]:
    """Return what SAGA has no words for."""

    def fault(what: str) -> Fault:
        return Fault(
            f"SAGA's format cannot say {what}", remedy="write problem.json, which can say all"
        )

    faults = []
    if problem.execution_s or any(task not in problem.work_s for task in problem.graph.tasks):
        faults.append(fault("times of a task that differ by more than the speed of a node"))
    if any(cores > 1 for cores in problem.cores.values()):
        faults.append(fault("how many cores a node has"))
    if problem.pinned or problem.forbidden or problem.begun or problem.release_s:
        faults.append(fault("where a task must or must not be"))
    if problem.tasks_max or (problem.memory_bytes and problem.node_memory_bytes):
        faults.append(fault("limits of memory or number"))
    for pair, model in problem.links.items():
        if not isinstance(model, TransferModel) or model.latency_s > 0:
            faults.append(fault("latencies, or curves of links"))
            break
        if problem.links.get((pair[1], pair[0])) != model:
            faults.append(fault("links that differ by direction"))
            break
    return faults


def dumps_schedule(problem: Problem, schedule: Schedule) -> str:
    """Return a schedule as SAGA writes its own: executions by node.

    Raises:
        InputError: As `dumps`.
    """
    whole = json.loads(dumps(problem))
    mapping: dict[str, list[dict[str, object]]] = {node: [] for node in problem.nodes}
    for each in sorted(schedule.assignments, key=lambda each: each.start_s):
        mapping[each.node].append(
            {"node": each.node, "name": each.task, "start": each.start_s, "end": each.finish_s}
        )
    return json.dumps({**whole, "mapping": mapping}, indent=1) + "\n"
