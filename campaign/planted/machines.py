"""Planted bugs in machines: what is written down, said and heeded, and when."""

from __future__ import annotations

from typing import Any

import msgspec

from campaign.planted.bug import Patch, planted
from jupiter.control import intake, knowledge, machines
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.simulator.host import Host


@planted("a delivery is acknowledged before it is written down")
def acknowledge_before_sync() -> list[Patch]:
    real = machines.Machines._keep

    def keep(self: Any, record: Any, key: Any, sender: Any, number: int) -> None:
        self._acknowledge(sender, number)
        real(self, record, key, sender, 0)

    return [(machines.Machines, "_keep", keep)]


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


@planted("complete items that wait for order count as in flight")
def parked_not_told() -> list[Patch]:
    return [(machines.Machines, "_park", lambda self, park: None)]


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


@planted("a node that has lost files goes on in the same epoch")
def lost_in_same_epoch() -> list[Patch]:
    return [(knowledge.Knowledge, "forget_some", lambda self: None)]


@planted("no new epoch begins when home has lost files")
def lost_without_epoch() -> list[Patch]:
    real = intake.Intake._lost

    def lost(self: Any, record: rec.Lost) -> None:
        if self.members is None:
            real(self, record)
        else:
            self._lose(record)

    return [(intake.Intake, "_lost", lost)]


@planted("words that speak of lost files are said again")
def lost_words_kept() -> list[Patch]:
    real = intake.Intake._lose

    def lose(self: Any, record: rec.Lost) -> None:
        begin = self.outbox.begin
        self.outbox.begin = lambda epoch, members: []
        real(self, record)
        self.outbox.begin = begin

    return [(intake.Intake, "_lose", lose)]


@planted("what was taken in while files were found lost stays on the disk")
def unused_inputs_kept() -> list[Patch]:
    return [(intake.Intake, "_drop_unused", lambda self, delivery: None)]


@planted("losses are not written down")
def losses_not_written() -> list[Patch]:
    real = machines.Machines._persist

    def persist(self: Any, action: act.Persist) -> None:
        if isinstance(action.record, rec.Lost):
            self._todo.append(ev.Kept(action.record))
        else:
            real(self, action)

    return [(machines.Machines, "_persist", persist)]
