"""Decides what is a result, what its file is called, and when items have ended."""

from __future__ import annotations

from jupiter.kit.names import fold
from jupiter.kit.seqset import SeqSet
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import SINK, ItemId, TaskId
from jupiter.model.items import Delivery, Outcome

_WORSE: dict[Outcome, int] = {"done": 0, "filtered": 1, "failed": 2}


class Sink:
    """The way out of the graph; every item takes effect once, and as a whole.

    An item has ended when each of the sink tasks has made a delivery that covers it, all in one
    epoch. Only then its results become visible, together; so no result of an abandoned epoch is
    ever seen beside one of a later. Items that share a batch end together, and a batch never ends
    before an item in front of its last: how that item fares decides which items are in the batch,
    and in a new epoch it may fare otherwise. What is left in the end and makes no batch depends on
    all items.

    Args:
        sinks: The tasks whose outputs are results.
        is_ordered: Items end in the order in which they were accepted.
    """

    def __init__(self, sinks: tuple[TaskId, ...], *, is_ordered: bool = False) -> None:
        self._sinks = sinks
        self._is_ordered = is_ordered
        self._cover: dict[int, dict[TaskId, Delivery]] = {}
        self._complete: dict[int, None] = {}
        self.ending = SeqSet()
        """Items whose end is decided, whether or not it is visible yet."""
        self._total = -1
        self._commits = 0
        self._publishing: dict[int, rec.Committed] = {}
        self._names: dict[str, None] = {}

    @property
    def size(self) -> int:
        """Items that have not ended, and of which something is here."""
        return len(self._cover) + len(self._publishing)

    def wants(self, delivery: Delivery) -> bool:
        """Return whether the parts of a delivery of the present epoch are needed."""
        return any(
            origin not in self.ending and delivery.source not in self._cover.get(origin, ())
            for origin in delivery.origins
        )

    def step(self, event: ev.Event, now: float) -> list[act.Action]:
        """Take in one event and return what is to be done; `now` changes nothing here."""
        match event:
            case ev.Arrived(delivery):
                return self._arrived(delivery)
            case ev.Began():
                self._cover.clear()
                self._complete.clear()
                return []
            case ev.Kept(rec.Committed() as commit):
                return [act.Publish(commit)]
            case ev.Kept(rec.Closed(total)):
                self._total = total
                return []
            case ev.Shown(number):
                return self._shown(number)
            case _:
                raise TypeError(f"a sink takes no {type(event).__name__}")

    def _arrived(self, delivery: Delivery) -> list[act.Action]:
        if not self.wants(delivery):
            return []
        for origin in delivery.origins:
            if origin in self.ending:
                continue
            cover = self._cover.setdefault(origin, {})
            cover[delivery.source] = delivery
            if len(cover) == len(self._sinks):
                self._complete[origin] = None
        actions: list[act.Action] = []
        while True:
            group = self._group()
            if not group:
                break
            actions.append(self._commit(group))
        parked = tuple([origin for origin in delivery.origins if origin in self._complete])
        if parked:
            actions.append(act.Park(parked))
        return actions

    def _group(self) -> list[int]:
        """Return items that can end now: complete, and with all that must end with them."""
        for first in sorted(self._complete):
            if self._is_ordered and first != self.ending.mark:
                return []
            group = self._with_others(first)
            if group or self._is_ordered:
                return group
        return []

    def _with_others(self, first: int) -> list[int]:
        """Return an item and all that must end with it; none where one of them is not complete.

        With a batch, these are all items up to its last, so the first of all has to be among them.
        """
        group: list[int] = []
        seq = last = first
        while seq <= last:
            if seq not in self.ending:
                if seq not in self._complete:
                    return []
                group.append(seq)
                batches = [each for each in self._cover[seq].values() if each.scope]
                if batches and first != self.ending.mark:
                    return []
                last = max([last, *map(self._last_of, batches)])
            seq += 1
        return group

    def _last_of(self, batch: Delivery) -> int:
        """Return the last item that has to do with what is in a batch."""
        if batch.outcome != "done" and self._total >= 0:
            return self._total - 1  # it may be what is left in the end
        return max(batch.origins)

    def _commit(self, group: list[int]) -> act.Action:
        named: dict[tuple[TaskId, ItemId], tuple[Delivery, tuple[str, ...]]] = {}
        endings = []
        for origin in group:
            del self._complete[origin]
            outcome, detail, results = self._end_of(self._cover.pop(origin), named)
            endings.append(rec.Ending(origin, outcome, detail, results))
            self.ending.add(origin)
        self._commits += 1
        commit = rec.Committed(self._commits, tuple(endings), tuple(named.values()))
        self._publishing[self._commits] = commit
        return act.Persist(commit, is_synced=True)

    def _end_of(
        self,
        cover: dict[TaskId, Delivery],
        named: dict[tuple[TaskId, ItemId], tuple[Delivery, tuple[str, ...]]],
    ) -> tuple[Outcome, str, tuple[str, ...]]:
        outcome: Outcome = "done"
        detail = ""
        results: list[str] = []
        for source in self._sinks:
            delivery = cover[source]
            if _WORSE[delivery.outcome] > _WORSE[outcome]:
                outcome, detail = delivery.outcome, delivery.detail
            if delivery.outcome != "done":
                continue
            key = source, delivery.item
            if key not in named:
                names = tuple([self._name(part.name, delivery.item) for part in delivery.parts])
                named[key] = delivery, names
            results += named[key][1]
        return outcome, detail, tuple(results)

    def _name(self, name: str, item: ItemId) -> str:
        """Return the name itself, or with the item's id before its ending where it is taken."""
        stem, dot, ending = name.rpartition(".")
        candidate, k = name, 0
        while fold(candidate) in self._names:
            k += 1
            tag = f"~{item}" if k == 1 else f"~{item}-{k}"
            candidate = f"{stem}{tag}.{ending}" if dot and stem else f"{name}{tag}"
        self._names[fold(candidate)] = None
        return candidate

    def _shown(self, number: int) -> list[act.Action]:
        commit = self._publishing.pop(number, None)
        if commit is None:
            return []
        actions: list[act.Action] = [act.Persist(rec.Published(number), is_synced=False)]
        actions += [act.Resolve(ending) for ending in commit.endings]
        items = {delivery.item: delivery.epoch for delivery, _ in commit.results}
        actions += [act.DropInputs(item, SINK, epoch) for item, epoch in items.items()]
        actions.append(act.Settle(tuple([ending.seq for ending in commit.endings])))
        return actions

    @property
    def showing(self) -> tuple[ItemId, ...]:
        """The items with results that must still be shown."""
        commits = self._publishing.values()
        return tuple([delivery.item for commit in commits for delivery, _ in commit.results])

    def seqs_of(self, number: int) -> tuple[int, ...]:
        """Return the items that end by a commit which is not shown yet."""
        commit = self._publishing.get(number)
        return tuple([ending.seq for ending in commit.endings]) if commit is not None else ()

    def restore(self, record: rec.Record) -> None:
        """Take in what this node wrote down before it died."""
        match record:
            case rec.Committed(number, endings, results):
                self._commits = number
                self._publishing[number] = record
                for ending in endings:
                    self.ending.add(ending.seq)
                for _, names in results:
                    for name in names:
                        self._names[fold(name)] = None
            case rec.Published(number):
                self._publishing.pop(number, None)
            case rec.Closed(total):
                self._total = total

    def resume(self) -> list[act.Action]:
        """Make visible what was committed and perhaps not shown."""
        return [act.Publish(commit) for commit in self._publishing.values()]
