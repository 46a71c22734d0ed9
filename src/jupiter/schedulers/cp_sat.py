"""The optimum by constraint programming, where the extra ``cp-sat`` is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from jupiter.errors import SchedulingError
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.evaluate import evaluate
from jupiter.schedulers.workbench import Workbench

TICKS = 1_000_000
"""Steps of time up to the makespan of HEFT; the solver counts in whole numbers."""
DETERMINISTIC_TIME = 60.0
"""The solver's own measure of work, about seconds; it gives up after so much."""
WRONG_VERSIONS = ("9.15",)
"""Versions that give wrong answers on this model (infeasible, or "optimal" above a schedule)."""


def cp_sat(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule of the least makespan, proven so unless the work limit was reached.

    Args:
        problem: Up to some tens of tasks. Begun tasks and other objectives are refused.
        seed: Of the solver.

    Raises:
        SchedulingError: The extra is not installed or of a version that errs, the problem is of
            another kind, or no schedule exists.
    """
    model_room: Any = _solver()
    if problem.begun or problem.objective != "makespan":
        raise SchedulingError("cp-sat is for the makespan of what has not begun")
    start = find_scheduler("heft")(problem)
    tick_s = max(start.makespan_s, 1e-9) / TICKS
    built = _Model(model_room, problem, tick_s)
    solver = model_room.CpSolver()
    solver.parameters.random_seed = seed % (1 << 31)
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = DETERMINISTIC_TIME
    status = solver.solve(built.model)
    if status not in (model_room.OPTIMAL, model_room.FEASIBLE):
        raise SchedulingError("cp-sat found no schedule")
    mapping = {
        task: next(n for n in problem.candidates(task) if solver.value(built.on[task, n]))
        for task in problem.graph.tasks
    }
    place = {task: k for k, task in enumerate(problem.graph.topological_order)}
    order = sorted(place, key=lambda task: (solver.value(built.start[task]), place[task]))
    found = evaluate(problem, mapping, scheduler="cp-sat", order=order, options={"seed": seed})
    bench = Workbench(problem, is_compiled=False)
    facts = {"optimal": 1} if status == model_room.OPTIMAL else {}
    return bench.made("cp-sat", found.assignments, seed=seed, facts=facts)


def _solver() -> Any:
    try:
        ortools: Any = import_module("ortools")
        room = import_module("ortools.sat.python.cp_model")
    except ImportError as error:
        raise SchedulingError(
            "the scheduler cp-sat needs the extra: pip install 'jupiter-orchestrator[cp-sat]'"
        ) from error
    if ortools.__version__.startswith(WRONG_VERSIONS):
        raise SchedulingError(
            f"OR-Tools {ortools.__version__} gives wrong answers on this model; install 9.14"
        )
    return room


class _Model:
    """Variables and constraints in whole ticks; exact times follow from the order that is found."""

    def __init__(self, room: Any, problem: Problem, tick_s: float) -> None:
        self.model: Any = room.CpModel()
        self.on: dict[tuple[TaskId, NodeId], Any] = {}
        self.start: dict[TaskId, Any] = {}
        self._problem, self._tick_s = problem, tick_s
        horizon = 2 * TICKS
        self._end: dict[TaskId, Any] = {}
        lanes: dict[NodeId, list[Any]] = {node: [] for node in problem.nodes}
        for task in problem.graph.tasks:
            self.start[task] = self.model.new_int_var(0, horizon, f"s{len(self.start)}")
            self._end[task] = self.model.new_int_var(0, horizon, f"e{len(self.start)}")
            literals = []
            for node in problem.candidates(task):
                is_on = self.model.new_bool_var("")
                self.on[task, node] = is_on
                literals.append(is_on)
                ticks = self._ticks(problem.seconds(task, node) or 0.0)
                interval = self.model.new_optional_interval_var(
                    self.start[task], ticks, self._end[task], is_on, ""
                )
                if ticks:
                    lanes[node].append(interval)
            self.model.add_exactly_one(literals)
        for node, intervals in lanes.items():
            cores = problem.cores.get(node, 1)
            if cores == 1:
                self.model.add_no_overlap(intervals)
            else:
                self.model.add_cumulative(intervals, [1] * len(intervals), cores)
        for edge in problem.graph.edges:
            self._add_edge(edge)
        self._add_limits()
        makespan = self.model.new_int_var(0, horizon, "makespan")
        self.model.add_max_equality(makespan, list(self._end.values()) or [0])
        self.model.minimize(makespan)

    def _ticks(self, seconds: float) -> int:
        return round(seconds / self._tick_s)

    def _add_edge(self, edge: Edge) -> None:
        problem = self._problem
        for source in problem.candidates(edge.source):
            for target in problem.candidates(edge.target):
                both = [self.on[edge.source, source], self.on[edge.target, target]]
                transfer_s = problem.transfer_s(edge, source, target)
                if transfer_s is None:
                    self.model.add_bool_or([each.negated() for each in both])
                    continue
                way = self.start[edge.target] >= self._end[edge.source] + self._ticks(transfer_s)
                self.model.add(way).only_enforce_if(both)

    def _add_limits(self) -> None:
        problem = self._problem
        for node, limit in problem.tasks_max.items():
            mine = [is_on for (_, each), is_on in self.on.items() if each == node]
            self.model.add(sum(mine) <= limit)
        for node, room in problem.node_memory_bytes.items():
            needed = [
                int(problem.memory_bytes.get(task, 0.0)) * is_on
                for (task, each), is_on in self.on.items()
                if each == node
            ]
            if room < float("inf"):
                self.model.add(sum(needed) <= int(room))
