"""Facts that the state machines of `control` are told."""

from __future__ import annotations

import msgspec

from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Delivery, Outcome, Part, PartRef


class Arrived(msgspec.Struct, frozen=True, tag=True):
    """A delivery is complete on this node."""

    delivery: Delivery


class EdgeEnded(msgspec.Struct, frozen=True, tag=True):
    """No more deliveries than `count` will ever come along an edge."""

    source: TaskId
    target: TaskId
    count: int


class Finished(msgspec.Struct, frozen=True, tag=True):
    """An attempt ended well; its outputs are on this node."""

    item: ItemId
    task: TaskId
    attempt: int
    outputs: tuple[Part, ...]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An attempt ended without outputs.

    Attributes:
        is_final: Another attempt cannot help, for example because the code cannot be loaded.
    """

    item: ItemId
    task: TaskId
    attempt: int
    reason: str
    is_final: bool = False


class Due(msgspec.Struct, frozen=True, tag=True):
    """The time of a `Later` has come."""

    item: ItemId
    task: TaskId


class Delivered(msgspec.Struct, frozen=True, tag=True):
    """The receiver has a delivery that this node sent.

    Attributes:
        refs: As in `actions.Send`.
    """

    refs: tuple[PartRef, ...]


class Offered(msgspec.Struct, frozen=True, tag=True):
    """An input lies ready at the ingress.

    Attributes:
        name: Of the input file, for people.
        parts: Its files.
    """

    name: str
    parts: tuple[Part, ...]


class InputClosed(msgspec.Struct, frozen=True, tag=True):
    """No more inputs will be offered."""


class Held(msgspec.Struct, frozen=True, tag=True):
    """Items wait in a batch that needs further items: they must not count as in flight."""

    origins: tuple[int, ...]


class Resolved(msgspec.Struct, frozen=True, tag=True):
    """All sinks know the end of an item."""

    seq: int
    outcome: Outcome
    detail: str
    results: tuple[str, ...]


Event = (
    Arrived
    | EdgeEnded
    | Finished
    | Failed
    | Due
    | Delivered
    | Offered
    | InputClosed
    | Held
    | Resolved
)
