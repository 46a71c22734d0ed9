"""The files of the seeds' dummy applications: ``communication.txt`` and ``task_config.yml``."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.text import (
    Content,
    Faults,
    Parsed,
    Word,
    check_distinct,
    decode,
    parse_with,
    read_number,
    word_lines,
)

Sizes = Mapping[str, Mapping[str, float]]
"""Kilobytes (of 1,024 bytes, as they are generated) by task and child."""


def parse_communication(content: Content, file: str = "communication.txt") -> Parsed[Sizes]:
    """Read ``task child-KB …`` lines.

    Raises:
        InputError: With every fault.
    """
    return parse_with(_communication, content, file)


def _communication(content: Content, faults: Faults) -> Sizes:
    lines = word_lines(content, faults)
    check_distinct([line.words[0] for line in lines], "task", faults)
    return {
        str(line.words[0]): dict(
            pair for word in line.words[1:] if (pair := _child(word, faults)) is not None
        )
        for line in lines
    }


def _child(word: Word, faults: Faults) -> tuple[str, float] | None:
    child, dash, number = word.rpartition("-")
    if not dash or not child:
        faults.error(
            "is no child with its size", word, expected="child-KB", remedy="such as task3-6.85"
        )
        return None
    size = read_number(Word(number, word.line, word.column), faults, "the size", low=0.0)
    return None if size is None else (child, size)


def dumps_communication(sizes: Sizes) -> str:
    """Return the text of a ``communication.txt``; sizes have two decimals there."""
    return "".join(
        " ".join((task, *(f"{child}-{size:.2f}" for child, size in children.items()))) + "\n"
        for task, children in sizes.items()
    )


def parse_task_config(
    content: Content, file: str = "task_config.yml"
) -> Parsed[Mapping[str, float]]:
    """Read the parameters of the generator: flat YAML, a number a line, ``#`` comments.

    Raises:
        InputError: With every fault.
    """
    return parse_with(_task_config, content, file)


def _task_config(content: Content, faults: Faults) -> Mapping[str, float]:
    values: dict[str, float] = {}
    for number, line in enumerate(decode(content, faults).split("\n"), start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, colon, value = (part.strip() for part in text.partition(":"))
        word = Word(value or text, number, line.find(value or text) + 1)
        if not colon or not key or key in values:
            faults.error(
                f"{key} is written twice" if key in values else "the line is no parameter",
                Word(text, number, 1),
                expected="name: number",
                remedy="correct the line",
            )
            continue
        found = read_number(word, faults, key)
        if found is not None:
            values[key] = found
    return values


def dumps_task_config(values: Mapping[str, float]) -> str:
    """Return the text of a ``task_config.yml``."""
    return "".join(f"{key}: {value!r}\n" for key, value in values.items())
