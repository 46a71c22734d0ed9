"""What a run was: plain records that reports, traces and comparisons are made from.

All times are seconds after the run's first item was accepted, on one common clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from jupiter.model.app import Application
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.network import Network
from jupiter.model.profile import Profiles
from jupiter.model.schedule import Schedule


class TaskRecord(msgspec.Struct, frozen=True):
    """One execution of a task.

    Attributes:
        enter_s: First input of the item arrived at the task's node.
        execute_s: All inputs were there and a core was free.
        finish_s: The last output was written.
        attempt: 1 for the first.
        input_name: Name of the first input file.
        status: ``failed`` where this attempt ended without outputs.
        detail: Why it failed.
    """

    item: ItemId
    task: TaskId
    node: NodeId
    enter_s: float
    execute_s: float
    finish_s: float
    attempt: int = 1
    input_name: str = ""
    input_bytes: int = 0
    output_bytes: int = 0
    status: Literal["done", "failed"] = "done"
    detail: str = ""


class TransferRecord(msgspec.Struct, frozen=True):
    """One delivery from a task to another; also within a node.

    Attributes:
        send_s: The sender handed it over to the link.
        arrive_s: It was complete and checked at the receiver.
        file_names: Names of the parts.
    """

    item: ItemId
    source_task: TaskId
    target_task: TaskId
    source: NodeId
    target: NodeId
    size_bytes: int
    send_s: float
    arrive_s: float
    file_names: tuple[str, ...] = ()


class ItemRecord(msgspec.Struct, frozen=True):
    """The life of one item as its user sees it.

    Attributes:
        item: Id at the ingress.
        name: Of the input file.
        offered_s: The input was there.
        accepted_s: The stream took it (later than offered where back-pressure held it).
        done_s: All its results were there, or its failure was known; None where neither came.
        status: ``done``, ``failed`` or ``filtered`` (a task gave no output for it).
        detail: Why it failed or by which task it was filtered.
        results: Names of its result files.
    """

    item: ItemId
    name: str
    offered_s: float
    accepted_s: float
    done_s: float | None
    status: Literal["done", "failed", "filtered", "lost"]
    detail: str = ""
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a schedule was expected to give for a stream, before it ran.

    Attributes:
        makespan_s: First item accepted to last item done.
        period_s: Seconds an item in the steady state.
        latency_s: Median seconds from acceptance to result.
    """

    makespan_s: float
    period_s: float
    latency_s: float


@dataclass(frozen=True)
class RunRecord:
    """One stream through one schedule, with everything needed to report it.

    Attributes:
        run: Id of the run.
        started_at: Wall time of the first acceptance, seconds since 1970.
        is_simulated: It ran in virtual time only.
        notes: What went wrong and was dealt with, one sentence each.
    """

    run: str
    started_at: float
    app: Application
    network: Network
    schedule: Schedule
    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]
    prediction: Prediction | None = None
    is_simulated: bool = False
    notes: tuple[str, ...] = ()

    @property
    def done_s(self) -> tuple[float, ...]:
        """Completion times of the items that gave results, ascending."""
        return tuple(
            sorted(i.done_s for i in self.items if i.done_s is not None and i.status == "done")
        )

    @property
    def makespan_s(self) -> float:
        """Seconds from the first acceptance to the last result; 0 without results."""
        done = self.done_s
        return done[-1] - min(i.accepted_s for i in self.items) if done else 0.0

    @property
    def period_s(self) -> float:
        """Seconds an item in the steady state: the middle half of the completions.

        The first quarter fills the pipeline and the last one drains it, so neither counts. With
        fewer than 8 results it is the mean gap between the first and the last.
        """
        return steady_period_s(self.done_s)

    @property
    def latencies_s(self) -> tuple[float, ...]:
        """Seconds from acceptance to result of every finished item, ascending."""
        return tuple(
            sorted(
                i.done_s - i.accepted_s
                for i in self.items
                if i.done_s is not None and i.status == "done"
            )
        )


def steady_period_s(done_s: tuple[float, ...]) -> float:
    """Return seconds an item from ascending completion times, as `RunRecord.period_s` says."""
    if len(done_s) < 2:
        return 0.0
    low, high = 0, len(done_s) - 1
    if len(done_s) >= 8:
        low, high = len(done_s) // 4, (3 * len(done_s)) // 4
    return (done_s[high] - done_s[low]) / (high - low)


def core_lanes(tasks: Sequence[TaskRecord]) -> list[int]:
    """Return a core of its node for every execution: the lowest that is free at its start.

    Times are compared as whole microseconds, the resolution of traces.

    Args:
        tasks: In the order of their starts.
    """
    free_us: dict[NodeId, list[int]] = {}
    lanes = []
    for record in tasks:
        ends = free_us.setdefault(record.node, [])
        start, end = round(record.execute_s * 1e6), round(record.finish_s * 1e6)
        lane = next((k for k, busy_until in enumerate(ends) if busy_until <= start), len(ends))
        if lane == len(ends):
            ends.append(0)
        ends[lane] = end
        lanes.append(lane)
    return lanes


@dataclass(frozen=True)
class Report:
    """All that `jupiter run` shows: one main run and what it is compared with.

    Attributes:
        main: The run whose results were asked for.
        others: The same items through other schedules on the same network.
        profiles: The measurements that the schedules were made from.
        settings: Options of the command, for the record.
    """

    main: RunRecord
    profiles: Profiles
    others: tuple[RunRecord, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
