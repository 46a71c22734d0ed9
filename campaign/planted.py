"""Bugs planted on purpose: a campaign that does not find them is worth nothing.

Each is a small patch of the code that decides, or of the host that carries out. Several are bugs
that the campaign found in this code when it was written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from jupiter.control import (
    dispatch,
    ingress,
    joins,
    machines,
    membership,
    node,
    outbox,
    placing,
    routing,
    sink,
)
from jupiter.control import reconcile as workers
from jupiter.control.executions import Execution, State
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.simulator.files import Files
from jupiter.simulator.host import Host

Patch = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug.

    Attributes:
        name: Short.
        what: What is wrong, in a sentence.
        patches: (class, attribute, what takes its place).
    """

    name: str
    what: str
    patches: Callable[[], list[Patch]]


BUGS: dict[str, Bug] = {}


def planted(what: str) -> Callable[[Callable[[], list[Patch]]], Callable[[], list[Patch]]]:
    """Put a bug into the list; its name is that of the function."""

    def add(patches: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        name = patches.__name__.replace("_", "-")
        BUGS[name] = Bug(name, what, patches)
        return patches

    return add


@contextmanager
def with_bug(name: str) -> Iterator[None]:
    """Run with a bug in the code; with none where there is no name."""
    with ExitStack() as stack:
        for owner, attribute, value in BUGS[name].patches() if name else ():
            old = owner.__dict__[attribute]
            stack.callback(setattr, owner, attribute, old)
            setattr(owner, attribute, value)
        yield


# -- writing down ------------------------------------------------------------------------------


@planted("an input is accepted before it is synced")
def accept_before_sync() -> list[Patch]:
    real = machines.Machines._persist

    def persist(self: Any, action: act.Persist) -> None:
        real(self, action)
        if isinstance(action.record, rec.Accepted) and self._config.level != "none":
            self._todo.append(ev.Kept(action.record))

    accepted = ingress.Ingress._accepted

    def once(self: Any, seq: int) -> Any:
        return accepted(self, seq) if seq in self._accepting else []

    return [(machines.Machines, "_persist", persist), (ingress.Ingress, "_accepted", once)]


@planted("a delivery is acknowledged before it is written down")
def acknowledge_before_sync() -> list[Patch]:
    real = machines.Machines._keep

    def keep(self: Any, record: Any, key: Any, sender: Any, number: int) -> None:
        self._acknowledge(sender, number)
        real(self, record, key, sender, 0)

    return [(machines.Machines, "_keep", keep)]


@planted("outputs leave before their election is written down")
def no_election() -> list[Patch]:
    real = dispatch.Dispatcher._elect

    def elect(self: Any, execution: Execution, *rest: Any) -> Any:
        actions = real(self, execution, *rest)
        if execution.epoch != self._epoch:
            return actions
        sends = self._follow(execution) if not self._tasks[execution.task].plan.is_scatter else []
        return [*sends, *actions]

    return [(dispatch.Dispatcher, "_elect", elect)]


@planted("elections are forgotten by a restart")
def election_forgotten() -> list[Patch]:
    real = dispatch.Dispatcher.restore

    def restore(self: Any, record: Any, now: float) -> None:
        if not isinstance(record, rec.Elected):
            real(self, record, now)

    return [(dispatch.Dispatcher, "restore", restore)]


@planted("what was elected is not sent again after a restart")
def nothing_sent_after_restart() -> list[Patch]:
    real = dispatch.Dispatcher.resume

    def resume(self: Any) -> Any:
        return [a for a in real(self) if not isinstance(a, act.Send)]

    return [(dispatch.Dispatcher, "resume", resume)]


@planted("attempts that a crash cut short are not begun again")
def cut_short_for_ever() -> list[Patch]:
    real = dispatch.Dispatcher._queue

    def queue(self: Any, execution: Execution) -> None:
        if (
            not (
                self.is_restoring is False and execution.number and execution.state is State.PAUSED
            )
            or execution.failures
        ):
            real(self, execution)

    return [(dispatch.Dispatcher, "_queue", queue)]


@planted("the node of an item is forgotten by a restart, and chosen again")
def assignment_forgotten() -> list[Patch]:
    return [(placing.Placing, "restore", lambda self, record: None)]


@planted("every question for the node of an item is answered anew")
def assignment_not_remembered() -> list[Patch]:
    real = placing.Placing.asked

    def asked(self: Any, word: Any, asker: Any, number: int) -> Any:
        self._assigned.pop((word.task, word.item), None)
        return real(self, word, asker, number)

    return [(placing.Placing, "asked", asked)]


@planted("a view is used before it is written down")
def view_before_sync() -> list[Patch]:
    real = machines.Machines._persist

    def persist(self: Any, action: act.Persist) -> None:
        if isinstance(action.record, rec.Seen) and self.members is not None and self.view.epoch:
            self._todo.append(ev.Kept(action.record))
        else:
            real(self, action)

    return [(machines.Machines, "_persist", persist)]


@planted("files are dropped before it is written down that their item has ended")
def forget_before_sync() -> list[Patch]:
    real = machines.Machines._persist

    def persist(self: Any, action: act.Persist) -> None:
        if isinstance(action.record, rec.Forgotten):
            self._todo.append(ev.Kept(action.record))
        else:
            real(self, action)

    return [(machines.Machines, "_persist", persist)]


@planted("the journal is written before the files that it speaks of")
def record_before_files() -> list[Patch]:
    def persist(self: Any, action: act.Persist) -> None:
        if isinstance(action.record, rec.Accepted):
            self._keep_input(action.record.seq)
        self.disk.append(action.record)
        kept = ev.Kept(action.record)
        if not action.is_synced:
            self._todo.append(kept)
            return
        self._unsynced.append(kept)
        if not self._is_syncing:
            self._sync()

    return [(Host, "_persist", persist)]


# -- the two ends ------------------------------------------------------------------------------


@planted("the sink forgets by a restart what it has shown")
def sink_forgets() -> list[Patch]:
    real = sink.Sink.restore

    def restore(self: Any, record: Any) -> None:
        real(self, record)
        self.ending.__init__()

    return [(sink.Sink, "restore", restore)]


@planted("the sink takes everything as new")
def sink_without_deduplication() -> list[Patch]:
    real = sink.Sink._arrived

    def arrived(self: Any, delivery: Any) -> Any:
        for origin in delivery.origins:
            if origin in self.ending and origin not in self._cover:
                self.ending.__init__()
        return real(self, delivery)

    return [(sink.Sink, "_arrived", arrived)]


@planted("results are shown before their commit is written down")
def show_before_commit() -> list[Patch]:
    real: Any = sink.Sink._commit

    def commit(self: Any, group: Any) -> Any:
        action = real(self, group)
        self.early = getattr(self, "early", [])
        self.early.append(act.Publish(action.record))
        return action

    arrived = sink.Sink._arrived

    def now(self: Any, delivery: Any) -> Any:
        actions = arrived(self, delivery)
        early, self.early = getattr(self, "early", []), []
        return [*early, *actions]

    return [(sink.Sink, "_commit", commit), (sink.Sink, "_arrived", now)]


@planted("what was committed is not shown after a crash")
def commit_not_shown() -> list[Patch]:
    return [(sink.Sink, "resume", lambda self: [])]


@planted("an item ends when its first result comes")
def partial_commit() -> list[Patch]:
    real = sink.Sink._arrived
    end = sink.Sink._end_of

    def arrived(self: Any, delivery: Any) -> Any:
        sinks, self._sinks = self._sinks, self._sinks[:1]
        try:
            if delivery.source not in self._sinks:
                return []
            return real(self, delivery)
        finally:
            self._sinks = sinks

    def end_of(self: Any, cover: Any, named: Any) -> Any:
        return end(self, cover, named)

    return [(sink.Sink, "_arrived", arrived), (sink.Sink, "_end_of", end_of)]


@planted("items of one batch end one by one")
def batch_torn() -> list[Patch]:
    def group(self: Any) -> list[int]:
        for first in sorted(self._complete):
            if not self._is_ordered or first == self.ending.mark:
                return [first]
        return []

    return [(sink.Sink, "_group", group)]


@planted("order was asked for and nobody cares")
def order_ignored() -> list[Patch]:
    real = sink.Sink.__init__

    def init(self: Any, sinks: Any, *, is_ordered: bool = False) -> None:
        real(self, sinks, is_ordered=False)

    return [(sink.Sink, "__init__", init)]


@planted("results of one name take each other's place")
def names_collide() -> list[Patch]:
    return [(sink.Sink, "_name", lambda self, name, item: name)]


@planted("items that have not ended are not sent again in a new epoch")
def nothing_sent_again() -> list[Patch]:
    real = ingress.Ingress.step

    def step(self: Any, event: Any, now: float) -> Any:
        actions = real(self, event, now)
        if isinstance(event, ev.Began):
            return [a for a in actions if not isinstance(a, act.Send)]
        return actions

    return [(ingress.Ingress, "step", step)]


@planted("more items are let in than asked for")
def window_ignored() -> list[Patch]:
    return [(ingress.Ingress, "in_flight", property(lambda self: len(self._open) // 3))]


@planted("items in an incomplete batch count as in flight")
def held_not_told() -> list[Patch]:
    return [(dispatch.Dispatcher, "_hold", lambda self, state, produced: [])]


@planted("complete items that wait for order count as in flight")
def parked_not_told() -> list[Patch]:
    return [(machines.Machines, "_park", lambda self, park: None)]


# -- between nodes -----------------------------------------------------------------------------


@planted("what was sent is deleted, whether or not it arrived")
def delete_on_send() -> list[Patch]:
    real = outbox.Outbox.post

    def post(self: Any, to: Any, word: Any, refs: Any = ()) -> Any:
        actions = real(self, to, word, refs)
        lane = self._lanes[to]
        for number in list(lane.under_way):
            del lane.open[number], lane.under_way[number]
        return actions

    return [(outbox.Outbox, "post", post)]


@planted("outputs are dropped when one child has them")
def drop_on_acknowledgement() -> list[Patch]:
    real = machines.Machines._heed

    def heed(self: Any, sender: Any, number: int, word: Any) -> None:
        if isinstance(word, words.Ack):
            lane = self.outbox._lanes.get(sender)
            sent = lane.open.get(word.number) if lane is not None else None
            if sent is not None and sent.refs:
                self._out.append(act.DropOutputs(sent.refs[0].item, sent.refs[0].task))
        real(self, sender, number, word)

    return [(machines.Machines, "_heed", heed)]


@planted("nothing is transmitted a second time")
def never_resent() -> list[Patch]:
    return [(outbox.Outbox, "due", lambda self, to: [])]


@planted("numbers start from one again after a restart")
def numbers_again() -> list[Patch]:
    real = outbox.Outbox.__init__

    def init(self: Any, first: int = 1, *rest: Any) -> None:
        real(self, 1, *rest)

    return [(outbox.Outbox, "__init__", init)]


@planted("an acknowledgement gives no credit back")
def credit_lost() -> list[Patch]:
    def acked(self: Any, to: Any, number: int, credit: int) -> Any:
        lane = self._lanes.get(to)
        return lane.open.pop(number, None) if lane is not None else None

    def due(self: Any, to: Any) -> Any:
        lane = self._lanes[to]
        lane.is_armed = False
        return [lane.open[n] for n in lane.under_way if n in lane.open]

    def again(self: Any, to: Any) -> Any:
        return due(self, to) if to in self._lanes else []

    patches = {"acked": acked, "due": due, "again": again}
    return [(outbox.Outbox, name, patch) for name, patch in patches.items()]


@planted("everything is sent at once, whatever the receiver allows")
def credit_ignored() -> list[Patch]:
    real = outbox.Outbox.post

    def post(self: Any, to: Any, word: Any, refs: Any = ()) -> Any:
        allowed = self._lanes[to].credit if to in self._lanes else None
        if allowed is not None:
            self._lanes[to].credit = 1 << 20
        try:
            return real(self, to, word, refs)
        finally:
            if allowed is not None:
                self._lanes[to].credit = allowed

    return [(outbox.Outbox, "post", post)]


@planted("words wait for a credit that came long ago")
def no_pump() -> list[Patch]:
    return [(outbox.Outbox, "pump", lambda self, to: [])]


@planted("what an older epoch sends is taken for new: a lease without fencing")
def no_fencing() -> list[Patch]:
    real = machines.Machines._heed

    def heed(self: Any, sender: Any, number: int, word: Any) -> None:
        if (
            isinstance(word, words.Deliver)
            and word.epoch < self.view.epoch
            and self._known.is_member
        ):
            fresh = msgspec.structs.replace(word.delivery, epoch=self.view.epoch)
            word = words.Deliver(fresh)
        real(self, sender, number, word)

    wants = machines.Machines.wants

    def want(self: Any, delivery: Any) -> bool:
        return wants(self, msgspec.structs.replace(delivery, epoch=self.view.epoch))

    store = Host._store

    def put(self: Any, delivery: Any, body: Any) -> None:
        epoch = self._node.view.epoch
        store(self, msgspec.structs.replace(delivery, epoch=epoch), body)

    return [
        (machines.Machines, "_heed", heed),
        (machines.Machines, "wants", want),
        (Host, "_store", put),
    ]


@planted("an answer of an older epoch is believed")
def stale_place() -> list[Patch]:
    real = placing.Placing.placed

    def placed(self: Any, word: Any) -> Any:
        return real(self, msgspec.structs.replace(word, epoch=self._view.epoch))

    return [(placing.Placing, "placed", placed)]


@planted("words to a node that has ended are not dropped with its items")
def outbox_remembers() -> list[Patch]:
    return [(outbox.Outbox, "forget", lambda self, settled: [])]


# -- who takes part ----------------------------------------------------------------------------


@planted("a lost node is never missed")
def lease_for_ever() -> list[Patch]:
    real = membership.Membership._is_here

    def is_here(self: Any, name: Any, now: float) -> bool:
        return name in self._view.members or real(self, name, now)

    return [(membership.Membership, "_is_here", is_here)]


@planted("a node that forgot everything goes on as if nothing was")
def incarnation_ignored() -> list[Patch]:
    real = machines.Machines._take_up

    def take_up(self: Any, view: Any) -> Any:
        began = real(self, view)
        self._known.is_member = self.node in view.members
        return began

    beat = membership.Membership.beat

    def beaten(self: Any, name: Any, word: Any, now: float) -> Any:
        known = self._view.members.get(name, word.incarnation)
        return beat(self, name, msgspec.structs.replace(word, incarnation=known), now)

    return [(machines.Machines, "_take_up", take_up), (membership.Membership, "beat", beaten)]


@planted("home begins no new epoch after a restart")
def no_new_epoch() -> list[Patch]:
    return [(membership.Membership, "renew", lambda self, now: [])]


@planted("a node that was lost never takes part again")
def never_again() -> list[Patch]:
    def is_here(self: Any, name: Any, now: float) -> bool:
        if now - self._heard_s[name] > self._lease_s:
            return False
        return name in self._view.members

    return [(membership.Membership, "_is_here", is_here)]


@planted("workers that failed to start are not started again")
def workers_given_up() -> list[Patch]:
    real = workers.Reconciler.failed

    def failed(self: Any, task: Any) -> Any:
        real(self, task)
        return []

    return [(workers.Reconciler, "failed", failed)]


@planted("workers are not started again after a restart")
def workers_forgotten() -> list[Patch]:
    real = node.Node.restore

    def restore(self: Any, records: Any, now: float) -> None:
        real(self, records, now)
        self.workers.want(self._plans)

    return [(node.Node, "restore", restore)]


@planted("home does not tell its own tasks after a restart that the input is closed")
def home_not_closed() -> list[Patch]:
    real = node.Node._restore_home

    def restore(self: Any, record: Any) -> None:
        self.dispatcher.__dict__["close"] = lambda total: []
        real(self, record)
        del self.dispatcher.__dict__["close"]

    return [(node.Node, "_restore_home", restore)]


@planted("home keeps after a restart what its own tasks made of items that had ended")
def home_remembers() -> list[Patch]:
    real = node.Node._restore_home

    def restore(self: Any, record: Any) -> None:
        self.__dict__["_forget"] = lambda seqs: None
        real(self, record)
        del self.__dict__["_forget"]

    return [(node.Node, "_restore_home", restore)]


# -- joins, attempts, batches ------------------------------------------------------------------


@planted("a join takes what came first from each parent, of whatever item")
def join_by_arrival() -> list[Patch]:
    def add(self: Any, delivery: Any, now: float) -> Any:
        if len(self._parents) == 1:
            return (delivery,), now
        queues = self.__dict__.setdefault("queues", {parent: deque() for parent in self._parents})
        queues[delivery.source].append(delivery)
        if all(queues.values()):
            return tuple(queues[parent].popleft() for parent in self._parents), now
        return None

    def inputs(self: Any, run: act.Run) -> Any:
        found = []
        for each in run.inputs:
            key = ("in", run.task, each.item, each.epoch, each.source)
            if each.parts:
                found.append(list(self._disk.image.files[key][1]))
        return found

    return [(joins.Join, "add", add), (Files, "inputs", inputs)]


@planted("a delivery that comes twice runs twice")
def twice_is_twice() -> list[Patch]:
    real = dispatch.Dispatcher._arrived

    def arrived(self: Any, delivery: Any, now: float) -> Any:
        key = delivery.target, delivery.item
        old = self._executions.get(key)
        if old is not None and old.state is State.ENDED and not self.is_restoring:
            del self._executions[key]
        return real(self, delivery, now)

    def seen(self: Any, delivery: Any) -> bool:
        return False

    return [
        (dispatch.Dispatcher, "_arrived", arrived),
        (dispatch.Dispatcher, "has_seen", seen),
        (dispatch.Dispatcher, "wants", lambda self, delivery: True),
    ]


@planted("what an older epoch made is used, whatever it was made from")
def lineage_ignored() -> list[Patch]:
    real = dispatch.Dispatcher._arrived

    def arrived(self: Any, delivery: Any, now: float) -> Any:
        old = self._executions.get((delivery.target, delivery.item))
        if old is not None and old.epoch < delivery.epoch:
            old.inputs = tuple(
                msgspec.structs.replace(each, attempt=delivery.attempt)
                if each.source == delivery.source
                else each
                for each in old.inputs
            )
        return real(self, delivery, now)

    return [(dispatch.Dispatcher, "_arrived", arrived)]


@planted("inputs are not stored again where an older epoch had used some of them")
def inputs_not_stored() -> list[Patch]:
    real = dispatch.Dispatcher.wants

    def wants(self: Any, delivery: Any) -> bool:
        execution = self._executions.get((delivery.target, delivery.item))
        attempts = execution.lineage if execution is not None and execution.is_decided else ()
        if delivery.attempt in attempts:
            return False
        return bool(real(self, delivery))

    return [(dispatch.Dispatcher, "wants", wants)]


@planted("inputs of a newer epoch are dropped with those of an older")
def drop_all_epochs() -> list[Patch]:
    real = Host._drop_inputs

    def drop(self: Any, action: act.DropInputs) -> None:
        real(self, act.DropInputs(action.item, action.task, 1 << 30))

    return [(Host, "_drop_inputs", drop)]


@planted("a failed attempt is the last")
def no_retry() -> list[Patch]:
    real = dispatch.Dispatcher._failed

    def failed(self: Any, event: Any) -> Any:
        return real(self, msgspec.structs.replace(event, is_final=True))

    return [(dispatch.Dispatcher, "_failed", failed)]


@planted("a task that always fails is tried for ever")
def endless_retry() -> list[Patch]:
    real = dispatch.Dispatcher._failed

    def failed(self: Any, event: Any) -> Any:
        self._executions[event.task, event.item].failures = 0
        return real(self, event)

    return [(dispatch.Dispatcher, "_failed", failed)]


@planted("an attempt that hangs is waited for")
def no_timeout() -> list[Patch]:
    real = dispatch.Dispatcher._due

    def due(self: Any, timer: Any) -> Any:
        return real(self, timer) if timer.kind != "timeout" else []

    return [(dispatch.Dispatcher, "_due", due)]


@planted("a killed attempt keeps its core")
def core_lost() -> list[Patch]:
    real = dispatch.Dispatcher._due

    def due(self: Any, timer: Any) -> Any:
        free = self._free_cores
        actions = real(self, timer)
        if timer.kind == "timeout":
            self._free_cores = free
        return actions

    return [(dispatch.Dispatcher, "_due", due)]


@planted("joins keep everything in memory")
def never_evicted() -> list[Patch]:
    return [(joins.Join, "evict", lambda self: [])]


@planted("batches are counted, and the count starts anew with every restart")
def batch_counted() -> list[Patch]:
    real = routing.Router._batch

    def batch(self: Any, members: Any, *rest: Any) -> Any:
        count = self.__dict__.setdefault("count", {})
        count[self._epoch] = count.get(self._epoch, -1) + 1
        return real(self, members, *rest)._replace(seq=count[self._epoch])

    return [(routing.Router, "_batch", batch)]


@planted("items are batched in the order in which they finish")
def batch_by_arrival() -> list[Patch]:
    real = routing.Router.pass_over

    def pass_over(self: Any, seqs: Any) -> Any:
        known, self._known = self._known, SeqSet()
        self._known.add_all(1 << 20, ())
        for collector in self._collectors.values():
            collector.next = min(collector.aside, default=0)
        try:
            known.add_all(0, tuple(seqs))
            return [
                routed
                for collector in self._collectors.values()
                for batch in collector.advance(collector.next + 1, len(self._plan.children))
                for routed in self._deal(self._batch(batch))
            ]
        finally:
            self._known = known
            real(self, ())

    return [(routing.Router, "pass_over", pass_over)]


@planted("an incomplete batch is waited for after the last item")
def batch_never_ends() -> list[Patch]:
    return [(routing.Router, "finish", lambda self: [])]
