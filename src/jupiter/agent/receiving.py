"""Takes bodies in: short ones at once, long ones through threads, so that the loop never waits.

A long body is received into a few buffers that take turns; a thread writes and hashes them in
order. What came of a body that was cut is kept for a while, with the state of its digests, so that
the rest is all that is sent again. No part has its final name before its digest agrees.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jupiter.agent.partials import Partial, Partials, not_equal, write_all
from jupiter.aio.bodies import BodySink
from jupiter.errors import TransferError
from jupiter.model.items import Delivery, Part

BUFFER_BYTES = 1 << 20
BUFFERS = 4
"""Of one body: one is received into while the others wait, or are written."""


def body_fault(parts: Sequence[Part], body: bytes) -> str:
    """Return which part of a short body is not what its digest says; empty where all agree."""
    start = 0
    view = memoryview(body)
    for part in parts:
        end = start + part.size_bytes
        if part.digest and hashlib.sha256(view[start:end]).hexdigest() != part.digest:
            return not_equal(part)
        start = end
    return ""


def write_parts(paths: Sequence[str], sizes: Sequence[int], body: bytes) -> None:
    """Write a short body, which is complete and checked, into the files of its parts."""
    start = 0
    view = memoryview(body)
    for path, size in zip(paths, sizes, strict=True):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, view[start : start + size])
        finally:
            os.close(fd)
        start += size


class Discard(BodySink):
    """Takes a long body that is not needed, or that is only a probe.

    Args:
        on_finish: Called when all of it has come.
        size: Its length where it need not be sent at all; 0 where it must, as of a probe.
    """

    def __init__(self, on_finish: Callable[[], None], size: int = 0) -> None:
        self._on_finish = on_finish
        self._size = size

    def begin(self, *, can_skip: bool) -> int:
        """Ask for nothing more."""
        return self._size if can_skip else 0

    def finish(self, digest: bytes) -> None:
        """Say that it came."""
        self._on_finish()


class OneFile(BodySink):
    """Writes one file of an application, and gives it its name when all of it is there.

    Args:
        path: Its name.
        is_executable: Whether its owner may run it.
        on_finish: Called when it is there.
    """

    def __init__(self, path: Path, on_finish: Callable[[], None], *, is_executable: bool) -> None:
        self._path = path
        self._is_executable = is_executable
        self._partial = path.with_name(f".{path.name}.partial")
        self._file = self._partial.open("wb")
        self._digest = hashlib.sha256()
        self._on_finish = on_finish

    def write(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._file.write(data)
        self._digest.update(data)

    def finish(self, digest: bytes) -> None:
        """Give the file its name.

        Raises:
            TransferError: It is not what was sent.
        """
        self._file.close()
        if digest != self._digest.digest():
            self._partial.unlink()
            raise TransferError(f"application file {self._path.name} is not what was sent")
        self.done()

    def done(self) -> None:
        """Give the file its name; its bytes were checked."""
        self._file.close()
        self._partial.chmod(0o700 if self._is_executable else 0o600)
        self._partial.replace(self._path)
        self._on_finish()

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class BodyFiles(BodySink):
    """Writes one long body into files, one a part.

    Args:
        partials: Where what came of it is kept.
        delivery: Whose parts it has.
        on_finish: Called with a folder and the paths in it when all of it is there and agrees.
        on_spoilt: Called with the reason when all of it came, and does not agree.
        on_error: Called when it cannot be written.
    """

    def __init__(
        self,
        partials: Partials,
        delivery: Delivery,
        *,
        on_finish: Callable[[str, list[str]], None],
        on_spoilt: Callable[[str], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        self._partials = partials
        self._delivery = delivery
        self._on_finish = on_finish
        self._on_spoilt = on_spoilt
        self._on_error = on_error
        self._partial: Partial | None = None
        self._buffer: memoryview | None = None
        self._fill = 0
        self._free: list[memoryview] = []
        self._made = 0

    @property
    def is_full(self) -> bool:  # type: ignore[override]
        """Whether all buffers wait to be written."""
        return self._buffer is None and not self._free and self._made >= BUFFERS

    def begin(self, *, can_skip: bool) -> int:
        """Return how much an earlier connection brought."""
        self._partial = self._partials.open(self._delivery, self, can_skip=can_skip)
        return self._partial.taken_bytes

    def room(self) -> memoryview | None:
        """Return the rest of a buffer."""
        if self._buffer is None:
            if self._free:
                self._buffer = self._free.pop()
            elif self._made < BUFFERS:
                self._made += 1
                self._buffer = memoryview(bytearray(BUFFER_BYTES))
            else:
                return None
        return self._buffer[self._fill :]

    def filled(self, size: int) -> None:
        """Have a full buffer written."""
        self._fill += size
        if self._fill == BUFFER_BYTES:
            self._hand_over()

    def write(self, data: memoryview) -> None:
        """Take bytes that came with others."""
        while data:
            room = self.room()
            if room is None:
                self._put(memoryview(bytes(data)))
                return
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self.filled(size)
            data = data[size:]

    def finish(self, digest: bytes) -> None:
        """Have everything checked; then hand the parts over."""
        self._hand_over()
        partial = self._partial
        if partial is not None:
            partial.complete(digest, lambda: self._completed(partial))

    def abort(self) -> None:
        """Keep what came."""
        self._hand_over()
        partial, self._partial = self._partial, None
        if partial is not None:
            self._partials.keep(partial)

    def lose(self) -> None:
        """Add nothing more: the same body comes another way."""
        self._partial = None

    def _completed(self, partial: Partial) -> None:
        if self._partial is not partial:
            return  # meanwhile the same body began to come another way
        self._partial = None
        self._partials.take(partial)
        if not partial.fault:
            self._on_finish(partial.folder, partial.paths)
            return
        fault, error = partial.fault, partial.error
        self._partials.drop(partial)
        if error is not None:
            self._on_error(error)
        else:
            self._on_spoilt(fault)

    def _hand_over(self) -> None:
        buffer, self._buffer = self._buffer, None
        size, self._fill = self._fill, 0
        if buffer is not None:
            self._put(buffer[:size], buffer)

    def _put(self, data: memoryview, buffer: memoryview | None = None) -> None:
        partial = self._partial
        if partial is None:
            if buffer is not None:
                self._free.append(buffer)
            return

        def done() -> None:
            if buffer is not None:
                self._free.append(buffer)
                if self.resume is not None:
                    self.resume()

        partial.put(data, done)
