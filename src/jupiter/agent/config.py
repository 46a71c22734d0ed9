"""From what home orders to what the machines of a node are told."""

from __future__ import annotations

from jupiter.control.config import NodeConfig
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.view import View


def config_of(prepare: msg.Prepare, node: NodeId, cores: int) -> NodeConfig:
    """Return what the machines of a node are told before anything else."""
    return NodeConfig(
        node=node,
        home=prepare.home,
        plans=prepare.tasks,
        preferred=prepare.mapping,
        cores=cores,
        incarnation=prepare.incarnation,
        view=View(1, prepare.members, prepare.mapping),
        placement=prepare.placement,
        ready=tuple([task for task, where in prepare.mapping.items() if where == node]),
        has_workers=True,
        in_flight_max=prepare.in_flight_max,
        is_ordered=prepare.is_ordered,
        beat_s=prepare.beat_s,
        lease_s=prepare.lease_s,
    )
