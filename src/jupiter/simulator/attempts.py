"""The attempts of one host in virtual time: they take their while, and end well or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.items import Attempt
from jupiter.simulator.contents import Content
from jupiter.simulator.tasks import Outcome

if TYPE_CHECKING:
    from jupiter.simulator.host import Host

Key = tuple[str, str, Attempt]


class Attempts:
    """The attempts under way.

    Args:
        host: Where.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._running: dict[Key, int] = {}
        self._made: dict[Key, dict[str, Content]] = {}
        self._count = 0

    def crash(self) -> None:
        """Forget all of them."""
        self._running.clear()
        self._made.clear()

    def run(self, run: act.Run) -> None:
        """Begin one, if its inputs can be read."""
        host, world = self._host, self._host.world
        if host.disk.rotten and host.files.is_input_rotten(run):
            host.tell_next(ev.Damaged(run.item, run.task, "an input cannot be read"))
            return
        inputs = host.files.inputs(run) if world.is_watched else []
        outcome = world.tasks.execute(host.name, run, inputs)
        self._count += 1
        self._running[run.task, run.item, run.attempt] = self._count
        world.at(world.now + outcome.seconds, self._ended, self._count, run, outcome, world.now)

    def kill(self, kill: act.Kill) -> None:
        """End one that no longer counts."""
        self._running.pop((kill.task, kill.item, kill.attempt), None)

    def keep_outputs(self, event: ev.Finished) -> None:
        """Give the outputs of an attempt that still counts their place."""
        stored = self._made.pop((event.task, event.item, event.attempt), None)
        dispatcher = self._host.machines.dispatcher
        if stored is not None and dispatcher.is_running(event.task, event.item, event.attempt):
            self._host.files.store_outputs(event.task, event.item, stored)

    def _ended(self, number: int, run: act.Run, outcome: Outcome, began_s: float) -> None:
        host, world = self._host, self._host.world
        key = run.task, run.item, run.attempt
        if self._running.get(key) != number:
            return
        del self._running[key]
        is_ours = host.is_full and bool(outcome.parts) and not outcome.error
        if is_ours:
            outcome = replace(outcome, parts=(), contents=(), error="no space left on the disk")
        times = host.world_s(run.enter_s), began_s, world.now
        world.recorded.executed(host.name, run, outcome, times)
        if outcome.error:
            error = outcome.error
            host.tell(ev.Failed(run.item, run.task, run.attempt, error, is_ours=is_ours))
            return
        if world.is_watched:
            names = [part.name for part in outcome.parts]
            self._made[key] = dict(zip(names, outcome.contents, strict=True))
        host.tell(ev.Finished(run.item, run.task, run.attempt, outcome.parts))
