"""Planted bugs in outbox: what was sent and has not arrived."""

from __future__ import annotations

from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.control import outbox


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


@planted("words to a node that has ended are not dropped with its items")
def outbox_remembers() -> list[Patch]:
    return [(outbox.Outbox, "forget", lambda self, settled: [])]
