"""Facts that the state machines of `control` are told."""

from __future__ import annotations

from typing import Literal

import msgspec

from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Attempt, Delivery, Part
from jupiter.model.records import Record
from jupiter.model.view import Numbers, View
from jupiter.model.words import Word


class Timer(msgspec.Struct, frozen=True):
    """Names what a node waits for.

    Attributes:
        kind: ``retry`` and ``timeout`` of an attempt, ``resend`` to a node, ``choose`` of a place,
            ``restart`` of the workers of a task, ``again`` where more is to be sent again; ``beat``
            and ``lease`` come round.
    """

    kind: Literal["retry", "timeout", "resend", "choose", "restart", "again", "beat", "lease"]
    task: TaskId = TaskId("")
    item: ItemId = ItemId("")
    node: NodeId = NodeId("")
    attempt: Attempt = (0, 0)


class Received(msgspec.Struct, frozen=True):
    """A word came, with all its parts.

    Attributes:
        number: 0 where it is not numbered.
    """

    sender: NodeId
    number: int
    word: Word


class Connected(msgspec.Struct, frozen=True):
    """The way to a node works again; what was under way on it may be lost."""

    node: NodeId


class Gone(msgspec.Struct, frozen=True):
    """The process of a node is surely dead: its computer says that nobody listens there."""

    node: NodeId


class Damaged(msgspec.Struct, frozen=True):
    """Files of an execution on this node cannot be used: they are missing, or not as written.

    Attributes:
        task: Whose; ``@in`` for an accepted input, ``@out`` for results that are not decided yet.
        reason: What is wrong with them.
    """

    item: ItemId
    task: TaskId
    reason: str


class Due(msgspec.Struct, frozen=True):
    """The time of a `SetTimer` has come."""

    timer: Timer


class Kept(msgspec.Struct, frozen=True):
    """A record will survive a crash."""

    record: Record


class Finished(msgspec.Struct, frozen=True):
    """An attempt ended well; its outputs are on this node."""

    item: ItemId
    task: TaskId
    attempt: Attempt
    outputs: tuple[Part, ...]


class Failed(msgspec.Struct, frozen=True):
    """An attempt ended without outputs.

    Attributes:
        is_final: Another attempt cannot help, for example because the code cannot be loaded.
        is_ours: The node is to blame and not the task, as with a full disk: it does not count.
    """

    item: ItemId
    task: TaskId
    attempt: Attempt
    reason: str
    is_final: bool = False
    is_ours: bool = False


class Ready(msgspec.Struct, frozen=True):
    """The workers of a task have started."""

    task: TaskId


class Unready(msgspec.Struct, frozen=True):
    """The workers of a task could not be started."""

    task: TaskId
    reason: str


class Offered(msgspec.Struct, frozen=True):
    """An input lies ready at the ingress.

    Attributes:
        name: Of the input file, for people.
        parts: Its files.
    """

    name: str
    parts: tuple[Part, ...]


class InputClosed(msgspec.Struct, frozen=True):
    """No more inputs will be offered."""


class Shown(msgspec.Struct, frozen=True):
    """The results of a `Publish` are visible."""

    number: int


# -- between the machines of one node ----------------------------------------------------------


class Arrived(msgspec.Struct, frozen=True):
    """A delivery of the present epoch is complete on this node."""

    delivery: Delivery


class Began(msgspec.Struct, frozen=True):
    """A view was taken up.

    Attributes:
        is_member: This node takes part.
        settled: Items that had ended before.
    """

    view: View
    is_member: bool
    settled: Numbers


class Settled(msgspec.Struct, frozen=True):
    """Items have ended: nothing about them is needed any more."""

    seqs: tuple[int, ...]


class Held(msgspec.Struct, frozen=True):
    """Items wait in a batch that needs further items: they must not count as in flight."""

    origins: tuple[int, ...]


class Parked(msgspec.Struct, frozen=True):
    """Items are complete and wait for others, to end after or with them."""

    origins: tuple[int, ...]


Event = (
    Received
    | Connected
    | Gone
    | Damaged
    | Due
    | Kept
    | Finished
    | Failed
    | Ready
    | Unready
    | Offered
    | InputClosed
    | Shown
    | Arrived
    | Began
    | Settled
    | Held
    | Parked
)
