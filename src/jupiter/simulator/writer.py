"""Writes records down in virtual time: a sync takes its while, and a full disk takes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.records import Record
from jupiter.simulator.disk import Disk
from jupiter.simulator.world import World

FULL_WAIT_S = 0.2
"""Between two tries to write on a full disk."""


class Writer:
    """Brings the records of one host onto its disk, together where they come together.

    Args:
        world: Whose time it takes.
        disk: Where they go.
        sync_s: How long a sync takes.
        tell: Takes `Kept` of what could not be written at once.
        is_full: Whether the disk takes nothing now.
    """

    def __init__(
        self,
        world: World,
        disk: Disk,
        sync_s: float,
        tell: Callable[[ev.Event], None],
        is_full: Callable[[], bool],
    ) -> None:
        self._world = world
        self._disk = disk
        self._sync_s = sync_s
        self._tell = tell
        self._is_full = is_full
        self._life = 0
        self._staged: list[Record] = []
        self._is_syncing = False
        self._stuck: deque[Record] = deque()

    def persist(self, persist: act.Persist) -> bool:
        """Write a record; return whether that is done, else `Kept` is told later."""
        record = persist.record
        if persist.is_synced:
            self._disk.stage(record)
            self._staged.append(record)
            if not self._is_syncing:
                self._sync(self._sync_s)
            return False
        if not self._stuck and not self._is_full():
            self._disk.append(record)
            return True
        self._stuck.append(record)
        if len(self._stuck) == 1:
            self._later(FULL_WAIT_S, self._retry)
        return False

    def crash(self) -> None:
        """Forget what is not written."""
        self._life += 1
        self._staged.clear()
        self._stuck.clear()
        self._is_syncing = False

    def _later(self, delay_s: float, do: Callable[[], None]) -> None:
        self._world.at(self._world.now + delay_s, self._if_alive, self._life, do)

    def _if_alive(self, life: int, do: Callable[[], None]) -> None:
        if life == self._life:
            do()

    def _sync(self, delay_s: float) -> None:
        self._is_syncing = True
        batch, self._staged = self._staged, []
        self._later(delay_s, lambda: self._synced(batch))

    def _synced(self, batch: list[Record]) -> None:
        if self._is_full():
            self._staged = batch + self._staged
            self._sync(FULL_WAIT_S)
            return
        self._disk.sync(len(batch))
        self._is_syncing = False
        for record in batch:
            self._tell(ev.Kept(record))
        if self._staged and not self._is_syncing:
            self._sync(self._sync_s)

    def _retry(self) -> None:
        if self._is_full():
            self._later(FULL_WAIT_S, self._retry)
            return
        while self._stuck:
            record = self._stuck.popleft()
            self._disk.append(record)
            self._tell(ev.Kept(record))
