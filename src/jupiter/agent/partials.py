"""Long bodies that are being received, and what came of those that were cut."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from jupiter.aio.clock import monotonic_s
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Attempt, Delivery, Part

SYNC_BYTES = 1 << 26
"""A durable body is synced this often, so that little is left to sync at its end."""
PARTIALS_MAX = 32
PARTIAL_BYTES_MAX = 8 << 30
PARTIAL_S_MAX = 900.0
"""Of bodies that were cut, so much is kept, and so long; the oldest go first."""

Identity = tuple[TaskId, ItemId, TaskId, Attempt, tuple[Part, ...]]


def identity_of(delivery: Delivery) -> Identity:
    """Return what two deliveries have in common if and only if they are the same bytes."""
    return (delivery.target, delivery.item, delivery.source, delivery.attempt, delivery.parts)


class Owner(Protocol):
    """Who adds to a body."""

    def lose(self) -> None:
        """Add nothing more: the same body comes another way."""


class Strand:
    """Runs jobs one after the other in threads, so that none waits for the jobs of others."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[tuple[Callable[[], str], Callable[[str], None]]] = deque()
        self._is_running = False

    def put(self, work: Callable[[], str], then: Callable[[str], None]) -> None:
        """Do work in a thread after all work before it; then call `then` in the loop."""
        self._jobs.append((work, then))
        if not self._is_running:
            self._is_running = True
            self._next()

    def _next(self) -> None:
        work, then = self._jobs.popleft()

        def job() -> None:
            result = work()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(done, result)

        def done(result: str) -> None:
            if self._jobs:
                self._next()
            else:
                self._is_running = False
            then(result)

        try:
            self._threads.submit(job)
        except RuntimeError:  # the run was stopped
            self._jobs.clear()


@dataclass(eq=False)
class Partial:
    """What is here of one body.

    Attributes:
        folder: Where its parts are, named by their index; nothing else is in it.
        taken_bytes: Of the body, written or about to be.
        fault: Why it will never be complete; empty where it may be.
        owner: Who adds to it now.
    """

    folder: str
    parts: tuple[Part, ...]
    is_durable: bool
    strand: Strand
    taken_bytes: int = 0
    fault: str = ""
    error: OSError | None = None
    owner: Owner | None = None
    kept_s: float = 0.0
    _index: int = -1
    _left: int = 0
    _unsynced: int = 0
    _fd: int = -1
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _whole: hashlib._Hash | None = None

    def __post_init__(self) -> None:
        if not all(part.digest for part in self.parts):
            self._whole = hashlib.sha256()

    @property
    def paths(self) -> list[str]:
        """Where the parts are."""
        return [f"{self.folder}/{k}" for k in range(len(self.parts))]

    # What follows runs in threads, never two at once.

    def write(self, data: memoryview) -> str:
        """Add bytes; return the fault of this body."""
        try:
            if self._whole is not None and not self.fault:
                self._whole.update(data)
            while data and not self.fault:
                if not self._left:
                    self._next()
                    continue
                piece = data[: self._left]
                write_all(self._fd, piece)
                if self.parts[self._index].digest:
                    self._digest.update(piece)
                self._left -= len(piece)
                self._unsynced += len(piece)
                data = data[len(piece) :]
                if self.is_durable and self._unsynced >= SYNC_BYTES:
                    self._unsynced = 0
                    os.fdatasync(self._fd)
        except OSError as error:
            self.error = error
            self.fault = self.fault or f"it cannot be written: {error}"
        return self.fault

    def complete(self, digest: bytes) -> str:
        """Check everything; return the fault of this body."""
        try:
            while not self.fault and self._index + 1 < len(self.parts):
                self._next()
            self._close()
        except OSError as error:
            self.error = error
            self.fault = self.fault or f"it cannot be written: {error}"
        if not self.fault and self._whole is not None and self._whole.digest() != digest:
            self.fault = "the digest of the body is not that of its bytes"
        return self.fault

    def close(self) -> str:
        """Close the file under way."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        return self.fault

    def _next(self) -> None:
        self._close()
        if self.fault:
            return
        self._index += 1
        self._left = self.parts[self._index].size_bytes
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._fd = os.open(f"{self.folder}/{self._index}", flags, 0o600)
        self._digest = hashlib.sha256()

    def _close(self) -> None:
        """Close the part that is complete, and compare its digest."""
        if self._index < 0:
            return
        part = self.parts[self._index]
        if self.is_durable and self._fd >= 0:
            os.fdatasync(self._fd)
        self.close()
        if part.digest and self._digest.hexdigest() != part.digest:
            self.fault = self.fault or not_equal(part)


class Partials:
    """The long bodies of one run that are being received, or were cut.

    Args:
        new_folder: Returns an empty folder.
        discard: Takes one back, with what is in it.
        is_durable: Whether bodies are synced while they come.
    """

    def __init__(
        self, new_folder: Callable[[], str], discard: Callable[[str], None], *, is_durable: bool
    ) -> None:
        self._new_folder = new_folder
        self._discard = discard
        self._is_durable = is_durable
        self._threads = ThreadPoolExecutor(4, "bodies")
        self._found: dict[Identity, Partial] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def count(self) -> int:
        """Bodies under way and kept."""
        return len(self._found)

    def open(self, delivery: Delivery, owner: Owner, *, can_skip: bool) -> Partial:
        """Return what is here of a body, from now on added to by its new owner only."""
        identity = identity_of(delivery)
        found = self._found.get(identity)
        if found is not None and (found.fault or not can_skip):
            self._drop(identity)
            found = None
        if found is None:
            strand = Strand(self._threads)
            found = Partial(self._new_folder(), delivery.parts, self._is_durable, strand)
            self._found[identity] = found
        if found.owner is not None:
            found.owner.lose()  # a connection that is dead, and does not know it yet
        found.owner = owner
        return found

    def keep(self, partial: Partial) -> None:
        """Keep what came for some time; its owner adds no more."""
        partial.owner = None
        partial.kept_s = monotonic_s()
        self._tidy()

    def take(self, partial: Partial) -> None:
        """Forget a body that is complete, or spoilt; its folder is the caller's now."""
        for identity, each in list(self._found.items()):
            if each is partial:
                del self._found[identity]

    def drop(self, partial: Partial) -> None:
        """Remove what came."""
        self.take(partial)
        partial.fault = partial.fault or "it was dropped"
        partial.strand.put(partial.close, lambda _: self._done_with(partial.folder))

    def close(self) -> None:
        """Forget everything; the folders are removed with the run."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for partial in self._found.values():
            partial.fault = partial.fault or "the run was stopped"
        self._threads.shutdown(wait=True, cancel_futures=True)
        for partial in self._found.values():
            partial.close()
        self._found.clear()

    def _drop(self, identity: Identity) -> None:
        partial = self._found[identity]
        if partial.owner is not None:
            partial.owner.lose()
        self.drop(partial)

    def _done_with(self, folder: str) -> None:
        if not self._is_closed:
            self._discard(folder)

    def _tidy(self) -> None:
        """Drop the oldest until the rest is within the bounds."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kept = [(k, p) for k, p in self._found.items() if p.owner is None]
        kept.sort(key=lambda each: each[1].kept_s)
        size = sum([p.taken_bytes for _, p in kept])
        oldest_s = monotonic_s() - PARTIAL_S_MAX
        while kept and (
            len(kept) > PARTIALS_MAX or size > PARTIAL_BYTES_MAX or kept[0][1].kept_s <= oldest_s
        ):
            identity, partial = kept.pop(0)
            size -= partial.taken_bytes
            self._drop(identity)
        if kept and not self._is_closed:
            wait_s = max(0.0, kept[0][1].kept_s - oldest_s)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tidy)


def write_all(fd: int, data: memoryview) -> None:
    """Write all bytes to a file."""
    while data:
        data = data[os.write(fd, data) :]


def not_equal(part: Part) -> str:
    """Return what is said of a part whose digest is another."""
    return f"part {part.name} is not what its digest says"
