"""The state machines of one node, and what passes between them.

Fences off what belongs to another epoch, writes down before it acknowledges, and hands on what the
machines say to each other. What comes in from outside is in `intake`.
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
from jupiter.model.ids import SINK, NodeId, item_id
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
        # What comes in has its own tables; see `Intake`.
        self._heeding: dict[type, Callable[[NodeId, int, Any], None]] = {}
        self._taking: dict[type, Callable[[Any], None]] = {}

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

    def _heed(self, sender: NodeId, number: int, word: words.Word) -> None:
        self._heeding[type(word)](sender, number, word)

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

    # -- for all -------------------------------------------------------------------------------

    def _dispatch(self, event: ev.Event) -> None:
        self._do(self.dispatcher.step(event, self._now))

    def _ends(self) -> tuple[Ingress, Sink, Membership]:
        """Return the machines that only home has; no other node comes to ask for them."""
        assert self.ingress and self.sink and self.members  # noqa: S101 - says just that
        return self.ingress, self.sink, self.members

    def _enter(self, event: ev.Event) -> None:
        self._do(self._ends()[0].step(event, self._now))

    # -- deliveries ----------------------------------------------------------------------------

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

    # -- what is told --------------------------------------------------------------------------

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
