"""One run on one agent: feeds events to the machines of its node and carries out their actions."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from jupiter.agent.carrying import Arrivals
from jupiter.agent.config import config_of
from jupiter.agent.facts import FactBook
from jupiter.agent.inlet import Inlet
from jupiter.agent.journal import FULL, Journal
from jupiter.agent.keeper import Keeper
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.partials import Partials
from jupiter.agent.receiving import BodyFiles, Discard, body_fault, write_parts
from jupiter.agent.spool import MEMORY_FILE_BYTES, Spool
from jupiter.agent.status import Tally, run_status
from jupiter.agent.workers import Ended, Request, Running, WorkerPool
from jupiter.aio.bodies import BodySink
from jupiter.aio.clock import monotonic_s
from jupiter.aio.failpoints import hit
from jupiter.aio.log import get_log, line_of
from jupiter.control.config import NodeConfig
from jupiter.control.node import Node
from jupiter.errors import TaskError, TransferError
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Part, PartRef
from jupiter.model.status import RunStatus
from jupiter.model.view import View

Key = tuple[TaskId, ItemId, Attempt]
UNKNOWN_BYTES = 1 << 40
"""What a task may write whose outputs nobody has seen yet."""
FULL_WAIT_S = 0.5
"""After which a sender whose delivery found a full disk is asked to say it again."""


@dataclass(frozen=True)
class Place:
    """The node of a run, and what the run may have of it.

    Attributes:
        node: Name.
        cores: Executions of one core each that can run here at once.
        folder: For everything of the run; made where it does not exist.
        incarnation: As for `NodeConfig`.
        life: Of the process, as for `FactBook`.
        cache: Folder in memory for files that may be lost with the machine; None where there is
            none.
        cache_bytes: That may be used of it.
        tally: Counts what happens.
    """

    node: NodeId
    cores: int
    folder: Path
    incarnation: int
    life: int
    cache: Path | None = None
    cache_bytes: int = 0
    tally: Tally = field(default_factory=Tally)

    def spool_roots(self, order: msg.Prepare, node: NodeId) -> tuple[Path, ...]:
        """Return where the files of a run are: on the disk and, where that will do, in memory."""
        disk = self.folder / "spool"
        may_be_lost = order.durability == "none" or (
            order.durability == "ingress" and node != order.home
        )
        if self.cache is None or not may_be_lost:
            return (disk,)
        return (disk, self.cache)


class Agency(Protocol):
    """The agent, as a run sees it."""

    def post(self, node: NodeId, out: Outgoing) -> None:
        """Send a message to another node, as far as the way to it works."""

    def report(self, message: msg.Facts) -> None:
        """Tell home, if home is there."""

    def die(self, reason: str) -> None:
        """End this process at once, as after a power cut: its disk cannot be trusted."""


class _Attempt:
    """An attempt under way."""

    __slots__ = ("execute_s", "folder", "input_name", "limit", "run", "running")

    def __init__(self, run: act.Run, folder: str, input_name: str) -> None:
        self.run = run
        self.folder = folder
        self.input_name = input_name
        self.execute_s = monotonic_s()
        self.running: Running | None = None
        self.limit: asyncio.TimerHandle | None = None


class AgentRun:
    """Everything that this node holds and does for one run.

    Args:
        prepare: What home ordered.
        place: Where it runs.
        pool: Its workers; those of the tasks mapped here have started.
        agency: The way to the others.
    """

    def __init__(
        self, prepare: msg.Prepare, place: Place, pool: WorkerPool, agency: Agency
    ) -> None:
        self.name = prepare.run
        self.prepare = prepare
        self._node = place.node
        self._place = place
        self._pool = pool
        self._agency = agency
        disk, *memory = place.spool_roots(prepare, place.node)
        self._spool = Spool(disk, memory[0] if memory else None, place.cache_bytes)
        self._partials = Partials(
            lambda: self._spool.new_folder("out", MEMORY_FILE_BYTES + 1),
            self._spool.discard,
            is_durable=prepare.durability == "hop",
        )
        self._tally = place.tally
        self._log = get_log(run=prepare.run)
        self._problem = ""
        self.arrivals = Arrivals(
            lambda: self._spool.new_folder("out", MEMORY_FILE_BYTES + 1), self._spool.discard
        )
        self._results = Path(prepare.results_dir)
        self.facts = FactBook(prepare.run, place.node, agency.report, place.life)
        self._facts = self.facts
        self._machines = Node(self._config())
        self._known = {plan.name for plan in prepare.tasks}
        self._inlet: Inlet | None = None
        if place.node == prepare.home:
            self._known.add(SINK)
        self._keeper: Keeper | None = None
        if prepare.durability != "none":
            journal = Journal(place.folder / "journal", agency.die)
            self._keeper = Keeper(journal, self._spool, self.tell)
        self._events: deque[ev.Event] = deque()
        self._is_stepping = False
        self._is_stopped = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._attempts: dict[Key, _Attempt] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        # Who said something of an epoch that is still to come; they are asked to say it again.
        # What the last attempt of each task has written, to guess what the next will.
        self._output_bytes: dict[TaskId, int] = {}
        # What they write to files in memory would count against their limit.
        self._limited = {code.task for code in prepare.code if code.memory_bytes}
        self._showing = 0
        self._early: dict[NodeId, None] = {}
        self._epoch = 1
        self._members = tuple(prepare.members)
        self._doing: dict[type, Callable[[Any], None]] = {
            act.Transmit: self._transmit,
            act.Hand: self._hand,
            act.Run: self._run,
            act.Kill: self._kill,
            act.SetTimer: self._set_timer,
            act.Start: self._start,
            act.Stop: self._stop,
            act.DropInputs: self._drop_inputs,
            act.DropOutputs: self._drop_outputs,
            act.DropBatches: self._drop_batches,
            act.Accept: self._accept,
            act.Publish: self._publish,
            act.Resolve: self._resolve,
            act.Drained: self._drained,
            act.Persist: self._persist,
            act.Evict: self._nothing,
        }

    def _config(self, *, is_back: bool = False) -> NodeConfig:
        place = self._place
        return config_of(self.prepare, place.node, place.cores, place.incarnation, is_back=is_back)

    def start(self) -> None:
        """Begin, or go on after a restart from what is on the disk.

        Raises:
            OSError: The disk cannot be read or written.
            TransferError: What is on it is damaged beyond repair.
        """
        records: list[rec.Record] = []
        if self._keeper is not None:
            records = self._recover(self._keeper)
        is_home = self._node == self.prepare.home
        self._is_stepping = True
        if records:
            hit("run.restore")
            self._tally.restore(records)
            self._machines = Node(self._config(is_back=True))
            self._machines.restore(records, monotonic_s())
            self._epoch = self._machines.view.epoch
            self._members = tuple(self._machines.view.members)
            self._spool.sweep(self._machines.keeps_inputs, self._machines.keeps_outputs)
            hit("run.restored")
        if is_home:
            ingress = self._machines.ingress
            self._inlet = Inlet(
                self._spool,
                is_copied=self._keeper is not None,
                count=ingress.count if ingress is not None else 0,
                tell=self.tell,
                on_broken=self.broken,
            )
        now = monotonic_s()
        self._do(self._machines.resume(now) if records else self._machines.start(now))
        self._go_on()
        begun = "run.restored" if records else "run.prepared"
        self._log.info(begun, records=len(records), epoch=self._epoch, is_home=is_home)
        if records:
            hit("run.resumed")

    def _recover(self, keeper: Keeper) -> list[rec.Record]:
        """Return what was written down before; nothing where this node must begin anew.

        Raises:
            TransferError: Home's journal is damaged; nobody else has what is missing.
        """
        recovered = keeper.recover(self._results)
        for note in recovered.notes:
            self._log.warning("damage.found", reason=note)
            self._facts.note(msg.Noted(f"node {self._node}: {note}"))
        if recovered.is_damaged:
            raise TransferError(f"node {self._node}: {'; '.join(recovered.notes)}")
        return recovered.records

    # -- from home -----------------------------------------------------------------------------

    def offer(self, first: int, inputs: Sequence[Sequence[str]]) -> int:
        """Offer inputs to the ingress; return how many it has been offered in all.

        Raises:
            TransferError: This is not home's agent, or inputs before these are missing.
        """
        if self._inlet is None:
            raise TransferError(f"node {self._node} is not home in run {self.name}")
        self._inlet.offer(first, inputs)
        return self._inlet.count

    def close_input(self) -> None:
        """Note that no more inputs will come."""
        if self._inlet is not None:
            self._inlet.close()

    def recall(self) -> None:
        """Tell home again of all items that were accepted and that have ended."""
        if self._keeper is None:
            return
        now = monotonic_s()
        for record in self._keeper.records():
            match record:
                case rec.Accepted(seq, name):
                    self._facts.note(msg.Accepted(seq, name, now, now))
                case rec.Committed(endings=endings):
                    for end in endings:
                        ended = msg.Ended(end.seq, end.outcome, end.detail, end.results, now)
                        self._facts.note(ended)
        ingress = self._machines.ingress
        if ingress is not None and ingress.is_drained:
            self._facts.note(msg.RunDrained())
        self._facts.flush()

    def stop(self) -> None:
        """Kill the workers and write nothing more."""
        self._is_stopped = True
        for timer in self._timers:
            timer.cancel()
        for attempt in self._attempts.values():
            if attempt.limit is not None:
                attempt.limit.cancel()
        for job in self._jobs:
            job.cancel()
        if self._inlet is not None:
            self._inlet.stop()
        self._partials.close()
        self._pool.close()
        self._facts.flush()
        if self._keeper is not None:
            self._keeper.close()

    def remove(self) -> None:
        """Remove everything of this run, which has stopped."""
        hit("run.stop")
        self._spool.remove()

    def broken(self, reason: str) -> None:
        """Tell home that this run cannot go on."""
        self._problem = self._problem or reason
        self._log.error("run.broken", reason=reason)
        self._facts.note(msg.Broken(reason))
        self._facts.flush()

    def note(self, text: str) -> None:
        """Tell the user something."""
        self._facts.note(msg.Noted(text))

    # -- for those who look on -----------------------------------------------------------------

    @property
    def machines(self) -> Node:
        """The state machines."""
        return self._machines

    @property
    def spool_roots(self) -> tuple[str, ...]:
        """Folders of the files."""
        return tuple(map(str, self._place.spool_roots(self.prepare, self._node)))

    def status(self) -> RunStatus:
        """Return how this run stands here, but for its files."""
        status = run_status(
            self.name,
            self._machines,
            self._tally,
            monotonic_s(),
            workers=self._pool.counts(),
            offered=self._inlet.count if self._inlet is not None else 0,
            inputs_waiting=self._inlet.waiting if self._inlet is not None else 0,
        )
        keeper = self._keeper
        return replace(
            status,
            journal_bytes=keeper.journal_bytes if keeper is not None else 0,
            syncs=keeper.syncs if keeper is not None else 0,
            is_full=keeper is not None and keeper.is_full,
            unreported=self._facts.unreported,
            problem=self._problem,
        )

    # -- from other nodes ----------------------------------------------------------------------

    def receive(self, message: msg.Say, body: bytes, sender: NodeId) -> None:
        """Take in a word; its body, if any, is short and complete.

        Raises:
            TransferError: It cannot be what another node of this run says.
        """
        word = message.word
        if isinstance(word, words.Deliver):
            delivery = word.delivery
            if message.placed:
                self._begin_job(self._take_placed(message, delivery, sender))
                return
            if self._wants(delivery, len(body)):
                fault = body_fault(delivery.parts, body)
                if fault:
                    self._spoilt(message, sender, fault)
                    return
                try:
                    self._store(delivery, body)
                except OSError as error:
                    self._spool.forget_inputs(delivery)
                    self._refuse(sender, error)
                    return
                self._facts.transfer(delivery, sender, message.sent_s)
        self._received(message, sender)

    def _store(self, delivery: Delivery, body: bytes) -> None:
        if delivery.parts and not self._spool.carry(delivery):
            hit("body.write")
            paths = self._spool.open_inputs(delivery)
            write_parts(paths, [part.size_bytes for part in delivery.parts], body)
            hit("body.written")

    def _refuse(self, sender: NodeId, error: OSError) -> None:
        """Take nothing while the disk is full: the sender keeps it, and is asked for it again."""
        if error.errno not in FULL:
            raise error
        self._log.warning("disk.full", what="spool", sender=sender)

        def ask() -> None:
            self._timers.discard(handle)
            self._agency.post(sender, Outgoing(msg.Again(self.name)))

        handle = asyncio.get_running_loop().call_later(FULL_WAIT_S, ask)
        self._timers.add(handle)

    def receive_long(self, message: msg.Say, size: int, sender: NodeId) -> BodySink:
        """Return where the long body of a delivery goes.

        Raises:
            TransferError: The word has no such body.
        """
        word = message.word
        if not isinstance(word, words.Deliver):
            raise TransferError(f"{type(word).__name__} has no body")
        delivery = word.delivery
        if not self._wants(delivery, size):
            return Discard(lambda: self._received(message, sender), size)

        return BodyFiles(
            self._partials,
            delivery,
            on_finish=lambda folder, paths: self._take_files(
                message, delivery, sender, folder, paths
            ),
            on_spoilt=lambda fault: self._spoilt(message, sender, fault),
            on_error=lambda error: self._cannot_write(sender, error),
        )

    def _take_files(
        self, message: msg.Say, delivery: Delivery, sender: NodeId, folder: str, paths: list[str]
    ) -> None:
        # Meanwhile another epoch may have begun, or the same may have come another way.
        if self._is_stopped:
            return
        try:
            if self._machines.wants(delivery):
                self._spool.take_in(delivery, paths)
                self._facts.transfer(delivery, sender, message.sent_s)
            self._spool.discard(folder)
        except OSError as error:
            self._cannot_write(sender, error)
        else:
            self._received(message, sender)

    async def _take_placed(self, message: msg.Say, delivery: Delivery, sender: NodeId) -> None:
        """Take in what a transport has brought."""
        number, parts = message.number, delivery.parts
        arrived = await self.arrivals.take(sender, number, message.placed, parts)
        if self._is_stopped:
            return
        if arrived is None:
            self._spoilt(message, sender, "nothing was brought")
        elif arrived.fault:
            self._spool.discard(arrived.folder)
            self._spoilt(message, sender, arrived.fault)
        else:
            self._take_files(message, delivery, sender, arrived.folder, arrived.paths)

    def _cannot_write(self, sender: NodeId, error: OSError) -> None:
        try:
            self._refuse(sender, error)
        except OSError:
            self.broken(f"node {self._node}: {error}")

    def _spoilt(self, message: msg.Say, sender: NodeId, fault: str) -> None:
        """Have a body sent again that is not what its digests say."""
        self._agency.post(sender, Outgoing(msg.Spoilt(self.name, message.number, fault)))

    def _wants(self, delivery: Delivery, size: int) -> bool:
        if delivery.target not in self._known:
            raise TransferError(f"there is no task {delivery.target} in run {self.name}")
        if delivery.size_bytes != size:
            raise TransferError(f"a delivery of {delivery.size_bytes} bytes has a body of {size}")
        return self._machines.wants(delivery)

    def _received(self, message: msg.Say, sender: NodeId) -> None:
        word = message.word
        if message.number and getattr(word, "epoch", 0) > self._machines.view.epoch:
            self._early[sender] = None
        self.tell(ev.Received(sender, message.number, word))

    # -- events --------------------------------------------------------------------------------

    def tell(self, event: ev.Event) -> None:
        """Give an event to the machines, and do what they decide.

        Events that come up meanwhile are taken afterwards, in order, so that no machine is entered
        twice and no call nests deeply.
        """
        self._events.append(event)
        self.tell_all()

    def tell_all(self) -> None:
        """Give the machines the events that wait."""
        if not self._is_stepping and not self._is_stopped:
            self._is_stepping = True
            self._go_on()

    def _go_on(self) -> None:
        events, machines = self._events, self._machines
        try:
            while events:
                self._do(machines.step(events.popleft(), monotonic_s()))
        except (OSError, TransferError) as error:
            self.broken(f"node {self._node}: {error}")
        except Exception as error:
            # A fault of this program: the run must not hang by it, and the agent's log shows where.
            self.broken(f"node {self._node}: internal error: {type(error).__name__}: {error}")
            raise
        finally:
            self._is_stepping = False
        if machines.view.epoch > self._epoch:
            self._epoch = machines.view.epoch
            members = list(machines.view.members)
            self._log.info("epoch.begun", epoch=self._epoch, members=members)
            self._tell_changes(machines.view)
            early, self._early = self._early, {}
            for node in early:
                self._agency.post(node, Outgoing(msg.Again(self.name)))

    def _tell_changes(self, view: View) -> None:
        """Tell the user who takes part no more, or again, as home's agent decided it."""
        before, self._members = self._members, tuple(view.members)
        silent = tuple([node for node in before if node not in view.members])
        back = tuple([node for node in view.members if node not in before])
        if self._machines.members is not None and (silent or back):
            self._facts.note(msg.Changed(silent, back))
            for node in silent:
                self._log.warning("node.gone", peer=node, epoch=view.epoch)
            for node in back:
                self._log.info("node.back", peer=node, epoch=view.epoch)

    def _do(self, actions: list[act.Action]) -> None:
        doing = self._doing
        for action in actions:
            doing[type(action)](action)

    # -- deliveries ----------------------------------------------------------------------------

    def _transmit(self, send: act.Transmit) -> None:
        if send.node == self._node:
            self._events.append(ev.Received(self._node, 0, send.word))
            return
        message = msg.Say(send.number, self.name, monotonic_s(), send.word)
        if isinstance(send.word, words.Deliver):
            refs = send.refs
            if self._spool.has_unchecked and not self._are_sound(refs):
                return
            size = send.word.delivery.size_bytes
            out = Outgoing(message, size, lambda: self._spool.paths_of(refs))
        else:
            out = Outgoing(message)
        self._agency.post(send.node, out)

    def _hand(self, hand: act.Hand) -> None:
        sent_s = monotonic_s()
        if hand.delivery.parts:
            if self._spool.has_unchecked and not self._are_sound(hand.refs):
                return
            hit("inputs.hand")
            self._spool.link_inputs(hand.delivery, hand.refs)
        self._facts.transfer(hand.delivery, self._node, sent_s)

    def damaged(self, number: int) -> None:
        """Look at the files of a word that could not be sent as they were written."""
        refs = self._machines.outbox.refs_of(number)
        for ref in refs:
            self._spool.distrust(ref.task, ref.item)
        self._are_sound(refs)
        self.tell_all()

    def _are_sound(self, refs: Sequence[PartRef]) -> bool:
        """Return whether outputs from before a restart can be used; else say that they cannot."""
        for ref in refs:
            folder = self._spool.output_folder(ref.task, ref.item)
            parts = [each.part for each in refs if (each.task, each.item) == (ref.task, ref.item)]
            if self._is_damaged(ref.task, ref.item, folder, [(p.name, p) for p in parts]):
                return False
        return True

    def _is_damaged(
        self, task: TaskId, item: ItemId, folder: str, files: Sequence[tuple[str, Part]]
    ) -> bool:
        if self._keeper is None or not folder:
            return False
        fault = self._keeper.repair(folder, files)
        if fault:
            what = "accepted input" if task == INGRESS else f"files of task {task}"
            reason = f"{what} for item {item} on node {self._node}: {fault}"
            self._log.warning("damage.found", task=task, item=item, reason=fault)
            self._facts.note(msg.Noted(f"{reason}; made again"))
            self._events.append(ev.Damaged(item, task, reason))
        return bool(fault)

    # -- records -------------------------------------------------------------------------------

    def _persist(self, persist: act.Persist) -> None:
        if self._keeper is None:
            raise TransferError("a record of a run that keeps none")
        record = persist.record
        if isinstance(record, rec.Accepted) and self._inlet is not None:
            self._inlet.accepted(record.seq)
        if self._keeper.persist(persist):
            self._events.append(ev.Kept(record))

    # -- files ---------------------------------------------------------------------------------

    def _drop_inputs(self, drop: act.DropInputs) -> None:
        hit("inputs.drop")
        self._spool.drop_inputs(drop.task, drop.item, drop.epoch)

    def _drop_outputs(self, drop: act.DropOutputs) -> None:
        hit("outputs.drop")
        self._spool.drop_outputs(drop.task, drop.item)

    def _drop_batches(self, drop: act.DropBatches) -> None:
        self._spool.drop_batches(drop.but)

    # -- attempts ------------------------------------------------------------------------------

    def _run(self, run: act.Run) -> None:
        epoch = run.inputs[0].epoch
        try:
            names = self._spool.input_names(run.task, run.inputs)
        except TransferError as error:
            failed = ev.Failed(run.item, run.task, run.attempt, str(error), is_final=True)
            self._events.append(failed)
            return
        if self._spool.has_unchecked:
            parts = [part for each in run.inputs for part in each.parts]
            stored = list(zip(names, parts, strict=True))
            inputs_folder = self._spool.input_folder(run.task, run.item, epoch)
            if self._is_damaged(run.task, run.item, inputs_folder, stored):
                return
        hit("attempt.run")
        try:
            folder = self._spool.new_folder("out", self._output_bytes.get(run.task, UNKNOWN_BYTES))
        except OSError as problem:
            self._events.append(_failed_by(run, problem))
            return
        request = Request(
            run.item,
            run.attempt[1],
            names,
            self._spool.input_folder(run.task, run.item, epoch),
            folder,
        )
        key = (run.task, run.item, run.attempt)
        attempt = self._attempts[key] = _Attempt(run, folder, names[0] if names else "")
        attempt.running = self._pool.execute(
            run.task, request, lambda ended: self._ended(attempt, ended)
        )

    def _ended(self, attempt: _Attempt, ended: Ended) -> None:
        run = attempt.run
        hit("attempt.end")
        self._forget(run.task, run.item, run.attempt)
        parts: tuple[Part, ...] = ()
        error = ended.error
        if not error:
            try:
                parts = self._spool.keep_outputs(run.task, run.item, attempt.folder, ended.outputs)
                if run.task not in self._limited:
                    self._output_bytes[run.task] = sum([part.size_bytes for part in parts])
            except TaskError as problem:
                error = str(problem)
        self._count(attempt, error)
        self._facts.attempt(
            run,
            execute_s=attempt.execute_s,
            input_name=attempt.input_name,
            parts=parts,
            error=f"{error}\n{ended.detail}".strip() if error else "",
        )
        if error:
            self._output_bytes.pop(run.task, None)
            self._spool.discard(attempt.folder)
            failed = ev.Failed(
                run.item, run.task, run.attempt, error, ended.is_final, ended.is_disk_full
            )
            self.tell(failed)
        else:
            self.tell(ev.Finished(run.item, run.task, run.attempt, parts))

    def _kill(self, kill: act.Kill) -> None:
        attempt = self._forget(kill.task, kill.item, kill.attempt)
        if attempt is None or attempt.running is None:
            return
        self._pool.kill(attempt.running)
        self._spool.discard(attempt.folder)
        error = "the attempt was killed: it ran too long, or no longer counted"
        self._count(attempt, error)
        self._facts.attempt(
            attempt.run,
            execute_s=attempt.execute_s,
            input_name=attempt.input_name,
            error=error,
        )

    def _count(self, attempt: _Attempt, error: str) -> None:
        run = attempt.run
        self._tally.attempt(run.task, run.item, monotonic_s() - attempt.execute_s, error)
        if error:
            fields = {"task": run.task, "item": run.item, "attempt": run.attempt[1]}
            self._log.warning("attempt.failed", reason=line_of(error), **fields)

    def _forget(self, task: TaskId, item: ItemId, number: Attempt) -> _Attempt | None:
        attempt = self._attempts.pop((task, item, number), None)
        if attempt is not None and attempt.limit is not None:
            attempt.limit.cancel()
        return attempt

    def _set_timer(self, action: act.SetTimer) -> None:
        loop = asyncio.get_running_loop()
        timer = action.timer
        if timer.kind == "timeout":
            # There is one for every attempt, and hardly any of them comes.
            attempt = self._attempts.get((timer.task, timer.item, timer.attempt))
            if attempt is not None:
                attempt.limit = loop.call_later(action.delay_s, self.tell, ev.Due(timer))
            return

        def due() -> None:
            self._timers.discard(handle)
            self.tell(ev.Due(timer))

        handle = loop.call_later(action.delay_s, due)
        self._timers.add(handle)

    # -- workers -------------------------------------------------------------------------------

    def _start(self, start: act.Start) -> None:
        self._begin_job(self._start_workers(start.task))

    def _begin_job(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _start_workers(self, task: TaskId) -> None:
        try:
            await self._pool.start(task)
        except (TaskError, OSError) as error:
            self.tell(ev.Unready(task, str(error)))
        else:
            self.tell(ev.Ready(task))

    def _stop(self, stop: act.Stop) -> None:
        self._pool.stop(stop.task)

    # -- the two ends --------------------------------------------------------------------------

    def _accept(self, accept: act.Accept) -> None:
        hit("item.accept")
        if self._inlet is not None:
            if self._keeper is None:
                self._inlet.accepted(accept.seq)
            self._inlet.feed()
        self._facts.note(msg.Accepted(accept.seq, accept.name, accept.offered_s, monotonic_s()))

    def _publish(self, publish: act.Publish) -> None:
        hit("results.show")
        moved: list[str] = []
        for delivery, names in publish.commit.results:
            if delivery.parts:
                moved += self._spool.move_results(delivery, self._results, names)
        hit("results.renamed")
        shown = ev.Shown(publish.commit.number)
        if self._keeper is None or not (moved or self._showing):
            self._events.append(shown)
            return

        def synced() -> None:
            hit("results.synced")
            self._showing -= 1
            self.tell(shown)

        self._showing += 1  # what is shown later must not be said to be so before
        self._keeper.sync_files(moved, [str(self._results)] if moved else [], synced)

    def _resolve(self, resolve: act.Resolve) -> None:
        end = resolve.ending
        hit("item.resolve")
        now = monotonic_s()
        self._tally.end(end.outcome, now)
        if end.outcome == "failed":
            self._log.warning("item.failed", item=item_id(end.seq), reason=line_of(end.detail))
        self._facts.note(msg.Ended(end.seq, end.outcome, end.detail, end.results, now))

    def _drained(self, drained: act.Drained) -> None:
        self._facts.note(msg.RunDrained())
        self._facts.flush()

    def _nothing(self, action: act.Action) -> None:
        """Carry out what has no effect here: everything is on disk from the start."""


def _failed_by(run: act.Run, problem: OSError) -> ev.Failed:
    """Return the end of an attempt that this node's disk is to blame for."""
    reason = f"node cannot store its outputs: {os.strerror(problem.errno or errno.EIO)}"
    return ev.Failed(run.item, run.task, run.attempt, reason, is_ours=problem.errno in FULL)
