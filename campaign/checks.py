"""What must hold after every event, whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from jupiter.control import compaction
from jupiter.control.node import Node
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.items import Attempt, Delivery
from jupiter.model.view import Numbers
from jupiter.simulator.host import Host

Sent = dict[tuple[int, str, str], Attempt]


class BrokenError(AssertionError):
    """Something does not hold that must."""


class CheckedHost(Host):
    """A host that looks at its machines after every event."""

    def __init__(self, *args: Any, **kinds: Any) -> None:
        super().__init__(*args, **kinds)
        self._count = 0
        self._facts: dict[Any, Any] | None = None

    def _transmit(self, send: act.Transmit) -> None:
        if isinstance(send.word, words.Deliver):
            self._check_election(send.word.delivery)
        super()._transmit(send)

    def _hand(self, hand: act.Hand) -> None:
        self._check_election(hand.delivery)
        super()._hand(hand)

    def _check_election(self, delivery: Delivery) -> None:
        """Within an epoch, all that follows a task comes from one attempt."""
        sent: Sent = self.world.__dict__.setdefault("sent", {})
        key = delivery.epoch, delivery.source, delivery.item
        if sent.setdefault(key, delivery.attempt) != delivery.attempt:
            raise BrokenError(f"{delivery.source} of {delivery.item} has two elected attempts")

    def _step(self, event: ev.Event) -> None:
        super()._step(event)
        node = self.machines
        if not 0 <= node.dispatcher.free_cores <= self.config.cores:
            raise BrokenError(f"{self.name} has {node.dispatcher.free_cores} free cores")
        if node.outbox.under_way > self.config.credit_max:
            raise BrokenError(f"{self.name} has {node.outbox.under_way} words under way to a node")
        limit = self.config.memory_bytes_max
        if limit and node.dispatcher.memory_bytes > limit:
            raise BrokenError(f"{self.name} holds {node.dispatcher.memory_bytes} bytes in memory")
        if node.ingress is not None and node.ingress.count > self._count:
            self._count = node.ingress.count
            if node.ingress.in_flight > self.config.in_flight_max:
                raise BrokenError(f"{node.ingress.in_flight} items are in flight")

    def crash(self, *, is_power_cut: bool = False) -> None:
        """End the agent; note what it knew for sure."""
        if self.is_up and not (is_power_cut or self.is_paused) and self.config.level != "none":
            self._facts = facts_of(self.machines)
        super().crash(is_power_cut=is_power_cut)

    def restart(self) -> None:
        """Start it again: it must know the same from its journal."""
        facts, self._facts = self._facts, None
        if facts is not None and self.disk.image.records and not self.is_up and not self.is_gone:
            node = self._make(self.config)
            node.restore(self.disk.image.records, 0.0)
            if facts_of(node) != facts:
                raise BrokenError(f"{self.name} read another state than it wrote")
            self._check_compaction(self.disk.image.records)
        super().restart()
        self._count = self.machines.ingress.count if self.machines.ingress is not None else 0

    def _check_compaction(self, journal: list[rec.Record]) -> None:
        """What a journal may leave out makes no difference."""
        before = state_from(self._make(self.config), journal, journal)
        if state_from(self._make(self.config), compacted(journal), journal) != before:
            raise BrokenError(f"{self.name} lacks something in a compacted journal")


def compacted(records: Sequence[rec.Record]) -> list[rec.Record]:
    """Return the records that are worth keeping."""
    return [r for r, worth in zip(records, compaction.weigh(records), strict=True) if worth]


def state_from(
    node: Node, records: Sequence[rec.Record], journal: Sequence[rec.Record]
) -> list[Any]:
    """Return what a node knows that is restored from records, and all that it does next.

    Next are the records that it writes then, another epoch, and everything that ever came to it,
    once more.

    Args:
        node: A new one.
        records: What is left of its journal.
        journal: All of it.
    """
    node.restore(records, 0.0)
    known = [node.view, node.is_member, node.size, node.placing.size]
    known += [node.dispatcher.elected(), node.dispatcher.counts()]
    if node.ingress is not None and node.sink is not None:
        known += [node.ingress.numbers, node.ingress.count, node.ingress.total]
        known += [node.sink.ending.mark, node.sink.ending.above, node.sink.showing]
    came = tuple(dict.fromkeys(r.delivery for r in journal if isinstance(r, rec.Taken)))
    for each in came:
        known.append(node.keeps_inputs(each.target, each.item))
        known.append(node.keeps_outputs(each.target, each.item))
    known += _follow(node, node.resume(0.0))
    if node.ingress is None and node.view.epoch:
        view = msgspec.structs.replace(node.view, epoch=node.view.epoch + 1)
        status = words.Status(view, Numbers(), -1)
        known += _follow(node, node.step(ev.Received(node.home, 0, status), 0.0))
    for each in came:
        again = words.Deliver(msgspec.structs.replace(each, epoch=node.view.epoch))
        known += _follow(node, node.step(ev.Received(node.home, 1, again), 0.0))
    return known


def _follow(node: Node, actions: Sequence[act.Action]) -> list[act.Action]:
    """Return actions, and all that follow when what is to be written down is."""
    todo, done = list(actions), []
    while todo:
        action = todo.pop(0)
        done.append(action)
        if isinstance(action, act.Persist):
            todo += node.step(ev.Kept(action.record), 0.0)
    return done


def facts_of(node: Node) -> dict[Any, Any]:
    """Return what a node must not forget."""
    found: dict[Any, Any] = dict(node.dispatcher.elected())
    found["view"] = node.view.epoch
    return found
