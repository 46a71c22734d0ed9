"""The keys of ``app.toml`` that say what tasks use beside their inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import BeforeValidator

from jupiter.formats.config_json import path_fault
from jupiter.formats.text import Faults, Path, Places
from jupiter.formats.toml_source import Closed
from jupiter.kit.names import printable
from jupiter.model.app import Needs

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _as_list(value: object) -> object:
    """Return a list for the name of a file, too."""
    return [f"-r {value}"] if isinstance(value, str) else value


class Needing(Closed):
    """A table with these keys."""

    requirements: Annotated[list[str], BeforeValidator(_as_list)] = []
    environment: list[str] = []
    reads: list[str] = []
    writes: list[str] = []


def read_needs(
    table: Needing, path: Path, places: Places, paths: Collection[str], faults: Faults
) -> Needs:
    """Return what a table says, after reporting what cannot be meant.

    Args:
        table: Of the application or of a task.
        path: Of the table in the file.
        places: Of the file.
        paths: All files of the application folder, relative to it.
        faults: Taken in.
    """
    return Needs(
        _requirements(table, path, places, paths, faults),
        tuple(_checked(table.environment, (*path, "environment"), places, faults)),
        tuple(_checked(table.reads, (*path, "reads"), places, faults)),
        tuple(_checked(table.writes, (*path, "writes"), places, faults)),
    )


def _requirements(
    table: Needing, path: Path, places: Places, paths: Collection[str], faults: Faults
) -> tuple[str, ...]:
    for k, word in enumerate(table.requirements):
        place = places.word(word, *path, "requirements", k)
        file = word.removeprefix("-r ")
        if file != word:
            problem = path_fault(file)
            if problem or file not in paths:
                faults.error(
                    f"the file of requirements {problem or 'is missing'}",
                    place,
                    got=file,
                    expected="a file of the application folder, relative to it",
                    remedy='write requirements = "requirements.txt", or requirements = ["package"]',
                )
        elif not word or word.startswith("-") or not word.isprintable():
            faults.error(
                "a requirement is no package",
                place,
                expected="a name with its versions, as pip reads it; no options",
                remedy='write "package>=1"',
            )
    return tuple(table.requirements)


def _checked(words: list[str], path: Path, places: Places, faults: Faults) -> list[str]:
    is_variable = path[-1] == "environment"
    for k, word in enumerate(words):
        place = places.word(word, *path, k)
        if is_variable and not _VARIABLE.fullmatch(word):
            faults.error(
                f"{printable(word)} is no name of a variable",
                place,
                expected="letters, digits and _",
                remedy="write the name; its value comes from the agent's environment",
            )
        elif not is_variable and not _is_plain_path(word):
            faults.error(
                f"the path {printable(word)} is not absolute and plain",
                place,
                expected="a path from the root, without . and ..",
                remedy='write it in full, as "/srv/data"',
            )
    return words


def _is_plain_path(word: str) -> bool:
    parts = word.split("/")
    return word.isprintable() and word.startswith("/") and not {".", ".."} & set(parts)


def needs_pairs(needs: Needs) -> Mapping[str, object]:
    """Return the keys that say the same; None for those that say nothing."""
    first = needs.requirements[0] if len(needs.requirements) == 1 else ""
    return {
        "requirements": first[3:] if first.startswith("-r ") else needs.requirements or None,
        "environment": needs.environment or None,
        "reads": needs.reads or None,
        "writes": needs.writes or None,
    }
