"""A stream through real agents in which some items make their task misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.functional.streams import WatchedEngine

from jupiter.agent.cells import find_trees
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.run import RunRecord
from jupiter.model.schedule import Assignment, Schedule
from jupiter.orchestrator.loading import load_app, load_network
from jupiter.orchestrator.session import Session, Watch
from jupiter.settings import RunSettings

APP = """
name = "zoo"
[[task]]
name = "cage"
run = "work:cage"
children = ["after"]
retries = 0
timeout = "5 s"
memory = "256 MiB"
output = "8 MiB"
[[task]]
name = "after"
run = "work:after"
sink = true
"""
CODE = """
import os, signal, subprocess, sys, threading, time

def cage(inputs, output_dir):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    kind = inputs[0].read_text()
    if kind == "bomb":
        while True:
            try:
                if not os.fork():
                    os.setsid()
            except OSError:
                pass
    elif kind == "hog":
        held = [bytearray(b"x" * (64 << 20)) for _ in range(32)]
    elif kind == "busy":
        while True:
            pass
    elif kind == "endless":
        threading.Event().wait()
    elif kind == "flood":
        for _ in range(1 << 12):
            os.write(1, b"y" * (1 << 16))
    elif kind == "orphans":
        if not os.fork():
            os.setsid()
            if not os.fork():
                threading.Event().wait()
            os._exit(0)
        os.wait()
        raise ValueError("orphans are left")
    elif kind == "disk":
        for k in range(1 << 20):
            (output_dir / str(k)).write_bytes(bytes(1 << 20))
    elif kind == "crash":
        os.abort()
    (output_dir / "caged").write_text(kind)

def after(inputs, output_dir):
    (output_dir / "done").write_text("after " + inputs[0].read_text())
"""
WORDS = {
    "bomb": ("time limit", "more than its memory of 256 MiB"),  # whichever comes first
    "hog": ("more than its memory of 256 MiB", "MemoryError"),
    "busy": ("time limit",),
    "endless": ("time limit",),
    "flood": (),
    "orphans": ("orphans are left",),
    "disk": ("and its limit is 8 MiB", "more than its memory of 256 MiB"),  # it may lie in memory
    "crash": ("SIGABRT",),
    "good": (),
}


def test_misbehaving_items_fail_and_the_others_and_the_agents_go_on(
    make_app: Callable[..., Path], cluster: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(APP, work=CODE)
    kinds = [kind for bad in WORDS for kind in ("good", bad)]
    items = []
    for k, kind in enumerate(kinds):
        path = tmp_path / f"in{k}.txt"
        path.write_text(kind)
        items.append((path,))
    places = {"cage": "n1", "after": "n2"}
    schedule = Schedule(
        "by-hand",
        tuple(Assignment(TaskId(task), NodeId(node), 0, 0) for task, node in places.items()),
    )

    engine = WatchedEngine()
    agents: set[str] = set()

    async def work() -> RunRecord:
        session = Session(load_app(app)[0], load_network(cluster)[0], engine, RunSettings())
        async with session:
            run = await session.stream(schedule, items, tmp_path / "out", watch=Watch())
            agents.update(str(engine.pid(node)) for node in ("home", "n1", "n2", "n3"))
            return run

    (tmp_path / "out").mkdir()
    run = asyncio.run(work())
    assert not [note for note in run.notes if "lost" in note]
    for kind, item in zip(kinds, run.items, strict=True):
        words = WORDS[kind]
        if words:
            assert item.status == "failed", kind
            assert any(each in item.detail for each in words), item.detail
        else:
            assert item.status == "done", f"{kind}: {item.detail}"
            (name,) = item.results
            assert (tmp_path / "out" / name).read_text() == f"after {kind}"
    for tree in find_trees().folders:
        left = {path.name.split("-")[2] for path in Path(tree).glob("jupiter-*")}
        assert not left & agents
