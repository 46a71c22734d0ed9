"""Fitted links as the network profiler ships them: ``network_log.txt`` and ``parameters_*.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupiter.formats.link_parameters import Curve, read_words
from jupiter.formats.link_parameters import dumps as dumps_curve
from jupiter.formats.text import Content, Faults, Parsed, Word, decode, parse_with
from jupiter.kit.names import printable

PARAMETERS_HEADER = (
    "Source[IP]",
    "Source[Reg]",
    "Destination[IP]",
    "Destination[Reg]",
    "Time_Stamp[UTC]",
    "Parameters",
)


@dataclass(frozen=True, slots=True)
class LogRow:
    """One link of ``network_log.txt``: names and addresses of both ends, and the curve."""

    source: str
    source_ip: str
    target: str
    target_ip: str
    curve: Curve


@dataclass(frozen=True, slots=True)
class ParametersRow:
    """One link of ``parameters_<ip>``.

    Attributes:
        source_ip: Address.
        source_region: Free text.
        target_ip: Address.
        target_region: Free text.
        time: UTC, as it was written; the seeds used several forms.
        curve: The fit.
    """

    source_ip: str
    source_region: str
    target_ip: str
    target_region: str
    time: str
    curve: Curve


def parse(content: Content, file: str = "") -> Parsed[tuple[LogRow, ...]]:
    """Return the rows of a ``network_log.txt``.

    Raises:
        InputError: A row has not five cells, or the last one is no curve.
    """
    return parse_with(read, content, file)


def parse_parameters(content: Content, file: str = "") -> Parsed[tuple[ParametersRow, ...]]:
    """Return the rows of a ``parameters_<ip>``.

    Raises:
        InputError: The header is missing, a row has not six cells, or the last one is no curve.
    """
    return parse_with(read_parameters, content, file)


def read(content: Content, faults: Faults) -> tuple[LogRow, ...]:
    """Return the rows of a ``network_log.txt`` that can be understood."""
    return tuple(
        LogRow(cells[0], cells[1], cells[2], cells[3], curve)
        for cells, curve in _rows(decode(content, faults), 1, 5, faults)
    )


def read_parameters(content: Content, faults: Faults) -> tuple[ParametersRow, ...]:
    """Return the rows of a ``parameters_<ip>`` that can be understood."""
    head, _, body = decode(content, faults).partition("\n")
    if head.strip() != ",".join(PARAMETERS_HEADER):
        faults.error(
            "the first line is not the header",
            1,
            got=printable(head),
            expected=",".join(PARAMETERS_HEADER),
            remedy="add it above the rows",
        )
    return tuple(
        ParametersRow(cells[0], cells[1], cells[2], cells[3], cells[4], curve)
        for cells, curve in _rows(body, 2, 6, faults)
    )


def _rows(
    text: str, first_line: int, width: int, faults: Faults
) -> Iterable[tuple[Sequence[str], Curve]]:
    """Yield the cells and the curve of every row; a row is a line."""
    for number, line in enumerate(text.split("\n"), first_line):
        if not line.strip(" \t"):
            continue
        try:
            cells = next(csv.reader([line], strict=True))
        except csv.Error as error:
            faults.error(
                f"the line is no row of cells: {error}",
                number,
                got=printable(line),
                expected='cells with commas between them, perhaps in "…"',
                remedy="correct the quotes",
            )
            continue
        if len(cells) != width:
            faults.error(
                "a row has the wrong number of cells",
                number,
                got=str(len(cells)),
                expected=str(width),
                remedy="export the links again",
            )
            continue
        words = [Word(word, number, 0) for word in cells[-1].split()]
        curve = read_words(words, Word("", number, 0), faults)
        if curve is not None:
            yield cells, curve


def dumps(rows: Iterable[LogRow]) -> str:
    """Return the text of a ``network_log.txt``: every cell in quotes, no header."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        curve = dumps_curve(row.curve)
        writer.writerow((row.source, row.source_ip, row.target, row.target_ip, curve))
    return out.getvalue()


def dumps_parameters(rows: Iterable[ParametersRow]) -> str:
    """Return the text of a ``parameters_<ip>``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(PARAMETERS_HEADER)
    for row in rows:
        ends = (row.source_ip, row.source_region, row.target_ip, row.target_region)
        writer.writerow((*ends, row.time, dumps_curve(row.curve)))
    return out.getvalue()
