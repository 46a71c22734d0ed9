"""Makes things go wrong, and right again; counts what really happened."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from campaign.real import damage
from campaign.real.control import Site
from campaign.real.engine import GONE, REBORN, lock_of
from campaign.real.lab import Lab
from campaign.real.plan import Injection
from jupiter.aio.clock import monotonic_s
from jupiter.kit.rng import Stream
from jupiter.model.ids import NodeId

Begin = Callable[[Injection], bool]
End = Callable[[Injection], None]
FILL_BYTES = 1 << 16


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def is_running(pid: int) -> bool:
    """Return whether a process is there and not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


class Injector:
    """What goes wrong in one trial.

    Args:
        lab: The nodes.
        site: The folders.
        pids: Of the agents; kept up to date by the caller.
        draw: For what a plan leaves open.
        begin: Further kinds.
        end: Their ends.
    """

    def __init__(
        self,
        lab: Lab,
        site: Site,
        pids: Mapping[NodeId, int],
        draw: Stream,
        begin: Mapping[str, Begin],
        end: Mapping[str, End],
    ) -> None:
        self.done: Counter[str] = Counter()
        """What really happened, by kind."""
        self.kills: list[tuple[NodeId, float]] = []
        """Agents that were killed, and when."""
        self.gone: set[NodeId] = set()
        """Nodes whose agents will not come back."""
        self.kills_before_harm = 0
        """Agents that were killed so that something could be done to their data."""
        self.restarts: Counter[NodeId] = Counter()
        """How often agents were started again."""
        self._deaths: Counter[NodeId] = Counter()
        self._lab = lab
        self._site = site
        self._pids = pids
        self._draw = draw
        self._filtered: set[NodeId] = set()
        self._held: dict[NodeId, int] = {}
        self._begin: dict[str, Begin] = {
            "kill": self._kill,
            "kill all": self._kill_all,
            "end": lambda each: self._signal(each.node, signal.SIGTERM),
            "leave": self._leave,
            "kill worker": self._kill_worker,
            "pause": lambda each: self._signal(each.node, signal.SIGSTOP),
            "unplug": self._unplug,
            "drop": self._drop,
            "reset": self._reset,
            "burst": lambda _: True,
            "lose disk": self._damaged(damage.empty),
            "power": self._cut_power,
            "fill": self._fill,
            "use inodes": self._use_inodes,
            "cut journal": self._damaged(damage.cut_journal),
            "flip journal": self._damaged(damage.flip_journal),
            "flip spool": self._damaged(damage.flip_spool),
            "mess": self._damaged(damage.mess_up),
            **begin,
        }
        self._end: dict[str, End] = {
            "pause": lambda each: self._go_on(each.node),
            "unplug": lambda each: self._lab.plug(each.node, is_in=True),
            "drop": self._unfilter,
            "reset": self._unfilter,
            "fill": self._make_room,
            "use inodes": self._make_room,
            **end,
        }

    def begin(self, each: Injection) -> bool:
        """Let it happen; return whether it did."""
        is_done = self._begin[each.kind](each)
        if is_done and each.kind not in ("drop", "reset"):  # those are counted at their end
            self.done[each.kind] += 1
        return is_done

    def end(self, each: Injection) -> None:
        """Take it back."""
        if each.kind in self._end:
            self._end[each.kind](each)
        else:
            self._release(each.node)

    def end_all(self) -> None:
        """Let go of everything."""
        for node in list(self._held):
            self._release(node)

    @property
    def has_killed(self) -> bool:
        """Whether agents or the controlling process were ended."""
        harmless = ("pause", "unplug", "drop", "reset", "burst", "kill worker", "pause control")
        others = [kind for kind, count in self.done.items() if count and kind not in harmless]
        return bool(others or self.kills_before_harm)

    def died(self, node: NodeId, failpoint: str) -> None:
        """Note that an agent has ended, and where it was to do so by itself."""
        name = failpoint.partition(":")[0]
        self._deaths[node] += 1
        is_first = self._deaths[node] == 1 + (name in REBORN)
        if name and is_first and (name in REBORN or node not in dict(self.kills)):
            self.done[f"at {name}"] += 1

    def restarted(self, node: NodeId) -> None:
        """Note that an agent was started again."""
        self.restarts[node] += 1
        self.done["started again"] += 1

    # -- processes -----------------------------------------------------------------------------

    def _signal(self, node: NodeId, number: int) -> bool:
        pid = self._pids.get(node, 0)
        if not pid or not is_running(pid):
            return False
        os.kill(pid, number)
        return True

    def _go_on(self, node: NodeId) -> None:
        self._signal(node, signal.SIGCONT)

    def _kill(self, each: Injection) -> bool:
        """Kill an agent; it is started again at once, or after the injection's length."""
        if each.length_s:
            self._hold(each.node)
        is_done = self._signal(each.node, signal.SIGKILL)
        if is_done:
            self.kills.append((each.node, monotonic_s()))
        elif each.length_s:
            self._release(each.node)
        return is_done

    def _kill_all(self, each: Injection) -> bool:
        return sum(self._signal(node, signal.SIGKILL) for node in self._pids) > 0

    def _leave(self, each: Injection) -> bool:
        """Kill an agent for good."""
        lock_of(self._site.logs, each.node).with_suffix(f".{GONE}").touch()
        self.gone.add(each.node)
        is_done = self._signal(each.node, signal.SIGKILL)
        if is_done:
            self.kills.append((each.node, monotonic_s()))
        return is_done

    def _kill_worker(self, each: Injection) -> bool:
        workers = children_of(self._pids.get(each.node, 0))
        if workers:
            os.kill(workers[int(self._draw.random() * len(workers))], signal.SIGKILL)
        return bool(workers)

    def _hold(self, node: NodeId) -> None:
        """Keep the agent of a node from being started."""
        fd = os.open(lock_of(self._site.logs, node), os.O_CREAT | os.O_WRONLY, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self._held[node] = fd

    def _release(self, node: NodeId) -> None:
        fd = self._held.pop(node, -1)
        if fd >= 0:
            os.close(fd)

    # -- network -------------------------------------------------------------------------------

    def _unplug(self, each: Injection) -> bool:
        self._lab.plug(each.node, is_in=False)
        return True

    def _drop(self, each: Injection) -> bool:
        if each.node in self._filtered:
            return False
        self._filtered.add(each.node)
        self._lab.drop(each.node, "input" if self._draw.random() < 0.5 else "output")
        return True

    def _reset(self, each: Injection) -> bool:
        if each.node in self._filtered:
            return False
        self._filtered.add(each.node)
        peers = [address for node, address in self._lab.address.items() if node != each.node]
        self._lab.reset(each.node, () if each.size else peers)
        return True

    def _unfilter(self, each: Injection) -> None:
        self._filtered.discard(each.node)
        self.done[each.kind] += bool(self._lab.unfilter(each.node))

    # -- disks ---------------------------------------------------------------------------------

    def _damaged(self, harm: Callable[[Path, Stream], bool]) -> Begin:
        """Return what kills an agent, harms its folder, and lets it start again."""

        def begin(each: Injection) -> bool:
            if each.node in self._held:
                return False
            self._hold(each.node)
            try:
                if not self._signal(each.node, signal.SIGKILL):
                    return False
                self._wait_for_end(each.node)
                self.kills_before_harm += 1
                return harm(self._lab.disk_of(each.node) / "agent", self._draw)
            finally:
                if not each.length_s:
                    self._release(each.node)

        return begin

    def _wait_for_end(self, node: NodeId) -> None:
        """Wait until a killed agent and the workers that die with it are gone."""
        pid = self._pids[node]
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        damage.wait_readable(fd)
        os.close(fd)

    def _cut_power(self, each: Injection) -> bool:
        """Let a node's disk go back to what was safe at one moment, and its agent start on that."""
        pid = self._pids.get(each.node, 0)
        if each.node in self._held or not is_running(pid):
            return False
        self._hold(each.node)
        stopped = [pid, *children_of(pid)]
        for one in stopped:
            damage.send(one, signal.SIGSTOP)
        image = self._lab.image_of(each.node)
        damage.copy_still(image, image.with_suffix(".copy"))
        for one in stopped:
            damage.send(one, signal.SIGKILL)
        self._wait_for_end(each.node)
        self._lab.swap_image(each.node, image.with_suffix(".copy"))
        damage.reboot(self._lab.disk_of(each.node) / "agent")
        self._forget_memory(each.node)
        if not each.length_s:
            self._release(each.node)
        return True

    def _forget_memory(self, node: NodeId) -> None:
        """Lose what an agent kept in memory, as its machine has started again."""
        note = self._site.logs / f"{node}.cache"
        if note.exists():
            damage.remove(Path(note.read_text()))

    def _fill(self, each: Injection) -> bool:
        """Use up all space of a disk."""
        try:
            with (self._lab.disk_of(each.node) / "filler").open("ab", buffering=0) as file:
                while True:
                    file.write(b"\0" * FILL_BYTES)
        except OSError as error:
            return error.errno == errno.ENOSPC

    def _use_inodes(self, each: Injection) -> bool:
        folder = self._lab.disk_of(each.node) / "fillers"
        folder.mkdir(exist_ok=True)
        for k in range(1 << 20):
            try:
                (folder / str(k)).touch()
            except OSError as error:
                return error.errno == errno.ENOSPC
        return False

    def _make_room(self, each: Injection) -> None:
        damage.remove(self._lab.disk_of(each.node) / "filler")
        damage.remove(self._lab.disk_of(each.node) / "fillers")
