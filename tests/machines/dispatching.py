"""A dispatcher of few tasks, what it is told, and what to look for in what it wants."""

from __future__ import annotations

from jupiter.control.dispatch import Dispatcher
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Outcome, Part, TaskPlan
from jupiter.model.view import Numbers, View

A, B, C, D = (TaskId(name) for name in "abcd")
HOME = NodeId("home")
PART = Part("x", 3)
FIRST = (1, 1)
SIMPLE = TaskPlan(A, (INGRESS,), (B,))
SCATTER = TaskPlan(A, (INGRESS,), (B, C), is_scatter=True, batchers=(A,))
JOIN = TaskPlan(D, (B, C), (SINK,))


def dispatcher(*plans: TaskPlan, cores: int = 1) -> Dispatcher:
    machine = Dispatcher(plans, cores, HOME)
    begin(machine, 1)
    for plan in plans:
        machine.step(ev.Ready(plan.name), 0.0)
    return machine


def begin(machine: Dispatcher, epoch: int) -> list[act.Action]:
    return machine.step(ev.Began(View(epoch, {}, {}), True, Numbers()), 0.0)


def delivery(
    seq: int,
    source: TaskId,
    target: TaskId,
    *,
    epoch: int = 1,
    attempt: Attempt = (0, 0),
    outcome: Outcome = "done",
    detail: str = "",
) -> Delivery:
    parts = (PART,) if outcome == "done" else ()
    return Delivery("", seq, (seq,), source, target, parts, outcome, detail, epoch, attempt)


def entry(seq: int, *, epoch: int = 1, attempt: Attempt = (0, 0)) -> Delivery:
    return delivery(seq, INGRESS, A, epoch=epoch, attempt=attempt)


def tell(machine: Dispatcher, event: ev.Event, now: float = 0.0) -> list[act.Action]:
    """Return what follows from an event, with what can run then."""
    return machine.step(event, now) + machine.start()


def arrive(machine: Dispatcher, *deliveries: Delivery, now: float = 0.0) -> list[act.Action]:
    return [action for each in deliveries for action in tell(machine, ev.Arrived(each), now)]


def ended(task: TaskId, seq: int, *outputs: Part, attempt: Attempt = FIRST) -> ev.Finished:
    return ev.Finished(item_id(seq), task, attempt, outputs)


def broken(reason: str = "boom", *, attempt: Attempt = FIRST, is_final: bool = False) -> ev.Failed:
    return ev.Failed(item_id(0), A, attempt, reason, is_final)


def keep(machine: Dispatcher, actions: list[act.Action]) -> list[act.Action]:
    """Answer all elections; return what follows from them."""
    return [
        follow
        for action in actions
        if isinstance(action, act.Persist) and isinstance(action.record, rec.Elected)
        for follow in tell(machine, ev.Kept(action.record))
    ]


def finish(
    machine: Dispatcher, task: TaskId, seq: int, *outputs: Part, attempt: Attempt = FIRST
) -> list[act.Action]:
    """End an attempt and write the election down; return all that follows."""
    actions = tell(machine, ended(task, seq, *outputs, attempt=attempt))
    return actions + keep(machine, actions)


def retry(machine: Dispatcher, attempt: Attempt) -> list[act.Action]:
    return tell(machine, ev.Due(ev.Timer("retry", A, item_id(0), attempt=attempt)))


def runs(actions: list[act.Action]) -> list[tuple[TaskId, ItemId]]:
    return [(action.task, action.item) for action in actions if isinstance(action, act.Run)]


def attempts(actions: list[act.Action]) -> list[Attempt]:
    return [action.attempt for action in actions if isinstance(action, act.Run)]


def sent(actions: list[act.Action]) -> list[Delivery]:
    return [action.delivery for action in actions if isinstance(action, act.Send)]


def names(delivery: Delivery) -> tuple[TaskId, list[str]]:
    return delivery.target, [part.name for part in delivery.parts]


def elected(actions: list[act.Action]) -> rec.Elected:
    (found,) = (
        action.record
        for action in actions
        if isinstance(action, act.Persist) and isinstance(action.record, rec.Elected)
    )
    return found
