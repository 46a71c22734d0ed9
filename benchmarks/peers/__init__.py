"""The systems that are measured, each in a file of its own.

A system's module has a context manager that starts it in a folder and gives a `Stream`: what runs
items through the shape of `shape.py` and checks every result. Modules are loaded only when they are
measured, so that none needs the packages of another.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.common import Stream


@dataclass(frozen=True)
class System:
    """One way to run the shape.

    Attributes:
        module: File in this folder.
        survives: What it keeps through a power cut.
        variant: Argument of the module's `started`.
        has_files: Its tasks read files and write files, as Jupiter's do; the others get bytes and
            give bytes.
        items_share: Part of a size's items that it is measured with; slow systems need fewer for
            the same time.
        size_bytes_max: It does not take larger payloads.
        packages: Python packages that it needs, from the group `bench`.
        programs: Programs that it needs, and the Debian package of each.
    """

    module: str
    survives: str
    variant: str = ""
    has_files: bool = True
    items_share: float = 1.0
    size_bytes_max: int = 1 << 62
    packages: tuple[str, ...] = ()
    programs: tuple[tuple[str, str], ...] = ()

    def started(self, folder: Path) -> AbstractContextManager[Stream]:
        """Start it; everything that it writes goes below the folder."""
        module = importlib.import_module(f"peers.{self.module}")
        made: AbstractContextManager[Stream] = module.started(folder, self.variant, self.has_files)
        return made


_NATS: dict[str, Any] = {
    "items_share": 0.5,
    "size_bytes_max": 1_000_000,
    "packages": ("nats",),
    "programs": (("nats-server", "nats-server"),),
}
_RAY: dict[str, Any] = {"items_share": 0.5, "packages": ("ray",)}
_DASK: dict[str, Any] = {"items_share": 0.3, "packages": ("distributed",)}
_REDIS: dict[str, Any] = {
    "items_share": 0.5,
    "size_bytes_max": 1_000_000,
    "packages": ("redis", "hiredis"),
    "programs": (("redis-server", "redis-server"),),
}
SYSTEMS = {
    "jupiter-none": System("jupiter", "nothing", "none"),
    "jupiter-ingress": System("jupiter", "inputs, results", "ingress"),
    "jupiter-hop": System("jupiter", "every hop", "hop", items_share=0.5),
    "pipeline": System("pipeline", "nothing"),
    "ray": System("ray", "nothing", "nodes", **_RAY),
    "ray-one-node": System("ray", "nothing", "one", **_RAY),
    "dask": System("dask", "nothing", **_DASK),
    "nats-pull": System("nats", "after 2 min", "pull", **_NATS),
    "nats-push": System("nats", "after 2 min", "push", **_NATS),
    "redis-single": System("redis", "every hop", "single", **_REDIS),
    "redis-batch": System("redis", "every hop", "batch", **_REDIS),
    "scp": System(
        "scp",
        "nothing",
        items_share=0.02,
        size_bytes_max=1_000,
        packages=("watchdog",),
        programs=(("sshd", "openssh-server"), ("scp", "openssh-client")),
    ),
    "ray-memory": System("ray", "nothing", "one", has_files=False, **_RAY),
    "dask-memory": System("dask", "nothing", has_files=False, **_DASK),
    "nats-memory": System("nats", "after 2 min", "push", has_files=False, **_NATS),
    "redis-memory": System("redis", "every hop", "batch", has_files=False, **_REDIS),
}
"""All of them, in the order in which a round measures them."""
