"""A journal against a model: what was told is found, once and in order, after any end."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jupiter.agent import journal as journal_module
from jupiter.agent.journal import Journal
from jupiter.model import records as rec
from jupiter.model.ids import ItemId, TaskId

_FSYNC, _FDATASYNC = os.fsync, os.fdatasync
POINTS = st.integers(1, 8)


class Dead(BaseException):
    """The process has died here."""


class JournalMachine(RuleBasedStateMachine):
    """One file and the processes that write to it one after the other.

    A process ends in the middle of anything; with a power cut, a part of what was not synced goes
    too. Of the records, those that compaction keeps are counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "run" / "journal"
        self.written: list[int] = []  # in the file, for all that this process knows
        self.staged: list[int] = []  # handed over to be synced
        self.safe: list[int] = []  # told to be synced
        self.number = 0
        self.left = 0  # failpoints until it dies; 0 is for ever
        self.is_dead = False
        self.synced: dict[int, int] = {}  # bytes by inode
        self.patches: list[Any] = [
            patch.object(journal_module, "hit", self.hit),
            patch.object(os, "fsync", self.fsync),
            patch.object(os, "fdatasync", self.fsync),
        ]
        for each in self.patches:
            each.start()
        self.begin()

    def begin(self) -> None:
        self.journal = Journal(self.path, self.broken)
        found = self.journal.open().records
        self.found = [each.seq for each in found if isinstance(each, rec.Accepted)]
        assert self.journal.gaps == []

    def hit(self, name: str) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                self.is_dead = True
                raise Dead

    def fsync(self, fd: int) -> None:
        status = os.fstat(fd)
        self.synced[status.st_ino] = status.st_size

    def broken(self, reason: str) -> None:
        assert self.is_dead, reason

    def turn(self, times: int = 1) -> None:
        async def wait() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.loop.run_until_complete(wait())

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        async def work() -> None:
            for _ in range(count):
                self.number += 1
                self.staged.append(self.number)  # it may be there, if it dies within
                record = rec.Accepted(self.number, "", ())
                assert self.journal.append(record, lambda: None)
                self.staged.pop()
                self.written.append(self.number)

        self.do(work)

    @rule(count=st.integers(1, 30))
    def append_what_is_not_kept(self, count: int) -> None:
        async def work() -> None:
            for k in range(count):
                record = rec.Started(TaskId("t"), ItemId(str(k)), (1, k))
                assert self.journal.append(record, lambda: None)

        self.do(work)

    @rule(count=st.integers(1, 5))
    def sync(self, count: int) -> None:
        async def work() -> None:
            for _ in range(count):
                self.number += 1
                self.staged.append(self.number)
                record = rec.Accepted(self.number, "", ())
                self.journal.sync(record, lambda k=self.number: self.told(k))  # type: ignore[misc]

        self.do(work)

    def told(self, k: int) -> None:
        assert not self.is_dead
        assert self.staged[0] == k, "out of order"
        self.safe.append(self.staged.pop(0))

    @rule()
    def compact(self) -> None:
        async def work() -> None:
            self.journal.compact()

        self.do(work)

    @rule(times=st.integers(1, 20))
    def wait(self, times: int) -> None:
        self.turn(times)

    @rule()
    def wait_for_all(self) -> None:
        async def work() -> None:
            while (self.staged or self.journal._is_busy) and not self.is_dead:
                await asyncio.sleep(0.0005)

        self.do(work)

    @rule(points=POINTS)
    def let_it_die_soon(self, points: int) -> None:
        self.left = points

    def do(self, work: object) -> None:
        with suppress(Dead):
            self.loop.run_until_complete(work())  # type: ignore[operator]

    @rule(cut=st.none() | st.floats(0, 1))
    def die(self, cut: float | None) -> None:
        """End the process; with a power cut, keep a share of what was not synced."""
        self.is_dead = True  # whatever the thread still does, nobody hears of it
        self.journal.close()
        self.turn(3)
        certain = set(self.written) | set(self.safe)
        if cut is not None:
            status = self.path.stat()
            synced = self.synced.get(status.st_ino, 0)
            os.truncate(self.path, synced + int((status.st_size - synced) * cut))
            certain = set(self.safe)
        self.is_dead, self.left = False, 0
        before = self.safe, self.written, self.staged
        self.begin()
        assert len(set(self.found)) == len(self.found)
        assert certain <= set(self.found)
        assert set(self.found) <= {k for each in before for k in each}
        for kept in (self.safe, self.written):
            there = [k for k in self.found if k in set(kept)]
            assert there == [k for k in kept if k in set(there)]
        # What is found counts for ever, as from now on it is acted upon; a power cut may take it
        # only as long as nothing was synced behind it.
        self.written, self.staged = [k for k in self.found if k not in set(self.safe)], []
        self.safe = [k for k in self.found if k in set(self.safe)]

    @invariant()
    def dead_is_dead(self) -> None:
        if self.is_dead:
            self.die(None)

    def teardown(self) -> None:
        self.is_dead = True
        self.journal.close()
        self.turn(3)
        for each in self.patches:
            each.stop()
        self.loop.close()
        shutil.rmtree(self.folder)


JournalMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestJournal = JournalMachine.TestCase
