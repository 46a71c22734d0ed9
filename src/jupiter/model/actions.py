"""Wishes of the state machines of `control`; agents and the simulator carry them out."""

from __future__ import annotations

import msgspec

from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, Outcome, PartRef


class Run(msgspec.Struct, frozen=True, tag=True):
    """Execute a task; answer with `Finished` or `Failed`.

    Attributes:
        attempt: 1 for the first.
        inputs: One delivery a parent, in the order of the parents.
        enter_s: When the first of them arrived.
    """

    item: ItemId
    task: TaskId
    attempt: int
    inputs: tuple[Delivery, ...]
    enter_s: float


class Send(msgspec.Struct, frozen=True, tag=True):
    """Bring a delivery to a node until it is acknowledged; answer with `Delivered`.

    Attributes:
        node: Where its target task is; may be this node.
        refs: Where the parts are on this node, one for each part.
    """

    delivery: Delivery
    node: NodeId
    refs: tuple[PartRef, ...]


class SendEnd(msgspec.Struct, frozen=True, tag=True):
    """Tell a child that an edge has ended."""

    source: TaskId
    target: TaskId
    node: NodeId
    count: int


class SendHeld(msgspec.Struct, frozen=True, tag=True):
    """Tell the ingress that items wait for a batch."""

    origins: tuple[int, ...]


class Later(msgspec.Struct, frozen=True, tag=True):
    """Answer with `Due` after a delay."""

    item: ItemId
    task: TaskId
    delay_s: float


class DropInputs(msgspec.Struct, frozen=True, tag=True):
    """The input files of an execution are no longer needed."""

    item: ItemId
    task: TaskId


class DropOutputs(msgspec.Struct, frozen=True, tag=True):
    """The output files of an execution are no longer needed."""

    item: ItemId
    task: TaskId


class KeepResult(msgspec.Struct, frozen=True, tag=True):
    """Put the parts of a delivery to ``@out`` where the user wants results.

    Attributes:
        names: What each part is called there; not always its own name, as two items may give
            results of the same name.
    """

    delivery: Delivery
    names: tuple[str, ...]


class Resolve(msgspec.Struct, frozen=True, tag=True):
    """The end of an item is known: tell the ingress and the user."""

    seq: int
    outcome: Outcome
    detail: str
    results: tuple[str, ...]


class Accept(msgspec.Struct, frozen=True, tag=True):
    """An offered input has become an item."""

    seq: int
    name: str
    offered_s: float


class Drained(msgspec.Struct, frozen=True, tag=True):
    """Every accepted item has ended and no more will come."""


Action = (
    Run
    | Send
    | SendEnd
    | SendHeld
    | Later
    | DropInputs
    | DropOutputs
    | KeepResult
    | Resolve
    | Accept
    | Drained
)
