"""What the state machines of different nodes say to each other.

Numbered words are kept by the sender until their `Ack`, so they come at least once, in any order;
all of them may come twice. The others are said again and again and only the newest counts.
"""

from __future__ import annotations

import msgspec

from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Delivery
from jupiter.model.view import Load, Numbers, View


class Deliver(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Numbered: a delivery; its parts travel with it."""

    delivery: Delivery

    @property
    def epoch(self) -> int:
        """Of the delivery."""
        return self.delivery.epoch


class Ask(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Numbered, to the node of a task: where will this item run? `Placed` acknowledges it.

    Attributes:
        last: The greatest ingress number among the items that it came from.
    """

    epoch: int
    task: TaskId
    item: ItemId
    last: int


class Placed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Answer to `Ask`.

    Attributes:
        number: Of the question; `last` is in it.
    """

    number: int
    epoch: int
    task: TaskId
    item: ItemId
    node: NodeId
    last: int


class Query(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A policy wants to know how busy a node is right now, before it places an item."""

    task: TaskId
    item: ItemId


class Quote(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Answer to `Query`."""

    task: TaskId
    item: ItemId
    load: Load


class Hold(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Numbered, to home: items wait in a batch that needs further items."""

    epoch: int
    origins: tuple[int, ...]


class Ack(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A numbered word is here and will not be forgotten.

    Attributes:
        credit: Numbered words that may be under way to this node at once.
        at_s: When it was complete, on the clock of this node.
    """

    number: int
    credit: int
    at_s: float = 0.0


class Beat(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A node is alive.

    Attributes:
        incarnation: See `View.members`.
        epoch: Of the view that it knows.
        settled: How many items it knows to have ended.
        total: As in `Status`, as far as it knows.
    """

    incarnation: int
    epoch: int
    settled: int
    total: int
    load: Load


class Status(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What home knows.

    Attributes:
        settled: Items that have ended.
        total: Items there will ever be; -1 while that is open.
    """

    view: View
    settled: Numbers
    total: int


Word = Deliver | Ask | Placed | Query | Quote | Hold | Ack | Beat | Status
