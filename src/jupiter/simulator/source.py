"""A user with inputs: offers each at its time, and again where home died before it said yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.items import Part
from jupiter.simulator.contents import Content
from jupiter.simulator.host import Host
from jupiter.simulator.world import World

RETRY_S = 0.1
"""After so long the user looks again whether home is back."""
WATCH_S = 0.5
"""And so often whether it died after the last input."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        time_s: When it is there.
        parts: Its files.
        contents: What they hold; empty where nobody looks.
    """

    name: str
    time_s: float
    parts: tuple[Part, ...]
    contents: tuple[Content, ...] = ()


class Source:
    """Offers inputs in their order, and closes the stream behind the last.

    Args:
        world: Where this happens.
        home: Who takes them.
        inputs: What is offered.
    """

    def __init__(self, world: World, home: Host, inputs: Sequence[Input]) -> None:
        self._world = world
        self._home = home
        self._inputs = inputs
        self._next = 0
        self._life = home.life

    def begin(self) -> None:
        """Offer the first when it is there."""
        self._world.at(self._inputs[0].time_s if self._inputs else 0.0, self._offer)

    def _offer(self) -> None:
        world, home = self._world, self._home
        if not home.is_up or home.is_full:
            world.at(world.now + RETRY_S, self._offer)
            return
        if home.life != self._life:
            self._life = home.life
            if not self._look_back():
                return
        if self._next == len(self._inputs):
            home.tell(ev.InputClosed())
            if world.draw is not None:
                world.at(world.now + WATCH_S, self._watch)
            return
        each = self._inputs[self._next]
        self._next += 1
        home.offer(each.name, each.parts, each.contents)
        following = self._inputs[min(self._next, len(self._inputs) - 1)]
        world.at(max(world.now, following.time_s), self._offer)

    def _look_back(self) -> bool:
        """Find out what home had accepted; return whether anything is still to be said."""
        records = self._home.disk.image.records
        accepted = [record.seq for record in records if isinstance(record, rec.Accepted)]
        told = [accept.seq for _, accept in self._home.accepted]
        self._next = max([-1, *accepted, *told]) + 1
        return not any(isinstance(record, rec.Closed) for record in records)

    def _watch(self) -> None:
        world, home = self._world, self._home
        if home.is_drained:
            return
        if home.life != self._life:
            self._offer()
        else:
            world.at(world.now + WATCH_S, self._watch)
