"""Planted bugs in routing: what goes where, and in which batch."""

from __future__ import annotations

from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.control import routing
from jupiter.kit.seqset import SeqSet


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
