"""The systems that are measured: each runs items through the shape and returns their latencies."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import psutil

import shape

IN_FLIGHT = 50


@dataclass(frozen=True)
class Measured:
    """One stream.

    Attributes:
        items_per_s: Items over the time from the first to the last.
        latencies_s: Of every item, ascending.
        cpu_s: Processor time of all processes, this one included.
    """

    items_per_s: float
    latencies_s: list[float]
    cpu_s: float


Stream = Callable[[int, int, int], Measured]
"""(items, size in bytes, items in flight) -> what was measured."""


def cpu_seconds() -> float:
    """Return the processor time of this process and all below it, dead ones included."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def summarise(starts: dict[int, float], ends: dict[int, float], cpu_s: float) -> Measured:
    """Return figures from the times at which items started and ended."""
    span = max(ends.values()) - min(starts.values())
    return Measured(len(ends) / span, sorted(ends[k] - starts[k] for k in ends), cpu_s)


# -- Jupiter -----------------------------------------------------------------------------------

SCRIPT = """
import shape

def task(files, pathin, pathout):
    names = [files] if isinstance(files, str) else files
    inputs = [open(f"{pathin}/{name}", "rb").read() for name in names]
    output = shape.work(inputs)
    paths = []
    for k in range(OUTPUTS):
        paths.append(f"{pathout}/NAME_{k}")
        with open(paths[-1], "wb") as file:
            file.write(output)
    return paths
"""


@contextmanager
def jupiter() -> Iterator[Stream]:
    """Agents of the engine `local` on four nodes: home and one for each branch."""
    from jupiter.engines.local import LocalEngine
    from jupiter.model.app import Application, ScriptRun, Task
    from jupiter.model.ids import NodeId, TaskId
    from jupiter.model.network import Link, Network, Node
    from jupiter.model.schedule import Assignment, Schedule
    from jupiter.orchestrator.session import Session
    from jupiter.settings import RunSettings

    names = [NodeId(name) for name in ("home", "n0", "n1", "n2")]
    network = Network(
        "bench",
        tuple(Node(name, "home" if name == "home" else "worker", cores=2) for name in names),
        tuple(Link(a, b) for a in names for b in names if a != b),
    )
    tasks = tuple(
        Task(
            TaskId(name),
            ScriptRun(f"scripts/{name}.py"),
            tuple(map(TaskId, shape.children_of(name))),
            is_sink=name == "final",
            route="scatter" if name == "entry" else "broadcast",
        )
        for name in shape.TASKS
    )
    schedule = Schedule(
        "pinned",
        tuple(
            Assignment(TaskId(name), NodeId(f"n{shape.branch_of(name)}"), 0.0, 0.0)
            for name in shape.TASKS
        ),
    )
    with tempfile.TemporaryDirectory(prefix="jupiter-bench-") as folder:
        root = Path(folder)
        (root / "app" / "scripts").mkdir(parents=True)
        (root / "app" / "scripts" / "shape.py").write_text(Path(shape.__file__).read_text())
        for name in shape.TASKS:
            outputs = 3 if name == "entry" else 1
            code = SCRIPT.replace("OUTPUTS", str(outputs)).replace("NAME", name)
            (root / "app" / "scripts" / f"{name}.py").write_text(code)
        app = Application("bench", str(root / "app"), tasks)

        def stream(items: int, size: int, in_flight: int) -> Measured:
            with tempfile.TemporaryDirectory(dir=root) as work:
                inputs = []
                for k in range(items):
                    path = Path(work, f"{k}.bin")
                    path.write_bytes(shape.payload(k, size))
                    inputs.append((path,))
                results = Path(work, "results")
                results.mkdir()

                async def run() -> Measured:
                    settings = RunSettings(in_flight_max=in_flight)
                    async with Session(app, network, LocalEngine(), settings) as session:
                        before = cpu_seconds()
                        record = await session.stream(schedule, inputs, results)
                        cpu_s = cpu_seconds() - before
                    for item in record.items:
                        data = (results / item.results[0]).read_bytes()
                        shape.check(int(item.item), size, data)
                    starts = {int(i.item): i.accepted_s for i in record.items}
                    ends = {int(i.item): i.done_s or 0.0 for i in record.items}
                    return summarise(starts, ends, cpu_s)

                return asyncio.run(run())

        yield stream


# -- a plain pipeline of processes -------------------------------------------------------------


def _pipe_worker(
    task: str, inbox: Queue[Any], outboxes: dict[str, Queue[Any]], folder: str
) -> None:
    """Serve one task: join by item, read files, write a file, tell the children."""
    parents = shape.TASKS[task] or ("source",)
    waiting: dict[int, dict[str, str]] = {}
    while True:
        message = inbox.get()
        if message is None:
            return
        item, source, path = message
        found = waiting.setdefault(item, {})
        found[source] = path
        if len(found) < len(parents):
            continue
        del waiting[item]
        output = shape.work([Path(found[parent]).read_bytes() for parent in parents])
        children = list(outboxes)
        shared = ""
        for k, child in enumerate(children):
            if task == "entry" or not shared:
                shared = f"{folder}/{task}-{k}-{item}"
                Path(shared).write_bytes(output)
            outboxes[child].put((item, task, shared))


@contextmanager
def pipeline() -> Iterator[Stream]:
    """One process a task, queues between them, files for the payloads."""
    context = multiprocessing.get_context("spawn")
    queues: dict[str, Queue[Any]] = {task: context.Queue() for task in [*shape.TASKS, "done"]}
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        workers = []
        for task in shape.TASKS:
            children = shape.children_of(task) or ["done"]
            outboxes = {child: queues[child] for child in children}
            worker = context.Process(
                target=_pipe_worker, args=(task, queues[task], outboxes, folder), daemon=True
            )
            worker.start()
            workers.append(worker)

        def stream(items: int, size: int, in_flight: int) -> Measured:
            for k in range(items):
                Path(folder, f"in-{k}").write_bytes(shape.payload(k, size))
            starts: dict[int, float] = {}
            ends: dict[int, float] = {}
            before = cpu_seconds()
            room = threading.Semaphore(in_flight)

            def feed() -> None:
                for k in range(items):
                    room.acquire()
                    starts[k] = time.perf_counter()
                    queues["entry"].put((k, "source", f"{folder}/in-{k}"))

            feeder = threading.Thread(target=feed)
            feeder.start()
            for _ in range(items):
                item, _, path = queues["done"].get()
                ends[item] = time.perf_counter()
                room.release()
                shape.check(item, size, Path(path).read_bytes())
                for used in Path(folder).glob(f"*-{item}"):
                    used.unlink()
            feeder.join()
            return summarise(starts, ends, cpu_seconds() - before)

        stream(3, 1000, 1)  # all processes have started
        yield stream
        for task in shape.TASKS:
            queues[task].put(None)
        for worker in workers:
            worker.join(10)


# -- Dask --------------------------------------------------------------------------------------


def _dask_task(*inputs: bytes) -> bytes:
    return shape.work(list(inputs))


@contextmanager
def dask() -> Iterator[Stream]:
    """Dask.distributed with four worker processes over TCP; a whole graph for each item."""
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    cluster = LocalCluster(
        n_workers=4,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tcp://",
        dashboard_address=None,
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        client.upload_file(shape.__file__)
        addresses = list(client.scheduler_info(n_workers=-1)["workers"])

        def stream(items: int, size: int, in_flight: int) -> Measured:
            return asyncio.run(_dask_stream(client, addresses, items, size, in_flight))

        yield stream


async def _dask_stream(
    client: Any, addresses: list[str], items: int, size: int, in_flight: int
) -> Measured:
    from dask import annotate, delayed

    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    room = asyncio.Semaphore(in_flight)
    before = cpu_seconds()

    def one(item: int) -> None:
        nodes: dict[str, Any] = {}
        for task, parents in shape.TASKS.items():
            arguments = [nodes[p] for p in parents] or [shape.payload(item, size)]
            with annotate(workers=addresses[shape.branch_of(task)]):
                nodes[task] = delayed(_dask_task, pure=False)(*arguments)
        starts[item] = time.perf_counter()
        result = client.compute(nodes["final"], optimize_graph=False).result()
        ends[item] = time.perf_counter()
        shape.check(item, size, result)

    async def limited(item: int) -> None:
        async with room:
            await asyncio.to_thread(one, item)

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(in_flight))
    await asyncio.gather(*map(limited, range(items)))
    return summarise(starts, ends, cpu_seconds() - before)


SYSTEMS = {"jupiter": jupiter, "pipeline": pipeline, "dask": dask}
