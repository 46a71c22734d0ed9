"""Which child gets which output: broadcast, and scatter with its batches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupiter.kit.seqset import SeqSet
from jupiter.model.ids import TaskId
from jupiter.model.items import Attempt, Delivery, Outcome, PartRef, TaskPlan
from jupiter.model.view import Numbers


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
        attempt: The one that was elected.
        absorbed: As `Delivery.absorbed`.
    """

    scope: str
    seq: int
    origins: tuple[int, ...]
    outputs: tuple[PartRef, ...] = ()
    outcome: Outcome = "done"
    detail: str = ""
    attempt: Attempt = (0, 0)
    absorbed: tuple[tuple[str, int], ...] = ()


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

    Batches are numbered within an epoch; with a new epoch, whatever has not ended comes again and
    batches are made anew.
    """

    def __init__(self, plan: TaskPlan) -> None:
        self._plan = plan
        self._is_collecting = plan.is_scatter
        self._collectors: dict[str, _Collector] = {}
        self._counts: dict[str, int] = {}
        self._batches = 0
        self._has_ended = False
        self._epoch = 0

    def begin(self, epoch: int, settled: Numbers) -> None:
        """Start an epoch; items that ended before will not come again."""
        self._epoch = epoch
        if self._is_collecting:
            known = SeqSet()
            known.add_all(settled.mark, settled.above)
            self._collectors = {"": _Collector(known)}
            self._counts = {}
            self._batches = 0
            self._has_ended = False

    def route(self, produced: Produced) -> list[Routed]:
        """Return the deliveries that follow from the end of an execution."""
        if not self._is_collecting:
            if produced.outcome == "done" and not produced.outputs:
                detail = f"task {self._plan.name} gave no output"
                produced = replace(produced, outcome="filtered", detail=detail)
            return self._to_all(produced)
        children = self._plan.children
        takes_part = produced.outcome == "done" and len(produced.outputs) < len(children)
        routed: list[Routed] = []
        if produced.outcome != "done":
            routed = self._to_all(produced)
        elif not takes_part:
            routed = self._deal(produced)
        for scope, seq in produced.absorbed:
            routed += self._collect(scope, seq, None)
        return routed + self._collect(
            produced.scope, produced.seq, produced if takes_part else None
        )

    def holds(self, produced: Produced) -> bool:
        """Return whether an item waits in a batch that is not complete."""
        collector = self._collectors.get(produced.scope)
        return collector is not None and collector.holds(produced.seq)

    def settle(self, seqs: tuple[int, ...]) -> list[Routed]:
        """Note items that have ended and will not come; usually they have come long ago."""
        if not self._is_collecting:
            return []
        return [routed for seq in seqs for routed in self._collect("", seq, None)]

    def end(self, scope: str, count: int) -> None:
        """Note how many items of a scope there are in all."""
        self._counts[scope] = count

    def finish(self) -> tuple[list[Routed], int | None]:
        """Return what follows from scopes that are complete: unfinished batches fail.

        Returns:
            The deliveries, and once the number of batches of this task, when no more can come.
        """
        routed: list[Routed] = []
        scopes = ("", *(task for task in self._plan.batchers if task != self._plan.name))
        if self._has_ended or not self._is_collecting:
            return routed, None
        for scope in scopes:
            count = self._counts.get(scope)
            if count is None or self._collector(scope).mark < count:
                return routed, None
        self._has_ended = True
        for scope in scopes:
            rest = self._collector(scope).rest()
            if rest:
                detail = f"the stream ended before every child of {self._plan.name} had an output"
                routed += self._to_all(self._batch(rest, "failed", detail))
        return routed, self._batches

    def _collector(self, scope: str) -> _Collector:
        found = self._collectors.get(scope)
        if found is None:
            found = self._collectors[scope] = _Collector(SeqSet())
        return found

    def _collect(self, scope: str, seq: int, member: Produced | None) -> list[Routed]:
        batches = self._collector(scope).add(seq, member, len(self._plan.children))
        return [routed for batch in batches for routed in self._deal(self._batch(batch))]

    def _batch(
        self, members: list[Produced], outcome: Outcome = "done", detail: str = ""
    ) -> Produced:
        seq, self._batches = self._batches, self._batches + 1
        return Produced(
            scope=str(self._plan.name),
            seq=seq,
            origins=tuple(dict.fromkeys(o for member in members for o in member.origins)),
            outputs=tuple(ref for member in members for ref in member.outputs),
            outcome=outcome,
            detail=detail,
            attempt=(self._epoch, 0),
            absorbed=tuple(
                each
                for member in members
                for each in ((member.scope, member.seq), *member.absorbed)
            ),
        )

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
        delivery = Delivery(
            scope=produced.scope,
            seq=produced.seq,
            origins=produced.origins,
            source=self._plan.name,
            target=child,
            parts=tuple([ref.part for ref in refs]),
            outcome=produced.outcome,
            detail=produced.detail,
            epoch=self._epoch,
            attempt=produced.attempt,
            absorbed=produced.absorbed,
        )
        return Routed(delivery, refs)


class _Collector:
    """The items of one scope that gave too few outputs, in the order of their numbers.

    Args:
        known: Numbers that will not come.
    """

    def __init__(self, known: SeqSet) -> None:
        self._known = known
        self._aside: dict[int, Produced] = {}
        self._next = known.mark
        self._members: list[Produced] = []
        self._outputs = 0

    @property
    def mark(self) -> int:
        """All numbers below it have come."""
        return self._known.mark

    def add(self, seq: int, member: Produced | None, need: int) -> list[list[Produced]]:
        """Note the end of an item; return the batches that are complete by it."""
        if not self._known.add(seq):
            return []
        if member is not None:
            self._aside[seq] = member
        batches = []
        while self._next < self._known.mark:
            batches += self._take(self._next, need)
            self._next += 1
        return batches

    def holds(self, seq: int) -> bool:
        """Return whether an item waits here."""
        return seq in self._aside or any(member.seq == seq for member in self._members)

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
