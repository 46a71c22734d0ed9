"""What the simulator asks of those who know how executions go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jupiter.model import actions as act
from jupiter.model.ids import NodeId
from jupiter.model.items import Delivery, Part
from jupiter.simulator.contents import Content


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt will end.

    Attributes:
        seconds: How long it takes.
        parts: Its outputs.
        contents: What they hold; empty where nobody looks.
        error: Why there are no outputs; empty after success.
    """

    seconds: float
    parts: tuple[Part, ...] = ()
    contents: tuple[Content, ...] = ()
    error: str = ""


class TaskModel(Protocol):
    """Knows how executions go."""

    def execute(self, node: NodeId, run: act.Run, inputs: list[list[Content]]) -> Outcome:
        """Return how an attempt will end.

        Args:
            node: Where it runs.
            run: What.
            inputs: What the files of each parent hold; empty where nobody looks.
        """
        ...

    def size_bytes(self, delivery: Delivery) -> float:
        """Return how much travels for a delivery."""
        ...
