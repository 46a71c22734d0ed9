"""Decides on one node what runs next, what follows from it and what becomes of failures (CIRCE).

A `Dispatcher` is told events and answers with actions. It reads no clock, does no I/O and draws
nothing at random, so agents and the simulator drive the same object.

Attempts are elected here: within an epoch an item runs at a task on one node, the first attempt
that ends well is written down, and only then do its outputs leave the node. What an older epoch
left behind is used again where it came from the very same attempts, and thrown away where not.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from jupiter.control.executions import Execution, State, TaskState
from jupiter.control.routing import Produced, Routed
from jupiter.kit.backoff import delay_s
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import SINK, ItemId, NodeId, TaskId, is_batch
from jupiter.model.items import Attempt, Delivery, Outcome, Part, TaskPlan
from jupiter.model.view import Load
from jupiter.model.words import Hold

CRASHES_MAX = 16
"""Attempts of one item that this node may die of, beside the retries of its task."""

Key = tuple[TaskId, ItemId]


class Dispatcher:
    """The tasks of one node.

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
        self._by_origin: dict[int, dict[Key, None]] = {}

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

    # -- events --------------------------------------------------------------------------------

    def step(self, event: ev.Event, now: float) -> list[act.Action]:
        """Take in one event and return what is to be done.

        What can run is not among it: `start` says that, once all that is known was taken in.

        Args:
            event: Of the kinds handled here; others are a programming error.
            now: Seconds on the clock of this node.
        """
        match event:
            case ev.Arrived(delivery):
                actions = self._arrived(delivery, now)
            case ev.Finished(item, task, attempt, outputs):
                if not self.is_running(task, item, attempt):
                    return []
                self._free(task)
                actions = self._elect(self._executions[task, item], "done", outputs, "")
            case ev.Failed(item, task, attempt):
                if not self.is_running(task, item, attempt):
                    return []
                actions = self._failed(event)
            case ev.Kept(rec.Elected() as record):
                actions = self._elected(record)
            case ev.Due(timer):
                actions = self._due(timer)
            case ev.Began():
                actions = self._began(event)
            case ev.Settled(seqs):
                actions = self._settle(seqs)
            case ev.Ready(task):
                self._note_workers(task, is_ready=True)
                self._wake()
                actions = []
            case ev.Unready(task):
                self._note_workers(task, is_ready=False)
                actions = []
            case _:
                raise TypeError(f"a dispatcher takes no {type(event).__name__}")
        return actions

    def close(self, total: int) -> list[act.Action]:
        """Note how many items there will ever be."""
        self._total = total
        actions: list[act.Action] = []
        for state in self._batching:
            state.router.close(total)
            actions += _sends(state.router.finish())
        return actions

    # -- inputs --------------------------------------------------------------------------------

    def _arrived(self, delivery: Delivery, now: float) -> list[act.Action]:
        task, item = key = delivery.target, delivery.item
        state = self._tasks[task]
        old = self._executions.get(key)
        if old is not None and old.epoch >= delivery.epoch:
            return []
        by_origin = self._by_origin
        for origin in delivery.origins:
            keys = by_origin.get(origin)
            if keys is not None:
                keys[key] = None
            elif origin not in self._settled:
                by_origin[origin] = {key: None}
        missing = self._never(delivery)
        inputs: tuple[Delivery, ...] = (delivery,)
        enter_s = now
        if not missing:
            complete = state.join.add(delivery, now)
            if complete is None:
                return [act.Evict(each, task) for each in state.join.evict()]
            inputs, enter_s = complete
        bad = next((each for each in inputs if each.outcome != "done"), None)
        if old is not None:
            is_same = old.lineage == tuple([each.attempt for each in inputs])
            # An accepted input that was lost meanwhile comes without files: what was made of it
            # before can be used, but nothing can be made of it any more.
            if is_same and (old.is_decided or bad is None):
                return self._adopt(old, inputs)
            actions = self._discard(key, old)
            actions.append(act.DropInputs(item, task, old.epoch))
        else:
            actions = []
        execution = self._executions[key] = Execution(task, inputs, enter_s)
        if missing:
            detail = f"task {task} never got an input from {', '.join(missing)}"
            return actions + self._elect(execution, "failed", (), detail)
        if bad is not None:
            return actions + self._elect(execution, bad.outcome, (), bad.detail)
        self._queue(execution)
        return actions

    def _never(self, delivery: Delivery) -> tuple[TaskId, ...]:
        """Return the parents that will never make a delivery for this batch."""
        if not delivery.scope:
            return ()
        parents = self._tasks[delivery.target].plan.parents
        return tuple(
            parent
            for parent in parents
            if parent not in self._tasks or delivery.scope not in self._tasks[parent].plan.batchers
        )

    def _adopt(self, execution: Execution, inputs: tuple[Delivery, ...]) -> list[act.Action]:
        """Go on with what an older epoch began: its inputs are the very same."""
        execution.epoch = inputs[0].epoch
        execution.inputs = inputs
        if execution.state is State.QUEUED:
            self._queue(execution)
        elif execution.state is State.ENDED:
            drop = act.DropInputs(inputs[0].item, execution.task, execution.epoch)
            return [*self._follow(execution), drop]
        return []

    def _discard(self, key: Key, execution: Execution) -> list[act.Action]:
        """Forget an execution whose inputs were replaced or whose items have ended."""
        task, item = key
        del self._executions[key]
        actions: list[act.Action] = []
        if execution.state is State.RUNNING:
            self._free(task)
            actions.append(act.Kill(item, task, execution.attempt))
        elif execution.is_decided and execution.outcome == "done":
            actions.append(act.DropOutputs(item, task))
        return actions

    # -- attempts ------------------------------------------------------------------------------

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

    def lose(self, task: TaskId, item: ItemId) -> list[act.Action]:
        """Forget an execution whose files cannot be used; its inputs will come again."""
        self._tasks[task].join.drop(item)
        execution = self._executions.get((task, item))
        actions = self._discard((task, item), execution) if execution is not None else []
        return [*actions, act.DropInputs(item, task, self._epoch)]

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

    # -- election ------------------------------------------------------------------------------

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

    def _elected(self, record: rec.Elected) -> list[act.Action]:
        execution = self._executions.get((record.task, record.item))
        if execution is None or execution.attempt != record.attempt:
            return []
        execution.state = State.ENDED
        actions: list[act.Action] = []
        if execution.epoch == self._epoch:  # else its inputs come again, and it is adopted
            actions = self._follow(execution)
        actions.append(act.DropInputs(record.item, record.task, execution.epoch))
        if record.outcome == "done" and not record.outputs:
            actions.append(act.DropOutputs(record.item, record.task))
        return actions

    def _follow(self, execution: Execution) -> list[act.Action]:
        """Return the deliveries after the end of an execution."""
        if self.is_restoring:
            return []
        state = self._tasks[execution.task]
        produced = execution.produced
        actions = _sends(state.router.route(produced))
        if state.plan.is_scatter:
            actions += self._hold(state, produced) + _sends(state.router.finish())
        return actions

    def _hold(self, state: TaskState, produced: Produced) -> list[act.Action]:
        if not state.router.holds(produced):
            return []
        return [act.Say(self._home, Hold(self._epoch, produced.origins))]

    # -- epochs and ends -----------------------------------------------------------------------

    def _began(self, event: ev.Began) -> list[act.Action]:
        self._epoch = event.view.epoch
        self._ready.clear()
        self._asleep = []
        for state in self._tasks.values():
            state.router.begin(self._epoch, event.settled)
        actions: list[act.Action] = []
        if self._batching:
            for task, item in [key for key in self._executions if is_batch(key[1])]:
                actions += self._discard((task, item), self._executions[task, item])
            for keys in self._by_origin.values():
                for key in [key for key in keys if is_batch(key[1])]:
                    del keys[key]  # other items may be in the batch of this number from now on
            for state in self._tasks.values():
                state.join.drop_batches()
            actions.append(act.DropBatches())
        return actions + self.close(self._total) if self._total >= 0 else actions

    def _settle(self, seqs: tuple[int, ...]) -> list[act.Action]:
        actions: list[act.Action] = []
        for seq in seqs:
            self._settled.add(seq)
        for state in self._batching:
            actions += _sends(state.router.pass_over(seqs)) + _sends(state.router.finish())
        for seq in seqs:
            for key in self._by_origin.pop(seq, ()):
                execution = self._executions.get(key)
                task, item = key
                if execution is not None:
                    actions += self._discard(key, execution)
                self._tasks[task].join.drop(item)
                actions.append(act.DropInputs(item, task, self._epoch))
        return actions

    # -- after a restart -----------------------------------------------------------------------

    def restore(self, record: rec.Record, now: float) -> None:
        """Take in what this node wrote down before it died."""
        match record:
            case rec.Taken(delivery):
                self._arrived(delivery, now)
            case rec.Started(task, item, attempt):
                execution = self._executions.get((task, item))
                # It may be written behind its own end, where a full disk kept it waiting.
                if execution is not None and not execution.is_decided:
                    execution.state = State.PAUSED
                    execution.attempt, execution.number = attempt, attempt[1]
            case rec.Elected(task, item, attempt, lineage):
                execution = self._executions.get((task, item))
                if execution is not None and execution.lineage == lineage:
                    execution.attempt, execution.number = attempt, attempt[1]
                    execution.outputs, execution.outcome = record.outputs, record.outcome
                    execution.detail = record.detail
                    execution.state = State.ENDED

    def resume(self) -> list[act.Action]:
        """Return what is to be done after the last record was restored.

        What was elected is sent again, as nobody knows what of it arrived; attempts that were cut
        short begin anew.
        """
        actions: list[act.Action] = []
        for execution in list(self._executions.values()):
            item = execution.inputs[0].item
            if execution.state is State.ELECTING:
                actions += self._elect(execution, execution.outcome, (), execution.detail)
            elif execution.state is State.ENDED:
                actions.append(act.DropInputs(item, execution.task, execution.epoch))
                if execution.epoch == self._epoch:
                    actions += self._follow(execution)
            elif execution.number > self._tasks[execution.task].plan.retries + CRASHES_MAX:
                detail = f"task {execution.task} never ended in {execution.number} attempts"
                actions += self._elect(execution, "failed", (), detail)
            else:
                self._queue(execution)
        return actions


def _sends(routed: list[Routed]) -> list[act.Action]:
    return [act.Send(each.delivery, each.refs) for each in routed]
