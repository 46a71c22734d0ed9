"""Follows the stream of a trial from outside, and injects what is due."""

from __future__ import annotations

import heapq
import os
import select
import signal
from dataclasses import dataclass

from campaign.real.control import DECODER, Broken, Died, ItemEnded, Setting, Started, Streamed, fork
from campaign.real.faults import Injector
from campaign.real.plan import HOME, Injection
from jupiter.aio.clock import monotonic_s
from jupiter.kit.rng import stream
from jupiter.model.ids import NodeId


@dataclass(frozen=True, slots=True)
class Down:
    """A time without a controlling process, on the monotonic clock."""

    start_s: float
    end_s: float


class Watch:
    """One stream, from the first process to the last.

    Attributes:
        pids: Of the agents.
        streamed: How it ended, where it did.
        broken: Why it did not.
        downs: When there was no controlling process.
    """

    def __init__(self, setting: Setting) -> None:
        self.pids: dict[NodeId, int] = {}
        self.injector = Injector(
            setting.lab,
            setting.site,
            self.pids,
            stream(setting.trial.seed, "injector"),
            {"kill control": self._kill_control, "pause control": self._pause_control},
            {"kill control": self._resume_control, "pause control": self._continue_control},
        )
        self.streamed: Streamed | None = None
        self.broken = ""
        self.downs: list[Down] = []
        self._setting = setting
        self._items = 0
        self._waiting = list(setting.trial.injections)
        self._due: list[tuple[float, int, bool, Injection]] = []
        self._count = 0
        self._buffer = b""
        self._down_s = 0.0
        self._pid, self._pipe = fork(setting)

    def run(self, limit_s: float) -> None:
        """Return when the controlling process has ended, or is late and was killed."""
        limit_s += monotonic_s()
        is_open = True
        while is_open and (left_s := limit_s - monotonic_s()) > 0:
            self._inject()
            wait_s = min(left_s, self._due[0][0] - monotonic_s()) if self._due else left_s
            pipes = [] if self._down_s else [self._pipe]
            if select.select(pipes, [], [], max(0.0, wait_s))[0]:
                is_open = self._read()
        for _, _, is_begin, each in sorted(self._due, key=lambda due: due[1]):
            if not is_begin and each.kind != "kill control":
                self.injector.end(each)
        self.injector.end_all()
        if not self._down_s:
            if is_open:
                os.kill(self._pid, signal.SIGKILL)
            os.close(self._pipe)
            os.waitpid(self._pid, 0)
        if is_open and not self.broken:
            self.broken = "the stream had not ended in time"
        elif self.streamed is None and not self.broken:
            self.broken = "the controlling process ended without a word"

    @property
    def has_recalled(self) -> bool:
        """Whether ends of items were told anew: then their times mean nothing."""
        return bool(self.downs) or self.injector.restarts[HOME] > 0

    @property
    def gone(self) -> set[NodeId]:
        """Nodes whose agents will not come back."""
        return self.injector.gone

    def _read(self) -> bool:
        data = os.read(self._pipe, 1 << 20)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            match DECODER.decode(line):
                case Started(node=node, pid=pid):
                    if self.pids.get(node, pid) != pid:
                        self.injector.restarted(node)
                    self.pids[node] = pid
                case Died(node=node):
                    self.injector.died(node, self._setting.trial.failpoints.get(node, ""))
                case ItemEnded():
                    self._items += 1
                case Streamed() as streamed:
                    self.streamed = streamed
                case Broken(reason=reason):
                    self.broken = reason
        return bool(data)

    def _inject(self) -> None:
        ready = [each for each in self._waiting if each.after_items <= self._items and self.pids]
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

    # -- the controlling process ---------------------------------------------------------------

    def _kill_control(self, each: Injection) -> bool:
        if self._down_s or self._setting.trial.level == "none":
            return False
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        while self._read():
            pass
        os.close(self._pipe)
        self._buffer = b""
        self._down_s = monotonic_s()
        return self.streamed is None

    def _resume_control(self, each: Injection) -> None:
        self.downs.append(Down(self._down_s, monotonic_s()))
        self._down_s = 0.0
        self._pid, self._pipe = fork(self._setting, is_resumed=True)

    def _pause_control(self, each: Injection) -> bool:
        if self._down_s:
            return False
        os.kill(self._pid, signal.SIGSTOP)
        return True

    def _continue_control(self, each: Injection) -> None:
        if not self._down_s:
            os.kill(self._pid, signal.SIGCONT)
