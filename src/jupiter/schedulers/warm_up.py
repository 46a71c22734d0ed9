"""Makes the machine code of all kernels and keeps it on disk: ``jupiter warm-up``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from jupiter.errors import SchedulingError
from jupiter.kit import compiled as machine
from jupiter.model.problem import Problem
from jupiter.schedulers.base import SCHEDULERS, find_scheduler
from jupiter.schedulers.generate import ProblemShape, random_problem
from jupiter.schedulers.workbench import forced


def warm_up(tell: Callable[[str], None] = lambda name: None) -> bool:
    """Load the machine code of all kernels; make what is missing, which takes about a minute.

    Args:
        tell: Told the name of every scheduler before it is loaded.

    Returns:
        Whether there is machine code on this computer at all; False without numba.
    """
    if not machine.is_available():
        return False
    problem = _problem()
    with forced(is_compiled=True):
        for name in SCHEDULERS.built_in:
            tell(name)
            with suppress(SchedulingError):  # an extra that is not installed
                find_scheduler(name)(problem)
    machine.mark_cached()
    return True


def load() -> None:
    """Load what machine code there is for a search within a budget."""
    with forced(is_compiled=True):
        find_scheduler("improve")(_problem())


def _problem() -> Problem:
    return random_problem(ProblemShape(tasks=5, nodes=2))


if __name__ == "__main__":
    warm_up()
