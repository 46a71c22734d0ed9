"""What the systems share: the measures, and processes that serve one task each."""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import shape

START_S_MAX = 60.0
STOP_S_MAX = 10.0


@dataclass(frozen=True)
class Measured:
    """One stream.

    Attributes:
        items_per_s: Items over the time from the first to the last.
        latencies_s: Of every item, ascending.
        cpu_s: Processor time of all processes, this one included.
        written_bytes: What all processes gave to file systems on disks; see `Usage`.
    """

    items_per_s: float
    latencies_s: list[float]
    cpu_s: float
    written_bytes: int


Stream = Callable[[int, int, int], Measured]
"""(items, size in bytes, items in flight) -> what was measured."""


@dataclass(frozen=True)
class Usage:
    """What this process and all below it have used up to now, dead ones included.

    Attributes:
        cpu_s: Processor time.
        written_bytes: ``write_bytes`` of /proc/PID/io: whole pages of files that writes made
            dirty, so that they must go to a disk unless the file is removed before. Sockets,
            pipes and files in memory do not count. The kernel adds a dead child's to its parent's.
    """

    cpu_s: float
    written_bytes: int

    @classmethod
    def now(cls) -> Usage:
        """Read it."""
        me = psutil.Process()
        cpu_s, written_bytes = 0.0, 0
        for process in [me, *me.children(recursive=True)]:
            with suppress(psutil.Error, OSError):
                times = process.cpu_times()
                cpu_s += times.user + times.system + times.children_user + times.children_system
                written_bytes += process.io_counters().write_bytes
        return cls(cpu_s, written_bytes)


def summarise(starts: dict[int, float], ends: dict[int, float], before: Usage) -> Measured:
    """Return figures from the times at which items started and ended, up to now."""
    after = Usage.now()
    span_s = max(ends.values()) - min(starts.values())
    return Measured(
        len(ends) / span_s,
        sorted(ends[k] - starts[k] for k in ends),
        after.cpu_s - before.cpu_s,
        after.written_bytes - before.written_bytes,
    )


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(words: list[str], port: int, log: Path, **options: Any) -> Iterator[None]:
    """Run a program that listens on a port; it is ended at the end.

    Raises:
        RuntimeError: It does not listen; its log says why.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **options
        )
    try:
        limit_s = time.monotonic() + START_S_MAX
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None or time.monotonic() > limit_s:
                raise RuntimeError(f"{words[0]} did not start: {log.read_text()[-800:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def task_processes(serve: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Run ``serve(task, ready, *arguments)`` in a process for each task, until the end.

    Each must call ``ready.release()`` when it can take items.

    Raises:
        RuntimeError: One of them could not.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Semaphore(0)
    workers = [
        context.Process(target=serve, args=(task, ready, *arguments), daemon=True)
        for task in shape.TASKS
    ]
    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            if not ready.acquire(timeout=START_S_MAX):
                raise RuntimeError("a task's process did not start")
        yield
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(STOP_S_MAX)
            if worker.is_alive():
                worker.kill()
                worker.join()


class Join:
    """Collects what the parents of a task say of each item.

    Args:
        task: One of the shape.
    """

    def __init__(self, task: str) -> None:
        self._parents = shape.TASKS[task] or ("source",)
        self._waiting: dict[int, dict[str, Any]] = {}

    def add(self, item: int, source: str, value: Any) -> list[Any] | None:
        """Return the values of all parents, in their order, once the last one has come."""
        found = self._waiting.setdefault(item, {})
        found[source] = value
        if len(found) < len(self._parents):
            return None
        del self._waiting[item]
        return [found[parent] for parent in self._parents]


class FileTask:
    """Runs a task's code for systems that carry bytes: it reads files and writes a file.

    That is what the tasks of this shape are: scripts that are given files. Every execution has new
    files, which are removed after it, in one folder for all: less work than a folder for each.

    Args:
        folder: Of the system; None where the code gets bytes and gives bytes, without any file.
        task: One of the shape.
    """

    def __init__(self, folder: Path | None, task: str) -> None:
        self._folder = folder and str(folder)
        self._task = task

    def __call__(self, inputs: list[bytes]) -> bytes:
        """Return the output."""
        if self._folder is None:
            return shape.work(inputs)
        name = f"{self._task}-{int(inputs[0][: shape.MARK_BYTES])}"
        paths = [Path(self._folder, f"{name}-{k}") for k in range(len(inputs))]
        for path, data in zip(paths, inputs, strict=True):
            path.write_bytes(data)
        output = Path(self._folder, name)
        output.write_bytes(shape.work([path.read_bytes() for path in paths]))
        found = output.read_bytes()
        for path in [*paths, output]:
            path.unlink()
        return found
