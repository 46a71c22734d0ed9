"""Disks that fill up or fail, and small records."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupiter.agent import inlet, journal
from jupiter.agent.journal import Journal
from jupiter.model import records as rec
from jupiter.model.ids import ItemId, TaskId

_WRITE, _CUT = os.write, os.ftruncate


def started(k: int) -> rec.Record:
    """Return a record of which there are many."""
    return rec.Started(TaskId("t"), ItemId(str(k)), (1, k))


def number_of(record: rec.Record) -> int:
    assert isinstance(record, rec.Started)
    return record.attempt[1]


async def turns(until: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; the time limit of the test ends what never is."""
    while not until():
        await asyncio.sleep(0.001)


class Disk:
    """Takes a number of bytes and no more, as a disk that is nearly full."""

    def __init__(self) -> None:
        self.room = 1 << 60
        self.refused = 0

    def cut(self, fd: int, size: int) -> None:
        self.room += os.fstat(fd).st_size - size
        _CUT(fd, size)

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = _WRITE(fd, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Put a limit on all that is written with `os.write`."""
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    monkeypatch.setattr(os, "ftruncate", disk.cut)
    monkeypatch.setattr(journal, "FULL_WAIT_S", 0.005)
    monkeypatch.setattr(inlet, "FULL_WAIT_S", 0.005)
    return disk


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a file system of 64 KiB."""
    monkeypatch.setattr(journal, "FULL_WAIT_S", 0.005)
    monkeypatch.setattr(inlet, "FULL_WAIT_S", 0.005)
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Books:
    """A journal, and what was told of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken: list[str] = []
        self.kept: list[int] = []
        self.journal = Journal(path, self.broken.append)
        self.found = [*map(number_of, self.journal.open().records)]

    def append(self, k: int) -> bool:
        return self.journal.append(started(k), lambda: self.kept.append(k))

    def sync(self, k: int, **files: list[str]) -> None:
        self.journal.sync(started(k), lambda: self.kept.append(k), **files)  # type: ignore[arg-type]

    async def are_kept(self, *numbers: int) -> None:
        await turns(lambda: set(numbers) <= set(self.kept))


@pytest.fixture
def open_books(tmp_path: Path) -> Iterator[Callable[..., Books]]:
    """Return what opens journals, which are closed in the end."""
    made: list[Books] = []

    def make(path: Path = tmp_path / "run" / "journal") -> Books:
        made.append(Books(path))
        return made[-1]

    yield make
    for each in made:
        each.journal.close()
