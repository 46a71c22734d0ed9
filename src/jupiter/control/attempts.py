"""Decides on one node which execution gets a core, and what becomes of its attempts.

Attempts are elected here: within an epoch an item runs at a task on one node, the first attempt
that ends well is written down, and only then do its outputs leave the node.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from jupiter.control.executions import Execution, State, TaskState
from jupiter.kit.backoff import delay_s
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import SINK, ItemId, NodeId, TaskId
from jupiter.model.items import Attempt, Delivery, Outcome, Part, TaskPlan
from jupiter.model.view import Load

Key = tuple[TaskId, ItemId]


class Attempts:
    """The executions of one node: those that wait, those that run, those that have ended.

    `Dispatcher` puts them in and says what follows from their ends.

    Args:
        plans: Of all tasks of the stream.
        cores: Executions of one core each that can run at once.
        home: Node of the ingress and the sink.
        memory_bytes_max: As for `Join`, for each task.
    """

    def __init__(
        self, plans: Iterable[TaskPlan], cores: int, home: NodeId, memory_bytes_max: int = 0
    ) -> None:
        self._tasks = {plan.name: TaskState(plan, memory_bytes_max) for plan in plans}
        self._batching = [state for state in self._tasks.values() if state.plan.is_scatter]
        self._cores = cores
        self._free_cores = cores
        self._home = home
        self._epoch = 0
        self.is_restoring = False
        """Records are read, and nothing follows from them."""
        self._total = -1
        self._executions: dict[Key, Execution] = {}
        # The oldest item goes first, then the task furthest downstream: what is nearly finished is
        # finished, so queues stay short and latency low. The counter makes the order total.
        self._ready: list[tuple[int, int, int, TaskId, ItemId]] = []
        self._counter = 0
        self._asleep: list[tuple[int, int, int, TaskId, ItemId]] = []
        self._with_workers = 0
        self._settled = SeqSet()
        self._by_origin: dict[int, list[Key]] = {}

    # -- what others want to know --------------------------------------------------------------

    @property
    def load(self) -> Load:
        """How busy this node is."""
        return Load(len(self._ready), self._cores - self._free_cores, self._cores)

    @property
    def queued(self) -> int:
        """Executions that wait for a core."""
        return len(self._ready)

    @property
    def can_start(self) -> bool:
        """Whether `start` could return anything."""
        return bool(self._ready) and self._free_cores > 0

    @property
    def free_cores(self) -> int:
        """Cores that nothing runs on."""
        return self._free_cores

    @property
    def memory_bytes(self) -> int:
        """What waits in memory, in the joins of one task at most."""
        return max((state.join.memory_bytes for state in self._tasks.values()), default=0)

    def elected(self) -> dict[Key, tuple[int, Attempt]]:
        """Return epoch and attempt of every election that is written down."""
        return {
            key: (execution.epoch, execution.attempt)
            for key, execution in self._executions.items()
            if execution.state is State.ENDED
        }

    def counts(self) -> dict[TaskId, tuple[int, int, int]]:
        """Return by task: items that miss an input, executions that wait, executions under way."""
        found = {task: [state.join.waiting, 0, 0] for task, state in self._tasks.items()}
        for execution in self._executions.values():
            if execution.state in (State.QUEUED, State.PAUSED):
                found[execution.task][1] += 1
            elif execution.state is State.RUNNING:
                found[execution.task][2] += 1
        return {
            task: (waiting, queued, running) for task, (waiting, queued, running) in found.items()
        }

    @property
    def size(self) -> int:
        """Entries in memory, of items that have not ended."""
        return len(self._executions) + len(self._by_origin) + self.waiting

    @property
    def waiting(self) -> int:
        """Items that miss an input, over all tasks."""
        return sum(state.join.waiting for state in self._tasks.values())

    def has_seen(self, delivery: Delivery) -> bool:
        """Return whether a delivery of the present epoch was taken in before."""
        execution = self._executions.get((delivery.target, delivery.item))
        if execution is not None and execution.epoch == delivery.epoch:
            return True
        return self._tasks[delivery.target].join.has(delivery)

    def wants(self, delivery: Delivery) -> bool:
        """Return whether the parts of a delivery of the present epoch are needed here."""
        if self.has_seen(delivery):
            return False
        execution = self._executions.get((delivery.target, delivery.item))
        if execution is None or not execution.is_decided:
            return True
        return execution.lineage != (delivery.attempt,)

    def keeps_inputs(self, task: TaskId, item: ItemId) -> bool:
        """Return whether the inputs of an execution are needed."""
        execution = self._executions.get((task, item))
        if execution is not None and execution.state is not State.ENDED:
            return True
        return task in self._tasks and self._tasks[task].join.is_open(item)

    def keeps_outputs(self, task: TaskId, item: ItemId) -> bool:
        """Return whether the outputs of an execution are needed."""
        execution = self._executions.get((task, item))
        return execution is not None and bool(execution.outputs)

    def is_running(self, task: TaskId, item: ItemId, attempt: Attempt) -> bool:
        """Return whether an attempt still counts."""
        execution = self._executions.get((task, item))
        return (
            execution is not None
            and execution.state is State.RUNNING
            and execution.attempt == attempt
        )

    # -- which is next -------------------------------------------------------------------------

    def _queue(self, execution: Execution) -> None:
        self._counter += 1
        execution.state = State.QUEUED
        if self.is_restoring:
            return  # `resume` queues what is left in the end
        first = execution.inputs[0]
        rank = self._tasks[execution.task].plan.rank
        heapq.heappush(
            self._ready, (first.origins[0], -rank, self._counter, execution.task, first.item)
        )

    def _note_workers(self, task: TaskId, *, is_ready: bool) -> None:
        state = self._tasks[task]
        self._with_workers += is_ready - state.is_ready
        state.is_ready = is_ready

    def _wake(self) -> None:
        for entry in self._asleep:
            heapq.heappush(self._ready, entry)
        self._asleep = []

    def start(self) -> list[act.Action]:
        """Return what is to be executed now, as far as there are cores."""
        actions: list[act.Action] = []
        while self._ready and self._with_workers:
            entry = self._ready[0]
            task, item = entry[3:]
            execution = self._executions.get((task, item))
            if (
                execution is None
                or execution.state is not State.QUEUED
                or execution.epoch != self._epoch
            ):
                heapq.heappop(self._ready)
                continue
            state = self._tasks[task]
            if not state.is_ready:
                heapq.heappop(self._ready)
                self._asleep.append(entry)
                continue
            cores = min(state.plan.cores, self._cores)
            if cores > self._free_cores:
                break
            heapq.heappop(self._ready)
            self._free_cores -= cores
            actions += self._run(execution, state.plan, item)
        return actions

    # -- one attempt ---------------------------------------------------------------------------

    def _run(self, execution: Execution, plan: TaskPlan, item: ItemId) -> list[act.Action]:
        execution.state = State.RUNNING
        execution.number += 1
        attempt = execution.attempt = (self._epoch, execution.number)
        task = execution.task
        actions: list[act.Action] = [
            act.Run(item, task, attempt, execution.inputs, execution.enter_s),
        ]
        if not execution.is_excused:  # else a restart would count it among those that kill
            actions.insert(0, act.Persist(rec.Started(task, item, attempt), is_synced=False))
        if plan.timeout_s:
            timer = ev.Timer("timeout", task, item, attempt=attempt)
            actions.append(act.SetTimer(timer, plan.timeout_s))
        if not plan.is_scatter:
            last = max(execution.inputs[0].origins)
            actions += [act.Expect(item, child, last) for child in plan.children if child != SINK]
        return actions

    def _free(self, task: TaskId) -> None:
        self._free_cores += min(self._tasks[task].plan.cores, self._cores)

    def _failed(self, event: ev.Failed) -> list[act.Action]:
        self._free(event.task)
        execution = self._executions[event.task, event.item]
        execution.is_excused = event.is_ours
        if event.is_ours:
            return self._pause(execution)
        execution.failures += 1
        if not event.is_final and execution.failures <= self._tasks[event.task].plan.retries:
            return self._pause(execution)
        tries = f"{execution.failures} attempt{'s' if execution.failures > 1 else ''}"
        detail = f"task {event.task} failed in {tries}: {event.reason}"
        return self._elect(execution, "failed", (), detail)

    def _pause(self, execution: Execution) -> list[act.Action]:
        execution.state = State.PAUSED
        item = execution.inputs[0].item
        timer = ev.Timer("retry", execution.task, item, attempt=execution.attempt)
        return [act.SetTimer(timer, delay_s(max(1, execution.failures)))]

    def _due(self, timer: ev.Timer) -> list[act.Action]:
        execution = self._executions.get((timer.task, timer.item))
        if execution is None or execution.attempt != timer.attempt:
            return []
        if timer.kind == "retry" and execution.state is State.PAUSED:
            self._queue(execution)
        elif timer.kind == "timeout" and execution.state is State.RUNNING:
            limit_s = self._tasks[timer.task].plan.timeout_s
            reason = f"the worker gave no end within the time limit of {limit_s:g} s"
            failed = ev.Failed(timer.item, timer.task, timer.attempt, reason)
            return [act.Kill(timer.item, timer.task, timer.attempt), *self._failed(failed)]
        return []

    def _elect(
        self, execution: Execution, outcome: Outcome, outputs: tuple[Part, ...], detail: str
    ) -> list[act.Action]:
        """Choose the attempt that counts; nothing follows before this is written down."""
        execution.state = State.ELECTING
        execution.outcome, execution.outputs, execution.detail = outcome, outputs, detail
        if not execution.number:
            execution.attempt = (execution.epoch, 0)
        record = rec.Elected(
            execution.task,
            execution.inputs[0].item,
            execution.attempt,
            execution.lineage,
            outputs,
            outcome,
            detail,
        )
        return [act.Persist(record, is_synced=True)]
