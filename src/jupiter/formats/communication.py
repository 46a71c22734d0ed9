"""``communication.txt``: what the tasks of a generated application send to each child."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.text import (
    Content,
    Faults,
    Parsed,
    Word,
    check_name,
    parse_with,
    read_number,
    word_lines,
)
from jupiter.kit.names import printable

BYTES_PER_UNIT = 1024
"""The generator says KB and writes KiB."""

Sizes = dict[str, dict[str, float]]
"""KiB by task and child, both in written order."""


def parse(content: Content, file: str = "") -> Parsed[Sizes]:
    """Return the KiB that every task sends to every child.

    Raises:
        InputError: A word is no ``child-size``, or something is written twice.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Sizes:
    """Return what can be understood; the rest is reported."""
    sizes: Sizes = {}
    for line in word_lines(content, faults):
        task, *words = line.words
        check_name(task, "task", faults)
        if task in sizes:
            _report_second(f"task {printable(task)}", task, faults)
            continue
        children: dict[str, float] = {}
        for word in words:
            name, mark, size = word.rpartition("-")
            if not mark:
                faults.error(
                    f"a child of task {printable(task)} has no size",
                    word,
                    expected="child-size, the size in KB",
                    remedy="write for example task1-21.92",
                )
                continue
            child = Word(name, word.line, word.column)
            check_name(child, "task", faults)
            place = Word(size, word.line, word.column + len(name) + 1)
            value = read_number(place, faults, f"the size for {printable(name)}", low=0)
            if child in children:
                _report_second(f"child {printable(child)}", child, faults)
            children[str(child)] = value or 0.0
        sizes[str(task)] = children
    return sizes


def _report_second(what: str, at: Word, faults: Faults) -> None:
    faults.error(
        f"{what} is written twice",
        at,
        expected="every name once",
        remedy="delete one of them",
    )


def dumps(sizes: Mapping[str, Mapping[str, float]]) -> str:
    """Return the text of a ``communication.txt``."""
    return "".join(
        " ".join((task, *(f"{child}-{_text(size)}" for child, size in children.items()))) + "\n"
        for task, children in sizes.items()
    )


def _text(size: float) -> str:
    """Return a size without an exponent, whose minus sign would end the name."""
    text = repr(float(size))
    return f"{size:.20f}" if "e-" in text else text
