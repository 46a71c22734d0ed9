"""Dask.distributed: four worker processes over TCP, tasks pinned, a whole graph for each item.

One event loop submits all: a thread for each item, with the blocking client, was slower. Inputs of
more than `SCATTER_BYTES` go to the worker of the entry past the scheduler, as the manual asks for
large values.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shape
from peers.common import FileTask, Measured, Stream, Usage, summarise

SCATTER_BYTES = 10_000
SHAPE = str(Path(shape.__file__).resolve())
"""Its path now; an upload loads it again from elsewhere."""


def _task(folder: str, task: str, *inputs: bytes) -> bytes:
    return FileTask(Path(folder) if folder else None, task)(list(inputs))


def _graph(data: Any, workers: list[str], folder: str) -> Any:
    """Return the end of a graph whose tasks are pinned."""
    from dask import annotate, delayed

    nodes: dict[str, Any] = {}
    for task, parents in shape.TASKS.items():
        arguments = [nodes[parent] for parent in parents] or [data]
        with annotate(workers=workers[shape.branch_of(task)]):
            nodes[task] = delayed(_task, pure=False)(folder, task, *arguments)
    return nodes["final"]


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Start it."""
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    dask.config.set({"temporary-directory": str(folder)})
    with (
        LocalCluster(
            n_workers=4,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tcp://",
            dashboard_address=None,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.upload_file(SHAPE)
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        address, files = cluster.scheduler_address, str(folder) if has_files else ""
        yield lambda *order: asyncio.run(_stream(address, workers, files, *order))


async def _stream(
    address: str, workers: list[str], files: str, items: int, size: int, in_flight: int
) -> Measured:
    from distributed import Client

    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    room = asyncio.Semaphore(in_flight)
    async with Client(address, set_as_default=False, asynchronous=True) as client:

        async def one(item: int) -> None:
            async with room:
                given: Any = shape.payload(item, size)
                starts[item] = time.perf_counter()
                if size > SCATTER_BYTES:
                    given = await client.scatter(given, workers=[workers[0]], direct=True)
                result = await client.compute(_graph(given, workers, files), optimize_graph=False)
                ends[item] = time.perf_counter()
            shape.check(item, size, result)

        before = Usage.now()
        await asyncio.gather(*map(one, range(items)))
        return summarise(starts, ends, before)
