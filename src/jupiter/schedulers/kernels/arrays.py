"""Columns as numpy arrays, for compiled kernels; imported only when these are used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from jupiter.kit.compiled import compiled
from jupiter.schedulers.kernels.tables import Flags, Floats, Ints, Rows


class ArrayMaker:
    """The arrays that go with compiled kernels; see `columns.Maker`."""

    def ints(self, values: Iterable[int], count: int) -> Ints:
        """Return 64-bit whole numbers."""
        made: Any = np.fromiter(values, np.int64, count)
        return cast("Ints", made)

    def zeros(self, count: int) -> Ints:
        """Return whole zeros."""
        made: Any = np.zeros(count, np.int64)
        return cast("Ints", made)

    def float_zeros(self, count: int) -> Floats:
        """Return zeros."""
        return cast("Floats", np.zeros(count))

    def floats(self, values: Iterable[float], count: int) -> Floats:
        """Return 64-bit floating point numbers."""
        made: Any = np.fromiter(values, np.float64, count)
        return cast("Floats", made)

    def rows(self, rows: Sequence[Sequence[float]], width: int) -> Rows:
        """Return a table."""
        made: Any = np.array(rows, np.float64).reshape(len(rows), width)
        return cast("Rows", made)

    def flags(self, rows: Sequence[Sequence[int]], width: int) -> Flags:
        """Return a table of whole numbers."""
        made: Any = np.array(rows, np.int64).reshape(len(rows), width)
        return cast("Flags", made)

    def cube(self, cubes: Sequence[Rows], width: int) -> list[Rows]:
        """Return one table of tables."""
        made: Any = np.array(cubes, np.float64).reshape(len(cubes), width, width)
        return cast("list[Rows]", made)

    def space(self, rows: int, width: int) -> Rows:
        """Return a table; the system gives it memory where it is written."""
        made: Any = np.empty((rows, width))
        return cast("Rows", made)

    def means(self, table: Rows, width: int) -> Floats:
        """Return the mean of the finite values of every row, added from left to right."""
        found: Any = table
        if not width or not len(found):
            return self.floats([0.0] * len(found), len(found))
        # Running sums add one value after the other; numpy's `sum` does not.
        finite = np.isfinite(found)
        sums = np.cumsum(np.where(finite, found, 0.0), axis=1)[:, -1]
        counts = finite.sum(axis=1)
        made: Any = np.divide(sums, counts, out=np.zeros(len(found)), where=counts > 0)
        return cast("Floats", made)

    def digest(self, column: Sequence[Any]) -> bytes:
        """Return the numbers as 8 bytes each."""
        found: Any = column
        made: bytes = found.tobytes()
        return made

    def scaled(self, column: Floats, factor: float) -> Floats:
        """Return every number times a factor."""
        found: Any = column
        made: Any = found * factor
        return cast("Floats", made)

    def affine(self, column: Floats, constant: float, factor: float) -> Floats:
        """Return ``constant + number * factor`` for every number."""
        found: Any = column
        made: Any = constant + found * factor
        return cast("Floats", made)

    def call(self, kernel: Any, *arguments: Any) -> Any:
        """Call the machine code of a kernel."""
        return compiled(kernel)(*arguments)
