"""Seconds of a task on a node: measured, else scaled from a node where it was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median, stdev

from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Network
from jupiter.model.profile import ExecutionProfile, Profiles


def execution_profile(task: TaskId, node: NodeId, seconds: Sequence[float]) -> ExecutionProfile:
    """Return what follows from timed executions.

    Args:
        task: What was run.
        node: Where.
        seconds: At least one.

    Raises:
        ValueError: A time is negative or not finite, or there is none.
    """
    if not all(math.isfinite(each) and each >= 0 for each in seconds):
        raise ValueError(f"task {task} on node {node}: an execution time is negative or not finite")
    spread_s = stdev(seconds) if len(seconds) > 1 else 0.0
    return ExecutionProfile(task, node, median(seconds), spread_s, len(seconds))


def predicted_execution(
    task: TaskId, node: NodeId, network: Network, profiles: Profiles
) -> ExecutionProfile | None:
    """Return the profile of a task on a node, measured or estimated.

    An estimate takes the measured node whose speed is the nearest by ratio (of equals the one
    written first) and multiplies its times by the ratio of the speeds, as if the task were bound
    by the processor.

    Returns:
        A profile; ``samples`` is 0 where it is an estimate. None where the task was measured on
        no node of this network.
    """
    measured = profiles.executions.get((task, node))
    if measured is not None:
        return measured
    speed = network.by_name[node].speed
    others = [each for each in network.nodes if (task, each.name) in profiles.executions]
    if not others:
        return None
    like = min(others, key=lambda each: abs(math.log(each.speed / speed)))
    known = profiles.executions[task, like.name]
    ratio = like.speed / speed
    return ExecutionProfile(task, node, known.median_s * ratio, known.stdev_s * ratio, 0)
