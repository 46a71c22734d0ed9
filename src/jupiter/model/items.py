"""Items and what travels for them between tasks."""

from __future__ import annotations

from typing import Literal

import msgspec

from jupiter.model.ids import ItemId, NodeId, TaskId, item_id

Outcome = Literal["done", "filtered", "failed"]
"""``filtered``: a task gave no output for the item, so nothing follows. ``failed``: a task gave up.
Both travel on to the sinks in place of parts, so that every item ends visibly."""


Attempt = tuple[int, int]
"""(epoch it started in, number): which run of a task for an item. An election names one of them."""


class Part(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        name: As its task wrote it; no folders.
        size_bytes: Length.
        digest: SHA-256 of its bytes, hexadecimal; empty where nobody has computed it.
    """

    name: str
    size_bytes: int
    digest: str = ""


class PartRef(msgspec.Struct, frozen=True):
    """A part, and the execution on this node that made it.

    Attributes:
        item: The item of that execution; a batch takes parts from several.
        task: The task that made it.
        part: Name and size.
    """

    item: ItemId
    task: TaskId
    part: Part


class Delivery(msgspec.Struct, frozen=True):
    """All that one task hands to one of its children for one item.

    Attributes:
        scope: Empty for items of the ingress, else the task that collected the batch.
        seq: Number at the ingress; of a batch, that of its first item.
        origins: Sequence numbers at the ingress of the items that it came from.
        source: The producing task, or ``@in``.
        target: The child, or ``@out``.
        parts: In the order in which the task returned them; empty unless `outcome` is ``done``.
        outcome: Whether there is anything to work on.
        detail: Why not.
        epoch: Of the view under which it was sent; receivers fence off older ones.
        attempt: The elected attempt of the source that made it; two deliveries of one attempt are
            the same bytes.
        item: The id of the item within the run; made from `seq` and `scope` where it is not given.
    """

    scope: str
    seq: int
    origins: tuple[int, ...]
    source: TaskId
    target: TaskId
    parts: tuple[Part, ...] = ()
    outcome: Outcome = "done"
    detail: str = ""
    epoch: int = 0
    attempt: Attempt = (0, 0)
    item: ItemId = ItemId("")

    def __post_init__(self) -> None:
        if not self.item:
            msgspec.structs.force_setattr(self, "item", item_id(self.seq, self.scope))

    @property
    def size_bytes(self) -> int:
        """Bytes of all parts."""
        return sum([part.size_bytes for part in self.parts])


class TaskPlan(msgspec.Struct, frozen=True):
    """What a dispatcher needs to know of a task; the code is the worker's business.

    Attributes:
        name: Of the task.
        parents: Producers that one execution needs a delivery from, in the order of its inputs.
        children: In the order in which a scattering task serves them; ``@out`` where it is a sink.
        is_scatter: Route; see `model.app.Route`.
        rank: Place in topological order; upstream tasks have smaller ones.
        cores: That one execution occupies.
        retries: Attempts after the first.
        timeout_s: An attempt that runs longer is killed and has failed; 0 is no limit.
        nodes: Where it may run; empty is everywhere.
        batchers: The scattering tasks upstream, itself included: whose batches can come out of it.
    """

    name: TaskId
    parents: tuple[TaskId, ...]
    children: tuple[TaskId, ...]
    is_scatter: bool = False
    rank: int = 0
    cores: int = 1
    retries: int = 2
    timeout_s: float = 0.0
    nodes: tuple[NodeId, ...] = ()
    batchers: tuple[TaskId, ...] = ()
