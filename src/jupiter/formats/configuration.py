"""``configuration.txt``: the task graph of the seeds, and a schedule that may follow it.

The first line is the number of task lines. A task line is ``task NUM_INPUTS FLAG child…``. The
child ``home`` (or ``scheduler``) means that the outputs are results; a task without children says
so by naming nobody or only itself. What follows the task lines is ``task node`` lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupiter.formats import mapping as mapping_format
from jupiter.formats.graph_rules import HOMES, TASKS_MAX, check_children, check_task_names
from jupiter.formats.text import Content, Faults, Line, Parsed, Word, parse_with, word_lines
from jupiter.kit.names import printable

_FLAGS = {"true": True, "false": False}
_LATE_FLAGS = ("ordered", "exclusive")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FORM = "task NUM_INPUTS true|false child …"


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task as it was written.

    Attributes:
        name: Of the task.
        inputs: NUM_INPUTS.
        is_broadcast: FLAG.
        children: In written order; ``home``, ``scheduler`` and the task itself are kept.
        inputs_at: Where NUM_INPUTS stands.
    """

    name: Word
    inputs: int
    is_broadcast: bool
    children: tuple[Word, ...]
    inputs_at: Word = field(default=Word(""), compare=False)

    @property
    def is_sink(self) -> bool:
        """Whether its outputs go home."""
        return any(child in HOMES for child in self.children)

    @property
    def others(self) -> tuple[Word, ...]:
        """The children that are neither home nor the task itself."""
        return tuple(c for c in self.children if c not in HOMES and c != self.name)


@dataclass(frozen=True)
class Configuration:
    """A task graph and its schedule.

    Attributes:
        tasks: In written order.
        mapping: The node of every task of the schedule section; empty where there is none.
    """

    tasks: tuple[TaskLine, ...]
    mapping: Mapping[str, str] = field(default_factory=dict)


def parse(content: Content, file: str = "") -> Parsed[Configuration]:
    """Return the task lines and the schedule of a ``configuration.txt``.

    Raises:
        InputError: A line is malformed, the count is wrong, or names do not fit together. Whether
            the graph makes sense is judged with the rest of the application.
    """
    return parse_with(read, content, file)


def dumps(configuration: Configuration) -> str:
    """Return the text of a ``configuration.txt``."""
    lines = [str(len(configuration.tasks))]
    for task in configuration.tasks:
        flag = "true" if task.is_broadcast else "false"
        lines.append(" ".join((task.name, str(task.inputs), flag, *task.children)))
    return "\n".join(lines) + "\n" + mapping_format.dumps(configuration.mapping)


def read(content: Content, faults: Faults) -> Configuration:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    if not lines:
        faults.error(
            "the file is empty",
            expected="the number of tasks, then one line a task",
            remedy=f"write 1, and below it: {_FORM}",
        )
        return Configuration(())
    count = read_count(lines[0], faults)
    body = lines if _is_task_line(lines[0]) else lines[1:]
    end = _end_of_tasks(body, count)
    if count is not None:
        check_count(count, lines[0].words[0], end, faults)
    tasks = tuple(task for line in body[:end] if (task := _read_task(line, faults)) is not None)
    _check_tasks(tasks, faults)
    mapping = mapping_format.read_lines(body[end:], faults)
    mapping_format.check(mapping, {task.name for task in tasks}, None, faults)
    return Configuration(tasks, mapping)


def read_count(line: Line, faults: Faults) -> int | None:
    """Return the number of task lines that the first line announces."""
    word = line.words[0]
    if len(line.words) == 1 and _INTEGER.fullmatch(word):
        count = int(word) if len(word) <= 18 else TASKS_MAX + 1
        if 1 <= count <= TASKS_MAX:
            return count
        faults.error(
            "the number of tasks is out of range",
            word,
            expected=f"a whole number from 1 to {TASKS_MAX}",
            remedy="write the number of task lines below it",
        )
        return None
    faults.error(
        "the first line is not the number of tasks",
        word,
        got=printable(line.text.strip()),
        expected="one whole number",
        remedy="write the number of task lines that follow, alone on the first line",
    )
    return None


def check_count(count: int, at: Word, found: int, faults: Faults) -> None:
    """Report a first line that announces another number of task lines than there are."""
    if count != found:
        faults.error(
            f"the first line announces {count} task lines but {found} follow",
            at,
            got=str(count),
            expected=str(found),
            remedy=f"write {found}, or {'add' if count > found else 'delete'} task lines",
        )


def _is_task_line(line: Line) -> bool:
    """Whether a line looks like a task and not like a schedule."""
    words = line.words
    if len(words) > 1 and _INTEGER.fullmatch(words[1]):
        return True
    return len(words) > 2 and words[2].lower() in (*_FLAGS, *_LATE_FLAGS)


def _end_of_tasks(body: Sequence[Line], count: int | None) -> int:
    """Return how many lines are task lines: up to the last that looks like one.

    Where the count covers further lines of three words or more, they are malformed task lines
    rather than malformed schedule lines.
    """
    end = max((k + 1 for k, line in enumerate(body) if _is_task_line(line)), default=0)
    while end < min(count or 0, len(body)) and len(body[end].words) > 2:
        end += 1
    return end


def _read_task(line: Line, faults: Faults) -> TaskLine | None:
    if len(line.words) < 3:
        faults.error(
            "a task line has too few words",
            line.words[0],
            got=printable(line.text.strip()),
            expected=_FORM,
            remedy="add what is missing",
        )
        return None
    name, inputs_word, flag, *children = line.words
    return TaskLine(
        name,
        _read_inputs(name, inputs_word, faults),
        _read_flag(name, flag, faults),
        tuple(children),
        inputs_word,
    )


def _read_inputs(name: Word, word: Word, faults: Faults) -> int:
    """Return NUM_INPUTS, or 0 after reporting that it is none."""
    is_number = _INTEGER.fullmatch(word) is not None
    inputs = int(word) if is_number and len(word) <= 18 else 0
    if 1 <= inputs <= TASKS_MAX:
        return inputs
    faults.error(
        f"NUM_INPUTS of task {printable(name)} is "
        f"{'out of range' if is_number else 'no whole number'}",
        word,
        expected=f"a whole number from 1 to {TASKS_MAX}",
        remedy="write the number of parents, or 1 for an entry task",
    )
    return 0


def _read_flag(name: Word, word: Word, faults: Faults) -> bool:
    if word not in _FLAGS:
        is_late = word in _LATE_FLAGS
        faults.error(
            f"FLAG of task {printable(name)} is "
            + ("known from late apps, but not supported" if is_late else "neither true nor false"),
            word,
            expected="true (every output to every child) or false (k-th output to k-th child)",
            remedy="write false and return the outputs in the order of the children"
            if is_late
            else faults.suggestion(word.lower(), _FLAGS, "write true or false"),
        )
    return _FLAGS.get(word, False)


def _check_tasks(tasks: Sequence[TaskLine], faults: Faults) -> None:
    check_task_names([task.name for task in tasks], faults)
    known = {task.name: task for task in tasks}
    for task in tasks:
        if task.children == (task.name,):
            continue
        check_children(task.name, task.children, known, faults)
        if task.is_sink and not task.is_broadcast and task.children[-1] not in HOMES:
            faults.error(
                f"task {printable(task.name)} scatters, and home is not its last child",
                task.name,
                got=printable(" ".join(task.children)),
                expected="home last, so that the last output is the result",
                remedy="move home to the end, and the output that is the result too",
            )
