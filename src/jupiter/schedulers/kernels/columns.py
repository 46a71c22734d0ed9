"""Columns of tables: lists for kernels that are interpreted, arrays for compiled ones."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any, Protocol

from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Flags, Floats, Ints, Rows


class Maker(Protocol):
    """Makes the columns of tables: as lists, or as arrays for compiled kernels."""

    def ints(self, values: Iterable[int], count: int) -> Ints:
        """Return a column of whole numbers."""
        ...

    def zeros(self, count: int) -> Ints:
        """Return a column of whole zeros."""
        ...

    def floats(self, values: Iterable[float], count: int) -> Floats:
        """Return a column of numbers."""
        ...

    def float_zeros(self, count: int) -> Floats:
        """Return a column of zeros."""
        ...

    def rows(self, rows: Sequence[Sequence[float]], width: int) -> Rows:
        """Return a table of numbers."""
        ...

    def flags(self, rows: Sequence[Sequence[int]], width: int) -> Flags:
        """Return a table of zeros and ones."""
        ...

    def cube(self, cubes: Sequence[Rows], width: int) -> list[Rows]:
        """Return square tables of numbers, all of one width."""
        ...

    def space(self, rows: int, width: int) -> Rows:
        """Return a table that is still to be filled, most of which may never be used."""
        ...

    def means(self, table: Rows, width: int) -> Floats:
        """Return the mean of the finite values of every row, added from left to right."""
        ...

    def digest(self, column: Sequence[Any]) -> bytes:
        """Return the numbers of a column or table as bytes."""
        ...

    def scaled(self, column: Floats, factor: float) -> Floats:
        """Return every number times a factor."""
        ...

    def affine(self, column: Floats, constant: float, factor: float) -> Floats:
        """Return ``constant + number * factor`` for every number."""
        ...

    def call(self, kernel: Any, *arguments: Any) -> Any:
        """Call a kernel with columns of this kind."""
        ...


class ListMaker:
    """Columns as lists, for kernels that are interpreted."""

    def ints(self, values: Iterable[int], count: int) -> Ints:
        """Return a list."""
        return list(values)

    def zeros(self, count: int) -> Ints:
        """Return a list."""
        return [0] * count

    def floats(self, values: Iterable[float], count: int) -> Floats:
        """Return a list."""
        return list(map(float, values))

    def float_zeros(self, count: int) -> Floats:
        """Return a list."""
        return [0.0] * count

    def rows(self, rows: Sequence[Sequence[float]], width: int) -> Rows:
        """Return lists."""
        return [list(row) for row in rows]

    def flags(self, rows: Sequence[Sequence[int]], width: int) -> Flags:
        """Return lists."""
        return [list(row) for row in rows]

    def cube(self, cubes: Sequence[Rows], width: int) -> list[Rows]:
        """Return lists."""
        return list(cubes)

    def space(self, rows: int, width: int) -> Rows:
        """Return lists."""
        return [[0.0] * width for _ in range(rows)]

    def means(self, table: Rows, width: int) -> Floats:
        """Return the mean of the finite values of every row, added from left to right."""
        return [mean_of(row) for row in table]

    def digest(self, column: Sequence[Any]) -> bytes:
        """Return the numbers as 8 bytes each."""
        if not column:
            return b""
        if isinstance(column[0], list):
            return b"".join(map(self.digest, column))
        return array("d" if isinstance(column[0], float) else "q", column).tobytes()

    def scaled(self, column: Floats, factor: float) -> Floats:
        """Return every number times a factor."""
        return [each * factor for each in column]

    def affine(self, column: Floats, constant: float, factor: float) -> Floats:
        """Return ``constant + number * factor`` for every number."""
        return [constant + each * factor for each in column]

    def call(self, kernel: Any, *arguments: Any) -> Any:
        """Call a kernel as it is."""
        return kernel(*arguments)


def mean_of(row: Sequence[float]) -> float:
    """Return the mean of the finite values, added from left to right as compiled loops do."""
    if UNREACHABLE_S in row:
        row = [each for each in row if each < UNREACHABLE_S]
    # Not `sum`: since Python 3.12 it rounds in another way.
    return reduce(add, row) / len(row) if row else 0.0
