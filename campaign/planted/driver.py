"""Planted bugs in the host: what carries out the decisions."""

from __future__ import annotations

from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.simulator.host import Host


@planted("the journal is written before the files that it speaks of")
def record_before_files() -> list[Patch]:
    def persist(self: Any, action: act.Persist) -> None:
        if isinstance(action.record, rec.Accepted):
            self._keep_input(action.record.seq)
        self.disk.append(action.record)
        if not action.is_synced:
            self._todo.append(ev.Kept(action.record))
            return
        wait_s = self._writer._sync_s
        self.world.at(self.world.now + wait_s, self._synced, self.life, action.record)

    def synced(self: Any, life: int, record: rec.Record) -> None:
        if life == self.life:
            self.disk.sync()
            self.tell(ev.Kept(record))

    Host._synced = synced  # type: ignore[attr-defined]

    return [(Host, "_persist", persist)]


@planted("inputs of a newer epoch are dropped with those of an older")
def drop_all_epochs() -> list[Patch]:
    real = Host._drop_inputs

    def drop(self: Any, action: act.DropInputs) -> None:
        real(self, act.DropInputs(action.item, action.task, 1 << 30))

    return [(Host, "_drop_inputs", drop)]


@planted("a delivery that found a full disk counts as here")
def full_is_taken() -> list[Patch]:
    real = Host.receive

    def receive(self: Any, sender: Any, number: int, word: Any, *rest: Any) -> None:
        if self.is_full and self.is_up and not self.is_paused:
            self.tell(ev.Received(sender, number, word))
        else:
            real(self, sender, number, word, *rest)

    return [(Host, "receive", receive)]
