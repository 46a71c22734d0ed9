"""Makes things go wrong, and right again; counts what really happened."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from campaign.real.lab import Lab
from campaign.real.plan import Injection
from jupiter.aio.clock import monotonic_s
from jupiter.kit.rng import Stream
from jupiter.model.ids import NodeId


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
        pids: Of the agents; kept up to date by the caller.
        draw: For what a plan leaves open.
    """

    def __init__(self, lab: Lab, pids: Mapping[NodeId, int], draw: Stream) -> None:
        self.done: Counter[str] = Counter()
        """What really happened, by kind."""
        self.kills: list[tuple[NodeId, float]] = []
        """Agents that were killed, and when."""
        self._lab = lab
        self._pids = pids
        self._draw = draw
        self._filtered: set[NodeId] = set()
        self._begin: dict[str, Callable[[Injection], bool]] = {
            "kill": self._kill,
            "kill worker": self._kill_worker,
            "pause": self._pause,
            "unplug": self._unplug,
            "drop": self._drop,
            "reset": self._reset,
            "burst": lambda _: True,
        }
        self._end: dict[str, Callable[[Injection], None]] = {
            "pause": self._go_on,
            "unplug": lambda each: self._lab.plug(each.node, is_in=True),
            "drop": self._unfilter,
            "reset": self._unfilter,
        }

    def begin(self, each: Injection) -> bool:
        """Let it happen; return whether it did."""
        is_done = self._begin[each.kind](each)
        if is_done and each.kind not in ("drop", "reset"):  # those are counted at their end
            self.done[each.kind] += 1
        return is_done

    def end(self, each: Injection) -> None:
        """Take it back."""
        self._end[each.kind](each)

    def _signal(self, node: NodeId, number: int) -> bool:
        pid = self._pids.get(node, 0)
        if not pid or not is_running(pid):
            return False
        os.kill(pid, number)
        return True

    def _kill(self, each: Injection) -> bool:
        is_done = self._signal(each.node, signal.SIGKILL)
        if is_done:
            self.kills.append((each.node, monotonic_s()))
        return is_done

    def _kill_worker(self, each: Injection) -> bool:
        workers = children_of(self._pids.get(each.node, 0))
        if workers:
            os.kill(workers[int(self._draw.random() * len(workers))], signal.SIGKILL)
        return bool(workers)

    def _pause(self, each: Injection) -> bool:
        return self._signal(each.node, signal.SIGSTOP)

    def _go_on(self, each: Injection) -> None:
        self._signal(each.node, signal.SIGCONT)

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
        """Reset connections with other agents; the one with the controlling process stays."""
        if each.node in self._filtered:
            return False
        self._filtered.add(each.node)
        peers = [address for node, address in self._lab.address.items() if node != each.node]
        self._lab.reset(each.node, peers)
        return True

    def _unfilter(self, each: Injection) -> None:
        self._filtered.discard(each.node)
        self.done[each.kind] += bool(self._lab.unfilter(each.node))
