"""NATS JetStream with a file store: one process a task, one subject for each task's outputs.

A task publishes an output once; each child has a consumer of its own for each of its parents. An
input is acknowledged when the server has acknowledged the output that was made of it. The server
answers before it syncs its files: its default, which leaves up to two minutes in memory.

Variant ``pull`` asks for one message after the other, as tutorials do it. In variant ``push`` the
server sends what there is and a task publishes many outputs at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
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

ACK_S = 120
"""An input that is not acknowledged by then would be sent again."""
PENDING_BYTES = 64 << 20
"""What a client may have waiting to be sent."""


def _serve(task: str, ready: Semaphore, url: str, variant: str, files: Path | None) -> None:
    asyncio.run(_serve_async(task, ready, url, variant, files))


async def _serve_async(
    task: str, ready: Semaphore, url: str, variant: str, files: Path | None
) -> None:
    import nats

    connection = await nats.connect(url, pending_size=PENDING_BYTES)
    stream = connection.jetstream()
    join = Join(task)
    work = FileTask(files, task)
    jobs: set[asyncio.Task[None]] = set()

    async def take(message: Any) -> None:
        parent = message.subject.removeprefix("out.")
        found = join.add(int(message.data[: shape.MARK_BYTES]), parent, message)
        if found is not None:
            await stream.publish(f"out.{task}", work([each.data for each in found]))
            for each in found:
                await each.ack()

    async def take_aside(message: Any) -> None:
        job = asyncio.ensure_future(take(message))
        jobs.add(job)
        job.add_done_callback(jobs.discard)

    pulls = []
    for parent in shape.TASKS[task] or ("source",):
        if variant == "push":
            await _subscribe(stream, f"out.{parent}", f"{parent}-{task}", take_aside)
        else:
            pulled = await stream.pull_subscribe(
                f"out.{parent}", f"{parent}-{task}", config=_consumer()
            )
            pulls.append(_pull(pulled, take))
    ready.release()
    await asyncio.gather(*pulls)
    await asyncio.Event().wait()


async def _pull(pulled: Any, take: Callable[[Any], Awaitable[None]]) -> None:
    import nats

    while True:
        try:
            messages = await pulled.fetch(1, timeout=30)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            await take(message)


def _consumer() -> Any:
    from nats.js.api import ConsumerConfig, DeliverPolicy

    return ConsumerConfig(ack_wait=ACK_S, max_ack_pending=1000, deliver_policy=DeliverPolicy.NEW)


async def _subscribe(
    stream: Any, subject: str, name: str, take: Callable[[Any], Awaitable[None]]
) -> None:
    await stream.subscribe(
        subject,
        durable=name,
        cb=take,
        manual_ack=True,
        config=_consumer(),
        pending_bytes_limit=1 << 30,
    )


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Start the server and the tasks."""
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    config = folder / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\nmax_pending: 256MB\n'
        f'jetstream {{ store_dir: "{folder}/store", max_file_store: 64GB }}\n'
    )
    words = [program("nats-server") or "", "--config", str(config)]
    with server(words, port, folder / "nats.log", env=environment()):
        asyncio.run(_make_stream(url))
        with task_processes(_serve, url, variant, folder if has_files else None):
            yield lambda items, size, in_flight: asyncio.run(_stream(url, items, size, in_flight))


async def _make_stream(url: str) -> None:
    import nats
    from nats.js.api import RetentionPolicy, StorageType, StreamConfig

    connection = await nats.connect(url)
    stream = connection.jetstream()
    await stream.add_stream(
        StreamConfig(
            name="shape",
            subjects=["out.*"],
            retention=RetentionPolicy.INTEREST,
            storage=StorageType.FILE,
        )
    )
    await connection.close()


async def _stream(url: str, items: int, size: int, in_flight: int) -> Measured:
    import nats

    connection = await nats.connect(url, pending_size=PENDING_BYTES)
    stream = connection.jetstream()
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    room = asyncio.Semaphore(in_flight)
    is_done = asyncio.Event()
    before = Usage.now()

    async def take(message: Any) -> None:
        item = int(message.data[: shape.MARK_BYTES])
        ends[item] = time.perf_counter()
        room.release()
        await message.ack()
        shape.check(item, size, message.data)
        if len(ends) == items:
            is_done.set()

    async def offer(item: int) -> None:
        async with asyncio.timeout(ACK_S):
            await stream.publish("out.source", shape.payload(item, size))

    await _subscribe(stream, "out.final", "final-done", take)
    offers = []
    for k in range(items):
        await room.acquire()
        starts[k] = time.perf_counter()
        offers.append(asyncio.ensure_future(offer(k)))
    await is_done.wait()
    await asyncio.gather(*offers)
    found = summarise(starts, ends, before)
    await stream.delete_consumer("shape", "final-done")
    await connection.close()
    return found
