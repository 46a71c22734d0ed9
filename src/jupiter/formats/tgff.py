"""TGFF as the seeds' HEFT reads it: a graph, costs of tasks on processors, curves of links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupiter.formats.graph_rules import TASKS_MAX, check_task_names
from jupiter.formats.link_parameters import Curve, read_words
from jupiter.formats.link_parameters import dumps as dumps_curve
from jupiter.formats.text import (
    Content,
    Faults,
    Line,
    Parsed,
    Word,
    check_distinct,
    check_name,
    parse_with,
    read_integer,
    read_number,
    word_lines,
)
from jupiter.kit.names import printable
from jupiter.model.graph import find_cycle
from jupiter.model.ids import TaskId

SECTIONS = ("@TASK_GRAPH", "@computation_cost", "@quadratic")
COST_PER_SECOND = 10.0
"""Costs are tenths of a second."""
_REFERENCE = re.compile(r"t0_([0-9]{1,9})")
_COST_WORDS = 3
"""Words before the processors in ``# type version node1 …``; a row has two before the costs."""


@dataclass(frozen=True)
class Tgff:
    """The whole file, in the seeds' units.

    Attributes:
        tasks: By index.
        arcs: Kbit by (task, child).
        processors: Names of the columns of `costs`.
        costs: Tenths of a second on every processor, by task.
        curves: Of links by (source, target); the last one where a link is fitted several times.
    """

    tasks: tuple[str, ...]
    arcs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    processors: tuple[str, ...] = ()
    costs: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    curves: Mapping[tuple[str, str], Curve] = field(default_factory=dict)

    def execution_s(self, task: str, processor: str) -> float:
        """Return the seconds of a task on a processor."""
        return self.costs[task][self.processors.index(processor)] / COST_PER_SECOND


def parse(content: Content, file: str = "") -> Parsed[Tgff]:
    """Return the graph, costs and curves of a TGFF file.

    Raises:
        InputError: The file departs from the seeds' dialect in any way.
    """
    return parse_with(read, content, file)


def dumps(tgff: Tgff) -> str:
    """Return the text of a TGFF file, blanks and tabs as the seeds' readers need them."""
    index = {task: k for k, task in enumerate(tgff.tasks)}
    lines = ["@TASK_GRAPH 0 {", "\tAPERIODIC", ""]
    lines += [f"\tTASK {task}\tTYPE {k}" for k, task in enumerate(tgff.tasks)]
    lines += [""]
    lines += [
        f"\tARC a0_{k} \tFROM t0_{index[source]} TO t0_{index[target]} \tTYPE {_number(kbit)}"
        for k, ((source, target), kbit) in enumerate(tgff.arcs.items())
    ]
    lines += ["", "}", "@computation_cost 0 {", " ".join(("# type version", *tgff.processors))]
    lines += [
        f"  t0_{index[task]}    0\t{' '.join(map(_number, costs))}"
        for task, costs in tgff.costs.items()
    ]
    lines += ["}", "", "", "", "", "@quadratic 0 {", "# Source Destination a b c"]
    lines += [
        f"  {source}\t{target}\t{dumps_curve(curve)}"
        for (source, target), curve in tgff.curves.items()
    ]
    return "\n".join(lines) + "\n}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def read(content: Content, faults: Faults) -> Tgff:
    """Return what can be understood; the rest is reported."""
    # Tabs and double blanks are the rule in this format, so they are not worth a note.
    quiet = Faults(faults.file)
    lines = word_lines(content, quiet)
    for fault in quiet.errors:
        faults.add(fault)
    sections = _split(lines, faults)
    reader = _Reader(faults)
    graph = sections.get(SECTIONS[0], [])
    reader.tasks([line for line in graph if line.words[0] == "TASK"])
    for line in graph:
        reader.graph_line(line)
    reader.check_cycle()
    reader.costs(sections.get(SECTIONS[1], []))
    for line in sections.get(SECTIONS[2], []):
        reader.curve(line)
    if reader.repeated:
        faults.note(f"{reader.repeated} links are fitted more than once; the last fit counts")
    return reader.tgff()


def _split(lines: list[Line], faults: Faults) -> dict[str, list[Line]]:
    """Return the lines between the braces of every section."""
    sections: dict[str, list[Line]] = {}
    opened: Word | None = None
    body: list[Line] = []
    for line in lines:
        word = line.words[0]
        if word.startswith("@"):
            if opened is not None:
                _report_unclosed(opened, faults)
            opened = word
            body = []
            _open(line, sections, body, faults)
        elif word == "}" and opened is not None and len(line.words) == 1:
            opened = None
        elif opened is None:
            faults.error(
                "the line stands in no section",
                word,
                got=printable(line.text.strip()),
                expected="@NAME 0 { before it and } after it",
                remedy="delete it, or put it into its section",
            )
        else:
            body.append(line)
    if opened is not None:
        _report_unclosed(opened, faults)
    for name in SECTIONS:
        if name not in sections:
            faults.error(
                f"section {name} is missing",
                expected=", ".join(SECTIONS),
                remedy=f"add {name} 0 {{ … }}",
            )
    return sections


def _open(line: Line, sections: dict[str, list[Line]], body: list[Line], faults: Faults) -> None:
    name = line.words[0]
    if name not in SECTIONS:
        faults.error(
            "a section is unknown",
            name,
            expected=", ".join(SECTIONS),
            remedy=faults.suggestion(name, SECTIONS, "delete it"),
        )
    elif name in sections:
        faults.error(
            f"there are two sections {name}",
            name,
            expected="one graph a file",
            remedy="put the other one into a file of its own",
        )
    elif line.words[1:] != ("0", "{"):
        faults.error(
            f"section {name} does not open as expected",
            name,
            got=printable(line.text.strip()),
            expected=f"{name} 0 {{",
            remedy="number it 0 and end the line with {",
        )
    sections.setdefault(str(name), body)


def _report_unclosed(section: Word, faults: Faults) -> None:
    faults.error(
        f"section {section} is not closed",
        section,
        expected="} on a line of its own after it",
        remedy="add the brace",
    )


class _Reader:
    """Collects the sections of one file."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._tasks: tuple[Word, ...] = ()
        self._processors: tuple[Word, ...] = ()
        self._arcs: dict[tuple[str, str], float] = {}
        self._costs: dict[str, tuple[float, ...]] = {}
        self._curves: dict[tuple[str, str], Curve] = {}
        self.repeated = 0

    def tgff(self) -> Tgff:
        """Return all that was collected."""
        return Tgff(
            tuple(map(str, self._tasks)),
            self._arcs,
            tuple(map(str, self._processors)),
            self._costs,
            self._curves,
        )

    def _unexpected(self, line: Line, form: str) -> None:
        self._faults.error(
            "the line has another form than its section",
            line.words[0],
            got=printable(line.text.strip()),
            expected=form,
            remedy="correct or delete it",
        )

    def tasks(self, lines: list[Line]) -> None:
        """Read ``TASK name TYPE index``; the index is the position."""
        tasks: list[Word] = []
        for line in lines:
            if len(line.words) != 4 or line.words[2] != "TYPE":
                self._unexpected(line, "TASK name TYPE index")
                continue
            index = read_integer(line.words[3], self._faults, "the index", low=0, high=TASKS_MAX)
            if index is not None and index != len(tasks):
                self._faults.error(
                    f"task {printable(line.words[1])} is out of order",
                    line.words[3],
                    expected=str(len(tasks)),
                    remedy="number the tasks from 0 in the order of the lines",
                )
            tasks.append(line.words[1])
        if not tasks:
            self._faults.error("the graph has no task", expected="TASK name TYPE 0")
        check_task_names(tasks, self._faults)
        self._tasks = tuple(tasks)

    def graph_line(self, line: Line) -> None:
        """Read an arc; tasks were read before."""
        kind = line.words[0]
        if kind == "TASK" or line.words == ("APERIODIC",):
            return
        words = line.words
        if (
            kind != "ARC"
            or len(words) != 8
            or (words[2], words[4], words[6])
            != (
                "FROM",
                "TO",
                "TYPE",
            )
        ):
            self._unexpected(line, "TASK …, or ARC name FROM t0_i TO t0_j TYPE kbit")
            return
        source, target = self._task(words[3]), self._task(words[5])
        kbit = read_number(words[7], self._faults, "the size of an arc", low=0)
        if source is None or target is None or kbit is None:
            return
        if (source, target) in self._arcs:
            self._faults.error(
                f"the arc from {source} to {target} is written twice",
                words[3],
                got=f"{words[3]} TO {words[5]}",
                expected="every arc once",
                remedy="delete one of them",
            )
        self._arcs[source, target] = kbit

    def _task(self, word: Word) -> str | None:
        match = _REFERENCE.fullmatch(word)
        if match and int(match[1]) < len(self._tasks):
            return str(self._tasks[int(match[1])])
        self._faults.error(
            "this is no task of the graph",
            word,
            expected=f"t0_0 to t0_{len(self._tasks) - 1}",
            remedy="correct the index, or add the task",
        )
        return None

    def check_cycle(self) -> None:
        """Report a circle of arcs."""
        children: dict[TaskId, list[TaskId]] = {TaskId(str(task)): [] for task in self._tasks}
        for source, target in self._arcs:
            children[TaskId(source)].append(TaskId(target))
        cycle = find_cycle(children)
        if cycle:
            self._faults.error(
                "the arcs run in a circle",
                got=" -> ".join(cycle),
                expected="a graph without cycles",
                remedy="remove one of these arcs",
            )

    def costs(self, lines: list[Line]) -> None:
        """Read the header with the processors, then a row for every task."""
        header = lines[0] if lines else None
        if header is None or header.words[:_COST_WORDS] != ("#", "type", "version"):
            self._faults.error(
                "the costs have no header",
                header.words[0] if header else 0,
                expected="# type version node1 node2 …",
                remedy="add it as the first line of @computation_cost",
            )
            return
        self._processors = header.words[_COST_WORDS:]
        for processor in self._processors:
            check_name(processor, "processor", self._faults)
        check_distinct(self._processors, "processor", self._faults)
        for line in lines[1:]:
            self._cost_row(line)
        for task in self._tasks:
            if task not in self._costs and not self._faults.has_errors:
                self._faults.error(
                    f"task {printable(task)} has no costs",
                    task,
                    expected="a row of @computation_cost",
                    remedy="add it",
                )

    def _cost_row(self, line: Line) -> None:
        task = self._task(line.words[0])
        costs = line.words[2:]
        if task is None:
            return
        if len(costs) != len(self._processors):
            self._faults.error(
                f"task {task} has {len(costs)} costs for {len(self._processors)} processors",
                line.words[0],
                got=printable(line.text.strip()),
                expected=f"{len(self._processors)} costs, after t0_i and the version 0",
                remedy="add or delete columns",
            )
        if task in self._costs:
            self._faults.error(
                f"task {task} has two rows of costs",
                line.words[0],
                expected="one row a task",
                remedy="delete one of them",
            )
        values = (read_number(cost, self._faults, f"a cost of {task}", low=0) for cost in costs)
        self._costs[task] = tuple(value or 0.0 for value in values)

    def curve(self, line: Line) -> None:
        """Read ``source target a b c``."""
        if line.words[0] == "#":
            return
        if len(line.words) < 2:
            self._unexpected(line, "source target a b c")
            return
        source, target, *numbers = line.words
        curve = read_words(numbers, source, self._faults)
        check_name(source, "node", self._faults)
        check_name(target, "node", self._faults)
        if source == target:
            self._unexpected(line, "two different nodes")
        if curve is not None:
            key = (str(source), str(target))
            # The last fit counts, and takes the place in the order that it has in the file.
            self.repeated += self._curves.pop(key, None) is not None
            self._curves[key] = curve
