"""What an agent needs of memory, and how soon it is back: idle, with a long queue, with much open.

    make bench BENCH=benchmarks/agents.py

Every figure is of real agents on this machine. An agent is killed while much is open, and the
engine starts it again at once; times count from the kill. "Ready" is when it can be reached and has
taken up its run, "first dispatch" is the first delivery that reaches another node, or the
first attempt that begins, after that. The goals are those of the issue; missing one ends with exit
code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.orchestrator.session import Session
from live import (
    HOME,
    Durability,
    Engine,
    Eye,
    application,
    network_of,
    pinned,
    settings,
    streaming,
)

ENDLESS = """
import os, time

def task(files, pathin, pathout):
    fd = os.open({mark!r}, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"%f\\n" % time.monotonic())
    os.close(fd)
    time.sleep(10**6)
"""
QUEUE_LIMIT_S = 600.0
BACK_LIMIT_S = 120.0
MIB = 1 << 20


@dataclass(frozen=True)
class Goal:
    """What was found, and what it must stay below; None where nothing is demanded."""

    what: str
    found: float
    unit: str
    most: float | None = None


@dataclass
class Bench:
    """Agents with a stream whose items never end."""

    session: Session
    engine: Engine
    eye: Eye
    mark: Path
    arrived_s: dict[str, float]

    def rss_mib(self, node: str) -> float:
        return self.engine.process(node).memory_info().rss / MIB


@asynccontextmanager
async def stalled(items: int, in_flight: int, durability: Durability) -> AsyncIterator[Bench]:
    """Stream inputs to a task that never ends."""
    work = Path(tempfile.mkdtemp(prefix="jupiter-agents-"))
    try:
        mark = work / "begun"
        app = application(work / "app", {"t": (ENDLESS.format(mark=str(mark)), ())})
        source = work / "input"
        source.write_bytes(b"x")
        engine = Engine(work / "nodes")
        network = network_of("n1")
        arrived_s: dict[str, float] = {}

        def on_facts(node: NodeId, facts: msg.Facts) -> None:
            for each in facts.transfers:
                arrived_s[node] = max(arrived_s.get(node, 0.0), each.arrive_s)

        async with Session(app, network, engine, settings(in_flight, durability)) as session:
            bench = Bench(session, engine, Eye(session), mark, arrived_s)
            inputs = [(source,)] * items
            async with streaming(session, pinned(t="n1"), inputs, work / "results", on_facts):
                yield bench
    finally:
        shutil.rmtree(work, ignore_errors=True)


async def idle() -> list[Goal]:
    """Measure agents that do nothing."""
    work = Path(tempfile.mkdtemp(prefix="jupiter-agents-"))
    app = application(work / "app", {"t": (ENDLESS.format(mark=""), ())})
    engine = Engine(work / "nodes")
    try:
        async with Session(app, network_of("n1"), engine, settings(32, "ingress")):
            rss = engine.process("n1").memory_info().rss / MIB
            pss = engine.process("n1").memory_full_info().pss / MIB
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return [Goal("idle agent, RSS", rss, "MiB", 60), Goal("idle agent, PSS", pss, "MiB")]


async def queue(items: int) -> list[Goal]:
    """Measure home's agent with a long queue of inputs."""
    async with stalled(items, 32, "ingress") as bench:
        start_s = time.monotonic()
        await bench.eye.until(
            HOME, lambda run: run.entry is not None and run.entry.offered == items, QUEUE_LIMIT_S
        )
        offered_s = time.monotonic() - start_s
        rss = bench.rss_mib(HOME)
    return [
        Goal(f"home's agent, {items:,} inputs wait, RSS", rss, "MiB", 300),
        Goal(f"{items:,} inputs offered in", offered_s, "s"),
    ]


async def restarts(items: int, durability: Durability) -> list[Goal]:
    """Kill agents with much open, home's and the other, and see when they are back."""
    goals = []
    async with stalled(items, items, durability) as bench:
        start_s = time.monotonic()
        await bench.eye.until("n1", lambda run: run.open >= 2 * items, QUEUE_LIMIT_S)
        goals.append(Goal(f"{items:,} items taken in", time.monotonic() - start_s, "s"))
        for node in (HOME, "n1"):
            what = f"{durability}: {'home' if node == HOME else 'worker'}, {items:,} open"
            goals.append(Goal(f"{what}, RSS", bench.rss_mib(node), "MiB"))
            before_s = last_line(bench.mark)
            bench.engine.kill(node)
            await bench.engine.back(node)
            begun_s, ready_s = bench.engine.begun_s[node], bench.engine.ready_s[node]
            goals.append(Goal(f"{what}, restart to ready", ready_s - begun_s, "s", 2))
            cpu_s = bench.engine.ready_cpu_s[node]
            goals.append(Goal(f"{what}, of it processor time", cpu_s, "s"))
            first_s = await first_dispatch(bench, node, before_s)
            goals.append(Goal(f"{what}, restart to first dispatch", first_s - begun_s, "s", 1))
            cpu_s = bench.engine.cpu_s(node)
            goals.append(Goal(f"{what}, of it processor time", cpu_s, "s"))
            at_s = [when for what, when in bench.engine.told(node) if what == "run.restored"]
            goals.append(Goal(f"{what}, restart to restored", at_s[-1] - begun_s, "s"))
    return goals


async def first_dispatch(bench: Bench, node: str, before_s: float) -> float:
    """Return when the first thing left a node after its restart."""
    ready_s = bench.engine.begun_s[node]
    end_s = time.monotonic() + BACK_LIMIT_S
    while time.monotonic() < end_s:
        if node == HOME:
            times = [each for each in [bench.arrived_s.get("n1", 0.0)] if each > ready_s]
        else:
            times = [each for each in [last_line(bench.mark)] if each > max(before_s, ready_s)]
        if times:
            return times[0]
        await asyncio.sleep(0.01)
    raise TimeoutError(f"nothing left node {node} in {BACK_LIMIT_S} s")


def last_line(path: Path) -> float:
    with contextlib.suppress(OSError, IndexError):
        return float(path.read_text().split()[-1])
    return 0.0


def main() -> int:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--queued", type=int, default=1_000_000, help="inputs that wait")
    parser.add_argument("--open", type=int, default=100_000, help="items that are open")
    parser.add_argument("--levels", nargs="*", default=["ingress", "hop"], help="of durability")
    parser.add_argument("--only", nargs="*", default=["idle", "queue", "restarts"])
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.1f} before")
    if load > 1:
        console.print("[bold red]other work runs here: only bytes and processor time mean much")
    goals: list[Goal] = []
    if "idle" in options.only:
        goals += asyncio.run(idle())
    if "queue" in options.only:
        goals += asyncio.run(queue(options.queued))
    if "restarts" in options.only:
        for level in options.levels:
            goals += asyncio.run(restarts(options.open, level))
    return tell(goals, console)


def tell(goals: list[Goal], console: Console) -> int:
    """Print all figures; return 1 where a goal is missed."""
    table = Table(title="agents")
    for head in ("what", "found", "must be below", ""):
        table.add_column(head)
    missed = 0
    for goal in goals:
        is_missed = goal.most is not None and goal.found >= goal.most
        missed += is_missed
        verdict = "" if goal.most is None else "[bold red]missed" if is_missed else "[green]met"
        most = "" if goal.most is None else f"{goal.most:g} {goal.unit}"
        table.add_row(goal.what, f"{goal.found:.2f} {goal.unit}", most, verdict)
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
