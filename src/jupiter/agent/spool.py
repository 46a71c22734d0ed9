"""The files of one run on one node.

Every execution has a folder for its inputs and one for the outputs of each attempt. A received
part gets its final name only when all its bytes are there and agree; parts that stay on the node
are linked, not copied.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from jupiter.errors import TaskError, TransferError
from jupiter.kit.names import file_name_fault
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Delivery, Part, PartRef

COPY_BYTES = 1 << 18
"""Bytes read and sent at a time."""


class Spool:
    """Names, links, moves and removes the files of a run.

    Args:
        root: Folder of the run on this node; made here, removed by `remove`.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        root.mkdir(parents=True, mode=0o700)
        self._folders = 0
        # Empty folders for further executions: making and removing one each time costs more than
        # all else that an agent does for a small item.
        self._free: list[str] = []
        self._inputs: dict[tuple[TaskId, ItemId], str] = {}
        # What lies in an input folder: by execution, the stored names by producer.
        self._stored: dict[tuple[TaskId, ItemId], dict[TaskId, list[str]]] = {}
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
        key = (delivery.target, delivery.item)
        by_parent = self._stored.get(key)
        if by_parent is None:
            by_parent = self._stored[key] = {}
            self._inputs[key] = self._new_folder()
        folder = self._inputs[key]
        if delivery.source in by_parent:  # sent again after a broken connection
            return [f"{folder}/{name}" for name in by_parent[delivery.source]]
        for part in delivery.parts:
            fault = file_name_fault(part.name)
            if fault:
                raise TransferError(f"a part of {delivery.source} has a name that {fault}")
        names = [part.name for part in delivery.parts]
        taken = {name for stored in by_parent.values() for name in stored}
        if taken.intersection(names) or len(set(names)) < len(names):
            self._keep_apart(folder, by_parent, names)
            names = [f"{delivery.source}~{name}" for name in names]
        by_parent[delivery.source] = names
        return [f"{folder}/{name}" for name in names]

    def input_names(self, task: TaskId, inputs: Sequence[Delivery]) -> list[str]:
        """Return the stored names of all inputs of an execution, in the order of the parents."""
        by_parent = self._stored.get((task, inputs[0].item), {})
        return [name for each in inputs for name in by_parent.get(each.source, ())]

    def input_folder(self, task: TaskId, item: ItemId) -> str:
        """Return the folder that an execution reads from."""
        key = (task, item)
        if key not in self._inputs:  # nothing but empty deliveries came
            self._stored[key] = {}
            self._inputs[key] = self._new_folder()
        return self._inputs[key]

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

    def drop_inputs(self, task: TaskId, item: ItemId) -> None:
        """Remove the input folder of an execution."""
        if self._stored.pop((task, item), None) is not None:
            self._free_folder(self._inputs.pop((task, item)))

    # -- outputs -------------------------------------------------------------------------------

    def new_output_folder(self) -> str:
        """Return the empty folder that an attempt writes into."""
        return self._new_folder()

    def keep_outputs(
        self, task: TaskId, item: ItemId, folder: str, names: Sequence[str]
    ) -> tuple[Part, ...]:
        """Take the outputs of the attempt that counts.

        Raises:
            TaskError: A name leaves the folder, or is no regular file.
        """
        parts = []
        for name in names:
            fault = file_name_fault(name)
            if fault:
                raise TaskError(f"task {task} returned an output whose name {fault}")
            try:
                status = os.lstat(f"{folder}/{name}")
            except FileNotFoundError:
                raise TaskError(f"task {task} returned {name!r} but wrote no such file") from None
            if not stat.S_ISREG(status.st_mode):
                raise TaskError(f"output {name!r} of task {task} is no regular file")
            parts.append(Part(name, status.st_size))
        self._outputs[task, item] = folder
        return tuple(parts)

    def discard_outputs(self, folder: str) -> None:
        """Remove what an attempt that does not count has written."""
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

    def path_of(self, ref: PartRef) -> str:
        """Return where a part lies on this node."""
        given = self._given.get((ref.task, ref.item))
        if given is not None:
            return next(path for path in given if path.endswith(f"/{ref.part.name}"))
        return f"{self._outputs[ref.task, ref.item]}/{ref.part.name}"

    # -- moving --------------------------------------------------------------------------------

    def link_inputs(self, delivery: Delivery, refs: Sequence[PartRef]) -> None:
        """Give parts of this node to a task on this node."""
        for ref, path in zip(refs, self.open_inputs(delivery), strict=True):
            _link(self.path_of(ref), path)

    def move_results(self, delivery: Delivery, folder: Path, names: Sequence[str]) -> None:
        """Put the stored parts of a delivery under their final names, complete or not at all."""
        source_folder = self._inputs[delivery.target, delivery.item]
        stored = self._stored[delivery.target, delivery.item][delivery.source]
        for name, final in zip(stored, names, strict=True):
            source = Path(source_folder, name)
            target = folder / final
            try:
                source.replace(target)
            except OSError:  # another file system
                partial = folder / f".{final}.partial"
                shutil.copyfile(source, partial)
                partial.replace(target)
        del self._stored[delivery.target, delivery.item][delivery.source]
        if not self._stored[delivery.target, delivery.item]:
            self.drop_inputs(delivery.target, delivery.item)

    def remove(self) -> None:
        """Remove everything of this run."""
        shutil.rmtree(self._root, ignore_errors=True)


class BodyFiles:
    """Writes one long body into the files of its parts; they appear when all of it is there.

    Args:
        paths: Final path of each part.
        sizes: Bytes of each part.
        on_finish: Called when every part has its final name.
    """

    def __init__(
        self, paths: Sequence[str], sizes: Sequence[int], on_finish: Callable[[], None]
    ) -> None:
        self._paths = paths
        self._sizes = sizes
        self._on_finish = on_finish
        self._index = 0
        self._left = sizes[0]
        self._file = open(f"{paths[0]}.partial", "wb", buffering=0)  # noqa: SIM115

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
        """Give every part its final name."""
        while self._index + 1 < len(self._paths):
            self._next()
        self._file.close()
        for path in self._paths:
            os.replace(f"{path}.partial", path)
        self._on_finish()

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        for path in self._paths[: self._index + 1]:
            Path(f"{path}.partial").unlink(missing_ok=True)

    def _next(self) -> None:
        self._file.close()
        self._index += 1
        self._left = self._sizes[self._index]
        path = f"{self._paths[self._index]}.partial"
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115


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
