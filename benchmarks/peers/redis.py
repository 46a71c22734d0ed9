"""Redis streams with an append-only file that is synced before each answer.

One process a task and a stream a task. In one transaction a process adds its outputs to the
children's streams and removes its inputs; in variant ``batch`` those of all items that waited, in
variant ``single`` of one item, as tutorials do it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import shape
from peers.common import (
    FileTask,
    Join,
    Measured,
    Stream,
    Usage,
    free_port,
    server,
    summarise,
    task_processes,
)
from peers.tools import environment, program

BATCH = 50


def _client(port: int) -> Any:
    import redis

    return redis.Redis(host="127.0.0.1", port=port)


def _serve(task: str, ready: Semaphore, port: int, batch_max: int, files: Path | None) -> None:
    client = _client(port)
    join = Join(task)
    work = FileTask(files, task)
    children = shape.children_of(task) or ["done"]
    client.xgroup_create(task, "worker", mkstream=True)
    ready.release()
    while True:
        answer = client.xreadgroup("worker", task, {task: ">"}, count=batch_max, block=0)
        batch = client.pipeline(transaction=True)
        for name, fields in answer[0][1]:
            data = fields[b"data"]
            mark = int(data[: shape.MARK_BYTES])
            found = join.add(mark, fields[b"source"].decode(), (name, data))
            if found is None:
                continue
            output = work([data for _, data in found])
            for child in children:
                batch.xadd(child, {"source": task, "data": output})
            names = [name for name, _ in found]
            batch.xack(task, "worker", *names)
            batch.xdel(task, *names)
        if len(batch):
            batch.execute()


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Start the server and the tasks."""
    port = free_port()
    words = [program("redis-server") or "", "--port", str(port), "--bind", "127.0.0.1"]
    words += ["--dir", str(folder), "--save", "", "--appendonly", "yes"]
    words += ["--appendfsync", "always", "--client-output-buffer-limit", "normal 0 0 0"]
    with (
        server(words, port, folder / "redis.log", env=environment()),
        task_processes(
            _serve, port, BATCH if variant == "batch" else 1, folder if has_files else None
        ),
    ):
        yield lambda items, size, in_flight: _stream(port, items, size, in_flight)


def _stream(port: int, items: int, size: int, in_flight: int) -> Measured:
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    before = Usage.now()
    room = threading.Semaphore(in_flight)

    def feed() -> None:
        client = _client(port)
        for k in range(items):
            data = shape.payload(k, size)
            room.acquire()
            starts[k] = time.perf_counter()
            client.xadd("entry", {"source": "source", "data": data})

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    client = _client(port)
    while len(ends) < items:
        [[_, entries]] = client.xread({"done": "0"}, count=BATCH, block=0)
        now = time.perf_counter()
        for _, fields in entries:
            item = int(fields[b"data"][: shape.MARK_BYTES])
            ends[item] = now
            room.release()
        client.xdel("done", *[name for name, _ in entries])
        for _, fields in entries:
            shape.check(int(fields[b"data"][: shape.MARK_BYTES]), size, fields[b"data"])
    feeder.join()
    return summarise(starts, ends, before)
