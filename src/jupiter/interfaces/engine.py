"""What an engine must provide: agents on nodes, found and stopped again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from jupiter.aio.tls import Identity
from jupiter.model.ids import NodeId
from jupiter.model.network import Network


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; the core asks this and never which engine it has.

    Attributes:
        shapes_links: Agents must delay and limit what they send as the network says, because the
            real connection between them is faster.
        scales_speed: Agents must be slowed down to their node's speed, because all of them run on
            the same machine.
        runs_containers: Tasks may be container images.
        is_loopback: No connection leaves this machine, so none needs TLS.
    """

    shapes_links: bool = False
    scales_speed: bool = False
    runs_containers: bool = False
    is_loopback: bool = False


@dataclass(frozen=True, slots=True)
class AgentHandle:
    """Where a running agent is found; may be written down and read back.

    Attributes:
        pid: Process id on its host; 0 where the engine has none.
    """

    node: NodeId
    host: str
    port: int
    pid: int = 0


class AgentWatcher(Protocol):
    """Whom an engine tells what becomes of its agents."""

    def lost(self, node: NodeId, reason: str) -> None:
        """Note that an agent has ended unasked; perhaps it comes back."""

    def back(self, handle: AgentHandle) -> None:
        """Note that an agent was started again, on the same data."""

    def gone(self, node: NodeId, reason: str) -> None:
        """Note that an agent has ended and will not come back."""


class Engine(Protocol):
    """Puts one agent on every node of a network."""

    @property
    def name(self) -> str:
        """Return the word that chooses this engine."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Return what it can do."""
        ...

    async def start(
        self,
        network: Network,
        token: str,
        watcher: AgentWatcher,
        identities: Mapping[NodeId, Identity],
    ) -> Mapping[NodeId, AgentHandle]:
        """Start an agent on every node; take over those that are there and know the token.

        Args:
            network: Its nodes.
            token: Secret that the agents and home prove to each other, hexadecimal.
            watcher: Told of agents that end before `stop`, and start again.
            identities: For TLS, by node; empty where connections are not encrypted. Keys are
                secret: they go through pipes, never into files or arguments.

        Raises:
            AgentError: One could not be started; none is left running.
        """
        ...

    async def stop(self) -> None:
        """End all agents and remove all that they left; may be called twice."""
        ...
