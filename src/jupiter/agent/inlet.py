"""Brings the inputs that home names to the ingress, a few ahead of what it accepts.

Whatever waits is a path, not an object, so a million inputs fit into memory. Where the run is
durable an input is copied into the spool before it is offered: what was accepted no longer depends
on the user's file.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from jupiter.agent.journal import FULL
from jupiter.agent.spool import COPY_BYTES, Spool
from jupiter.aio.failpoints import hit
from jupiter.errors import TransferError
from jupiter.model import events as ev
from jupiter.model.ids import INGRESS, item_id
from jupiter.model.items import Part

AHEAD_MAX = 16
"""Inputs that are ready before the ingress takes them."""
FULL_WAIT_S = 0.25
"""Between two tries to copy an input to a full disk."""
SMALL_BYTES = 1 << 18
"""Larger inputs are copied by a thread."""


class Inlet:
    """The inputs of one run, on home's agent.

    Args:
        spool: Takes the copies.
        is_copied: Whether inputs are copied; else they are read where they are.
        count: Inputs that were accepted before a restart.
        tell: Gives an event to the machines.
        on_broken: Called with a reason when an input cannot be read.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        is_copied: bool,
        count: int,
        tell: Callable[[ev.Event], None],
        on_broken: Callable[[str], None],
    ) -> None:
        self._spool = spool
        self._is_copied = is_copied
        self._tell = tell
        self._on_broken = on_broken
        self._backlog: deque[bytes] = deque()
        # Offered to the machines and not accepted yet: the paths, and the folder of the copies.
        self._ready: deque[tuple[tuple[str, ...], str]] = deque()
        self._is_copying = False
        self._is_waiting = False
        self._is_feeding = False
        self._is_closing = False
        self._is_closed = False
        self._jobs: set[asyncio.Task[None]] = set()
        self.count = count
        """Inputs that were offered in all."""

    @property
    def waiting(self) -> int:
        """Inputs that are not accepted."""
        return len(self._backlog) + len(self._ready)

    def offer(self, first: int, inputs: Sequence[Sequence[str]]) -> None:
        """Take the names of inputs.

        Raises:
            TransferError: Some before them are missing.
        """
        if first > self.count:
            raise TransferError(f"inputs {self.count} to {first - 1} were never offered")
        for paths in inputs[self.count - first :]:
            self._backlog.append("\0".join(paths).encode())
            self.count += 1
        self.feed()

    def close(self) -> None:
        """Note that no more inputs will come."""
        self._is_closing = True
        self.feed()

    def stop(self) -> None:
        """End what is under way."""
        self._is_closed = True
        for job in self._jobs:
            job.cancel()

    def accepted(self, seq: int) -> None:
        """Note that the oldest input that is ready has become an item."""
        paths, folder = self._ready.popleft()
        if self._is_copied:
            self._spool.own(INGRESS, item_id(seq), folder)
        else:
            self._spool.give(INGRESS, item_id(seq), paths)

    def feed(self) -> None:
        """Get some inputs ready, as far as there are fewer than can be accepted soon."""
        if self._is_feeding or self._is_waiting:
            return
        self._is_feeding = True
        try:
            self._feed()
        finally:
            self._is_feeding = False

    def _feed(self) -> None:
        while self._backlog and len(self._ready) < AHEAD_MAX and not self._is_copying:
            paths = tuple(self._backlog[0].decode().split("\0"))
            try:
                is_small = sum([os.stat(path).st_size for path in paths]) <= SMALL_BYTES
                if self._is_copied and not is_small:
                    self._start_copying(paths)
                    return
                self._offer(paths, *self._prepare(paths))
            except OSError as error:
                self._failed(paths, error)
                return
        if self._is_closing and not self._backlog and not self._is_closed:
            self._is_closed = True
            self._tell(ev.InputClosed())

    def _offer(self, paths: tuple[str, ...], folder: str, parts: tuple[Part, ...]) -> None:
        self._backlog.popleft()
        self._ready.append((paths, folder))
        name = parts[0].name if parts else ""
        self._tell(ev.Offered(name, parts))

    def _prepare(self, paths: Sequence[str]) -> tuple[str, tuple[Part, ...]]:
        """Return the folder of the copies, and what they are."""
        if not self._is_copied:
            return "", tuple([Part(Path(path).name, os.stat(path).st_size) for path in paths])
        hit("input.copy")
        size = sum([os.stat(path).st_size for path in paths])
        folder = self._spool.new_folder("given", size)
        try:
            parts = tuple([_copy(path, folder) for path in paths])
        except BaseException:
            self._spool.discard(folder)
            raise
        hit("input.copied")
        return folder, parts

    def _start_copying(self, paths: tuple[str, ...]) -> None:
        self._is_copying = True

        async def copy() -> None:
            try:
                folder, parts = await asyncio.to_thread(self._prepare, paths)
            except OSError as error:
                self._is_copying = False
                self._failed(paths, error)
                return
            self._is_copying = False
            if not self._is_closed:
                self._offer(paths, folder, parts)
                self.feed()

        job = asyncio.ensure_future(copy())
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _failed(self, paths: Sequence[str], error: OSError) -> None:
        if error.errno in FULL:  # nothing is accepted until somebody makes room
            self._is_waiting = True
            asyncio.get_running_loop().call_later(FULL_WAIT_S, self._try_again)
            return
        self._on_broken(f"input {', '.join(paths)} cannot be read: {error.strerror}")

    def _try_again(self) -> None:
        self._is_waiting = False
        if not self._is_closed:
            self.feed()


def _copy(path: str, folder: str) -> Part:
    """Copy a file and return what it is."""
    name = os.path.basename(path)
    digest = sha256()
    size = 0
    with open(path, "rb", buffering=0) as source, open(f"{folder}/{name}", "wb", 0) as target:
        while piece := source.read(COPY_BYTES):
            digest.update(piece)
            size += len(piece)
            view = memoryview(piece)
            while view:
                view = view[target.write(view) :]
    return Part(name, size, digest.hexdigest())
