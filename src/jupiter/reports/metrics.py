"""The figures of a run that are shown: in the terminal, on the page, in comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from jupiter.model.ids import NodeId, TaskId
from jupiter.model.run import RunRecord, TaskRecord


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """One row of the task table; times are medians over all executions, in seconds."""

    task: TaskId
    node: NodeId
    executions: int
    failures: int
    wait_s: float
    run_s: float
    run_p95_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """How much of a node's time the run used.

    Attributes:
        busy_fraction: Core-seconds of executions over cores times makespan.
    """

    node: NodeId
    tasks: int
    executions: int
    busy_s: float
    busy_fraction: float


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What went over a link.

    Attributes:
        busy_fraction: Bytes over what the link could have carried; 0 where it is not limited.
    """

    source: NodeId
    target: NodeId
    transfers: int
    size_bytes: int
    transfer_s: float
    busy_fraction: float


@dataclass(frozen=True, slots=True)
class PredictionFigures:
    """A predicted value beside the measured one, in seconds."""

    name: str
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Return predicted over measured, minus 1; 0 where nothing was measured."""
        return self.predicted_s / self.measured_s - 1 if self.measured_s else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run among several through other schedules.

    Attributes:
        ratio: Its makespan over that of the main run.
    """

    scheduler: str
    makespan_s: float
    period_s: float
    latency_s: float
    ratio: float
    done: int


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of ascending values lies; 0 where there are none."""
    if not values:
        return 0.0
    return values[min(len(values) - 1, int(share * len(values)))]


def latency_p50_s(run: RunRecord) -> float:
    """Return the median seconds from acceptance to result."""
    return quantile(run.latencies_s, 0.5)


def items_with(run: RunRecord, *statuses: str) -> int:
    """Return how many items ended so."""
    return sum(item.status in statuses for item in run.items)


def task_figures(run: RunRecord) -> list[TaskFigures]:
    """Return a row for every task, in topological order."""
    by_task: dict[TaskId, list[TaskRecord]] = {task: [] for task in run.app.graph.tasks}
    for record in run.tasks:
        by_task[record.task].append(record)
    reasons = {each.task: each.reason for each in run.schedule.assignments}
    rows = []
    for task in run.app.graph.topological_order:
        records = by_task[task]
        done = [each for each in records if each.status == "done"]
        times = sorted(each.finish_s - each.execute_s for each in done)
        waits = [each.execute_s - each.enter_s for each in done]
        rows.append(
            TaskFigures(
                task=task,
                node=run.schedule.mapping[task],
                executions=len(done),
                failures=len(records) - len(done),
                wait_s=median(waits) if waits else 0.0,
                run_s=quantile(times, 0.5),
                run_p95_s=quantile(times, 0.95),
                reason=reasons.get(task, ""),
            )
        )
    return rows


def node_figures(run: RunRecord) -> list[NodeFigures]:
    """Return a row for every node that could run tasks, in the order of the network."""
    span_s = run.makespan_s
    rows = []
    for node in run.network.workers:
        records = [each for each in run.tasks if each.node == node.name]
        busy_s = sum(each.finish_s - each.execute_s for each in records)
        share = busy_s / (node.cores * span_s) if span_s else 0.0
        mapped = sum(
            where == node.name for task, where in run.schedule.mapping.items() if task[0] != "@"
        )
        rows.append(NodeFigures(node.name, mapped, len(records), busy_s, share))
    return rows


def link_figures(run: RunRecord) -> list[LinkFigures]:
    """Return a row for every link that was used, the busiest first."""
    used: dict[tuple[NodeId, NodeId], list[tuple[int, float]]] = {}
    for each in run.transfers:
        if each.source != each.target:
            pair = (each.source, each.target)
            used.setdefault(pair, []).append((each.size_bytes, each.arrive_s - each.send_s))
    span_s = run.makespan_s
    rows = []
    for (source, target), found in used.items():
        size = sum(size for size, _ in found)
        link = run.network.by_pair.get((source, target))
        could = link.bandwidth_bytes_per_s * span_s if link else 0.0
        busy = size / could if could else 0.0
        times = median(seconds for _, seconds in found)
        rows.append(LinkFigures(source, target, len(found), size, times, busy))
    return sorted(rows, key=lambda row: (-row.busy_fraction, -row.size_bytes, row.source))


def prediction_figures(run: RunRecord) -> list[PredictionFigures]:
    """Return predicted and measured makespan, period and latency; empty without prediction."""
    if run.prediction is None:
        return []
    return [
        PredictionFigures("makespan", run.prediction.makespan_s, run.makespan_s),
        PredictionFigures("period", run.prediction.period_s, run.period_s),
        PredictionFigures("latency p50", run.prediction.latency_s, latency_p50_s(run)),
    ]


def comparisons(main: RunRecord, others: Iterable[RunRecord]) -> list[Comparison]:
    """Return a row for each run, the main one first."""
    base_s = main.makespan_s
    return [
        Comparison(
            scheduler=run.schedule.scheduler,
            makespan_s=run.makespan_s,
            period_s=run.period_s,
            latency_s=latency_p50_s(run),
            ratio=run.makespan_s / base_s if base_s else 0.0,
            done=items_with(run, "done", "filtered"),
        )
        for run in (main, *others)
    ]
