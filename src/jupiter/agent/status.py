"""Counts what happens on a node, and says how it stands when somebody asks.

What happens often is counted in plain integers; all else is looked up when it is asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil
from msgspec import structs

from jupiter.aio.clock import monotonic_s
from jupiter.aio.log import line_of
from jupiter.control.node import Node
from jupiter.model import records as rec
from jupiter.model.ids import SINK, ItemId, NodeId, TaskId
from jupiter.model.items import Outcome
from jupiter.model.status import EntryStatus, LinkStatus, NodeStatus, RunStatus, TaskStatus

LAST_MAX = 64
"""Attempts that the median of a task's time is taken of."""
RATE_S = 5.0
"""Time over which the rate of items is taken."""
ENDS_MAX = 4096
FILES_MAX = 50_000
"""Files of a spool that are looked at; those beyond are not counted."""
LOOKING_MAX = 0.02
"""Part of the time that may go into looking at spools, however often somebody asks."""
REASON_MAX = 300


def _median(values: Iterable[float]) -> float:
    """Return the value in the middle, the upper of two; 0 where there is none."""
    found = sorted(values)
    return found[len(found) // 2] if found else 0.0


class TaskTally:
    """The attempts of one task on this node."""

    __slots__ = ("done", "failed", "last", "last_error", "seconds")

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.seconds = 0.0
        self.last: deque[float] = deque(maxlen=LAST_MAX)
        self.last_error = ("", "")


class Tally:
    """What is counted of one run, as long as this process works on it."""

    def __init__(self) -> None:
        self.tasks: dict[TaskId, TaskTally] = {}
        self.ended: dict[Outcome, int] = {"done": 0, "filtered": 0, "failed": 0}
        self._ends: deque[float] = deque(maxlen=ENDS_MAX)

    def attempt(self, task: TaskId, item: ItemId, seconds: float, error: str) -> None:
        """Count the end of an attempt."""
        tally = self.tasks.get(task)
        if tally is None:
            tally = self.tasks[task] = TaskTally()
        tally.seconds += seconds
        tally.last.append(seconds)
        if error:
            tally.failed += 1
            tally.last_error = (item, line_of(error)[:REASON_MAX])
        else:
            tally.done += 1

    def end(self, outcome: Outcome, now: float) -> None:
        """Count the end of an item."""
        self.ended[outcome] += 1
        self._ends.append(now)

    def per_s(self, now: float) -> float:
        """Return items that ended a second, lately."""
        recent = [end for end in self._ends if end > now - RATE_S]
        if len(recent) == ENDS_MAX:
            return ENDS_MAX / (now - recent[0])
        return len(recent) / RATE_S

    def restore(self, records: Iterable[rec.Record]) -> None:
        """Count the items that ended before this process started."""
        commits: dict[int, rec.Committed] = {}
        for record in records:
            if isinstance(record, rec.Committed):
                commits[record.number] = record
            elif isinstance(record, rec.Published) and record.number in commits:
                for ending in commits.pop(record.number).endings:
                    self.ended[ending.outcome] += 1


class Traffic:
    """What went over the link to one node, and came from it."""

    __slots__ = ("received", "received_bytes", "reconnects", "sent_bytes", "words")

    def __init__(self) -> None:
        self.words = 0
        self.sent_bytes = 0
        self.received = 0
        self.received_bytes = 0
        self.reconnects = 0

    def send(self, size_bytes: int) -> None:
        """Count a word and its body."""
        self.words += 1
        self.sent_bytes += size_bytes

    def receive(self, size_bytes: int) -> None:
        """Count a body that comes in."""
        self.received += 1
        self.received_bytes += size_bytes


def run_status(
    name: str,
    machines: Node,
    tally: Tally,
    now: float,
    *,
    workers: Mapping[TaskId, int],
    offered: int,
    inputs_waiting: int,
) -> RunStatus:
    """Return how a run stands on this node, but for its files."""
    view = machines.view
    counts = machines.dispatcher.counts()
    tasks = []
    for task in sorted({*counts, *tally.tasks} - {SINK}):
        waiting, queued, running = counts.get(task, (0, 0, 0))
        found = tally.tasks.get(task) or TaskTally()
        tasks.append(
            TaskStatus(
                task,
                is_here=view.mapping.get(task) == machines.node,
                waiting=waiting,
                queued=queued,
                running=running,
                done=found.done,
                failed=found.failed,
                seconds=found.seconds,
                p50_s=_median(found.last),
                workers=workers.get(task, 0),
                last_error=found.last_error,
            )
        )
    return RunStatus(
        name,
        epoch=view.epoch,
        members=tuple(view.members),
        is_member=machines.is_member,
        tasks=tuple(tasks),
        open=machines.size,
        entry=_entry_status(machines, tally, now, offered, inputs_waiting),
    )


def _entry_status(
    machines: Node, tally: Tally, now: float, offered: int, waiting: int
) -> EntryStatus | None:
    ingress = machines.ingress
    if ingress is None:
        return None
    return EntryStatus(
        offered=offered,
        waiting=waiting,
        in_flight=ingress.in_flight,
        accepted=ingress.count,
        ended=dict(tally.ended),
        per_s=tally.per_s(now),
        is_closed=ingress.total >= 0,
    )


def link_statuses(traffic: Mapping[NodeId, Traffic], nodes: Iterable[Node]) -> list[LinkStatus]:
    """Return how the links to all other nodes stand.

    Args:
        traffic: By node.
        nodes: The machines of all runs here.
    """
    queues: dict[NodeId, tuple[int, int]] = {}
    for machines in nodes:
        for node, (words, size) in machines.outbox.queues().items():
            before = queues.get(node, (0, 0))
            queues[node] = before[0] + words, before[1] + size
    links = []
    for node in sorted({*traffic, *queues}):
        seen = traffic.get(node) or Traffic()
        queued, queued_bytes = queues.get(node, (0, 0))
        links.append(
            LinkStatus(
                node,
                words=seen.words,
                sent_bytes=seen.sent_bytes,
                received=seen.received,
                received_bytes=seen.received_bytes,
                queued=queued,
                queued_bytes=queued_bytes,
                reconnects=seen.reconnects,
            )
        )
    return links


def size_of(folders: Iterable[str]) -> tuple[int, int]:
    """Return bytes and files under folders; a file with several names counts once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    left = list(folders)
    while left and len(seen) < FILES_MAX:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                        continue
                    found = entry.stat(follow_symlinks=False)
                    if (found.st_dev, found.st_ino) not in seen:
                        seen.add((found.st_dev, found.st_ino))
                        total += found.st_size
        except OSError:  # it was removed meanwhile
            continue
    return total, len(seen)


def process_figures(folder: Path) -> tuple[int, int, int]:
    """Return memory and open files of this process, and the bytes that a folder's disk has left."""
    me = psutil.Process()
    try:
        free = psutil.disk_usage(str(folder)).free
    except OSError:
        free = 0
    return me.memory_info().rss, me.num_fds(), free


class Watched(Protocol):
    """A run, as far as it is looked at."""

    name: str

    @property
    def machines(self) -> Node:
        """Return its state machines."""
        ...

    @property
    def spool_roots(self) -> tuple[str, ...]:
        """Return the folders of its files."""
        ...

    def status(self) -> RunStatus:
        """Return how it stands, but for its files."""
        ...


class Books:
    """All that is counted on a node.

    Args:
        node: Its name.
        cores: As for `NodeStatus`.
        data: Folder of the agent.
    """

    def __init__(self, node: NodeId, cores: int, data: Path) -> None:
        self._node = node
        self._cores = cores
        self._data = data
        self._start_s = monotonic_s()
        self._tallies: dict[str, Tally] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._look_s = 0.0
        self.traffic: defaultdict[NodeId, Traffic] = defaultdict(Traffic)
        """What is counted of the link to each node."""

    def tally_of(self, run: str) -> Tally:
        """Return what is counted of a run; the same as long as it is not closed."""
        return self._tallies.setdefault(run, Tally())

    def close(self, run: str) -> None:
        """Forget a run that has stopped."""
        self._tallies.pop(run, None)

    async def _look_at(self, runs: Sequence[Watched]) -> dict[str, tuple[int, int]]:
        """Return bytes and files of the spools by run; they may be a little old."""
        begin_s = monotonic_s()
        if begin_s >= self._look_s or any(run.name not in self._sizes for run in runs):
            roots = {run.name: run.spool_roots for run in runs}
            self._sizes = await asyncio.to_thread(
                lambda: {name: size_of(each) for name, each in roots.items()}
            )
            end_s = monotonic_s()
            self._look_s = end_s + (end_s - begin_s) / LOOKING_MAX
        return self._sizes

    async def status(self, runs: Iterable[Watched], *, life: int, has_home: bool) -> NodeStatus:
        """Return how the node stands; files are looked at in a thread."""
        here = list(runs)
        sizes = await self._look_at(here)
        rss, fds, free = process_figures(self._data)
        statuses = []
        for run in here:
            size, files = sizes.get(run.name, (0, 0))
            statuses.append(structs.replace(run.status(), spool_bytes=size, spool_files=files))
        now = monotonic_s()
        return NodeStatus(
            node=self._node,
            pid=os.getpid(),
            life=life,
            uptime_s=now - self._start_s,
            at_s=now,
            has_home=has_home,
            cores=self._cores,
            rss_bytes=rss,
            fds=fds,
            workers=sum(task.workers for each in statuses for task in each.tasks),
            free_bytes=free,
            links=tuple(link_statuses(self.traffic, [run.machines for run in here])),
            runs=tuple(statuses),
        )
