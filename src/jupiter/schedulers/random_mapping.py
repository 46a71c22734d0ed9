"""A node drawn at random for every task: what placement without thought gives."""

from __future__ import annotations

from collections.abc import Callable

from jupiter.errors import SchedulingError
from jupiter.kit.rng import stream
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.domains import Domains
from jupiter.schedulers.indexed import Indexed, index, members
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order


def random_mapping(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return a schedule with a uniformly drawn node for every task.

    Drawn are only nodes that can run the task, that its inputs can reach, and from which later
    tasks can be reached. The draw depends on the seed and the order of tasks and nodes, on no name.

    Args:
        problem: What is to be placed.
        seed: Fixes the draw.

    Raises:
        SchedulingError: A task has no node left; as for `heft`, this can happen with few links.
    """
    draw = stream(seed, "random mapping").randrange
    indexed = index(problem)
    domains = Domains(indexed)
    placing = Placing(indexed)
    assignments = []
    for task in rank_order(indexed):
        placing.put(task, _draw(indexed, domains, task, draw))
        reason = "pinned" if indexed.pin[task] >= 0 else "drawn at random"
        assignments.append(placing.assignment(task, reason))
    return Schedule("random", tuple(assignments), {"seed": seed})


def _draw(indexed: Indexed, domains: Domains, task: int, draw: Callable[[int], int]) -> int:
    """Return a node; `draw` gives a number from 0 to below its argument."""
    nodes = list(members(domains.left[task]))
    while nodes:
        node = nodes.pop(draw(len(nodes)))
        if domains.settle(task, node):
            return node
    raise SchedulingError(
        f"task {indexed.tasks[task]} cannot be placed: from every node that its inputs can reach, "
        "some later task could not be reached"
    )
