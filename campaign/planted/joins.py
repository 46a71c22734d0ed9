"""Planted bugs in joins: what belongs together."""

from __future__ import annotations

from collections import deque
from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.control import joins
from jupiter.model import actions as act
from jupiter.simulator.files import Files


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


@planted("joins keep everything in memory")
def never_evicted() -> list[Patch]:
    return [(joins.Join, "evict", lambda self: [])]
