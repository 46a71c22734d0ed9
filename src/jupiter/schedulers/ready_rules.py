"""The best pair of ready task and node, by one rule: MinMin, MaxMin, Sufferage, ETF, DLS, GDL."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels import by_ready
from jupiter.schedulers.kernels.levels import descendants, savings
from jupiter.schedulers.kernels.orders import static_levels
from jupiter.schedulers.kernels.tables import Rows
from jupiter.schedulers.workbench import Workbench


def min_min(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which the pair that finishes first is always taken next.

    Args, errors: as for `heft`.
    Source: Ibarra, Kim 1977, doi:10.1145/322003.322011; here over the ready tasks of a graph and
        with insertion.
    """
    return _by_rule(problem, "min-min", by_ready.LEAST_FINISH, seed)


def max_min(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which the ready task that finishes last at best is taken next.

    Args, errors and source: as `min_min`.
    """
    return _by_rule(problem, "max-min", by_ready.GREATEST_FINISH, seed)


def sufferage(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which the task that would lose most elsewhere is taken next.

    Args, errors: as for `heft`.
    Source: Maheswaran et al. 1999, doi:10.1006/jpdc.1999.1581.
    """
    return _by_rule(problem, "sufferage", by_ready.SUFFERAGE, seed)


def etf(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which the pair that starts first is taken next.

    Equal starts go to the task with the higher static level.

    Args, errors: as for `heft`.
    Source: Hwang, Chow, Anger, Lee 1989, doi:10.1137/0218016.
    """
    return _by_rule(problem, "etf", by_ready.LEAST_START, seed)


def dls(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule of dynamic level scheduling.

    Taken next is the pair with the highest static level, less its start, plus what the node saves
    against the mean.

    Args, errors: as for `heft`.
    Source: Sih, Lee 1993, doi:10.1109/71.207593.
    """
    return _by_rule(problem, "dls", by_ready.DYNAMIC_LEVEL, seed, has_bonus=True)


def gdl(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule by generalized dynamic levels.

    As `dls`, and a node counts for more from which the child that gets the most data is done soon.

    Args, errors and source: as `dls`.
    """
    return _by_rule(
        problem, "gdl", by_ready.DYNAMIC_LEVEL, seed, has_bonus=True, has_descendants=True
    )


def _by_rule(
    problem: Problem,
    name: str,
    rule: int,
    seed: int,
    *,
    has_bonus: bool = False,
    has_descendants: bool = False,
) -> Schedule:
    bench = Workbench(problem, effort=4)
    t = bench.tables
    levels = bench.floats(t.task_count)
    bench.call(static_levels, levels)
    bonus: Rows = bench.no_rows
    if has_bonus:
        bonus = bench.rows(t.task_count, t.node_count)
        bench.call(savings, bonus)
    if has_descendants:
        bench.call(descendants, bonus, bench.floats(t.node_count))
    pool = by_ready.new_pool(t, bench.maker)
    if not bench.run(by_ready.place_by_ready, pool, rule, levels, bonus):
        bench.refuse()
    return bench.schedule(name, seed=seed)
