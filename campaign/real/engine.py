"""Starts agents as the local engine does, but each in the network and on the disk of its node."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from campaign.real.lab import Lab
from jupiter.agent.agent import AgentConfig
from jupiter.engines.local import START_S_MAX, LocalEngine
from jupiter.errors import AgentError
from jupiter.interfaces.engine import AgentHandle, Capabilities
from jupiter.model.ids import NodeId
from jupiter.model.network import Node

AGENT = ("-P", "-m", "jupiter.agent")


class LabEngine(LocalEngine):
    """Agents as child processes, in the namespaces of a lab.

    Args:
        lab: The nodes.
        logs: Folder for what agents write to their error output.
        on_start: Told of every process.
        agent: Words for the interpreter that start an agent; another one than ours plants a bug.
    """

    name = "lab"
    capabilities = Capabilities()

    def __init__(
        self,
        lab: Lab,
        logs: Path,
        on_start: Callable[[NodeId, int], None],
        agent: tuple[str, ...] = AGENT,
    ) -> None:
        super().__init__()
        self._lab = lab
        self._logs = logs
        self._on_start = on_start
        self._agent = agent

    async def stop(self) -> None:
        """End all agents and remove their folders."""
        await super().stop()
        for node in self._lab.nodes:
            shutil.rmtree(self._folder(node), ignore_errors=True)

    def _folder(self, node: str) -> Path:
        return self._lab.disk_of(node) / "agent"

    async def _start_one(self, node: Node, token: str, slowdown: float) -> AgentHandle:
        log = self._logs / f"{node.name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *self._lab.enter(node.name),
                sys.executable,
                *self._agent,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._processes[node.name] = process
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101 - for the type checker
        address = self._lab.address[node.name]
        config = AgentConfig(
            node=node.name,
            data_dir=str(self._folder(node.name)),
            token=token,
            cores=node.cores,
            slowdown=slowdown,
            host=address,
        )
        try:
            process.stdin.write(msgspec.json.encode(config) + b"\n")
            line = await asyncio.wait_for(process.stdout.readline(), START_S_MAX)
        except (TimeoutError, ConnectionError):
            line = b""
        if not line:
            raise AgentError(f"the agent of node {node.name} did not start: {log.read_text()}")
        self._on_start(node.name, process.pid)
        port = int(msgspec.json.decode(line)["port"])
        return AgentHandle(node.name, address, port, process.pid)
