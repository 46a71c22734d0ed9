"""Scenarios of the simulator ncsim (YAML): a network with bandwidths and its task graphs.

Bandwidth is MB/s and data MB (10⁶ bytes), latency seconds; a task of cost c runs c over capacity
seconds. Several graphs become one problem, their tasks named ``graph.task``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from jupiter.errors import Fault, InputError
from jupiter.formats.json_document import Document
from jupiter.formats.problem_parts import GraphParts, NetworkParts
from jupiter.formats.text import Content, Faults, Parsed, Path, Word, decode, parse_with
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel

BYTES_PER_MB = 1e6
_ALIAS = re.compile(r"(?m)(?:^|[\s,\[{:-])[&*][\w-]+")


def parse(content: Content, file: str = "") -> Parsed[Problem]:
    """Return the problem of a scenario.

    Raises:
        InputError: It has faults; all of them.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Problem:
    """Return what can be understood; the rest is reported."""
    empty = Problem(graph=GraphParts().graph(), nodes=(), links={})
    document = _document(content, faults)
    if document is None:
        return empty
    at: Path = ("scenario",)
    scenario = document.table(document.values.get("scenario"), at)
    network = document.table(scenario.get("network"), (*at, "network"))
    net = _network(document, network, (*at, "network"))
    parts, pinned = _graphs(document, scenario, net.speed)
    if faults.has_errors:
        return empty
    return Problem(
        graph=parts.graph(),
        nodes=tuple(net.speed),
        links=net.links,
        work_s=parts.work_s,
        edge_bytes=parts.edge_bytes,
        speed=net.speed,
        pinned=pinned,
    )


def _document(content: Content, faults: Faults) -> Document | None:
    text = decode(content, faults)
    if _ALIAS.search(text):
        # A few lines of aliases can stand for gigabytes, and no scenario needs them.
        faults.error("anchors and aliases are not read", expected="plain YAML", remedy="write out")
        return None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Word("", mark.line + 1, mark.column + 1) if mark else Word("")
        problem = getattr(error, "problem", None) or "it cannot be read"
        faults.error(f"the text is no YAML: {problem}", place, remedy="correct it at this place")
        return None
    except (RecursionError, ValueError) as error:
        faults.error("the text is no YAML", got=type(error).__name__, remedy="correct it")
        return None
    if not isinstance(values, dict):
        faults.error("the text is no scenario", expected="scenario: …", remedy="add the key")
        return None
    return Document({str(key): value for key, value in values.items()}, "", faults)


def _network(document: Document, network: Mapping[str, object], at: Path) -> NetworkParts:
    parts = NetworkParts()
    for where, node in document.tables(network.get("nodes"), (*at, "nodes")):
        parts.add_node(document, where, node, ("id", "compute_capacity"))
    for where, link in document.tables(network.get("links", []), (*at, "links")):
        source, target = parts.ends(document, where, link, ("from", "to"))
        rate = document.number(link, "bandwidth", where, may_be_infinite=True) * BYTES_PER_MB
        latency_s = document.number(link, "latency", where, default=0.0)
        if rate > 0 and source != target:
            parts.links[source, target] = TransferModel(latency_s, 1.0 / rate)
    return parts


def _graphs(
    document: Document, scenario: Mapping[str, object], nodes: Mapping[NodeId, float]
) -> tuple[GraphParts, dict[TaskId, NodeId]]:
    parts = GraphParts()
    pinned: dict[TaskId, NodeId] = {}
    graphs = list(document.tables(scenario.get("dags"), ("scenario", "dags")))
    for at, graph in graphs:
        prefix = f"{document.name(graph, 'id', at)}." if len(graphs) > 1 else ""
        for where, task in document.tables(graph.get("tasks"), (*at, "tasks")):
            name = TaskId(prefix + document.name(task, "id", where))
            cost = document.number(task, "compute_cost", where)
            parts.add_task(document, where, name, cost)
            if task.get("pinned_to") is not None:
                node = NodeId(document.name(task, "pinned_to", where))
                if node not in nodes:
                    document.error("is no node", (*where, "pinned_to"), node, "a node", "add it")
                pinned[name] = node
        for where, edge in document.tables(graph.get("edges", []), (*at, "edges")):
            ends = [prefix + document.name(edge, key, where) for key in ("from", "to")]
            size = document.number(edge, "data_size", where, default=0.0) * BYTES_PER_MB
            parts.add_edge(document, where, ends[0], ends[1], size)
    if len(graphs) > 1:
        document.faults.note(f"{len(graphs)} graphs are placed together; inject_at is not read")
    parts.check(document, ("scenario", "dags"))
    return parts, pinned


def dumps(problem: Problem, name: str = "problem") -> str:
    """Return a problem as a scenario with one graph.

    Raises:
        InputError: Times differ by more than the speed of nodes, or links are curves.
    """
    if any(task not in problem.work_s for task in problem.graph.tasks) or problem.execution_s:
        raise InputError(
            Fault("ncsim knows one speed a node, not times by task and node", remedy="problem.json")
        )
    links = []
    for k, ((source, target), model) in enumerate(problem.links.items()):
        if not isinstance(model, TransferModel):
            raise InputError(Fault("ncsim knows no curves of links", remedy="write problem.json"))
        rate = 1 / model.seconds_per_byte / BYTES_PER_MB if model.seconds_per_byte else 1e12
        links.append(
            {
                "id": f"l{k}",
                "from": str(source),
                "to": str(target),
                "bandwidth": rate,
                "latency": model.latency_s,
            }
        )
    tasks = []
    for task in problem.graph.tasks:
        made: dict[str, object] = {"id": str(task), "compute_cost": problem.work_s[task]}
        if task in problem.pinned:
            made["pinned_to"] = str(problem.pinned[task])
        tasks.append(made)
    scenario = {
        "scenario": {
            "name": name,
            "network": {
                "nodes": [
                    {
                        "id": str(node),
                        "compute_capacity": problem.speed.get(node, 1.0),
                        "position": {"x": 10 * k, "y": 0},
                    }
                    for k, node in enumerate(problem.nodes)
                ],
                "links": links,
            },
            "dags": [
                {
                    "id": name,
                    "inject_at": 0.0,
                    "tasks": tasks,
                    "edges": [
                        {
                            "from": str(e.source),
                            "to": str(e.target),
                            "data_size": problem.size_bytes(e) / BYTES_PER_MB,
                        }
                        for e in problem.graph.edges
                    ],
                }
            ],
            "config": {"scheduler": "heft", "seed": 0, "routing": "direct", "interference": "none"},
        }
    }
    return yaml.safe_dump(scenario, sort_keys=False)
