"""One run on one agent: feeds events to the machines of its node and carries out their actions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace as replace_place
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from jupiter.agent.attempts import Attempts, Reports
from jupiter.agent.config import config_of
from jupiter.agent.facts import FactBook
from jupiter.agent.inlet import Inlet
from jupiter.agent.intake import Intake
from jupiter.agent.journal import FULL, FULL_WAIT_S, Journal
from jupiter.agent.keeper import Keeper
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.place import Agency, Place
from jupiter.agent.spool import Memory, Spool
from jupiter.agent.status import run_status
from jupiter.agent.workers import WorkerPool
from jupiter.aio.clock import monotonic_s, wall_s
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
from jupiter.model.items import Delivery, Part, PartRef
from jupiter.model.status import RunStatus
from jupiter.model.view import View


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
        memory = Memory(place.cache, place.cache_bytes, place.memory_file_bytes(prepare))
        self._spool = Spool(place.spool_roots[0], memory)
        self._tally = place.tally
        self._log = get_log(run=prepare.run)
        self._problem = ""
        self._results = Path(prepare.results_dir)
        self.facts = FactBook(prepare.run, place.node, agency.report, place.life)
        self._facts = self.facts
        self._machines = Node(self._config())
        known = {plan.name for plan in prepare.tasks}
        self._inlet: Inlet | None = None
        if place.node == prepare.home:
            known.add(SINK)
        self.intake = Intake(prepare, known, self._spool, self._facts, agency, self)
        """Takes in what other nodes say."""
        reports = Reports(self._facts, place.tally, self._log, self.tell)
        self._attempts = Attempts(prepare, self._spool, pool, reports, self._is_damaged)
        self._keeper: Keeper | None = None
        if prepare.durability != "none":
            journal = Journal(place.folder / "journal", agency.die)
            self._keeper = Keeper(journal, self._spool, self.tell)
        self._events: deque[ev.Event] = deque()
        self._is_stepping = False
        self._is_stopped = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        # Decided results that are not in their folder yet, and what of them has been moved there.
        self._unshown: deque[tuple[rec.Committed, list[str]]] = deque()
        self._showing = 0
        # Who said something of an epoch that is still to come; they are asked to say it again.
        self._early: dict[NodeId, None] = {}
        self._epoch = 1
        self._members = tuple(prepare.members)
        self._doing: dict[type, Callable[[Any], None]] = {
            act.Transmit: self._transmit,
            act.Hand: self._hand,
            act.Run: self._attempts.run,
            act.Kill: self._attempts.kill,
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
        if recovered.is_cut:
            self._mend_cut(recovered.records)
        return recovered.records

    def _mend_cut(self, records: Sequence[rec.Record]) -> None:
        """Go on after an end that may have been acknowledged is missing.

        A node between the ends takes part under another incarnation, so all is sent again. At home
        what was accepted is offered again; only results that nobody knows show that more is lost.

        Raises:
            TransferError: Results were decided of which nothing is written down.
        """
        if self._node != self.prepare.home:
            self._place = replace_place(self._place, incarnation=self._agency.renew())
            return
        known = {
            name
            for record in records
            if isinstance(record, rec.Committed)
            for _, names in record.results
            for name in names
        }
        shown = [path.name for path in self._results.iterdir() if path.is_file()]
        strange = {name for name in shown if not name.startswith(".")} - known
        if strange:
            raise TransferError(
                f"node {self._node}: the end of the journal is missing: it does not know of "
                f"{min(strange)} among the results"
            )

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
        # The monotonic clock may have begun anew since then.
        behind_s = wall_s() - monotonic_s()
        for record, written_s in self._keeper.records():
            at_s = written_s - behind_s
            match record:
                case rec.Accepted(seq, name):
                    self._facts.note(msg.Accepted(seq, name, at_s, at_s))
                case rec.Committed(endings=endings):
                    for end in endings:
                        ended = msg.Ended(end.seq, end.outcome, end.detail, end.results, at_s)
                        self._facts.note(ended)
        ingress = self._machines.ingress
        if ingress is not None and ingress.is_drained:
            self._facts.note(msg.RunDrained(ingress.total))
        self._facts.flush()

    def stop(self) -> None:
        """Kill the workers and write nothing more."""
        self._is_stopped = True
        for timer in self._timers:
            timer.cancel()
        self._attempts.stop()
        for job in self._jobs:
            job.cancel()
        if self._inlet is not None:
            self._inlet.stop()
        self.intake.stop()
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
        return tuple(map(str, self._place.spool_roots))

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

    def wants(self, delivery: Delivery) -> bool:
        """Return whether the parts of a delivery must be stored."""
        return self._machines.wants(delivery)

    def received(self, message: msg.Say, sender: NodeId) -> None:
        """Take a word that has come with all its parts."""
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
            hit("epoch.begin")
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
            hit("word.send")
            size = send.word.delivery.size_bytes
            out = Outgoing(message, size, lambda: self._spool.paths_of(refs))
        else:
            if isinstance(send.word, words.Ack):
                hit("word.acknowledge")
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

    # -- timers and workers ---------------------------------------------------------------------

    def _set_timer(self, action: act.SetTimer) -> None:
        timer = action.timer
        if timer.kind == "timeout":
            self._attempts.limit(timer, action.delay_s)
            return

        def due() -> None:
            self._timers.discard(handle)
            self.tell(ev.Due(timer))

        handle = asyncio.get_running_loop().call_later(action.delay_s, due)
        self._timers.add(handle)

    def _start(self, start: act.Start) -> None:
        hit("workers.start")
        job = asyncio.ensure_future(self._start_workers(start.task))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _start_workers(self, task: TaskId) -> None:
        try:
            await self._pool.start(task)
        except (TaskError, OSError) as error:
            self.tell(ev.Unready(task, str(error)))
        else:
            hit("workers.ready")
            self.tell(ev.Ready(task))

    def _stop(self, stop: act.Stop) -> None:
        hit("workers.stop")
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
        self._unshown.append((publish.commit, []))
        if len(self._unshown) == 1:  # else they wait behind one that waits for room
            self._show_all()

    def _show_all(self) -> None:
        """Show the results that were decided, in this order, as far as there is room for them."""
        while self._unshown:
            commit, moved = self._unshown[0]
            try:
                for delivery, names in commit.results:
                    if delivery.parts:
                        moved += self._spool.move_results(delivery, self._results, names)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self._show_later()
                return
            self._unshown.popleft()
            hit("results.renamed")
            self._sync_shown(ev.Shown(commit.number), moved)

    def _sync_shown(self, shown: ev.Shown, moved: Sequence[str]) -> None:
        if self._keeper is None or not (moved or self._showing):
            self._events.append(shown)
            return

        def synced() -> None:
            hit("results.synced")
            self._showing -= 1
            self.tell(shown)

        self._showing += 1  # what is shown later must not be said to be so before
        self._keeper.sync_files(moved, [str(self._results)] if moved else [], synced)

    def _show_later(self) -> None:
        """Wait for room in the folder of the results."""
        self._log.warning("disk.full", what="results")

        def again() -> None:
            self._timers.discard(handle)
            if self._is_stopped:
                return
            try:
                self._show_all()
            except OSError as error:
                self.broken(f"node {self._node}: {error}")
            self.tell_all()

        handle = asyncio.get_running_loop().call_later(FULL_WAIT_S, again)
        self._timers.add(handle)

    def _resolve(self, resolve: act.Resolve) -> None:
        end = resolve.ending
        hit("item.resolve")
        now = monotonic_s()
        self._tally.end(end.outcome, now)
        if end.outcome == "failed":
            self._log.warning("item.failed", item=item_id(end.seq), reason=line_of(end.detail))
        self._facts.note(msg.Ended(end.seq, end.outcome, end.detail, end.results, now))

    def _drained(self, drained: act.Drained) -> None:
        ingress = self._machines.ingress
        self._facts.note(msg.RunDrained(ingress.total if ingress is not None else 0))
        self._facts.flush()

    def _nothing(self, action: act.Action) -> None:
        """Carry out what has no effect here: everything is on disk from the start."""
