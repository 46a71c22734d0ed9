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
        kept = ev.Kept(action.record)
        if not action.is_synced:
            self._todo.append(kept)
            return
        self._unsynced.append(kept)
        if not self._is_syncing:
            self._sync()

    return [(Host, "_persist", persist)]


@planted("inputs of a newer epoch are dropped with those of an older")
def drop_all_epochs() -> list[Patch]:
    real = Host._drop_inputs

    def drop(self: Any, action: act.DropInputs) -> None:
        real(self, act.DropInputs(action.item, action.task, 1 << 30))

    return [(Host, "_drop_inputs", drop)]
