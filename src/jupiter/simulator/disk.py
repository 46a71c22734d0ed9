"""A disk in virtual time: what is written, what is safe, and what a crash leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupiter.kit.rng import Stream
from jupiter.model.records import Record

Key = tuple[Any, ...]


@dataclass
class Image:
    """The content of a disk.

    Attributes:
        files: By name.
        records: The journal.
    """

    files: dict[Key, Any] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)


class Disk:
    """Files and one journal, with a write cache.

    What was written since the last sync survives the death of a process and not a power cut: that
    keeps a beginning of the journal's new records, and any of the new writes to files. A record
    that must be safe is written only when the files it speaks of are, so none ever speaks of files
    that a power cut took.
    """

    def __init__(self) -> None:
        self.image = Image()
        self.rotten: set[Key] = set()
        """Files that are there and cannot be read any more."""
        self._safe = Image()
        self._unsafe: list[tuple[Key, Any]] = []
        self._unsafe_records: list[Record] = []
        self._staged: list[Record] = []

    def put(self, key: Key, value: Any) -> None:
        """Write a file."""
        self.image.files[key] = value
        self.rotten.discard(key)
        self._unsafe.append((key, value))

    def drop(self, key: Key) -> None:
        """Remove a file, if it is there."""
        if self.image.files.pop(key, None) is not None:
            self.rotten.discard(key)
            self._unsafe.append((key, None))

    def append(self, record: Record) -> None:
        """Write a record behind all others."""
        self.image.records.append(record)
        self._unsafe_records.append(record)

    def stage(self, record: Record) -> None:
        """Let a record go with the next sync, behind the files."""
        self._staged.append(record)

    def sync(self, records: int = 0) -> None:
        """Make everything that was written so far safe, then the first of the staged records."""
        for record in self._staged[:records]:
            self.append(record)
        del self._staged[:records]
        for key, value in self._unsafe:
            _apply(self._safe.files, key, value)
        self._safe.records += self._unsafe_records
        self._unsafe, self._unsafe_records = [], []

    def power_cut(self, draw: Stream) -> None:
        """Lose what was not safe, or most of it."""
        is_in_sync = bool(self._staged) and draw.random() < 0.5
        for key, value in self._unsafe:
            if is_in_sync or draw.random() < 0.5:
                _apply(self._safe.files, key, value)
        if is_in_sync:
            self._unsafe_records += self._staged
        self._staged = []
        kept = int(draw.random() * (len(self._unsafe_records) + 1))
        self._safe.records += self._unsafe_records[:kept]
        self._unsafe, self._unsafe_records = [], []
        self.image = Image(dict(self._safe.files), list(self._safe.records))
        self.rotten &= self.image.files.keys()

    def rewrite(self, records: list[Record]) -> None:
        """Replace the journal, all at once and for good."""
        self.image.records = records
        self._safe.records = list(records)
        self._unsafe_records = []

    def crash(self) -> None:
        """Lose what the process had not written yet."""
        self._staged = []

    def wipe(self) -> None:
        """Lose everything."""
        self.__init__()  # type: ignore[misc]


def _apply(files: dict[Key, Any], key: Key, value: Any) -> None:
    if value is None:
        files.pop(key, None)
    else:
        files[key] = value
