"""Schedules of problems: the calls that Python users and the command line make."""

from __future__ import annotations

from itertools import count

from jupiter.aio import clock
from jupiter.errors import Fault, InputError
from jupiter.kit import compiled as machine
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.improve import Budget, improve
from jupiter.schedulers.warm_up import load

DEFAULT = "heft"
SEARCH = "improve"
_searches = count()


def schedule(
    problem: Problem,
    scheduler: str | None = None,
    *,
    budget_s: float | None = None,
    seed: int = 0,
) -> Schedule:
    """Return a schedule of a problem.

    Args:
        problem: What is to be placed.
        scheduler: Name of one; see ``jupiter schedulers``. HEFT where it is None and there is no
            budget.
        budget_s: Seconds to search for the best schedule that can be found. The portfolio that
            the search starts from is run in any case.
        seed: Where an algorithm draws at random.

    Raises:
        InputError: No scheduler has this name, or a budget is given to one that has no use for it.
        SchedulingError: No schedule exists, or none was found.
    """
    if budget_s is None:
        return find_scheduler(scheduler or DEFAULT)(problem, seed=seed)
    if scheduler not in (None, SEARCH) or not budget_s >= 0:
        raise InputError(
            Fault(
                "a time budget is for the search",
                got=f"scheduler {scheduler}, {budget_s} s",
                expected=f"scheduler {SEARCH} or none, and a budget of 0 s or more",
                remedy="leave the scheduler out, or leave the budget out",
            )
        )
    start_s = clock.monotonic_s()
    # Whoever asks twice will ask again: from then on machine code pays.
    if next(_searches):
        machine.get_ready(load, "jupiter.schedulers.warm_up")
    return improve(problem, seed=seed, budget=Budget(budget_s, clock.monotonic_s, start_s))
