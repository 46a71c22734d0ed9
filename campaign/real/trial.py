"""One trial: builds the lab, lets a stream meet its faults, looks at what is left, judges."""

from __future__ import annotations

import heapq
import itertools
import json
import os
import select
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from campaign.real import tasks
from campaign.real.control import DECODER, Broken, ItemEnded, Site, Started, Streamed, fork
from campaign.real.engine import AGENT
from campaign.real.faults import Injector
from campaign.real.lab import Lab, left_mounts, left_nodes
from campaign.real.plan import LIMIT_S, Injection, Trial
from jupiter.aio.clock import monotonic_s
from jupiter.control.plan import plan_tasks
from jupiter.kit.rng import stream
from jupiter.model.ids import NodeId, TaskId
from jupiter.testing.oracle import Effect, History, Verdict, judge
from jupiter.testing.serial import Expected, expect

GONE_S_MAX = 3.0
"""Processes that are to end have ended by then."""


@dataclass(frozen=True)
class Played:
    """What came of a trial.

    Attributes:
        verdict: Of the oracle.
        broken: Why the stream did not end well; empty where it did.
        injected: Faults that happened, by kind.
        took_s: From the first process to the last.
        redone_s: By agent killed: until an item was done that another node had worked on instead.
        logs: What agents and the controlling process wrote to their error output.
    """

    verdict: Verdict
    broken: str
    injected: Counter[str]
    took_s: float
    redone_s: tuple[float, ...] = ()
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Nothing is wrong."""
        return self.verdict.is_good and not self.broken

    @property
    def why(self) -> str:
        """What is wrong, in words."""
        words = [f"{kind}: {'; '.join(w[:4])}" for kind, w in self.verdict.faults.items()]
        return "\n".join([*words, *([f"broken: {self.broken}"] if self.broken else [])])


def play(
    trial: Trial, folder: Path, agent: tuple[str, ...] = AGENT, limit_s: float = LIMIT_S
) -> Played:
    """Let a trial happen and judge it; its process must be the first of a process namespace.

    Args:
        trial: What happens.
        folder: Empty; removed in the end.
        agent: Words for the interpreter that start an agent.
        limit_s: A stream that has not ended by then is late.
    """
    start_s = monotonic_s()
    site = _make_site(trial, folder)
    mounts = left_mounts()
    with Lab(folder / "disks", trial.nodes, trial.disk) as lab:
        if trial.mbit:
            for node in trial.nodes:
                lab.slow_down(node, trial.mbit)
        watch = _Watch(trial, lab, site, agent)
        watch.run(limit_s)
        leaks = [*_left_processes(), *_left_files(site)]
    leaks += [f"mount {path}" for path in left_mounts() - mounts]
    leaks += [f"network {name}" for name in left_nodes()]
    expected = _expected(trial, site)
    history = _history(trial, site, watch, expected, leaks)
    injected = watch.injector.done + _marks(trial, site)
    redone_s = _redone_s(trial, watch)
    logs = {path.stem: path.read_text(errors="replace") for path in site.logs.iterdir()}
    verdict = judge(history, expected)
    took_s = monotonic_s() - start_s
    shutil.rmtree(folder)
    broken = watch.broken or _crowd(trial, watch.streamed)
    return Played(verdict, broken, injected, took_s, redone_s, logs)


def _make_site(trial: Trial, folder: Path) -> Site:
    names = ("app", "inputs", "results", "temporary", "logs", "marks")
    site = Site(*(folder / name for name in names))
    for name in names:
        (folder / name).mkdir(parents=True)
    shutil.copyfile(tasks.__file__, site.app / "work.py")
    setup = {"seed": trial.seed, "marks": str(site.marks), "tasks": trial.ways}
    (site.app / tasks.SETUP.name).write_text(json.dumps(setup))
    padding_bytes = max(ways.get("padding_bytes", 0) for ways in trial.ways.values())
    for k in range(trial.items):
        head = {"digest": tasks.digest_of(trial.seed, k), "origins": [k], "line": {}}
        tasks.write_file(
            site.inputs / f"in{k}.part", head | {"task": "@in", "mixed": False}, padding_bytes
        )
    return site


class _Watch:
    """Follows a stream and injects what is due."""

    def __init__(self, trial: Trial, lab: Lab, site: Site, agent: tuple[str, ...]) -> None:
        self.trial = trial
        self.pids: dict[NodeId, int] = {}
        self.injector = Injector(lab, self.pids, stream(trial.seed, "injector"))
        self.streamed: Streamed | None = None
        self.broken = ""
        self.items = 0
        self._waiting = list(trial.injections)
        self._due: list[tuple[float, int, bool, Injection]] = []
        self._count = 0
        self._pid, self._pipe = fork(trial, lab, site, agent)
        self._buffer = b""

    def run(self, limit_s: float) -> None:
        """Return when the controlling process has ended, or is late and was killed."""
        due_s = monotonic_s() + limit_s
        is_open = True
        while is_open and (left_s := due_s - monotonic_s()) > 0:
            self._inject()
            wait_s = min(left_s, self._due[0][0] - monotonic_s()) if self._due else left_s
            if select.select([self._pipe], [], [], max(0.0, wait_s))[0]:
                is_open = self._read()
        if is_open:
            os.killpg(self._pid, signal.SIGKILL)
            self.broken = self.broken or f"the stream had not ended after {limit_s:g} s"
        os.close(self._pipe)
        for _, _, is_begin, each in sorted(self._due):
            if not is_begin:
                self.injector.end(each)
        os.waitpid(self._pid, 0)
        if self.streamed is None and not self.broken:
            self.broken = "the controlling process ended without a word"

    def _read(self) -> bool:
        data = os.read(self._pipe, 1 << 20)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            match DECODER.decode(line):
                case Started(node=node, pid=pid):
                    self.pids[node] = pid
                case ItemEnded():
                    self.items += 1
                case Streamed() as streamed:
                    self.streamed = streamed
                case Broken(reason=reason):
                    self.broken = reason
        return bool(data)

    def _inject(self) -> None:
        ready = [each for each in self._waiting if each.after_items <= self.items and self.pids]
        for each in ready:
            self._waiting.remove(each)
            self._plan(each.delay_s, each, is_begin=True)
        while self._due and self._due[0][0] <= monotonic_s():
            _, _, is_begin, each = heapq.heappop(self._due)
            if not is_begin:
                self.injector.end(each)
            elif self.streamed is None and self.injector.begin(each) and each.length_s:
                self._plan(each.length_s, each, is_begin=False)

    def _plan(self, delay_s: float, each: Injection, *, is_begin: bool) -> None:
        self._count += 1
        heapq.heappush(self._due, (monotonic_s() + delay_s, self._count, is_begin, each))


# -- what is left ------------------------------------------------------------------------------


def _left_processes() -> list[str]:
    """Wait for the ends of processes that were asked to; kill those that stay, and name them."""
    limit_s = monotonic_s() + GONE_S_MAX
    while True:
        _reap()
        left = [int(path.name) for path in Path("/proc").glob("[0-9]*") if path.name != "1"]
        if not left:
            return []
        if monotonic_s() > limit_s:
            break
        select.select([], [], [], 0.01)
    words = []
    for pid in left:
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
        words.append(f"process {argv.strip() or pid}")
    _reap()
    return words


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _left_files(site: Site) -> list[str]:
    partial = [path for path in site.results.iterdir() if path.name.startswith(".")]
    return [f"file {path.name}" for path in [*site.temporary.iterdir(), *partial]]


def _marks(trial: Trial, site: Site) -> Counter[str]:
    """Return how often tasks ended their process, by how they did it."""
    return Counter(f"task {path.read_text()}" for path in site.marks.iterdir())


# -- the verdict -------------------------------------------------------------------------------


def _expected(trial: Trial, site: Site) -> Expected:
    def execute(
        task: TaskId, origins: tuple[int, ...], inputs: list[list[str]]
    ) -> list[str] | None:
        ways = trial.ways[task]
        flat = [digest for part in inputs for digest in part]
        is_hit = tasks.luck_of("dies", trial.seed, task, flat) <= ways.get("dies_share", 0.0)
        if is_hit and ways.get("dies_always"):
            return None
        return tasks.outputs_of(trial.seed, task, ways, flat)

    plans = plan_tasks(trial.application(str(site.app)))
    inputs = [[tasks.digest_of(trial.seed, k)] for k in range(trial.items)]
    return expect(plans, inputs, execute)


def _history(
    trial: Trial, site: Site, watch: _Watch, expected: Expected, leaks: list[str]
) -> History:
    places = {
        digest: (sink, origins) for sink, origins, digests in expected.effects for digest in digests
    }
    effects = []
    for path in sorted(site.results.iterdir()):
        if path.name.startswith("."):
            continue
        head = tasks.read_head(path)
        sink, origins = places.get(head["digest"], (head["task"], tuple(head["origins"])))
        line = tuple((tuple(key.split("|", 1)), n) for key, n in head["line"].items())
        effects.append(Effect(sink, origins, head["digest"], line, head["mixed"]))
    items = watch.streamed.items if watch.streamed else ()
    ended = sorted((i for i in items if i.done_s is not None), key=lambda i: i.done_s or 0.0)
    planned = Counter(each.kind for each in trial.injections)
    planned.update(f"task {w['dies']}" for w in trial.ways.values() if w.get("dies"))
    return History(
        accepted=[int(item.item) for item in items] if items else range(trial.items),
        endings=[[(int(i.item), i.status)] for i in ended if i.status != "lost"],
        effects=effects,
        is_ordered=trial.is_ordered,
        is_late=watch.streamed is None or len(items) < trial.items,
        leaks=leaks,
        planned=planned,
        injected=watch.injector.done + _marks(trial, site),
    )


def _crowd(trial: Trial, streamed: Streamed | None) -> str:
    """Return that more items were under way at once than was asked for; nothing where none were."""
    if streamed is None or trial.is_ordered or trial.scatter:
        return ""  # there, items that have to wait for others do not count
    steps = [(item.accepted_s, 1) for item in streamed.items]
    steps += [(item.done_s, -1) for item in streamed.items if item.done_s is not None]
    most = max(itertools.accumulate(step for _, step in sorted(steps)), default=0)
    return f"{most} items were in flight" if most > trial.in_flight_max else ""


def _redone_s(trial: Trial, watch: _Watch) -> tuple[float, ...]:
    """Return how long after each kill an item was done that another node had worked on instead."""
    if watch.streamed is None:
        return ()
    zero_s, records = watch.streamed.zero_s, watch.streamed.tasks
    done_s = {item.item: item.done_s for item in watch.streamed.items}
    found = []
    for node, killed_s in watch.injector.kills:
        at_s = killed_s - zero_s
        moved = {r.task for r in records if r.node == node and r.finish_s < at_s}
        ends = [
            end_s
            for r in records
            if r.task in moved and r.node != node and r.status == "done" and r.execute_s > at_s
            if (end_s := done_s.get(r.item)) is not None
        ]
        if ends:
            found.append(min(ends) - at_s)
    return tuple(found)
