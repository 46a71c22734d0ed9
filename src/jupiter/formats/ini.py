"""The INI dialect of the seeds: sections, ``key = value``, comments; nothing is interpolated."""

from __future__ import annotations

import re

from jupiter.formats.text import Content, Faults, Word, decode
from jupiter.kit.names import printable

_SECTION = re.compile(r"\[([^\[\]]+)\]")

Sections = dict[Word, dict[Word, Word]]
"""Values by section and key, in written order and with their places."""


def read_sections(content: Content, faults: Faults) -> Sections:
    """Return all sections; duplicates, stray lines and interpolation are reported."""
    sections: Sections = {}
    names: dict[Word, Word] = {}
    keys: dict[Word, dict[Word, Word]] = {}
    current: dict[Word, Word] | None = None
    first: dict[Word, Word] = {}
    for number, line in enumerate(decode(content, faults).split("\n"), 1):
        text = line.strip(" \t")
        if not text or text[0] in "#;":
            continue
        start = line.index(text[0]) + 1
        header = _SECTION.fullmatch(text)
        if header:
            name = Word(header[1].strip(" \t"), number, start)
            _refuse_second(name, names, "section", faults)
            current = sections.setdefault(name, {})
            first = keys.setdefault(name, {})
            continue
        pair = _read_pair(line, number, faults)
        if pair is None:
            continue
        key, value = pair
        if current is None:
            faults.error(
                "a key stands before the first section",
                key,
                expected="[SECTION] first",
                remedy="write the name of its section above it",
            )
            continue
        _refuse_second(key, first, "key", faults)
        current.setdefault(key, value)
    return sections


def _read_pair(line: str, number: int, faults: Faults) -> tuple[Word, Word] | None:
    mark = min((k for k in (line.find("="), line.find(":")) if k >= 0), default=-1)
    key = line[: max(mark, 0)].strip(" \t")
    if not key:
        faults.error(
            "the line is neither a section nor a pair of key and value",
            number,
            got=printable(line.strip(" \t")),
            expected="[SECTION] or KEY = VALUE",
            remedy="correct the line, or start it with #",
        )
        return None
    text = line[mark + 1 :].strip(" \t")
    value = Word(text, number, line.index(text, mark + 1) + 1)
    if "%(" in text:
        faults.error(
            f"the value of {printable(key)} asks for interpolation",
            value,
            expected="the value itself",
            remedy="write out what %(…)s stands for",
        )
    return Word(key, number, line.index(key) + 1), value


def _refuse_second(name: Word, first: dict[Word, Word], what: str, faults: Faults) -> None:
    earlier = first.setdefault(name, name)
    if earlier is not name:
        faults.error(
            f"{what} {printable(name)} is written twice",
            name,
            got=f"{printable(name)}, first on line {earlier.line}",
            expected=f"every {what} once",
            remedy="delete one of them",
        )


def require_section(name: str, sections: Sections, faults: Faults) -> dict[Word, Word]:
    """Return the keys of a section, after reporting that it is missing where it is."""
    found = sections.get(Word(name))
    if found is not None:
        return found
    faults.error(
        f"section [{name}] is missing",
        got=", ".join(f"[{each}]" for each in sections)[:80] or "no section",
        expected=f"[{name}], which may be empty",
        remedy=f"add a line [{name}]",
    )
    return {}
