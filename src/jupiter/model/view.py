"""Who takes part in a stream and where its tasks are, as home decides it from time to time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from jupiter.model.ids import NodeId, TaskId


class View(msgspec.Struct, frozen=True, array_like=True):
    """One generation of the stream.

    Attributes:
        epoch: Rises by one with every view and is never used twice. Whatever belongs to an older
            one is fenced off.
        members: Nodes that take part, each with its incarnation: a number that changes when a node
            has forgotten what it knew.
        mapping: The node of every task: where it runs or, where a policy decides anew for each
            item, the node that asks the policy.
    """

    epoch: int
    members: Mapping[NodeId, int]
    mapping: Mapping[TaskId, NodeId]


class Load(msgspec.Struct, frozen=True, array_like=True):
    """How busy a node is.

    Attributes:
        queued: Executions that wait for a core.
        running: Executions under way.
        cores: Executions of one core that can run at once.
        failing: Tasks whose workers could not be started there.
    """

    queued: int = 0
    running: int = 0
    cores: int = 1
    failing: tuple[TaskId, ...] = ()


class Numbers(msgspec.Struct, frozen=True, array_like=True):
    """A set of sequence numbers: all below `mark`, and those in `above`."""

    mark: int = 0
    above: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return self.mark + len(self.above)
