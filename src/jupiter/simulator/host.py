"""A computer in virtual time: the machines of an agent, on a disk and a clock that are modelled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jupiter.control.compaction import slim, weigh
from jupiter.control.config import NodeConfig
from jupiter.control.node import Node
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import words
from jupiter.model.ids import INGRESS, NodeId, item_id
from jupiter.model.items import Delivery, Part, PartRef
from jupiter.model.records import Accepted, Record
from jupiter.simulator.attempts import Attempts
from jupiter.simulator.contents import Content
from jupiter.simulator.disk import Disk
from jupiter.simulator.files import Files
from jupiter.simulator.world import World
from jupiter.simulator.writer import Writer

REFUSED_S = 0.5
"""After which a sender whose delivery found a full disk is asked for it again."""


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
        is_compacting: Its journal is compacted whenever it starts again.
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
        is_compacting: bool = False,
        make: Callable[[NodeConfig], Node] = Node,
    ) -> None:
        self.world = world
        self.config = config
        self.name = config.node
        self.disk = Disk()
        self.files = Files(self.disk, self.name)
        self.life = 0
        """Counts the processes; events for an earlier one are void."""
        self.is_up = False
        self.is_gone = False
        self.shown: list[tuple[float, act.Publish]] = []
        self.accepted: list[tuple[float, act.Accept]] = []
        self.is_drained = False
        self._make = make
        self._node = make(config)
        self._writer = Writer(
            world, self.disk, sync_s, self.tell, lambda: self.is_full and self._is_journal_full
        )
        self._is_compacting = is_compacting
        self._full_until_s = 0.0
        self._refused: dict[NodeId, None] = {}
        self._is_journal_full = True
        self._rate = rate
        self._offset_s = offset_s
        self._start_s = start_s
        self._failed_starts = failed_starts
        self._paused_until_s = 0.0
        self._backlog: deque[ev.Event] = deque()
        self._attempts = Attempts(self)
        self._todo: deque[ev.Event] = deque()
        self._offered: deque[tuple[tuple[Part, ...], tuple[Content, ...]]] = deque()
        self._is_stepping = False
        self._doing: dict[type, Callable[[Any], None]] = {
            act.Transmit: self._transmit,
            act.Run: self._attempts.run,
            act.Hand: self._hand,
            act.SetTimer: self._set_timer,
            act.Kill: self._attempts.kill,
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
    def machines(self) -> Node:
        """What decides on this host; another object after each crash."""
        return self._node

    @property
    def is_paused(self) -> bool:
        """Whether the agent stands still."""
        return self.world.now < self._paused_until_s

    @property
    def is_full(self) -> bool:
        """Whether its disk takes nothing."""
        return self.world.now < self._full_until_s

    @property
    def clock_s(self) -> float:
        """What its clock shows."""
        return self._offset_s + self.world.now * self._rate

    def world_s(self, clock_s: float) -> float:
        """Return the world's time at which its clock showed a time."""
        return (clock_s - self._offset_s) / self._rate

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
        self._attempts.crash()
        self._writer.crash()
        self._refused.clear()
        self._offered.clear()
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
        is_home = self.config.node == self.config.home
        is_known = bool(self.disk.image.records) or is_home
        self.config = replace(
            self.config,
            view=self.config.view if is_home else None,
            incarnation=self.config.incarnation + (0 if is_known else self.life << 16),
            first_number=(self.life << 32) + 1,
            ready=(),
        )
        self.is_up = True
        self._node = self._make(self.config)
        if is_known:
            self._node.restore(self._recover(), self.clock_s)
            self.files.sweep(self._node.keeps_inputs, self._node.keeps_outputs)
            self._do(self._node.resume(self.clock_s))
        else:
            self.disk.wipe()
            self._do(self._node.start(self.clock_s))
        self._settle_todo()

    def _recover(self) -> list[Record]:
        """Take up the files that the journal speaks of; keep perhaps only what is worth it."""
        records = self.disk.image.records
        self.files.adopt(records)
        if self._is_compacting and not self.is_full:
            kept = zip(records, weigh([slim(each) for each in records]), strict=True)
            self.disk.rewrite([record for record, worth in kept if worth])
        return self.disk.image.records

    def rot(self) -> bool:
        """Let a file become unreadable; return whether there was one, and anybody will look."""
        draw = self.world.draw
        if draw is None or self.config.level == "none":
            return False  # such an agent trusts its files
        return self.files.rot(draw)

    def fill(self, seconds: float, *, has_room_for_records: bool = False) -> None:
        """Let the disk take nothing for a while, or nothing but the few bytes of a record."""
        self._is_journal_full = not has_room_for_records
        self._full_until_s = max(self._full_until_s, self.world.now + seconds)

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

    def tell_next(self, event: ev.Event) -> None:
        """Give an event to the agent behind all that it is about to do."""
        self._todo.append(event)

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
        if isinstance(event, ev.Finished):
            self._attempts.keep_outputs(event)
        world = self.world
        if world.trace is not None:
            world.trace(f"{world.now!r} {self.name} {event!r}")
        self._do(self._node.step(event, self._offset_s + world.now * self._rate))
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
            if word.delivery.parts and self.is_full:
                self._refuse(sender)
                return
            self._store(word.delivery, body)
            route = sender, self.name
            self.world.recorded.transferred(word.delivery, route, size, sent_s, self.world.now)
        self.tell(ev.Received(sender, number, word))

    def _refuse(self, sender: NodeId) -> None:
        # One question for all: each answer is everything that is under way.
        if sender not in self._refused:
            self._refused[sender] = None
            self.world.at(self.world.now + REFUSED_S, self._ask_again, self.life, sender)

    def _ask_again(self, life: int, sender: NodeId) -> None:
        if life == self.life:
            del self._refused[sender]
            self.world.ask_again(self.name, sender)

    # -- files ---------------------------------------------------------------------------------

    def _store(self, delivery: Delivery, body: tuple[Content, ...]) -> None:
        if self.world.is_watched:
            self.files.store_input(delivery, body)

    def _hand(self, hand: act.Hand) -> None:
        delivery, world = hand.delivery, self.world
        if world.is_watched:
            self._store(delivery, self.files.outputs(hand.refs))
            if not self._are_sound(hand.refs):
                self.files.spoil_input(delivery)
                return
        size = world.tasks.size_bytes(delivery)
        world.recorded.transferred(delivery, (self.name, self.name), size, world.now, world.now)

    def _are_sound(self, refs: tuple[PartRef, ...]) -> bool:
        """Return whether outputs can be read; else tell the machines."""
        ref = self.files.rotten_output(refs)
        if ref is not None:
            self._todo.append(ev.Damaged(ref.item, ref.task, f"{ref.part.name} cannot be read"))
        return ref is None

    def _drop_inputs(self, drop: act.DropInputs) -> None:
        if self.world.is_watched:
            self.files.drop_inputs(drop.task, drop.item, drop.epoch)

    def _drop_outputs(self, drop: act.DropOutputs) -> None:
        if self.world.is_watched:
            self.files.drop_outputs(drop.task, drop.item)

    def _drop_batches(self, drop: act.DropBatches) -> None:
        self.files.drop_batches(drop.but)

    # -- actions -------------------------------------------------------------------------------

    def _transmit(self, send: act.Transmit) -> None:
        if self.disk.rotten and not self._are_sound(send.refs):
            return
        self.world.transmit(self, send)

    def _set_timer(self, action: act.SetTimer) -> None:
        due = ev.Due(action.timer)
        self.world.at(self.world.now + action.delay_s / self._rate, self._tell_life, self.life, due)

    def _persist(self, persist: act.Persist) -> None:
        record = persist.record
        if isinstance(record, Accepted):
            self._keep_input(record.seq)
        if self._writer.persist(persist):
            self._todo.append(ev.Kept(record))

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
            found = dict(zip(names, contents, strict=True))
            self.files.store_outputs(INGRESS, item_id(seq), found)

    def _accept(self, accept: act.Accept) -> None:
        if self.config.level == "none":
            self._keep_input(accept.seq)
        self.world.recorded.accepted(accept, self.world_s(accept.offered_s), self.world.now)
        self.accepted.append((self.world.now, accept))

    def _publish(self, publish: act.Publish) -> None:
        if self.world.is_watched:
            for delivery, names in publish.commit.results:
                self.files.show(delivery, names)
            self.disk.sync()
        self.shown.append((self.world.now, publish))
        self._todo.append(ev.Shown(publish.commit.number))

    def _resolve(self, resolve: act.Resolve) -> None:
        self.world.recorded.ended(resolve.ending, self.world.now)

    def _drained(self, action: act.Drained) -> None:
        self.is_drained = True
