"""Computers and the directed links between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from jupiter.model.ids import NodeId

Role = Literal["worker", "home", "source"]
"""``worker`` runs tasks; ``home`` takes items in and gives results out; ``source`` only produces
data (the seeds' ``datasource``)."""


@dataclass(frozen=True, slots=True)
class Node:
    """A computer.

    Attributes:
        name: Unique, also when case is ignored.
        role: Only workers get tasks.
        cores: Executions that can run at once.
        speed: Relative to one core of the reference machine; twice as fast is 2.
        memory_bytes: What tasks may use together; None where unknown.
        host: Address or host name that an engine reaches it by; empty on this machine.
        user: Login name on the host; empty where none is needed.
        secret: Where the password or key is kept (``key:PATH``, ``secret:NAME``, …), never itself.
        region: Free text that only people read.
    """

    name: NodeId
    role: Role = "worker"
    cores: int = 1
    speed: float = 1.0
    memory_bytes: int | None = None
    host: str = ""
    user: str = ""
    secret: str = ""
    region: str = ""

    def __post_init__(self) -> None:
        if self.cores < 1:
            raise ValueError(f"node {self.name!r} needs at least one core")
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise ValueError(f"node {self.name!r} needs a positive speed")


@dataclass(frozen=True, slots=True)
class Link:
    """A directed connection.

    Attributes:
        bandwidth_bytes_per_s: Infinite where the link is not limited.
        latency_s: Time from the last byte sent to the last byte received.
    """

    source: NodeId
    target: NodeId
    bandwidth_bytes_per_s: float = math.inf
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise ValueError(f"link from {self.source!r} to itself")
        if not self.bandwidth_bytes_per_s > 0:
            raise ValueError(f"link {self.source} -> {self.target} needs a positive bandwidth")
        if not (math.isfinite(self.latency_s) and self.latency_s >= 0):
            raise ValueError(f"link {self.source} -> {self.target} needs a latency of 0 or more")

    def transfer_s(self, size_bytes: float) -> float:
        """Return the seconds that so many bytes need on an idle link."""
        return self.latency_s + size_bytes / self.bandwidth_bytes_per_s


@dataclass(frozen=True)
class TransportChoice:
    """What brings large parts over the links.

    Attributes:
        name: ``native``, the stream between agents; another transport; or the absolute path of a
            Python file with a function ``data_transfer``, on every node.
        options: Of the transport, by name; secrets are references such as ``file:/path``.
        bodies_max: Large parts that share a link at once.
    """

    name: str = "native"
    options: Mapping[str, str] = field(default_factory=dict)
    bodies_max: int = 4


@dataclass(frozen=True)
class Network:
    """All nodes and links. A pair without a link is unreachable in that direction.

    Attributes:
        name: For people.
        nodes: In written order; exactly one has the role ``home`` where streams are run.
        links: At most one for each ordered pair.
        transport: Of all links that are not emulated.
    """

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...] = ()
    transport: TransportChoice = field(default_factory=TransportChoice)

    def __post_init__(self) -> None:
        names = {node.name for node in self.nodes}
        if len(names) != len(self.nodes):
            raise ValueError("two nodes have the same name")
        if len(self.by_pair) != len(self.links):
            raise ValueError("two links join the same pair of nodes")
        for link in self.links:
            if link.source not in names or link.target not in names:
                raise ValueError(f"link {link.source} -> {link.target} names an unknown node")

    @cached_property
    def by_name(self) -> Mapping[NodeId, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def by_pair(self) -> Mapping[tuple[NodeId, NodeId], Link]:
        """The links by (source, target)."""
        return {(link.source, link.target): link for link in self.links}

    @cached_property
    def homes(self) -> tuple[Node, ...]:
        """The nodes that take items in."""
        return tuple(node for node in self.nodes if node.role == "home")

    @cached_property
    def workers(self) -> tuple[Node, ...]:
        """The nodes that may run tasks."""
        return tuple(node for node in self.nodes if node.role == "worker")
