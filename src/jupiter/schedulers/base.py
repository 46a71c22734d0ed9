"""What every scheduler offers, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol

from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule


class Scheduler(Protocol):
    """An algorithm from a problem to a schedule: no I/O, no clock, all chance from the seed."""

    def __call__(self, problem: Problem, *, seed: int = 0) -> Schedule:
        """Return a schedule.

        Args:
            problem: What is to be placed.
            seed: Where the algorithm draws at random; others ignore it.

        Raises:
            SchedulingError: No schedule exists.
        """
        ...


BUILT_IN: Mapping[str, str] = {
    "heft": "jupiter.schedulers.heft:heft",
    "random": "jupiter.schedulers.random_mapping:random_mapping",
    "single-node": "jupiter.schedulers.single_node:single_node",
}
"""Name of every scheduler that is shipped, and where it is."""


def find_scheduler(name: str) -> Scheduler:
    """Return the scheduler with a name.

    Raises:
        InputError: There is none.
    """
    place = BUILT_IN.get(name)
    if place is None:
        near = nearest(name, BUILT_IN)
        raise InputError(
            Fault(
                "unknown scheduler",
                got=name,
                expected=", ".join(BUILT_IN),
                remedy=f"did you mean {near}?" if near else "one of these names",
            )
        )
    module, _, function = place.partition(":")
    found: Callable[..., Schedule] = getattr(import_module(module), function)
    return found
