"""What tasks print: read from a pipe, cut in the middle, kept in a file for each task."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections import deque
from pathlib import Path

from jupiter.aio.log import get_log

KEPT_BYTES = 1 << 20
"""Of one attempt; first and last half."""
LOG_BYTES_MAX = 32 << 20
"""A log that is longer is renamed; the one that had that name before is dropped."""
READ_BYTES = 1 << 20
PAUSE_S = 0.004
"""Between two reads of a task that prints more than is kept: it waits, not the agent."""
LEFT_READS_MAX = 4
"""Reads at the end of an attempt; more may come from threads that go on, and is the next one's."""


class TaskLog:
    """The file with what all attempts of a task on this node printed.

    Args:
        path: Appended to; nothing is written before something was printed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, title: str, text: bytes) -> None:
        """Add what an attempt has printed."""
        end = b"" if text.endswith(b"\n") else b"\n"
        try:
            with self._path.open("ab") as file:
                file.write(f"--- {title}\n".encode() + text + end)
                is_full = file.tell() > LOG_BYTES_MAX
            if is_full:
                self._path.replace(self._path.with_suffix(".old"))
        except OSError as error:  # a full disk must stop the work, not what is said of it
            get_log().warning("print.lost", file=str(self._path), reason=error.strerror)


class Printed:
    """The reading end of a worker's standard output and error.

    Args:
        log: Takes what was printed.
    """

    def __init__(self, log: TaskLog) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._read, self.writing_end = os.pipe()
        os.set_blocking(self._read, False)
        with contextlib.suppress(OSError):  # this user has many; a small pipe is only slower
            fcntl.fcntl(self._read, fcntl.F_SETPIPE_SZ, READ_BYTES)
        self._timer: asyncio.TimerHandle | None = None
        self._start_over()
        self._loop.add_reader(self._read, self._readable)

    def _start_over(self) -> None:
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.count = 0

    def close_writing_end(self) -> None:
        """Leave it to the worker."""
        os.close(self.writing_end)

    def text(self) -> bytes:
        """Return what is kept of it, and how much is not."""
        tail = b"".join(self._tail)[-(KEPT_BYTES // 2) :]
        left_out = self.count - len(self._head) - len(tail)
        if left_out <= 0:
            return bytes(self._head) + tail
        return bytes(self._head) + f"\n[… {left_out} bytes left out …]\n".encode() + tail

    def end(self, title: str) -> bytes:
        """Note the end of an attempt: read the rest, write it down, and return what is kept."""
        for _ in range(LEFT_READS_MAX):
            if self._take() <= 0:
                break
        if not self.count:
            return b""
        text = self.text()
        self._log.write(title, text)
        self._start_over()
        return text

    def close(self) -> None:
        """Stop reading; who still prints gets an error."""
        if self._read >= 0:
            if self._timer is not None:
                self._timer.cancel()
            self._loop.remove_reader(self._read)
            os.close(self._read)
            self._read = -1

    def _readable(self) -> None:
        if self._take() == 0:
            self._loop.remove_reader(self._read)
        elif self.count > KEPT_BYTES:
            self._loop.remove_reader(self._read)
            self._timer = self._loop.call_later(PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._loop.add_reader(self._read, self._readable)

    def _take(self) -> int:
        """Read once; return how much, 0 at its end, less where there is nothing now."""
        try:
            data = os.read(self._read, READ_BYTES)
        except BlockingIOError:
            return -1
        count = len(data)
        self.count += count
        room = KEPT_BYTES // 2 - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail.append(data)
            self._tail_bytes += len(data)
            while self._tail_bytes - len(self._tail[0]) >= KEPT_BYTES // 2:
                self._tail_bytes -= len(self._tail.popleft())
        return count
