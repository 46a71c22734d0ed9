"""Control groups around workers: limits of memory and processes, and the end of all at once.

A worker makes its groups itself and enters them (`isolation.seal`), as that may take the kernel
milliseconds. Here it is decided which, and here they are ended and removed, also those that an
agent left behind which was killed. All lie in the group that the agent is in, or in version 2,
where that one may not have children with limits, beside it.

Where there are no groups, a worker is ended with all processes below it: none can leave that tree,
as a worker is the reaper of its orphans, and the agent that of the workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jupiter.aio.clock import wall_s

REMOVE_S = 0.02
"""Time between two looks at groups whose processes are ending."""
OLD_S = 60.0
"""A group that is empty after that time is not one that a worker is about to enter."""
_OWN = re.compile(r"jupiter-(\d+)-(\d+)-(\d+)\.\d+")
_OOM = re.compile(rb"^oom_kill (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Trees:
    """Folders in which groups can be made; empty where there is none.

    Attributes:
        pids: Of version 1, for processes.
        memory: Of version 1, for memory.
        cpu: Of version 1, for shares of the processors.
        unified: Of version 2.
        controllers: What groups in `unified` can limit.
    """

    pids: str = ""
    memory: str = ""
    cpu: str = ""
    unified: str = ""
    controllers: frozenset[str] = frozenset()

    @property
    def folders(self) -> list[str]:
        """All that there are."""
        return [each for each in (self.pids, self.memory, self.cpu, self.unified) if each]


@dataclass(eq=False, slots=True)
class Cell:
    """The groups of one worker.

    Attributes:
        groups: Folders to make, each with the values of files in it.
        events: The file that counts processes killed for lack of memory; empty without limit.
    """

    groups: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    events: str = ""

    def count_oom(self) -> int:
        """Return how many processes of the cell were killed for lack of memory."""
        try:
            found = _OOM.search(Path(self.events).read_bytes()) if self.events else None
        except OSError:
            return 0
        return int(found[1]) if found else 0

    def kill(self) -> None:
        """Kill all processes in it."""
        for folder, _ in self.groups:
            _kill(folder)

    def remove(self) -> bool:
        """Kill what is left in it, and return whether it could be removed."""
        is_gone = True
        for folder, _ in self.groups:
            is_gone &= _remove(folder)
        return is_gone


class Cells:
    """The cells of one agent.

    Args:
        trees: Where they are made.
        is_reaper: Whether orphans of workers become children of this process, and it may take every
            child for one that is not in `known`; told anew each time. None where that is never so.
    """

    def __init__(self, trees: Trees, is_reaper: Callable[[], bool] | None = None) -> None:
        self._trees = trees
        self._is_reaper = is_reaper
        self.known: set[int] = set()
        """Workers that live."""
        self._prefix = f"jupiter-{_namespace()}-{os.getpid()}-{_start_ticks(os.getpid())}"
        self._count = 0
        self._ending: set[Cell] = set()
        self._emptied: asyncio.Event | None = None

    def new(self, processes: int, memory_bytes: int, cores: int = 1) -> Cell:
        """Return a cell for one worker.

        Args:
            cores: Its share of busy processors is in proportion, however many processes it has.
            processes: That it may have, threads counted.
            memory_bytes: That they may use together; 0 is no limit.
        """
        self._count += 1
        name = f"{self._prefix}.{self._count}"
        trees, cell = self._trees, Cell()
        if trees.unified:
            values: dict[str, str] = {}
            if "pids" in trees.controllers:
                values["pids.max"] = str(processes)
            if "cpu" in trees.controllers:
                values["cpu.weight"] = str(min(100 * cores, 10_000))
            if memory_bytes and "memory" in trees.controllers:
                values |= {
                    "memory.max": str(memory_bytes),
                    "memory.swap.max": "0",
                    "memory.oom.group": "1",
                }
                cell.events = f"{trees.unified}/{name}/memory.events"
            cell.groups.append((f"{trees.unified}/{name}", values))
        if trees.pids:
            cell.groups.append((f"{trees.pids}/{name}", {"pids.max": str(processes)}))
        if trees.cpu:
            cell.groups.append((f"{trees.cpu}/{name}", {"cpu.shares": str(1024 * cores)}))
        if trees.memory and memory_bytes:
            limit = str(memory_bytes)
            limits = {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}
            cell.groups.append((f"{trees.memory}/{name}", limits))
            cell.events = f"{trees.memory}/{name}/memory.oom_control"
        return cell

    def end(self, cell: Cell) -> None:
        """Kill all processes of a cell and remove it, now or as soon as they are gone."""
        if cell.remove():
            self._ending.discard(cell)
        else:
            self._ending.add(cell)
            asyncio.get_running_loop().call_later(REMOVE_S, self.end, cell)
        if self._emptied is not None and not self._ending:
            self._emptied.set()

    def end_orphans(self) -> None:
        """Kill and reap what a worker that has died has left."""
        if self._is_reaper is None:
            return
        if self._is_reaper():
            for pid in _children(os.getpid()) - self.known:
                end_tree(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if not _children(os.getpid()) - self.known:
                return
        asyncio.get_running_loop().call_later(REMOVE_S, self.end_orphans)

    async def emptied(self) -> None:
        """Wait until all cells that were ended are gone."""
        if self._ending:
            self._emptied = self._emptied or asyncio.Event()
            self._emptied.clear()
            await self._emptied.wait()

    def sweep(self) -> int:
        """Kill and remove what agents of this machine left that are no more; return how many.

        Those of other process namespaces cannot be asked for; of them, what is old and empty goes.
        """
        count = 0
        for tree in self._trees.folders:
            for match in filter(None, map(_OWN.fullmatch, os.listdir(tree))):
                namespace, pid, start = map(int, match.groups())
                if namespace != _namespace():
                    _remove_old(f"{tree}/{match[0]}")
                elif _start_ticks(pid) != start:
                    count += 1
                    folder = f"{tree}/{match[0]}"
                    if not _remove(folder):
                        self.end(Cell([(folder, {})]))
        return count


def find_trees() -> Trees:
    """Return where this process may make control groups."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        own = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return Trees()
    mounted: dict[str, tuple[str, str]] = {}
    for line in mounts:
        words, _, kind = line.partition(" - ")
        fields, (name, _, options) = words.split(), kind.split(" ", 2)
        if name == "cgroup2":
            mounted.setdefault("", (fields[3], fields[4]))
        elif name == "cgroup":
            for each in ("pids", "memory", "cpu"):
                if each in options.split()[-1].split(","):
                    mounted.setdefault(each, (fields[3], fields[4]))
    found: dict[str, str] = {}
    for line in own:
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in mounted:
                root, mount = mounted[name]
                relative = path.removeprefix(root.rstrip("/")).strip("/")
                folder = f"{mount}/{relative}".rstrip("/")
                if os.access(folder, os.W_OK):
                    found[name] = folder
    unified, controllers = _in_unified(found.get("", ""))
    pids, memory, cpu = [found.get(name, "") for name in ("pids", "memory", "cpu")]
    return Trees(pids, memory, cpu, unified, controllers)


def _in_unified(own: str) -> tuple[str, frozenset[str]]:
    """Return where groups of version 2 can be made, and what they can limit.

    A group with processes, but for the root, cannot have children with limits; then the group
    above may be ours, too, as it is in the sessions of users.
    """
    if not own:
        return "", frozenset()
    wanted = {"pids", "memory", "cpu"}
    for folder in (own, str(Path(own).parent)):
        try:
            names = set(Path(folder, "cgroup.controllers").read_text().split()) & wanted
            enabled = set(Path(folder, "cgroup.subtree_control").read_text().split())
            if names - enabled:
                order = " ".join(f"+{name}" for name in sorted(names - enabled))
                Path(folder, "cgroup.subtree_control").write_text(order)
        except OSError:
            continue
        if names and os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK):
            return folder, frozenset(names)
    return own, frozenset()


def end_tree(root: int) -> None:
    """Kill a process and all below it; each is stopped first, so that none starts another."""
    stopped: set[int] = set()
    new = {root}
    while new:
        for pid in new:
            _signal(pid, signal.SIGSTOP)
        stopped |= new
        new = set().union(*map(_children, stopped)) - stopped
    for pid in stopped:
        _signal(pid, signal.SIGKILL)


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(map(int, path.read_text().split()))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill(folder: str) -> None:
    try:
        Path(folder, "cgroup.kill").write_text("1")
    except OSError:
        for pid in _processes(folder):
            _signal(pid, signal.SIGKILL)


def _processes(folder: str) -> list[int]:
    """Return the processes of a group; those that cannot be seen from here are left out."""
    try:
        return [pid for pid in map(int, Path(folder, "cgroup.procs").read_text().split()) if pid]
    except OSError:
        return []


def _remove(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        _kill(folder)
        return False
    return True


def _remove_old(folder: str) -> None:
    with contextlib.suppress(OSError):  # the kernel refuses where there are processes in it
        if wall_s() - os.stat(folder).st_mtime > OLD_S:
            os.rmdir(folder)


def _namespace() -> int:
    """Return which process ids are meant."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _start_ticks(pid: int) -> int:
    """Return when a process was started; -1 where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    return int(text.rpartition(")")[2].split()[19])
