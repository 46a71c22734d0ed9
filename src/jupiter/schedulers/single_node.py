"""Everything on the one node that finishes it earliest: no transfers, no parallel nodes."""

from __future__ import annotations

from math import fsum

from jupiter.errors import SchedulingError
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.tables import UNREACHABLE_S
from jupiter.schedulers.workbench import Workbench

_ROUNDING = 1 - 1e-9


def single_node(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the best schedule that uses one node; pinned tasks stay where they are pinned.

    Of equally good nodes the one named first is taken.

    Args:
        problem: What is to be placed.
        seed: Only recorded; nothing is drawn at random.

    Raises:
        SchedulingError: No node can run all tasks that are not pinned and reach the pinned ones.

    Cost: O(nodes x (tasks + edges)) at worst; nodes whose work alone takes longer than the best
        makespan found are not tried.
    """
    bench = Workbench(problem)
    node = best_single_node(bench)
    reason = f"all on {bench.nodes[node]}" if node is not None else ""
    return bench.schedule("single-node", seed=seed, reason=reason)


def best_single_node(bench: Workbench) -> int | None:
    """Place everything on the best single node and return it; None where nothing is to be placed.

    Raises:
        SchedulingError: No node can take everything.
    """
    t = bench.tables
    order = bench.rank_order()
    best: tuple[float, int] | None = None
    refusal = "the problem has no nodes"
    for least_s, node in sorted((_work_s(bench, node), node) for node in range(t.node_count)):
        if best is not None and least_s * _ROUNDING > best[0]:
            break
        try:
            bench.place_where_told(order, _all_on(bench, node))
        except SchedulingError as error:
            refusal = str(error)
            continue
        if best is None or (bench.makespan_s, node) < best:
            best = bench.makespan_s, node
    if best is None:
        if not t.task_count:
            return None
        raise SchedulingError(f"no single node can take everything; the last tried: {refusal}")
    bench.place_where_told(order, _all_on(bench, best[1]))
    return best[1]


def _all_on(bench: Workbench, node: int) -> list[int]:
    return [node if pin < 0 else int(pin) for pin in bench.tables.pin]


def _work_s(bench: Workbench, node: int) -> float:
    """Return the least seconds in which a node can run all tasks that are not pinned."""
    t = bench.tables
    cores = int(t.lane_first[node + 1] - t.lane_first[node])
    if t.is_related:
        work_s = [float(work) for work, pin in zip(t.work_s, t.pin, strict=True) if pin < 0]
        return fsum(work_s) / t.speed[node] / cores
    times_s = [float(row[node]) for row, pin in zip(t.seconds, t.pin, strict=True) if pin < 0]
    if UNREACHABLE_S in times_s:
        return UNREACHABLE_S
    return fsum(times_s) / cores
