"""Every node is a process of its own on this machine, with a folder of its own.

The network between them is emulated by the agents: they shape what they send to the bandwidth and
latency of the link, and slow their tasks down to the speed of their node.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from jupiter.agent.agent import AgentConfig
from jupiter.errors import AgentError
from jupiter.interfaces.engine import AgentHandle, Capabilities
from jupiter.model.ids import NodeId
from jupiter.model.network import Network, Node

START_S_MAX = 60.0
STOP_S_MAX = 5.0
"""An agent that has not ended by then is killed."""


class LocalEngine:
    """Agents as child processes, listening on loopback only."""

    name = "local"
    capabilities = Capabilities(shapes_links=True, scales_speed=True)

    def __init__(self) -> None:
        self._root: Path | None = None
        self._processes: dict[NodeId, asyncio.subprocess.Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def start(
        self, network: Network, token: str, on_exit: Callable[[NodeId, str], None]
    ) -> Mapping[NodeId, AgentHandle]:
        """Start one process for each node; see `interfaces.engine.Engine.start`."""
        self._root = Path(tempfile.mkdtemp(prefix="jupiter-"))
        fastest = max(1.0, *(node.speed for node in network.nodes))
        starting = [
            asyncio.ensure_future(self._start_one(node, token, fastest / node.speed))
            for node in network.nodes
        ]
        try:
            handles = await asyncio.gather(*starting)
        except BaseException:
            for each in starting:
                each.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
            await self.stop()
            raise
        for handle in handles:
            self._watchers.append(asyncio.ensure_future(self._watch(handle.node, on_exit)))
        return {handle.node: handle for handle in handles}

    async def stop(self) -> None:
        """End all processes and remove their folders."""
        self._is_stopping = True
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        await asyncio.gather(*map(_end, self._processes.values()))
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._processes.clear()
        self._watchers.clear()
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    async def _start_one(self, node: Node, token: str, slowdown: float) -> AgentHandle:
        assert self._root is not None  # noqa: S101 - for the type checker
        log = self._root / f"{node.name}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "jupiter.agent",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._processes[node.name] = process
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101 - for the type checker
        config = AgentConfig(
            node=node.name,
            data_dir=str(self._root / node.name),
            token=token,
            cores=node.cores,
            slowdown=slowdown,
        )
        try:
            process.stdin.write(msgspec.json.encode(config) + b"\n")
            line = await asyncio.wait_for(process.stdout.readline(), START_S_MAX)
        except (TimeoutError, ConnectionError):
            line = b""
        if not line:
            raise AgentError(f"the agent of node {node.name} did not start: {_end_of(log)}")
        port = int(msgspec.json.decode(line)["port"])
        return AgentHandle(node.name, "127.0.0.1", port, process.pid)

    async def _watch(self, node: NodeId, on_exit: Callable[[NodeId, str], None]) -> None:
        code = await self._processes[node].wait()
        if not self._is_stopping and self._root is not None:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            on_exit(node, f"its process ended with {how}. {_end_of(self._root / f'{node}.log')}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that was asked to end; insist where it does not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            await asyncio.wait_for(process.wait(), STOP_S_MAX)
            return
        except TimeoutError:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return
    await process.wait()


def _end_of(log: Path) -> str:
    """Return the last lines that an agent wrote to its error output."""
    try:
        return log.read_text(errors="replace")[-1500:].strip()
    except OSError:
        return ""
