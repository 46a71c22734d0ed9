"""The files of a host in virtual time: inputs as they came, outputs, and results once shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from jupiter.model import actions as act
from jupiter.model.ids import SINK, ItemId, NodeId, TaskId, is_batch
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
