"""Busy intervals of one node, and the earliest gap that fits."""

from __future__ import annotations

from bisect import bisect_left, insort


class Timeline:
    """The cores of one node, each with its busy intervals.

    Args:
        cores: Executions that can run at once.
    """

    __slots__ = ("_lanes",)

    def __init__(self, cores: int) -> None:
        self._lanes: list[list[tuple[float, float]]] = [[] for _ in range(cores)]

    def earliest_start_s(self, ready_s: float, duration_s: float) -> float:
        """Return the earliest time from `ready_s` on at which some core is free long enough."""
        return min(_gap_s(lane, ready_s, duration_s) for lane in self._lanes)

    def occupy(self, start_s: float, duration_s: float) -> None:
        """Take a core for an interval that `earliest_start_s` gave."""
        for lane in self._lanes:
            if _gap_s(lane, start_s, duration_s) == start_s:
                insort(lane, (start_s, start_s + duration_s))
                return
        raise ValueError(f"no core is free from {start_s} s for {duration_s} s")


def _gap_s(lane: list[tuple[float, float]], ready_s: float, duration_s: float) -> float:
    """Return the start of the first gap of a core that fits."""
    at = bisect_left(lane, (ready_s, ready_s))
    start_s = ready_s
    if at and lane[at - 1][1] > start_s:
        start_s = lane[at - 1][1]
    while at < len(lane) and lane[at][0] < start_s + duration_s:
        start_s = max(start_s, lane[at][1])
        at += 1
    return start_s
