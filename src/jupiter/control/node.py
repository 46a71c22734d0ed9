"""All state machines of one node, and what passes between them: events in, actions out.

`Node` is what agents and the simulator drive. It fences off what belongs to another epoch, writes
down before it acknowledges, and hands on what its machines say to each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jupiter.control.dispatch import Dispatcher
from jupiter.control.ingress import Ingress
from jupiter.control.membership import Membership
from jupiter.control.outbox import CREDIT_MAX, Outbox
from jupiter.control.placing import Placing
from jupiter.control.plan import entries_of, sinks_of
from jupiter.control.policy import make_policy
from jupiter.control.reconcile import Reconciler
from jupiter.control.sink import Sink
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Delivery, PartRef, TaskPlan
from jupiter.model.view import Numbers, View

Level = Literal["none", "ingress", "hop"]


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """What a node is told before anything else.

    Attributes:
        node: Its name.
        home: Node of the ingress and the sink.
        plans: Of all tasks, in topological order.
        preferred: Where the schedule wants every task.
        cores: Executions of one core that can run here at once.
        incarnation: Another number every time that this node has forgotten what it knew.
        view: The first view; None for a node that comes later.
        placement: Name of a policy.
        ready: Tasks whose workers have started.
        has_workers: Workers are started and stopped as the view wants; else all are ready.
        level: What survives: ``none`` keeps everything in memory; ``ingress`` syncs what home
            writes; ``hop`` syncs everything everywhere.
        in_flight_max: As for `Ingress`.
        is_ordered: As for `Sink`.
        beat_s: Time between two signs of life; 0 where nobody is expected to die.
        lease_s: As for `Membership`.
        settle_s: As for `Membership`.
        has_acks: Words can get lost; else nothing is acknowledged, and nothing is kept for it.
        resend_s: As for `Outbox`.
        first_number: As for `Outbox`.
        memory_bytes_max: As for `Join`.
        credit_max: As for `Outbox`.
    """

    node: NodeId
    home: NodeId
    plans: tuple[TaskPlan, ...]
    preferred: Mapping[TaskId, NodeId]
    cores: int = 1
    incarnation: int = 1
    view: View | None = None
    placement: str = "static"
    ready: tuple[TaskId, ...] = ()
    has_workers: bool = False
    level: Level = "none"
    in_flight_max: int = 32
    is_ordered: bool = False
    beat_s: float = 0.0
    lease_s: float = 0.0
    settle_s: float = 1.0
    has_acks: bool = True
    resend_s: float = 0.0
    first_number: int = 1
    memory_bytes_max: int = 0
    credit_max: int = CREDIT_MAX


class Node:
    """One node of one stream."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self.node = config.node
        self.home = config.home
        self._plans = {plan.name: plan for plan in config.plans}
        self.view = View(0, {}, {})
        self.is_member = False
        self._settled = SeqSet()
        self._total = -1
        self._pushed = 0
        self._adopting = 0
        self._forgetting = Numbers()
        self._asked_epoch = 0
        # Who waits for what is being written down: by target, item and source.
        self._keeping: dict[tuple[str, str, str], list[tuple[NodeId, int]]] = {}
        self.dispatcher = Dispatcher(
            config.plans, config.cores, config.home, config.memory_bytes_max
        )
        self.outbox = Outbox(config.first_number, config.resend_s, config.credit_max)
        self.placing = Placing(config.node, config.home, self._plans, make_policy(config.placement))
        self.workers = Reconciler(config.ready)
        self.ingress: Ingress | None = None
        self.sink: Sink | None = None
        self.members: Membership | None = None
        if config.node == config.home:
            self.sink = Sink(sinks_of(config.plans), is_ordered=config.is_ordered)
            entries = entries_of(config.plans)
            self.ingress = Ingress(entries, config.in_flight_max, self.sink.ending)
            self.members = Membership(
                config.home, config.plans, config.preferred, config.lease_s, config.settle_s
            )
        self._todo: deque[ev.Event] = deque()
        self._out: list[act.Action] = []
        self._now = 0.0
        self._doing: dict[type, Callable[[Any], None]] = {
            act.Send: self._send,
            act.Say: self._say,
            act.Persist: self._persist,
            act.Expect: self._expect,
            act.Settle: self._settle,
            act.Transmit: self._pass,
            act.Park: self._park,
            act.DropBatches: self._drop_batches,
        }
        self._taking: dict[type, Callable[[Any], None]] = {
            ev.Received: self._received,
            ev.Finished: self._dispatch,
            ev.Failed: self._dispatch,
            ev.Arrived: self._arrived,
            ev.Ready: self._ready,
            ev.Unready: self._unready,
            ev.Due: self._due,
            ev.Kept: self._kept,
            ev.Connected: self._connected,
            ev.Offered: self._enter,
            ev.InputClosed: self._enter,
            ev.Held: self._enter,
            ev.Shown: self._shown,
        }

    # -- from outside --------------------------------------------------------------------------

    def start(self, now: float) -> list[act.Action]:
        """Begin; return what is to be done first."""
        self._now = now
        first = self._config.view
        if first is not None:
            if self.members is not None:
                self._do(self.members.start(first, now))
            self._adopting = first.epoch
            self._persist(act.Persist(rec.Seen(first), is_synced=True))
        self._beat_again()
        return self._flush()

    def step(self, event: ev.Event, now: float) -> list[act.Action]:
        """Take in one event and return what is to be done, in this order.

        Args:
            event: Any but those between the machines of one node.
            now: Seconds on the clock of this node; never less than before.
        """
        self._now = now
        self._taking[type(event)](event)
        return self._flush()

    def wants(self, delivery: Delivery) -> bool:
        """Return whether the parts of a delivery that comes in must be stored."""
        if delivery.epoch != self.view.epoch or not self.is_member:
            return False
        if self._is_over(delivery):
            return False
        if delivery.target == SINK:
            return self.sink is not None and self.sink.wants(delivery)
        return self.dispatcher.wants(delivery)

    @property
    def size(self) -> int:
        """Entries in memory about items that have not ended; 0 when idle."""
        size = self.dispatcher.size + self.outbox.size + self.placing.size
        return size + (self.sink.size if self.sink is not None else 0)

    def _flush(self) -> list[act.Action]:
        todo, dispatcher = self._todo, self.dispatcher
        while True:
            while todo:
                event = todo.popleft()
                self._taking[type(event)](event)
            if not dispatcher.can_start:
                break
            started = dispatcher.start()
            if not started:
                break
            self._do(started)
        out, self._out = self._out, []
        return out

    # -- doing ---------------------------------------------------------------------------------

    def _do(self, actions: list[act.Action]) -> None:
        """Carry out what concerns other machines of this node, and pass on the rest."""
        doing = self._doing
        out = self._out
        for action in actions:
            do = doing.get(type(action))
            if do is None:
                out.append(action)
            else:
                do(action)

    def _send(self, send: act.Send) -> None:
        delivery = send.delivery
        if delivery.epoch != self.view.epoch:
            return
        node = self.placing.where(delivery.target, delivery.item)
        if self.placing.is_asking and self._is_over(delivery):
            return  # it ended while its place was asked for
        if node is None:
            self.placing.park(send)
            last = max(delivery.origins)
            self._do(self.placing.expect(delivery.target, delivery.item, last))
        elif node != self.node:
            self._post(node, words.Deliver(delivery), send.refs)
        elif self.wants(delivery):
            self._out.append(act.Hand(delivery, send.refs))
            self._take(delivery, self.node, 0)
        else:
            self._take(delivery, self.node, 0)

    def _say(self, say: act.Say) -> None:
        if say.node == self.node:
            self._heed(self.node, 0, say.word)
        else:
            self._post(say.node, say.word, ())

    def _post(self, node: NodeId, word: words.Word, refs: tuple[PartRef, ...]) -> None:
        if self._config.has_acks:
            self._out += self.outbox.post(node, word, refs)
        else:
            self._out.append(act.Transmit(node, 0, word, refs))

    def _park(self, park: act.Park) -> None:
        self._enter(ev.Parked(park.origins))

    def _drop_batches(self, drop: act.DropBatches) -> None:
        showing = self.sink.showing if self.sink is not None else ()
        self._out.append(act.DropBatches(showing))

    def _pass(self, transmit: act.Transmit) -> None:
        if transmit.node == self.node:
            self._todo.append(ev.Received(self.node, 0, transmit.word))
        else:
            self._out.append(transmit)

    def _persist(self, persist: act.Persist) -> None:
        level = self._config.level
        if level == "none":
            record = persist.record
            if type(record) is rec.Elected:
                self._do(self.dispatcher.elected_is_kept(record))
            elif not isinstance(record, rec.Started | rec.Published):
                self._todo.append(ev.Kept(record))
            return
        is_synced = persist.is_synced and (level == "hop" or self.ingress is not None)
        if is_synced == persist.is_synced:
            self._out.append(persist)
        else:
            self._out.append(act.Persist(persist.record, is_synced))

    def _expect(self, expect: act.Expect) -> None:
        if self.placing.is_asking:
            self._do(self.placing.expect(expect.task, expect.item, expect.last))

    def _settle(self, settle: act.Settle) -> None:
        """Items have ended, here at home: forget them, and tell the others now and then."""
        new = tuple([seq for seq in settle.seqs if self._settled.add(seq)])
        self._forget(new)
        if self.ingress is not None:
            self._do([act.DropInputs(item_id(seq), SINK, self.view.epoch) for seq in new])
            self._do(self.ingress.step(ev.Settled(new), self._now))
            is_over = len(self._settled) == self.ingress.total
            if is_over or len(self._settled) - self._pushed >= self._config.in_flight_max // 2:
                self._push()

    def _forget(self, seqs: tuple[int, ...]) -> None:
        if not seqs:
            return
        self._out += self.outbox.forget(self._settled)
        self._do(self.dispatcher.step(ev.Settled(seqs), self._now))
        if self.placing.is_asking:
            self.placing.forget(self._settled.mark)

    # -- taking --------------------------------------------------------------------------------

    def _dispatch(self, event: ev.Event) -> None:
        self._do(self.dispatcher.step(event, self._now))

    def _enter(self, event: ev.Event) -> None:
        if self.ingress is not None:
            self._do(self.ingress.step(event, self._now))

    def _arrived(self, event: ev.Arrived) -> None:
        delivery = event.delivery
        if delivery.epoch != self.view.epoch or not self.is_member:
            return
        if delivery.target == SINK:
            if self.sink is not None:
                self._do(self.sink.step(event, self._now))
        elif not self._is_over(delivery):
            self._do(self.dispatcher.step(event, self._now))
        else:
            self._out.append(act.DropInputs(delivery.item, delivery.target, delivery.epoch))

    def _shown(self, event: ev.Shown) -> None:
        if self.sink is not None:
            self._do(self.sink.step(event, self._now))

    def _connected(self, event: ev.Connected) -> None:
        self._out += self.outbox.again(event.node)

    def _ready(self, event: ev.Ready) -> None:
        self._do(self.workers.ready(event.task))
        if self.workers.is_running(event.task):
            self._dispatch(event)

    def _unready(self, event: ev.Unready) -> None:
        self._dispatch(event)
        self._do(self.workers.failed(event.task))

    def _due(self, event: ev.Due) -> None:
        timer = event.timer
        match timer.kind:
            case "retry" | "timeout":
                self._dispatch(event)
            case "resend":
                self._out += self.outbox.due(timer.node)
            case "choose":
                self._do(self.placing.due(timer.task, timer.item))
            case "restart":
                self._do(self.workers.start(timer.task))
            case "lease" if self.members is not None:
                self._do(self.members.due(self._now))
            case "beat":
                self._beat_again()

    # -- words ---------------------------------------------------------------------------------

    def _received(self, event: ev.Received) -> None:
        self._heed(event.sender, event.number, event.word)

    def _heed(self, sender: NodeId, number: int, word: words.Word) -> None:
        if type(word) is words.Deliver:  # most words are
            if self._is_present(word.delivery.epoch, sender, number):
                self._take(word.delivery, sender, number)
            return
        match word:
            case words.Ack():
                self.outbox.acked(sender, word.number, word.credit)
                self._out += self.outbox.pump(sender)
            case words.Ask():
                is_open = word.last >= self._settled.mark
                if self._is_present(word.epoch, sender, number) and is_open:
                    self._do(self.placing.asked(word, sender, number))
            case words.Placed():
                self.outbox.acked(sender, word.number, self._config.credit_max)
                self._out += self.outbox.pump(sender)
                if word.last >= self._settled.mark:
                    self._do(self.placing.placed(word))
            case words.Query():
                answer = words.Quote(word.task, word.item, self.dispatcher.load)
                self._pass(act.Transmit(sender, 0, answer))
            case words.Quote():
                self._do(self.placing.quoted(word, sender))
            case words.Hold():
                if self._is_present(word.epoch, sender, number):
                    self._acknowledge(sender, number)
                    self._enter(ev.Held(word.origins))
            case words.Beat():
                self._beaten(sender, word)
            case words.Status():
                self._informed(word)

    def _is_present(self, epoch: int, sender: NodeId, number: int) -> bool:
        """Return whether a word belongs to this epoch; one of an older is acknowledged, no more."""
        if epoch == self.view.epoch and self.is_member:
            return True
        if epoch < self.view.epoch:
            self._acknowledge(sender, number)
        elif self._asked_epoch < epoch:
            self._asked_epoch = epoch
            self._beat()
        return False

    def _take(self, delivery: Delivery, sender: NodeId, number: int) -> None:
        """Write a delivery down, acknowledge it, and let its task have it."""
        target = delivery.target
        if self._is_over(delivery):
            self._acknowledge(sender, number)
            return
        if target == SINK or self._config.level == "none":
            self._acknowledge(sender, number)
            if sender == self.node:
                self._todo.append(ev.Arrived(delivery))
            elif target != SINK:
                self._do(self.dispatcher.arrived(delivery, self._now))
            elif self.sink is not None:
                self._do(self.sink.step(ev.Arrived(delivery), self._now))
            return
        key = (target, delivery.item, delivery.source)
        if key not in self._keeping and self.dispatcher.has_seen(delivery):
            self._acknowledge(sender, number)
        else:
            self._keep(rec.Taken(delivery), key, sender, number)

    def _keep(
        self, record: rec.Taken, key: tuple[str, str, str], sender: NodeId, number: int
    ) -> None:
        """Write something down, and acknowledge it when that is done."""
        waiting = self._keeping.get(key)
        if waiting is None:
            waiting = self._keeping[key] = []
            self._persist(act.Persist(record, is_synced=True))
        waiting.append((sender, number))

    def _acknowledge(self, node: NodeId, number: int) -> None:
        if number and self._config.has_acks:
            credit = self._config.credit_max - self.dispatcher.queued
            self._out.append(act.Transmit(node, 0, words.Ack(number, max(1, credit), self._now)))

    # -- records -------------------------------------------------------------------------------

    def _kept(self, event: ev.Kept) -> None:
        record = event.record
        match record:
            case rec.Elected():
                self._do(self.dispatcher.step(event, self._now))
            case rec.Taken(delivery):
                key = (delivery.target, delivery.item, delivery.source)
                if self._done_keeping(key, delivery.epoch):
                    self._arrived(ev.Arrived(delivery))
                elif not self.dispatcher.keeps_inputs(delivery.target, delivery.item):
                    drop = act.DropInputs(delivery.item, delivery.target, delivery.epoch)
                    self._out.append(drop)
            case rec.Forgotten(settled):
                self._forget(self._settled.add_all(settled.mark, settled.above))
            case rec.Assigned():
                self._do(self.placing.kept(record))
            case rec.Seen(view):
                if self.members is not None:
                    self.members.kept(view)
                self._begin(view)
            case rec.Accepted():
                self._enter(event)
            case rec.Closed(total):
                self._enter(event)
                self._do(self.dispatcher.close(total))
                self._push()
            case rec.Committed():
                if self.sink is not None:
                    self._do(self.sink.step(event, self._now))

    def _done_keeping(self, key: tuple[str, str, str], epoch: int) -> bool:
        if epoch != self.view.epoch:
            return False  # a new epoch began meanwhile, and forgot what waited
        for sender, number in self._keeping.pop(key, ()):
            self._acknowledge(sender, number)
        return True

    # -- epochs --------------------------------------------------------------------------------

    def _begin(self, view: View) -> None:
        """Take up a view, and do what follows from it."""
        if view.epoch < self.view.epoch:
            return
        self._out += self.outbox.begin(view.epoch, tuple(view.members))
        began = self._take_up(view)
        self._want_workers()
        if self.sink is not None:
            self._do(self.sink.step(began, self._now))
        if self.ingress is not None:
            self._push()
            self._do(self.ingress.step(began, self._now))

    def _take_up(self, view: View) -> ev.Began:
        self.view = view
        self.is_member = view.members.get(self.node) == self._config.incarnation
        self._keeping.clear()
        self.placing.begin(view)
        settled = Numbers(self._settled.mark, self._settled.above)
        began = ev.Began(view, self.is_member, settled)
        self._do(self.dispatcher.step(began, self._now))
        return began

    def _is_over(self, delivery: Delivery) -> bool:
        origins = delivery.origins
        if len(origins) == 1:
            return origins[0] in self._settled
        return all([origin in self._settled for origin in origins])

    def _want_workers(self) -> None:
        if not self._config.has_workers:
            for task in self._plans:
                self._dispatch(ev.Ready(task))
            return
        here = self.placing.tasks_here() if self.is_member else ()
        self._do(self.workers.want(here))
        for task in self._plans:
            if task not in here:
                self._dispatch(ev.Unready(task, "it runs elsewhere"))
        for task in here:
            if self.workers.is_running(task):
                self._dispatch(ev.Ready(task))

    def _beat_again(self) -> None:
        if self._config.beat_s:
            self._beat()
            self._out.append(act.SetTimer(ev.Timer("beat"), self._config.beat_s))

    def _beat(self) -> None:
        beat = words.Beat(
            self._config.incarnation,
            self.view.epoch,
            self._settled.mark,
            self._total,
            self.dispatcher.load,
        )
        listeners = {self.home: None}
        if self.placing.is_asking and self.is_member:
            listeners.update(dict.fromkeys(self.view.mapping.values()))
        for node in listeners:
            if node != self.node:
                self._out.append(act.Transmit(node, 0, beat))
        self.placing.heard(self.node, beat.load)

    def _beaten(self, sender: NodeId, beat: words.Beat) -> None:
        self.placing.heard(sender, beat.load)
        if self.members is None or self.ingress is None:
            return
        self._do(self.members.beat(sender, beat, self._now))
        if (
            beat.epoch != self.view.epoch
            or beat.settled < self._settled.mark
            or beat.total != self.ingress.total
        ):
            self._out.append(act.Transmit(sender, 0, self._status()))

    def _status(self) -> words.Status:
        settled = Numbers(self._settled.mark, self._settled.above)
        return words.Status(self.view, settled, self.ingress.total if self.ingress else -1)

    def _push(self) -> None:
        """Tell all members what home knows."""
        self._pushed = len(self._settled)
        status = self._status()
        for node in self.view.members:
            if node != self.node:
                self._out.append(act.Transmit(node, 0, status))

    def _informed(self, status: words.Status) -> None:
        """Take up what home knows."""
        if self.ingress is not None or status.view.epoch < self.view.epoch:
            return
        if status.settled.count > self._forgetting.count:
            # Only what is written down may be dropped: files and journal are not lost together.
            self._forgetting = status.settled
            self._persist(act.Persist(rec.Forgotten(status.settled), is_synced=True))
        if self._total < 0 <= status.total:  # an old word may come after a new one
            self._total = status.total
            self._do(self.dispatcher.close(status.total))
        if status.view.epoch > max(self.view.epoch, self._adopting):
            self._adopting = status.view.epoch
            self._persist(act.Persist(rec.Seen(status.view), is_synced=True))

    # -- after a restart -----------------------------------------------------------------------

    def restore(self, records: Iterable[rec.Record], now: float) -> None:
        """Take in what this node wrote down before it died, in order."""
        self._now = now
        self.dispatcher.is_restoring = True
        for record in records:
            match record:
                case rec.Seen(view):
                    self._take_up(view)
                case rec.Taken(delivery) if self._is_over(delivery):
                    continue
                case rec.Taken() | rec.Started() | rec.Elected():
                    self.dispatcher.restore(record, now)
                case rec.Assigned():
                    self.placing.restore(record)
                case rec.Forgotten(settled):
                    self._forget(self._settled.add_all(settled.mark, settled.above))
                case _:
                    self._restore_home(record)
        self._out.clear()
        self._todo.clear()
        self.dispatcher.is_restoring = False

    def _restore_home(self, record: rec.Record) -> None:
        if self.ingress is None or self.sink is None:
            return
        self.ingress.restore(record)
        if isinstance(record, rec.Published):
            for seq in self.sink.seqs_of(record.number):
                self._settled.add(seq)
                self.ingress.settled.add(seq)
        self.sink.restore(record)

    def keeps_inputs(self, task: TaskId, item: ItemId) -> bool:
        """Return whether input files that were found after a restart are needed."""
        if task == SINK:
            return self.sink is not None and item in self.sink.showing
        return self.dispatcher.keeps_inputs(task, item)

    def keeps_outputs(self, task: TaskId, item: ItemId) -> bool:
        """Return whether output files that were found after a restart are needed."""
        if task == INGRESS:
            return self.ingress is not None and self.ingress.keeps(int(item))
        return self.dispatcher.keeps_outputs(task, item)

    def resume(self, now: float) -> list[act.Action]:
        """Go on after the last record; home begins a new epoch, as it forgot what was under way."""
        if self.members is None or self.sink is None:
            self._now = now
            self._want_workers()
            self._do(self.dispatcher.resume())
            self._beat_again()
            return self._flush()
        if not self.view.epoch:
            return self.start(now)
        self._now = now
        self._want_workers()
        self._do(self.dispatcher.resume())
        self._do(self.members.start(self.view, now))
        self._do(self.members.renew(now))
        self._do(self.sink.resume())
        self._beat_again()
        return self._flush()
