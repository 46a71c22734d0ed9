"""Small streams through real agents, and what does harm to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from jupiter.agent.identity import read_identity
from jupiter.engines.local import LocalEngine
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.run import RunRecord
from jupiter.model.schedule import Assignment, Schedule
from jupiter.orchestrator.loading import load_app, load_network
from jupiter.orchestrator.replicas import deploy
from jupiter.orchestrator.session import Session, Watch
from jupiter.settings import RunSettings

DIAMOND = """
name = "diamond"
[[task]]
name = "split"
run = "work:split"
route = "scatter"
children = ["left", "right"]
[[task]]
name = "left"
run = "work:left"
children = ["merge"]
[[task]]
name = "right"
run = ["sh", "-c", 'tr a-z A-Z < "$0" > "$1/upper.txt"', "{inputs}", "{output_dir}"]
children = ["merge"]
[[task]]
name = "merge"
run = "merge.py"
sink = true
"""
WORK = """
def split(inputs, output_dir):
    text = inputs[0].read_text()
    first, second = output_dir / "a.txt", output_dir / "b.txt"
    first.write_text("first of " + text)
    second.write_text("second of " + text)
    return [first, second]

def left(inputs, output_dir):
    (output_dir / "left.txt").write_text("left " + inputs[0].read_text())
"""
MERGE = """
import os

def task(files, pathin, pathout):
    texts = [open(os.path.join(pathin, name)).read() for name in files]
    path = os.path.join(pathout, "result.txt")
    with open(path, "w") as file:
        file.write("|".join(texts))
    return [path]
"""


def mapped(**nodes: str) -> Schedule:
    assignments = tuple(
        Assignment(TaskId(task), NodeId(node), 0.0, 0.0) for task, node in nodes.items()
    )
    return Schedule("by-hand", assignments)


def stream(
    app: Path,
    cluster: Path,
    items: Sequence[tuple[Path, ...]],
    schedule: Schedule,
    results: Path,
    *,
    settings: RunSettings | None = None,
    on_item: Callable[[], None] = lambda: None,
    engine: LocalEngine | None = None,
    problem: Problem | None = None,
) -> RunRecord:
    async def work() -> RunRecord:
        loaded = load_app(app)[0]
        deployed = deploy(loaded, problem, schedule) if problem else None
        session = Session(
            loaded,
            load_network(cluster)[0],
            engine or LocalEngine(),
            settings or RunSettings(),
        )
        async with session:
            watch = Watch(item=on_item)
            run = await session.stream(
                deployed.schedule if deployed else schedule,
                items,
                results,
                app=deployed.app if deployed else None,
                watch=watch,
            )
        # What this machine lacks is not what the tests are about.
        notes = [note for note in run.notes if "isolates tasks in part" not in note]
        return replace(run, notes=tuple(notes))

    results.mkdir(exist_ok=True)
    return asyncio.run(work())


SPREAD = {"split": "n1", "left": "n2", "right": "n3", "merge": "n1"}


ONE = """
name = "one"
[[task]]
name = "only"
run = "work:only"
sink = true
retries = 1
"""


class WatchedEngine(LocalEngine):
    """Knows which processes its agents are, also after they were started again."""

    def pid(self, node: str) -> int:
        assert self._root is not None
        identity = read_identity(self._root / node)
        assert identity is not None
        return identity.pid


class Killer:
    """Kills agents, each when so many items have ended.

    Args:
        engine: Theirs.
        victims: (nodes, items that have ended).
    """

    def __init__(self, engine: WatchedEngine, *victims: tuple[str, int]) -> None:
        self._engine = engine
        self._victims = victims
        self._ended = 0
        self.killed = 0

    def __call__(self) -> None:
        self._ended += 1
        for nodes, after in self._victims:
            if after == self._ended:
                for node in nodes.split():
                    psutil.Process(self._engine.pid(node)).kill()
                    self.killed += 1


def expected_texts(items: Sequence[tuple[Path, ...]]) -> list[str]:
    """Return what the diamond makes of each item, by the definition of its tasks."""
    texts = [source.read_text() for (source,) in items]
    return [f"left first of {text}|{('second of ' + text).upper()}" for text in texts]
