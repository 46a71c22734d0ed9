"""Starts agents as the local engine does, but each in the network and on the disk of its node."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from campaign.real.lab import Lab
from jupiter.agent.agent import AgentConfig
from jupiter.aio.tls import Identity
from jupiter.engines.local import LocalEngine
from jupiter.errors import AgentError
from jupiter.interfaces.engine import AgentHandle, Capabilities
from jupiter.model.ids import NodeId
from jupiter.model.network import Node
from jupiter.settings import RunSettings

AGENT = ("-P", "-m", "jupiter.agent")
ORPHAN_S = 30.0
REBORN = frozenset({"run.restore", "run.restored", "run.resumed"})
"""Points that only an agent passes that is started again."""
GONE = "gone"
"""File beside a node's lock: its agent cannot be started any more."""


class LabEngine(LocalEngine):
    """Agents as child processes, in the namespaces of a lab.

    Args:
        lab: The nodes.
        logs: Folder for locks, and for what agents write to their error output.
        on_start: Told of every agent.
        on_end: Told of every agent that ended unasked.
        agent: Words for the interpreter that start an agent; another one than ours plants a bug.
        failpoints: By node, where its first agent is to die, or the first that can.
    """

    name = "lab"
    capabilities = Capabilities()

    def __init__(
        self,
        lab: Lab,
        logs: Path,
        on_start: Callable[[AgentHandle], None],
        on_end: Callable[[NodeId], None],
        agent: tuple[str, ...] = AGENT,
        failpoints: Mapping[NodeId, str] | None = None,
    ) -> None:
        super().__init__(logs, RunSettings(orphan_s=ORPHAN_S))
        self._lab = lab
        self._logs = logs
        self._on_start = on_start
        self._on_end = on_end
        self._agent = agent
        self._failpoints = dict(failpoints or {})
        self._reborn: set[NodeId] = set()

    async def stop(self) -> None:
        """End all agents; tell of those that were dead already."""
        children = {node: process._child for node, process in self._processes.items()}
        await super().stop()
        for node, child in children.items():
            if child is not None and child.returncode == -signal.SIGKILL:
                self._on_end(node)

    def _config(
        self,
        node: Node,
        *,
        token: str,
        slowdown: float,
        cache_bytes: int,
        identity: Identity | None,
    ) -> AgentConfig:
        config = super()._config(
            node, token=token, slowdown=slowdown, cache_bytes=cache_bytes, identity=identity
        )
        folder = self._lab.disk_of(node.name) / "agent"
        return replace(config, data_dir=str(folder), host=self._lab.address[node.name])

    def _command(self, config: AgentConfig) -> tuple[str, ...]:
        return (*self._lab.enter(config.node), sys.executable, *self._agent)

    async def _find_or_start(self, config: AgentConfig) -> AgentHandle:
        handle = await super()._find_or_start(config)
        self._on_start(handle)
        return handle

    async def _start_one(self, config: AgentConfig) -> AgentHandle:
        lock = lock_of(self._logs, config.node)
        await asyncio.to_thread(_pass, lock)
        if lock.with_suffix(f".{GONE}").exists():
            raise AgentError(f"node {config.node} is gone")
        point = self._failpoints.get(config.node, "")
        if config.node in self._reborn or point.partition(":")[0] not in REBORN:
            config = replace(config, failpoint=self._failpoints.pop(config.node, ""))
        self._reborn.add(config.node)
        try:
            handle = await super()._start_one(config)
        except AgentError:  # perhaps it died before it listened
            self._on_end(config.node)
            raise
        self._on_start(handle)
        return handle

    async def _end_of_process(self, node: NodeId) -> str:
        reason = await super()._end_of_process(node)
        self._on_end(node)
        return reason


def lock_of(logs: Path, node: str) -> Path:
    """Return the file whose lock keeps the agent of a node from being started."""
    return logs / f"{node}.lock"


def _pass(lock: Path) -> None:
    """Wait until nobody holds a lock."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
