"""The seeds' HEFT to the letter, quirks included: to compare old results with new ones, not to use.

It adds tenths of seconds (execution) to milliseconds (transfer), knows one entry and one exit,
looks no further than 9999, and plans with copies of tasks that its output leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HORIZON = 9999.0
"""The seeds' idea of for ever."""
_NONE = -1


@dataclass(frozen=True, slots=True)
class SeedProblem:
    """A TGFF file in its own units.

    Attributes:
        costs: Tenths of a second. Shape: (tasks, processors).
        data: Kbit from task to task; -1 where there is no arc. Shape: (tasks, tasks).
        curves: (a, b, c) of ``a x² + b x + c`` milliseconds for x Kbit; zeros where nothing is
            known. Shape: (processors, processors).
    """

    costs: Sequence[Sequence[float]]
    data: Sequence[Sequence[float]]
    curves: Sequence[Sequence[tuple[float, float, float]]]

    def transfer(self, source: int, target: int, first: int, second: int) -> float:
        """Return what the curve between two processors says for an arc; negative ones as well."""
        a, b, c = self.curves[first][second]
        kbit = self.data[source][target]
        return a * kbit * kbit + b * kbit + c


@dataclass(slots=True)
class Interval:
    """A task, or a copy of one, on a processor."""

    task: int
    start: float
    finish: float
    is_copy: bool = False


@dataclass(slots=True)
class SeedSchedule:
    """What the seeds' HEFT found.

    Attributes:
        ranks: Upward ranks; -1 for tasks that task 0 does not lead to.
        order: Tasks by falling rank.
        makespan: Latest finish before copies. (The seeds printed that of the last-numbered task.)
        estimate: The same with copies, which are not deployed.
        first: Intervals of every processor before copies.
        intervals: The same with copies.
    """

    ranks: list[float]
    order: list[int]
    makespan: float = 0.0
    estimate: float = 0.0
    first: list[list[Interval]] = field(default_factory=list)
    intervals: list[list[Interval]] = field(default_factory=list)


def heft_seed(problem: SeedProblem) -> SeedSchedule:
    """Return the schedule of the seeds' ``heft_dup``."""
    return _HeftDup(problem).run()


class _HeftDup:
    """One run; names follow the steps of the description."""

    def __init__(self, problem: SeedProblem) -> None:
        self._problem = problem
        self._tasks = range(len(problem.costs))
        self._processors = range(len(problem.costs[0]) if problem.costs else 0)
        self._on = [_NONE] * len(self._tasks)
        self._start = [0.0] * len(self._tasks)
        self._finish = [0.0] * len(self._tasks)
        self._critical = [_NONE] * len(self._tasks)
        self._last_critical = _NONE
        self._intervals: list[list[Interval]] = [[] for _ in self._processors]

    def run(self) -> SeedSchedule:
        """Rank, place, copy, place again."""
        ranks = self._ranks()
        order = sorted(self._tasks, key=lambda task: -ranks[task])
        found = SeedSchedule(ranks, order)
        for position, task in enumerate(order):
            if position == 0:
                costs = self._problem.costs[task]
                self._put(task, costs.index(min(costs)), 0.0)
            else:
                self._place(task)
        found.makespan = max(self._finish, default=0.0)
        found.first = [sorted(each, key=lambda i: i.start) for each in self._intervals]
        self._copy(order)
        self._intervals = [[i for i in each if i.is_copy] for each in self._intervals]
        for task in order:
            processor = self._on[task]
            self._put(task, processor, self._begin(task, processor))
        found.estimate = max(self._finish, default=0.0)
        found.intervals = [sorted(each, key=lambda i: i.start) for each in self._intervals]
        return found

    def _ranks(self) -> list[float]:
        """Return upward ranks of what task 0 leads to."""
        problem, count = self._problem, len(self._processors)
        pairs = [(p, r) for p in self._processors for r in self._processors if p != r]
        ranks = [-1.0] * len(self._tasks)

        def children(task: int) -> list[int]:
            return [j for j in self._tasks if problem.data[task][j] != _NONE]

        open_ = [0] if len(self._tasks) else []
        while open_:
            task = open_[-1]
            missing = [child for child in children(task) if ranks[child] == -1.0]
            if missing:
                open_ += missing
                continue
            open_.pop()
            longest = 0.0
            for child in children(task):
                total = sum(problem.transfer(task, child, p, r) for p, r in pairs)
                mean = total / (count * count - count) if count > 1 else 0.0
                longest = max(longest, mean + ranks[child])
            ranks[task] = sum(problem.costs[task]) / count + longest
        return ranks

    def _place(self, task: int) -> None:
        """Put a task on the processor of the earliest finish."""
        best, best_start, best_finish, best_critical = _NONE, 0.0, HORIZON, _NONE
        for processor in self._processors:
            start = self._begin(task, processor)
            finish = start + self._problem.costs[task][processor]
            if finish < best_finish:
                best, best_start, best_finish = processor, start, finish
                best_critical = self._last_critical
        if best == _NONE:
            # The seeds went on with whatever processor came before; the first one is as good.
            best, best_start = 0, self._begin(task, 0)
        self._critical[task] = best_critical
        self._put(task, best, best_start)

    def _put(self, task: int, processor: int, start: float) -> None:
        self._on[task] = processor
        self._start[task] = start
        self._finish[task] = start + self._problem.costs[task][processor]
        self._intervals[processor].append(Interval(task, start, self._finish[task]))

    def _begin(self, task: int, processor: int) -> float:
        """Return the earliest start: inputs, with credit for copies, then the first free slot."""
        problem = self._problem
        earliest = 0.0
        for k in self._tasks:
            if problem.data[k][task] == _NONE:
                continue
            way = 0.0
            if self._on[k] != processor and not self._has_copy(k, self._on[task]):
                way = problem.transfer(k, task, self._on[k], processor)
            if self._finish[k] + way > earliest:
                earliest = self._finish[k] + way
                self._last_critical = k
        needed = problem.costs[task][processor]
        for low, high in self._slots(processor):
            start = max(low, earliest)
            if start + needed <= high:
                return start
        return earliest

    def _has_copy(self, task: int, processor: int) -> bool:
        if processor == _NONE:
            return False
        return any(i.is_copy and i.task == task for i in self._intervals[processor])

    def _slots(self, processor: int) -> list[tuple[float, float]]:
        """Return the free time of a processor up to the horizon."""
        slots, end = [], 0.0
        for each in sorted(self._intervals[processor], key=lambda i: i.start):
            if each.start > end or (end > 0 and each.start == end):
                slots.append((end, each.start))
            end = each.finish
        return [*slots, (end, HORIZON)]

    def _copy(self, order: list[int]) -> None:
        """Copy critical parents to the processors of their children where they end in time."""
        for k in order:
            for i in order:
                processor = self._on[i]
                if self._critical[i] != k or processor == self._on[k]:
                    continue
                start = self._begin(k, processor)
                finish = start + self._problem.costs[k][processor]
                if finish <= self._start[i] and not self._has_copy(k, processor):
                    self._intervals[processor].append(Interval(k, start, finish, is_copy=True))
