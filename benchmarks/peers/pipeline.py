"""A plain pipeline: one process a task, queues between them, files for the payloads."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import shape
from peers.common import Join, Measured, Stream, Usage, summarise, task_processes

Queues = dict[str, "Queue[Any]"]


def _serve(task: str, ready: Semaphore, queues: Queues, folder: str) -> None:
    """Join by item, read files, write a file, tell the children."""
    join = Join(task)
    children = shape.children_of(task) or ["done"]
    ready.release()
    while True:
        paths = join.add(*queues[task].get())
        if paths is None:
            continue
        output = shape.work([Path(path).read_bytes() for path in paths])
        item = int(output[: shape.MARK_BYTES])
        shared = ""
        for k, child in enumerate(children):
            if task == "entry" or not shared:
                shared = f"{folder}/{task}-{k}-{item}"
                Path(shared).write_bytes(output)
            queues[child].put((item, task, shared))


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Start it."""
    context = multiprocessing.get_context("spawn")
    queues: Queues = {task: context.Queue() for task in [*shape.TASKS, "done"]}
    outputs = [f"{task}-{k}" for task in shape.TASKS for k in range(3 if task == "entry" else 1)]

    def stream(items: int, size: int, in_flight: int) -> Measured:
        for k in range(items):
            Path(folder, f"in-{k}").write_bytes(shape.payload(k, size))
        starts: dict[int, float] = {}
        ends: dict[int, float] = {}
        before = Usage.now()
        room = threading.Semaphore(in_flight)

        def feed() -> None:
            for k in range(items):
                room.acquire()
                starts[k] = time.perf_counter()
                queues["entry"].put((k, "source", f"{folder}/in-{k}"))

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        for _ in range(items):
            item, _, path = queues["done"].get()
            ends[item] = time.perf_counter()
            room.release()
            shape.check(item, size, Path(path).read_bytes())
            for output in (*outputs, "in"):
                Path(folder, f"{output}-{item}").unlink()
        feeder.join()
        return summarise(starts, ends, before)

    with task_processes(_serve, queues, str(folder)):
        yield stream
