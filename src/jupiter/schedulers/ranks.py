"""Upward and downward ranks, critical path and CCR."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.model.graph import Edge
from jupiter.model.ids import TaskId
from jupiter.model.problem import Problem


def mean_execution_s(problem: Problem) -> dict[TaskId, float]:
    """Return the mean execution time of every task over the nodes that can run it, in seconds."""
    means = {}
    for task in problem.graph.tasks:
        times = [problem.execution_s[task, node] for node in problem.candidates(task)]
        means[task] = sum(times) / len(times) if times else 0.0
    return means


def mean_transfer_s(problem: Problem) -> dict[Edge, float]:
    """Return the mean transfer time of every edge, in seconds.

    The mean is over all ordered pairs of distinct nodes that a link joins; where there is none,
    it is 0: then all tasks are on one node anyway.
    """
    models = list(problem.links.values())
    if not models:
        return dict.fromkeys(problem.graph.edges, 0.0)
    latency_s = sum(model.latency_s for model in models) / len(models)
    per_byte_s = sum(model.seconds_per_byte for model in models) / len(models)
    return {edge: latency_s + problem.edge_bytes[edge] * per_byte_s for edge in problem.graph.edges}


def upward_ranks(problem: Problem) -> dict[TaskId, float]:
    """Return the upward rank of every task, in seconds.

    A task's upward rank is the longest way from it to an exit task, counting mean execution and
    mean transfer times.

    Cost: O(links + edges + tasks x nodes).
    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206. Departs: the mean of an edge is over
        transfer times, not size over mean bandwidth.
    """
    work = mean_execution_s(problem)
    transfer = mean_transfer_s(problem)
    ranks: dict[TaskId, float] = {}
    for task in reversed(problem.graph.topological_order):
        tail = max(
            (transfer[Edge(task, child)] + ranks[child] for child in problem.graph.children[task]),
            default=0.0,
        )
        ranks[task] = work[task] + tail
    return ranks


def rank_order(problem: Problem) -> list[TaskId]:
    """Return all tasks by falling upward rank, parents first.

    Tasks without work can have the rank of their parent, so topological order breaks ties.
    """
    ranks = upward_ranks(problem)
    place = {task: k for k, task in enumerate(problem.graph.topological_order)}
    return sorted(place, key=lambda task: (-ranks[task], place[task]))


def downward_ranks(problem: Problem) -> dict[TaskId, float]:
    """Return the longest way from an entry task to each task, itself left out, in seconds.

    Source: as `upward_ranks`.
    """
    work = mean_execution_s(problem)
    transfer = mean_transfer_s(problem)
    ranks: dict[TaskId, float] = {}
    for task in problem.graph.topological_order:
        ranks[task] = max(
            (
                ranks[parent] + work[parent] + transfer[Edge(parent, task)]
                for parent in problem.graph.parents[task]
            ),
            default=0.0,
        )
    return ranks


def critical_path(problem: Problem) -> tuple[TaskId, ...]:
    """Return the tasks on one longest way through the graph, by mean times."""
    ranks: Mapping[TaskId, float] = upward_ranks(problem)
    transfer = mean_transfer_s(problem)
    path: list[TaskId] = []
    front = problem.graph.entries
    while front:
        if path:
            last = path[-1]
            task = max(front, key=lambda child: transfer[Edge(last, child)] + ranks[child])
        else:
            task = max(front, key=lambda entry: ranks[entry])
        path.append(task)
        front = problem.graph.children[task]
    return tuple(path)


def ccr(problem: Problem) -> float:
    """Return mean transfer time over mean execution time; 0 without edges.

    The transfer mean is over edges and over ordered pairs of distinct joined nodes.
    """
    transfer = mean_transfer_s(problem)
    work = mean_execution_s(problem)
    total_s = sum(work.values())
    if not transfer or not total_s:
        return 0.0
    return (sum(transfer.values()) / len(transfer)) / (total_s / len(work))
