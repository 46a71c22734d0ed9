"""Drives the nodes of a stream in virtual time: the same machines as in agents, on modelled hosts.

Events come from one heap, in the order of their times; what happens by chance is drawn from one
recorded seed. So the same world gives the same history, to the last event.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from jupiter.control.config import NodeConfig
from jupiter.control.node import Node
from jupiter.errors import SchedulingError
from jupiter.kit.rng import Stream
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId, is_batch, item_id
from jupiter.model.items import Attempt, Delivery, Part
from jupiter.model.records import Accepted
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord
from jupiter.simulator.contents import Content
from jupiter.simulator.disk import Disk
from jupiter.simulator.network import Links

SENDING_MAX = 1000
"""Words whose end of sending is remembered, before old ones are looked for."""

Heap = list[tuple[float, int, Callable[..., None], tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt will end.

    Attributes:
        seconds: How long it takes.
        parts: Its outputs.
        contents: What they hold; empty where nobody looks.
        error: Why there are no outputs; empty after success.
    """

    seconds: float
    parts: tuple[Part, ...] = ()
    contents: tuple[Content, ...] = ()
    error: str = ""


class TaskModel(Protocol):
    """Knows how executions go."""

    def execute(self, node: NodeId, run: act.Run, inputs: list[list[Content]]) -> Outcome:
        """Return how an attempt will end.

        Args:
            node: Where it runs.
            run: What.
            inputs: What the files of each parent hold; empty where nobody looks.
        """
        ...

    def size_bytes(self, delivery: Delivery) -> float:
        """Return how much travels for a delivery."""
        ...


@dataclass
class Recorded:
    """What happened, in the records of a real run."""

    items: list[ItemRecord] = field(default_factory=list)
    tasks: list[TaskRecord] = field(default_factory=list)
    transfers: list[TransferRecord] = field(default_factory=list)


class World:
    """Time, network and hosts.

    Args:
        links: The network.
        tasks: How executions go.
        draw: For what happens by chance; None where nothing does.
        is_watched: Contents of files are modelled.
    """

    def __init__(
        self,
        links: Links,
        tasks: TaskModel,
        draw: Stream | None = None,
        *,
        is_watched: bool = False,
    ) -> None:
        self.now = 0.0
        self.links = links
        self.tasks = tasks
        self.draw = draw
        self.is_watched = is_watched
        self.hosts: dict[NodeId, Host] = {}
        self.recorded = Recorded()
        self.events = 0
        self.trace: Callable[[str], None] | None = None
        self._heap: Heap = []
        self._counter = 0

    def add(self, config: NodeConfig, **kinds: Any) -> Host:
        """Put a host into the world; it starts when it is told."""
        host = Host(self, config, **kinds)
        self.hosts[config.node] = host
        return host

    def at(self, time_s: float, do: Callable[..., None], *args: Any) -> None:
        """Do something at a time that is not past."""
        self._counter += 1
        heapq.heappush(self._heap, (time_s, self._counter, do, args))

    def run(self, until_s: float = float("inf"), is_over: Callable[[], bool] | None = None) -> None:
        """Go on to a time, or until nothing more can happen or nothing more is asked for."""
        heap = self._heap
        pop = heapq.heappop
        while heap and heap[0][0] <= until_s:
            self.now, _, do, args = pop(heap)
            self.events += 1
            do(*args)
            if is_over is not None and is_over():
                return

    def transmit(self, sender: Host, send: act.Transmit) -> None:
        """Bring a word to another host, as far as the network lets it."""
        word = send.word
        target = self.hosts.get(send.node)
        if target is None:
            return
        size = 0.0
        body: tuple[Content, ...] = ()
        if type(word) is words.Deliver:
            size = self.tasks.size_bytes(word.delivery)
            if self.is_watched:
                body = sender.read(send.refs)
        args = (sender.name, send.number, word, body, size, self.now)
        if self.draw is None:
            arrive_s = self.links.arrival(sender.name, send.node, size, self.now)
            self._counter += 1
            heapq.heappush(self._heap, (arrive_s, self._counter, target.receive, args))
            return
        if size and not sender.may_send(send.node, send.number):
            return
        for arrive_s in self.links.arrivals(sender.name, send.node, size, self.now):
            self.at(arrive_s, target.receive, *args)
        if size:
            sender.sends_until(send.node, send.number, self.links.free_s(sender.name, send.node))


class Host:
    """One computer with its agent.

    Args:
        world: Where it is.
        config: Of its node.
        sync_s: How long a sync of the disk takes; 0 where there is no disk.
        rate: Seconds of its clock in one of the world's.
        offset_s: What its clock shows at the beginning.
        start_s: How long the workers of a task take to start.
        failed_starts: How many times they fail to, at first.
        make: Makes its node, anew after every crash.
    """

    def __init__(
        self,
        world: World,
        config: NodeConfig,
        *,
        sync_s: float = 0.0,
        rate: float = 1.0,
        offset_s: float = 0.0,
        start_s: float = 0.0,
        failed_starts: int = 0,
        make: Callable[[NodeConfig], Node] = Node,
    ) -> None:
        self.world = world
        self.config = config
        self.name = config.node
        self.disk = Disk()
        self.life = 0
        """Counts the processes; events for an earlier one are void."""
        self.is_up = False
        self.is_gone = False
        self.shown: list[tuple[float, act.Publish]] = []
        self.accepted: list[tuple[float, act.Accept]] = []
        self.is_drained = False
        self._make = make
        self._node = make(config)
        self._sync_s = sync_s
        self._rate = rate
        self._offset_s = offset_s
        self._start_s = start_s
        self._failed_starts = failed_starts
        self._paused_until_s = 0.0
        self._backlog: deque[ev.Event] = deque()
        self._running: dict[tuple[str, str, Attempt], int] = {}
        self._made: dict[tuple[str, str, Attempt], dict[str, Content]] = {}
        self._runs = 0
        self._sending: dict[tuple[NodeId, int], float] = {}
        self._unsynced: list[ev.Kept] = []
        self._is_syncing = False
        self._todo: deque[ev.Event] = deque()
        self._offered: deque[tuple[tuple[Part, ...], tuple[Content, ...]]] = deque()
        self._offered_s: dict[int, float] = {}
        self._accepted_s: dict[int, tuple[str, float, float]] = {}
        self._is_stepping = False
        self._doing: dict[type, Callable[[Any], None]] = {
            act.Transmit: self._transmit,
            act.Run: self._run,
            act.Hand: self._hand,
            act.SetTimer: self._set_timer,
            act.Kill: self._kill,
            act.Persist: self._persist,
            act.DropInputs: self._drop_inputs,
            act.DropOutputs: self._drop_outputs,
            act.DropBatches: self._drop_batches,
            act.Accept: self._accept,
            act.Publish: self._publish,
            act.Resolve: self._resolve,
            act.Drained: self._drained,
            act.Start: self._start,
            act.Stop: self._nothing,
            act.Evict: self._nothing,
        }

    @property
    def node(self) -> NodeId:
        """Its name."""
        return self.name

    @property
    def machines(self) -> Node:
        """What decides on this host; another object after each crash."""
        return self._node

    @property
    def is_paused(self) -> bool:
        """Whether the agent stands still."""
        return self.world.now < self._paused_until_s

    @property
    def clock_s(self) -> float:
        """What its clock shows."""
        return self._offset_s + self.world.now * self._rate

    # -- life and death ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the agent for the first time."""
        self.is_up = True
        self._do(self._node.start(self.clock_s))
        self._settle_todo()

    def crash(self, *, is_power_cut: bool = False) -> None:
        """End the agent, or all of the computer."""
        if not self.is_up or self.is_gone:
            return
        self.life += 1
        self.is_up = False
        self._paused_until_s = 0.0
        self._backlog.clear()
        self._todo.clear()
        self._running.clear()
        self._made.clear()
        self._unsynced.clear()
        self._offered.clear()
        self._is_syncing = False
        if is_power_cut and self.world.draw is not None:
            self.disk.power_cut(self.world.draw)
        else:
            self.disk.crash()
        is_home = self.config.node == self.config.home
        if is_power_cut and self.config.level == "ingress" and not is_home:
            self.disk.wipe()  # an agent that finds another boot trusts nothing of it

    def vanish(self) -> None:
        """Lose the computer for good."""
        self.crash()
        self.disk.wipe()
        self.is_gone = True

    def restart(self) -> None:
        """Start the agent again, from what is on the disk."""
        if self.is_up or self.is_gone:
            return
        is_known = bool(self.disk.image.records) or self.config.node == self.config.home
        self.config = replace(
            self.config,
            view=self.config.view if self.config.node == self.config.home else None,
            incarnation=self.config.incarnation
            if is_known
            else self.config.incarnation + self.life,
            first_number=(self.life << 32) + 1,
            ready=(),
        )
        self.is_up = True
        self._node = self._make(self.config)
        if is_known:
            self._node.restore(self.disk.image.records, self.clock_s)
            self._sweep()
            self._do(self._node.resume(self.clock_s))
        else:
            self.disk.wipe()
            self._do(self._node.start(self.clock_s))
        self._settle_todo()

    def _sweep(self) -> None:
        """Drop the files that nothing in the journal speaks of."""
        keeps = {"in": self._node.keeps_inputs, "out": self._node.keeps_outputs}
        for key in list(self.disk.image.files):
            if key[0] in keeps and not keeps[key[0]](key[1], key[2]):
                self.disk.drop(key)

    def pause(self, seconds: float) -> None:
        """Stop the agent for a while; its memory and its running tasks stay."""
        if self.is_up:
            self._paused_until_s = self.world.now + seconds
            self.world.at(self._paused_until_s, self._wake, self.life)

    def _wake(self, life: int) -> None:
        if life != self.life or self.world.now < self._paused_until_s:
            return
        backlog, self._backlog = self._backlog, deque()
        for event in backlog:
            self.tell(event)

    # -- events --------------------------------------------------------------------------------

    def tell(self, event: ev.Event) -> None:
        """Give an event to the agent, and do what it decides."""
        if not self.is_up:
            return
        if self.is_paused:
            self._backlog.append(event)
            return
        if self._is_stepping:
            self._todo.append(event)
            return
        self._step(event)
        if self._todo:
            self._settle_todo()

    def _settle_todo(self) -> None:
        while self._todo:
            self._step(self._todo.popleft())

    def _step(self, event: ev.Event) -> None:
        self._is_stepping = True
        if self._made and isinstance(event, ev.Finished):
            self._keep_outputs(event)
        world = self.world
        if world.trace is not None:
            world.trace(f"{world.now!r} {self.name} {event!r}")
        doing = self._doing
        for action in self._node.step(event, self._offset_s + world.now * self._rate):
            doing[type(action)](action)
        self._is_stepping = False

    def _do(self, actions: list[act.Action]) -> None:
        doing = self._doing
        for action in actions:
            doing[type(action)](action)

    def _tell_life(self, life: int, event: ev.Event) -> None:
        if life == self.life:
            self.tell(event)

    def receive(
        self,
        sender: NodeId,
        number: int,
        word: words.Word,
        body: tuple[Content, ...],
        size: float,
        sent_s: float,
    ) -> None:
        """Take in a word from the network."""
        if not self.is_up:
            return
        if self.is_paused:
            again = (sender, number, word, body, size, sent_s)
            self.world.at(self._paused_until_s, self.receive, *again)
            return
        if isinstance(word, words.Deliver) and self._node.wants(word.delivery):
            if self.world.is_watched:
                self._store(word.delivery, body)
            self._note_transfer(word.delivery, sender, size, sent_s)
        self.tell(ev.Received(sender, number, word))

    # -- sending -------------------------------------------------------------------------------

    def may_send(self, node: NodeId, number: int) -> bool:
        """Return whether a word has left this host, as one that has not is not sent again."""
        return self._sending.get((node, number), 0.0) <= self.world.now

    def sends_until(self, node: NodeId, number: int, until_s: float) -> None:
        """Note when a word will have left this host."""
        if len(self._sending) > SENDING_MAX:
            now = self.world.now
            self._sending = {key: end for key, end in self._sending.items() if end > now}
        self._sending[node, number] = until_s

    # -- files ---------------------------------------------------------------------------------

    def read(self, refs: tuple[Any, ...]) -> tuple[Content, ...]:
        """Return what outputs of this host hold."""
        found = []
        for ref in refs:
            stored = self.disk.image.files.get(("out", ref.task, ref.item))
            if stored is None:
                raise AssertionError(f"{self.name} sends {ref}, which it no longer has")
            found.append(stored[ref.part.name])
        return tuple(found)

    def _store(self, delivery: Delivery, body: tuple[Content, ...]) -> None:
        if not body:
            return
        key = ("in", delivery.target, delivery.item, delivery.epoch, delivery.source)
        self.disk.put(key, (delivery.attempt, body))

    def _hand(self, hand: act.Hand) -> None:
        delivery = hand.delivery
        if self.world.is_watched:
            self._store(delivery, self.read(hand.refs))
        size = self.world.tasks.size_bytes(delivery)
        self._note_transfer(delivery, self.name, size, self.world.now)

    def _drop_inputs(self, drop: act.DropInputs) -> None:
        if self.world.is_watched:
            start = ("in", drop.task, drop.item)
            files = self.disk.image.files
            for key in [k for k in files if k[:3] == start and k[3] <= drop.epoch]:
                self.disk.drop(key)

    def _drop_outputs(self, drop: act.DropOutputs) -> None:
        if self.world.is_watched:
            self.disk.drop(("out", drop.task, drop.item))

    def _drop_batches(self, drop: act.DropBatches) -> None:
        for key in [k for k in self.disk.image.files if k[0] != "result" and is_batch(k[2])]:
            if key[1] != SINK or key[2] not in drop.but:
                self.disk.drop(key)

    # -- actions -------------------------------------------------------------------------------

    def _transmit(self, send: act.Transmit) -> None:
        self.world.transmit(self, send)

    def _set_timer(self, action: act.SetTimer) -> None:
        due = ev.Due(action.timer)
        self.world.at(self.world.now + action.delay_s / self._rate, self._tell_life, self.life, due)

    def _persist(self, persist: act.Persist) -> None:
        record = persist.record
        if isinstance(record, Accepted):
            self._keep_input(record.seq)
        kept = ev.Kept(record)
        if not persist.is_synced:
            self.disk.append(record)
            self._todo.append(kept)
            return
        self.disk.stage(record)
        self._unsynced.append(kept)
        if not self._is_syncing:
            self._sync()

    def _sync(self) -> None:
        self._is_syncing = True
        batch, self._unsynced = self._unsynced, []
        self.world.at(self.world.now + self._sync_s, self._synced, self.life, batch)

    def _synced(self, life: int, batch: list[ev.Kept]) -> None:
        if life != self.life:
            return
        self.disk.sync(len(batch))
        self._is_syncing = False
        for kept in batch:
            self.tell(kept)
        if self._unsynced and not self._is_syncing:
            self._sync()

    def _run(self, run: act.Run) -> None:
        world = self.world
        inputs: list[list[Content]] = []
        if world.is_watched:
            inputs = self._inputs_of(run)
        outcome = world.tasks.execute(self.name, run, inputs)
        self._runs += 1
        self._running[run.task, run.item, run.attempt] = self._runs
        world.at(
            world.now + outcome.seconds,
            self._ended,
            self.life,
            self._runs,
            run,
            outcome,
            world.now,
        )

    def _inputs_of(self, run: act.Run) -> list[list[Content]]:
        found: list[list[Content]] = []
        for each in run.inputs:
            if not each.parts:
                continue
            key = ("in", run.task, run.item, each.epoch, each.source)
            stored = self.disk.image.files.get(key)
            if stored is None:
                raise AssertionError(f"{self.name} runs {run.task} of {run.item} without its input")
            found.append(list(stored[1]))
        return found

    def _ended(
        self, life: int, number: int, run: act.Run, outcome: Outcome, began_s: float
    ) -> None:
        key = run.task, run.item, run.attempt
        if life != self.life or self._running.get(key) != number:
            return
        del self._running[key]
        self.world.recorded.tasks.append(
            TaskRecord(
                item=run.item,
                task=run.task,
                node=self.name,
                enter_s=(run.enter_s - self._offset_s) / self._rate,
                execute_s=began_s,
                finish_s=self.world.now,
                attempt=run.attempt[1],
                input_bytes=sum([each.size_bytes for each in run.inputs]),
                output_bytes=sum([part.size_bytes for part in outcome.parts]),
                status="failed" if outcome.error else "done",
                detail=outcome.error,
            )
        )
        if outcome.error:
            self.tell(ev.Failed(run.item, run.task, run.attempt, outcome.error))
            return
        if self.world.is_watched:
            names = [part.name for part in outcome.parts]
            self._made[key] = dict(zip(names, outcome.contents, strict=True))
        self.tell(ev.Finished(run.item, run.task, run.attempt, outcome.parts))

    def _keep_outputs(self, event: ev.Finished) -> None:
        """Give the outputs of an attempt that still counts their place."""
        stored = self._made.pop((event.task, event.item, event.attempt))
        if self._node.dispatcher.is_running(event.task, event.item, event.attempt):
            self.disk.put(("out", event.task, event.item), stored)

    def _kill(self, kill: act.Kill) -> None:
        self._running.pop((kill.task, kill.item, kill.attempt), None)

    def _start(self, start: act.Start) -> None:
        ready: ev.Event = ev.Ready(start.task)
        if self._failed_starts:
            self._failed_starts -= 1
            ready = ev.Unready(start.task, "no memory")
        self.world.at(self.world.now + self._start_s, self._tell_life, self.life, ready)

    def _nothing(self, action: act.Action) -> None:
        """Carry out what has no effect on what can be seen."""

    # -- the two ends --------------------------------------------------------------------------

    def offer(self, name: str, parts: tuple[Part, ...], contents: tuple[Content, ...] = ()) -> None:
        """Lay an input ready."""
        if self.is_up:
            self._offered.append((parts, contents))
            self.tell(ev.Offered(name, parts))

    def _keep_input(self, seq: int) -> None:
        parts, contents = self._offered.popleft()
        if self.world.is_watched:
            names = [part.name for part in parts]
            key = ("out", INGRESS, item_id(seq))
            self.disk.put(key, dict(zip(names, contents, strict=True)))

    def _accept(self, accept: act.Accept) -> None:
        if self.config.level == "none":
            self._keep_input(accept.seq)
        offered_s = (accept.offered_s - self._offset_s) / self._rate
        self._accepted_s[accept.seq] = accept.name, offered_s, self.world.now
        self.accepted.append((self.world.now, accept))

    def accepted_s(self, seq: int) -> float:
        """Return when an item was accepted."""
        return self._accepted_s[seq][2]

    def _publish(self, publish: act.Publish) -> None:
        if self.world.is_watched:
            for delivery, names in publish.commit.results:
                self._show(delivery, names)
            self.disk.sync()
        self.shown.append((self.world.now, publish))
        self._todo.append(ev.Shown(publish.commit.number))

    def _show(self, delivery: Delivery, names: tuple[str, ...]) -> None:
        key = ("in", SINK, delivery.item, delivery.epoch, delivery.source)
        stored = self.disk.image.files.get(key)
        if stored is None:
            return  # it was shown before a crash
        for name, content in zip(names, stored[1], strict=True):
            self.disk.put(("result", name), (delivery.source, delivery.origins, content))
        self.disk.drop(key)

    def _resolve(self, resolve: act.Resolve) -> None:
        ending = resolve.ending
        name, offered_s, accepted_s = self._accepted_s.get(ending.seq, ("", 0.0, 0.0))
        self.world.recorded.items.append(
            ItemRecord(
                item=item_id(ending.seq),
                name=name,
                offered_s=offered_s,
                accepted_s=accepted_s,
                done_s=self.world.now,
                status=ending.outcome,
                detail=ending.detail,
                results=ending.results,
            )
        )

    def _drained(self, action: act.Drained) -> None:
        self.is_drained = True

    def _note_transfer(
        self, delivery: Delivery, source: NodeId, size: float, sent_s: float
    ) -> None:
        world = self.world
        world.recorded.transfers.append(
            TransferRecord(
                delivery.item,
                delivery.source,
                delivery.target,
                source,
                self.name,
                round(size),
                sent_s,
                world.now,
            )
        )


def no_duration(task: TaskId, node: NodeId) -> SchedulingError:
    """Return the error of a task that was never measured on a node."""
    return SchedulingError(f"task {task} has no execution time on node {node}")
