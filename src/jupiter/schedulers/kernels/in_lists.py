"""HEFT's inner loop in the way that is quickest without compiled code: whole rows at a time.

It gives the same places and times as `by_order.place_by_order` by the rule `FINISH`; tests compare
the two. Limits, sparse links and links that are not affine are left to that one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from jupiter.schedulers.kernels.state import GAP_ROUNDING, State, reset
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Floats, Ints, Tables


def is_enough(t: Tables) -> bool:
    """Return whether a problem has nothing that this form leaves out."""
    return not (t.is_limited or t.is_sparse or len(t.matrices) or len(t.begun_s))


def place_by_finish(t: Tables, s: State, order: Ints) -> bool:
    """Place all tasks, each on the node that finishes it first; equal offers: listed first.

    Returns:
        Whether every task has a place.
    """
    reset(t, s)
    lanes = _Lanes(t)
    tails_s = lanes.tails_s
    none_s = [t.release_s] * t.node_count
    for task in order:
        ready_s = none_s
        for edge in range(t.parent_first[task], t.parent_first[task + 1]):
            parent = t.parent[edge]
            size, source, done_s = t.parent_bytes[edge], s.node[parent], s.finish_s[parent]
            latencies_s, rates = t.latency_s[source], t.rate[source]
            if ready_s is none_s:
                # Nothing arrives before the release, so the first parent needs no comparison.
                ready_s = [
                    done_s + (latency_s + size * rate)
                    for latency_s, rate in zip(latencies_s, rates)  # noqa: B905
                ]
                continue
            ready_s = [
                arrive_s if (arrive_s := done_s + (latency_s + size * rate)) > known_s else known_s
                for known_s, latency_s, rate in zip(ready_s, latencies_s, rates)  # noqa: B905
            ]
        seconds = _seconds(t, task)
        ends_s = [ready + each for ready, each in zip(ready_s, seconds, strict=True)]
        least_s = min(ends_s)
        if least_s == UNREACHABLE_S:
            s.stuck[0], s.stuck[1] = task, -1
            return False
        best = ends_s.index(least_s)
        begin_s = lanes.start_s(best, ready_s[best], seconds[best], UNREACHABLE_S)
        best_s = begin_s + seconds[best]
        rivals = [node for node, end_s in enumerate(ends_s) if end_s <= best_s]
        rivals.remove(best)
        for node in rivals:
            if ends_s[node] > best_s:
                continue
            start_s = ready_s[node]
            if start_s < tails_s[node]:
                start_s = lanes.start_s(node, start_s, seconds[node], best_s)
            done_s = start_s + seconds[node]
            if done_s < best_s or (done_s == best_s and node < best):
                best, best_s, begin_s = node, done_s, start_s
        s.node[task], s.start_s[task], s.finish_s[task] = best, begin_s, best_s
        if best_s > begin_s:
            lanes.occupy(best, begin_s, best_s)
    s.decided[:] = order
    s.counts[0] = len(order)
    return True


def _seconds(t: Tables, task: int) -> Floats:
    """Return the execution time of a task on every node."""
    if not t.is_related:
        return t.seconds[task]
    work_s, pin = t.work_s[task], t.pin[task]
    row = [work_s / speed for speed in t.speed]
    if pin >= 0:
        row = [each if node == pin else UNREACHABLE_S for node, each in enumerate(row)]
    return row


class _Lanes:
    """The gaps of all lanes, as lists that grow."""

    def __init__(self, t: Tables) -> None:
        self._of: list[list[tuple[Floats, Floats]]] = [
            [([0.0], [UNREACHABLE_S]) for _ in range(first, last)]
            for first, last in zip(t.lane_first[:-1], t.lane_first[1:], strict=True)
        ]
        self._least_s = t.shortest_s * GAP_ROUNDING
        self.tails_s = [0.0] * t.node_count

    def start_s(self, node: int, ready_s: float, seconds: float, limit_s: float) -> float:
        """Return the earliest start of an execution on a node, not before it is ready.

        Where its finish would be after `limit_s`, any start with such a finish is returned.
        """
        if seconds <= 0 or ready_s >= self.tails_s[node]:
            return ready_s
        found_s = UNREACHABLE_S
        for starts, ends in self._of[node]:
            gap = bisect_left(ends, ready_s + seconds)
            start_s = starts[gap]
            if start_s < ready_s:
                start_s = ready_s
            while start_s + seconds > ends[gap] and start_s + seconds <= limit_s:
                gap += 1
                start_s = starts[gap]
            if start_s < found_s:
                found_s = start_s
        return found_s

    def occupy(self, node: int, start_s: float, finish_s: float) -> None:
        """Take the lane that is free for all of an interval and leaves the least before it."""
        best: tuple[Floats, Floats] | None = None
        best_gap = -1
        for starts, ends in self._of[node]:
            gap = bisect_right(starts, start_s) - 1
            is_free = gap >= 0 and finish_s <= ends[gap]
            if is_free and (best is None or starts[gap] > best[0][best_gap]):
                best, best_gap = (starts, ends), gap
        if best is None:
            return
        starts, ends = best
        keeps = [
            (low, high)
            for low, high in ((starts[best_gap], start_s), (finish_s, ends[best_gap]))
            if high - low > 0 and high - low >= self._least_s
        ]
        starts[best_gap : best_gap + 1] = [low for low, _ in keeps]
        ends[best_gap : best_gap + 1] = [high for _, high in keeps]
        self.tails_s[node] = min(lane_starts[-1] for lane_starts, _ in self._of[node])
