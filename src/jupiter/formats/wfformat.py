"""Workflow instances of WfCommons (WfFormat 1.5): real graphs with run times and file sizes.

A task's work is its run time on the machine of the trace. The bytes of an edge are those of the
files that the parent writes and the child reads. The format knows machines but no links.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping

from jupiter.formats.json_document import Document, read_document
from jupiter.formats.problem_parts import GraphParts
from jupiter.formats.text import Content, Faults, Parsed, Path, parse_with
from jupiter.model.ids import NodeId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel

SCHEMA = "1.5"
LINK = TransferModel(0.0, 1 / 125e6)
"""Of all pairs of machines: 1 Gbit/s, as the format does not say."""


def parse(content: Content, file: str = "") -> Parsed[Problem]:
    """Return the problem of an instance, on its own machines.

    Raises:
        InputError: It has faults; all of them.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Problem:
    """Return what can be understood; the rest is reported."""
    empty = Problem(graph=GraphParts().graph(), nodes=(), links={})
    document = read_document(content, faults)
    if document is None:
        return empty
    workflow = document.table(document.values.get("workflow"), ("workflow",))
    at = ("workflow", "specification")
    specification = document.table(workflow.get("specification"), at)
    execution = document.table(workflow.get("execution", {}), ("workflow", "execution"))
    parts = _graph(document, specification, _runtimes(document, execution))
    speed, cores = _machines(document, execution)
    if faults.has_errors:
        return empty
    if len(speed) > 1:
        faults.note("the format has no links; every two machines are joined by 1 Gbit/s")
    elif not execution.get("machines"):
        faults.note("the instance names no machines; one is taken: --cluster FILE names others")
    nodes = tuple(speed)
    return Problem(
        graph=parts.graph(),
        nodes=nodes,
        links={(a, b): LINK for a in nodes for b in nodes if a != b},
        work_s=parts.work_s,
        edge_bytes=parts.edge_bytes,
        speed=speed,
        cores=cores,
    )


def _runtimes(document: Document, execution: Mapping[str, object]) -> dict[str, float]:
    path: Path = ("workflow", "execution", "tasks")
    return {
        document.name(task, "id", at): document.number(task, "runtimeInSeconds", at)
        for at, task in document.tables(execution.get("tasks", []), path)
    }


def _graph(
    document: Document, specification: Mapping[str, object], runtimes: Mapping[str, float]
) -> GraphParts:
    path: Path = ("workflow", "specification")
    sizes = {
        document.name(file, "id", at): document.number(file, "sizeInBytes", at)
        for at, file in document.tables(specification.get("files", []), (*path, "files"))
    }
    parts = GraphParts()
    tasks = list(document.tables(specification.get("tasks"), (*path, "tasks")))
    outputs: dict[str, set[str]] = {}
    for at, task in tasks:
        name = document.name(task, "id", at)
        parts.add_task(document, at, name, runtimes.get(name, 0.0))
        outputs[name] = set(_texts(document, task, "outputFiles", at))
    for at, task in tasks:
        name = document.name(task, "id", at)
        inputs = _texts(document, task, "inputFiles", at)
        for parent in _texts(document, task, "parents", at):
            shared = [file for file in inputs if file in outputs.get(parent, ())]
            total = sum(sizes.get(file, 0.0) for file in shared)
            parts.add_edge(document, at, parent, name, total)
        for child in _texts(document, task, "children", at):
            if child not in outputs:
                document.error("names an unknown child", at, child, "a task", "add it")
    parts.check(document, path)
    return parts


def _texts(document: Document, task: Mapping[str, object], key: str, at: Path) -> list[str]:
    values = task.get(key, [])
    if isinstance(values, list) and all(isinstance(each, str) for each in values):
        return list(dict.fromkeys(values))
    document.error("is no list of names", (*at, key), values, '["…"]', "correct it")
    return []


def _machines(
    document: Document, execution: Mapping[str, object]
) -> tuple[dict[NodeId, float], dict[NodeId, int]]:
    """Return speeds, relative to the mean, and cores; one machine where none is named."""
    mhz: dict[NodeId, float] = {}
    cores: dict[NodeId, int] = {}
    path: Path = ("workflow", "execution", "machines")
    for at, machine in document.tables(execution.get("machines", []), path):
        name = NodeId(document.name(machine, "nodeName", at))
        cpu = document.table(machine.get("cpu", {}), (*at, "cpu"))
        mhz[name] = document.number(cpu, "speedInMHz", (*at, "cpu"), default=0.0)
        if "coreCount" in cpu:
            cores[name] = int(document.number(cpu, "coreCount", (*at, "cpu"), low=1))
    known = [each for each in mhz.values() if each > 0]
    mean = sum(known) / len(known) if known else 1.0
    if not mhz:
        return {NodeId("machine"): 1.0}, {}
    return {name: (each / mean if each > 0 else 1.0) for name, each in mhz.items()}, cores


def dumps(problem: Problem, name: str = "problem") -> str:
    """Return a problem as an instance; links, pins and limits have no place in it.

    The run time of a task is its work, or its least time on any node. Every edge becomes a file.
    """
    graph = problem.graph
    files: dict[str, list[str]] = defaultdict(list)
    reads: dict[str, list[str]] = defaultdict(list)
    sizes = []
    for edge in graph.edges:
        file = f"{edge.source}.{edge.target}"
        sizes.append({"id": file, "sizeInBytes": round(problem.size_bytes(edge))})
        files[edge.source].append(file)
        reads[edge.target].append(file)
    document = {
        "name": name,
        "schemaVersion": SCHEMA,
        "workflow": {
            "specification": {
                "tasks": [
                    {
                        "name": task,
                        "id": task,
                        "parents": list(graph.parents[task]),
                        "children": list(graph.children[task]),
                        "inputFiles": reads[task],
                        "outputFiles": files[task],
                    }
                    for task in graph.tasks
                ],
                "files": sizes,
            },
            "execution": {
                "tasks": [
                    {"id": task, "runtimeInSeconds": _work_s(problem, k)}
                    for k, task in enumerate(graph.tasks)
                ],
                "machines": [
                    {
                        "nodeName": node,
                        "cpu": {
                            "coreCount": problem.cores.get(node, 1),
                            "speedInMHz": round(1000 * problem.speed.get(node, 1.0), 3),
                        },
                    }
                    for node in problem.nodes
                ],
            },
        },
    }
    return json.dumps(document, indent=1) + "\n"


def _work_s(problem: Problem, number: int) -> float:
    task = problem.graph.tasks[number]
    if task in problem.work_s:
        return problem.work_s[task]
    times = [problem.seconds(task, node) for node in problem.nodes]
    return min((time_s for time_s in times if time_s is not None), default=0.0)
