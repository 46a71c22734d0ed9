"""What a node writes down before it acts on it; reading all of them again restores the node."""

from __future__ import annotations

import msgspec

from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Attempt, Delivery, Outcome, Part
from jupiter.model.view import Numbers, View


class Seen(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A view was taken up."""

    view: View


class Accepted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """An input became an item; its files are kept until it ends."""

    seq: int
    name: str
    parts: tuple[Part, ...]


class Closed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """No more inputs will come."""

    total: int


class Taken(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A delivery is here with all its parts."""

    delivery: Delivery


class Started(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """An attempt begins; without what follows it has failed."""

    task: TaskId
    item: ItemId
    attempt: Attempt


class Elected(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The attempt that counts for an item and task; there is no other.

    Attributes:
        lineage: The attempts that its inputs came from, in the order of the parents.
    """

    task: TaskId
    item: ItemId
    attempt: Attempt
    lineage: tuple[Attempt, ...]
    outputs: tuple[Part, ...]
    outcome: Outcome
    detail: str


class Assigned(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A policy chose a node; see `words.Ask`."""

    epoch: int
    task: TaskId
    item: ItemId
    node: NodeId
    last: int


class Ending(msgspec.Struct, frozen=True, array_like=True):
    """How an item ended.

    Attributes:
        results: Names of its result files.
    """

    seq: int
    outcome: Outcome
    detail: str
    results: tuple[str, ...]


class Committed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Items have ended; their results are to be made visible, all together.

    Attributes:
        number: Counts these records.
        results: Deliveries to ``@out`` and what each of their parts is called.
    """

    number: int
    endings: tuple[Ending, ...]
    results: tuple[tuple[Delivery, tuple[str, ...]], ...]


class Published(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The results of a `Committed` are visible."""

    number: int


class Lost(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Files of an execution cannot be used; whatever was written down of it counts no more."""

    item: ItemId
    task: TaskId
    reason: str


class Forgotten(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Everything about these items may be dropped."""

    settled: Numbers


Record = (
    Seen
    | Accepted
    | Closed
    | Taken
    | Started
    | Elected
    | Assigned
    | Committed
    | Published
    | Lost
    | Forgotten
)
