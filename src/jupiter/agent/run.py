"""One run on one agent: feeds events to the machines of its node and carries out their actions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from jupiter.agent.config import config_of
from jupiter.agent.facts import FactBook
from jupiter.agent.link import Outgoing
from jupiter.agent.spool import BodyFiles, Discard, Spool, write_parts
from jupiter.agent.workers import Ended, Request, Running, WorkerPool
from jupiter.aio.channel import BodySink
from jupiter.aio.clock import monotonic_s
from jupiter.control.node import Node
from jupiter.errors import TaskError, TransferError
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Part
from jupiter.model.view import View

Key = tuple[TaskId, ItemId, Attempt]


class Agency(Protocol):
    """The agent, as a run sees it."""

    def post(self, node: NodeId, out: Outgoing) -> None:
        """Send a message to another node, as far as the way to it works."""

    def report(self, message: msg.Facts) -> None:
        """Tell home."""


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
        node: Name of this node.
        cores: Executions of one core each that can run here at once.
        folder: For the files of the run.
        pool: Its workers; those of the tasks mapped here have started.
        agency: The way to the others.
    """

    def __init__(
        self,
        prepare: msg.Prepare,
        *,
        node: NodeId,
        cores: int,
        folder: Path,
        pool: WorkerPool,
        agency: Agency,
    ) -> None:
        self.name = prepare.run
        self._node = node
        self._pool = pool
        self._agency = agency
        self._spool = Spool(folder)
        self._results = Path(prepare.results_dir)
        self._facts = FactBook(prepare.run, node, agency.report)
        self._machines = Node(config_of(prepare, node, cores))
        self._known = {plan.name for plan in prepare.tasks}
        if node == prepare.home:
            self._known.add(SINK)
        self._paths: deque[tuple[str, ...]] = deque()
        self._events: deque[ev.Event] = deque()
        self._is_stepping = False
        self._is_stopped = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._attempts: dict[Key, _Attempt] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        # Who said something of an epoch that is still to come; they are asked to say it again.
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
            act.Evict: self._nothing,
        }

    def start(self) -> None:
        """Begin."""
        self._is_stepping = True
        self._do(self._machines.start(monotonic_s()))
        self._go_on()

    # -- from home -----------------------------------------------------------------------------

    def offer(self, inputs: Sequence[Sequence[str]]) -> None:
        """Offer inputs to the ingress.

        Raises:
            TransferError: An input file cannot be read.
        """
        for paths in inputs:
            parts = []
            for path in paths:
                try:
                    parts.append(Part(Path(path).name, Path(path).stat().st_size))
                except OSError as error:
                    raise TransferError(f"input {path} cannot be read: {error.strerror}") from error
            name = parts[0].name if parts else ""
            self._paths.append(tuple(paths))
            self.tell(ev.Offered(name, tuple(parts)))

    def close_input(self) -> None:
        """Note that no more inputs will come."""
        self.tell(ev.InputClosed())

    def stop(self) -> None:
        """Kill the workers and remove the files."""
        self._is_stopped = True
        for timer in self._timers:
            timer.cancel()
        for attempt in self._attempts.values():
            if attempt.limit is not None:
                attempt.limit.cancel()
        for job in self._jobs:
            job.cancel()
        self._pool.close()
        self._facts.flush()
        self._spool.remove()

    def broken(self, reason: str) -> None:
        """Tell home that this run cannot go on."""
        self._facts.note(msg.Broken(reason))
        self._facts.flush()

    def note(self, text: str) -> None:
        """Tell the user something."""
        self._facts.note(msg.Noted(text))

    # -- from other nodes ----------------------------------------------------------------------

    def receive(self, message: msg.Say, body: bytes, sender: NodeId) -> None:
        """Take in a word; its body, if any, is short and complete.

        Raises:
            TransferError: It cannot be what another node of this run says.
        """
        word = message.word
        if isinstance(word, words.Deliver):
            delivery = word.delivery
            if self._wants(delivery, len(body)):
                if delivery.parts and not self._spool.carry(delivery):
                    paths = self._spool.open_inputs(delivery)
                    write_parts(paths, [part.size_bytes for part in delivery.parts], body)
                self._facts.transfer(delivery, sender, message.sent_s)
        self._received(message, sender)

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
            return Discard(lambda: self._received(message, sender))
        folder = self._spool.new_folder()

        def finish(paths: list[str]) -> None:
            # Meanwhile another epoch may have begun, or the same may have come another way.
            if not self._is_stopped:
                if self._machines.wants(delivery):
                    self._spool.take_in(delivery, paths)
                    self._facts.transfer(delivery, sender, message.sent_s)
                self._spool.discard(folder)
                self._received(message, sender)

        sizes = [part.size_bytes for part in delivery.parts]
        return BodyFiles(folder, sizes, finish, lambda: self._spool.discard(folder))

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
        if machines.view.epoch != self._epoch:
            self._epoch = machines.view.epoch
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
            size = send.word.delivery.size_bytes
            out = Outgoing(message, size, lambda: self._spool.paths_of(refs))
        else:
            out = Outgoing(message)
        self._agency.post(send.node, out)

    def _hand(self, hand: act.Hand) -> None:
        sent_s = monotonic_s()
        if hand.delivery.parts:
            self._spool.link_inputs(hand.delivery, hand.refs)
        self._facts.transfer(hand.delivery, self._node, sent_s)

    def _drop_inputs(self, drop: act.DropInputs) -> None:
        self._spool.drop_inputs(drop.task, drop.item, drop.epoch)

    def _drop_outputs(self, drop: act.DropOutputs) -> None:
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
        folder = self._spool.new_folder()
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
        self._forget(run.task, run.item, run.attempt)
        parts: tuple[Part, ...] = ()
        error = ended.error
        if not error:
            try:
                parts = self._spool.keep_outputs(run.task, run.item, attempt.folder, ended.outputs)
            except TaskError as problem:
                error = str(problem)
        self._facts.attempt(
            run,
            execute_s=attempt.execute_s,
            input_name=attempt.input_name,
            parts=parts,
            error=f"{error}\n{ended.detail}".strip() if error else "",
        )
        if error:
            self._spool.discard(attempt.folder)
            self.tell(ev.Failed(run.item, run.task, run.attempt, error, ended.is_final))
        else:
            self.tell(ev.Finished(run.item, run.task, run.attempt, parts))

    def _kill(self, kill: act.Kill) -> None:
        attempt = self._forget(kill.task, kill.item, kill.attempt)
        if attempt is None or attempt.running is None:
            return
        self._pool.kill(attempt.running)
        self._spool.discard(attempt.folder)
        self._facts.attempt(
            attempt.run,
            execute_s=attempt.execute_s,
            input_name=attempt.input_name,
            error="the attempt was killed: it ran too long, or no longer counted",
        )

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
        job = asyncio.ensure_future(self._start_workers(start.task))
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
        self._spool.give(INGRESS, item_id(accept.seq), self._paths.popleft())
        self._facts.note(msg.Accepted(accept.seq, accept.name, accept.offered_s, monotonic_s()))

    def _publish(self, publish: act.Publish) -> None:
        for delivery, names in publish.commit.results:
            if delivery.parts:
                self._spool.move_results(delivery, self._results, names)
        self._events.append(ev.Shown(publish.commit.number))

    def _resolve(self, resolve: act.Resolve) -> None:
        end = resolve.ending
        self._facts.note(msg.Ended(end.seq, end.outcome, end.detail, end.results, monotonic_s()))

    def _drained(self, drained: act.Drained) -> None:
        self._facts.note(msg.RunDrained())
        self._facts.flush()

    def _nothing(self, action: act.Action) -> None:
        """Carry out what has no effect here: everything is on disk from the start."""
