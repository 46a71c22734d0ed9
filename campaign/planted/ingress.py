"""Planted bugs in ingress: where items come in."""

from __future__ import annotations

from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.control import ingress, machines
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec


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


@planted("items that have not ended are not sent again in a new epoch")
def nothing_sent_again() -> list[Patch]:
    real = ingress.Ingress.step

    def step(self: Any, event: Any, now: float) -> Any:
        actions = real(self, event, now)
        if isinstance(event, ev.Began | ev.Due):
            return [a for a in actions if not isinstance(a, act.Send)]
        return actions

    return [(ingress.Ingress, "step", step)]


@planted("more items are let in than asked for")
def window_ignored() -> list[Patch]:
    return [(ingress.Ingress, "in_flight", property(lambda self: len(self._open) // 3))]


@planted("an accepted input that cannot be read is dropped, and nobody hears of it")
def lost_input_dropped() -> list[Patch]:
    def lose(self: Any, seq: int, reason: str) -> None:
        self._open.pop(seq, None)

    return [(ingress.Ingress, "lose", lose)]


@planted("an accepted input that cannot be read is tried for ever")
def lost_input_kept() -> list[Patch]:
    return [(ingress.Ingress, "lose", lambda self, seq, reason: None)]
