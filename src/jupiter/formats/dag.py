"""``dag.txt``: a graph without the columns of ``configuration.txt``, in three flavours.

``counted`` starts with the number of lines (the seeds' HEFT), ``plain`` does not (their execution
profiler), ``table`` has the header ``parent children`` (``DAG_Scheduler.txt``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jupiter.formats.configuration import check_count, read_count
from jupiter.formats.graph_rules import TASKS_MAX, check_children, check_task_names
from jupiter.formats.text import Content, Faults, Line, Parsed, Word, parse_with, word_lines

Flavour = Literal["counted", "plain", "table"]
HEADER = ("parent", "children")


@dataclass(frozen=True, slots=True)
class DagLine:
    """A task and its children; home is kept as it was written."""

    name: Word
    children: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Dag:
    """The whole file.

    Attributes:
        flavour: See the module.
        tasks: In written order; a task that is only a child has no line of its own.
    """

    flavour: Flavour
    tasks: tuple[DagLine, ...]


def parse(content: Content, file: str = "") -> Parsed[Dag]:
    """Return the lines of a ``dag.txt``.

    Raises:
        InputError: The count is wrong or stands among the lines, or names do not fit together.
    """
    return parse_with(read, content, file)


def dumps(dag: Dag) -> str:
    """Return the text of a ``dag.txt``."""
    head = {"counted": str(len(dag.tasks)), "plain": "", "table": " ".join(HEADER)}[dag.flavour]
    lines = [head] if head else []
    lines += [" ".join((task.name, *task.children)) for task in dag.tasks]
    return "".join(f"{line}\n" for line in lines)


def read(content: Content, faults: Faults) -> Dag:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    flavour = _flavour(lines)
    body = lines if flavour == "plain" else lines[1:]
    if not body or len(body) > TASKS_MAX:
        faults.error(
            "the file has too many tasks" if body else "the file names no task",
            got=str(len(body)),
            expected=f"1 to {TASKS_MAX} lines: task child …",
            remedy="write one line a task",
        )
        return Dag(flavour, ())
    if flavour == "counted":
        count = read_count(lines[0], faults)
        if count is not None:
            check_count(count, lines[0].words[0], len(body), faults)
    for line in body:
        if _is_count(line):
            faults.error(
                "a count stands among the lines of the graph",
                line.words[0],
                expected="the number of tasks on the first line only, or nowhere",
                remedy="delete the line, or move it to the top",
            )
    body = [line for line in body if not _is_count(line)]
    tasks = tuple(DagLine(line.words[0], line.words[1:]) for line in body)
    _check(tasks, flavour, faults)
    return Dag(flavour, tasks)


def _is_count(line: Line) -> bool:
    return len(line.words) == 1 and line.words[0].lstrip("+-").isdecimal()


def _flavour(lines: Sequence[Line]) -> Flavour:
    if lines and _is_count(lines[0]):
        return "counted"
    if lines and tuple(word.lower() for word in lines[0].words) == HEADER:
        return "table"
    return "plain"


def _check(tasks: Sequence[DagLine], flavour: Flavour, faults: Faults) -> None:
    """Report wrong names; only in the table may a task appear as a child alone."""
    check_task_names([task.name for task in tasks], faults)
    known = {task.name for task in tasks}
    for task in tasks:
        if task.children == (task.name,):
            continue
        others = {child for child in task.children if child != task.name}
        allowed = known | others if flavour == "table" else known
        check_children(task.name, task.children, allowed, faults)
