"""A node drawn at random for every task: what placement without thought gives."""

from __future__ import annotations

from jupiter.kit.rng import stream
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.by_order import OFFER
from jupiter.schedulers.workbench import Workbench


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
    bench = Workbench(problem)
    draw = stream(seed, "random mapping").random
    # Every node gets a random number and a task takes the least of those that are open to it,
    # which is a uniform draw whatever is open.
    lots = [[draw() for _ in bench.nodes] for _ in bench.tasks]
    bench.place(bench.rank_order(), OFFER, bench.maker.rows(lots, len(bench.nodes)))
    return bench.schedule("random", seed=seed, reason="drawn at random")
