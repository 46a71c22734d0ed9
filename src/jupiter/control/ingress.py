"""Decides when an input becomes an item, and knows when all of them have ended."""

from __future__ import annotations

from collections import deque

from jupiter.control.policy import PlacementPolicy
from jupiter.control.routing import Produced, Router
from jupiter.model.actions import Accept, Action, Drained, DropOutputs, Send, SendEnd
from jupiter.model.events import Event, Held, InputClosed, Offered, Resolved
from jupiter.model.ids import INGRESS, ItemId, TaskId, item_id
from jupiter.model.items import PartRef, TaskPlan


class Ingress:
    """The way into the graph, with back-pressure.

    At most `in_flight_max` items are under way at once, so every queue of the stream is bounded by
    it. Items that wait in an incomplete batch do not count, as only further items can free them.

    Args:
        entries: Tasks that get every item.
        policy: Where they run.
        in_flight_max: At least 1.
    """

    def __init__(
        self, entries: tuple[TaskId, ...], policy: PlacementPolicy, in_flight_max: int
    ) -> None:
        if in_flight_max < 1:
            raise ValueError("in_flight_max must be at least 1")
        self._router = Router(TaskPlan(INGRESS, (), entries))
        self._policy = policy
        self._in_flight_max = in_flight_max
        self._offered: deque[tuple[Offered, float]] = deque()
        self._next = 0
        self._open: set[int] = set()
        self._held: set[int] = set()
        self._closed = False
        self._end_sent = False
        self._drained = False

    @property
    def waiting(self) -> int:
        """Inputs that are offered and not accepted."""
        return len(self._offered)

    @property
    def in_flight(self) -> int:
        """Items that count against the limit."""
        return len(self._open) - len(self._held)

    def step(self, event: Event, now: float) -> list[Action]:
        """Take in one event and return what is to be done.

        Args:
            event: `Offered`, `InputClosed`, `Held` or `Resolved`.
            now: Seconds on the clock of this node.
        """
        actions: list[Action] = []
        match event:
            case Offered():
                self._offered.append((event, now))
            case InputClosed():
                self._closed = True
            case Held(origins):
                self._held.update(origin for origin in origins if origin in self._open)
            case Resolved(seq):
                if seq in self._open:
                    self._open.discard(seq)
                    self._held.discard(seq)
                    actions.append(DropOutputs(item_id(seq), INGRESS))
            case _:
                raise TypeError(f"an ingress takes no {type(event).__name__}")
        return actions + self._accept() + self._end()

    def _accept(self) -> list[Action]:
        actions: list[Action] = []
        while self._offered and self.in_flight < self._in_flight_max:
            offered, offered_s = self._offered.popleft()
            seq, self._next = self._next, self._next + 1
            self._open.add(seq)
            actions.append(Accept(seq, offered.name, offered_s))
            refs = tuple(PartRef(item_id(seq), INGRESS, part) for part in offered.parts)
            for routed in self._router.route(Produced("", seq, (seq,), refs)):
                delivery = routed.delivery
                node = self._policy.node_for(delivery.target, delivery.item)
                actions.append(Send(delivery, node, routed.refs))
        return actions

    def _end(self) -> list[Action]:
        actions: list[Action] = []
        if self._closed and not self._offered and not self._end_sent:
            self._end_sent = True
            for child, count in self._router.sent.items():
                node = self._policy.node_for(child, ItemId(""))
                actions.append(SendEnd(INGRESS, child, node, count))
        if self._end_sent and not self._open and not self._drained:
            self._drained = True
            actions.append(Drained())
        return actions
