"""A problem with names turned into numbers once, so that hot loops work on plain tables."""

from __future__ import annotations

import math
from typing import NamedTuple

UNREACHABLE_S = math.inf
"""Seconds of what cannot be: a missing link, or a task on a node that cannot run it."""
NOWHERE = -1
PLACES_MAX = 1 << 60

Ints = list[int]
Floats = list[float]
Rows = list[list[float]]
Flags = list[list[int]]


class Tables(NamedTuple):
    """A problem in numbers: task k is the k-th of the graph, node n the n-th of the problem.

    Every field is a number, a list, or a list of equally long lists; for compiled kernels the
    lists are arrays. An edge has two numbers: its position among those that leave (by source, in
    the order in which children are served) and among those that arrive (by target, then source).

    Attributes:
        order: All tasks, parents first.
        parent_first: Where the arriving edges of each task begin; one more entry than tasks.
        parent: Source of every arriving edge.
        parent_bytes: Size of every arriving edge.
        parent_matrix: Row of `matrices` that holds its transfer times; -1 where the links are
            affine.
        child_first, child, child_bytes, child_matrix: The same for leaving edges.
        is_related: Whether the time of every task on a node is its work over the node's speed;
            then `seconds` is empty.
        seconds: Execution time. Shape: (tasks, nodes); infinite where the node cannot run the
            task or the task is pinned elsewhere.
        work_s: Of tasks on a node of speed 1.
        speed: Of nodes.
        latency_s: Shape: (source, target); 0 within a node, infinite where no link is.
        rate: Seconds per byte; shape as above, but 0 where no link is.
        matrices: Transfer times by edge class, for links that are not affine. Shape: (classes,
            source, target).
        mean_execution_s: Of tasks over the nodes that can run them.
        mean_transfer_s: Of leaving edges; see `ranks.mean_transfer_s`.
        lane_first: Where the lanes (cores) of each node begin; one more entry than nodes.
        pin: Node that each task is pinned to, or -1.
        is_limited: Whether memory or the number of tasks is limited anywhere.
        memory_bytes: Of tasks.
        room_bytes: Of nodes, for all their tasks together.
        places: Tasks that each node may have.
        is_sparse: Whether some pair of nodes that could be in use has no link.
        joined: 1 where a node can send to another or is the same. Shape: (source, target); empty
            where all can.
        begun_s: Start and finish of the tasks that already run; NaN for others. Shape: (tasks, 2),
            or empty where nothing has begun.
        release_s: Nothing else starts before.
        shortest_s: Least execution time above 0; gaps that are shorter are of no use.
    """

    task_count: int
    node_count: int
    order: Ints
    parent_first: Ints
    parent: Ints
    parent_bytes: Floats
    parent_matrix: Ints
    child_first: Ints
    child: Ints
    child_bytes: Floats
    child_matrix: Ints
    is_related: bool
    seconds: Rows
    work_s: Floats
    speed: Floats
    latency_s: Rows
    rate: Rows
    matrices: list[Rows]
    mean_execution_s: Floats
    mean_transfer_s: Floats
    lane_first: Ints
    pin: Ints
    is_limited: bool
    memory_bytes: Floats
    room_bytes: Floats
    places: Ints
    is_sparse: bool
    joined: Flags
    begun_s: Rows
    release_s: float
    shortest_s: float
