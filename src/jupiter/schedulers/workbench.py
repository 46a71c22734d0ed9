"""What algorithms share: a problem in numbers, kernels in the right form, names put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jupiter.errors import SchedulingError
from jupiter.kit import compiled as machine
from jupiter.kit.version import VERSION
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Replicas, Schedule
from jupiter.schedulers.kernels.build import build_tables
from jupiter.schedulers.kernels.by_order import FINISH, place_by_order, place_where_told
from jupiter.schedulers.kernels.columns import ListMaker, Maker
from jupiter.schedulers.kernels.in_lists import is_enough, place_by_finish
from jupiter.schedulers.kernels.orders import by_priority, downward, execution_s, upward
from jupiter.schedulers.kernels.state import State, new_state
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Floats, Ints, Rows, Tables

STEPS_LOADED = 3_000
"""(tasks + edges) x nodes from which machine code is used that is in memory already."""
STEPS_CACHED = 600_000
"""As above, for machine code that is on disk and takes about 1 s to load."""
STEPS_COLD = 60_000_000
"""As above, for machine code that has to be made first."""


_forced: bool | None = None


@contextmanager
def forced(is_compiled: bool) -> Iterator[None]:
    """Let every new bench use compiled kernels, or none: for tests, benchmarks and preparation."""
    global _forced
    before, _forced = _forced, is_compiled
    try:
        yield
    finally:
        _forced = before


def forced_kind() -> bool | None:
    """Return what `forced` wants; None where the size of a problem decides."""
    return _forced


class Workbench:
    """A problem on the bench of one algorithm.

    Args:
        problem: What is to be placed.
        is_compiled: Whether kernels run as machine code; chosen by size where it is None. The
            answers are the same.
        effort: How many times longer than HEFT the algorithm takes.
        is_checked: Whether a task without a node is an error.

    Raises:
        SchedulingError: Some task can run nowhere.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        is_compiled: bool | None = None,
        effort: float = 1.0,
        is_checked: bool = True,
    ) -> None:
        self.problem = problem
        if is_compiled is None:
            is_compiled = _is_worth_it(problem, effort) if _forced is None else _forced
        self.is_compiled = is_compiled
        self.maker: Maker = _array_maker() if self.is_compiled else ListMaker()
        self.tables: Tables
        self.tables, self.digest = build_tables(problem, self.maker)
        self.tasks: tuple[TaskId, ...] = tuple(problem.graph.children)
        self.nodes: tuple[NodeId, ...] = problem.nodes
        self.state: State = new_state(self.tables, self.maker)
        if is_checked:
            self._check_able()

    def ints(self, count: int, value: int = 0) -> Ints:
        """Return a column of equal whole numbers."""
        return self.maker.ints([value] * count, count)

    def floats(self, count: int, value: float = 0.0) -> Floats:
        """Return a column of equal numbers."""
        return self.maker.floats([value] * count, count)

    def rows(self, count: int, width: int) -> Rows:
        """Return a table of zeros."""
        return self.maker.rows([[0.0] * width] * count, width)

    @property
    def no_rows(self) -> Rows:
        """A table without rows, where a kernel needs none."""
        return self.maker.rows([], self.tables.node_count)

    def run(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """Call a kernel with the tables, the state and further arguments."""
        return self.maker.call(kernel, self.tables, self.state, *arguments)

    def call(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """Call a kernel with the tables and further arguments."""
        return self.maker.call(kernel, self.tables, *arguments)

    def execution_s(self, task: int, node: int) -> float:
        """Return the execution time of a task on a node; infinite where it cannot be there."""
        return float(execution_s(self.tables, task, node))

    def upward_ranks(self) -> Floats:
        """Return the upward rank of every task."""
        ranks = self.floats(self.tables.task_count)
        self.call(upward, ranks)
        return ranks

    def downward_ranks(self) -> Floats:
        """Return the downward rank of every task."""
        ranks = self.floats(self.tables.task_count)
        self.call(downward, ranks)
        return ranks

    def sorted_by(self, ranks: Floats) -> Ints:
        """Return all tasks by falling rank; equal ones keep topological order."""
        order: Any = self.tables.order
        if not self.is_compiled:
            return sorted(order, key=[-rank for rank in ranks].__getitem__)
        values: Any = ranks
        made: Ints = order[(-values[order]).argsort(kind="stable")]
        return made

    def rank_order(self) -> Ints:
        """Return all tasks by falling upward rank, parents first.

        A parent never ranks below its child, and equal ranks (of tasks without work) keep
        topological order.
        """
        return self.sorted_by(self.upward_ranks())

    def priority_order(self, priority: Floats) -> Ints:
        """Return all tasks, parents first: of the ready ones always that of highest priority."""
        count = self.tables.task_count
        place: Any = self.maker.zeros(count)
        order: Any = self.tables.order
        if self.is_compiled:
            place[order] = range(count)
        else:
            for k, task in enumerate(order):
                place[task] = k
        made = self.maker.zeros(count)
        zeros = self.maker.zeros(count), self.maker.zeros(count + 1)
        self.call(by_priority, priority, place, made, *zeros)
        return made

    def place(
        self,
        order: Ints,
        rule: int = FINISH,
        tail_s: Rows | None = None,
        wanted: Sequence[int] = (),
    ) -> None:
        """Place all tasks in an order; see `by_order.place_by_order`.

        Raises:
            SchedulingError: A task has no node left.
        """
        if rule == FINISH and not (self.is_compiled or wanted) and is_enough(self.tables):
            if not place_by_finish(self.tables, self.state, order):
                self.refuse()
            return
        extra = self.no_rows if tail_s is None else tail_s
        column = self.maker.ints(wanted, len(wanted))
        if not self.run(place_by_order, order, rule, extra, column):
            self.refuse()

    def place_where_told(self, order: Ints, nodes: Sequence[int]) -> None:
        """Place all tasks on given nodes.

        Raises:
            SchedulingError: A node cannot run its task, or a link is missing.
        """
        task = self.run(place_where_told, order, self.maker.ints(nodes, len(nodes)))
        if task >= 0:
            raise SchedulingError(self._why_not(task, nodes))

    @property
    def makespan_s(self) -> float:
        """From the earliest start to the latest finish of what is placed."""
        return makespan_of(self.state, len(self.tasks))

    def refuse(self) -> None:
        """Raise the error of the task that is stuck."""
        t, s = self.tables, self.state
        task, neighbour = int(s.stuck[0]), int(s.stuck[1])
        name = self.tasks[task]
        if neighbour >= 0:
            parents = t.parent[int(t.parent_first[task]) : int(t.parent_first[task + 1])]
            is_parent = neighbour in list(parents)
            raise SchedulingError(
                f"task {name} cannot be placed: no link leads {'from' if is_parent else 'to'} a "
                f"node that can take its {'parent' if is_parent else 'child'} "
                f"{self.tasks[neighbour]}"
            )
        if t.is_limited:
            raise SchedulingError(
                f"task {name} cannot be placed: on every node that can run it and that its inputs "
                "can reach, the limit of tasks or the memory is used up"
            )
        raise SchedulingError(
            f"task {name} cannot be placed: from every node that its inputs can reach, some later "
            "task could not be reached"
        )

    def _why_not(self, task: int, nodes: Sequence[int]) -> str:
        t = self.tables
        node = nodes[task]
        start = f"task {self.tasks[task]} cannot run on node {self.nodes[node]}"
        for edge in range(int(t.parent_first[task]), int(t.parent_first[task + 1])):
            parent = int(t.parent[edge])
            source = nodes[parent] if t.pin[parent] < 0 else int(t.pin[parent])
            if t.latency_s[source][node] == UNREACHABLE_S:
                return (
                    f"{start}: no link leads there from node {self.nodes[source]}, where its "
                    f"parent {self.tasks[parent]} is"
                )
        if t.is_limited and self.execution_s(task, node) < UNREACHABLE_S:
            return f"{start}: its limit of tasks or its memory is used up"
        return start

    def _check_able(self) -> None:
        t = self.tables
        for task in range(t.task_count if not t.is_related else 0):
            if min(t.seconds[task]) == UNREACHABLE_S:
                raise SchedulingError(
                    f"task {self.tasks[task]} cannot be placed: no node can run it"
                )

    def schedule(
        self,
        scheduler: str,
        *,
        seed: int = 0,
        options: Mapping[str, str | int | float] | None = None,
        facts: Mapping[str, str | int | float] | None = None,
        reason: str = "",
    ) -> Schedule:
        """Return what was placed, in the order in which it was decided."""
        s = self.state
        decided = _numbers(s.decided)
        columns: list[Iterable[Any]] = [
            map(self.tasks.__getitem__, decided),
            map(self.nodes.__getitem__, _picked(s.node, s.decided)),
            _picked(s.start_s, s.decided),
            _picked(s.finish_s, s.decided),
        ]
        if reason:
            columns.append([reason] * len(decided))
        return self.made(
            scheduler, tuple(map(Assignment, *columns)), seed=seed, options=options, facts=facts
        )

    def made(
        self,
        scheduler: str,
        assignments: tuple[Assignment, ...],
        *,
        seed: int = 0,
        options: Mapping[str, str | int | float] | None = None,
        facts: Mapping[str, str | int | float] | None = None,
        replicas: Replicas = "none",
    ) -> Schedule:
        """Return assignments with all that says where they come from."""
        return Schedule(
            scheduler=scheduler,
            assignments=assignments,
            options={"seed": seed, **(options or {})},
            replicas=replicas,
            version=VERSION,
            problem_digest=self.digest,
            facts=facts or {},
        )


def makespan_of(s: State, count: int) -> float:
    """Return the time from the earliest start to the latest finish of all tasks."""
    if not count:
        return 0.0
    return float(max(s.finish_s)) - float(min(s.start_s))


def _numbers(column: Any) -> list[Any]:
    return column if isinstance(column, list) else column.tolist()


def _picked(column: Any, places: Any) -> list[Any]:
    if isinstance(column, list):
        return list(map(column.__getitem__, places))
    made: list[Any] = column[places].tolist()
    return made


def _array_maker() -> Maker:
    from jupiter.schedulers.kernels.arrays import ArrayMaker  # noqa: PLC0415  (numpy is slow to import)

    return ArrayMaker()


def _is_worth_it(problem: Problem, effort: float) -> bool:
    """Return whether machine code answers sooner, its loading included."""
    count = len(problem.graph.children)
    if (count + 1) * len(problem.nodes) * effort * 8 < STEPS_LOADED:
        return False
    edges = sum(map(len, problem.graph.children.values()))
    steps = (count + edges) * len(problem.nodes) * effort
    if machine.is_loaded(place_by_order):
        return steps >= STEPS_LOADED
    if steps < STEPS_CACHED or not machine.is_available():
        return False
    if machine.is_cached():
        return True
    if steps < STEPS_COLD:
        return False
    machine.notice("compiling the schedulers once; this takes up to a minute")
    return True
