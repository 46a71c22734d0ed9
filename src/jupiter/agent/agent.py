"""The process on a node: listens, keeps links to its peers, serves the runs that home orders."""

from __future__ import annotations

import asyncio
import os
import shutil
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
import psutil

from jupiter.agent import metrics
from jupiter.agent.cells import Cells, find_trees
from jupiter.agent.environments import Environments
from jupiter.agent.identity import OWNER, Home
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.owner import Owner
from jupiter.agent.peers import Peers
from jupiter.agent.receiving import Discard, OneFile
from jupiter.agent.run import AgentRun
from jupiter.agent.runs import Runs
from jupiter.agent.status import Books
from jupiter.agent.workers import House
from jupiter.aio import failpoints, scrape
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.aio.dial import listen
from jupiter.aio.failpoints import hit
from jupiter.aio.log import Level, configure, get_log
from jupiter.aio.tls import Identity, Tls
from jupiter.errors import JupiterError, TaskError, TransferError
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.profile import ResourceSample
from jupiter.model.status import NodeStatus

START_S_MAX = 60.0
"""How long a new agent waits for home for the first time."""


class AgentConfig(msgspec.Struct, frozen=True):
    """What an agent is told before anything else, on its standard input.

    Attributes:
        node: Its name.
        data_dir: Folder that is this agent's alone; made where it does not exist.
        token: Secret of the run, hexadecimal.
        cores: Executions of one core each that can run at once.
        slowdown: Times that it is slower than this machine; 1 or more.
        host: Address to listen on.
        orphan_s: How long it goes on without home; then it ends, and what it has written down
            stays for another time.
        cache_dir: Folder in memory for files that need not outlive this machine; empty is none.
        cache_bytes: That may be used of it.
        failpoint: Where to die, in tests; see `aio.failpoints`.
        isolation: Of tasks. ``best``: as far as this platform has it, ``full``: or not at all;
            ``none``: only limits.
        identity: For TLS, which every address beyond loopback needs.
        log_level: Least level of what it says on its error output.
    """

    node: NodeId
    data_dir: str
    token: str
    cores: int = 1
    slowdown: float = 1.0
    host: str = "127.0.0.1"
    orphan_s: float = 0.0
    cache_dir: str = ""
    cache_bytes: int = 0
    failpoint: str = ""
    isolation: Literal["none", "best", "full"] = "best"
    identity: Identity | None = None
    log_level: Level = "info"


class Agent:
    """One node.

    Args:
        config: Who it is.
        on_orphaned: Called when home was away for too long.

    Raises:
        AgentError: Another agent works in the folder.
        OSError: The folder cannot be used.
    """

    def __init__(self, config: AgentConfig, on_orphaned: Callable[[], None]) -> None:
        failpoints.arm(config.failpoint)
        configure(config.log_level, node=config.node)
        self._log = get_log()
        self._config = config
        self._disk = Home(Path(config.data_dir))
        if config.cache_dir:
            cache = Path(config.cache_dir)
            cache.mkdir(exist_ok=True, mode=0o700)
            (cache / OWNER).write_text(str(Path(config.data_dir).absolute()))
        self._orphaning: asyncio.TimerHandle | None = None
        self._on_orphaned = on_orphaned
        self._token = bytes.fromhex(config.token)
        self._tls = Tls(config.identity) if config.identity is not None else None
        self._data = Path(config.data_dir).absolute()
        self._books = Books(config.node, config.cores, self._data)
        owner = Owner(self.on_message, self._connected, self._broken, self._damaged, self._gone)
        self._peers = Peers(
            config.node, self._token, self._tls, self._data, self._books.traffic, owner
        )
        self._server: asyncio.Server | None = None
        self._scraped: asyncio.Server | None = None
        self._home: Channel | None = None
        self._channels: set[Channel] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        environments = Environments(self._data / "venvs")
        self._house = House(
            # The agent has no children but workers, and those that build environments.
            Cells(find_trees(), lambda: not environments.is_building),
            environments,
            level=0 if config.isolation == "none" else 1,
            is_demanded=config.isolation == "full",
            slowdown=config.slowdown,
            cache_bytes=config.cache_bytes,
        )
        self._runs = Runs(
            config.node,
            config.cores,
            self._disk,
            cache=Path(config.cache_dir) if config.cache_dir else None,
            cache_bytes=config.cache_bytes,
            house=self._house,
            books=self._books,
            agency=self,
        )

    async def start(self) -> int:
        """Listen, and go on with what an earlier process did here; return the port."""
        self._house.cells.sweep()
        psutil.cpu_percent()  # the first reading is always 0; the next one is since this
        identity = self._disk.identity
        try:
            self._server = await listen(
                self._new_channel, self._config.host, identity.port, self._tls
            )
        except OSError:  # somebody else has the port now
            self._server = await listen(self._new_channel, self._config.host, tls=self._tls)
        port: int = self._server.sockets[0].getsockname()[1]
        identity.host, identity.port = self._config.host, port
        identity.metrics_port = await self._serve_metrics()
        self._disk.save()
        self._log.info("agent.started", port=port, life=identity.life)
        self._peers.restore()
        self._runs.restore()
        self._wait_for_home(max(START_S_MAX, self._config.orphan_s))
        return port

    async def stop(self) -> None:
        """End everything that this agent started; what is written down stays."""
        for job in list(self._jobs):
            job.cancel()
        for run in self._runs:
            run.stop()
        await self._house.cells.emptied()
        await self._peers.close()
        for server in (self._server, self._scraped):
            if server is not None:
                server.close()
        for channel in list(self._channels):
            channel.close()
        if self._config.cache_dir:
            shutil.rmtree(self._config.cache_dir, ignore_errors=True)
        if not self._runs:
            shutil.rmtree(self._data, ignore_errors=True)
        self._disk.close()
        self._log.info("agent.stopped", runs=list(self._runs.names))

    def renew(self) -> int:
        """Return another incarnation of this node, as it may have lost what it wrote down."""
        self._disk.renew()
        return self._disk.identity.incarnation

    def die(self, reason: str) -> None:
        """End this process at once: what is on the disk is what counts from now on."""
        self._log.error("agent.died", reason=reason)
        os._exit(os.EX_IOERR)

    def wait_for_home(self) -> None:
        """End some time after home has gone, unless it comes back."""
        if self._home is None:
            self._wait_for_home(self._config.orphan_s)

    def _wait_for_home(self, patience_s: float) -> None:
        if self._orphaning is not None:
            self._orphaning.cancel()
        loop = asyncio.get_running_loop()
        self._orphaning = loop.call_later(patience_s, self._on_orphaned)

    def _new_channel(self) -> Channel:
        channel = Channel(self, self._token, self._config.node)
        self._channels.add(channel)
        return channel

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take a word of a peer or an order of home."""
        match message:
            case msg.Say():
                self._said(channel, message, body)
            case msg.Again(run=name):
                run = self._runs.get(name)
                if run is not None:
                    run.tell(ev.Connected(channel.peer))
            case msg.Probe(number=number):
                channel.send(msg.Got(number, monotonic_s()))
            case msg.Got() | msg.Spoilt() | msg.There():
                self._peers.hear(channel.peer, message)
            case msg.Where(run=name, number=number):
                run = self._runs.get(name)
                if run is not None:
                    folder = run.intake.arrivals.open(channel.peer, number)
                    channel.send(msg.There(name, number, folder))
            case _ if channel.peer_role == "control":
                self._from_home(channel, message, body)
            case _:
                raise TransferError(f"node {channel.peer} may not say {type(message).__name__}")

    def _said(self, channel: Channel, message: msg.Say, body: bytes) -> None:
        if channel.peer_role == "peer":
            self._peers.called(channel)
        if body:
            self._books.traffic[channel.peer].receive(len(body))
        run = self._runs.get(message.run)
        if run is not None:  # else it was stopped, or is not prepared yet
            try:
                run.intake.receive(message, body, channel.peer)
            except OSError as error:
                run.broken(f"node {self._config.node}: {error}")

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Return where a long body goes."""
        match message:
            case msg.Say(run=name):
                run = self._runs.get(name)
                self._books.traffic[channel.peer].receive(size)
                if run is None:
                    return Discard(lambda: None, size)
                return run.intake.receive_long(message, size, channel.peer)
            case msg.Probe(number=number):
                return Discard(lambda: channel.send(msg.Got(number, monotonic_s())))
            case msg.PutFile() if channel.peer_role == "control":
                return self._bundle_file(channel, message)
            case _:
                raise TransferError(f"{type(message).__name__} has no long body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note a lost channel; without home there is nothing left to do."""
        self._channels.discard(channel)
        self._peers.hung_up(channel)
        if channel is self._home:
            self._home = None
            self.wait_for_home()

    # -- peers ---------------------------------------------------------------------------------

    def post(self, node: NodeId, out: Outgoing) -> None:
        """Send a message to another node, as far as the way to it works."""
        self._peers.post(node, out)

    def _damaged(self, name: str, number: int, _reason: str) -> None:
        run = self._runs.get(name)
        if run is not None:
            run.damaged(number)

    def _gone(self, node: NodeId) -> None:
        for run in self._runs:
            run.tell(ev.Gone(node))

    def _connected(self, node: NodeId) -> None:
        self._books.traffic[node].reconnects += 1
        self._log.info("link.connected", peer=node)
        for run in self._runs:
            run.tell(ev.Connected(node))

    def _broken(self, reason: str) -> None:
        for run in self._runs:
            run.broken(reason)

    # -- home ----------------------------------------------------------------------------------

    def report(self, message: msg.Facts) -> None:
        """Tell home what happened."""
        if self._home is not None:
            self._home.send(message)

    def _from_home(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        match message:
            case msg.Attach(id=order):
                self._attach(channel, order)
            case msg.FactsTaken() | msg.Offer() | msg.CloseInput() | msg.Recall() | msg.StopRun():
                self._of_run(channel, message)
            case msg.PutFile():
                file = self._bundle_file(channel, message)
                file.write(memoryview(body))
                file.done()
            case msg.SetPeers():
                self._answer(channel, message.id, self._peers.set(message))
            case msg.Prepare():
                self._answer(channel, message.id, self._runs.prepare(message))
            case msg.ProbeLink():
                self._answer(channel, message.id, self._peers.probe(message))
            case msg.TakeSample(id=order):
                channel.send(msg.Sampled(order, self._sample()))
            case msg.Watch():
                self._answer(channel, message.id, self._watch(message))
            case _:
                raise TransferError(f"{type(message).__name__} is no order")

    def _of_run(
        self,
        channel: Channel,
        message: msg.FactsTaken | msg.Offer | msg.CloseInput | msg.Recall | msg.StopRun,
    ) -> None:
        match message:
            case msg.FactsTaken(run=name, number=number):
                run = self._runs.get(name)
                if run is not None:
                    run.facts.taken(number)
            case msg.Offer(id=order, run=name, first=first, inputs=inputs):
                self._in_run(
                    channel, order, name, lambda run: msg.Took(order, run.offer(first, inputs))
                )
            case msg.CloseInput(id=order, run=name):
                self._in_run(channel, order, name, AgentRun.close_input)
            case msg.Recall(id=order, run=name):
                self._in_run(channel, order, name, AgentRun.recall)
            case msg.StopRun(id=order, run=name):
                self._runs.stop(name)
                channel.send(msg.Done(order))

    def _attach(self, channel: Channel, order: int) -> None:
        """Take the caller for home, and tell it what the one before may not have heard."""
        self._home = channel
        if self._orphaning is not None:
            self._orphaning.cancel()
            self._orphaning = None
        channel.send(msg.Attached(order, self._disk.identity.incarnation, self._runs.names))
        for run in self._runs:
            run.facts.again()

    def _in_run(
        self, channel: Channel, order: int, name: str, do: Callable[[AgentRun], msg.Message | None]
    ) -> None:
        run = self._runs.get(name)
        if run is None:
            channel.send(msg.Failure(order, f"run {name} is not prepared here"))
            return
        try:
            answer = do(run)
        except JupiterError as error:
            answer = msg.Failure(order, str(error))
        channel.send(answer or msg.Done(order))

    def _answer(
        self, channel: Channel, order: int, work: Coroutine[None, None, msg.Message | None]
    ) -> None:
        """Do work that takes a while and answer when it is done."""

        async def job() -> None:
            try:
                answer = await work or msg.Done(order)
            except TaskError as error:
                answer = msg.Failure(order, str(error), error.detail)
            except (JupiterError, OSError, TimeoutError) as error:
                answer = msg.Failure(order, str(error))
            except Exception as error:  # a fault of this program; nobody must hang by it
                self._log.error("internal.error", reason=traceback.format_exc())
                answer = msg.Failure(order, f"internal error: {type(error).__name__}: {error}")
            channel.send(answer)

        task = asyncio.ensure_future(job())
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    # -- for those who look on -----------------------------------------------------------------

    async def _status(self) -> NodeStatus:
        life, has_home = self._disk.identity.life, self._home is not None
        return await self._books.status(self._runs, life=life, has_home=has_home)

    async def _watch(self, order: msg.Watch) -> msg.Watched:
        return msg.Watched(order.id, await self._status())

    async def _serve_metrics(self) -> int:
        """Answer who asks for metrics; return the port."""

        async def render() -> bytes:
            return metrics.render(await self._status())

        host = self._config.host
        self._scraped = await scrape.serve(render, host, 0, scrape.token_for(self._config.token))
        port: int = self._scraped.sockets[0].getsockname()[1]
        return port

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

    def _bundle_file(self, channel: Channel, order: msg.PutFile) -> OneFile:
        """Return where a file of an application goes.

        Raises:
            TransferError: The path leaves the application's folder.
        """
        relative = PurePosixPath(order.path)
        unsafe = relative.is_absolute() or ".." in relative.parts or not relative.parts
        if unsafe or "/" in order.bundle or order.bundle in ("", ".", ".."):
            raise TransferError(f"application file {order.path!r} leaves its folder")
        hit("bundle.file")
        path = self._data / "apps" / order.bundle / relative
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return OneFile(
            path,
            lambda: channel.send(msg.Done(order.id)),
            is_executable=order.is_executable,
        )
