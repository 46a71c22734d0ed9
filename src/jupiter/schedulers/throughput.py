"""For streams: the least time between two items, with replicas that take turns where they help."""

from __future__ import annotations

from dataclasses import replace

from jupiter.errors import SchedulingError
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.kernels.state import occupy, reset, start_at
from jupiter.schedulers.loads import period_s
from jupiter.schedulers.workbench import Workbench

GAIN_MIN = 0.01
"""Share of the period that a replica must save; each needs memory and a warm worker."""
REPLICAS_MAX = 64
"""Added in all; a bound on the work, not on what makes sense."""

Sites = dict[TaskId, tuple[NodeId, ...]]


def throughput(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the schedule with the least period that was found.

    First every task gets one node, so that the busiest node or link has the least load (by the
    search of `improve`, which knows both). Then, as long as it helps, a task is replicated that
    loads whatever is busiest: its replicas take turns, so each runs for an equal share of the
    items. Tasks that keep something in mind from item to item must not be replicated: pin them.

    The times of the schedule are those of one item that could meet any replica, so an item never
    takes longer.

    Args:
        problem: Its objective is not looked at.
        seed: Fixes what is drawn at random.

    Raises:
        SchedulingError: No mapping was found.

    Source: after the seeds' throughput variants of HEFT, which copied tasks to idle nodes; compare
        Benoit, Çatalyürek, Robert, Saule 2013, doi:10.1145/2501654.2501664.
    """
    stream = replace(problem, objective="period")
    found = find_scheduler("improve")(stream, seed=seed)
    sites: Sites = {task: (found.mapping[task],) for task in problem.graph.tasks}
    load = _Load(problem, sites)
    for _ in range(REPLICAS_MAX):
        better = _best_replica(problem, load, sites)
        if better is None:
            break
        task, node = better
        sites[task] = (*sites[task], node)
        load = _Load(problem, sites)
    return _timed(problem, sites, seed)


class _Load:
    """Seconds an item on every node and link, with equal shares of replicas."""

    def __init__(self, problem: Problem, sites: Sites) -> None:
        self._problem = problem
        self.seconds: dict[object, float] = {}
        for task in sites:
            self._add_task(task, sites, 1.0)
        for edge in problem.graph.edges:
            self._add_edge(edge, sites, 1.0)

    @property
    def busiest(self) -> object:
        """The node or the link (a pair of nodes) with the highest load."""
        return max(self.seconds, key=self.seconds.__getitem__)

    @property
    def period_s(self) -> float:
        """The highest load."""
        return max(self.seconds.values(), default=0.0)

    def change(self, task: TaskId, before: Sites, after: Sites) -> float:
        """Return the period with other sites for one task; nothing is changed."""
        kept = dict(self.seconds)
        graph = self._problem.graph
        edges = [Edge(parent, task) for parent in graph.parents[task]]
        edges += [Edge(task, child) for child in graph.children[task]]
        for sites, sign in ((before, -1.0), (after, 1.0)):
            self._add_task(task, sites, sign)
            for edge in edges:
                self._add_edge(edge, sites, sign)
        found, self.seconds = self.period_s, kept
        return found

    def _add_task(self, task: TaskId, sites: Sites, sign: float) -> None:
        problem = self._problem
        for node in sites[task]:
            seconds = problem.seconds(task, node) or 0.0
            self._add(node, sign * seconds / problem.cores.get(node, 1) / len(sites[task]))

    def _add_edge(self, edge: Edge, sites: Sites, sign: float) -> None:
        problem = self._problem
        share = sign / len(sites[edge.source]) / len(sites[edge.target])
        for source in sites[edge.source]:
            for target in sites[edge.target]:
                link = problem.links.get((source, target))
                if source != target and link is not None:
                    self._add((source, target), share * link.busy_s(problem.size_bytes(edge)))

    def _add(self, what: object, seconds: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds


def _best_replica(problem: Problem, load: _Load, sites: Sites) -> tuple[TaskId, NodeId] | None:
    """Return the task and node of the replica that saves most, or None where none is worth it."""
    if not load.seconds:
        return None
    busiest = load.busiest
    involved = [task for task in problem.graph.tasks if _loads(problem, task, sites, busiest)]
    best: tuple[float, TaskId, NodeId] | None = None
    for task in involved:
        if task in problem.pinned or task in problem.begun or task in problem.unique:
            continue
        for node in problem.candidates(task):
            if node in sites[task] or not _has_room(problem, task, node, sites):
                continue
            after = {**sites, task: (*sites[task], node)}
            if not _is_joined(problem, task, after):
                continue
            period = load.change(task, sites, after)
            if best is None or period < best[0]:
                best = period, task, node
    if best is None or best[0] > load.period_s * (1 - GAIN_MIN):
        return None
    return best[1], best[2]


def _loads(problem: Problem, task: TaskId, sites: Sites, what: object) -> bool:
    """Return whether a task has to do with a node or a link."""
    if not isinstance(what, tuple):
        return what in sites[task]
    neighbours = (*problem.graph.parents[task], *problem.graph.children[task])
    ends = {node for each in (task, *neighbours) for node in sites[each]}
    return ends.issuperset(what) and any(node in what for node in sites[task])


def _has_room(problem: Problem, task: TaskId, node: NodeId, sites: Sites) -> bool:
    mine = [each for each, nodes in sites.items() if node in nodes]
    needed = sum(problem.memory_bytes.get(each, 0.0) for each in (*mine, task))
    room = problem.node_memory_bytes.get(node, needed)
    return needed <= room and len(mine) < problem.tasks_max.get(node, len(mine) + 1)


def _is_joined(problem: Problem, task: TaskId, sites: Sites) -> bool:
    """Return whether every replica can reach every replica of its neighbours."""
    graph, links = problem.graph, problem.links
    ways = [(parent, task) for parent in graph.parents[task]]
    ways += [(task, child) for child in graph.children[task]]
    return all(
        source == target or (source, target) in links
        for first, second in ways
        for source in sites[first]
        for target in sites[second]
    )


def _timed(problem: Problem, sites: Sites, seed: int) -> Schedule:
    """Return the schedule of one item that waits for the latest replica of every parent."""
    bench = Workbench(problem, is_compiled=False)
    at = {node: n for n, node in enumerate(bench.nodes)}
    bench.run(reset)
    placed: dict[TaskId, list[Assignment]] = {}
    for number in bench.rank_order():
        task = bench.tasks[number]
        if task in problem.begun:
            placed[task] = [problem.begun[task]]
            continue
        placed[task] = []
        for node in sites[task]:
            ready_s = _ready_s(problem, task, node, placed)
            seconds = problem.seconds(task, node)
            if seconds is None:
                raise SchedulingError(f"task {task} cannot run on node {node}")
            start_s = bench.run(start_at, at[node], ready_s, seconds, float("inf"))
            if seconds > 0:
                bench.run(occupy, at[node], start_s, start_s + seconds)
            placed[task].append(Assignment(task, node, start_s, start_s + seconds))
    assignments = tuple(each for found in placed.values() for each in found)
    is_shared = any(len(found) > 1 for found in placed.values())
    made = bench.made(
        "throughput", assignments, seed=seed, replicas="shared" if is_shared else "none"
    )
    return replace(made, facts={"period_s": period_s(problem, made)})


def _ready_s(
    problem: Problem, task: TaskId, node: NodeId, placed: dict[TaskId, list[Assignment]]
) -> float:
    ready_s = problem.release_s
    for parent in problem.graph.parents[task]:
        for source in placed[parent]:
            transfer_s = problem.transfer_s(Edge(parent, task), source.node, node)
            if transfer_s is None:
                raise SchedulingError(
                    f"task {task} cannot run on node {node}: no link leads there from node "
                    f"{source.node}, where its parent {parent} is"
                )
            ready_s = max(ready_s, source.finish_s + transfer_s)
    return ready_s
