"""Nodes of small streams, what they are told, and what to look for in what they want."""

from __future__ import annotations

from collections.abc import Iterable

from jupiter.control.config import Level, NodeConfig
from jupiter.control.node import Node
from jupiter.control.plan import with_batchers
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Part, TaskPlan
from jupiter.model.view import Numbers, View

A, B, C, D = (TaskId(name) for name in "abcd")
HOME, X, Y = (NodeId(name) for name in ("home", "x", "y"))
PART = Part("out", 1)
CHAIN = (TaskPlan(A, (INGRESS,), (B,), rank=0), TaskPlan(B, (A,), (SINK,), rank=1))
DIAMOND = (
    TaskPlan(A, (INGRESS,), (B, C), rank=0),
    TaskPlan(B, (A,), (D,), rank=1),
    TaskPlan(C, (A,), (D,), rank=2),
    TaskPlan(D, (B, C), (SINK,), rank=3),
)
SCATTER = with_batchers(
    (
        TaskPlan(A, (INGRESS,), (B, C), is_scatter=True, rank=0),
        TaskPlan(B, (A,), (SINK,), rank=1),
        TaskPlan(C, (A,), (SINK,), rank=2),
    )
)


def view(epoch: int = 1, **mapping: NodeId) -> View:
    nodes = {TaskId(task): node for task, node in mapping.items()} or {A: X, B: Y}
    return View(epoch, {HOME: 1, X: 1, Y: 1}, nodes)


def config(
    name: NodeId = X,
    plans: tuple[TaskPlan, ...] = CHAIN,
    first: View | None = None,
    level: Level = "hop",
) -> NodeConfig:
    seen = first or view()
    return NodeConfig(
        node=name, home=HOME, plans=plans, preferred=seen.mapping, view=seen, level=level
    )


def started(made: NodeConfig) -> Node:
    """Return a node that has taken up its first view."""
    machine = Node(made)
    keep(machine, machine.start(0.0))
    return machine


def keep(machine: Node, actions: list[act.Action]) -> list[act.Action]:
    """Write down what is to be written down, and all that follows; return what follows."""
    follow: list[act.Action] = []
    todo = list(actions)
    while todo:
        action = todo.pop(0)
        if isinstance(action, act.Persist):
            found = machine.step(ev.Kept(action.record), 0.0)
            follow += found
            todo += found
    return follow


def tell(machine: Node, event: ev.Event) -> list[act.Action]:
    """Return what follows from an event when all that is to be written down is."""
    actions = machine.step(event, 0.0)
    return actions + keep(machine, actions)


def entry(seq: int, epoch: int = 1) -> Delivery:
    return Delivery("", seq, (seq,), INGRESS, A, (PART,), epoch=epoch)


def deliver(seq: int = 0, number: int = 7, epoch: int = 1) -> ev.Received:
    return ev.Received(HOME, number, words.Deliver(entry(seq, epoch)))


def status(view: View, mark: int = 0, above: tuple[int, ...] = (), total: int = -1) -> ev.Received:
    return ev.Received(HOME, 0, words.Status(view, Numbers(mark, above), total))


def ended(task: TaskId = A, seq: int = 0, attempt: Attempt = (1, 1)) -> ev.Finished:
    return ev.Finished(item_id(seq), task, attempt, (PART,))


def records(actions: Iterable[act.Action]) -> list[rec.Record]:
    return [action.record for action in actions if isinstance(action, act.Persist)]


def said(actions: Iterable[act.Action], *kinds: type) -> list[tuple[NodeId, words.Word]]:
    return [
        (action.node, action.word)
        for action in actions
        if isinstance(action, act.Transmit) and isinstance(action.word, kinds)
    ]


def acked(actions: Iterable[act.Action]) -> list[int]:
    return [word.number for _, word in said(actions, words.Ack) if isinstance(word, words.Ack)]


def delivered(actions: Iterable[act.Action]) -> list[tuple[NodeId, TaskId, ItemId]]:
    return [
        (node, word.delivery.target, word.delivery.item)
        for node, word in said(actions, words.Deliver)
        if isinstance(word, words.Deliver)
    ]


def runs(actions: Iterable[act.Action]) -> list[tuple[TaskId, ItemId]]:
    return [(action.task, action.item) for action in actions if isinstance(action, act.Run)]


def offered(name: str = "f") -> ev.Offered:
    return ev.Offered(name, (Part(name, 1),))


def result(seq: int = 0, number: int = 3) -> ev.Received:
    delivery = Delivery("", seq, (seq,), B, SINK, (PART,), epoch=1, attempt=(1, 1))
    return ev.Received(Y, number, words.Deliver(delivery))
