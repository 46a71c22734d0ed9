"""Every node is a process of its own on this machine, with a folder of its own.

The network between them is emulated by the agents: they shape what they send to the bandwidth and
latency of the link, and slow their tasks down to the speed of their node.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from jupiter.agent.agent import AgentConfig
from jupiter.agent.cells import Cells, find_trees
from jupiter.agent.identity import OWNER, is_locked, read_identity
from jupiter.aio.clock import monotonic_s
from jupiter.aio.log import last_words
from jupiter.aio.tls import Identity
from jupiter.errors import AgentError
from jupiter.interfaces.engine import AgentHandle, AgentWatcher, Capabilities
from jupiter.kit.backoff import delay_s
from jupiter.model.ids import NodeId
from jupiter.model.network import Network, Node
from jupiter.settings import RunSettings

START_S_MAX = 60.0
STOP_S_MAX = 5.0
"""An agent that has not ended by then is killed."""
RESTARTS_MAX = 5
"""An agent that ends so often in a row, each time within `SHORT_S`, is given up."""
SHORT_S = 10.0
CACHE_BYTES_MAX = 256 << 20
"""Of memory that a node may use for files that need not outlive the machine."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folders in it have unguessable names


class LocalEngine:
    """Agents as child processes, listening on loopback only.

    An agent that ends is started again on its own data. An agent that is found at work, because
    the command that started it was killed, is taken over.

    Args:
        root: Folder for the data of all agents, which stays when they end; a temporary one, which
            does not, where none is named.
        settings: What they say of agents. Those with temporary data do not outlive this process.
    """

    name = "local"
    capabilities = Capabilities(shapes_links=True, scales_speed=True, is_loopback=True)

    def __init__(self, root: Path | None = None, settings: RunSettings | None = None) -> None:
        self._settings = settings or RunSettings()
        self._is_temporary = root is None
        self._root = root.absolute() if root is not None else None
        self._processes: dict[NodeId, _Process] = {}
        self._caches: dict[NodeId, Path] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def start(
        self,
        network: Network,
        token: str,
        watcher: AgentWatcher,
        identities: Mapping[NodeId, Identity],
    ) -> Mapping[NodeId, AgentHandle]:
        """Start one process for each node; see `interfaces.engine.Engine.start`."""
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="jupiter-"))
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep_caches()
        cache_bytes = _cache_bytes(len(network.nodes))
        fastest = max(1.0, *(node.speed for node in network.nodes))
        configs = [
            self._config(
                node,
                token=token,
                slowdown=fastest / node.speed,
                cache_bytes=cache_bytes,
                identity=identities.get(node.name),
            )
            for node in network.nodes
        ]
        starting = [asyncio.ensure_future(self._find_or_start(each)) for each in configs]
        try:
            handles = await asyncio.gather(*starting)
        except BaseException:
            for each in starting:
                each.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
            await self.stop()
            raise
        for config in configs:
            self._watchers.append(asyncio.ensure_future(self._watch(config, watcher)))
        return {handle.node: handle for handle in handles}

    async def stop(self) -> None:
        """End all processes and remove what is temporary."""
        self._is_stopping = True
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await asyncio.gather(*(process.end() for process in self._processes.values()))
        for cache in self._caches.values():
            shutil.rmtree(cache, ignore_errors=True)
        Cells(find_trees()).sweep()  # of agents that were killed last
        self._processes.clear()
        self._watchers.clear()
        if self._root is not None and self._is_temporary:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def _config(
        self,
        node: Node,
        *,
        token: str,
        slowdown: float,
        cache_bytes: int,
        identity: Identity | None,
    ) -> AgentConfig:
        """Return what the agent of a node is told."""
        assert self._root is not None  # noqa: S101 - for the type checker
        return AgentConfig(
            node=node.name,
            data_dir=str(self._root / node.name),
            token=token,
            cores=node.cores,
            slowdown=slowdown,
            orphan_s=0.0 if self._is_temporary else self._settings.orphan_s,
            cache_dir=self._cache_of(node.name),
            cache_bytes=cache_bytes,
            identity=identity,
            isolation=self._settings.isolation,
            log_level=self._settings.log_level,
        )

    def _command(self, config: AgentConfig) -> tuple[str, ...]:
        """Return what starts an agent."""
        return (sys.executable, "-P", "-m", "jupiter.agent")

    def _cache_of(self, node: NodeId) -> str:
        """Return a folder in memory for a node; the same whenever it is asked again.

        Its name cannot be guessed, as tasks of other nodes run as the same user.
        """
        assert self._root is not None  # noqa: S101 - for the type checker
        if not _MEMORY.is_dir():
            return ""
        note = self._root / f"{node}.cache"
        if not note.exists():
            note.write_text(str(_MEMORY / f"jupiter-{secrets.token_hex(12)}"))
        cache = Path(note.read_text())
        if node not in self._caches:
            self._caches[node] = cache
        return str(cache)

    async def _find_or_start(self, config: AgentConfig) -> AgentHandle:
        found = _at_work(config)
        if found is not None:
            self._processes[config.node] = _Process(found.pid)
            return found
        return await self._start_one(config)

    async def _start_one(self, config: AgentConfig) -> AgentHandle:
        assert self._root is not None  # noqa: S101 - for the type checker
        log = self._root / f"{config.node}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *self._command(config),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._processes[config.node] = _Process(process.pid, process)
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101 - for the type checker
        try:
            process.stdin.write(msgspec.json.encode(config) + b"\n")
            async with asyncio.timeout(START_S_MAX):  # wait_for may swallow that this is cancelled
                line = await process.stdout.readline()
        except (TimeoutError, ConnectionError):
            line = b""
        if not line:
            raise AgentError(f"the agent of node {config.node} did not start: {_end_of(log)}")
        port = int(msgspec.json.decode(line)["port"])
        return AgentHandle(config.node, config.host, port, process.pid)

    async def _watch(self, config: AgentConfig, watcher: AgentWatcher) -> None:
        """Start an agent again whenever it ends."""
        short_lives = 0
        while True:
            start_s = monotonic_s()
            reason = await self._end_of_process(config.node)
            if self._is_stopping:
                return
            watcher.lost(config.node, reason)
            short_lives = short_lives + 1 if monotonic_s() - start_s < SHORT_S else 0
            handle: AgentHandle | None = None
            while handle is None:
                if short_lives > RESTARTS_MAX:
                    watcher.gone(config.node, reason)
                    return
                if short_lives > 1:
                    await asyncio.sleep(delay_s(short_lives - 1))
                try:
                    handle = await self._start_one(config)
                except AgentError as error:
                    reason, short_lives = str(error), short_lives + 1
            watcher.back(handle)

    async def _end_of_process(self, node: NodeId) -> str:
        """Wait until an agent ends; return how it did."""
        code = await self._processes[node].wait()
        assert self._root is not None  # noqa: S101 - for the type checker
        if code is None:
            how = "an unknown exit code"
        else:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"its process ended with {how}. {_end_of(self._root / f'{node}.log')}".strip()


def _sweep_caches() -> None:
    """Remove the folders in memory of agents that were killed, and whose data nobody has kept."""
    for owner in _MEMORY.glob(f"jupiter-*/{OWNER}"):
        with suppress(OSError):
            if owner.stat().st_uid == os.getuid() and not Path(owner.read_text()).exists():
                shutil.rmtree(owner.parent, ignore_errors=True)


def _cache_bytes(nodes: int) -> int:
    """Return what each node may use of the memory: all of them together an eighth."""
    if not _MEMORY.is_dir():
        return 0
    free = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    return min(CACHE_BYTES_MAX, free // 8 // nodes)


def _at_work(config: AgentConfig) -> AgentHandle | None:
    """Return the agent that works in a data folder already, if there is one."""
    folder = Path(config.data_dir)
    identity = read_identity(folder)
    if identity is None or not identity.port or not is_locked(folder):
        return None
    return AgentHandle(config.node, identity.host, identity.port, identity.pid)


class _Process:
    """An agent: a child of this process, or what an earlier command has left at work.

    Args:
        pid: Of the agent.
        child: None where it is no child of this process.
    """

    def __init__(self, pid: int, child: asyncio.subprocess.Process | None = None) -> None:
        self._pid = pid
        self._child = child

    async def wait(self) -> int | None:
        """Wait for its end; return its exit code where that can be known."""
        if self._child is not None:
            return await self._child.wait()
        try:
            fd = os.pidfd_open(self._pid)
        except ProcessLookupError:
            return None
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(fd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)
        return None

    async def end(self) -> None:
        """End it; insist where it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._child is None or self._child.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, number)
            try:
                async with asyncio.timeout(STOP_S_MAX):
                    await self.wait()
                return
            except TimeoutError:
                continue


def _end_of(log: Path) -> str:
    """Return the last errors that an agent told of."""
    try:
        return last_words(log.read_text(errors="replace")[-10_000:])[-1500:].strip()
    except OSError:
        return ""
