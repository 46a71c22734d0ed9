"""Jupiter with agents of the engine `local` on four nodes: home and one for each branch."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shape
from peers.common import Measured, Stream, Usage, summarise

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
NODES = ("home", "n0", "n1", "n2")


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Make the application; the agents are started for each stream, before its time begins."""
    tempfile.tempdir = str(folder)
    scripts = folder / "app" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "shape.py").write_text(Path(shape.__file__).read_text())
    for name in shape.TASKS:
        outputs = 3 if name == "entry" else 1
        code = SCRIPT.replace("OUTPUTS", str(outputs)).replace("NAME", name)
        (scripts / f"{name}.py").write_text(code)

    def stream(items: int, size: int, in_flight: int) -> Measured:
        with tempfile.TemporaryDirectory() as work:
            return asyncio.run(_stream(folder / "app", Path(work), variant, items, size, in_flight))

    yield stream


async def _stream(
    app_dir: Path, work: Path, durability: Any, items: int, size: int, in_flight: int
) -> Measured:
    from jupiter.engines.local import LocalEngine
    from jupiter.model.app import Application, ScriptRun, Task
    from jupiter.model.ids import NodeId, TaskId
    from jupiter.model.network import Link, Network, Node
    from jupiter.model.schedule import Assignment, Schedule
    from jupiter.orchestrator.session import Session
    from jupiter.settings import RunSettings

    names = [NodeId(name) for name in NODES]
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
    pinned = [
        Assignment(TaskId(name), NodeId(f"n{shape.branch_of(name)}"), 0.0, 0.0)
        for name in shape.TASKS
    ]
    inputs = []
    for k in range(items):
        path = work / f"{k}.bin"
        path.write_bytes(shape.payload(k, size))
        inputs.append((path,))
    results = work / "results"
    results.mkdir()
    app = Application("bench", str(app_dir), tasks)
    settings = RunSettings(in_flight_max=in_flight, durability=durability)
    async with Session(app, network, LocalEngine(), settings) as session:
        before = Usage.now()
        record = await session.stream(Schedule("pinned", tuple(pinned)), inputs, results)
        first_s = min(item.accepted_s for item in record.items)
        ends = {int(item.item): item.done_s or 0.0 for item in record.items}
        found = summarise(_starts(ends, first_s, in_flight), ends, before)
    for item in record.items:
        shape.check(int(item.item), size, (results / item.results[0]).read_bytes())
    return found


def _starts(ends: dict[int, float], first_s: float, in_flight: int) -> dict[int, float]:
    """Return when each item could have been accepted: when another had left room for it.

    The other systems note this time before they hand an item in. What Jupiter notes is later, as an
    input must be stored before it is accepted; that must not look like a shorter latency.
    """
    room_s = [first_s] * in_flight + sorted(ends.values())
    return {item: room_s[rank] for rank, item in enumerate(sorted(ends))}
