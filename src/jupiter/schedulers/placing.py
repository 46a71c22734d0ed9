"""A schedule while it is being built: which tasks have a place, and when the next could run."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId
from jupiter.model.schedule import Assignment
from jupiter.schedulers.indexed import UNREACHABLE_S, Indexed
from jupiter.schedulers.timeline import Timeline

_NOT_COMPARED: Mapping[NodeId, float] = {}


class Placing:
    """Tasks placed so far, parents before children. Links are idle, nodes run what fits.

    Args:
        indexed: What is to be placed.
    """

    def __init__(self, indexed: Indexed) -> None:
        self._indexed = indexed
        self._timelines = [Timeline(cores) for cores in indexed.cores]
        self._tails_s = [0.0] * len(indexed.nodes)
        self.node = [-1] * len(indexed.tasks)
        """Node of every task that has one."""
        self.start_s = [0.0] * len(indexed.tasks)
        self.finish_s = [0.0] * len(indexed.tasks)
        self._placed: list[int] = []

    def ready_row_s(self, task: int) -> list[float]:
        """Return when all inputs of a task could be on each node; infinite where they cannot.

        Cost: O(parents x nodes).
        """
        indexed = self._indexed
        ready_s = [0.0] * len(indexed.nodes)
        for parent, size in zip(indexed.parents[task], indexed.parent_bytes[task], strict=True):
            source = self.node[parent]
            done_s = self.finish_s[parent]
            links = zip(
                ready_s, indexed.latency_s[source], indexed.seconds_per_byte[source], strict=True
            )
            ready_s = [
                arrive_s if (arrive_s := done_s + (latency_s + size * rate)) > known_s else known_s
                for known_s, latency_s, rate in links
            ]
        return ready_s

    def finish_row_s(self, task: int) -> list[float]:
        """Return the earliest finish of a task on each node; infinite where it cannot be."""
        slots = zip(
            self.ready_row_s(task),
            self._indexed.seconds[task],
            self._tails_s,
            self._timelines,
            strict=True,
        )
        return [
            ready_s + seconds
            if ready_s >= tail_s or seconds == UNREACHABLE_S
            else timeline.earliest_start_s(ready_s, seconds) + seconds
            for ready_s, seconds, tail_s, timeline in slots
        ]

    def put(self, task: int, node: int) -> None:
        """Put a task on a node at its earliest time there.

        Raises:
            SchedulingError: The node cannot run it, or an input cannot get there.
        """
        indexed = self._indexed
        seconds = indexed.seconds[task][node]
        if seconds == UNREACHABLE_S:
            raise SchedulingError(
                f"task {indexed.tasks[task]} cannot run on node {indexed.nodes[node]}"
            )
        timeline = self._timelines[node]
        start_s = timeline.earliest_start_s(self._ready_s(task, node), seconds)
        timeline.occupy(start_s, seconds)
        self._tails_s[node] = timeline.tail_s
        self.node[task] = node
        self.start_s[task] = start_s
        self.finish_s[task] = start_s + seconds
        self._placed.append(task)

    def _ready_s(self, task: int, node: int) -> float:
        indexed = self._indexed
        ready_s = 0.0
        for parent, size in zip(indexed.parents[task], indexed.parent_bytes[task], strict=True):
            source = self.node[parent]
            transfer_s = (
                indexed.latency_s[source][node] + size * indexed.seconds_per_byte[source][node]
            )
            if transfer_s == UNREACHABLE_S:
                raise SchedulingError(
                    f"task {indexed.tasks[task]} cannot run on node {indexed.nodes[node]}: no link "
                    f"leads there from node {indexed.nodes[source]}, where its parent "
                    f"{indexed.tasks[parent]} is"
                )
            ready_s = max(ready_s, self.finish_s[parent] + transfer_s)
        return ready_s

    def assignment(
        self,
        task: int,
        reason: str = "",
        finish_by_node_s: Mapping[NodeId, float] = _NOT_COMPARED,
    ) -> Assignment:
        """Return the place that a task has got."""
        indexed = self._indexed
        return Assignment(
            indexed.tasks[task],
            indexed.nodes[self.node[task]],
            self.start_s[task],
            self.finish_s[task],
            reason,
            finish_by_node_s,
        )

    @property
    def makespan_s(self) -> float:
        """Latest finish so far; the earliest start is always 0."""
        return max(self.finish_s, default=0.0)
