"""What comes in to one node: events, the words of others, records that are written down, epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupiter.control.config import NodeConfig
from jupiter.control.machines import Machines
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, NodeId
from jupiter.model.items import Delivery
from jupiter.model.view import View


class Intake(Machines):
    """The state machines of one node of one stream, and what becomes of all that it is told."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._heeding = {
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
        self._taking = {
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

    # -- events --------------------------------------------------------------------------------

    def _received(self, event: ev.Received) -> None:
        self._heed(event.sender, event.number, event.word)

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
            case "again":
                self._enter(event)
            case "lease":
                self._do(self._ends()[2].due(self._now))
            case _:
                self._beat_again()

    # -- words ---------------------------------------------------------------------------------

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

    def _done_keeping(self, key: tuple[str, str, str], epoch: int) -> bool:
        if epoch != self._known.view.epoch:
            return False  # a new epoch began meanwhile, and forgot what waited
        for sender, number in self._keeping.pop(key, ()):
            self._acknowledge(sender, number)
        return True

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
        self._shown(ev.Kept(record))
        self._do(self.dispatcher.close(record.total))
        self._push()

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
