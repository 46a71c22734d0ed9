"""``input_node.txt``: the nodes that WAVE starts from, by entry task."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.text import Content, Faults, Parsed, Word, check_name, parse_with, word_lines
from jupiter.kit.names import printable


def parse(content: Content, file: str = "") -> Parsed[dict[Word, tuple[str, ...]]]:
    """Return the nodes of every entry task.

    Raises:
        InputError: A row names no node, a name is none, or a task has two rows.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> dict[Word, tuple[str, ...]]:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    if lines and lines[0].words[0].lower() != "task":
        faults.warn(
            "the first line is a header and is ignored",
            lines[0].words[0],
            got=printable(lines[0].text.strip()),
            remedy="write a first line: task node",
        )
    entries: dict[Word, tuple[str, ...]] = {}
    for line in lines[1:]:
        task, *nodes = line.words
        if not nodes:
            faults.error(
                f"task {printable(task)} has no node",
                task,
                expected="task node [node…]",
                remedy="add a node, or delete the line",
            )
        elif task in entries:
            faults.error(
                f"task {printable(task)} has two rows",
                task,
                expected="one row a task",
                remedy="write all its nodes into one row",
            )
        elif check_name(task, "task", faults):
            for node in nodes:
                check_name(node, "node", faults)
            entries[task] = tuple(str(node) for node in nodes)
    return entries


def dumps(entries: Mapping[str, tuple[str, ...]]) -> str:
    """Return the text of an ``input_node.txt``."""
    rows = ("task node", *(" ".join((task, *nodes)) for task, nodes in entries.items()))
    return "\n".join(rows) + "\n"
