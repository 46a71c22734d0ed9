"""What one item of a stream asks of every node and link: the period follows from the busiest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule


@dataclass(frozen=True, slots=True)
class Loads:
    """Seconds an item, without the overlaps of one item's schedule.

    Attributes:
        node_s: Execution time on each node, over its cores.
        link_s: Time for which each link is busy, latency not counted.
    """

    node_s: Mapping[NodeId, float]
    link_s: Mapping[tuple[NodeId, NodeId], float]

    @property
    def period_s(self) -> float:
        """The least seconds between two items that the busiest node or link allows."""
        return max((*self.node_s.values(), *self.link_s.values()), default=0.0)


def loads(problem: Problem, schedule: Schedule) -> Loads:
    """Return what one item of a stream asks of every node and link.

    Of replicas that take turns each has an equal share of the items; of replicas that all run
    each runs for all, and children take the output that arrives first.
    """
    found: dict[str, list[Assignment]] = defaultdict(list)
    for each in schedule.assignments:
        found[each.task].append(each)
    is_shared = schedule.replicas == "shared"
    node_s: dict[NodeId, float] = defaultdict(float)
    link_s: dict[tuple[NodeId, NodeId], float] = defaultdict(float)
    for replicas in found.values():
        for each in replicas:
            seconds = each.finish_s - each.start_s
            share = len(replicas) if is_shared else 1
            node_s[each.node] += seconds / share / problem.cores.get(each.node, 1)
    for edge in problem.graph.edges:
        sources, targets = found[edge.source], found[edge.target]
        share = len(sources) * len(targets) if is_shared else 1
        for target in targets:
            chosen = sources if is_shared else [_first(problem, edge, sources, target)]
            for source in chosen:
                link = problem.links.get((source.node, target.node))
                if source.node != target.node and link is not None:
                    busy_s = link.busy_s(problem.size_bytes(edge))
                    link_s[source.node, target.node] += busy_s / share
    return Loads(dict(node_s), dict(link_s))


def _first(
    problem: Problem, edge: Edge, sources: list[Assignment], target: Assignment
) -> Assignment:
    """Return the replica whose output arrives first."""

    def arrive_s(source: Assignment) -> float:
        transfer_s = problem.transfer_s(edge, source.node, target.node)
        return inf if transfer_s is None else source.finish_s + transfer_s

    return min(sources, key=arrive_s)


def period_s(problem: Problem, schedule: Schedule) -> float:
    """Return the least seconds between two items of a stream through a schedule."""
    return loads(problem, schedule).period_s


def objective_s(problem: Problem, schedule: Schedule) -> float:
    """Return what the problem wants to be small."""
    if problem.objective == "makespan":
        return schedule.makespan_s
    period = period_s(problem, schedule)
    if problem.objective == "period":
        return period
    return float((schedule.makespan_s * period) ** 0.5)
