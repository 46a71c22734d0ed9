"""A node drawn at random for every task: what placement without thought gives."""

from __future__ import annotations

from jupiter.errors import SchedulingError
from jupiter.kit.rng import stream
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.placing import Placing
from jupiter.schedulers.ranks import rank_order


def random_mapping(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return a schedule with a uniformly drawn node for every task.

    Nodes that a task's inputs cannot reach, or that its outputs cannot leave, are not drawn.

    Args:
        problem: What is to be placed.
        seed: Fixes the draw, whatever the names are.

    Raises:
        SchedulingError: A task has no node left.
    """
    draw = stream(seed, "random mapping")
    placing = Placing(problem)
    for task in rank_order(problem):
        nodes = [
            node for node in placing.candidates(task) if placing.interval_s(task, node) is not None
        ]
        if not nodes:
            raise SchedulingError(f"no node can get all inputs of task {task}")
        placing.place(task, nodes[draw.randrange(len(nodes))])
    return placing.schedule("random", seed=seed)
