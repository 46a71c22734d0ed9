"""The network in virtual time: each directed link sends one thing after the other, or fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupiter.errors import SchedulingError
from jupiter.kit.rng import Stream
from jupiter.model.ids import NodeId
from jupiter.model.transfer import Transfer

Pair = tuple[NodeId, NodeId]


@dataclass(frozen=True, slots=True)
class Weather:
    """What a bad network does to every message; nothing by default.

    Attributes:
        loss: Share that never arrives.
        doubled: Share that arrives twice.
        jitter_s: Messages are late by up to so much, each by another time, so they overtake.
    """

    loss: float = 0.0
    doubled: float = 0.0
    jitter_s: float = 0.0

    @property
    def is_fair(self) -> bool:
        """Nothing goes wrong."""
        return not (self.loss or self.doubled or self.jitter_s)


class Links:
    """Decides when a message arrives, if it does.

    Args:
        models: By (source, target).
        weather: Of all links.
        draw: For what happens by chance.
    """

    def __init__(
        self,
        models: Mapping[Pair, Transfer],
        weather: Weather | None = None,
        draw: Stream | None = None,
    ) -> None:
        self._models = models
        self._free_s: dict[Pair, float] = {}
        self._draw = draw
        self.weather = weather or Weather()
        self.cut: dict[Pair, int] = {}
        """Links that lose everything, each with the number of reasons why."""
        self.clogged_s: dict[Pair, float] = {}
        """Until when nothing arrives on a link that holds everything back."""
        self.lost = 0
        self.doubled = 0

    def arrival(self, source: NodeId, target: NodeId, size: float, now: float) -> float:
        """Return the time at which a message arrives where nothing goes wrong."""
        pair = source, target
        model = self._models.get(pair)
        if model is None:
            raise SchedulingError(f"no link leads from node {source} to node {target}")
        if not size:
            return now + model.transfer_s(0.0)
        start_s = max(now, self._free_s.get(pair, 0.0))
        self._free_s[pair] = start_s + model.busy_s(size)
        return start_s + model.transfer_s(size)

    def free_s(self, source: NodeId, target: NodeId) -> float:
        """Return when everything that was given to a link has left the sender."""
        return self._free_s.get((source, target), 0.0)

    def arrivals(self, source: NodeId, target: NodeId, size: float, now: float) -> list[float]:
        """Return the times at which a message arrives: none, one or two.

        Args:
            source: Who sends.
            target: Who is to get it.
            size: Bytes; small messages with none do not wait for large ones.
            now: When it is given to the link.

        Raises:
            SchedulingError: There is no such link.
        """
        arrive_s = self.arrival(source, target, size, now)
        pair = source, target
        weather, draw = self.weather, self._draw
        if draw is None:
            return [arrive_s]
        if self.clogged_s:
            arrive_s = max(arrive_s, self.clogged_s.get(pair, 0.0))
        if self.cut.get(pair) or (weather.loss and draw.random() < weather.loss):
            self.lost += 1
            return []
        if weather.jitter_s:
            arrive_s += weather.jitter_s * draw.random()
        if weather.doubled and draw.random() < weather.doubled:
            self.doubled += 1
            return [arrive_s, arrive_s + 0.001 + weather.jitter_s * draw.random()]
        return [arrive_s]
