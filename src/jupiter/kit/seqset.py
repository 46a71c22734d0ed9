"""A set of sequence numbers that stays small when they come almost in order."""

from __future__ import annotations


class SeqSet:
    """Numbers from 0; remembers all below a rising mark in one integer."""

    __slots__ = ("_above", "_mark")

    def __init__(self) -> None:
        self._mark = 0
        self._above: set[int] = set()

    def add(self, seq: int) -> bool:
        """Put a number in; return whether it was new."""
        if seq in self:
            return False
        self._above.add(seq)
        while self._mark in self._above:
            self._above.remove(self._mark)
            self._mark += 1
        return True

    def __contains__(self, seq: int) -> bool:
        return seq < self._mark or seq in self._above

    def __len__(self) -> int:
        return self._mark + len(self._above)

    @property
    def mark(self) -> int:
        """The smallest number that is not in the set."""
        return self._mark

    @property
    def above(self) -> tuple[int, ...]:
        """The numbers beyond the mark, in order."""
        return tuple(sorted(self._above))

    def add_all(self, mark: int, above: tuple[int, ...]) -> tuple[int, ...]:
        """Put in all numbers below a mark and some more; return those that were new, in order."""
        new = [seq for seq in range(self._mark, mark) if seq not in self._above]
        new += [seq for seq in above if seq >= mark and seq not in self]
        for seq in new:
            self.add(seq)
        return tuple(new)

    def copy(self) -> SeqSet:
        """Return a set of its own with the same numbers."""
        other = SeqSet()
        other._mark = self._mark
        other._above = set(self._above)
        return other
