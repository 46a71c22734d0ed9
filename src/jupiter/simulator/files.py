"""The files of a host in virtual time: inputs as they came, outputs, and results once shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from jupiter.control.compaction import Worth, weigh
from jupiter.kit.rng import Stream
from jupiter.model import actions as act
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, is_batch, item_id
from jupiter.model.items import Delivery, PartRef
from jupiter.simulator.contents import Content
from jupiter.simulator.disk import Disk, Key

INPUT, OUTPUT, RESULT = "in", "out", "result"

Shown = tuple[TaskId, tuple[int, ...], Content]
"""Which task a result is from, of which items, and what it holds."""


class Files:
    """Knows under which keys files lie on a disk.

    Args:
        disk: Where they are.
        node: Whose they are, for messages.
    """

    def __init__(self, disk: Disk, node: NodeId) -> None:
        self._disk = disk
        self._node = node

    def store_input(self, delivery: Delivery, body: tuple[Content, ...]) -> None:
        """Write what came with a delivery."""
        if body:
            self._disk.put(
                _input(delivery, delivery.target, delivery.item), (delivery.attempt, body)
            )

    def store_outputs(self, task: TaskId, item: ItemId, contents: Mapping[str, Content]) -> None:
        """Write what an execution made, by name of the part."""
        self._disk.put((OUTPUT, task, item), contents)

    def inputs(self, run: act.Run) -> list[list[Content]]:
        """Return what the files of each parent hold."""
        found: list[list[Content]] = []
        for each in run.inputs:
            if not each.parts:
                continue
            stored = self._disk.image.files.get(_input(each, run.task, run.item))
            if stored is None:
                raise AssertionError(
                    f"{self._node} runs {run.task} of {run.item} without its input"
                )
            found.append(list(stored[1]))
        return found

    def outputs(self, refs: Iterable[PartRef]) -> tuple[Content, ...]:
        """Return what outputs of this host hold."""
        found = []
        for ref in refs:
            stored = self._disk.image.files.get((OUTPUT, ref.task, ref.item))
            if stored is None:
                raise AssertionError(f"{self._node} sends {ref}, which it no longer has")
            found.append(stored[ref.part.name])
        return tuple(found)

    def show(self, delivery: Delivery, names: tuple[str, ...]) -> None:
        """Make results of what came for the sink, unless a crash came after that was done."""
        key = _input(delivery, SINK, delivery.item)
        stored = self._disk.image.files.get(key)
        if stored is None:
            return
        for name, content in zip(names, stored[1], strict=True):
            self._disk.put((RESULT, name), (delivery.source, delivery.origins, content))
        self._disk.drop(key)

    def drop_inputs(self, task: TaskId, item: ItemId, epoch: int) -> None:
        """Remove what came for an execution up to an epoch."""
        start = (INPUT, task, item)
        files = self._disk.image.files
        for key in [k for k in files if k[:3] == start and k[3] <= epoch]:
            self._disk.drop(key)

    def drop_outputs(self, task: TaskId, item: ItemId) -> None:
        """Remove what an execution made."""
        self._disk.drop((OUTPUT, task, item))

    def drop_batches(self, but: Collection[ItemId]) -> None:
        """Remove what belongs to batches, but keep what came for the sink of some."""
        for key in [k for k in self.left() if is_batch(k[2])]:
            if key[1] != SINK or key[2] not in but:
                self._disk.drop(key)

    def sweep(
        self,
        keeps_inputs: Callable[[TaskId, ItemId], bool],
        keeps_outputs: Callable[[TaskId, ItemId], bool],
    ) -> None:
        """Remove the files that nothing in the journal speaks of."""
        keeps = {INPUT: keeps_inputs, OUTPUT: keeps_outputs}
        for key in self.left():
            if not keeps[key[0]](key[1], key[2]):
                self._disk.drop(key)

    def adopt(self, records: Sequence[rec.Record]) -> None:
        """Remove the files that no record speaks of which is still worth them."""
        owned: set[Key] = set()
        for record, worth in zip(records, weigh(records), strict=True):
            if worth is Worth.ALL:
                owned |= _owned(record)
        for key in self.left():
            if key not in owned:
                self._disk.drop(key)

    # -- what cannot be read -------------------------------------------------------------------

    def rot(self, draw: Stream) -> bool:
        """Let one file that may still be needed become unreadable; return whether there was one."""
        rotten = self._disk.rotten
        sound = [k for k in self.left() if k not in rotten and (k[0], k[1]) != (INPUT, SINK)]
        if sound:
            rotten.add(sound[int(draw.random() * len(sound))])
        return bool(sound)

    def is_input_rotten(self, run: act.Run) -> bool:
        """Return whether some input of an execution cannot be read."""
        rotten = self._disk.rotten
        return any(_input(each, run.task, run.item) in rotten for each in run.inputs)

    def rotten_output(self, refs: Iterable[PartRef]) -> PartRef | None:
        """Return the first output of this host that cannot be read."""
        rotten = self._disk.rotten
        return next((ref for ref in refs if (OUTPUT, ref.task, ref.item) in rotten), None)

    def spoil_input(self, delivery: Delivery) -> None:
        """Make unreadable what was handed on, as it was so before."""
        key = _input(delivery, delivery.target, delivery.item)
        if key in self._disk.image.files:
            self._disk.rotten.add(key)

    def left(self) -> list[Key]:
        """Return the keys of all files that are no results."""
        return [key for key in self._disk.image.files if key[0] != RESULT]

    def results(self) -> Iterator[Shown]:
        """Yield what was shown."""
        for key, value in self._disk.image.files.items():
            if key[0] == RESULT:
                yield value


def _input(delivery: Delivery, task: TaskId, item: ItemId) -> Key:
    return INPUT, task, item, delivery.epoch, delivery.source


def _owned(record: rec.Record) -> set[Key]:
    """Return the keys of the files that a record speaks of."""
    match record:
        case rec.Taken(delivery):
            return {_input(delivery, delivery.target, delivery.item)}
        case rec.Elected(task, item):
            return {(OUTPUT, task, item)}
        case rec.Accepted(seq):
            return {(OUTPUT, INGRESS, item_id(seq))}
        case rec.Committed(results=results):
            return {_input(delivery, SINK, delivery.item) for delivery, _ in results}
        case _:
            return set()
