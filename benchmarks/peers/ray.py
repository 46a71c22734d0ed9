"""Ray actors, one a task, pinned to a raylet a node; or all of them on one raylet.

The caller passes the references of outputs on, so the bytes go from actor to actor. Several raylets
move them over TCP; on one they are in shared memory.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shape
from peers.common import FileTask, Measured, Stream, Usage, summarise

STORE_BYTES = 2 << 30
"""Shared memory of each node."""


class _Task:
    """What an actor does."""

    def __init__(self, files: Path | None, task: str) -> None:
        self._work = FileTask(files, task)

    def work(self, *inputs: bytes) -> bytes:
        return self._work(list(inputs))


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Start raylets, ``nodes`` for four of them, and the actors."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"
    here = str(Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    import ray
    from ray.cluster_utils import Cluster

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    names = ["home", "n0", "n1", "n2"] if variant == "nodes" else ["home"]
    cluster = Cluster()
    try:
        for name in names:
            cluster.add_node(
                num_cpus=14 // len(names) + 4,
                resources={name: 100},
                object_store_memory=STORE_BYTES,
                include_dashboard=False,
            )
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, **quiet)
        actor = ray.remote(_Task)
        actors = {}
        for task in shape.TASKS:
            node = f"n{shape.branch_of(task)}" if variant == "nodes" else "home"
            actors[task] = actor.options(num_cpus=0, resources={node: 1}).remote(
                folder if has_files else None, task
            )
        yield lambda items, size, in_flight: _stream(actors, items, size, in_flight)
    finally:
        ray.shutdown()
        cluster.shutdown()


def _stream(actors: dict[str, Any], items: int, size: int, in_flight: int) -> Measured:
    import ray

    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    waiting: dict[Any, int] = {}
    before = Usage.now()
    following = 0
    while len(ends) < items:
        while following < items and len(waiting) < in_flight:
            data = shape.payload(following, size)
            starts[following] = time.perf_counter()
            made: dict[str, Any] = {}
            for task, parents in shape.TASKS.items():
                given = [made[parent] for parent in parents] or [data]
                made[task] = actors[task].work.remote(*given)
            waiting[made["final"]] = following
            following += 1
        done, _ = ray.wait(list(waiting), num_returns=1)
        result = ray.get(done[0])
        item = waiting.pop(done[0])
        ends[item] = time.perf_counter()
        shape.check(item, size, result)
    return summarise(starts, ends, before)
