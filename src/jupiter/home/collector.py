"""Gathers the facts of one run from all agents and puts their times on one clock."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from jupiter.model import messages as msg
from jupiter.model.ids import NodeId, item_id
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord

OnFacts = Callable[[NodeId, msg.Facts], None]


class Collector:
    """The facts of one run.

    Args:
        clock_offset_s: Clock of an agent minus home's, by node.
        on_item: Called for every item that ends.
        on_drained: Called when all items have ended and no more will come.
        on_broken: Called with a reason when an agent cannot go on.
        on_changed: Called when home's agent decided anew who takes part.
        on_noted: Called with what went wrong and was dealt with.
        on_facts: Called with everything that is new, as it was said.
    """

    def __init__(
        self,
        clock_offset_s: Callable[[NodeId], float],
        on_item: Callable[[], None],
        on_drained: Callable[[], None],
        on_broken: Callable[[str], None],
        on_changed: Callable[[msg.Changed], None] = lambda fact: None,
        on_noted: Callable[[str], None] = lambda note: None,
        on_facts: OnFacts = lambda node, facts: None,
    ) -> None:
        self._clock_offset_s = clock_offset_s
        self._on_item = on_item
        self._on_drained = on_drained
        self._on_broken = on_broken
        self._on_changed = on_changed
        self._on_noted = on_noted
        self._on_facts = on_facts
        self._last: dict[tuple[NodeId, int], int] = {}
        self._accepted: dict[int, msg.Accepted] = {}
        self._ended: dict[int, msg.Ended] = {}
        self._total = -1
        self._tasks: list[TaskRecord] = []
        self._transfers: list[TransferRecord] = []
        self._home_offset_s = 0.0

    def take(self, node: NodeId, facts: msg.Facts) -> bool:
        """Take in what an agent reports; return whether it was new.

        What an agent tells again is passed over by its number; ends of items that are told anew by
        another process, by the items.
        """
        key = (node, facts.life)
        if facts.number and facts.number <= self._last.get(key, 0):
            return False
        self._last[key] = facts.number
        offset_s = self._clock_offset_s(node)
        self._tasks += [_shift_task(each, offset_s) for each in facts.tasks]
        self._transfers += [
            replace(
                each,
                send_s=each.send_s - self._clock_offset_s(each.source),
                arrive_s=each.arrive_s - offset_s,
            )
            for each in facts.transfers
        ]
        for fact in facts.others:
            match fact:
                case msg.Accepted(seq=seq):
                    self._accepted.setdefault(seq, fact)
                    self._home_offset_s = offset_s
                case msg.Ended(seq=seq):
                    if seq not in self._ended:
                        self._ended[seq] = fact
                        self._on_item()
                case msg.RunDrained(total=total):
                    self._total = total
                case msg.Broken(reason=reason):
                    self._on_broken(reason)
                case msg.Changed():
                    self._on_changed(fact)
                case msg.Noted(note=note):
                    self._on_noted(note)
        self._on_facts(node, facts)
        if len(self._ended) == self._total:
            self._on_drained()
        return True

    @property
    def ended(self) -> int:
        """Items that have ended."""
        return len(self._ended)

    @property
    def first_accepted_s(self) -> float:
        """When the first item was accepted, on home's clock; 0 before that."""
        if not self._accepted:
            return 0.0
        return min(fact.accepted_s for fact in self._accepted.values()) - self._home_offset_s

    def records(
        self,
    ) -> tuple[tuple[ItemRecord, ...], tuple[TaskRecord, ...], tuple[TransferRecord, ...]]:
        """Return all items, executions and transfers in seconds after the first acceptance."""
        zero_s = self.first_accepted_s
        tasks = sorted(
            (_shift_task(each, zero_s) for each in self._tasks),
            key=lambda each: (each.execute_s, each.task, each.item),
        )
        transfers = sorted(
            (
                replace(each, send_s=each.send_s - zero_s, arrive_s=each.arrive_s - zero_s)
                for each in self._transfers
            ),
            key=lambda each: (each.send_s, each.source_task, each.target_task, each.item),
        )
        return self._items(zero_s + self._home_offset_s), tuple(tasks), tuple(transfers)

    def _items(self, zero_s: float) -> tuple[ItemRecord, ...]:
        items = []
        for seq, accepted in sorted(self._accepted.items()):
            ended = self._ended.get(seq)
            items.append(
                ItemRecord(
                    item=item_id(seq),
                    name=accepted.name,
                    offered_s=accepted.offered_s - zero_s,
                    accepted_s=accepted.accepted_s - zero_s,
                    done_s=ended.done_s - zero_s if ended else None,
                    status=ended.outcome if ended else "lost",
                    detail=ended.detail if ended else "the run ended before the item did",
                    results=ended.results if ended else (),
                )
            )
        return tuple(items)


def _shift_task(record: TaskRecord, by_s: float) -> TaskRecord:
    return replace(
        record,
        enter_s=record.enter_s - by_s,
        execute_s=record.execute_s - by_s,
        finish_s=record.finish_s - by_s,
    )
