"""One node of one stream, as agents and the simulator drive it: events in, actions out."""

from __future__ import annotations

from collections.abc import Iterable

from jupiter.control.config import NodeConfig
from jupiter.control.intake import Intake
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, ItemId, TaskId

__all__ = ["Node", "NodeConfig"]


class Node(Intake):
    """One node of one stream."""

    # -- from outside --------------------------------------------------------------------------

    def start(self, now: float) -> list[act.Action]:
        """Begin; return what is to be done first."""
        self._now = now
        first = self._config.view
        if first is not None:
            if self.members is not None:
                self._do(self.members.start(first, now))
            self._persist(act.Persist(self._known.propose(first), is_synced=True))
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

    @property
    def size(self) -> int:
        """Entries in memory about items that have not ended; 0 when idle."""
        size = self.dispatcher.size + self.outbox.size + self.placing.size
        return size + (self.sink.size if self.sink is not None else 0)

    @property
    def is_member(self) -> bool:
        """Whether this node takes part."""
        return self._known.is_member

    # -- after a restart -----------------------------------------------------------------------

    def restore(self, records: Iterable[rec.Record], now: float) -> None:
        """Take in what this node wrote down before it died, in order."""
        self._now = now
        self.dispatcher.is_restoring = True
        dispatcher, known = self.dispatcher, self._known
        is_over = known.is_over
        for record in records:
            if isinstance(record, rec.Taken):  # first: there may be very many of these two
                # Else it was of no use any more when it was written, behind the end of its epoch.
                delivery = record.delivery
                is_of_use = known.is_member and delivery.epoch == known.view.epoch
                if is_of_use and not is_over(delivery):
                    dispatcher.restore(record, now)
            elif isinstance(record, rec.Accepted):
                if self.ingress is not None:
                    self.ingress.restore(record)
            else:
                self._restore(record)
        self._out.clear()
        self._todo.clear()
        self.dispatcher.is_restoring = False

    def _restore(self, record: rec.Record) -> None:
        match record:
            case rec.Seen(view):
                self._take_up(view)
            case rec.Started() | rec.Elected():
                self.dispatcher.restore(record, self._now)
            case rec.Assigned():
                self.placing.restore(record)
            case rec.Lost():
                self._lose(record)
            case rec.Forgotten(settled):
                self._forget(self._known.settled.add_all(settled.mark, settled.above))
            case _:
                self._restore_home(record)

    def _restore_home(self, record: rec.Record) -> None:
        if self.ingress is None or self.sink is None:
            return
        self.ingress.restore(record)
        self._known.total = self.ingress.total
        match record:
            case rec.Published(number):
                for seq in self.sink.seqs_of(number):
                    self._known.settled.add(seq)
                    self.ingress.settled.add(seq)
            case rec.Committed(endings=endings):
                # Decided is as good as ended here: what made it may have lost its files already.
                self._forget(tuple([ending.seq for ending in endings]))
            case rec.Closed(total):
                self.dispatcher.close(total)
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
        if not self._known.view.epoch:
            return self.start(now)
        self._now = now
        self._want_workers()
        self._do(self.dispatcher.resume())
        self._do(self.members.start(self.view, now))
        self._do(self.members.renew(now))
        self._do(self.sink.resume())
        self._beat_again()
        return self._flush()
