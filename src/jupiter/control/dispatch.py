"""Decides on one node what is executed and what follows from it (CIRCE).

A `Dispatcher` is told events and answers with actions. It reads no clock, does no I/O and draws
nothing at random, so agents and the simulator drive the same object.

What an older epoch left behind is used again where it came from the very same attempts, and thrown
away where not.
"""

from __future__ import annotations

from jupiter.control.attempts import Attempts, Key
from jupiter.control.executions import Execution, State, TaskState
from jupiter.control.routing import Produced, Routed
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import ItemId, TaskId, is_batch
from jupiter.model.items import Delivery
from jupiter.model.words import Hold

CRASHES_MAX = 16
"""Attempts of one item that this node may die of, beside the retries of its task."""


class Dispatcher(Attempts):
    """The tasks of one node; see `Attempts` for what it is made with."""

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
                if key not in keys:
                    keys.append(key)
            elif origin not in self._settled:
                by_origin[origin] = [key]
        missing = self._never(delivery) if delivery.scope else ()
        inputs: tuple[Delivery, ...] = (delivery,)
        enter_s = now
        if not missing:
            complete = state.join.add(delivery, now)
            if complete is None:
                return [act.Evict(each, task) for each in state.join.evict()]
            inputs, enter_s = complete
        bad = _not_done(inputs)
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
        execution = self._executions[key] = Execution(task, inputs, enter_s, delivery.epoch)
        if missing:
            detail = f"task {task} never got an input from {', '.join(missing)}"
            return actions + self._elect(execution, "failed", (), detail)
        if bad is not None:
            return actions + self._elect(execution, bad.outcome, (), bad.detail)
        self._queue(execution)
        return actions

    def _never(self, delivery: Delivery) -> tuple[TaskId, ...]:
        """Return the parents that will never make a delivery for this batch."""
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

    def lose(self, task: TaskId, item: ItemId) -> list[act.Action]:
        """Forget an execution whose files cannot be used; its inputs will come again."""
        self._tasks[task].join.drop(item)
        execution = self._executions.get((task, item))
        actions = self._discard((task, item), execution) if execution is not None else []
        return [*actions, act.DropInputs(item, task, self._epoch)]

    # -- what follows --------------------------------------------------------------------------

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
                # Other items may be in the batch of this number from now on.
                keys[:] = [key for key in keys if not is_batch(key[1])]
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
        if isinstance(record, rec.Taken):  # first: there may be very many
            self._arrived(record.delivery, now)
            return
        match record:
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
            if execution.state is State.QUEUED and not execution.number:  # as most are
                self._queue(execution)
                continue
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


def _not_done(inputs: tuple[Delivery, ...]) -> Delivery | None:
    for each in inputs:
        if each.outcome != "done":
            return each
    return None


def _sends(routed: list[Routed]) -> list[act.Action]:
    return [act.Send(each.delivery, each.refs) for each in routed]
