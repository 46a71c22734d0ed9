"""Wishes of the state machines of `control`; agents and the simulator carry them out."""

from __future__ import annotations

import msgspec

from jupiter.model.events import Timer
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Attempt, Delivery, PartRef
from jupiter.model.records import Committed, Ending, Record
from jupiter.model.words import Word


class Transmit(msgspec.Struct, frozen=True):
    """Try to bring a word to a node; it may be lost, doubled or late.

    Attributes:
        number: 0 where no `Ack` is due.
        refs: Where the parts of a delivery are on this node.
    """

    node: NodeId
    number: int
    word: Word
    refs: tuple[PartRef, ...] = ()


class Hand(msgspec.Struct, frozen=True):
    """Give the parts of a delivery to a task on this node, before anything that follows."""

    delivery: Delivery
    refs: tuple[PartRef, ...]


class Persist(msgspec.Struct, frozen=True):
    """Write a record behind all others; answer with `Kept`.

    Attributes:
        is_synced: It must survive a power cut before the answer; else the death of the process.
    """

    record: Record
    is_synced: bool


class Run(msgspec.Struct, frozen=True):
    """Execute a task; answer with `Finished` or `Failed`.

    Attributes:
        inputs: One delivery a parent, in the order of the parents.
        enter_s: When the first of them arrived.
    """

    item: ItemId
    task: TaskId
    attempt: Attempt
    inputs: tuple[Delivery, ...]
    enter_s: float


class Kill(msgspec.Struct, frozen=True):
    """End an attempt that no longer counts, and drop what it wrote."""

    item: ItemId
    task: TaskId
    attempt: Attempt


class SetTimer(msgspec.Struct, frozen=True):
    """Answer with `Due` after a delay."""

    timer: Timer
    delay_s: float


class Start(msgspec.Struct, frozen=True):
    """Start the workers of a task; answer with `Ready` or `Unready`."""

    task: TaskId


class Stop(msgspec.Struct, frozen=True):
    """End the workers of a task."""

    task: TaskId


class DropInputs(msgspec.Struct, frozen=True):
    """The input files of an execution are no longer needed.

    Attributes:
        epoch: Those that came in it or before; later ones are kept.
    """

    item: ItemId
    task: TaskId
    epoch: int


class DropOutputs(msgspec.Struct, frozen=True):
    """The output files of an execution are no longer needed."""

    item: ItemId
    task: TaskId


class DropBatches(msgspec.Struct, frozen=True):
    """No batch comes again in a new epoch: no file of any of them is needed.

    Attributes:
        but: Except what is to be shown of these.
    """

    but: tuple[ItemId, ...] = ()


class Evict(msgspec.Struct, frozen=True):
    """Move what waits in a join from memory to disk."""

    item: ItemId
    task: TaskId


class Accept(msgspec.Struct, frozen=True):
    """An offered input has become an item, and stays one."""

    seq: int
    name: str
    offered_s: float


class Publish(msgspec.Struct, frozen=True):
    """Put results where the user wants them; doing it again changes nothing. Answer `Shown`."""

    commit: Committed


class Resolve(msgspec.Struct, frozen=True):
    """The end of an item is known: tell the user."""

    ending: Ending


class Drained(msgspec.Struct, frozen=True):
    """Every accepted item has ended and no more will come."""


# -- between the machines of one node ----------------------------------------------------------


class Say(msgspec.Struct, frozen=True):
    """Bring a numbered word to a node, which may be this one, until it is acknowledged."""

    node: NodeId
    word: Word


class Send(msgspec.Struct, frozen=True):
    """Bring a delivery to wherever its item will run, until it is acknowledged."""

    delivery: Delivery
    refs: tuple[PartRef, ...]


class Expect(msgspec.Struct, frozen=True):
    """Soon there will be a delivery of this item to this task: find out where it will run.

    Attributes:
        last: As in `words.Ask`.
    """

    item: ItemId
    task: TaskId
    last: int


class Park(msgspec.Struct, frozen=True):
    """Tell the ingress that complete items wait for others, to end after or with them."""

    origins: tuple[int, ...]


class Settle(msgspec.Struct, frozen=True):
    """Items have ended, for good."""

    seqs: tuple[int, ...]


Action = (
    Transmit
    | Hand
    | Persist
    | Run
    | Kill
    | SetTimer
    | Start
    | Stop
    | DropInputs
    | DropOutputs
    | DropBatches
    | Evict
    | Accept
    | Publish
    | Resolve
    | Drained
    | Say
    | Send
    | Expect
    | Settle
    | Park
)
