"""Asks every agent how busy its node is (DRUPE)."""

from __future__ import annotations

import asyncio

from jupiter.home.controller import Controller
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.profile import ResourceSample


async def sample_resources(controller: Controller) -> dict[NodeId, ResourceSample]:
    """Return the load of every node now.

    Raises:
        AgentError: An agent is gone.
    """
    sampled = await asyncio.gather(
        *(controller.order(node, msg.TakeSample, msg.Sampled) for node in controller.nodes)
    )
    return {node: answer.sample for node, answer in zip(controller.nodes, sampled, strict=True)}
