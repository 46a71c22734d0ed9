"""The tasks of a node, and one item at one of them from complete inputs to the end of the item."""

from __future__ import annotations

import enum

import msgspec

from jupiter.control.joins import Join
from jupiter.control.routing import Produced, Router
from jupiter.model.ids import TaskId
from jupiter.model.items import Attempt, Delivery, Outcome, Part, PartRef, TaskPlan


class State(enum.Enum):
    """Where an execution is."""

    QUEUED = enum.auto()
    RUNNING = enum.auto()
    PAUSED = enum.auto()
    """Between two attempts."""
    ELECTING = enum.auto()
    """An attempt is chosen, but the choice could still be forgotten."""
    ENDED = enum.auto()


class Execution(msgspec.Struct, eq=False):
    """One item at one task.

    Attributes:
        inputs: One delivery a parent.
        enter_s: When the first came.
        epoch: In which its inputs came, for the last time.
        state: See `State`.
        number: Of the last attempt that began.
        attempt: The last that began and, at the end, the elected one.
        failures: Attempts that ended without outputs.
        is_excused: The last attempt ended by a fault of this node.
        outcome: With `outputs` and `detail`: of the elected attempt.
    """

    task: TaskId
    inputs: tuple[Delivery, ...]
    enter_s: float
    epoch: int
    state: State = State.QUEUED
    number: int = 0
    attempt: Attempt = (0, 0)
    failures: int = 0
    is_excused: bool = False
    outcome: Outcome = "done"
    outputs: tuple[Part, ...] = ()
    detail: str = ""

    @property
    def lineage(self) -> tuple[Attempt, ...]:
        """The attempts that made its inputs."""
        return tuple([each.attempt for each in self.inputs])

    @property
    def is_decided(self) -> bool:
        """Whether an attempt was chosen."""
        return self.state in (State.ELECTING, State.ENDED)

    @property
    def produced(self) -> Produced:
        """What routing needs to know of its end."""
        first = self.inputs[0]
        if len(self.inputs) == 1:
            origins = first.origins
        else:
            origins = tuple(dict.fromkeys(o for each in self.inputs for o in each.origins))
        return Produced(
            scope=first.scope,
            seq=first.seq,
            origins=origins,
            outputs=tuple([PartRef(first.item, self.task, part) for part in self.outputs]),
            outcome=self.outcome,
            detail=self.detail,
            attempt=self.attempt,
        )


class TaskState:
    """What a dispatcher knows of one task.

    Attributes:
        is_ready: Its workers have started.
    """

    __slots__ = ("is_ready", "join", "plan", "router")

    def __init__(self, plan: TaskPlan, memory_bytes_max: int) -> None:
        self.plan = plan
        self.join = Join(plan.parents, memory_bytes_max)
        self.router = Router(plan)
        self.is_ready = False
