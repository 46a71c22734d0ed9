"""Long bodies that are being received, and what came of those that were cut."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Lock
from typing import Protocol

from jupiter.aio.clock import monotonic_s
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Attempt, Delivery, Part

SYNC_BYTES = 1 << 25
"""A durable body is synced this often, so that little is left to sync at its end."""
WRITE_BYTES = 1 << 18
"""Written at a time: more at once gets larger pages, which the host of a virtual machine may have
to find first. That took up to 1.6 s for a GiB, where this takes 0.3 s."""
JOBS_MAX = 8
"""Jobs of one body that are done before those of others have their turn."""
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
        self._jobs: deque[tuple[Callable[[], None], Callable[[], None]]] = deque()
        self._lock = Lock()  # what is in _jobs, and whether a thread takes from it
        self._is_running = False

    def put(self, work: Callable[[], None], then: Callable[[], None]) -> None:
        """Do work in a thread after all work before it; then call `then` in the loop."""
        with self._lock:
            self._jobs.append((work, then))
            if self._is_running:
                return
            self._is_running = True
        self._submit()

    def _submit(self) -> None:
        try:
            self._threads.submit(self._run)
        except RuntimeError:  # the run was stopped
            self._jobs.clear()

    def _run(self) -> None:
        """Do jobs while there are any: going back to the loop for each would cost time between."""
        for _ in range(JOBS_MAX):
            with self._lock:
                if not self._jobs:
                    self._is_running = False
                    return
                work, then = self._jobs.popleft()
            work()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(then)
        self._submit()


class _Files:
    """The files of one body, written one after the other; in threads, never two at once."""

    def __init__(self, folder: str, parts: tuple[Part, ...], threads: Executor | None) -> None:
        self._folder = folder
        self._parts = parts
        self._threads = threads  # None: nothing is synced
        self._index = -1
        self._left = 0
        self._unsynced = 0
        self._syncing: Future[None] | None = None
        self._fd = -1
        self.error: OSError | None = None

    def write(self, data: memoryview) -> None:
        """Add bytes."""
        try:
            while data and self.error is None:
                if not self._left:
                    self._next()
                    continue
                piece = data[: self._left]
                write_all(self._fd, piece)
                self._left -= len(piece)
                self._unsynced += len(piece)
                data = data[len(piece) :]
                if self._unsynced >= SYNC_BYTES:
                    self._sync_aside()
        except OSError as error:
            self.error = error

    def complete(self) -> None:
        """Close the last file; make those that have no bytes."""
        try:
            while self.error is None and self._index + 1 < len(self._parts):
                self._next()
            if self.error is None:
                self._close_part()
        except OSError as error:
            self.error = error

    def close(self) -> None:
        """Close the file under way."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _next(self) -> None:
        self._close_part()
        self._index += 1
        self._left = self._parts[self._index].size_bytes
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._fd = os.open(f"{self._folder}/{self._index}", flags, 0o600)

    def _close_part(self) -> None:
        if self._threads is not None and self._fd >= 0:
            if self._syncing is not None:
                self._syncing.result()
                self._syncing = None
            os.fdatasync(self._fd)
        self.close()

    def _sync_aside(self) -> None:
        """Have what was written so far go to the disk, while more comes."""
        if self._threads is not None and (self._syncing is None or self._syncing.done()):
            if self._syncing is not None:
                self._syncing.result()  # an error is told once only
            self._unsynced = 0
            self._syncing = self._threads.submit(_sync, os.dup(self._fd))


class _Digests:
    """The digests of one body and its parts; in threads, never two at once."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = parts
        self._index = -1
        self._left = 0
        self._digest = hashlib.sha256()
        self._whole = None if all(part.digest for part in parts) else hashlib.sha256()
        self.fault = ""

    def update(self, data: memoryview) -> None:
        """Add bytes."""
        if self._whole is not None:
            self._whole.update(data)
        while data and not self.fault:
            if not self._left:
                self._next()
                continue
            piece = data[: self._left]
            if self._parts[self._index].digest:
                self._digest.update(piece)
            self._left -= len(piece)
            data = data[len(piece) :]

    def complete(self, digest: bytes) -> None:
        """Compare what is left, and the whole with its own digest where parts have none."""
        while not self.fault and self._index + 1 < len(self._parts):
            self._next()
        if not self.fault:
            self._compare()
        if not self.fault and self._whole is not None and self._whole.digest() != digest:
            self.fault = "the digest of the body is not that of its bytes"

    def _next(self) -> None:
        self._compare()
        self._index += 1
        self._left = self._parts[self._index].size_bytes
        self._digest = hashlib.sha256()

    def _compare(self) -> None:
        if self._index >= 0:
            part = self._parts[self._index]
            if part.digest and self._digest.hexdigest() != part.digest:
                self.fault = not_equal(part)


class Partial:
    """What is here of one body.

    Args:
        folder: Where its parts are, named by their index; nothing else is in it.
        parts: What they shall be.
        threads: That write and hash.
        is_durable: Whether files are synced.

    Attributes:
        taken_bytes: Of the body, written or about to be.
        fault: Why it will never be complete; empty where it may be.
        owner: Who adds to it now.
        kept_s: When it was cut.
    """

    def __init__(
        self, folder: str, parts: tuple[Part, ...], threads: Executor, *, is_durable: bool
    ) -> None:
        self.folder = folder
        self.paths = [f"{folder}/{k}" for k in range(len(parts))]
        self._files = _Files(folder, parts, threads if is_durable else None)
        self._digests = _Digests(parts)
        self._writing = Strand(threads)
        self._hashing = Strand(threads)
        self._dropped = ""
        self.taken_bytes = 0
        self.owner: Owner | None = None
        self.kept_s = 0.0

    @property
    def fault(self) -> str:
        """Why it will never be complete; empty where it may be."""
        error = self._files.error
        return self._dropped or self._digests.fault or (f"not written: {error}" if error else "")

    @property
    def error(self) -> OSError | None:
        """Why it cannot be written."""
        return self._files.error

    def put(self, data: memoryview, then: Callable[[], None]) -> None:
        """Write and hash bytes, both at once; call `then` when they are needed no more."""
        self.taken_bytes += len(data)
        left = 2

        def done() -> None:
            nonlocal left
            left -= 1
            if not left:
                then()

        self._writing.put(lambda: self._files.write(data), done)
        self._hashing.put(lambda: self._digests.update(data), done)

    def complete(self, digest: bytes, then: Callable[[], None]) -> None:
        """Check everything; then call `then`."""
        self._writing.put(
            self._files.complete,
            lambda: self._hashing.put(lambda: self._digests.complete(digest), then),
        )

    def drop(self, reason: str, then: Callable[[], None]) -> None:
        """Take nothing more; call `then` when nothing is open any more."""
        self._dropped = self._dropped or reason
        self._writing.put(self._files.close, then)

    def close(self) -> None:
        """Close what is open; its threads have ended."""
        self._files.close()


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
            found = Partial(
                self._new_folder(), delivery.parts, self._threads, is_durable=self._is_durable
            )
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
        partial.drop("it was dropped", lambda: self._done_with(partial.folder))

    def close(self) -> None:
        """Forget everything; the folders are removed with the run."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
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


def _sync(fd: int) -> None:
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: memoryview) -> None:
    """Write all bytes to a file."""
    while data:
        data = data[os.write(fd, data[:WRITE_BYTES]) :]


def not_equal(part: Part) -> str:
    """Return what is said of a part whose digest is another."""
    return f"part {part.name} is not what its digest says"
