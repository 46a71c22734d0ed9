"""Everything on the one node that finishes it earliest: no transfers, no parallel nodes."""

from __future__ import annotations

from math import fsum

from jupiter.errors import SchedulingError
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.evaluate import place_all
from jupiter.schedulers.indexed import UNREACHABLE_S, Indexed, index
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order

_ROUNDING = 1 - 1e-9


def single_node(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the best schedule that uses one node; pinned tasks stay where they are pinned.

    Of equally good nodes the one named first is taken.

    Args:
        problem: What is to be placed.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: No node can run all tasks that are not pinned and reach the pinned ones.

    Cost: O(nodes x (tasks x log gaps + edges)) at worst; nodes whose work alone takes longer than
        the best makespan found are not tried.
    """
    indexed = index(problem)
    order = rank_order(indexed)
    best: tuple[float, int, Placing] | None = None
    refusal = "the problem has no nodes"
    for least_s, node in sorted(
        (_work_s(indexed, node), node) for node in range(len(indexed.nodes))
    ):
        if best is not None and least_s * _ROUNDING > best[0]:
            break
        try:
            placing = place_all(indexed, [node if pin < 0 else pin for pin in indexed.pin], order)
        except SchedulingError as error:
            refusal = str(error)
            continue
        if best is None or (placing.makespan_s, node) < best[:2]:
            best = placing.makespan_s, node, placing
    if best is None:
        raise SchedulingError(f"no single node can take everything; the last tried: {refusal}")
    _, node, placing = best
    reasons = (f"all on {indexed.nodes[node]}", "pinned")
    return Schedule(
        "single-node",
        tuple(placing.assignment(task, reasons[indexed.pin[task] >= 0]) for task in order),
        {"seed": seed},
    )


def _work_s(indexed: Indexed, node: int) -> float:
    """Return the least seconds in which a node can run all tasks that are not pinned."""
    times_s = [row[node] for row, pin in zip(indexed.seconds, indexed.pin, strict=True) if pin < 0]
    if UNREACHABLE_S in times_s:
        return UNREACHABLE_S
    return fsum(times_s) / indexed.cores[node]
