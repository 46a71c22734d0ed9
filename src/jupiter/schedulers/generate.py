"""Random problems with wanted properties, for tests and benchmarks; the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupiter.kit.rng import stream
from jupiter.model.graph import TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel
from jupiter.schedulers.ranks import ccr


@dataclass(frozen=True, slots=True)
class ProblemShape:
    """What a random problem is like.

    Attributes:
        tasks: How many, at least 1.
        nodes: How many, at least 1.
        parents_mean: Of a task that is not in the first layer, at least 1. The default gives
            about 3.2 edges a task in large graphs, as in our benchmarks.
        ccr: Mean transfer over mean execution time, as `ranks.ccr`; kept exactly wherever there
            are edges and at least two joined nodes.
        heterogeneity: Width of the range of a task's times on different nodes relative to their
            mean, 0 (all equal) to below 2 (from nearly 0 to twice the mean).
        links: Share of the ordered pairs of nodes that have a link, 0 to 1.
        runs: Share of the pairs of task and node that can be; every task keeps one at least.
        cores_max: Nodes have 1 to so many cores.
        pinned: Tasks that are pinned to a random node that can run them.
    """

    tasks: int
    nodes: int
    parents_mean: float = 3.2
    ccr: float = 1.0
    heterogeneity: float = 1.0
    links: float = 1.0
    runs: float = 1.0
    cores_max: int = 1
    pinned: int = 0


def random_problem(shape: ProblemShape, seed: int = 0) -> Problem:
    """Return a layered random problem with tasks ``t0``, ``t1``, … and nodes ``n0``, ``n1``, ….

    Layers are about the square root of the tasks in number and in width; parents are in one of the
    two layers before. Mean execution times are around 1 s, one tenth of the mean transfer time is
    latency.
    """
    tasks = tuple(TaskId(f"t{k}") for k in range(shape.tasks))
    nodes = tuple(NodeId(f"n{k}") for k in range(shape.nodes))
    graph = _graph(shape, seed, tasks)
    sizes = stream(seed, "generate", "bytes")
    execution_s = _executions(shape, seed, tasks, nodes)
    cores = stream(seed, "generate", "cores")
    problem = Problem(
        graph=graph,
        nodes=nodes,
        execution_s=execution_s,
        edge_bytes={edge: sizes.uniform(0.5e6, 1.5e6) for edge in graph.edges},
        links=_links(shape, seed, nodes),
        cores={node: cores.randint(1, shape.cores_max) for node in nodes},
    )
    return _with_pins(shape, seed, _with_ccr(problem, shape.ccr))


def _graph(shape: ProblemShape, seed: int, tasks: tuple[TaskId, ...]) -> TaskGraph:
    draw = stream(seed, "generate", "graph")
    width = max(1, round(len(tasks) ** 0.5))
    starts = [0]
    while starts[-1] < len(tasks):
        starts.append(starts[-1] + draw.randint(1, 2 * width - 1))
    children: list[dict[TaskId, None]] = [{} for _ in tasks]
    for layer in range(1, len(starts) - 1):
        first = starts[max(0, layer - 2)]
        for task in range(starts[layer], min(starts[layer + 1], len(tasks))):
            children[draw.randrange(starts[layer - 1], starts[layer])][tasks[task]] = None
            for _ in range(round(draw.uniform(0, 2 * (shape.parents_mean - 1)))):
                children[draw.randrange(first, starts[layer])][tasks[task]] = None
    return TaskGraph({task: tuple(found) for task, found in zip(tasks, children, strict=True)})


def _executions(
    shape: ProblemShape, seed: int, tasks: tuple[TaskId, ...], nodes: tuple[NodeId, ...]
) -> dict[tuple[TaskId, NodeId], float]:
    draw = stream(seed, "generate", "executions")
    half = shape.heterogeneity / 2
    execution_s = {}
    for task in tasks:
        mean_s = draw.uniform(0.1, 1.9)
        kept = draw.randrange(len(nodes))
        for n, node in enumerate(nodes):
            seconds = mean_s * draw.uniform(1 - half, 1 + half)
            if n == kept or draw.random() < shape.runs:
                execution_s[task, node] = seconds
    return execution_s


def _links(
    shape: ProblemShape, seed: int, nodes: tuple[NodeId, ...]
) -> dict[tuple[NodeId, NodeId], TransferModel]:
    draw = stream(seed, "generate", "links")
    links = {}
    for source in nodes:
        for target in nodes:
            model = TransferModel(draw.uniform(0.05, 0.15), draw.uniform(0.45, 1.35) / 1e6)
            if source != target and draw.random() < shape.links:
                links[source, target] = model
    return links


def _with_ccr(problem: Problem, wanted: float) -> Problem:
    """Return a problem whose links are slower or faster by a common factor."""
    found = ccr(problem)
    if not found:
        return problem
    factor = wanted / found
    return replace(
        problem,
        links={
            pair: TransferModel(model.latency_s * factor, model.seconds_per_byte * factor)
            for pair, model in problem.links.items()
            if isinstance(model, TransferModel)
        },
    )


def _with_pins(shape: ProblemShape, seed: int, problem: Problem) -> Problem:
    draw = stream(seed, "generate", "pins")
    chosen = draw.sample(problem.graph.tasks, min(shape.pinned, shape.tasks))
    pinned = {task: draw.choice(problem.candidates(task)) for task in chosen}
    return replace(problem, pinned=pinned)
