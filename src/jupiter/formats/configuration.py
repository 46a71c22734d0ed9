"""``configuration.txt``: the task graph of the seeds, and the schedule that may follow it.

The first line counts the lines of the graph; each of those is ``task NUM_INPUTS FLAG child …``. The
last child of a way is ``home`` (first system: ``scheduler``). A task outside the graph names itself
as its only child. Lines after the graph are a schedule: ``task node``.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupiter.formats.text import (
    Faults,
    Names,
    Parsed,
    Word,
    check_name,
    decode,
    did_you_mean,
    lines_of,
)
from jupiter.kit.names import printable
from jupiter.model.graph import find_cycle
from jupiter.model.ids import TaskId

HOME_WORDS = ("home", "scheduler")
LINES_MAX = 10_000
LATE_FLAGS = ("ordered", "exclusive")


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One line of the graph.

    Attributes:
        inputs: NUM_INPUTS.
        is_broadcast: FLAG.
        children: As written, ``home`` and the task itself included.
    """

    task: str
    inputs: int
    is_broadcast: bool
    children: tuple[str, ...]

    @property
    def is_leaf(self) -> bool:
        """Whether this is the form of a task outside the graph: its only child is itself."""
        return self.children == (self.task,)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole file.

    Attributes:
        lines: In written order; the first is the entry task.
        schedule: Pairs of task and node after the graph; empty where there is none.
    """

    lines: tuple[ConfigLine, ...]
    schedule: tuple[tuple[str, str], ...] = ()


def parse(content: bytes | str, file: str = "configuration.txt") -> Parsed[Configuration]:
    """Read a file.

    Raises:
        InputError: With every fault of its form: names, numbers, flags, children, cycles. What
            depends on which tasks are part of the graph is checked in `formats.application`.
    """
    faults = Faults(file)
    rows = list(lines_of(decode(content, faults), faults))
    if not rows:
        faults.add(
            "is empty",
            expected="the number of tasks, then one line a task",
            remedy="begin with a line such as: 2",
        )
        faults.check()
    count = _count(rows[0], faults)
    rows = rows[1:]
    if count is None:  # go on without it, to find the other faults
        count = next((k for k, row in enumerate(rows) if len(row) == 2), len(rows))
    graph_rows, schedule_rows = rows[:count], rows[count:]
    if len(graph_rows) < count:
        faults.add(
            "has fewer tasks than its first line says",
            1,
            got=str(count),
            expected=f"{len(graph_rows)}, as many lines follow",
            remedy=f"write {len(graph_rows)} in line 1, or add what is missing",
        )
    words = [line for line in (_line(row, faults) for row in graph_rows) if line]
    lines = tuple(line for line, _ in words)
    _check_children(words, faults)
    schedule = _schedule(schedule_rows, count, [line.task for line in lines], faults)
    return faults.done(Configuration(lines, schedule))


def dumps(configuration: Configuration) -> str:
    """Return the text of a file."""
    rows = [str(len(configuration.lines))]
    for line in configuration.lines:
        flag = "true" if line.is_broadcast else "false"
        rows.append(" ".join((line.task, str(line.inputs), flag, *line.children)))
    rows += [f"{task} {node}" for task, node in configuration.schedule]
    return "\n".join(rows) + "\n"


def read_count(word: Word, faults: Faults) -> int | None:
    """Return the number of lines that a file announces, or None where the word is none."""
    try:
        count = int(word.text) if len(word.text) <= 18 else LINES_MAX + 1
    except ValueError:
        faults.add(
            "the first line is no number",
            word,
            expected="the number of task lines that follow",
            remedy="begin the file with that number alone on a line",
        )
        return None
    if not 0 < count <= LINES_MAX:
        faults.add(
            "the number of tasks is out of range",
            word,
            expected=f"1 to {LINES_MAX}",
            remedy="write how many task lines follow",
        )
        return None
    return count


def _count(row: list[Word], faults: Faults) -> int | None:
    count = read_count(row[0], faults)
    if count is not None and len(row) > 1:
        faults.add(
            "the first line holds more than a number",
            row[1],
            expected="the number of task lines alone",
            remedy="put the rest on a line of its own",
        )
    return count


def _line(row: list[Word], faults: Faults) -> tuple[ConfigLine, list[Word]] | None:
    task, *rest = row
    check_name(task, "task", faults)
    if len(rest) < 2:
        faults.add(
            f"the line of task {printable(task.text)} has {len(row)} words",
            task.line,
            got=" ".join(word.text for word in row),
            expected="task NUM_INPUTS FLAG child …",
            remedy="add what is missing, or correct the number in line 1",
        )
        return None
    inputs = _inputs(rest[0], faults)
    is_broadcast = _flag(rest[1], faults)
    children = tuple(word.text for word in rest[2:])
    return ConfigLine(task.text, inputs, is_broadcast, children), row


def _inputs(word: Word, faults: Faults) -> int:
    number = int(word.text) if word.text.isdecimal() and len(word.text) < 10 else 0
    if number < 1:
        faults.add(
            "NUM_INPUTS is no positive whole number",
            word,
            expected="the number of parents; 1 for an entry task",
            remedy="count the lines that name this task as a child",
        )
    return number


def _flag(word: Word, faults: Faults) -> bool:
    if word.text in LATE_FLAGS:
        faults.add(
            "FLAG is known from late applications and not supported",
            word,
            expected="true or false",
            remedy="true sends every output to every child, false the k-th output to the k-th",
        )
    elif word.text not in ("true", "false"):
        faults.add(
            "FLAG is neither true nor false",
            word,
            expected="true or false, in small letters",
            remedy="true sends every output to every child, false the k-th output to the k-th",
        )
    return word.text == "true"


def _check_children(rows: list[tuple[ConfigLine, list[Word]]], faults: Faults) -> None:
    names = Names("task", faults)
    for _, row in rows:
        names.add(row[0])
    known = [line.task for line, _ in rows]
    for line, row in rows:
        _check_line_children(line, row, known, faults)
    is_leaf = {line.task for line, _ in rows if line.is_leaf}
    children = {
        TaskId(line.task): tuple(TaskId(c) for c in line.children if c != line.task)
        for line, _ in rows
        if line.task not in is_leaf
    }
    cycle = find_cycle(children)
    if cycle:
        at = next(row[0] for line, row in rows if line.task == cycle[0])
        faults.add(
            "the tasks form a cycle",
            at,
            got=" -> ".join(cycle),
            expected="a graph without cycles",
            remedy="remove one of these edges",
        )


def _check_line_children(
    line: ConfigLine, row: list[Word], known: list[str], faults: Faults
) -> None:
    seen: set[str] = set()
    for word in row[3:]:
        if word.text in seen:
            faults.add("the child is there twice", word, remedy="remove one of them")
        seen.add(word.text)
        if word.text == line.task and not line.is_leaf:
            faults.add(
                "the task is its own child",
                word,
                expected="other tasks; a task outside the graph names itself and no other",
                remedy="remove it",
            )
        elif word.text not in known and word.text not in HOME_WORDS:
            faults.add(
                f"child of task {printable(line.task)} is no task",
                word,
                expected="a task of this file, or home",
                remedy=did_you_mean(word.text, [*known, "home"]),
            )


def _schedule(
    rows: list[list[Word]], count: int, known: list[str], faults: Faults
) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    names = Names("task of the schedule", faults)
    for row in rows:
        if len(row) > 2 and row[1].text.isdecimal():
            faults.add(
                "there are more task lines than the first line says",
                row[0],
                got=" ".join(word.text for word in row[:4]),
                expected=f"{count} task lines, then a schedule of lines: task node",
                remedy="correct the number in line 1",
            )
            continue
        if len(row) != 2:
            faults.add(
                "the line after the graph is no schedule",
                row[0].line,
                got=" ".join(word.text for word in row),
                expected="task node",
                remedy="remove the line, or correct the number in line 1",
            )
            continue
        task, node = row
        if task.text not in known:
            faults.add(
                "the schedule names an unknown task",
                task,
                expected="a task of this file",
                remedy=did_you_mean(task.text, known),
            )
        check_name(node, "node", faults)
        names.add(task)
        pairs.append((task.text, node.text))
    placed = {task for task, _ in pairs}
    missing = [task for task in known if task not in placed]
    if pairs and missing:
        faults.add(
            "the schedule leaves tasks out",
            got=", ".join(missing),
            expected="a line for every task",
            remedy="add a line: task node",
        )
    return tuple(pairs)
