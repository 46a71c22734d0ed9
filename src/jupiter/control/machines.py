"""All state machines of one node, and what passes between them.

Fences off what belongs to another epoch, writes down before it acknowledges, and hands on what the
machines say to each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from jupiter.control.config import NodeConfig
from jupiter.control.dispatch import Dispatcher
from jupiter.control.ingress import Ingress
from jupiter.control.knowledge import Knowledge
from jupiter.control.membership import Membership
from jupiter.control.outbox import Outbox
from jupiter.control.placing import Placing
from jupiter.control.plan import entries_of, sinks_of
from jupiter.control.policy import make_policy
from jupiter.control.reconcile import Reconciler
from jupiter.control.sink import Sink
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, NodeId, item_id
from jupiter.model.items import Delivery, PartRef
from jupiter.model.view import Load, View


class Machines:
    """The state machines of one node of one stream; `Node` is what others drive."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self.node = config.node
        self.home = config.home
        self._plans = {plan.name: plan for plan in config.plans}
        self._known = Knowledge(config.node, config.incarnation)
        self._pushed = 0
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
        self._heeding: dict[type, Callable[[NodeId, int, Any], None]] = {
            words.Deliver: self._delivered,
            words.Ack: self._acked,
            words.Ask: self._asked,
            words.Placed: self._placed,
            words.Query: self._queried,
            words.Quote: self._quoted,
            words.Hold: self._held,
            words.Beat: self._beaten,
            words.Status: self._informed,
        }
        self._keepers: dict[type, Callable[[Any], None]] = {
            rec.Elected: lambda record: self._dispatch(ev.Kept(record)),
            rec.Taken: self._taken,
            rec.Forgotten: self._forgotten,
            rec.Assigned: self._assigned,
            rec.Seen: self._seen,
            rec.Accepted: lambda record: self._enter(ev.Kept(record)),
            rec.Closed: self._closed,
            rec.Committed: lambda record: self._shown(ev.Kept(record)),
            rec.Lost: self._lost,
            rec.Started: lambda record: None,
            rec.Published: lambda record: None,
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
            ev.Gone: self._gone,
            ev.Damaged: self._damaged,
            ev.Offered: self._enter,
            ev.InputClosed: self._enter,
            ev.Held: self._enter,
            ev.Shown: self._shown,
        }

    @property
    def view(self) -> View:
        """Who takes part, as far as this node knows."""
        return self._known.view

    def wants(self, delivery: Delivery) -> bool:
        """Return whether the parts of a delivery that comes in must be stored."""
        if not self._belongs(delivery) or self._known.is_over(delivery):
            return False
        if delivery.target == SINK:
            return self.sink is not None and self.sink.wants(delivery)
        return self.dispatcher.wants(delivery)

    def _belongs(self, delivery: Delivery) -> bool:
        """Return whether a delivery is of this epoch, in which this node takes part."""
        return delivery.epoch == self._known.view.epoch and self._known.is_member

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
        if not self._belongs(delivery):
            return
        node = self.placing.where(delivery.target, delivery.item)
        if self.placing.is_asking and self._known.is_over(delivery):
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
            self._todo.append(ev.Kept(persist.record))
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
        ingress = self._ends()[0]
        new = tuple([seq for seq in settle.seqs if self._known.settled.add(seq)])
        self._forget(new)
        self._do([act.DropInputs(item_id(seq), SINK, self.view.epoch) for seq in new])
        self._do(ingress.step(ev.Settled(new), self._now))
        count = len(self._known.settled)
        if count == ingress.total or count - self._pushed >= self._config.in_flight_max // 2:
            self._push()

    def _forget(self, seqs: tuple[int, ...]) -> None:
        if not seqs:
            return
        self._out += self.outbox.forget(self._known.settled)
        self._do(self.dispatcher.step(ev.Settled(seqs), self._now))
        if self.placing.is_asking:
            self.placing.forget(self._known.settled.mark)

    # -- taking --------------------------------------------------------------------------------

    def _dispatch(self, event: ev.Event) -> None:
        self._do(self.dispatcher.step(event, self._now))

    def _ends(self) -> tuple[Ingress, Sink, Membership]:
        """Return the machines that only home has; no other node comes to ask for them."""
        assert self.ingress and self.sink and self.members  # noqa: S101 - says just that
        return self.ingress, self.sink, self.members

    def _enter(self, event: ev.Event) -> None:
        self._do(self._ends()[0].step(event, self._now))

    def _arrived(self, event: ev.Arrived) -> None:
        delivery = event.delivery
        if not self._belongs(delivery):
            self._drop_unused(delivery)
        elif delivery.target == SINK:
            self._do(self._ends()[1].step(event, self._now))
        elif not self._known.is_over(delivery):
            self._do(self.dispatcher.step(event, self._now))
        else:
            self._out.append(act.DropInputs(delivery.item, delivery.target, delivery.epoch))

    def _shown(self, event: ev.Shown | ev.Kept) -> None:
        self._do(self._ends()[1].step(event, self._now))

    def _connected(self, event: ev.Connected) -> None:
        self._out += self.outbox.again(event.node)

    def _gone(self, event: ev.Gone) -> None:
        if self.members is not None:
            self._do(self.members.lose(event.node, self._now))

    def _damaged(self, event: ev.Damaged) -> None:
        self._persist(act.Persist(rec.Lost(event.item, event.task, event.reason), is_synced=True))

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
            case "lease":
                self._do(self._ends()[2].due(self._now))
            case _:
                self._beat_again()

    # -- words ---------------------------------------------------------------------------------

    def _received(self, event: ev.Received) -> None:
        self._heed(event.sender, event.number, event.word)

    def _heed(self, sender: NodeId, number: int, word: words.Word) -> None:
        self._heeding[type(word)](sender, number, word)

    def _delivered(self, sender: NodeId, number: int, word: words.Deliver) -> None:
        if self._is_present(word.delivery.epoch, sender, number):
            self._take(word.delivery, sender, number)

    def _acked(self, sender: NodeId, number: int, word: words.Ack) -> None:
        self.outbox.acked(sender, word.number, word.credit)
        self._out += self.outbox.pump(sender)

    def _asked(self, sender: NodeId, number: int, word: words.Ask) -> None:
        is_open = word.last >= self._known.settled.mark
        if self._is_present(word.epoch, sender, number) and is_open:
            self._do(self.placing.asked(word, sender, number))

    def _placed(self, sender: NodeId, number: int, word: words.Placed) -> None:
        self.outbox.acked(sender, word.number, self._config.credit_max)
        self._out += self.outbox.pump(sender)
        if word.last >= self._known.settled.mark:
            self._do(self.placing.placed(word))

    def _queried(self, sender: NodeId, number: int, word: words.Query) -> None:
        self._pass(act.Transmit(sender, 0, words.Quote(word.task, word.item, self._load())))

    def _quoted(self, sender: NodeId, number: int, word: words.Quote) -> None:
        self._do(self.placing.quoted(word, sender))

    def _held(self, sender: NodeId, number: int, word: words.Hold) -> None:
        if self._is_present(word.epoch, sender, number) and self.ingress is not None:
            self._acknowledge(sender, number)
            self._enter(ev.Held(word.origins))

    def _beaten(self, sender: NodeId, number: int, word: words.Beat) -> None:
        self.placing.heard(sender, word.load)
        if self.members is not None:
            self._do(self.members.beat(sender, word, self._now))
            if self._known.lacks(word):
                self._out.append(act.Transmit(sender, 0, self._known.status()))

    def _informed(self, sender: NodeId, number: int, word: words.Status) -> None:
        """Take up what home knows."""
        if self.members is not None:
            return
        for record in self._known.learn(word):
            self._persist(act.Persist(record, is_synced=True))
        if self._known.total < 0 <= word.total and word.view.epoch >= self.view.epoch:
            self._known.total = word.total
            self._do(self.dispatcher.close(word.total))

    def _is_present(self, epoch: int, sender: NodeId, number: int) -> bool:
        """Return whether a word belongs to this epoch; one of an older is acknowledged, no more."""
        if epoch == self._known.view.epoch and self._known.is_member:
            return True
        if epoch < self._known.view.epoch:
            self._acknowledge(sender, number)
        elif self._known.must_ask(epoch):
            self._beat()
        return False

    def _take(self, delivery: Delivery, sender: NodeId, number: int) -> None:
        """Write a delivery down, acknowledge it, and let its task have it."""
        target = delivery.target
        if self._known.is_over(delivery):
            self._acknowledge(sender, number)
            return
        if target == SINK or self._config.level == "none":
            self._acknowledge(sender, number)
            self._todo.append(ev.Arrived(delivery))
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
        self._keepers[type(event.record)](event.record)

    def _taken(self, record: rec.Taken) -> None:
        delivery = record.delivery
        key = (delivery.target, delivery.item, delivery.source)
        if self._done_keeping(key, delivery.epoch):
            self._arrived(ev.Arrived(delivery))
        else:
            self._drop_unused(delivery)

    def _drop_unused(self, delivery: Delivery) -> None:
        """Drop what came for an epoch that is over, unless an older delivery needs its files."""
        task, item = delivery.target, delivery.item
        if task != SINK and not self.dispatcher.keeps_inputs(task, item):
            self._out.append(act.DropInputs(item, task, delivery.epoch))

    def _forgotten(self, record: rec.Forgotten) -> None:
        settled = record.settled
        self._forget(self._known.settled.add_all(settled.mark, settled.above))

    def _lost(self, record: rec.Lost) -> None:
        """Do without what cannot be read: in a new epoch it comes again."""
        self._lose(record)
        if self.members is not None:
            self._do(self.members.renew(self._now))
        else:
            self._beat()

    def _lose(self, record: rec.Lost) -> None:
        if record.task == INGRESS:
            if self.ingress is not None:
                self.ingress.lose(int(record.item), record.reason)
        elif record.task != SINK:
            self._do(self.dispatcher.lose(record.task, record.item))
        if self.members is None:
            self._known.forget_some()
        else:
            self._known.rest()
        # What it said in this epoch may speak of what is lost; in the next everything is said anew.
        self._out += self.outbox.begin(self.view.epoch + 1, tuple(self.view.members))

    def _assigned(self, record: rec.Assigned) -> None:
        self._do(self.placing.kept(record))

    def _seen(self, record: rec.Seen) -> None:
        if self.members is not None:
            self.members.kept(record.view)
        self._begin(record.view)

    def _closed(self, record: rec.Closed) -> None:
        self._known.total = record.total
        self._enter(ev.Kept(record))
        self._do(self.dispatcher.close(record.total))
        self._push()

    def _done_keeping(self, key: tuple[str, str, str], epoch: int) -> bool:
        if epoch != self._known.view.epoch:
            return False  # a new epoch began meanwhile, and forgot what waited
        for sender, number in self._keeping.pop(key, ()):
            self._acknowledge(sender, number)
        return True

    # -- epochs --------------------------------------------------------------------------------

    def _begin(self, view: View) -> None:
        """Take up a view, and do what follows from it."""
        if view.epoch < self._known.view.epoch:
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
        self._known.take_up(view)
        self._keeping.clear()
        self.placing.begin(view)
        began = ev.Began(view, self._known.is_member, self._known.numbers)
        self._do(self.dispatcher.step(began, self._now))
        return began

    def _want_workers(self) -> None:
        if not self._config.has_workers:
            for task in self._plans:
                self._dispatch(ev.Ready(task))
            return
        here = self.placing.tasks_here() if self._known.is_member else ()
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

    def _load(self) -> Load:
        load = self.dispatcher.load
        return Load(load.queued, load.running, load.cores, self.workers.failing)

    def _beat(self) -> None:
        beat = self._known.beat(self._load())
        listeners = {self.home: None}
        if self.placing.is_asking and self._known.is_member:
            listeners.update(dict.fromkeys(self.view.mapping.values()))
        for node in listeners:
            if node != self.node:
                self._out.append(act.Transmit(node, 0, beat))
        self.placing.heard(self.node, beat.load)

    def _push(self) -> None:
        """Tell all members what home knows."""
        self._pushed = len(self._known.settled)
        status = self._known.status()
        for node in self.view.members:
            if node != self.node:
                self._out.append(act.Transmit(node, 0, status))
