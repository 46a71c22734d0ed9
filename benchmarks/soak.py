"""Hours of a stream whose agents are killed now and then: nothing may grow, nothing may be lost.

    make bench BENCH=benchmarks/soak.py
    .venv/bin/python benchmarks/soak.py --minutes 120 --every 300     # the full run
    .venv/bin/python benchmarks/soak.py --command                     # see below

Four nodes, three tasks in a row, items of 1 KB, at half of the speed that was measured first. Each
second memory, open files, threads, spool and journal of every agent are noted. What counts is how
they grow while a process lives: slopes are fitted to all lives of an agent together, without the
first seconds of each. In the end every item must have its result once.

With `--command` the command itself is killed (`jupiter run`), and taken up again
(`jupiter resume`): what counts is how many results a second there are before, meanwhile and after.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from jupiter.agent.journal import COMPACT_BYTES
from jupiter.agent.status import size_of
from jupiter.orchestrator.session import Session
from jupiter.settings import RunSettings
from live import HOME, Engine, application, network_of, pinned

STEP = """
def task(files, pathin, pathout):
    name = files if isinstance(files, str) else files[0]
    data = open(f"{pathin}/{name}", "rb").read()
    with open(f"{pathout}/{name}", "wb") as file:
        file.write(data)
    return [f"{pathout}/{name}"]
"""
NODES = ("home", "n1", "n2", "n3")
SCHEDULE = pinned(a="n1", b="n2", c="n3")
SETTLING_S = 15.0
"""Of a life, before it counts."""
TRIAL_ITEMS = 400
GROWTH = {"rss": 1000.0, "spool": 10.0}
"""Bytes that an agent may grow by for each item of the stream."""
KEPT_BYTES = 600
"""Of home's journal, for each item: the records of the ends stay, as they say which names are
taken. It may be twice as long, and `COMPACT_BYTES`, before it is compacted."""
MIB = 1 << 20
SLACK_BYTES = 2 * MIB
STEADY = {"files": 12.0, "threads": 4.0}
"""By how many they may grow over the whole run: a node whose neighbour is away has its workers."""


@dataclass
class Sample:
    """One look at one agent; bytes and counts."""

    at_s: float
    life: int
    values: dict[str, float]


@dataclass
class Record:
    """All looks."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    kills: int = 0
    done: list[float] = field(default_factory=list)

    def slope(self, node: str, what: str) -> float:
        """Return the growth a second within lives, least squares over all of them."""
        over, under = 0.0, 0.0
        lives: dict[int, list[Sample]] = {}
        for each in self.samples[node]:
            lives.setdefault(each.life, []).append(each)
        for samples in lives.values():
            seen = [each for each in samples if each.at_s - samples[0].at_s >= SETTLING_S]
            if len(seen) < 5:
                continue
            mean_s = sum(each.at_s for each in seen) / len(seen)
            mean = sum(each.values[what] for each in seen) / len(seen)
            over += sum((each.at_s - mean_s) * (each.values[what] - mean) for each in seen)
            under += sum((each.at_s - mean_s) ** 2 for each in seen)
        return over / under if under else 0.0

    def most(self, node: str, what: str) -> float:
        return max(each.values[what] for each in self.samples[node])


class Watch:
    """Notes how agents stand, and kills them in turn."""

    def __init__(self, engine: Engine, record: Record, every_s: float) -> None:
        self._engine = engine
        self._record = record
        self._every_s = every_s

    async def work(self) -> None:
        begin_s = kill_s = time.monotonic()
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            await asyncio.to_thread(self._look, now - begin_s)
            if now - kill_s > self._every_s:
                kill_s = now
                victim = NODES[self._record.kills % len(NODES)]
                with suppress(ProcessLookupError):
                    self._engine.kill(victim)
                self._record.kills += 1

    def _look(self, at_s: float) -> None:
        for node in NODES:
            with suppress(psutil.Error, OSError, KeyError):
                process = self._engine.process(node)
                folders = list((self._engine.root / node / "runs").glob("*"))
                memory = Path((self._engine.root / f"{node}.cache").read_text())
                values = {
                    "rss": process.memory_info().rss,
                    "files": process.num_fds(),
                    "threads": process.num_threads(),
                    "spool": size_of([str(each / "spool") for each in folders] + [str(memory)])[0],
                    "journal": sum((each / "journal").stat().st_size for each in folders),
                }
                found = self._record.samples.setdefault(node, [])
                found.append(Sample(at_s, process.pid, values))


async def soak(minutes: float, every_s: float, console: Console) -> bool:
    """Stream and tell what was seen; return whether all is well."""
    work = Path(tempfile.mkdtemp(prefix="jupiter-soak-"))
    try:
        app = application(work / "app", {"a": (STEP, ("b",)), "b": (STEP, ("c",)), "c": (STEP, ())})
        engine = Engine(work / "nodes")
        network = network_of(*NODES[1:])
        source = [_input(work, k) for k in range(TRIAL_ITEMS)]
        async with Session(app, network, engine, RunSettings()) as session:
            (work / "trial").mkdir()
            start_s = time.monotonic()
            await session.stream(SCHEDULE, source, work / "trial")
            rate = TRIAL_ITEMS / (time.monotonic() - start_s)
        items = int(minutes * 60 * rate / 2)
        console.print(f"{rate:.0f} items/s at full speed; {items} items at half of it")
        record = Record()
        engine = Engine(work / "nodes2")
        settings = RunSettings(interval_s=2 / rate)
        async with Session(app, network, engine, settings) as session:
            watching = asyncio.ensure_future(Watch(engine, record, every_s).work())
            (work / "results").mkdir()
            inputs = [source[k % TRIAL_ITEMS] for k in range(items)]
            start_s = time.monotonic()
            run = await session.stream(SCHEDULE, inputs, work / "results")
            took_s = time.monotonic() - start_s
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return _tell(record, run.items, work / "results", items / took_s, console)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _input(work: Path, k: int) -> tuple[Path]:
    path = work / f"{k:05d}.bin"
    path.write_bytes(b"%08d" % k * 128)
    return (path,)


def _tell(record: Record, items: object, results: Path, rate: float, console: Console) -> bool:
    assert isinstance(items, tuple)
    faults = []
    names = [name for item in items for name in item.results]
    done = sum(item.status == "done" for item in items)
    if done < len(items) or len(set(names)) != len(items):
        faults.append(f"{done} of {len(items)} items are done, with {len(set(names))} results")
    for item in items:
        body = (results / item.results[0]).read_bytes() if item.results else b""
        if body != b"%08d" % (int(item.item) % TRIAL_ITEMS) * 128:
            faults.append(f"item {item.item} has not the result that it should have")
            break
    table = Table(title=f"{len(items)} items, {rate:.0f} items/s, {record.kills} agents killed")
    for head in ("node", "what", "most", "growth", "may be", ""):
        table.add_column(head, justify="right")
    for node in NODES:
        for what in ("rss", "files", "threads", "spool"):
            slope = record.slope(node, what)
            growth = slope / rate if what in GROWTH else slope * len(items) / rate
            unit = "B an item" if what in GROWTH else "over all"
            most = GROWTH.get(what, STEADY.get(what, 0.0))
            is_well = growth <= most
            if not is_well:
                faults.append(f"{what} of {node} grows by {growth:.1f} {unit}")
            peak = record.most(node, what)
            shown = f"{peak:,.0f}" if what in STEADY else f"{peak / MIB:.1f} MiB"
            verdict = "[green]well" if is_well else "[bold red]grows"
            table.add_row(node, what, shown, f"{growth:+.2f} {unit}", f"{most:g}", verdict)
        kept_bytes = KEPT_BYTES * len(items) if node == HOME else 0
        most = 2 * kept_bytes + COMPACT_BYTES + SLACK_BYTES
        peak = record.most(node, "journal")
        verdict = "[green]well" if peak <= most else "[bold red]too long"
        if peak > most:
            faults.append(f"the journal of {node} is too long")
        table.add_row(
            node, "journal", f"{peak / MIB:.1f} MiB", "", f"{most / MIB:.1f} MiB", verdict
        )
    console.print(table)
    for fault in faults:
        console.print(f"[bold red]{fault}", highlight=False)
    console.print(
        "[bold red]NOT WELL" if faults else "[green]all is well: nothing grows or is lost"
    )
    return not faults


# -- without the command ---------------------------------------------------------------------------

APP = """
name = "row"
[[task]]
name = "a"
run = "work:step"
children = ["b"]
[[task]]
name = "b"
run = "work:step"
sink = true
"""
WORK = """
import time

def step(inputs, output_dir):
    time.sleep(0.02)
    (output_dir / inputs[0].name).write_bytes(inputs[0].read_bytes())
"""
CLUSTER = """
[[node]]
name = "home"
role = "home"
[[node]]
name = "n1"
cores = 2
[[node]]
name = "n2"
cores = 2
""" + "".join(
    f'[[link]]\nsource = "{a}"\ntarget = "{b}"\n'
    for a in ("home", "n1", "n2")
    for b in ("home", "n1", "n2")
    if a != b
)
JUPITER = (sys.executable, "-m", "jupiter")


def without_command(seconds: float, console: Console) -> bool:
    """Kill the command of a run and take it up again; return whether the stream kept its pace."""
    work = Path(tempfile.mkdtemp(prefix="jupiter-soak-"))
    out = work / "out"
    try:
        (work / "app").mkdir()
        (work / "app" / "app.toml").write_text(APP)
        (work / "app" / "work.py").write_text(WORK)
        (work / "cluster.toml").write_text(CLUSTER)
        (work / "in").mkdir()
        for k in range(int(100 * (3 * seconds + 20))):
            (work / "in" / f"{k}.bin").write_bytes(b"%08d" % k * 128)
        words = ["run", "app", "--cluster", "cluster.toml", "--input", "in", "--output", "out"]
        words += ["--repeats", "1", "--orphans", "600", "--scheduler", "random"]
        with (work / "log").open("wb") as log:
            first = subprocess.Popen([*JUPITER, *words], cwd=work, stdout=log, stderr=log)
            while _count(out) < 100:
                if first.poll() is not None:
                    console.print((work / "log").read_text())
                    return False
                time.sleep(0.05)
            before = _pace(out, seconds)
            first.kill()
            first.wait()
            down = _pace(out, seconds)
            second = subprocess.Popen([*JUPITER, "resume", "out"], cwd=work, stdout=log, stderr=log)
            after = _pace(out, seconds)
            second.terminate()
            second.wait()
    finally:
        subprocess.run([*JUPITER, "stop", str(out)], capture_output=True, check=False)
        shutil.rmtree(work, ignore_errors=True)
    console.print(f"results a second: {before:.1f} before, {down:.1f} without, {after:.1f} after")
    is_well = down >= 0.95 * before
    verdict = "[green]met" if is_well else "[bold red]missed"
    console.print(f"without the command {down / before:.1%} of before; goal 95 %: {verdict}")
    return is_well


def _count(out: Path) -> int:
    results = out / "results"
    return len(list(results.iterdir())) if results.is_dir() else 0


def _pace(out: Path, seconds: float) -> float:
    begin, begin_s = _count(out), time.monotonic()
    time.sleep(seconds)
    return (_count(out) - begin) / (time.monotonic() - begin_s)


def main() -> int:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--every", type=float, default=15.0, help="seconds between two kills")
    parser.add_argument("--command", action="store_true", help="kill the command, not agents")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase of --command")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    if options.command:
        return 0 if without_command(options.seconds, console) else 1
    return 0 if asyncio.run(soak(options.minutes, options.every, console)) else 1


if __name__ == "__main__":
    assert NODES[0] == HOME
    sys.exit(main())
