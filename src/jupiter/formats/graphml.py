"""Task graphs in GraphML, as networkx, yEd and Gephi write them.

Nodes carry ``work`` (seconds on a node of speed 1), edges ``bytes``; other data is passed over.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from jupiter.formats.problem_parts import GraphParts
from jupiter.formats.text import Content, Faults, Parsed, Path, Word, decode, parse_with
from jupiter.model.problem import Problem

_SPACE = "{http://graphml.graphdrawing.org/xmlns}"


def parse(content: Content, file: str = "") -> Parsed[GraphParts]:
    """Return the tasks and edges of a directed graph.

    Raises:
        InputError: It has faults; all of them.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> GraphParts:
    """Return what can be understood; the rest is reported."""
    parts = GraphParts()
    text = decode(content, faults)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        faults.error("the text defines entities", expected="plain GraphML", remedy="remove them")
        return parts
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - see above
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        line, column = getattr(error, "position", (0, 0))
        place = Word("", line, column + 1)
        faults.error(f"the text is no XML: {error}", place, remedy="correct it at this place")
        return parts
    graph = _child(root, "graph")
    if graph is None:
        faults.error("there is no graph in it", expected="<graph>", remedy="add one")
        return parts
    if graph.get("edgedefault") == "undirected":
        faults.error("the graph is not directed", expected='edgedefault="directed"')
        return parts
    names = {each.get("id", ""): each.get("attr.name", "") for each in root if _is(each, "key")}
    reporter = _Reporter(faults)
    for node in graph:
        if _is(node, "node"):
            work_s = _data(node, names, "work", reporter)
            parts.add_task(reporter, (node.get("id", ""),), node.get("id", ""), work_s)
    for edge in graph:
        if _is(edge, "edge"):
            ends = edge.get("source", ""), edge.get("target", "")
            size = _data(edge, names, "bytes", reporter)
            parts.add_edge(reporter, (f"{ends[0]} -> {ends[1]}",), *ends, size)
    parts.check(reporter, ("the graph",))
    return parts


class _Reporter:
    """Names the part of the graph that a fault is in."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def error(self, problem: str, path: Path, value: object, expected: str, remedy: str) -> None:
        """Report a value."""
        where = path[0] if path else "the graph"
        self._faults.error(f"{where} {problem}", got=str(value), expected=expected, remedy=remedy)


def _is(element: ElementTree.Element, name: str) -> bool:
    return element.tag in (name, _SPACE + name)


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((each for each in element if _is(each, name)), None)


def _data(
    element: ElementTree.Element, names: dict[str, str], wanted: str, reporter: _Reporter
) -> float:
    """Return a number of the data of a node or edge; 0 where it has none."""
    for each in element:
        key = each.get("key", "")
        if _is(each, "data") and names.get(key, key) == wanted:
            try:
                value = float(each.text or "")
            except ValueError:
                value = -1.0
            if 0 <= value < float("inf"):
                return value
            what = element.get("id") or f"{element.get('source')} -> {element.get('target')}"
            reporter.error(
                f"has no such {wanted}", (what,), each.text, "a number, 0 or more", "correct it"
            )
    return 0.0


def dumps(problem: Problem) -> str:
    """Return the task graph."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        '  <key id="work" for="node" attr.name="work" attr.type="double"/>',
        '  <key id="bytes" for="edge" attr.name="bytes" attr.type="double"/>',
        '  <graph edgedefault="directed">',
    ]
    for task in problem.graph.tasks:
        work_s = problem.work_s.get(task, 0.0)
        lines.append(f'    <node id={quoteattr(task)}><data key="work">{work_s!r}</data></node>')
    for edge in problem.graph.edges:
        ends = f"source={quoteattr(edge.source)} target={quoteattr(edge.target)}"
        size = problem.size_bytes(edge)
        lines.append(f'    <edge {ends}><data key="bytes">{size!r}</data></edge>')
    return "\n".join([*lines, "  </graph>", "</graphml>", ""])
