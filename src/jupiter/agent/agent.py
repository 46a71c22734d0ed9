"""The process on a node: listens, keeps links to its peers, serves the runs that home orders."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec
import psutil

from jupiter.agent.link import Outgoing, PeerLink
from jupiter.agent.run import AgentRun, Discard
from jupiter.agent.workers import WorkerPool
from jupiter.aio.channel import BodySink, Channel, listen
from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.errors import JupiterError, TaskError, TransferError
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.profile import ResourceSample

PROBE_S_MAX = 60.0
"""A probe that is not acknowledged by then has failed."""


class AgentConfig(msgspec.Struct, frozen=True):
    """What an agent is told before anything else, on its standard input.

    Attributes:
        node: Its name.
        data_dir: Folder that is this agent's alone; made, and removed at the end.
        token: Secret of the run, hexadecimal.
        cores: Executions of one core each that can run at once.
        slowdown: Times that it is slower than this machine; 1 or more.
        host: Address to listen on.
    """

    node: NodeId
    data_dir: str
    token: str
    cores: int = 1
    slowdown: float = 1.0
    host: str = "127.0.0.1"


class Agent:
    """One node.

    Args:
        config: Who it is.
        on_orphaned: Called when home is gone.
    """

    def __init__(self, config: AgentConfig, on_orphaned: Callable[[], None]) -> None:
        self._config = config
        self._on_orphaned = on_orphaned
        self._token = bytes.fromhex(config.token)
        self._data = Path(config.data_dir)
        self._server: asyncio.Server | None = None
        self._home: Channel | None = None
        self._channels: set[Channel] = set()
        self._links: dict[NodeId, PeerLink] = {}
        self._runs: dict[str, AgentRun] = {}
        self._jobs: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; return the port."""
        self._data.mkdir(parents=True, mode=0o700, exist_ok=True)
        psutil.cpu_percent()  # the first reading is always 0; the next one is since this
        self._server = await listen(self._new_channel, self._config.host)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """End everything that this agent started, and remove its folder."""
        for job in list(self._jobs):
            job.cancel()
        for run in self._runs.values():
            run.stop()
        for link in self._links.values():
            await link.close()
        if self._server is not None:
            self._server.close()
        for channel in list(self._channels):
            channel.close()
        shutil.rmtree(self._data, ignore_errors=True)

    def _new_channel(self) -> Channel:
        channel = Channel(self, self._token, self._config.node)
        self._channels.add(channel)
        return channel

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take a delivery of a peer or an order of home."""
        match message:
            case msg.Deliver() | msg.EdgeEnd() | msg.HeldBack() | msg.Probe():
                self._from_peer(channel, message, body)
            case _ if channel.peer_role == "control":
                self._from_home(channel, message, body)
            case _:
                raise TransferError(f"node {channel.peer} may not say {type(message).__name__}")

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Return where a long body goes."""
        match message:
            case msg.Deliver(number=number, run=name):
                run = self._runs.get(name)
                got = self._acknowledger(channel, number)
                if run is None:
                    return Discard(lambda: got(monotonic_s()))
                return run.receive_long(message, size, channel.peer, got)
            case msg.Probe(number=number):
                got = self._acknowledger(channel, number)
                return Discard(lambda: got(monotonic_s()))
            case msg.PutFile() if channel.peer_role == "control":
                return _FileBody(
                    self._bundle_path(message), lambda: channel.send(msg.Done(message.id))
                )
            case _:
                raise TransferError(f"{type(message).__name__} has no long body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note a lost channel; without home there is nothing left to do."""
        self._channels.discard(channel)
        if channel is self._home:
            self._home = None
            self._on_orphaned()

    # -- peers ---------------------------------------------------------------------------------

    def _from_peer(
        self,
        channel: Channel,
        message: msg.Deliver | msg.EdgeEnd | msg.HeldBack | msg.Probe,
        body: bytes,
    ) -> None:
        got = self._acknowledger(channel, message.number)
        run = None if isinstance(message, msg.Probe) else self._runs.get(message.run)
        if run is None:  # a probe, or the rest of a run that was stopped
            got(monotonic_s())
            return
        match message:
            case msg.Deliver():
                run.receive(message, body, channel.peer, got)
                return
            case msg.EdgeEnd(source=source, target=target, count=count):
                run.tell(ev.EdgeEnded(source, target, count))
            case msg.HeldBack(origins=origins):
                run.tell(ev.Held(origins))
        got(monotonic_s())

    def _acknowledger(self, channel: Channel, number: int) -> Callable[[float], None]:
        return lambda at_s: channel.send(msg.Got(number, at_s))

    def post(
        self,
        node: NodeId,
        make: Callable[[int], msg.Deliver | msg.EdgeEnd | msg.HeldBack | msg.Probe],
        paths: Sequence[str] = (),
        size_bytes: int = 0,
        on_got: Callable[[float], None] = lambda at_s: None,
        data: bytes = b"",
    ) -> None:
        """Send a message to another node until it is acknowledged."""
        link = self._links.get(node)
        if link is None:
            self._broken(f"node {self._config.node} has no link to node {node}")
            return
        link.post(Outgoing(make(link.next_number()), paths, data, size_bytes, on_got))

    def _broken(self, reason: str) -> None:
        for run in self._runs.values():
            run.broken(reason)

    # -- home ----------------------------------------------------------------------------------

    def report(self, message: msg.Facts) -> None:
        """Tell home what happened."""
        if self._home is not None:
            self._home.send(message)

    def _from_home(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        self._home = channel
        match message:
            case msg.PutFile(id=order):
                sink = _FileBody(self._bundle_path(message), lambda: channel.send(msg.Done(order)))
                sink.write(body)
                sink.finish()
            case msg.SetPeers():
                self._answer(message.id, self._set_peers(message))
            case msg.Prepare():
                self._answer(message.id, self._prepare(message))
            case msg.ProbeLink():
                self._answer(message.id, self._probe(message))
            case msg.Offer(id=order, run=name, inputs=inputs):
                self._in_run(order, name, lambda run: run.offer(inputs))
            case msg.CloseInput(id=order, run=name):
                self._in_run(order, name, AgentRun.close_input)
            case msg.StopRun(id=order, run=name):
                stopped = self._runs.pop(name, None)
                if stopped is not None:
                    stopped.stop()
                channel.send(msg.Done(order))
            case msg.TakeSample(id=order):
                channel.send(msg.Sampled(order, self._sample()))
            case _:
                raise TransferError(f"{type(message).__name__} is no order")

    def _in_run(self, order: int, name: str, do: Callable[[AgentRun], None]) -> None:
        run = self._runs.get(name)
        if self._home is None:
            return
        if run is None:
            self._home.send(msg.Failure(order, f"run {name} is not prepared here"))
            return
        try:
            do(run)
        except JupiterError as error:
            self._home.send(msg.Failure(order, str(error)))
        else:
            self._home.send(msg.Done(order))

    def _answer(self, order: int, work: Coroutine[None, None, msg.Message | None]) -> None:
        """Do work that takes a while and answer when it is done."""

        async def job() -> None:
            try:
                answer = await work or msg.Done(order)
            except TaskError as error:
                answer = msg.Failure(order, str(error), error.detail)
            except (JupiterError, OSError, TimeoutError) as error:
                answer = msg.Failure(order, str(error))
            if self._home is not None:
                self._home.send(answer)

        task = asyncio.ensure_future(job())
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _set_peers(self, order: msg.SetPeers) -> None:
        for link in self._links.values():
            await link.close()
        self._links = {
            peer.node: PeerLink(peer, self._config.node, self._token, self._broken)
            for peer in order.peers
        }

    async def _prepare(self, order: msg.Prepare) -> None:
        if order.run in self._runs:
            raise TransferError(f"run {order.run} is prepared already")
        folder = self._data / "runs" / order.run
        pool = WorkerPool(
            order.code,
            self._data / "apps" / order.bundle,
            self._data / "logs" / order.run,
            self._config.slowdown,
        )
        try:
            await pool.start()
        except BaseException:
            pool.close()
            raise
        self._runs[order.run] = AgentRun(
            order,
            node=self._config.node,
            cores=self._config.cores,
            folder=folder,
            pool=pool,
            outbox=self,
        )

    async def _probe(self, order: msg.ProbeLink) -> msg.Probed:
        times = []
        loop = asyncio.get_running_loop()
        for size in order.sizes:
            data = os.urandom(size)
            arrival: asyncio.Future[float] = loop.create_future()
            sent_s = monotonic_s()
            self.post(
                order.target,
                partial(_make_probe, sent_s),
                size_bytes=size,
                on_got=arrival.set_result,
                data=data,
            )
            arrived_s = await asyncio.wait_for(arrival, PROBE_S_MAX)
            times.append((size, sent_s, arrived_s, monotonic_s()))
        return msg.Probed(order.id, tuple(times))

    def _sample(self) -> ResourceSample:
        memory = psutil.virtual_memory()
        return ResourceSample(
            node=self._config.node,
            time_s=wall_s(),
            cpu_fraction=psutil.cpu_percent() / 100,
            memory_fraction=memory.percent / 100,
            memory_bytes=memory.total,
            cores=psutil.cpu_count() or 1,
        )

    def _bundle_path(self, order: msg.PutFile) -> tuple[Path, bool]:
        """Return where a file of an application goes.

        Raises:
            TransferError: The path leaves the application's folder.
        """
        relative = PurePosixPath(order.path)
        unsafe = relative.is_absolute() or ".." in relative.parts or not relative.parts
        if unsafe or "/" in order.bundle or order.bundle in ("", ".", ".."):
            raise TransferError(f"application file {order.path!r} leaves its folder")
        path = self._data / "apps" / order.bundle / relative
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path, order.is_executable


def _make_probe(sent_s: float, number: int) -> msg.Probe:
    return msg.Probe(number, sent_s)


class _FileBody:
    """Writes one file of an application."""

    def __init__(self, target: tuple[Path, bool], on_finish: Callable[[], None]) -> None:
        self._path, self._is_executable = target
        self._partial = self._path.with_name(f".{self._path.name}.partial")
        self._file = self._partial.open("wb")
        self._on_finish = on_finish

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._file.write(data)

    def finish(self) -> None:
        """Give the file its name."""
        self._file.close()
        self._partial.chmod(0o700 if self._is_executable else 0o600)
        self._partial.replace(self._path)
        self._on_finish()

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)
