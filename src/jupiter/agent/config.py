"""From what home orders to what the machines of a node are told."""

from __future__ import annotations

import secrets

from jupiter.control.config import NodeConfig
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.view import View


def config_of(
    prepare: msg.Prepare, node: NodeId, cores: int, incarnation: int, *, is_back: bool = False
) -> NodeConfig:
    """Return what the machines of a node are told before anything else.

    Args:
        prepare: The order of home.
        node: This one.
        cores: As for `NodeConfig`.
        incarnation: As for `NodeConfig`.
        is_back: The agent was restarted; what else it knows is in its journal.
    """
    knows_view = node == prepare.home or not (is_back or prepare.is_late)
    is_new = not (is_back or prepare.is_late)
    here = [task for task, where in prepare.mapping.items() if where == node]
    return NodeConfig(
        node=node,
        home=prepare.home,
        plans=prepare.tasks,
        preferred=prepare.mapping,
        cores=cores,
        incarnation=incarnation,
        view=View(1, prepare.members, prepare.mapping) if knows_view else None,
        placement=prepare.placement,
        ready=tuple(here) if is_new else (),
        has_workers=True,
        level=prepare.durability,
        in_flight_max=prepare.in_flight_max,
        is_ordered=prepare.is_ordered,
        beat_s=prepare.beat_s,
        lease_s=prepare.lease_s,
        # Others may still acknowledge what an earlier process said: no number comes again.
        first_number=(secrets.randbits(28) << 32) + 1,
    )
