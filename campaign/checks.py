"""What must hold after every event, whatever happens."""

from __future__ import annotations

from typing import Any

from jupiter.control.node import Node
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import words
from jupiter.model.items import Attempt, Delivery
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
        super().restart()
        self._count = self.machines.ingress.count if self.machines.ingress is not None else 0


def facts_of(node: Node) -> dict[Any, Any]:
    """Return what a node must not forget."""
    found: dict[Any, Any] = dict(node.dispatcher.elected())
    found["view"] = node.view.epoch
    return found
