"""Planted bugs in dispatch: what runs, and what follows from it."""

from __future__ import annotations

from typing import Any

import msgspec

from campaign.planted.bug import Patch, planted
from jupiter.control import attempts, dispatch
from jupiter.control.executions import Execution, State
from jupiter.model import actions as act
from jupiter.model import records as rec


@planted("outputs leave before their election is written down")
def no_election() -> list[Patch]:
    real = attempts.Attempts._elect

    def elect(self: Any, execution: Execution, *rest: Any) -> Any:
        actions = real(self, execution, *rest)
        if execution.epoch != self._epoch:
            return actions
        sends = self._follow(execution) if not self._tasks[execution.task].plan.is_scatter else []
        return [*sends, *actions]

    return [(attempts.Attempts, "_elect", elect)]


@planted("elections are forgotten by a restart")
def election_forgotten() -> list[Patch]:
    real = dispatch.Dispatcher.restore

    def restore(self: Any, record: Any, now: float) -> None:
        if not isinstance(record, rec.Elected):
            real(self, record, now)

    return [(dispatch.Dispatcher, "restore", restore)]


@planted("what was elected is not sent again after a restart")
def nothing_sent_after_restart() -> list[Patch]:
    real = dispatch.Dispatcher.resume

    def resume(self: Any) -> Any:
        return [a for a in real(self) if not isinstance(a, act.Send)]

    return [(dispatch.Dispatcher, "resume", resume)]


@planted("attempts that a crash cut short are not begun again")
def cut_short_for_ever() -> list[Patch]:
    real = attempts.Attempts._queue

    def queue(self: Any, execution: Execution) -> None:
        if (
            not (
                self.is_restoring is False and execution.number and execution.state is State.PAUSED
            )
            or execution.failures
        ):
            real(self, execution)

    return [(attempts.Attempts, "_queue", queue)]


@planted("items in an incomplete batch count as in flight")
def held_not_told() -> list[Patch]:
    return [(dispatch.Dispatcher, "_hold", lambda self, state, produced: [])]


@planted("a delivery that comes twice runs twice")
def twice_is_twice() -> list[Patch]:
    real = dispatch.Dispatcher._arrived

    def arrived(self: Any, delivery: Any, now: float) -> Any:
        key = delivery.target, delivery.item
        old = self._executions.get(key)
        if old is not None and old.state is State.ENDED and not self.is_restoring:
            del self._executions[key]
        return real(self, delivery, now)

    def seen(self: Any, delivery: Any) -> bool:
        return False

    return [
        (dispatch.Dispatcher, "_arrived", arrived),
        (attempts.Attempts, "has_seen", seen),
        (attempts.Attempts, "wants", lambda self, delivery: True),
    ]


@planted("what an older epoch made is used, whatever it was made from")
def lineage_ignored() -> list[Patch]:
    real = dispatch.Dispatcher._arrived

    def arrived(self: Any, delivery: Any, now: float) -> Any:
        old = self._executions.get((delivery.target, delivery.item))
        if old is not None and old.epoch < delivery.epoch:
            old.inputs = tuple(
                msgspec.structs.replace(each, attempt=delivery.attempt)
                if each.source == delivery.source
                else each
                for each in old.inputs
            )
        return real(self, delivery, now)

    return [(dispatch.Dispatcher, "_arrived", arrived)]


@planted("inputs are not stored again where an older epoch had used some of them")
def inputs_not_stored() -> list[Patch]:
    real = attempts.Attempts.wants

    def wants(self: Any, delivery: Any) -> bool:
        execution = self._executions.get((delivery.target, delivery.item))
        attempts = execution.lineage if execution is not None and execution.is_decided else ()
        if delivery.attempt in attempts:
            return False
        return bool(real(self, delivery))

    return [(attempts.Attempts, "wants", wants)]


@planted("a failed attempt is the last")
def no_retry() -> list[Patch]:
    real = attempts.Attempts._failed

    def failed(self: Any, event: Any) -> Any:
        return real(self, msgspec.structs.replace(event, is_final=True))

    return [(attempts.Attempts, "_failed", failed)]


@planted("a task that always fails is tried for ever")
def endless_retry() -> list[Patch]:
    real = attempts.Attempts._failed

    def failed(self: Any, event: Any) -> Any:
        self._executions[event.task, event.item].failures = 0
        return real(self, event)

    return [(attempts.Attempts, "_failed", failed)]


@planted("an attempt that hangs is waited for")
def no_timeout() -> list[Patch]:
    real = attempts.Attempts._due

    def due(self: Any, timer: Any) -> Any:
        return real(self, timer) if timer.kind != "timeout" else []

    return [(attempts.Attempts, "_due", due)]


@planted("a killed attempt keeps its core")
def core_lost() -> list[Patch]:
    real = attempts.Attempts._due

    def due(self: Any, timer: Any) -> Any:
        free = self._free_cores
        actions = real(self, timer)
        if timer.kind == "timeout":
            self._free_cores = free
        return actions

    return [(attempts.Attempts, "_due", due)]


@planted("outputs that cannot be read are kept, and sent")
def damaged_outputs_kept() -> list[Patch]:
    return [(dispatch.Dispatcher, "lose", lambda self, task, item: [])]


@planted("an input that was lost after it was sent is executed without its files")
def lost_input_executed() -> list[Patch]:
    real = dispatch.Dispatcher._arrived

    def arrived(self: Any, delivery: Any, now: float) -> Any:
        old = self._executions.get((delivery.target, delivery.item))
        attempts = tuple(each.attempt for each in old.inputs) if old is not None else ()
        if old is not None and old.epoch < delivery.epoch and attempts == (delivery.attempt,):
            return self._adopt(old, (delivery,))
        return real(self, delivery, now)

    return [(dispatch.Dispatcher, "_arrived", arrived)]


@planted("an attempt that a full disk ended counts")
def full_disk_counted() -> list[Patch]:
    real = attempts.Attempts._failed

    def failed(self: Any, event: Any) -> Any:
        return real(self, msgspec.structs.replace(event, is_ours=False))

    return [(attempts.Attempts, "_failed", failed)]


@planted("a restart counts attempts that a full disk ended among those that killed the agent")
def full_disk_counted_later() -> list[Patch]:
    real = attempts.Attempts._run

    def run(self: Any, execution: Execution, *rest: Any) -> Any:
        execution.is_excused = False
        return real(self, execution, *rest)

    return [(attempts.Attempts, "_run", run)]


@planted("the beginning of an attempt, written late, undoes its end")
def late_beginning() -> list[Patch]:
    real = dispatch.Dispatcher.restore

    def restore(self: Any, record: Any, now: float) -> None:
        if isinstance(record, rec.Started):
            execution = self._executions.get((record.task, record.item))
            if execution is not None:
                execution.state = State.PAUSED
        real(self, record, now)

    return [(dispatch.Dispatcher, "restore", restore)]
