"""Decides on one node what runs next, what follows from it and where that goes (CIRCE).

A `Dispatcher` is told events and answers with actions. It reads no clock, does no I/O and draws
nothing at random, so agents and the simulator drive the same object.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from jupiter.control.joins import Join
from jupiter.control.policy import PlacementPolicy
from jupiter.control.routing import Produced, Routed, Router
from jupiter.kit.backoff import delay_s
from jupiter.model.actions import (
    Action,
    DropInputs,
    DropOutputs,
    Later,
    Run,
    Send,
    SendEnd,
    SendHeld,
)
from jupiter.model.events import Arrived, Delivered, Due, EdgeEnded, Event, Failed, Finished
from jupiter.model.ids import SINK, ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, PartRef, TaskPlan


class _Execution:
    """One item at one task, from complete inputs to the end of its last attempt."""

    __slots__ = ("attempt", "enter_s", "inputs")

    def __init__(self, inputs: tuple[Delivery, ...], enter_s: float) -> None:
        self.inputs = inputs
        self.enter_s = enter_s
        self.attempt = 1


class _TaskState:
    """What a dispatcher knows of one of its tasks."""

    __slots__ = ("busy", "has_ended", "join", "plan", "router")

    def __init__(self, plan: TaskPlan) -> None:
        self.plan = plan
        self.join = Join(plan.parents)
        self.router = Router(plan)
        self.busy = 0
        self.has_ended = False


class Dispatcher:
    """The tasks of one node.

    Args:
        tasks: Plans of the tasks that may run here.
        cores: Executions of one core each that can run at once.
        policy: Where the children of these tasks run.
        home: Node of the ingress and the sink.
    """

    def __init__(
        self, tasks: Iterable[TaskPlan], cores: int, policy: PlacementPolicy, home: NodeId
    ) -> None:
        self._tasks = {plan.name: _TaskState(plan) for plan in tasks}
        self._free_cores = cores
        self._cores = cores
        self._policy = policy
        self._home = home
        self._executions: dict[tuple[TaskId, ItemId], _Execution] = {}
        # The oldest item goes first, then the task furthest downstream: what is nearly finished is
        # finished, so queues stay short and latency low. The counter makes the order total.
        self._ready: list[tuple[int, int, int, TaskId, ItemId]] = []
        self._counter = 0
        self._refs_open: dict[tuple[TaskId, ItemId], int] = {}

    @property
    def queued(self) -> int:
        """Executions that wait for a core."""
        return len(self._ready)

    @property
    def waiting(self) -> int:
        """Items that miss an input, over all tasks."""
        return sum(state.join.waiting for state in self._tasks.values())

    def has_seen(self, delivery: Delivery) -> bool:
        """Return whether a delivery came before, so that its files must not be stored again."""
        return self._tasks[delivery.target].join.has_seen(delivery)

    def is_busy(self, item: ItemId, task: TaskId, attempt: int) -> bool:
        """Return whether an attempt still counts."""
        execution = self._executions.get((task, item))
        return execution is not None and execution.attempt == attempt

    def step(self, event: Event, now: float) -> list[Action]:
        """Take in one event and return what is to be done.

        Args:
            event: Of the kinds handled here; others are a programming error.
            now: Seconds on the clock of this node.
        """
        match event:
            case Arrived(delivery):
                actions = self._arrived(delivery, now)
            case Finished(item, task, attempt):
                actions = self._finished(event) if self.is_busy(item, task, attempt) else []
            case Failed(item, task, attempt):
                actions = self._failed(event) if self.is_busy(item, task, attempt) else []
            case Due(item, task):
                actions = []
                self._queue(task, item)
            case Delivered(refs):
                actions = self._release(refs)
            case EdgeEnded(source, target, count):
                self._tasks[target].join.end(source, count)
                actions = self._check_end(self._tasks[target])
            case _:
                raise TypeError(f"a dispatcher takes no {type(event).__name__}")
        return actions + self._start()

    def _release(self, refs: tuple[PartRef, ...]) -> list[Action]:
        """Return which outputs can go now that their receivers have them."""
        actions: list[Action] = []
        for key in _executions_of(refs):
            self._refs_open[key] -= 1
            if not self._refs_open[key]:
                del self._refs_open[key]
                actions.append(DropOutputs(key[1], key[0]))
        return actions

    def _arrived(self, delivery: Delivery, now: float) -> list[Action]:
        state = self._tasks[delivery.target]
        complete = state.join.add(delivery, now)
        if complete is None:
            return self._check_end(state)
        inputs, enter_s = complete
        state.busy += 1
        bad = next((each for each in inputs if each.outcome != "done"), None)
        if bad is not None:
            produced = Produced(bad.scope, bad.seq, _origins(inputs), (), bad.outcome, bad.detail)
            return [
                DropInputs(bad.item, state.plan.name),
                *self._follow(state, produced),
            ]
        self._executions[state.plan.name, delivery.item] = _Execution(inputs, enter_s)
        self._queue(state.plan.name, delivery.item)
        return []

    def _queue(self, task: TaskId, item: ItemId) -> None:
        inputs = self._executions[task, item].inputs
        self._counter += 1
        rank = self._tasks[task].plan.rank
        heapq.heappush(self._ready, (inputs[0].origins[0], -rank, self._counter, task, item))

    def _start(self) -> list[Action]:
        actions: list[Action] = []
        while self._ready:
            task, item = self._ready[0][3:]
            cores = min(self._tasks[task].plan.cores, self._cores)
            if cores > self._free_cores:
                break
            heapq.heappop(self._ready)
            self._free_cores -= cores
            execution = self._executions[task, item]
            actions.append(Run(item, task, execution.attempt, execution.inputs, execution.enter_s))
        return actions

    def _free(self, task: TaskId) -> None:
        self._free_cores += min(self._tasks[task].plan.cores, self._cores)

    def _finished(self, event: Finished) -> list[Action]:
        self._free(event.task)
        state = self._tasks[event.task]
        execution = self._executions.pop((event.task, event.item))
        first = execution.inputs[0]
        refs = tuple(PartRef(event.item, event.task, part) for part in event.outputs)
        produced = Produced(first.scope, first.seq, _origins(execution.inputs), refs)
        actions = self._follow(state, produced)
        actions.append(DropInputs(event.item, event.task))
        if not refs:
            actions.append(DropOutputs(event.item, event.task))
        return actions

    def _failed(self, event: Failed) -> list[Action]:
        self._free(event.task)
        state = self._tasks[event.task]
        execution = self._executions[event.task, event.item]
        if not event.is_final and execution.attempt <= state.plan.retries:
            execution.attempt += 1
            return [Later(event.item, event.task, delay_s(execution.attempt - 1))]
        del self._executions[event.task, event.item]
        first = execution.inputs[0]
        tries = f"{execution.attempt} attempt{'s' if execution.attempt > 1 else ''}"
        detail = f"task {event.task} failed in {tries}: {event.reason}"
        produced = Produced(
            first.scope, first.seq, _origins(execution.inputs), (), "failed", detail
        )
        return [DropInputs(event.item, event.task), *self._follow(state, produced)]

    def _follow(self, state: _TaskState, produced: Produced) -> list[Action]:
        """Return the deliveries after the end of an execution, and the end of the task."""
        state.busy -= 1
        actions = self._send(state.router.route(produced), state)
        if state.router.held(produced):
            actions.append(SendHeld(produced.origins))
        return actions + self._check_end(state)

    def _send(self, routed: list[Routed], state: _TaskState) -> list[Action]:
        actions: list[Action] = []
        for each in routed:
            delivery = each.delivery
            for key in _executions_of(each.refs):
                self._refs_open[key] = self._refs_open.get(key, 0) + 1
            node = self._node_of(delivery.target, delivery.item)
            actions.append(Send(delivery, node, each.refs))
        return actions

    def _node_of(self, target: TaskId, item: ItemId) -> NodeId:
        return self._home if target == SINK else self._policy.node_for(target, item)

    def _check_end(self, state: _TaskState) -> list[Action]:
        """Return what follows where a task has seen its last input."""
        if state.has_ended or not state.join.is_closed or state.busy:
            return []
        actions: list[Action] = []
        name = state.plan.name
        for delivery, missing in state.join.give_up():
            detail = f"task {name} never got an input from {', '.join(missing)}"
            produced = Produced(
                delivery.scope, delivery.seq, delivery.origins, (), "failed", detail
            )
            actions.append(DropInputs(delivery.item, name))
            actions += self._send(state.router.route(produced), state)
        actions += self._send(state.router.end(), state)
        state.has_ended = True
        for child, count in state.router.sent.items():
            actions.append(SendEnd(name, child, self._node_of(child, ItemId("")), count))
        return actions


def _origins(inputs: tuple[Delivery, ...]) -> tuple[int, ...]:
    """Return the ingress items that any of the inputs came from, each once, in order."""
    if len(inputs) == 1 or all(each.origins == inputs[0].origins for each in inputs):
        return inputs[0].origins
    return tuple(dict.fromkeys(origin for each in inputs for origin in each.origins))


def _executions_of(refs: tuple[PartRef, ...]) -> list[tuple[TaskId, ItemId]]:
    """Return the executions that made these parts, each once."""
    return list(dict.fromkeys((ref.task, ref.item) for ref in refs))
