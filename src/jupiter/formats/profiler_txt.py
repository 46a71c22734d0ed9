"""``profiler_<node>.txt``: run time and output size of every task on one node.

Two layouts are read: with commas (Jupiter 2 to 5), and with columns (the first system). The one
with commas is written, with the seconds that were measured: the seeds cut them to whole ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupiter.formats.link_parameters import BYTES_PER_KBIT
from jupiter.formats.text import (
    Content,
    Faults,
    Line,
    Parsed,
    Word,
    check_distinct,
    check_name,
    parse_with,
    read_number,
    word_lines,
)
from jupiter.kit.names import printable

HEADER = "task,time(sec),output_data (Kbit)"


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One task on the node of the file.

    Attributes:
        seconds: Run time.
        output_bytes: Sum of its output files.
    """

    task: str
    seconds: float
    output_bytes: int


def parse(content: Content, file: str = "") -> Parsed[tuple[ProfileRow, ...]]:
    """Return the rows of a profile.

    Raises:
        InputError: There is no header, a row has not three cells, or a cell is no number.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> tuple[ProfileRow, ...]:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    if not lines or not lines[0].text.lstrip().lower().startswith("task"):
        faults.error(
            "the first line is not the header",
            lines[0].number if lines else 0,
            got=printable(lines[0].text.strip()) if lines else "nothing",
            expected=HEADER,
            remedy="add it above the rows",
        )
    rows = []
    names = []
    for line in lines[1:]:
        cells = _cells(line)
        if len(cells) != 3:
            faults.error(
                "a row has not three cells",
                line.words[0],
                got=printable(line.text.strip()),
                expected="task, seconds, Kbit",
                remedy="profile the task again",
            )
            continue
        task, seconds_word, kbit_word = cells
        check_name(task, "task", faults)
        names.append(task)
        seconds = read_number(seconds_word, faults, "the run time", low=0)
        kbit = read_number(kbit_word, faults, "the output size", low=0)
        if seconds is not None and kbit is not None:
            rows.append(ProfileRow(str(task), seconds, round(kbit * BYTES_PER_KBIT)))
    check_distinct(names, "task", faults)
    return tuple(rows)


def _cells(line: Line) -> Sequence[Word]:
    if "," not in line.text:
        return line.words
    cells = []
    column = 1
    for cell in line.text.split(","):
        text = cell.strip(" \t")
        cells.append(Word(text, line.number, column + cell.find(text)))
        column += len(cell) + 1
    return cells


def dumps(rows: Iterable[ProfileRow]) -> str:
    """Return the text of a profile, with commas."""
    lines = [f"{row.task},{row.seconds!r},{row.output_bytes / BYTES_PER_KBIT!r}" for row in rows]
    return "\n".join((HEADER, *lines)) + "\n"
