"""Nodes that each task may still take so that links join every edge of the graph."""

from __future__ import annotations

from collections import deque

from jupiter.errors import SchedulingError
from jupiter.schedulers.indexed import Indexed, members


class Domains:
    """The nodes left to each task while others get theirs.

    From the start a node is left out when no node of some child (or parent) can be reached from
    it, and so on through the graph, backwards and forwards; the same follows each assignment. So
    a task is not put where its outputs would be stuck two steps later. Where links join all
    pairs of nodes nothing is ever left out and the bookkeeping costs nothing.

    Finding a mapping over few links is NP-hard in general; this looks at edges, not at whole
    graphs, so a dead end is possible (see `settle`).

    Args:
        indexed: What is to be placed.

    Raises:
        SchedulingError: A task has no node left before anything is placed.

    Source: arc consistency, AC-3; Mackworth 1977, doi:10.1016/0004-3702(77)90007-8.
    """

    def __init__(self, indexed: Indexed) -> None:
        self._indexed = indexed
        self.left = list(indexed.able)
        """Set of the nodes left to each task."""
        used = 0
        for task, able in enumerate(indexed.able):
            if not able:
                raise SchedulingError(
                    f"task {indexed.tasks[task]} cannot be placed: no node can run it"
                )
            used |= able
        self.is_complete = all(used & ~indexed.joined[node] == 0 for node in members(used))
        """Whether links join all pairs of nodes in use."""
        count = len(indexed.nodes)
        self._out_of = list(indexed.joined)
        self._into = [
            sum(1 << source for source in range(count) if indexed.joined[source] >> target & 1)
            for target in range(count)
        ]
        self._out_of_set: dict[int, int] = {}
        self._into_set: dict[int, int] = {}
        if not self.is_complete:
            stuck = self._spread(list(reversed(indexed.order)), [])
            if stuck is not None:
                self._refuse(*stuck)

    def settle(self, task: int, node: int) -> bool:
        """Put a task on a node, if that leaves every other task a node.

        Returns:
            Whether it was done; if not, nothing has changed.
        """
        if self.is_complete:
            return True
        undo = [(task, self.left[task])]
        self.left[task] = 1 << node
        if self._spread([task], undo) is None:
            return True
        for changed, nodes in reversed(undo):
            self.left[changed] = nodes
        return False

    def _spread(self, changed: list[int], undo: list[tuple[int, int]]) -> tuple[int, int] | None:
        """Leave out what changed domains rule out, until nothing changes.

        Returns:
            The task that has no node left and the neighbour that took the last one, or None.
        """
        left, indexed = self.left, self._indexed
        queue = deque(changed)
        while queue:
            task = queue.popleft()
            nodes = left[task]
            targets = _union(nodes, self._out_of, self._out_of_set)
            sources = _union(nodes, self._into, self._into_set)
            for others, allowed in (
                (indexed.children[task], targets),
                (indexed.parents[task], sources),
            ):
                for other in others:
                    nodes = left[other]
                    if nodes & ~allowed:
                        undo.append((other, nodes))
                        left[other] = nodes & allowed
                        if not left[other]:
                            return other, task
                        queue.append(other)
        return None

    def _refuse(self, task: int, neighbour: int) -> None:
        tasks = self._indexed.tasks
        is_parent = neighbour in self._indexed.parents[task]
        way = "from" if is_parent else "to"
        raise SchedulingError(
            f"task {tasks[task]} cannot be placed: no link leads {way} a node that can take "
            f"its {'parent' if is_parent else 'child'} {tasks[neighbour]}"
        )


def _union(nodes: int, sets: list[int], known: dict[int, int]) -> int:
    """Return the union of the sets of some nodes; remembered, as few different ones occur."""
    found = known.get(nodes)
    if found is None:
        found = 0
        for node in members(nodes):
            found |= sets[node]
        known[nodes] = found
    return found
