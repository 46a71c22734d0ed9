"""The best of many heuristics, improved step by step for as long as there is time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from jupiter.errors import SchedulingError
from jupiter.kit import compiled as machine
from jupiter.model.problem import Objective, Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.bounds import makespan_bound_s
from jupiter.schedulers.kernels import local_search, proof
from jupiter.schedulers.kernels.by_order import place_by_order
from jupiter.schedulers.loads import period_s
from jupiter.schedulers.workbench import Workbench, forced_kind

ALWAYS = ("heft", "cpop", "peft", "single-node")
"""Started from in any case: the result is never worse than any of these."""
FURTHER = ("gdl", "dls", "min-min", "bil", "sufferage", "look-ahead", "etf", "max-min", "mct")
"""Started from where there is time."""
STEPS = 4_000
"""Of a search without a clock."""
FURTHER_PAIRS_MAX = {True: 2_000_000, False: 50_000}
"""(tasks + edges) x nodes up to which one of the further heuristics takes some 0.1 s, by whether
kernels are compiled; on larger problems they are left out."""
BOUND_TASKS_MAX = 2_000
"""Tasks up to which it is worth to know when nothing can be shorter."""
HOT = 0.08
"""First temperature: changes are kept that make the schedule up to so much longer."""
FURTHER_SHARE = 0.15
"""Of the time, for the further heuristics."""
PROOF_SHARE = 0.75
"""Of the time, for the proof that nothing is shorter, where one may be found."""
EFFORT = 30.0
"""A search without a clock takes about so many times as long as HEFT, large problems aside."""
LOADING_PAYS_S = 2.0
"""Time from which compiled kernels are loaded whatever the size of the problem."""
ROUND_S = 0.002
"""Time between two looks at the clock."""

_KIND: dict[Objective, int] = {
    "makespan": local_search.MAKESPAN,
    "period": local_search.PERIOD,
    "both": local_search.BOTH,
}

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Budget:
    """Time that a search may take.

    Attributes:
        seconds: All of it, from `start_s` on.
        clock: Returns seconds that only grow.
        start_s: What the clock showed when the time began.
    """

    seconds: float
    clock: Clock
    start_s: float

    @property
    def used(self) -> float:
        """Share of the time that is over; 1 and more when all is."""
        return (self.clock() - self.start_s) / self.seconds if self.seconds > 0 else 1.0


def improve(problem: Problem, *, seed: int = 0, budget: Budget | None = None) -> Schedule:
    """Return a schedule that is at least as good as HEFT, CPOP, PEFT and any single node.

    The best schedule of the portfolio is improved by simulated annealing over nodes and order
    (see `local_search`); tiny problems are then tried out, so that the result is often proven to
    be the best there is (fact ``optimal``).

    Args:
        problem: What is to be placed. Its objective decides what is better.
        seed: Fixes what is drawn at random.
        budget: Time to take; a fixed number of steps, and so always the same answer, where it is
            None. The portfolio is run in any case, however long it takes.

    Raises:
        SchedulingError: No start was found.

    Source: annealing after Kirkpatrick, Gelatt, Vecchi 1983, doi:10.1126/science.220.4598.671,
        with thresholds in place of probabilities.
    """
    bench = Workbench(problem, is_compiled=_is_compiled(budget), effort=EFFORT)
    q = local_search.new_search(bench.tables, bench.maker, seed)
    bench.call(local_search.prepare, q)
    kind = _KIND[problem.objective]
    error = _start(bench, q, kind, seed, budget)
    if q.values[1] == inf:
        raise error or SchedulingError("no schedule was found")
    is_bounded = kind == local_search.MAKESPAN and len(bench.tasks) <= BOUND_TASKS_MAX
    bound_s = makespan_bound_s(problem) if is_bounded else 0.0
    facts: dict[str, str | int | float] = {}
    is_best = is_bounded and q.values[1] <= bound_s * (1 + 1e-12)
    if not is_best and len(bench.tasks) > 1:
        may_prove = kind == local_search.MAKESPAN and proof.is_tiny(bench.tables)
        _anneal(bench, q, kind, budget, until=1 - PROOF_SHARE if may_prove else 1.0)
        if may_prove:
            is_best = _prove(bench, q, budget)
    nodes = list(map(int, q.best_nodes))
    bench.place_where_told(q.best_order, nodes)
    facts["steps"] = int(q.sizes[2])
    if is_best:
        facts["optimal"] = 1
    if kind != local_search.MAKESPAN:
        facts["period_s"] = period_s(problem, bench.schedule("improve"))
    options: dict[str, str | int | float] = {}
    if budget is not None:
        options["budget_s"] = budget.seconds
    return bench.schedule("improve", seed=seed, options=options, facts=facts)


def _is_compiled(budget: Budget | None) -> bool | None:
    """Return True where machine code does much more in the time than the time it takes to load."""
    if budget is None or forced_kind() is not None:
        return None
    if machine.is_loaded(place_by_order):
        return True
    return True if machine.is_cached() and budget.seconds >= LOADING_PAYS_S else None


def _start(
    bench: Workbench, q: local_search.Search, kind: int, seed: int, budget: Budget | None
) -> SchedulingError | None:
    """Adopt the best schedule of the portfolio; return the last failure of a member."""
    error = None
    t = bench.tables
    pairs = (t.task_count + len(t.child)) * t.node_count
    is_large = pairs > FURTHER_PAIRS_MAX[bench.is_compiled]
    number = {task: k for k, task in enumerate(bench.tasks)}
    at = {node: n for n, node in enumerate(bench.nodes)}
    for name in (*ALWAYS, *FURTHER):
        if name in FURTHER and (is_large or budget is None or budget.used > FURTHER_SHARE):
            break
        try:
            schedule = find_scheduler(name)(bench.problem, seed=seed)
        except SchedulingError as found:
            error = error or found
            continue
        nodes = [0] * len(bench.tasks)
        by_start = sorted(
            range(len(schedule.assignments)), key=lambda k: (schedule.assignments[k].start_s, k)
        )
        order = [number[schedule.assignments[k].task] for k in by_start]
        for each in schedule.assignments:
            nodes[number[each.task]] = at[each.node]
        count = len(order)
        columns = bench.maker.ints(order, count), bench.maker.ints(nodes, count)
        bench.call(local_search.adopt, q, *columns, kind)
    return error


def _anneal(
    bench: Workbench, q: local_search.Search, kind: int, budget: Budget | None, *, until: float
) -> None:
    """Search until a share of the time is over, from hot to cold."""
    bench.call(local_search.adopt, q, q.best_order, q.best_nodes, kind)
    if budget is None:
        rounds = 40
        for k in range(rounds):
            heat = HOT * (1 - k / rounds) ** 2
            bench.call(local_search.search, q, kind, STEPS // rounds, heat)
        return
    steps = 8
    while (used := budget.used) < until:
        heat = HOT * (1 - used / until) ** 2
        before_s = budget.clock()
        bench.call(local_search.search, q, kind, steps, heat)
        took_s = budget.clock() - before_s
        if took_s < ROUND_S / 2:
            steps *= 2
        elif took_s > ROUND_S * 2 and steps > 1:
            steps //= 2


def _prove(bench: Workbench, q: local_search.Search, budget: Budget | None) -> bool:
    """Try everything that could be shorter, as far as time goes; return whether all was tried."""
    b = proof.new_branches(bench.tables, bench.maker, float(q.values[1]))
    bench.call(proof.prepare, b)
    steps, total = 2_000, 0
    while True:
        is_done = bench.call(proof.search, b, steps)
        total += steps
        if b.found[0]:
            order = bench.maker.ints(b.best_order, len(bench.tasks))
            bench.call(local_search.adopt, q, order, b.best_nodes, local_search.MAKESPAN)
            b.found[0] = 0
        if is_done:
            return True
        if total >= proof.STEPS_MAX if budget is None else budget.used >= 1:
            return False
