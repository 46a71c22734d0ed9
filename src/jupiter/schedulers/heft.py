"""Highest upward rank first, onto the node that finishes it earliest (HEFT)."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.errors import SchedulingError
from jupiter.kit.units import show_seconds
from jupiter.model.ids import NodeId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.domains import Domains
from jupiter.schedulers.indexed import UNREACHABLE_S, Indexed, index
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order


def heft(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the HEFT schedule, with insertion.

    Equal ranks keep topological order, which keeps written order; equal finish times go to the
    node named first. The result depends on nothing else, and on no name.

    Args:
        problem: Any number of entries, exits and pinned tasks. A pair of nodes without a link
            cannot be crossed; a node from which a child could not be reached is not chosen.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: A task has no node left. With few links that can happen although a
            schedule exists, because decisions are not taken back (see `domains`).

    Cost: O(edges x nodes + tasks x nodes x (log gaps + gaps passed)).
    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206. Departs: nodes have several cores,
        and those that lead to a dead end are left out.
    """
    indexed = index(problem)
    domains = Domains(indexed)
    placing = Placing(indexed)
    assignments = []
    for task in rank_order(indexed):
        finish_s = placing.finish_row_s(task)
        node = _settle(indexed, domains, task, finish_s)
        placing.put(task, node)
        assignments.append(placing.assignment(task, *_explained(indexed, task, node, finish_s)))
    return Schedule("heft", tuple(assignments), {"seed": seed})


def _settle(indexed: Indexed, domains: Domains, task: int, finish_s: list[float]) -> int:
    """Return the node that finishes a task first among those that leave others a place.

    The finish times of the other ones become infinite.
    """
    if not domains.is_complete:
        left = domains.left[task]
        for node in range(len(finish_s)):
            if not left >> node & 1:
                finish_s[node] = UNREACHABLE_S
    while True:
        best_s = min(finish_s)
        if best_s == UNREACHABLE_S:
            raise SchedulingError(
                f"task {indexed.tasks[task]} cannot be placed: from every node that its inputs "
                "can reach, some later task could not be reached"
            )
        node = finish_s.index(best_s)
        if domains.settle(task, node):
            return node
        finish_s[node] = UNREACHABLE_S


def _explained(
    indexed: Indexed, task: int, node: int, finish_s: list[float]
) -> tuple[str, Mapping[NodeId, float]]:
    """Return why a node won, in one clause, and the finish times that were compared."""
    nodes = indexed.nodes
    offers = dict(zip(nodes, finish_s, strict=True))
    if UNREACHABLE_S in finish_s:
        offers = {each: time_s for each, time_s in offers.items() if time_s < UNREACHABLE_S}
    if indexed.pin[task] >= 0:
        return f"pinned to {nodes[node]}", offers
    if len(offers) == 1:
        return "the only node that can run it here", offers
    best_s = finish_s[node]
    finish_s[node] = UNREACHABLE_S
    second_s = min(finish_s)
    second = nodes[finish_s.index(second_s)]
    if second_s == best_s:
        return f"finishes as early as {second} and is listed first", offers
    return f"finishes {show_seconds(second_s - best_s)} before {second}", offers
