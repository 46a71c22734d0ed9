"""Where the boxes of a graph go, and the nodes of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jupiter.model.graph import TaskGraph
from jupiter.model.ids import TaskId
from jupiter.model.network import Network

SWEEPS = 8


def layers(graph: TaskGraph) -> list[list[TaskId]]:
    """Return the tasks in columns: each right of all its parents, few edges crossing.

    A task's column is its longest way from an entry. Within a column tasks are ordered by the mean
    place of their neighbours in the column before, then in the one after, a few times over.
    """
    depth: dict[TaskId, int] = {}
    for task in graph.topological_order:
        depth[task] = max((depth[parent] + 1 for parent in graph.parents[task]), default=0)
    columns: list[list[TaskId]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task in graph.topological_order:
        columns[depth[task]].append(task)
    for sweep in range(SWEEPS):
        near = graph.parents if sweep % 2 == 0 else graph.children
        place = {task: _middle(k, column) for column in columns for k, task in enumerate(column)}
        for column in columns:
            before = list(column)
            column.sort(
                key=lambda task, near=near, before=before: (  # type: ignore[misc]
                    _mean([place[other] for other in near[task]], place[task]),
                    before.index(task),
                )
            )
            for k, task in enumerate(column):
                place[task] = _middle(k, column)
    return columns


def _middle(k: int, column: Sequence[TaskId]) -> float:
    return (k + 0.5) / len(column)


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def circle(network: Network) -> dict[str, tuple[float, float]]:
    """Return a place for every node within the unit circle: home in the middle, others around."""
    places: dict[str, tuple[float, float]] = {}
    around = [node.name for node in network.nodes if node.role != "home"]
    homes = [node.name for node in network.homes]
    for k, name in enumerate(homes):
        angle = 2 * math.pi * k / len(homes)
        radius = 0.0 if len(homes) == 1 else 0.25
        places[name] = (radius * math.cos(angle), radius * math.sin(angle))
    for k, name in enumerate(around):
        angle = 2 * math.pi * k / len(around) - math.pi / 2
        places[name] = (math.cos(angle), math.sin(angle))
    return places
