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


@planted("order was asked for and nobody cares")
def order_ignored() -> list[Patch]:
    real = sink.Sink.__init__

    def init(self: Any, sinks: Any, *, is_ordered: bool = False) -> None:
        real(self, sinks, is_ordered=False)

    return [(sink.Sink, "__init__", init)]


@planted("results of one name take each other's place")
def names_collide() -> list[Patch]:
    return [(sink.Sink, "_name", lambda self, name, item: name)]
