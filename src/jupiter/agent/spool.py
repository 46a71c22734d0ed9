"""The files of one run on one node.

Every execution has a folder for its inputs, another in each epoch, and one for the outputs of each
attempt. A received part gets its final name only when all its bytes are there and agree; parts
that stay on the node are linked, not copied.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from jupiter.errors import TaskError, TransferError
from jupiter.kit.names import file_name_fault
from jupiter.model.ids import SINK, ItemId, TaskId, is_batch
from jupiter.model.items import Attempt, Delivery, Part, PartRef

COPY_BYTES = 1 << 18
"""Bytes read and sent at a time."""


class _Inputs:
    """The input folder of one execution in one epoch.

    Attributes:
        by_parent: The names under which parts are stored, by producer.
        attempts: Of the producer, which made them.
    """

    __slots__ = ("attempts", "by_parent", "folder")

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.by_parent: dict[TaskId, list[str]] = {}
        self.attempts: dict[TaskId, Attempt] = {}


class Spool:
    """Names, links, moves and removes the files of a run.

    Args:
        root: Folder of the run on this node; made here, removed by `remove`.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folders = 0
        # Empty folders for further executions: making and removing one each time costs more than
        # all else that an agent does for a small item.
        self._free: list[str] = []
        self._inputs: dict[tuple[TaskId, ItemId], dict[int, _Inputs]] = {}  # by epoch
        self._outputs: dict[tuple[TaskId, ItemId], str] = {}
        self._given: dict[tuple[TaskId, ItemId], tuple[str, ...]] = {}

    # -- inputs --------------------------------------------------------------------------------

    def open_inputs(self, delivery: Delivery) -> list[str]:
        """Return a path for every part of a delivery, in a folder that exists.

        A name that another parent of the same execution used is kept apart by the producer's
        name before it, on both files, whichever came first.

        Raises:
            TransferError: A part's name could leave the folder.
        """
        inputs = self._inputs_of(delivery.target, delivery.item, delivery.epoch)
        folder, by_parent = inputs.folder, inputs.by_parent
        if delivery.source in by_parent:  # sent again after a broken connection
            return [f"{folder}/{name}" for name in by_parent[delivery.source]]
        for part in delivery.parts:
            fault = file_name_fault(part.name)
            if fault:
                raise TransferError(f"a part of {delivery.source} has a name that {fault}")
        names = [part.name for part in delivery.parts]
        if len(set(names)) < len(names) or (
            by_parent and not {n for stored in by_parent.values() for n in stored}.isdisjoint(names)
        ):
            self._keep_apart(folder, by_parent, names)
            names = [f"{delivery.source}~{name}" for name in names]
        by_parent[delivery.source] = names
        inputs.attempts[delivery.source] = delivery.attempt
        return [f"{folder}/{name}" for name in names]

    def take_in(self, delivery: Delivery, paths: Sequence[str]) -> None:
        """Move the parts of a delivery, which lie somewhere here, to where they belong."""
        for path, target in zip(paths, self.open_inputs(delivery), strict=True):
            os.replace(path, target)

    def carry(self, delivery: Delivery) -> bool:
        """Take parts over from an older epoch, where the same attempt made them.

        Returns:
            Whether they were here, so that the bytes of the delivery are not needed.
        """
        epochs = self._inputs.get((delivery.target, delivery.item))
        if epochs is None:
            return False
        source = delivery.source
        for epoch, old in epochs.items():
            if epoch < delivery.epoch and old.attempts.get(source) == delivery.attempt:
                stored = [f"{old.folder}/{name}" for name in old.by_parent[source]]
                if all(map(os.path.exists, stored)):  # else a transfer was cut short
                    for path, target in zip(stored, self.open_inputs(delivery), strict=True):
                        _link(path, target)
                    return True
        return False

    def input_names(self, task: TaskId, inputs: Sequence[Delivery]) -> list[str]:
        """Return the stored names of all inputs of an execution, in the order of the parents.

        Raises:
            TransferError: Some are not here.
        """
        found = self._inputs_of(task, inputs[0].item, inputs[0].epoch)
        try:
            return [name for each in inputs if each.parts for name in found.by_parent[each.source]]
        except KeyError as missing:
            raise TransferError(
                f"inputs of task {task} from {missing} for item {inputs[0].item} are gone"
            ) from None

    def input_folder(self, task: TaskId, item: ItemId, epoch: int) -> str:
        """Return the folder that an execution reads from."""
        return self._inputs_of(task, item, epoch).folder

    def _inputs_of(self, task: TaskId, item: ItemId, epoch: int) -> _Inputs:
        key = (task, item)
        epochs = self._inputs.get(key)
        if epochs is None:
            epochs = self._inputs[key] = {}
        inputs = epochs.get(epoch)
        if inputs is None:
            inputs = epochs[epoch] = _Inputs(self._new_folder())
        return inputs

    def _keep_apart(
        self, folder: str, by_parent: dict[TaskId, list[str]], names: list[str]
    ) -> None:
        for parent, stored in by_parent.items():
            for k, name in enumerate(stored):
                if name in names:
                    stored[k] = f"{parent}~{name}"
                    Path(folder, name).rename(Path(folder, stored[k]))

    def _new_folder(self) -> str:
        """Return an empty folder."""
        if self._free:
            return self._free.pop()
        self._folders += 1
        folder = f"{self._root}/{self._folders}"
        os.mkdir(folder, mode=0o700)
        return folder

    def _free_folder(self, folder: str) -> None:
        """Empty a folder and keep it for another execution."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    os.unlink(entry.path)
        except OSError:  # a task has made a folder in it
            shutil.rmtree(folder, ignore_errors=True)
        else:
            self._free.append(folder)

    def drop_inputs(self, task: TaskId, item: ItemId, epoch: int) -> None:
        """Remove the input folders of an execution, those of later epochs excepted."""
        epochs = self._inputs.get((task, item))
        if epochs is None:
            return
        for each in [each for each in epochs if each <= epoch]:
            self._free_folder(epochs.pop(each).folder)
        if not epochs:
            del self._inputs[task, item]

    def drop_batches(self, but: Sequence[ItemId]) -> None:
        """Remove everything of batches, except results of some that are still to be shown."""
        for task, item in [key for key in self._inputs if is_batch(key[1])]:
            if task != SINK or item not in but:
                for inputs in self._inputs.pop((task, item)).values():
                    self._free_folder(inputs.folder)
        for task, item in [key for key in self._outputs if is_batch(key[1])]:
            self.drop_outputs(task, item)

    # -- outputs -------------------------------------------------------------------------------

    def new_folder(self) -> str:
        """Return an empty folder, for an attempt to write into or for a body that comes in."""
        return self._new_folder()

    def keep_outputs(
        self, task: TaskId, item: ItemId, folder: str, parts: tuple[Part, ...]
    ) -> tuple[Part, ...]:
        """Take the outputs of the attempt that counts.

        What the worker says of them is not trusted where it could lead out of the folder.

        Raises:
            TaskError: A name leaves the folder, or is no regular file.
        """
        for part in parts:
            name = part.name
            fault = file_name_fault(name)
            if fault:
                raise TaskError(f"task {task} returned an output whose name {fault}")
            try:
                status = os.lstat(f"{folder}/{name}")
            except FileNotFoundError:
                raise TaskError(f"task {task} returned {name!r} but wrote no such file") from None
            if not stat.S_ISREG(status.st_mode):
                raise TaskError(f"output {name!r} of task {task} is no regular file")
            if status.st_size != part.size_bytes:
                raise TaskError(f"output {name!r} of task {task} was changed after its end")
        before = self._outputs.get((task, item))
        if before is not None:
            self._free_folder(before)
        self._outputs[task, item] = folder
        return parts

    def discard(self, folder: str) -> None:
        """Remove what was written into a new folder."""
        self._free_folder(folder)

    def drop_outputs(self, task: TaskId, item: ItemId) -> None:
        """Remove the outputs of an execution, or forget the files of an accepted input."""
        self._given.pop((task, item), None)
        folder = self._outputs.pop((task, item), None)
        if folder is not None:
            self._free_folder(folder)

    def give(self, task: TaskId, item: ItemId, paths: tuple[str, ...]) -> None:
        """Note where the files of an accepted input lie; they are read there and not changed."""
        self._given[task, item] = paths

    def paths_of(self, refs: Sequence[PartRef]) -> list[str] | None:
        """Return where parts lie on this node; None where they were dropped."""
        paths = []
        for ref in refs:
            key = (ref.task, ref.item)
            folder = self._outputs.get(key)
            if folder is not None:
                paths.append(f"{folder}/{ref.part.name}")
                continue
            given = self._given.get(key)
            if given is None:
                return None
            paths.append(next(path for path in given if path.endswith(f"/{ref.part.name}")))
        return paths

    # -- moving --------------------------------------------------------------------------------

    def link_inputs(self, delivery: Delivery, refs: Sequence[PartRef]) -> None:
        """Give parts of this node to a task on this node."""
        paths = self.paths_of(refs)
        if paths is None:
            raise TransferError(f"outputs of {delivery.source} for {delivery.item} are gone")
        for path, target in zip(paths, self.open_inputs(delivery), strict=True):
            _link(path, target)

    def move_results(self, delivery: Delivery, folder: Path, names: Sequence[str]) -> None:
        """Put the stored parts of a delivery under their final names, complete or not at all."""
        inputs = self._inputs_of(delivery.target, delivery.item, delivery.epoch)
        stored = inputs.by_parent.pop(delivery.source)
        for name, final in zip(stored, names, strict=True):
            source, target = f"{inputs.folder}/{name}", f"{folder}/{final}"
            try:
                os.replace(source, target)
            except OSError:  # another file system
                partial = f"{folder}/.{final}.partial"
                shutil.copyfile(source, partial)
                os.replace(partial, target)

    def remove(self) -> None:
        """Remove everything of this run."""
        shutil.rmtree(self._root, ignore_errors=True)


class BodyFiles:
    """Writes one long body into files, one a part, in a folder where nothing else is.

    Args:
        folder: Empty.
        sizes: Bytes of each part.
        on_finish: Called with the paths when all of it is there.
        on_abort: Called when it will not be completed.
    """

    def __init__(
        self,
        folder: str,
        sizes: Sequence[int],
        on_finish: Callable[[list[str]], None],
        on_abort: Callable[[], None],
    ) -> None:
        self._paths = [f"{folder}/{k}" for k in range(len(sizes))]
        self._sizes = sizes
        self._on_finish = on_finish
        self._on_abort = on_abort
        self._index = 0
        self._left = sizes[0]
        self._file = open(self._paths[0], "wb", buffering=0)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        view = memoryview(data)
        while view:
            while not self._left:
                self._next()
            piece = view[: self._left]
            written = self._file.write(piece)
            self._left -= written
            view = view[written:]

    def finish(self) -> None:
        """Hand the parts over."""
        while self._index + 1 < len(self._paths):
            self._next()
        self._file.close()
        self._on_finish(self._paths)

    def abort(self) -> None:
        """Give up what was written."""
        self._file.close()
        self._on_abort()

    def _next(self) -> None:
        self._file.close()
        self._index += 1
        self._left = self._sizes[self._index]
        self._file = open(self._paths[self._index], "wb", buffering=0)  # noqa: SIM115


class Discard:
    """Takes a long body that is not needed, or that is only a probe.

    Args:
        on_finish: Called when all of it has come.
    """

    def __init__(self, on_finish: Callable[[], None]) -> None:
        self._on_finish = on_finish

    def write(self, data: bytes) -> None:
        """Throw the bytes away."""

    def finish(self) -> None:
        """Say that it came."""
        self._on_finish()

    def abort(self) -> None:
        """Do nothing: nothing was kept."""


def write_parts(paths: Sequence[str], sizes: Sequence[int], body: bytes) -> None:
    """Write a short body, which is complete and checked, into the files of its parts."""
    start = 0
    for path, size in zip(paths, sizes, strict=True):
        with open(path, "wb", buffering=0) as file:
            file.write(body[start : start + size])
        start += size


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
