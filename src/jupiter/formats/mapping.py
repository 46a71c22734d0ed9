"""Which task runs on which node: ``task node`` lines, and a flat JSON object."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from jupiter.formats.literal import read_json_object
from jupiter.formats.text import (
    Content,
    Faults,
    Line,
    Parsed,
    Word,
    check_name,
    parse_with,
    word_lines,
)
from jupiter.kit.names import printable


def read(content: Content, faults: Faults) -> dict[str, str]:
    """Return the node of every task of a schedule section that stands alone."""
    return read_lines(word_lines(content, faults), faults)


def parse(content: Content, file: str = "") -> Parsed[dict[str, str]]:
    """Return the node of every task of a schedule section that stands alone.

    Raises:
        InputError: A line is malformed, or a task is put on two nodes.
    """
    return parse_with(read, content, file)


def read_lines(lines: Sequence[Line], faults: Faults) -> dict[str, str]:
    """Return the node of every task from ``task node`` lines."""
    mapping: dict[str, str] = {}
    first: dict[str, Word] = {}
    for line in lines:
        if len(line.words) != 2:
            faults.error(
                "a schedule line has not two words",
                line.words[0],
                got=printable(line.text.strip()),
                expected="a task and a node",
                remedy="write one task and one node a line",
            )
            continue
        task, node = line.words
        if not (check_name(task, "task", faults) and check_name(node, "node", faults)):
            continue
        if task not in mapping:
            mapping[task] = node
            first[task] = task
        elif mapping[task] == node:
            faults.warn(
                f"task {task} is put on {node} twice; the first one is on line {first[task].line}",
                task,
            )
        else:
            faults.error(
                f"task {task} is put on two nodes",
                task,
                got=f"{node}; {mapping[task]} on line {first[task].line}",
                expected="every task once",
                remedy="delete one of the lines",
            )
    return mapping


def dumps(mapping: Mapping[str, str], separator: str = " ") -> str:
    """Return ``task node`` lines; WAVE writes them with a tab."""
    return "".join(f"{task}{separator}{node}\n" for task, node in mapping.items())


def read_json(content: Content, faults: Faults) -> dict[str, str]:
    """Return the node of every task of a JSON object."""
    found = read_json_object(content, faults)
    if found is None:
        return {}
    values, places = found
    mapping: dict[str, str] = {}
    for task, node in values.items():
        place = places.word(task, task)
        if not isinstance(node, str):
            faults.error(
                f"the node of task {printable(task)} is no text",
                place,
                got=json.dumps(node)[:40],
                expected='"task": "node"',
                remedy="write the name of one node",
            )
        elif check_name(place, "task", faults) and check_name(
            places.word(node, task), "node", faults
        ):
            mapping[place] = places.word(node, task)
    return mapping


def parse_json(content: Content, file: str = "") -> Parsed[dict[str, str]]:
    """Return the node of every task of ``mapping.json``, or of a mapper's answer.

    An empty object, which the seeds' mappers answer until all tasks are mapped, is an empty
    mapping.

    Raises:
        InputError: It is no flat JSON object of names, or a task occurs twice.
    """
    return parse_with(read_json, content, file)


def dumps_json(mapping: Mapping[str, str]) -> str:
    """Return a JSON object."""
    return json.dumps(dict(mapping), indent=2) + "\n"


def check(
    mapping: Mapping[str, str],
    tasks: Collection[str],
    nodes: Collection[str] | None,
    faults: Faults,
) -> None:
    """Report unknown tasks and nodes, and tasks without a node.

    Args:
        mapping: As it was read.
        tasks: All that need a node.
        nodes: All that tasks can be put on; None where they are not known.
        faults: Taken in.
    """
    for task, node in mapping.items():
        if task not in tasks:
            faults.error(
                "the schedule names an unknown task",
                task if isinstance(task, Word) else 0,
                got=printable(task),
                expected="a task of the graph",
                remedy=faults.suggestion(task, tasks, "delete the line"),
            )
        if nodes is not None and node not in nodes:
            faults.error(
                "the schedule names an unknown node",
                node if isinstance(node, Word) else 0,
                got=printable(node),
                expected="a node of the network",
                remedy=faults.suggestion(node, nodes, "add the node to the network"),
            )
    for task in tasks:
        if mapping and task not in mapping:
            faults.error(
                f"task {printable(task)} has no node",
                expected="a line for every task",
                remedy="add one, or delete the whole schedule to have one made",
            )
