"""``dag.txt``: the task graph alone, for HEFT and the first execution profiler.

Three forms are read: with the number of lines on top, without it, and with the header
``parent children``. A child ``home`` or ``scheduler`` means that the outputs are results.
"""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.text import (
    Content,
    Faults,
    Line,
    Parsed,
    check_distinct,
    check_name,
    parse_with,
    read_integer,
    word_lines,
)
from jupiter.kit.names import printable
from jupiter.model.graph import find_cycle
from jupiter.model.ids import TaskId

HOME_WORDS = ("home", "scheduler")
HEADER = ("parent", "children")
TASKS_MAX = 10_000

Dag = Mapping[str, tuple[str, ...]]
"""The children of every task, ``home`` included, in written order."""


def parse(content: Content, file: str = "dag.txt") -> Parsed[Dag]:
    """Read a file.

    Raises:
        InputError: With every fault.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Dag:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    if not lines:
        faults.error(
            "the file is empty",
            expected="a line a task: task child …",
            remedy="write the task graph",
        )
        return {}
    lines = _without_top(lines, faults)
    for line in lines:
        _check_line(line, faults)
    check_distinct([line.words[0] for line in lines], "task", faults)
    dag = {str(line.words[0]): tuple(str(word) for word in line.words[1:]) for line in lines}
    cycle = find_cycle({TaskId(k): tuple(TaskId(c) for c in v) for k, v in dag.items()})
    if cycle:
        at = next(line.words[0] for line in lines if str(line.words[0]) == str(cycle[0]))
        faults.error(
            "the tasks form a cycle",
            at,
            got=" -> ".join(cycle),
            expected="a graph without cycles",
            remedy="remove one of these edges",
        )
    return dag


def _without_top(lines: list[Line], faults: Faults) -> list[Line]:
    """Return the lines of the graph; check the number on top, if there is one."""
    top = lines[0].words
    if tuple(top) == HEADER:
        return lines[1:]
    if len(top) > 1 or not top[0].lstrip("+-").isdecimal():
        return lines
    count = read_integer(top[0], faults, "the number of tasks", low=1, high=TASKS_MAX)
    rest = lines[1:]
    if count is not None and count != len(rest):
        faults.error(
            f"the first line announces {count} task lines but {len(rest)} follow",
            top[0],
            expected=str(len(rest)),
            remedy=f"write {len(rest)}, or correct the lines",
        )
    return rest


def _check_line(line: Line, faults: Faults) -> None:
    task, *children = line.words
    check_name(task, "task", faults)
    if len(children) > 1 and children[0].isdecimal() and children[1] in ("true", "false"):
        faults.error(
            f"the line of task {printable(task)} has the columns NUM_INPUTS and FLAG",
            children[0],
            expected="task child …",
            remedy="remove them, or name the file configuration.txt",
        )
        return
    for child in children:
        if child not in HOME_WORDS:
            check_name(child, "child", faults)
    check_distinct(children, "child", faults)


def dumps(dag: Dag, *, with_count: bool = True) -> str:
    """Return the text of a file."""
    rows = [str(len(dag))] if with_count else []
    rows += [" ".join((task, *children)) for task, children in dag.items()]
    return "\n".join(rows) + "\n"
