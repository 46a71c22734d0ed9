"""The files of one run on one node.

Every execution has a folder for its inputs, another in each epoch, and one for the outputs of each
attempt. A received part gets its final name only when all its bytes are there and agree; parts
that stay on the node are linked, not copied.

What is in the spool is found again after a restart by the journal, which names the folder of
everything that it speaks of; all else is swept away.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Literal

from jupiter.agent.leftovers import MEMORY_MARK, Key, Leftovers
from jupiter.errors import TaskError, TransferError
from jupiter.kit.names import file_name_fault
from jupiter.model.ids import SINK, ItemId, TaskId, is_batch
from jupiter.model.items import Delivery, Part, PartRef

COPY_BYTES = 1 << 18
"""Bytes copied at a time."""

MEMORY_FILE_BYTES = 1 << 20
"""Larger files go to the disk: it takes them as quickly, and memory is for many small ones."""
Kind = Literal["in", "out", "given"]
"""Inputs of executions; what attempts write, and bodies that come in; inputs of the stream."""


class _Inputs:
    """The input folder of one execution in one epoch.

    Attributes:
        by_parent: The names under which parts are stored, by producer.
        given: What they came with, by producer.
    """

    __slots__ = ("by_parent", "folder", "given")

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.by_parent: dict[TaskId, list[str]] = {}
        self.given: dict[TaskId, Delivery] = {}


@dataclass(frozen=True, slots=True)
class Memory:
    """A folder in memory: making a file there costs a tenth of what it costs on a disk.

    Attributes:
        root: None where there is none.
        bytes_max: That may be there at once.
        file_bytes_max: Larger files go to the disk.
    """

    root: Path | None = None
    bytes_max: int = 0
    file_bytes_max: int = MEMORY_FILE_BYTES


class Spool:
    """Names, links, moves and removes the files of a run.

    Args:
        root: Folder of the run on this node; made here, removed by `remove`.
        memory: For small files.
    """

    def __init__(self, root: Path, memory: Memory | None = None) -> None:
        memory = memory or Memory()
        self._root = str(root)
        self._memory = str(memory.root) if memory.root is not None else ""
        self._memory_max = memory.bytes_max
        self._memory_file_max = memory.file_bytes_max
        self._memory_used = 0
        self._memory_sizes: dict[str, int] = {}
        for each in filter(None, (root, memory.root)):
            for kind in ("in", "out", "given"):
                Path(each, kind).mkdir(parents=True, mode=0o700, exist_ok=True)
        self._folders = 0
        # Empty folders for further executions: making and removing one each time costs more than
        # all else that an agent does for a small item.
        self._free: dict[str, list[str]] = {}
        self._inputs: dict[Key, dict[int, _Inputs]] = {}  # by epoch
        self._outputs: dict[Key, str] = {}
        self._given: dict[Key, tuple[str, ...]] = {}
        # Folders from before a restart, whose files were not compared with their digests yet.
        self._unchecked: set[str] = set()
        self._left = Leftovers()

    @property
    def root(self) -> str:
        """Its folder."""
        return self._root

    @property
    def memory_bytes(self) -> int:
        """Bytes of files in memory."""
        return self._memory_used + self._left.memory_bytes

    @property
    def has_unchecked(self) -> bool:
        """Whether there are files from before a restart that nobody has looked at."""
        return bool(self._unchecked or self._left.inputs or self._left.outputs)

    # -- inputs --------------------------------------------------------------------------------

    def open_inputs(self, delivery: Delivery) -> list[str]:
        """Return a path for every part of a delivery, in a folder that exists.

        A name that another parent of the same execution used is kept apart by the producer's
        name before it, on both files, whichever came first.

        Raises:
            TransferError: A part's name could leave the folder.
        """
        size = delivery.size_bytes
        inputs = self._inputs_of(delivery.target, delivery.item, delivery.epoch, size)
        folder = inputs.folder
        if delivery.source not in inputs.by_parent:  # else sent again after a broken connection
            self._store(inputs, delivery)
            self._charge(folder, size)
        return [f"{folder}/{name}" for name in inputs.by_parent[delivery.source]]

    def _store(self, inputs: _Inputs, delivery: Delivery) -> None:
        """Find names for the parts of a delivery."""
        folder, by_parent = inputs.folder, inputs.by_parent
        for part in delivery.parts:
            fault = file_name_fault(part.name)
            if fault:
                raise TransferError(f"a part of {delivery.source} has a name that {fault}")
        names = [part.name for part in delivery.parts]
        if (len(names) > 1 and len(set(names)) < len(names)) or (
            by_parent and not {n for stored in by_parent.values() for n in stored}.isdisjoint(names)
        ):
            self._keep_apart(folder, by_parent, names)
            names = [f"{delivery.source}~{name}" for name in names]
        by_parent[delivery.source] = names
        inputs.given[delivery.source] = delivery

    def forget_inputs(self, delivery: Delivery) -> None:
        """Forget the parts of a delivery that could not be stored."""
        inputs = self._found_inputs(delivery)
        if inputs is None:
            return
        for name in inputs.by_parent.pop(delivery.source, ()):
            Path(inputs.folder, name).unlink(missing_ok=True)
        inputs.given.pop(delivery.source, None)

    def take_in(self, delivery: Delivery, paths: Sequence[str]) -> None:
        """Move the parts of a delivery, which lie somewhere here, to where they belong."""
        for path, target in zip(paths, self.open_inputs(delivery), strict=True):
            try:
                os.replace(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.copyfile(path, target)
                os.unlink(path)

    def carry(self, delivery: Delivery) -> bool:
        """Take parts over from an older epoch, where the same attempt made them.

        Returns:
            Whether they were here, so that the bytes of the delivery are not needed.
        """
        epochs = self._epochs_of((delivery.target, delivery.item))
        if epochs is None:
            return False
        source = delivery.source
        for epoch, old in epochs.items():
            before = old.given.get(source) if epoch < delivery.epoch else None
            if before is not None and before.attempt == delivery.attempt:
                stored = [f"{old.folder}/{name}" for name in old.by_parent[source]]
                is_sound = old.folder not in self._unchecked or not fault_of(stored, before.parts)
                if is_sound and all(map(os.path.exists, stored)):  # else a transfer was cut short
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

    def input_paths(self, delivery: Delivery) -> list[str]:
        """Return where the parts of a delivery are stored; nothing where they are not."""
        inputs = self._found_inputs(delivery)
        if inputs is None:
            return []
        return [f"{inputs.folder}/{name}" for name in inputs.by_parent.get(delivery.source, ())]

    def _inputs_of(self, task: TaskId, item: ItemId, epoch: int, size_bytes: int = 0) -> _Inputs:
        key = (task, item)
        epochs = self._epochs_of(key)
        if epochs is None:
            epochs = self._inputs[key] = {}
        inputs = epochs.get(epoch)
        if inputs is None:
            inputs = epochs[epoch] = _Inputs(self.new_folder("in", size_bytes))
        return inputs

    def _found_inputs(self, delivery: Delivery) -> _Inputs | None:
        epochs = self._epochs_of((delivery.target, delivery.item))
        return epochs.get(delivery.epoch) if epochs is not None else None

    def _epochs_of(self, key: Key) -> dict[int, _Inputs] | None:
        """Return the inputs of an execution by epoch, as far as there are any."""
        if self._left.inputs:
            for place, delivery in self._left.take_inputs(key):
                folder = self._folder_of(place)
                epochs = self._inputs.setdefault(key, {})
                if delivery.epoch not in epochs or epochs[delivery.epoch].folder != folder:
                    epochs[delivery.epoch] = _Inputs(folder)
                    self._unchecked.add(folder)
                self._store(epochs[delivery.epoch], delivery)
                self._charge(folder, delivery.size_bytes)
        return self._inputs.get(key)

    def _keep_apart(
        self, folder: str, by_parent: dict[TaskId, list[str]], names: list[str]
    ) -> None:
        for parent, stored in by_parent.items():
            for k, name in enumerate(stored):
                if name in names:
                    stored[k] = f"{parent}~{name}"
                    old, new = Path(folder, name), Path(folder, stored[k])
                    if old.exists() or not new.exists():  # else it was renamed before a restart
                        old.rename(new)

    # -- folders -------------------------------------------------------------------------------

    def new_folder(self, kind: Kind = "out", size_bytes: int = 0) -> str:
        """Return an empty folder.

        Args:
            kind: What for; by default for an attempt to write into, or for a body.
            size_bytes: That will be written there, as far as is known.
        """
        is_small = size_bytes <= self._memory_file_max
        if self._memory and is_small and self.memory_bytes + size_bytes <= self._memory_max:
            above = f"{self._memory}/{kind}"
        else:
            above = f"{self._root}/{kind}"
        free = self._free.get(above)
        if free:
            return free.pop()
        self._folders += 1
        folder = f"{above}/{self._folders}"
        os.mkdir(folder, mode=0o700)
        return folder

    def _charge(self, folder: str, size_bytes: int) -> None:
        """Count what is written to a folder in memory."""
        if self._memory and folder.startswith(self._memory):
            self._memory_used += size_bytes
            self._memory_sizes[folder] = self._memory_sizes.get(folder, 0) + size_bytes

    def discard(self, folder: str) -> None:
        """Empty a folder and keep it for another use."""
        self._unchecked.discard(folder)
        if self._memory_sizes:
            self._memory_used -= self._memory_sizes.pop(folder, 0)
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    os.unlink(entry.path)
        except OSError:  # a task has made a folder in it
            shutil.rmtree(folder, ignore_errors=True)
        else:
            above = folder.rpartition("/")[0]
            free = self._free.get(above)
            if free is None:
                free = self._free[above] = []
            free.append(folder)

    def place_of(self, folder: str) -> str:
        """Return the name of a folder within the spool, as the journal has it."""
        if self._memory and folder.startswith(self._memory):
            return MEMORY_MARK + folder[len(self._memory) + 1 :]
        return folder[len(self._root) + 1 :]

    def _folder_of(self, place: str) -> str:
        if place.startswith(MEMORY_MARK):
            return f"{self._memory}/{place[len(MEMORY_MARK) :]}"
        return f"{self._root}/{place}"

    def drop_inputs(self, task: TaskId, item: ItemId, epoch: int) -> None:
        """Remove the input folders of an execution, those of later epochs excepted."""
        epochs = self._epochs_of((task, item))
        if epochs is None:
            return
        for each in [each for each in epochs if each <= epoch]:
            self.discard(epochs.pop(each).folder)
        if not epochs:
            del self._inputs[task, item]

    def drop_batches(self, but: Sequence[ItemId]) -> None:
        """Remove everything of batches, except results of some that are still to be shown."""
        for key in [key for key in self._left.inputs if is_batch(key[1])]:
            self._epochs_of(key)
        for key in [key for key in self._left.outputs if is_batch(key[1])]:
            self.output_folder(*key)
        for task, item in [key for key in self._inputs if is_batch(key[1])]:
            if task != SINK or item not in but:
                for inputs in self._inputs.pop((task, item)).values():
                    self.discard(inputs.folder)
        for task, item in [key for key in self._outputs if is_batch(key[1])]:
            self.drop_outputs(task, item)

    # -- outputs -------------------------------------------------------------------------------

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
        self.own(task, item, folder)
        self._charge(folder, sum([part.size_bytes for part in parts]))
        return parts

    def own(self, task: TaskId, item: ItemId, folder: str) -> None:
        """Note whose outputs a folder holds, or whose files as an accepted input."""
        before = self.output_folder(task, item)
        if before:
            self.discard(before)
        self._outputs[task, item] = folder

    def output_folder(self, task: TaskId, item: ItemId) -> str:
        """Return where the outputs of an execution are; empty where there are none."""
        key = (task, item)
        if self._left.outputs:
            found = self._left.take_outputs(key)
            if found is not None:
                folder = self._outputs[key] = self._folder_of(found[0])
                self._unchecked.add(folder)
                self._charge(folder, sum([part.size_bytes for part in found[1]]))
        return self._outputs.get(key, "")

    def drop_outputs(self, task: TaskId, item: ItemId) -> None:
        """Remove the outputs of an execution, or forget the files of an accepted input."""
        self._given.pop((task, item), None)
        folder = self.output_folder(task, item)
        if folder:
            del self._outputs[task, item]
            self.discard(folder)

    def give(self, task: TaskId, item: ItemId, paths: tuple[str, ...]) -> None:
        """Note where the files of an accepted input lie; they are read there and not changed."""
        self._given[task, item] = paths

    def paths_of(self, refs: Sequence[PartRef]) -> list[str] | None:
        """Return where parts lie on this node; None where they were dropped."""
        paths = []
        for ref in refs:
            folder = self.output_folder(ref.task, ref.item)
            if folder:
                paths.append(f"{folder}/{ref.part.name}")
                continue
            given = self._given.get((ref.task, ref.item))
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

    def move_results(
        self, delivery: Delivery, folder: Path, names: Sequence[str]
    ) -> tuple[str, ...]:
        """Put the stored parts of a delivery under their final names, each complete or not at all.

        Doing it again changes nothing.

        Returns:
            Their paths.
        """
        inputs = self._found_inputs(delivery)
        stored = inputs.by_parent.get(delivery.source) if inputs is not None else None
        moved = []
        for source, final in zip(stored or (), names, strict=bool(stored)):
            assert inputs is not None  # noqa: S101 - for the type checker
            path, target = f"{inputs.folder}/{source}", f"{folder}/{final}"
            try:
                os.replace(path, target)
            except FileNotFoundError:
                pass  # it was moved before: by a process before this one, or when there was no room
            except OSError:  # another file system
                _copy_safely(path, f"{folder}/.{final}.partial", target)
            moved.append(target)
        if inputs is not None:
            inputs.by_parent.pop(delivery.source, None)
        return tuple(moved)

    def remove(self) -> None:
        """Remove everything of this run."""
        for root in filter(None, (self._root, self._memory)):
            shutil.rmtree(root, ignore_errors=True)

    # -- after a restart -----------------------------------------------------------------------

    def adopt_inputs(self, delivery: Delivery, place: str) -> bool:
        """Take up the folder that the journal names for the parts of a delivery.

        Returns:
            Whether it is there; else it was made, and is empty.
        """
        is_there = self._left.give_inputs(place, delivery)
        if not is_there:
            self._make(place)
        return is_there

    def adopt_outputs(
        self, task: TaskId, item: ItemId, place: str, parts: tuple[Part, ...] = ()
    ) -> bool:
        """Take up the folder that the journal names for outputs, or for an accepted input.

        Returns:
            As `adopt_inputs`.
        """
        is_there = self._left.give_outputs(place, (task, item), parts)
        if not is_there:
            self._make(place)
        return is_there

    def _make(self, place: str) -> None:
        """Make a folder of before a restart again, whose name no other may get."""
        folder = self._folder_of(place)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folders = max(self._folders, int(os.path.basename(folder)))

    def look(self) -> None:
        """See which folders are there, before any is adopted."""
        for root, mark in ((self._root, ""), (self._memory, MEMORY_MARK)):
            for kind in ("in", "out", "given") if root else ():
                names = os.listdir(f"{root}/{kind}")
                self._left.see([f"{mark}{kind}/{name}" for name in names])
                self._folders = max(self._folders, *map(int, filter(str.isdecimal, names)), 0)

    def sweep(
        self,
        keeps_inputs: Callable[[TaskId, ItemId], bool],
        keeps_outputs: Callable[[TaskId, ItemId], bool],
    ) -> None:
        """Remove what is needed no more, and every folder that nothing speaks of."""
        gone = [self._folder_of(place) for place in self._left.sweep(keeps_inputs, keeps_outputs)]
        for key in [key for key in self._inputs if not keeps_inputs(*key)]:
            gone += [inputs.folder for inputs in self._inputs.pop(key).values()]
        for key in [key for key in self._outputs if not keeps_outputs(*key)]:
            gone.append(self._outputs.pop(key))
        for path in gone:
            if os.path.isdir(path) and not os.path.islink(path):
                self.discard(path)
            else:
                os.unlink(path)

    def is_unchecked(self, place: str) -> bool:
        """Return whether a folder is from before a restart, and nobody has looked at its files."""
        for key in list(self._left.inputs):
            self._epochs_of(key)
        for key in list(self._left.outputs):
            self.output_folder(*key)
        return self._folder_of(place) in self._unchecked

    def distrust(self, task: TaskId, item: ItemId) -> None:
        """Let the outputs of an execution be compared with what they were, before they are used."""
        folder = self.output_folder(task, item)
        if folder:
            self._unchecked.add(folder)

    def unchecked_fault(self, folder: str, parts: Iterable[tuple[str, Part]]) -> str:
        """Compare files from before a restart with what was written down, once.

        Returns:
            What is wrong; empty where all is well, or was looked at before.
        """
        if folder not in self._unchecked:
            return ""
        return fault_of([f"{folder}/{name}" for name, _ in parts], [part for _, part in parts])

    def is_checked(self, folder: str) -> None:
        """Note that a folder holds what it should."""
        self._unchecked.discard(folder)


def _copy_safely(path: str, partial: str, target: str) -> None:
    """Copy a file, if it is there, to a name that it gets when it is whole."""
    try:
        shutil.copyfile(path, partial)
    except FileNotFoundError:
        return
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    os.replace(partial, target)


def fault_of(paths: Sequence[str], parts: Sequence[Part]) -> str:
    """Return what is wrong with files; empty where nothing is."""
    for path, part in zip(paths, parts, strict=True):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return f"{part.name} cannot be read: {error.strerror}"
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return f"{part.name} is no regular file"
            if status.st_size != part.size_bytes:
                return f"{part.name} has {status.st_size} bytes, not {part.size_bytes}"
            if part.digest and file_digest(file, "sha256").hexdigest() != part.digest:
                return f"{part.name} is not what was written"
    return ""


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:  # it came before a restart
        if not os.path.samefile(source, target):
            os.unlink(target)
            _link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
