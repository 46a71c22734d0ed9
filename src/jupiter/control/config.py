"""What a node is told before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jupiter.control.outbox import CREDIT_MAX
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.view import View

Level = Literal["none", "ingress", "hop"]


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """What a node is told before anything else.

    Attributes:
        node: Its name.
        home: Node of the ingress and the sink.
        plans: Of all tasks, in topological order.
        preferred: Where the schedule wants every task.
        cores: Executions of one core that can run here at once.
        incarnation: Another number every time that this node has forgotten what it knew.
        view: The first view; None for a node that comes later.
        placement: Name of a policy.
        ready: Tasks whose workers have started.
        has_workers: Workers are started and stopped as the view wants; else all are ready.
        level: What survives: ``none`` keeps everything in memory; ``ingress`` syncs what home
            writes; ``hop`` syncs everything everywhere.
        in_flight_max: As for `Ingress`.
        is_ordered: As for `Sink`.
        beat_s: Time between two signs of life; 0 where nobody is expected to die.
        lease_s: As for `Membership`.
        settle_s: As for `Membership`.
        has_acks: Words can get lost; else nothing is acknowledged, and nothing is kept for it.
        resend_s: As for `Outbox`.
        first_number: As for `Outbox`.
        memory_bytes_max: As for `Join`.
        credit_max: As for `Outbox`.
    """

    node: NodeId
    home: NodeId
    plans: tuple[TaskPlan, ...]
    preferred: Mapping[TaskId, NodeId]
    cores: int = 1
    incarnation: int = 1
    view: View | None = None
    placement: str = "static"
    ready: tuple[TaskId, ...] = ()
    has_workers: bool = False
    level: Level = "none"
    in_flight_max: int = 32
    is_ordered: bool = False
    beat_s: float = 0.0
    lease_s: float = 0.0
    settle_s: float = 1.0
    has_acks: bool = True
    resend_s: float = 0.0
    first_number: int = 1
    memory_bytes_max: int = 0
    credit_max: int = CREDIT_MAX
