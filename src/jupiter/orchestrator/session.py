"""The life of an application on a network: start the agents, measure, map, stream, stop."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from jupiter.aio.clock import wall_s
from jupiter.aio.tls import Identity, Tls, derive
from jupiter.errors import AgentError, Fault, InputError
from jupiter.home.bundle import Bundle, code_of, deploy, read_bundle
from jupiter.home.collector import OnFacts
from jupiter.home.controller import Controller
from jupiter.home.stream import Log, StreamOrder, stream
from jupiter.interfaces.engine import Engine
from jupiter.interfaces.store import Samples
from jupiter.model import messages as msg
from jupiter.model.app import Application
from jupiter.model.ids import NodeId
from jupiter.model.network import Network
from jupiter.model.run import Prediction, RunRecord
from jupiter.model.schedule import Schedule
from jupiter.orchestrator.planning import task_mapping
from jupiter.profilers.execution import measure_tasks, together_on
from jupiter.profilers.network import measure_links
from jupiter.profilers.resource import sample_resources
from jupiter.settings import RunSettings


@dataclass(frozen=True)
class Watch:
    """Calls that show how far a session is; each is made once a unit of work.

    Attributes:
        link: A link was measured.
        profile_item: A sample item went through a node.
        item: An item of a stream ended.
    """

    link: Callable[[], None] = lambda: None
    profile_item: Callable[[], None] = lambda: None
    item: Callable[[], None] = lambda: None


class Session:
    """Agents on every node of a network, with an application deployed to them.

    Used as an asynchronous context: whatever happens inside, nothing is left running after it.

    Args:
        app: Checked application.
        network: With exactly one home.
        engine: Puts agents on the nodes.
        settings: For profiling and streaming.
        token: Secret of the session, where it goes on with the agents of an earlier one.
        scratch: Folder for what lives no longer than the session.

    Raises:
        InputError: The network has no home or no worker, or a task needs what the engine lacks.
    """

    def __init__(
        self,
        app: Application,
        network: Network,
        engine: Engine,
        settings: RunSettings,
        token: str = "",
        scratch: Path | None = None,
    ) -> None:
        _refuse_unfit(app, network)
        self.app = app
        self.network = network
        self._engine = engine
        self._scratch = scratch
        self._settings = settings
        secret = self._secret = token or secrets.token_hex(32)
        self._token = derive(secret, "token").hex()  # agents cannot compute the secret from it
        self._home = network.homes[0].name
        is_encrypted = settings.tls == "on" or (
            settings.tls == "auto" and not engine.capabilities.is_loopback
        )
        self._authority = None
        if is_encrypted:
            from jupiter.aio.authority import Authority  # noqa: PLC0415  (slow; needed by few)

            self._authority = Authority(secret)
        identity = self._authority.issue(self._home, "control") if self._authority else None
        self._controller = Controller(self._home, self._token, Tls(identity) if identity else None)
        self.bundle: Bundle = read_bundle(Path(app.root))
        self._streams = 0
        self._addresses: dict[NodeId, tuple[str, int]] = {}

    async def __aenter__(self) -> Self:
        try:
            handles = await self._engine.start(
                self.network, self._token, self._controller, self._identities()
            )
            self._addresses = {node: (each.host, each.port) for node, each in handles.items()}
            await self._controller.connect(handles, self._equip)
            await asyncio.gather(*map(self._equip_first, handles))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._controller.close()
        await self._engine.stop()

    def _identities(self) -> dict[NodeId, Identity]:
        """Return keys and certificates for all agents; nothing where there is no TLS."""
        if self._authority is None:
            return {}
        return {node.name: self._authority.issue(node.name) for node in self.network.nodes}

    async def _equip_first(self, node: NodeId) -> None:
        """Do so for the first time; where the agent dies of it, the next one is given it.

        Raises:
            AgentError: So many died that no more are started.
        """
        try:
            await self._equip(node)
        except AgentError:
            await self._controller.returned(node)

    async def _equip(self, node: NodeId) -> None:
        """Give an agent that was started again what it may have lost, and tell the others of it."""
        await self._set_peers(node)
        await deploy(self._controller, self.bundle, (node,))
        handle = self._controller.handle(node)
        if self._addresses[node] != (handle.host, handle.port):
            self._addresses[node] = (handle.host, handle.port)
            others = [each for each in self._controller.nodes if each != node]
            await asyncio.gather(*map(self._set_peers, others), return_exceptions=True)

    async def _set_peers(self, node: NodeId) -> None:
        peers = self._peers_of(node)
        await self._controller.order(node, lambda number: msg.SetPeers(number, peers), msg.Done)

    def _peers_of(self, node: NodeId) -> tuple[msg.PeerAddress, ...]:
        """Return the ways to all other nodes, shaped where the engine's own are too fast.

        Where the network has no link the way is there, too, but only for signs of life and the
        like: home must hear of every node.
        """
        is_shaped = self._engine.capabilities.shapes_links
        peers = []
        for other in self.network.nodes:
            if other.name == node:
                continue
            handle = self._controller.handle(other.name)
            link = self.network.by_pair.get((node, other.name))
            bandwidth, latency_s = 0.0, 0.0
            if link is not None and is_shaped:
                bandwidth, latency_s = link.bandwidth_bytes_per_s, link.latency_s
            peers.append(
                msg.PeerAddress(
                    other.name,
                    handle.host,
                    handle.port,
                    bandwidth if bandwidth != float("inf") else 0.0,
                    latency_s,
                    is_data=link is not None,
                    transport=self.network.transport.name,
                    options=dict(self.network.transport.options),
                    bodies_max=self.network.transport.bodies_max,
                )
            )
        return tuple(peers)

    @property
    def token(self) -> str:
        """Secret of the session; agents know only what is derived from it."""
        return self._secret

    def next_run(self, schedule: Schedule) -> str:
        """Return the id that the next stream will have."""
        return f"{self._streams + 1}-{schedule.scheduler}"

    async def profile(
        self, sample: Sequence[tuple[Path, ...]], watch: Watch | None = None
    ) -> Samples:
        """Measure resources, links, and every task on every node.

        Args:
            sample: Inputs for the tasks, one entry an item.
            watch: Told of the progress.

        Raises:
            RunError: A link does not work, or a task failed.
        """
        watch = watch or Watch()
        measured_at = wall_s()
        resources = await sample_resources(self._controller)
        transfers = await measure_links(
            self._controller,
            self.network,
            repeats=self._settings.link_repeats,
            on_link=watch.link,
        )
        workers = self.network.workers
        is_shared = self._engine.capabilities.scales_speed
        found = await measure_tasks(
            self._controller,
            self.app,
            self.bundle.name,
            workers,
            sample=sample,
            repeats=self._settings.profile_repeats,
            together=together_on(workers, os.cpu_count() or 1) if is_shared else None,
            on_item=watch.profile_item,
            scratch=self._scratch,
        )
        return Samples(
            measured_at=measured_at,
            executions=found.executions,
            edge_bytes=found.edge_bytes,
            transfers=tuple(transfers),
            resources=tuple(resources.values()),
        )

    async def stream(
        self,
        schedule: Schedule,
        inputs: Sequence[tuple[Path, ...]],
        results_dir: Path,
        *,
        app: Application | None = None,
        prediction: Prediction | None = None,
        watch: Watch | None = None,
        log: Log | None = None,
        resumed: str = "",
        on_facts: OnFacts = lambda node, facts: None,
    ) -> RunRecord:
        """Stream items through a schedule.

        Args:
            schedule: Of every task of the application.
            inputs: One entry an item.
            results_dir: Existing folder that results are put into.
            app: The application with replicas as tasks of their own, where the schedule has any.
            prediction: Goes into the record, for comparison.
            watch: Told of the progress.
            log: Keeps the facts, so that another session can go on with the stream.
            resumed: Id of the run of an earlier session that this one goes on with.
            on_facts: As for `StreamOrder`.

        Raises:
            TaskError: The code of a task cannot be loaded.
            RunError: An agent was lost for good, or has no link to another.
        """
        run = resumed or self.next_run(schedule)
        self._streams += 1
        outcome = await stream(
            self._controller,
            StreamOrder(
                run=run,
                app=app or self.app,
                bundle=self.bundle.name,
                mapping=task_mapping(schedule),
                inputs=inputs,
                results_dir=results_dir,
                interval_s=self._settings.interval_s,
                in_flight_max=self._settings.in_flight_max,
                workers=tuple([node.name for node in self.network.workers]),
                placement=self._settings.placement,
                is_ordered=self._settings.is_ordered,
                durability=self._settings.durability,
                log=log,
                is_resumed=bool(resumed),
                on_facts=on_facts,
            ),
            (watch or Watch()).item,
        )
        return RunRecord(
            run=run,
            started_at=outcome.started_at,
            app=app or self.app,
            network=self.network,
            schedule=schedule,
            items=outcome.items,
            tasks=outcome.tasks,
            transfers=outcome.transfers,
            prediction=prediction,
            notes=outcome.notes,
        )


def _refuse_unfit(app: Application, network: Network) -> None:
    """Raise for what can be known to fail before anything is started."""
    faults = []
    if len(network.homes) != 1:
        faults.append(
            Fault(
                "a stream needs exactly one home node",
                file=network.name,
                got=", ".join(node.name for node in network.homes) or "none",
                expected='one node with role = "home"',
                remedy="give one node the role home; it takes items in and gives results out",
            )
        )
    if not network.workers:
        faults.append(
            Fault(
                "there is no node to run tasks on",
                file=network.name,
                expected="at least one node with the role worker",
                remedy="add a node; the home node runs no tasks",
            )
        )
    if app.services:
        names = ", ".join(service.name for service in app.services)
        faults.append(
            Fault(
                "helper services outside the graph cannot be started yet",
                file=app.root,
                got=names,
                remedy="start them yourself and make them tasks no more, or leave them out",
            )
        )
    for task in app.graph.tasks:
        try:
            code_of(app, task)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
