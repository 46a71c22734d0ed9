"""Decides when an input becomes an item, keeps it until it has ended, sends it again if need be."""

from __future__ import annotations

from collections import deque

from jupiter.control.routing import Produced, Router
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, TaskId, item_id
from jupiter.model.items import Part, PartRef, TaskPlan
from jupiter.model.view import Numbers

AGAIN_MAX = 500
"""Items that are sent again at once; a few milliseconds."""


class Ingress:
    """The way into the graph, with back-pressure and end-to-end retention.

    At most `in_flight_max` items are under way at once, so every queue of the stream is bounded by
    it. Items that wait in an incomplete batch do not count, as only further items can free them;
    neither do those that are complete and wait for such an item before they end.
    An item is kept, and sent again in every new epoch, until its results are visible.

    Args:
        entries: Tasks that get every item.
        in_flight_max: At least 1.
        ending: Items whose end is decided and perhaps not visible yet: they are not sent again.
    """

    def __init__(
        self, entries: tuple[TaskId, ...], in_flight_max: int, ending: SeqSet | None = None
    ) -> None:
        if in_flight_max < 1:
            raise ValueError("in_flight_max must be at least 1")
        self._router = Router(TaskPlan(INGRESS, (), entries))
        self._in_flight_max = in_flight_max
        self._ending = ending if ending is not None else SeqSet()
        self._offered: deque[tuple[ev.Offered, float]] = deque()
        self._next = 0
        self._accepting: dict[int, tuple[rec.Accepted, float]] = {}
        self._open: dict[int, tuple[Part, ...]] = {}
        self._lost: dict[int, str] = {}
        # What has not ended, as far as it was not sent again in this epoch.
        self._again: deque[int] = deque()
        self._held: dict[int, None] = {}
        self._parked: dict[int, None] = {}
        self._is_closed = False
        self._is_closing = False
        self._is_drained = False
        self._epoch = 0
        self.settled = SeqSet()
        """Items that have ended."""

    @property
    def total(self) -> int:
        """Items there will ever be; -1 while that is open."""
        return self._next if self._is_closed else -1

    @property
    def is_drained(self) -> bool:
        """Whether every item has ended and no more will come."""
        return self._is_drained

    @property
    def count(self) -> int:
        """Items so far."""
        return self._next

    @property
    def waiting(self) -> int:
        """Inputs that are offered and not accepted."""
        return len(self._offered)

    @property
    def in_flight(self) -> int:
        """Items that count against the limit."""
        count = len(self._accepting) + len(self._open) - len(self._held)
        if self._parked:
            first = self.settled.mark  # of those that are not complete
            while first in self._parked or first in self.settled:
                first += 1
            if first in self._held:
                count -= sum(1 for seq in self._parked if seq not in self._held)
        return count

    @property
    def numbers(self) -> Numbers:
        """The items that have ended."""
        return Numbers(self.settled.mark, self.settled.above)

    def step(self, event: ev.Event, now: float) -> list[act.Action]:
        """Take in one event and return what is to be done.

        Args:
            event: `Offered`, `InputClosed`, `Held`, `Parked`, `Settled`, `Began`, `Due`, or `Kept`
                of its records.
            now: Seconds on the clock of this node.
        """
        actions: list[act.Action] = []
        match event:
            case ev.Offered():
                self._offered.append((event, now))
            case ev.InputClosed():
                self._is_closing = True
            case ev.Kept(rec.Accepted(seq=seq)):
                actions = self._accepted(seq)
            case ev.Kept(rec.Closed()):
                self._is_closed = True
            case ev.Held(origins):
                self._held.update(dict.fromkeys([o for o in origins if o in self._open]))
            case ev.Parked(origins):
                self._parked.update(dict.fromkeys(origins))
            case ev.Settled(seqs):
                actions = self._settle(seqs)
            case ev.Began():
                actions = self._begin(event)
            case ev.Due():
                actions = self._send_again()
            case _:
                raise TypeError(f"an ingress takes no {type(event).__name__}")
        return actions + self._accept() + self._end()

    def _settle(self, seqs: tuple[int, ...]) -> list[act.Action]:
        actions: list[act.Action] = []
        for seq in seqs:
            self.settled.add(seq)
            self._held.pop(seq, None)
            self._parked.pop(seq, None)
            self._lost.pop(seq, None)
            if self._open.pop(seq, None) is not None:
                actions.append(act.DropOutputs(item_id(seq), INGRESS))
        return actions

    def _begin(self, began: ev.Began) -> list[act.Action]:
        """Send again whatever has not ended."""
        self._epoch = began.view.epoch
        self._router.begin(self._epoch, self.numbers)
        self._held.clear()
        self._parked.clear()
        is_under_way = bool(self._again)
        self._again = deque(self._open)
        return [] if is_under_way else self._send_again()

    def _send_again(self) -> list[act.Action]:
        """Send some again; the others soon, so that what came meanwhile need not wait for all."""
        actions: list[act.Action] = []
        for _ in range(min(AGAIN_MAX, len(self._again))):
            seq = self._again.popleft()
            if seq in self._open and seq not in self._ending:
                actions += self._send(seq, self._open[seq])
        if self._again:
            actions.append(act.SetTimer(ev.Timer("again"), 0.0))
        return actions

    def _accept(self) -> list[act.Action]:
        actions: list[act.Action] = []
        while self._offered and self.in_flight < self._in_flight_max:
            offered, offered_s = self._offered.popleft()
            seq, self._next = self._next, self._next + 1
            record = rec.Accepted(seq, offered.name, offered.parts)
            self._accepting[seq] = record, offered_s
            actions.append(act.Persist(record, is_synced=True))
        return actions

    def _accepted(self, seq: int) -> list[act.Action]:
        record, offered_s = self._accepting.pop(seq)
        self._open[seq] = record.parts
        accept = act.Accept(seq, record.name, offered_s)
        return [accept, *self._send(seq, record.parts)] if self._epoch else [accept]

    def _send(self, seq: int, parts: tuple[Part, ...]) -> list[act.Action]:
        reason = self._lost.get(seq, "")
        if reason:
            produced = Produced("", seq, (seq,), outcome="failed", detail=reason)
        else:
            refs = tuple([PartRef(item_id(seq), INGRESS, part) for part in parts])
            produced = Produced("", seq, (seq,), refs)
        routed = self._router.route(produced)
        return [act.Send(each.delivery, each.refs) for each in routed]

    def _end(self) -> list[act.Action]:
        if self._is_closing and not self._offered and not self._accepting:
            self._is_closing = False
            return [act.Persist(rec.Closed(self._next), is_synced=True)]
        if self._is_closed and not self._is_drained and len(self.settled) == self._next:
            self._is_drained = True
            return [act.Drained()]
        return []

    def keeps(self, seq: int) -> bool:
        """Return whether the files of an input are needed."""
        return seq in self._open

    def lose(self, seq: int, reason: str) -> None:
        """Note that an accepted input cannot be read: from the next epoch on it fails, visibly."""
        if seq in self._open:
            self._lost[seq] = reason

    def restore(self, record: rec.Record) -> None:
        """Take in what this node wrote down before it died."""
        if isinstance(record, rec.Accepted):  # first: there may be very many
            self._next = record.seq + 1
            self._open[record.seq] = record.parts
            return
        match record:
            case rec.Lost(item, task, reason) if task == INGRESS:
                self.lose(int(item), reason)
            case rec.Closed():
                self._is_closed = True
            case rec.Committed(endings=endings):
                for ending in endings:
                    self._open.pop(ending.seq, None)
