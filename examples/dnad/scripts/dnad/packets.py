"""Reads packet summaries: ``timestamp source sport destination dport length protocol flags``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

BIN_S = 10.0
"""Width of a time bin of both detectors."""


class Packet(NamedTuple):
    """One packet; ports are 0 where the protocol has none."""

    time_s: float
    source: str
    source_port: int
    target: str
    target_port: int
    size_bytes: int
    protocol: str


def data_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the number and text of every line that is neither a comment nor empty."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("!"):
            yield number, text


def read_packets(lines: Iterable[str], file: str) -> Iterator[Packet]:
    """Yield the packets of a file.

    Raises:
        ValueError: A line has too few fields, or one that is no number.
    """
    for number, text in data_lines(lines):
        fields = text.split()
        if len(fields) < 7:
            raise ValueError(f"{file}:{number}: {len(fields)} fields instead of 8 in {text!r}")
        try:
            yield Packet(
                float(fields[0]),
                fields[1],
                int(fields[2]) if fields[2].isdecimal() else 0,
                fields[3],
                int(fields[4]) if fields[4].isdecimal() else 0,
                int(fields[5]),
                fields[6],
            )
        except ValueError:
            raise ValueError(f"{file}:{number}: no packet: {text!r}") from None
