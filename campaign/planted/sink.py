"""Planted bugs in sink: where items end."""

from __future__ import annotations

from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.control import sink
from jupiter.model import actions as act


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


@planted("a batch ends before an item in front of it, whose end decides what is in the batch")
def batch_overtakes() -> list[Patch]:
    def with_others(self: Any, first: int) -> list[int]:
        group, todo = {first}, [first]
        while todo:
            for delivery in self._cover[todo.pop()].values():
                todo += [o for o in delivery.origins if o not in group and o not in self.ending]
                group.update(todo)
            if not group.issubset(self._complete):
                return []
        return sorted(group)

    return [(sink.Sink, "_with_others", with_others)]


@planted("complete items that wait for others of their batch count as in flight")
def batch_not_parked() -> list[Patch]:
    real = sink.Sink._arrived

    def arrived(self: Any, delivery: Any) -> Any:
        actions = real(self, delivery)
        return [a for a in actions if self._is_ordered or not isinstance(a, act.Park)]

    return [(sink.Sink, "_arrived", arrived)]


@planted("order was asked for and nobody cares")
def order_ignored() -> list[Patch]:
    real = sink.Sink.__init__

    def init(self: Any, sinks: Any, *, is_ordered: bool = False) -> None:
        real(self, sinks, is_ordered=False)

    return [(sink.Sink, "__init__", init)]


@planted("results of one name take each other's place")
def names_collide() -> list[Patch]:
    return [(sink.Sink, "_name", lambda self, name, item: name)]
