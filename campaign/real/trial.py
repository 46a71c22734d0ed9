"""One trial: builds the lab, lets a stream meet its faults, looks at what is left, judges."""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from campaign.real import damage, tasks
from campaign.real.control import Setting, Site, Streamed
from campaign.real.engine import AGENT
from campaign.real.lab import SHARED, Lab, left_cells, left_mounts, left_nodes
from campaign.real.plan import HOME, LIMIT_S, Trial
from campaign.real.watch import Watch
from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.control.plan import plan_tasks
from jupiter.model.ids import TaskId
from jupiter.testing.oracle import Effect, History, Verdict, judge
from jupiter.testing.serial import Expected, expect

GONE_S_MAX = 15.0
"""Processes that are to end have ended by then, on a busy machine, too."""
PROXY_PORT = 900
DAMAGED = re.compile("is not what was written|cannot be read|has .* bytes, not|no regular file")
"""What an item ends with whose only copy, at home, is damaged."""
RATE_S = 0.5
"""A time without a controlling process counts for the rate of a stream from this length on."""


@dataclass(frozen=True)
class Played:
    """What came of a trial.

    Attributes:
        verdict: Of the oracle.
        broken: Why the stream did not end well; empty where it did.
        injected: Faults that happened, by kind.
        took_s: From the first process to the last.
        redone_s: By agent killed: until an item was done that another node had worked on instead.
        rates: By time without a controlling process: items ended a second, by those of the rest.
        logs: What agents and the controlling process wrote to their error output.
    """

    verdict: Verdict
    broken: str
    injected: Counter[str]
    took_s: float
    redone_s: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
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


def play(trial: Trial, folder: Path, bug: str = "", limit_s: float = LIMIT_S) -> Played:
    """Let a trial happen and judge it; its process must be the first of a process namespace.

    Args:
        trial: What happens.
        folder: Empty; removed in the end.
        bug: Planted into the agents.
        limit_s: A stream that has not ended by then is late.
    """
    start_s = monotonic_s()
    site = _make_site(trial, folder)
    mounts = left_mounts()
    with Lab(folder / "disks", trial.nodes, trial.disk) as lab:
        for node in trial.nodes if trial.mbit else ():
            lab.slow_down(node, trial.mbit)
        site.results.mkdir()
        os.sync()  # it is the user's, and as old as the disk
        proxy = _start_proxy(trial, lab)
        watch = Watch(Setting(trial, lab, site, secrets.token_hex(32), _agent(trial, bug)))
        watch.run(limit_s)
        injected = watch.injector.done + _marks(site) + _end_proxy(proxy)
        leaks = [*_left_processes(), *_left_files(site)]
        groups = _left_groups()
        if not watch.broken:
            leaks += groups
            if not watch.injector.has_killed and not trial.failpoints:
                # Else an agent may have been down at the end, and nobody came after it.
                leaks += [each for node in trial.nodes for each in _left_on(lab, node)]
        heads, damaged = _results(site)
        ends_s = _ends_s(site)
    leaks += [f"mount {path}" for path in left_mounts() - mounts]
    leaks += [f"network {name}" for name in left_nodes()]
    expected = _expected(trial, site)
    history = _history(trial, watch, expected, heads, injected, leaks)
    verdict = judge(history, expected)
    verdict = replace(verdict, wrong=(*verdict.wrong, *damaged))
    broken = watch.broken or ("" if watch.has_recalled else _crowd(trial, watch.streamed))
    if watch.broken and trial.may_refuse and "in time" not in watch.broken:
        verdict, broken = replace(verdict, late=(), lost=(), is_void=False), ""
        injected["refused"] += 1
    logs = {path.stem: path.read_text(errors="replace") for path in site.logs.glob("*.log")}
    logs |= {"how it ended": watch.broken} if watch.broken else {}
    rates = _rates(watch, ends_s)
    took_s = monotonic_s() - start_s
    shutil.rmtree(folder)
    for path in SHARED.iterdir():
        damage.remove(path)
    return Played(verdict, broken, injected, took_s, _redone_s(watch), rates, logs)


def _agent(trial: Trial, bug: str) -> tuple[str, ...]:
    changes = [*trial.wrap, *([bug] if bug else [])]
    return ("-P", "-m", "campaign.real.naive", *changes) if changes else AGENT


def _make_site(trial: Trial, folder: Path) -> Site:
    results = folder / "disks" / HOME / "results"
    names = ("app", "inputs", "temporary", "logs")
    app, inputs, temporary, logs = (folder / name for name in names)
    site = Site(app, inputs, results, temporary, logs, SHARED / "marks")
    for path in (app, inputs, temporary, logs, site.marks):
        path.mkdir(parents=True)
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


def _start_proxy(trial: Trial, lab: Lab) -> subprocess.Popen[str] | None:
    if not trial.detour:
        return None
    node, *words = trial.detour
    argv = (*lab.enter(node), sys.executable, "-m", "campaign.real.proxy", str(PROXY_PORT), *words)
    proxy = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert proxy.stdout is not None  # noqa: S101 - for the type checker
    proxy.stdout.readline()
    lab.redirect(node, PROXY_PORT)
    return proxy


def _end_proxy(proxy: subprocess.Popen[str] | None) -> Counter[str]:
    if proxy is None:
        return Counter()
    proxy.kill()
    said, _ = proxy.communicate()
    return Counter(f"connection {word}" for word in said.split())


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
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
        words.append(f"process {argv.strip() or pid} in state {state}")
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
    shared = [path for path in SHARED.iterdir() if path != site.marks]
    return [f"file {path}" for path in [*site.temporary.iterdir(), *partial, *shared]]


def _left_on(lab: Lab, node: str) -> list[str]:
    """Return what the runs of an agent have left on its disk."""
    folder = lab.disk_of(node) / "agent"
    return [f"{path.relative_to(folder)} on {node}" for path in folder.glob("runs/*")]


def _left_groups() -> list[str]:
    """Remove all control groups, and return what they were."""
    found = [path for paths in left_cells().values() for path in paths]
    limit_s = monotonic_s() + GONE_S_MAX
    left = found
    while left:
        for path in left:
            try:
                path.rmdir()
            except OSError:  # the kernel is still busy with the ends of its processes
                continue
        left = [path for path in left if path.exists() and monotonic_s() < limit_s]
        select.select([], [], [], 0.01 if left else 0)
    return [f"control group {path}" for path in found]


def _marks(site: Site) -> Counter[str]:
    """Return how often tasks ended their process, by how they did it."""
    return Counter(f"task {path.read_text()}" for path in site.marks.iterdir())


def _results(site: Site) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the heads of all results, and those that cannot be read."""
    heads, damaged = [], []
    for path in sorted(site.results.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            heads.append(tasks.read_head(path) | {"shown": path.stat().st_ctime})
        except (ValueError, OSError, KeyError) as error:
            damaged.append(f"{path.name}: {error}")
    return heads, damaged


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
    trial: Trial,
    watch: Watch,
    expected: Expected,
    heads: Collection[dict[str, Any]],
    injected: Counter[str],
    leaks: list[str],
) -> History:
    places = {
        digest: (sink, origins) for sink, origins, digests in expected.effects for digest in digests
    }
    effects = []
    for head in heads:
        sink, origins = places.get(head["digest"], (head["task"], tuple(head["origins"])))
        line = tuple((tuple(key.split("|", 1)), n) for key, n in head["line"].items())
        effects.append(Effect(sink, origins, head["digest"], line, head["mixed"]))
    items = watch.streamed.items if watch.streamed else ()
    if trial.may_refuse and any(each.node == HOME for each in trial.injections):
        sound = [item for item in items if not DAMAGED.search(item.detail)]
        if len(sound) < len(items):
            injected["item refused"] += len(items) - len(sound)
        items = tuple(sound)
    ended = [item for item in items if item.done_s is not None and item.status != "lost"]
    if watch.has_recalled:
        shown = {origin: head["shown"] for head in heads for origin in head["origins"]}
        for seq in range(trial.items):  # what gave no result counts with the item before it
            shown.setdefault(seq, shown.get(seq - 1, 0.0))
        ended.sort(key=lambda item: shown[int(item.item)])
    else:
        ended.sort(key=lambda item: item.done_s or 0.0)
    planned = Counter(each.kind for each in trial.injections)
    planned.update(f"task {w['dies']}" for w in trial.ways.values() if w.get("dies"))
    planned.update(f"at {name.partition(':')[0]}" for name in trial.failpoints.values())
    planned.update(trial.detour[1:2])
    slow = Counter({"slow-sync", "crawling-sync"} & set(trial.wrap))
    planned.update(slow)
    happened = injected + (slow if watch.streamed else Counter())
    if trial.failpoints:  # it is this that the trial is about
        happened = Counter({kind: n for kind, n in injected.items() if kind.startswith("at ")})
    return History(
        accepted=[int(item.item) for item in items] if watch.streamed else range(trial.items),
        endings=[[(int(item.item), item.status)] for item in ended if item.status != "lost"],
        effects=effects,
        is_ordered=trial.is_ordered,
        is_late=watch.streamed is None or len(watch.streamed.items) < trial.items,
        leaks=leaks,
        planned=planned,
        injected=happened,
    )


def _crowd(trial: Trial, streamed: Streamed | None) -> str:
    """Return that more items were under way at once than was asked for, if there were."""
    if streamed is None or trial.is_ordered or trial.scatter:
        return ""  # there, items that have to wait for others do not count
    steps = [(item.accepted_s, 1) for item in streamed.items]
    steps += [(item.done_s, -1) for item in streamed.items if item.done_s is not None]
    most = max(itertools.accumulate(step for _, step in sorted(steps)), default=0)
    return f"{most} items were in flight" if most > trial.in_flight_max else ""


def _redone_s(watch: Watch) -> tuple[float, ...]:
    """Return how long after each kill an item was done that took another way because of it.

    Where the agent does not come back, that way is over another node.
    """
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
            if r.task in moved and r.status == "done" and r.execute_s > at_s
            if (end_s := done_s.get(r.item)) is not None
        ]
        if ends:
            found.append(min(ends) - at_s)
    return tuple(found)


def _ends_s(site: Site) -> list[float]:
    """Return when results got their names, on the monotonic clock."""
    offset_s = monotonic_s() - wall_s()
    return sorted(path.stat().st_ctime + offset_s for path in site.results.iterdir())


def _rates(watch: Watch, ends_s: list[float]) -> tuple[float, ...]:
    """Return how fast results came without a controlling process, by how fast with one."""
    found = []
    for down in watch.downs:
        length_s = down.end_s - down.start_s
        counts = [
            sum(start_s <= end_s < start_s + length_s for end_s in ends_s)
            for start_s in (down.start_s - length_s, down.start_s, down.end_s)
        ]
        is_full = ends_s[0] <= down.start_s - length_s and ends_s[-1] >= down.end_s + length_s
        if is_full and length_s >= RATE_S:
            found.append(2 * counts[1] / (counts[0] + counts[2]))
    return tuple(found)
