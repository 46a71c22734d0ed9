"""One run on one agent: feeds events to the state machines and carries out their actions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from jupiter.agent.spool import BodyFiles, Spool, write_parts
from jupiter.agent.workers import Ended, Request, WorkerPool
from jupiter.aio.channel import BodySink
from jupiter.aio.clock import monotonic_s
from jupiter.control.dispatch import Dispatcher
from jupiter.control.ingress import Ingress
from jupiter.control.plan import entries_of, sinks_of
from jupiter.control.policy import StaticPlacement
from jupiter.control.sink import Sink
from jupiter.errors import TaskError, TransferError
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Delivery, Part
from jupiter.model.run import TaskRecord, TransferRecord

FACTS_WAIT_S = 0.05
"""Facts are collected this long before they go home together."""

Fact = msg.Accepted | msg.Ended | msg.RunDrained | msg.Broken


class Outbox(Protocol):
    """The agent, as a run sees it."""

    def post(
        self,
        node: NodeId,
        make: Callable[[int], msg.Deliver | msg.EdgeEnd | msg.HeldBack],
        paths: Sequence[str] = (),
        size_bytes: int = 0,
        on_got: Callable[[float], None] = ...,
    ) -> None:
        """Send a message to another node until it is acknowledged."""

    def report(self, message: msg.Facts) -> None:
        """Tell home."""


class AgentRun:
    """Everything that this node holds and does for one run.

    Args:
        prepare: What home ordered.
        node: Name of this node.
        cores: Executions of one core each that can run here at once.
        folder: For the files of the run.
        pool: Its workers, started.
        outbox: The way to the others.
    """

    def __init__(
        self,
        prepare: msg.Prepare,
        *,
        node: NodeId,
        cores: int,
        folder: Path,
        pool: WorkerPool,
        outbox: Outbox,
    ) -> None:
        self.name = prepare.run
        self._node = node
        self._home = prepare.home
        self._pool = pool
        self._outbox = outbox
        self._spool = Spool(folder)
        self._results = Path(prepare.results_dir)
        policy = StaticPlacement(prepare.mapping)
        here = [plan for plan in prepare.tasks if prepare.mapping[plan.name] == node]
        self._dispatcher = Dispatcher(here, cores, policy, prepare.home)
        self._served = {plan.name for plan in here}
        self._ingress: Ingress | None = None
        self._sink: Sink | None = None
        if node == prepare.home:
            self._ingress = Ingress(entries_of(prepare.tasks), policy, prepare.in_flight_max)
            self._sink = Sink(sinks_of(prepare.tasks))
            self._served.add(SINK)
        self._paths: deque[tuple[str, ...]] = deque()
        self._events: deque[ev.Event] = deque()
        self._is_stepping = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: list[TaskRecord] = []
        self._transfers: list[TransferRecord] = []
        self._others: list[Fact] = []
        self._flush_timer: asyncio.TimerHandle | None = None

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
        for timer in self._timers:
            timer.cancel()
        self._pool.close()
        self._flush()
        self._spool.remove()

    # -- from other nodes ----------------------------------------------------------------------

    def receive(
        self, message: msg.Deliver, body: bytes, source: NodeId, got: Callable[[float], None]
    ) -> None:
        """Take in a delivery whose body is short and complete."""
        delivery = message.delivery
        if self._must_store(delivery):
            paths = self._spool.open_inputs(delivery)
            write_parts(paths, [part.size_bytes for part in delivery.parts], body)
            self._arrived(message, source)
        got(monotonic_s())

    def receive_long(
        self, message: msg.Deliver, size: int, source: NodeId, got: Callable[[float], None]
    ) -> BodySink:
        """Return where the long body of a delivery goes."""
        delivery = message.delivery
        sizes = [part.size_bytes for part in delivery.parts]
        if sum(sizes) != size:
            raise TransferError(f"a delivery of {sum(sizes)} bytes has a body of {size}")
        if not self._must_store(delivery):
            return Discard(lambda: got(monotonic_s()))

        def finish() -> None:
            if not self._has_seen(delivery):
                self._arrived(message, source)
            got(monotonic_s())

        return BodyFiles(self._spool.open_inputs(delivery), sizes, finish)

    def tell(self, event: ev.Event) -> None:
        """Give an event to the machine that it concerns, and do what that decides.

        Events that come up meanwhile are taken afterwards, in order, so that no machine is entered
        twice and no call nests deeply.
        """
        self._events.append(event)
        if self._is_stepping:
            return
        self._is_stepping = True
        try:
            while self._events:
                for action in self._step(self._events.popleft()):
                    self._do(action)
        finally:
            self._is_stepping = False

    def _step(self, event: ev.Event) -> list[act.Action]:
        now = monotonic_s()
        match event:
            case ev.Arrived(Delivery(target=target)) | ev.EdgeEnded(target=target):
                if target == SINK:
                    return self._sink.step(event, now) if self._sink else []
                return self._dispatcher.step(event, now)
            case ev.Offered() | ev.InputClosed() | ev.Held() | ev.Resolved():
                return self._ingress.step(event, now) if self._ingress else []
            case _:
                return self._dispatcher.step(event, now)

    def _has_seen(self, delivery: Delivery) -> bool:
        if delivery.target == SINK:
            return self._sink is not None and self._sink.has_seen(delivery)
        return self._dispatcher.has_seen(delivery)

    def _must_store(self, delivery: Delivery) -> bool:
        if delivery.target not in self._served:
            raise TransferError(f"node {self._node} does not run task {delivery.target}")
        return not self._has_seen(delivery)

    def _arrived(self, message: msg.Deliver, source: NodeId) -> None:
        self._note_transfer(message.delivery, source, self._node, message.sent_s)
        self.tell(ev.Arrived(message.delivery))

    # -- actions -------------------------------------------------------------------------------

    def _do(self, action: act.Action) -> None:  # noqa: C901 - one case an action
        match action:
            case act.Run():
                self._execute(action)
            case act.Send():
                self._send(action)
            case act.SendEnd(source, target, node, count):
                if node == self._node:
                    self._events.append(ev.EdgeEnded(source, target, count))
                else:
                    self._outbox.post(
                        node, lambda n: msg.EdgeEnd(n, self.name, source, target, count)
                    )
            case act.SendHeld(origins):
                if self._home == self._node:
                    self._events.append(ev.Held(origins))
                else:
                    self._outbox.post(self._home, lambda n: msg.HeldBack(n, self.name, origins))
            case act.Later(item, task, delay_s):
                self._later(delay_s, ev.Due(item, task))
            case act.DropInputs(item, task):
                self._spool.drop_inputs(task, item)
            case act.DropOutputs(item, task):
                self._spool.drop_outputs(task, item)
            case act.KeepResult(delivery, names):
                self._spool.move_results(delivery, self._results, names)
            case act.Accept(seq, name, offered_s):
                self._spool.give(INGRESS, item_id(seq), self._paths.popleft())
                self._note(msg.Accepted(seq, name, offered_s, monotonic_s()))
            case act.Resolve(seq, outcome, detail, results):
                self._note(msg.Ended(seq, outcome, detail, results, monotonic_s()))
                self._events.append(ev.Resolved(seq, outcome, detail, results))
            case act.Drained():
                self._note(msg.RunDrained())
                self._flush()

    def _later(self, delay_s: float, event: ev.Event) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self.tell(event)

        timer = asyncio.get_running_loop().call_later(delay_s, due)
        self._timers.add(timer)

    def _send(self, send: act.Send) -> None:
        delivery = send.delivery
        sent_s = monotonic_s()
        is_ours = delivery.source != INGRESS
        if send.node == self._node:
            if delivery.parts:
                self._spool.link_inputs(delivery, send.refs)
            self._note_transfer(delivery, self._node, self._node, sent_s)
            self._events.append(ev.Arrived(delivery))
            if is_ours:
                self._events.append(ev.Delivered(send.refs))
            return

        def on_got(at_s: float) -> None:
            if is_ours:
                self.tell(ev.Delivered(send.refs))

        self._outbox.post(
            send.node,
            lambda n: msg.Deliver(n, self.name, delivery, sent_s),
            [self._spool.path_of(ref) for ref in send.refs],
            delivery.size_bytes,
            on_got,
        )

    def _execute(self, run: act.Run) -> None:
        names = self._spool.input_names(run.task, run.inputs)
        folder = self._spool.new_output_folder()
        request = Request(
            run.item,
            run.attempt,
            names,
            self._spool.input_folder(run.task, run.item),
            folder,
        )
        execute_s = monotonic_s()

        def end(ended: Ended) -> None:
            self._end(run, ended, folder, execute_s, names[0] if names else "")

        self._pool.execute(run.task, request, end)

    def _end(
        self, run: act.Run, ended: Ended, folder: str, execute_s: float, input_name: str
    ) -> None:
        parts: tuple[Part, ...] = ()
        error = ended.error
        if not error:
            try:
                parts = self._spool.keep_outputs(run.task, run.item, folder, ended.outputs)
            except TaskError as problem:
                error = str(problem)
        self._tasks.append(
            TaskRecord(
                item=run.item,
                task=run.task,
                node=self._node,
                enter_s=run.enter_s,
                execute_s=execute_s,
                finish_s=monotonic_s(),
                attempt=run.attempt,
                input_name=input_name,
                input_bytes=sum(each.size_bytes for each in run.inputs),
                output_bytes=sum(part.size_bytes for part in parts),
                status="failed" if error else "done",
                detail=f"{error}\n{ended.detail}".strip() if error else "",
            )
        )
        self._soon()
        if error:
            self._spool.discard_outputs(folder)
            self.tell(ev.Failed(run.item, run.task, run.attempt, error, ended.is_final))
        else:
            self.tell(ev.Finished(run.item, run.task, run.attempt, parts))

    # -- facts ---------------------------------------------------------------------------------

    def _note_transfer(
        self, delivery: Delivery, source: NodeId, target: NodeId, sent_s: float
    ) -> None:
        self._transfers.append(
            TransferRecord(
                item=ItemId(delivery.item),
                source_task=TaskId(delivery.source),
                target_task=TaskId(delivery.target),
                source=source,
                target=target,
                size_bytes=delivery.size_bytes,
                send_s=sent_s,
                arrive_s=monotonic_s(),
                file_names=tuple(part.name for part in delivery.parts),
            )
        )
        self._soon()

    def _note(self, fact: Fact) -> None:
        self._others.append(fact)
        self._soon()

    def broken(self, reason: str) -> None:
        """Tell home that this run cannot go on."""
        self._note(msg.Broken(reason))
        self._flush()

    def _soon(self) -> None:
        if self._flush_timer is None:
            loop = asyncio.get_running_loop()
            self._flush_timer = loop.call_later(FACTS_WAIT_S, self._flush)

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._tasks or self._transfers or self._others:
            facts = msg.Facts(
                self.name, tuple(self._tasks), tuple(self._transfers), tuple(self._others)
            )
            self._tasks, self._transfers, self._others = [], [], []
            self._outbox.report(facts)


class Discard:
    """Takes a long body that is already here, or that is only a probe.

    Args:
        on_finish: Called when all of it has come.
    """

    def __init__(self, on_finish: Callable[[], None]) -> None:
        self._on_finish = on_finish

    def write(self, data: bytes) -> None:
        """Throw the bytes away."""

    def finish(self) -> None:
        """Say that it came."""
        self._on_finish()

    def abort(self) -> None:
        """Do nothing: nothing was kept."""
