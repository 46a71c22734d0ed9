"""Task graphs in the language of Graphviz: ``digraph { a [work=1.5]; a -> b [bytes=1e6] }``.

Read are directed graphs with the attributes ``work`` (seconds on a node of speed 1) and ``bytes``;
other attributes are passed over. Written are task graphs, or schedules with a colour for each node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from jupiter.formats.problem_parts import GraphParts
from jupiter.formats.text import Content, Faults, Parsed, Path, Word, at_offset, decode, parse_with
from jupiter.kit.names import printable
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|\#[^\n]*|/\*.*?\*/)
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<mark>->|--|[{}\[\];,=])
    |(?P<word>-?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[A-Za-z_\x80-\uffff][\w\x80-\uffff.]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_COLOURS = ("#8dd3c7", "#ffffb3", "#bebada", "#fb8072", "#80b1d3", "#fdb462", "#b3de69", "#fccde5")


def parse(content: Content, file: str = "") -> Parsed[GraphParts]:
    """Return the tasks and edges of a directed graph.

    Raises:
        InputError: It has faults; all of them.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> GraphParts:
    """Return what can be understood; the rest is reported."""
    text = decode(content, faults)
    reader = _Reader(text, faults)
    reader.graph()
    return reader.parts()


class _Reader:
    """Goes through the statements of one graph."""

    def __init__(self, text: str, faults: Faults) -> None:
        self._text, self._faults = text, faults
        self._tokens = list(self._scan())
        self._at = 0
        self._work: dict[str, float] = {}
        self._edges: list[tuple[str, str, float, int]] = []

    def _scan(self) -> Iterator[tuple[str, str, int]]:
        for match in _TOKEN.finditer(self._text):
            kind = match.lastgroup or "other"
            if kind == "quoted":
                unescaped = re.sub(r"\\(.)", r"\1", match[0][1:-1])
                yield "name", unescaped, match.start()
            elif kind != "blank":
                yield ("name" if kind == "word" else kind), match[0], match.start()
        yield "end", "", len(self._text)

    def _next(self) -> tuple[str, str, int]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _peek(self) -> str:
        kind, lexeme, _ = self._tokens[self._at]
        return lexeme if kind == "mark" else f"<{kind}>"

    def _error(self, problem: str, offset: int, expected: str, remedy: str) -> None:
        shown = self._text[offset : offset + 20]
        self._faults.error(
            problem,
            at_offset(self._text, offset),
            got=printable(shown),
            expected=expected,
            remedy=remedy,
        )

    def graph(self) -> None:
        """Read ``digraph NAME { … }``."""
        kind, word, offset = self._next()
        if word == "strict":
            kind, word, offset = self._next()
        if kind != "name" or word != "digraph":
            self._error("this is no directed graph", offset, "digraph { … }", "write digraph")
            return
        if self._peek() == "<name>":
            self._next()
        kind, mark, offset = self._next()
        if mark != "{":
            self._error("the graph does not open", offset, "{", "add the brace")
            return
        while self._peek() != "}":
            if self._peek() == "<end>":
                self._error("the graph does not close", len(self._text), "}", "add the brace")
                return
            if not self._statement():
                return

    def _statement(self) -> bool:
        """Read one statement; return whether to go on."""
        kind, name, offset = self._next()
        if (kind, name) in (("mark", ";"), ("mark", ",")):
            return True
        if kind != "name" or name == "subgraph":
            self._error("this is no statement", offset, "a task or an edge", "write plain tasks")
            return False
        if self._peek() == "=":
            self._next()
            self._next()
            return True
        chain = [name]
        while self._peek() in ("->", "--"):
            _, mark, place = self._next()
            if mark == "--":
                self._error("the edge has no direction", place, "->", "write ->")
                return False
            kind, name, place = self._next()
            if kind != "name":
                self._error("the edge has no end", place, "a task", "name a task after ->")
                return False
            chain.append(name)
        attributes = self._attributes()
        if attributes is None:
            return False
        if len(chain) == 1 and chain[0] in ("graph", "node", "edge"):
            return True
        for each in chain:
            self._work.setdefault(each, 0.0)
        if len(chain) == 1:
            self._work[name] = self._number(attributes.get("work", "0"), "work", offset)
        size = self._number(attributes.get("bytes", "0"), "bytes", offset)
        for source, target in pairwise(chain):
            self._edges.append((source, target, size, offset))
        return True

    def _attributes(self) -> dict[str, str] | None:
        """Return the attributes that follow, or None after reporting them."""
        found: dict[str, str] = {}
        while self._peek() == "[":
            self._next()
            while self._peek() != "]":
                kind, key, offset = self._next()
                if (kind, key) in (("mark", ","), ("mark", ";")):
                    continue
                if kind != "name" or self._peek() != "=":
                    self._error("this is no attribute", offset, "key=value", "correct it")
                    return None
                self._next()
                found[key] = self._next()[1]
            self._next()
        return found

    def _number(self, text: str, key: str, offset: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            self._error(f"{key} is no such number", offset, "0 or more", "correct it")
            return 0.0
        return value

    def parts(self) -> GraphParts:
        """Return the tasks and edges."""
        parts = GraphParts()
        for name, work_s in self._work.items():
            parts.add_task(self, (), name, work_s)
        for source, target, size, offset in self._edges:
            self._offset = offset
            parts.add_edge(self, (), source, target, size)
        if not self._faults.has_errors:
            self._offset = 0
            parts.check(self, ())
        return parts

    _offset = 0

    def error(self, problem: str, path: Path, value: object, expected: str, remedy: str) -> None:
        """Report what the parts found."""
        self._faults.error(
            f"the graph {problem}",
            at_offset(self._text, self._offset) if self._offset else Word(""),
            got=str(value),
            expected=expected,
            remedy=remedy,
        )


def dumps(problem: Problem, schedule: Schedule | None = None) -> str:
    """Return the task graph, each task in the colour of its node where there is a schedule."""
    lines = ["digraph {", "  rankdir=LR; node [shape=box, style=filled, fillcolor=white];"]
    for task in problem.graph.tasks:
        attributes = []
        if task in problem.work_s:
            attributes.append(f"work={problem.work_s[task]!r}")
        if schedule is not None:
            node = schedule.mapping[task]
            colour = _COLOURS[problem.nodes.index(node) % len(_COLOURS)]
            attributes += [f"label={_quoted(f'{task} @ {node}')}", f'fillcolor="{colour}"']
        lines.append(f"  {_quoted(task)} [{', '.join(attributes)}];")
    for edge in problem.graph.edges:
        size = problem.size_bytes(edge)
        lines.append(f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [bytes={size!r}];")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
