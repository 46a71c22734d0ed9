"""Real agents for benchmarks: started, asked, killed and started again, with the times of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil

from jupiter.agent.agent import AgentConfig
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.dial import connect
from jupiter.aio.tls import derive
from jupiter.engines.local import LocalEngine
from jupiter.errors import JupiterError, TransferError
from jupiter.interfaces.engine import AgentHandle
from jupiter.model import messages as msg
from jupiter.model.app import Application, ScriptRun, Task
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Link, Network, Node
from jupiter.model.schedule import Assignment, Schedule
from jupiter.model.status import NodeStatus, RunStatus
from jupiter.orchestrator.session import Session
from jupiter.settings import RunSettings

HOME = NodeId("home")
LOOK_S = 0.1
Durability = Literal["none", "ingress", "hop"]


class Engine(LocalEngine):
    """Notes when agents start, and does not close workers in: tasks note when they begin."""

    def __init__(self, root: Path, orphan_s: float = 60.0) -> None:
        super().__init__(root, RunSettings(orphan_s=orphan_s, isolation="none"))
        self.root = root
        self.begun_s: dict[str, float] = {}
        self.ready_s: dict[str, float] = {}
        self.ready_cpu_s: dict[str, float] = {}
        self._is_back: dict[str, asyncio.Event] = {}

    async def _start_one(self, config: AgentConfig) -> AgentHandle:
        self.begun_s[config.node] = time.monotonic()
        handle = await super()._start_one(config)
        self.ready_s[config.node] = time.monotonic()
        self.ready_cpu_s[config.node] = self.cpu_s(config.node)
        self._is_back.setdefault(config.node, asyncio.Event()).set()
        return handle

    def pid(self, node: str) -> int:
        return self._processes[NodeId(node)]._pid

    def kill(self, node: str) -> None:
        """Kill an agent, which is then started again."""
        self._is_back[node].clear()
        os.kill(self.pid(node), signal.SIGKILL)

    async def back(self, node: str) -> None:
        """Wait until an agent that was killed is ready again."""
        await self._is_back[node].wait()

    def cpu_s(self, node: str) -> float:
        """Return the processor time that an agent has used since it started."""
        times = self.process(node).cpu_times()
        return float(times.user + times.system)

    def process(self, node: str) -> psutil.Process:
        return psutil.Process(self.pid(node))

    def told(self, node: str) -> list[tuple[str, float]]:
        """Return the events in an agent's log, and when they were, on the clock of this process."""
        found = []
        offset_s = time.time() - time.monotonic()
        for line in (self.root / f"{node}.log").read_text(errors="replace").splitlines():
            with suppress(msgspec.MsgspecError):
                event = msgspec.json.decode(line)
                at_s = datetime.fromisoformat(event["at"]).timestamp() - offset_s
                found.append((event["event"], at_s))
        return found


class Eye:
    """Asks agents how they stand, over connections of its own."""

    def __init__(self, session: Session) -> None:
        self._token = derive(session.token, "token")
        self._session = session
        self._answers: dict[int, asyncio.Future[NodeStatus]] = {}
        self._number = 0

    async def look(self, node: str) -> NodeStatus:
        handle = self._session._controller.handle(NodeId(node))
        address = (handle.host, handle.port)
        channel = await connect(self, address, self._token, NodeId("eye"), "control")
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        try:
            channel.send(msg.Watch(self._number))
            status: NodeStatus = await asyncio.wait_for(answer, 60)
            return status
        finally:
            channel.close()

    async def until(self, node: str, so: Callable[[RunStatus], bool], limit_s: float) -> RunStatus:
        """Return how the only run stands when something is so.

        Raises:
            TimeoutError: It never was.
        """
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            try:
                runs = (await self.look(node)).runs
                if runs and so(runs[0]):
                    return runs[0]
            except (JupiterError, TimeoutError):
                pass
            await asyncio.sleep(LOOK_S)
        raise TimeoutError(f"node {node} was not as it should be after {limit_s} s")

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        if isinstance(message, msg.Watched):
            self._answers.pop(message.id).set_result(message.status)

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        raise TransferError("no bodies here")

    def on_closed(self, channel: Channel, reason: str) -> None:
        pass


def network_of(*workers: str) -> Network:
    names = [HOME, *map(NodeId, workers)]
    return Network(
        "bench",
        tuple(Node(each, "home" if each == HOME else "worker", cores=2) for each in names),
        tuple(Link(a, b) for a in names for b in names if a != b),
    )


def application(folder: Path, tasks: dict[str, tuple[str, tuple[str, ...]]]) -> Application:
    """Write scripts; return their application.

    Args:
        folder: New.
        tasks: Source and children by name; one without children is a sink.
    """
    (folder / "scripts").mkdir(parents=True)
    made = []
    for name, (source, children) in tasks.items():
        (folder / "scripts" / f"{name}.py").write_text(source)
        run = ScriptRun(f"scripts/{name}.py")
        made.append(Task(TaskId(name), run, tuple(map(TaskId, children)), is_sink=not children))
    return Application("bench", str(folder), tuple(made))


def pinned(**nodes: str) -> Schedule:
    found = [Assignment(TaskId(task), NodeId(node), 0.0, 0.0) for task, node in nodes.items()]
    return Schedule("pinned", tuple(found))


@asynccontextmanager
async def streaming(
    session: Session,
    schedule: Schedule,
    inputs: Sequence[tuple[Path, ...]],
    results: Path,
    on_facts: Callable[[NodeId, msg.Facts], None] = lambda node, facts: None,
) -> AsyncIterator[asyncio.Task[Any]]:
    """Stream in the background; what is not over at the end is given up."""
    results.mkdir()
    stream = session.stream(schedule, inputs, results, on_facts=on_facts)
    job = asyncio.ensure_future(stream)
    try:
        yield job
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


def settings(in_flight: int, durability: Durability) -> RunSettings:
    return RunSettings(in_flight_max=in_flight, durability=durability)
