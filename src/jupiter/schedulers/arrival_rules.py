"""Tasks in the order in which they become ready, each by one simple rule: MCT, MET, OLB."""

from __future__ import annotations

from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.kernels.by_order import AVAILABLE, EXECUTION, FINISH
from jupiter.schedulers.workbench import Workbench


def mct(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which each task goes where it is completed first.

    Args, errors: as for `heft`.
    Source: Armstrong, Hensgen, Kidd 1998, doi:10.1109/HCW.1998.666547.
    """
    return _by_arrival(problem, "mct", FINISH, seed)


def met(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which each task goes where it runs in the least time.

    How busy the node is does not count.

    Args, errors and source: as `mct`.
    """
    return _by_arrival(problem, "met", EXECUTION, seed)


def olb(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule in which each task goes to the node that is free first.

    How long it needs there does not count ("opportunistic load balancing").

    Args, errors and source: as `mct`.
    """
    return _by_arrival(problem, "olb", AVAILABLE, seed)


def _by_arrival(problem: Problem, name: str, rule: int, seed: int) -> Schedule:
    bench = Workbench(problem)
    bench.place(bench.tables.order, rule)
    return bench.schedule(name, seed=seed)
