"""Which child gets which output: broadcast, and scatter with its batches."""

from __future__ import annotations

from dataclasses import dataclass

from jupiter.kit.seqset import SeqSet
from jupiter.model.ids import TaskId
from jupiter.model.items import Delivery, Outcome, PartRef, TaskPlan


@dataclass(frozen=True, slots=True)
class Produced:
    """The end of one execution, as routing sees it.

    Attributes:
        scope: As `Delivery.scope`.
        seq: As `Delivery.seq`.
        origins: As `Delivery.origins`.
        outputs: In the order in which the task returned them.
        outcome: ``done`` even where there are no outputs; routing decides what that means.
        detail: Why it is not ``done``.
    """

    scope: str
    seq: int
    origins: tuple[int, ...]
    outputs: tuple[PartRef, ...] = ()
    outcome: Outcome = "done"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Routed:
    """A delivery, with the places of its parts."""

    delivery: Delivery
    refs: tuple[PartRef, ...]


class Router:
    """Turns the outputs of one task into deliveries to its children.

    Broadcast gives every output to every child. Scatter gives the k-th output to the k-th child
    (going round where there are more outputs than children). An item with fewer outputs than there
    are children is put aside until the outputs of consecutive items suffice; all these together
    are one new item, the batch. Items are put aside in the order of their numbers, never in the
    order in which they finished, so a batch is the same on every run.
    """

    def __init__(self, plan: TaskPlan) -> None:
        self._plan = plan
        self._collectors: dict[str, _Collector] = {}
        self._batches = 0
        self.sent: dict[TaskId, int] = dict.fromkeys(plan.children, 0)
        """Deliveries so far, by child."""

    def route(self, produced: Produced) -> list[Routed]:
        """Return the deliveries that follow from the end of an execution."""
        children = self._plan.children
        if produced.outcome != "done":
            routed = self._to_all(produced)
            if not self._plan.is_scatter:
                return routed
            return routed + self._collect(produced, takes_part=False)
        if self._plan.is_scatter:
            if len(produced.outputs) >= len(children):
                routed = self._deal(produced)
                return routed + self._collect(produced, takes_part=False)
            return self._collect(produced, takes_part=True)
        if not produced.outputs:
            detail = f"task {self._plan.name} gave no output"
            return self._to_all(
                Produced(produced.scope, produced.seq, produced.origins, (), "filtered", detail)
            )
        return self._to_all(produced)

    def held(self, produced: Produced) -> bool:
        """Return whether an item waits in a batch that is not complete."""
        collector = self._collectors.get(produced.scope)
        return collector is not None and collector.holds(produced.seq)

    def end(self) -> list[Routed]:
        """Return what follows from there being no further executions: unfinished batches fail."""
        routed: list[Routed] = []
        for collector in self._collectors.values():
            for batch in collector.flush(len(self._plan.children)):
                routed += self._deal_batch(batch)
            rest = collector.rest()
            if rest:
                routed += self._to_all(
                    self._batch(
                        rest,
                        "failed",
                        f"the stream ended before every child of {self._plan.name} had an output",
                    )
                )
        return routed

    def _collect(self, produced: Produced, *, takes_part: bool) -> list[Routed]:
        collector = self._collectors.get(produced.scope)
        if collector is None:
            collector = self._collectors[produced.scope] = _Collector()
        batches = collector.add(produced, takes_part, len(self._plan.children))
        return [routed for batch in batches for routed in self._deal_batch(batch)]

    def _deal_batch(self, batch: list[Produced]) -> list[Routed]:
        return self._deal(self._batch(batch, "done", ""))

    def _batch(self, members: list[Produced], outcome: Outcome, detail: str) -> Produced:
        seq, self._batches = self._batches, self._batches + 1
        origins = tuple(dict.fromkeys(o for member in members for o in member.origins))
        outputs = tuple(ref for member in members for ref in member.outputs)
        return Produced(str(self._plan.name), seq, origins, outputs, outcome, detail)

    def _deal(self, produced: Produced) -> list[Routed]:
        count = len(self._plan.children)
        return [
            self._delivery(produced, child, produced.outputs[k::count])
            for k, child in enumerate(self._plan.children)
        ]

    def _to_all(self, produced: Produced) -> list[Routed]:
        refs = produced.outputs if produced.outcome == "done" else ()
        return [self._delivery(produced, child, refs) for child in self._plan.children]

    def _delivery(self, produced: Produced, child: TaskId, refs: tuple[PartRef, ...]) -> Routed:
        self.sent[child] += 1
        delivery = Delivery(
            scope=produced.scope,
            seq=produced.seq,
            origins=produced.origins,
            source=self._plan.name,
            target=child,
            parts=tuple(ref.part for ref in refs),
            outcome=produced.outcome,
            detail=produced.detail,
        )
        return Routed(delivery, refs)


class _Collector:
    """The items of one scope that gave too few outputs, in the order of their numbers."""

    def __init__(self) -> None:
        self._known = SeqSet()
        self._aside: dict[int, Produced] = {}
        self._next = 0
        self._members: list[Produced] = []
        self._outputs = 0

    def add(self, produced: Produced, takes_part: bool, need: int) -> list[list[Produced]]:
        """Note the end of an item; return the batches that are complete by it."""
        self._known.add(produced.seq)
        if takes_part:
            self._aside[produced.seq] = produced
        batches = []
        while self._next < self._known.mark:
            batches += self._take(self._next, need)
            self._next += 1
        return batches

    def holds(self, seq: int) -> bool:
        """Return whether an item waits here."""
        return seq in self._aside or any(member.seq == seq for member in self._members)

    def flush(self, need: int) -> list[list[Produced]]:
        """Put aside what waits behind a gap, as no more will come; return complete batches."""
        batches = []
        for seq in sorted(self._aside):
            batches += self._take(seq, need)
        return batches

    def rest(self) -> list[Produced]:
        """Return the members of the batch that stays incomplete."""
        return self._members

    def _take(self, seq: int, need: int) -> list[list[Produced]]:
        produced = self._aside.pop(seq, None)
        if produced is None:
            return []
        self._members.append(produced)
        self._outputs += len(produced.outputs)
        if self._outputs < need:
            return []
        batch, self._members, self._outputs = self._members, [], 0
        return [batch]
