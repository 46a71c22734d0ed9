"""Which child gets which output: broadcast, and scatter with its batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from jupiter.kit.seqset import SeqSet
from jupiter.model.ids import TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Outcome, PartRef, TaskPlan
from jupiter.model.view import Numbers


class Produced(NamedTuple):
    """The end of one execution, as routing sees it.

    Attributes:
        scope: As `Delivery.scope`.
        seq: As `Delivery.seq`.
        origins: As `Delivery.origins`.
        outputs: In the order in which the task returned them.
        outcome: ``done`` even where there are no outputs; routing decides what that means.
        detail: Why it is not ``done``.
        attempt: The one that was elected.
    """

    scope: str
    seq: int
    origins: tuple[int, ...]
    outputs: tuple[PartRef, ...] = ()
    outcome: Outcome = "done"
    detail: str = ""
    attempt: Attempt = (0, 0)


class Routed(NamedTuple):
    """A delivery, with the places of its parts."""

    delivery: Delivery
    refs: tuple[PartRef, ...]


class Router:
    """Turns the outputs of one task into deliveries to its children.

    Broadcast gives every output to every child. Scatter gives the k-th output to the k-th child
    (going round where there are more outputs than children). An item with fewer outputs than there
    are children is put aside until the outputs of consecutive items suffice; all these together
    are one new item, the batch, which is numbered like the first of them. Items are put aside in
    the order of their numbers, never in the order in which they finished, so a batch is the same on
    every run and after every restart. With a new epoch, whatever has not ended comes again and
    batches are made anew.
    """

    def __init__(self, plan: TaskPlan) -> None:
        self._plan = plan
        self._is_collecting = plan.is_scatter
        self._epoch = 0
        # Ingress items that came here, alone or in a batch, or will not come at all.
        self._known = SeqSet()
        self._total = -1
        self._collectors: dict[str, _Collector] = {}

    def begin(self, epoch: int, settled: Numbers) -> None:
        """Start an epoch; items that ended before will not come again."""
        self._epoch = epoch
        if self._is_collecting:
            self._known = SeqSet()
            self._known.add_all(settled.mark, settled.above)
            self._collectors = {}

    def route(self, produced: Produced) -> list[Routed]:
        """Return the deliveries that follow from the end of an execution."""
        if not self._is_collecting:
            if produced.outcome == "done" and not produced.outputs:
                detail = f"task {self._plan.name} gave no output"
                produced = produced._replace(outcome="filtered", detail=detail)
            return self._to_all(produced)
        children = self._plan.children
        if produced.outcome != "done":
            routed = self._to_all(produced)
        elif len(produced.outputs) >= len(children):
            routed = self._deal(produced)
        else:
            routed = []
            self._collector(produced.scope).aside[produced.seq] = produced
        return routed + self.pass_over(produced.origins)

    def holds(self, produced: Produced) -> bool:
        """Return whether an item waits in a batch that is not complete."""
        collector = self._collectors.get(produced.scope)
        return collector is not None and collector.holds(produced.seq)

    def pass_over(self, seqs: tuple[int, ...]) -> list[Routed]:
        """Note ingress items that came or will not come; return the batches that this completes."""
        if not self._is_collecting:
            return []
        before = self._known.mark
        for seq in seqs:
            self._known.add(seq)
        if self._known.mark == before:
            return []
        return [
            routed
            for scope in sorted(self._collectors)
            for batch in self._collectors[scope].advance(self._known.mark, len(self._plan.children))
            for routed in self._deal(self._batch(batch))
        ]

    def close(self, total: int) -> None:
        """Note how many ingress items there are in all."""
        self._total = total

    def finish(self) -> list[Routed]:
        """Return what follows when the last item has come: unfinished batches fail."""
        if not self._is_collecting or not 0 <= self._total <= self._known.mark:
            return []
        detail = f"the stream ended before every child of {self._plan.name} had an output"
        return [
            routed
            for scope in sorted(self._collectors)
            if (rest := self._collectors[scope].rest())
            for routed in self._to_all(self._batch(rest, "failed", detail))
        ]

    def _collector(self, scope: str) -> _Collector:
        found = self._collectors.get(scope)
        if found is None:
            found = self._collectors[scope] = _Collector(self._known.mark)
        return found

    def _batch(
        self, members: list[Produced], outcome: Outcome = "done", detail: str = ""
    ) -> Produced:
        return Produced(
            scope=str(self._plan.name),
            seq=members[0].seq,
            origins=tuple(dict.fromkeys(o for member in members for o in member.origins)),
            outputs=tuple(ref for member in members for ref in member.outputs),
            outcome=outcome,
            detail=detail,
            attempt=(self._epoch, 0),
        )

    def _deal(self, produced: Produced) -> list[Routed]:
        count = len(self._plan.children)
        return [
            routed
            for k, child in enumerate(self._plan.children)
            for routed in self._to(produced, (child,), produced.outputs[k::count])
        ]

    def _to_all(self, produced: Produced) -> list[Routed]:
        refs = produced.outputs if produced.outcome == "done" else ()
        return self._to(produced, self._plan.children, refs)

    def _to(
        self, produced: Produced, children: tuple[TaskId, ...], refs: tuple[PartRef, ...]
    ) -> list[Routed]:
        """Return the same parts for several children."""
        scope, seq, origins, name = produced.scope, produced.seq, produced.origins, self._plan.name
        outcome, detail, attempt = produced.outcome, produced.detail, produced.attempt
        parts = tuple([ref.part for ref in refs])
        epoch, item = self._epoch, item_id(seq, scope)
        # In the order of the fields: this is done for every delivery.
        return [
            Routed(
                Delivery(
                    scope, seq, origins, name, child, parts, outcome, detail, epoch, attempt, item
                ),
                refs,
            )
            for child in children
        ]


@dataclass(slots=True)
class _Collector:
    """The items of one scope that gave too few outputs, in the order of their numbers.

    Attributes:
        next: The first number that was not looked at.
        aside: Items from there on.
        members: Of the batch that is being made.
    """

    next: int
    aside: dict[int, Produced] = field(default_factory=dict)
    members: list[Produced] = field(default_factory=list)

    def advance(self, mark: int, need: int) -> list[list[Produced]]:
        """Look at all numbers below a mark; return the batches that are complete by it."""
        batches = []
        while self.next < mark:
            produced = self.aside.pop(self.next, None)
            self.next += 1
            if produced is None:
                continue
            self.members.append(produced)
            if sum(len(member.outputs) for member in self.members) >= need:
                batches.append(self.members)
                self.members = []
        return batches

    def holds(self, seq: int) -> bool:
        """Return whether an item waits here."""
        return seq in self.aside or any(member.seq == seq for member in self.members)

    def rest(self) -> list[Produced]:
        """Return the members of the batch that stays incomplete, once."""
        rest, self.members = self.members, []
        return rest
