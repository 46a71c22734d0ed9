"""``name_convert.txt``: the words that file names are cut at to find the frame they belong to."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.text import Content, Faults, Parsed, Word, parse_with, word_lines
from jupiter.kit.names import printable
from jupiter.model.app import NameRule

INPUT_ROW = "input"
"""The row whose input marker is the name of what enters."""


def parse(content: Content, file: str = "") -> Parsed[dict[Word, NameRule]]:
    """Return the rule of every task, and of the row `INPUT_ROW`.

    Raises:
        InputError: A row has not three words, or a task has two rows.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> dict[Word, NameRule]:
    """Return what can be understood; the rest is reported."""
    rules: dict[Word, NameRule] = {}
    for line in word_lines(content, faults):
        task = line.words[0]
        if len(line.words) != 3:
            faults.error(
                "a row has not three words",
                task,
                got=printable(line.text.strip()),
                expected="task output_marker input_marker",
                remedy="write the marker of its outputs, then that of its inputs",
            )
        elif task in rules:
            faults.error(
                f"task {printable(task)} has two rows",
                task,
                expected="one row a task",
                remedy="delete one of them",
            )
        else:
            rules[task] = NameRule(str(line.words[1]), str(line.words[2]))
    return rules


def dumps(rules: Mapping[str, NameRule]) -> str:
    """Return the text of a ``name_convert.txt``."""
    return "".join(
        f"{task} {rule.output_marker} {rule.input_marker}\n" for task, rule in rules.items()
    )


def stem(name: str) -> str:
    """Return the text before the first ``_``, or before the first ``.`` where there is none."""
    head, mark, _ = name.partition("_")
    return head if mark else name.partition(".")[0]


def frame_id(name: str, rules: Mapping[str, NameRule], task: str) -> str | None:
    """Return the frame that the seeds would think a file that arrives at a task belongs to.

    None where the file name lacks the task's input marker. Without rules it is the stem.
    """
    rule = rules.get(task)
    if rule is None:
        return stem(name)
    prefix, mark, _ = stem(name).partition(rule.input_marker)
    if not mark:
        return None
    base = rules.get(INPUT_ROW, rule)
    return prefix + base.input_marker
