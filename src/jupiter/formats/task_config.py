"""``task_config.yml``: what the seeds' generator of applications is told; a flat file."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from jupiter.formats.text import (
    Content,
    Faults,
    Parsed,
    Word,
    decode,
    parse_with,
    read_integer,
    read_number,
)
from jupiter.kit.names import printable

COUNT_MAX = 10_000
_PAIR = re.compile(r"([A-Za-z_]\w*)[ \t]*:(?:[ \t]+(.*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Parameters of the generator; the defaults are those of the seeds.

    Attributes:
        depth: Levels between the entry and the exit task.
        width_min: Fewest tasks of a level.
        width_max: Most tasks of a level.
        total_num: Tasks in all, entry and exit not counted.
        ccr: KB sent for each second computed.
        comp_mu: Mean seconds of a task.
        comp_sigma: Their standard deviation.
        link_comm_sigma: Standard deviation of the data, as a share of its mean.
        deg_mu: Mean degree of a task.
        deg_sigma: Its standard deviation.
    """

    depth: int = 20
    width_min: int = 2
    width_max: int = 4
    total_num: int = 5
    ccr: float = 20.0
    comp_mu: float = 2.0
    comp_sigma: float = 0.5
    link_comm_sigma: float = 0.5
    deg_mu: float = 4.0
    deg_sigma: float = 0.5


COUNTS = ("depth", "width_min", "width_max", "total_num")
"""Keys of whole numbers."""
_KEYS = tuple(field.name for field in fields(TaskConfig))


def parse(content: Content, file: str = "") -> Parsed[TaskConfig]:
    """Return the parameters; those that are missing have their defaults.

    Raises:
        InputError: A line is no ``key: number``, or a key is unknown or written twice.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> TaskConfig:
    """Return what can be understood; the rest is reported."""
    values: dict[str, Any] = {}
    places: dict[str, Word] = {}
    for key, value in _pairs(decode(content, faults), faults):
        if key not in _KEYS:
            faults.error(
                f"key {printable(key)} is unknown",
                key,
                expected=", ".join(_KEYS),
                remedy=faults.suggestion(key, _KEYS, "delete it"),
            )
        elif key in places:
            faults.error(
                f"key {printable(key)} is written twice",
                key,
                got=f"first on line {places[key].line}",
                expected="every key once",
                remedy="delete one of them",
            )
        elif key in COUNTS:
            count = read_integer(value, faults, str(key), low=1, high=COUNT_MAX)
            values[str(key)] = count or 1
        else:
            number = read_number(value, faults, str(key), low=0)
            values[str(key)] = number or 0.0
        places.setdefault(key, key)
    config = TaskConfig(**values)
    if config.width_min > config.width_max:
        faults.error(
            "width_min is larger than width_max",
            places.get("width_min", 0),
            got=f"{config.width_min} and {config.width_max}",
            expected="width_min at most width_max",
            remedy="swap them",
        )
    return config


def _pairs(text: str, faults: Faults) -> list[tuple[Word, Word]]:
    pairs = []
    for number, line in enumerate(text.split("\n"), 1):
        content = line.partition("#")[0].rstrip(" \t")
        match = _PAIR.fullmatch(content)
        if match:
            key = Word(match[1], number, 1)
            pairs.append((key, Word(match[2] or "", number, max(match.start(2), 0) + 1)))
        elif content:
            faults.error(
                "the line is no pair of key and number",
                number,
                got=printable(content.strip()),
                expected="key: number, at the start of the line; nothing else of YAML is read",
                remedy="write one key a line",
            )
    return pairs


def dumps(config: TaskConfig) -> str:
    """Return the text of a ``task_config.yml``."""
    return "".join(f"{key}: {getattr(config, key)!r}\n" for key in _KEYS)
