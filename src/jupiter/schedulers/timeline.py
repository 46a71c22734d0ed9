"""Busy intervals of one node, and the earliest gap that fits."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right


class Timeline:
    """When a node is free.

    Kept as the periods during which at least one core is free, so a busy stretch costs nothing to
    pass over. An execution of 0 s needs no core.

    Args:
        cores: Executions that can run at once.
    """

    __slots__ = ("_busy", "_cores", "_ends", "_starts", "_steps")

    def __init__(self, cores: int = 1) -> None:
        self._cores = cores
        self._starts = [0.0]
        self._ends = [math.inf]
        self._steps = [0.0, math.inf]
        self._busy = [0]

    @property
    def tail_s(self) -> float:
        """From when on a core is free for ever, so that any execution fits at once."""
        return self._starts[-1]

    def earliest_start_s(self, ready_s: float, duration_s: float) -> float:
        """Return the earliest time, not before `ready_s`, from which a core is free long enough.

        Cost: O(log gaps + gaps passed that are too short).
        """
        if duration_s <= 0:
            return ready_s
        starts, ends = self._starts, self._ends
        gap = bisect_left(ends, ready_s + duration_s)
        if starts[gap] <= ready_s:
            return ready_s
        while starts[gap] + duration_s > ends[gap]:
            gap += 1
        return starts[gap]

    def occupy(self, start_s: float, duration_s: float) -> None:
        """Take a core for an interval that `earliest_start_s` gave.

        Raises:
            ValueError: No core is free for all of it.
        """
        if duration_s <= 0:
            return
        finish_s = start_s + duration_s
        gap = bisect_right(self._starts, start_s) - 1
        if gap < 0 or finish_s > self._ends[gap]:
            raise ValueError(f"no core is free from {start_s} s to {finish_s} s")
        if self._cores == 1:
            self._close(start_s, finish_s)
            return
        first, last = self._step_at(start_s), self._step_at(finish_s)
        for step in range(first, last):
            self._busy[step] += 1
            if self._busy[step] == self._cores:
                self._close(self._steps[step], self._steps[step + 1])

    def _step_at(self, time_s: float) -> int:
        """Return the step that starts at a time; an existing one is cut where it must be."""
        step = bisect_left(self._steps, time_s)
        if self._steps[step] != time_s:
            self._steps.insert(step, time_s)
            self._busy.insert(step, self._busy[step - 1])
        return step

    def _close(self, start_s: float, finish_s: float) -> None:
        """Cut a stretch in which all cores are busy out of the free period around it."""
        gap = bisect_right(self._starts, start_s) - 1
        gap_start_s, gap_end_s = self._starts[gap], self._ends[gap]
        starts, ends = [], []
        if gap_start_s < start_s:
            starts.append(gap_start_s)
            ends.append(start_s)
        if finish_s < gap_end_s:
            starts.append(finish_s)
            ends.append(gap_end_s)
        self._starts[gap : gap + 1] = starts
        self._ends[gap : gap + 1] = ends
