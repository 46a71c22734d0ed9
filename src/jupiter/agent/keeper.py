"""Writes down what the machines of a node decide, with its files, and finds both again.

What level of durability a run has was decided by the machines: they say of every record whether it
must be synced. Here a record goes behind its files: small ones into the journal itself, large ones
are synced on their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupiter.agent.journal import Found, Journal
from jupiter.agent.leftovers import MEMORY_MARK
from jupiter.agent.spool import Spool, fault_of
from jupiter.control.compaction import Worth, weigh
from jupiter.kit.entries import HEADER_BYTES
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, item_id
from jupiter.model.items import Delivery, Part

INLINE_BYTES = 1 << 16
"""Contents up to this size go into the journal: one sync instead of three. A larger file costs
more to write twice than to sync on its own. What lies in memory goes there at any size."""


@dataclass
class _Files:
    """The files that a record speaks of: where they are, and what they hold."""

    places: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        return sum([part.size_bytes for part in self.parts])


@dataclass
class Recovered:
    """What a restart finds.

    Attributes:
        records: To restore the machines from.
        notes: What was damaged and dealt with, one sentence each.
        is_damaged: Something that was written down is missing.
        is_cut: The last entry is not whole. A write that was under way leaves that behind, and so
            does damage; what was acknowledged may be missing.
    """

    records: list[rec.Record]
    notes: list[str] = field(default_factory=list)
    is_damaged: bool = False
    is_cut: bool = False


class Keeper:
    """Journal and spool of one run on one node.

    Args:
        journal: Opened by `recover`.
        spool: Its files.
        tell: Takes `Kept` of records that could not be written at once.
    """

    def __init__(self, journal: Journal, spool: Spool, tell: Callable[[ev.Event], None]) -> None:
        self._journal = journal
        self._spool = spool
        self._tell = tell
        self._is_restored = False

    def persist(self, persist: act.Persist) -> bool:
        """Write a record down; return whether that is done, else `Kept` is told later."""
        record = persist.record
        files = self._files_of(record)
        place = " ".join(files.places)

        def kept() -> None:
            self._tell(ev.Kept(record))

        if not persist.is_synced:
            return self._journal.append(record, kept, place)
        in_memory = MEMORY_MARK in place
        if files.size_bytes <= INLINE_BYTES or in_memory:
            bodies = [_read(path) for path in files.paths]
            self._journal.sync(record, kept, place=place, bodies=bodies)
        else:
            folders = [f"{self._spool.root}/{each}" for each in files.places]
            above = dict.fromkeys(os.path.dirname(folder) for folder in folders)
            self._journal.sync(
                record, kept, place=place, files=files.paths, folders=[*folders, *above]
            )
        return False

    def sync_files(
        self, files: Sequence[str], folders: Sequence[str], then: Callable[[], None]
    ) -> None:
        """Make files safe; then call `then`."""
        self._journal.sync_files(files, folders, then)

    def close(self) -> None:
        """Write nothing more."""
        self._journal.close()

    @property
    def journal_bytes(self) -> int:
        """Length of the journal."""
        return self._journal.size_bytes

    @property
    def syncs(self) -> int:
        """Times that the journal was synced."""
        return self._journal.syncs

    @property
    def is_full(self) -> bool:
        """Whether the disk took nothing when it was last written to."""
        return self._journal.is_full

    def _files_of(self, record: rec.Record) -> _Files:
        files = _Files()
        match record:
            case rec.Taken(delivery):
                self._add_inputs(files, delivery)
            case rec.Elected(task, item) if record.outputs:
                self._add_outputs(files, self._spool.output_folder(task, item), record.outputs)
            case rec.Accepted(seq, _, parts):
                folder = self._spool.output_folder(INGRESS, item_id(seq))
                self._add_outputs(files, folder, parts)
            case rec.Committed(results=results):
                for delivery, _ in results:
                    self._add_inputs(files, delivery)
        return files

    def _add_inputs(self, files: _Files, delivery: Delivery) -> None:
        paths = self._spool.input_paths(delivery) if delivery.parts else []
        if paths:
            files.places.append(self._spool.place_of(os.path.dirname(paths[0])))
            files.paths += paths
            files.parts += delivery.parts

    def _add_outputs(self, files: _Files, folder: str, parts: Sequence[Part]) -> None:
        if folder:
            files.places.append(self._spool.place_of(folder))
            files.paths += [f"{folder}/{part.name}" for part in parts]
            files.parts += parts

    def records(self) -> Iterator[tuple[rec.Record, float]]:
        """Yield everything that is written down, oldest first, and when, in seconds since 1970."""
        return ((entry.record, entry.written_s) for entry, _ in self._journal.entries())

    # -- after a restart -----------------------------------------------------------------------

    def recover(self, results: Path) -> Recovered:
        """Read the journal and take up the files that it speaks of.

        Args:
            results: Where home shows results.

        Raises:
            OSError: The journal cannot be read.
        """
        found = self._journal.open()
        self._spool.look()
        recovered = Recovered(found.records)
        recovered.is_cut = self._journal.tail_bytes > 0
        if recovered.is_cut:
            recovered.notes.append(
                f"the last {self._journal.tail_bytes} bytes of the journal were cut short"
            )
        for place, what in self._journal.gaps:
            recovered.notes.append(f"the journal is damaged at byte {place}: {what}")
            recovered.is_damaged = True
        worths = weigh(found.records)
        void = self._adopt(found, worths, results)
        spared_bytes = 0
        for k, worth in enumerate(worths):
            if worth is Worth.NOTHING:
                spared_bytes += HEADER_BYTES + len(found.payloads[k])
            elif worth is Worth.RECORD:
                spared_bytes += len(found.bodies(k))
        self._journal.weighed(self._journal.size_bytes - spared_bytes)
        if void:
            note = "results that were decided are damaged: they are made again"
            recovered.notes += [note] * len(void)
            left = [k for k in range(len(found.records)) if k not in void]
            recovered.records = [found.records[k] for k in left]
            self._journal.rewrite([found.payloads[k] for k in left])
        return recovered

    def _adopt(self, found: Found, worths: Sequence[Worth], results: Path) -> set[int]:
        """Take up the files of all records that are worth it; return which must be left out."""
        spool = self._spool
        missing: list[int] = []
        commits: list[tuple[int, rec.Committed]] = []
        for k, (record, place) in enumerate(zip(found.records, found.places, strict=True)):
            if not place or worths[k] is not Worth.ALL:
                continue
            if isinstance(record, rec.Taken):
                is_there = spool.adopt_inputs(record.delivery, place)
            elif isinstance(record, rec.Accepted):
                item = item_id(record.seq)
                is_there = spool.adopt_outputs(INGRESS, item, place, record.parts)
            elif isinstance(record, rec.Elected):
                is_there = spool.adopt_outputs(record.task, record.item, place, record.outputs)
            else:
                is_there = True
                if isinstance(record, rec.Committed):
                    commits.append((k, record))
                    with_parts = [each for each, _ in record.results if each.parts]
                    for delivery, one in zip(with_parts, place.split(), strict=True):
                        spool.adopt_inputs(delivery, one)
            if not is_there:  # else its files are looked at before they are used
                missing.append(k)
        for k in reversed(missing):  # of two that were in one folder the newer is right
            files = self._files_of(found.records[k])
            if files.places == [found.places[k]]:
                self._restore(files, found.bodies(k))
        return {
            k for k, commit in commits if not self._adopt_results(commit, found.bodies(k), results)
        }

    def _adopt_results(self, record: rec.Committed, bodies: memoryview, results: Path) -> bool:
        """Return whether all results are in the spool or where they are shown."""
        with_parts = [(each, names) for each, names in record.results if each.parts]
        files = self._files_of(record)
        if len(bodies) == files.size_bytes:
            shown = [str(results / name) for _, names in with_parts for name in names]
            missing = [
                bool(fault_of([path], [part]))
                for path, part in zip(shown, files.parts, strict=True)
            ]
            self._restore(files, bodies, missing)
            return True
        for delivery, names in with_parts:
            paths = self._spool.input_paths(delivery)
            folder = os.path.dirname(paths[0])
            for path, name, part in zip(paths, names, delivery.parts, strict=True):
                stored = [(os.path.basename(path), part)]
                is_shown = not os.path.lexists(path) and not fault_of([str(results / name)], [part])
                if not is_shown and self._spool.unchecked_fault(folder, stored):
                    return False
        return True

    def _restore(
        self, files: _Files, bodies: memoryview, wanted: Sequence[bool] | None = None
    ) -> None:
        """Write files again that a power cut took, from what the journal holds of them."""
        if len(bodies) != files.size_bytes:
            return  # they were too large for it
        start = 0
        for k, (path, part) in enumerate(zip(files.paths, files.parts, strict=True)):
            body = bodies[start : start + part.size_bytes]
            start += part.size_bytes
            try:
                is_there = os.lstat(path).st_size == part.size_bytes
            except FileNotFoundError:
                is_there = False
            if not is_there and (wanted is None or wanted[k]):
                Path(path).unlink(missing_ok=True)
                Path(path).write_bytes(body)

    def _restore_all(self) -> None:
        """Write all files again that are missing: after a power cut one is seldom alone."""
        self._is_restored = True
        newest: dict[str, tuple[rec.Record, memoryview]] = {}
        for entry, bodies in self._journal.entries():
            place = entry.place
            if place and " " not in place and self._spool.is_unchecked(place):
                newest[place] = entry.record, bodies
        for place, (record, bodies) in newest.items():
            files = self._files_of(record)
            if files.places == [place]:
                self._restore(files, bodies)

    def repair(self, folder: str, files: Sequence[tuple[str, Part]]) -> str:
        """Look at files from before a restart, once; write them again from the journal if need be.

        Returns:
            What is wrong with them and cannot be mended; empty where they are as they should be.
        """
        fault = self._spool.unchecked_fault(folder, files)
        if fault and not self._is_restored:
            self._restore_all()
            fault = self._spool.unchecked_fault(folder, files)
        if fault:
            bodies = self._journal.bodies_of(self._spool.place_of(folder))
            if len(bodies) != sum(part.size_bytes for _, part in files):
                return fault
            start = 0
            for name, part in files:
                path = Path(folder, name)
                path.unlink(missing_ok=True)
                path.write_bytes(bodies[start : start + part.size_bytes])
                start += part.size_bytes
            fault = self._spool.unchecked_fault(folder, files)
        if not fault:
            self._spool.is_checked(folder)
        return fault


def _read(path: str) -> bytes:
    """Return what is in a small file; a hop reads every part, and `Path` is slow."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)
