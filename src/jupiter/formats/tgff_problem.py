"""From the seeds' TGFF to a problem, sane or to the letter, and back."""

from __future__ import annotations

from jupiter.formats.link_parameters import BYTES_PER_KBIT, Curve
from jupiter.formats.tgff import COST_PER_SECOND, Tgff
from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import QuadraticTransfer, TransferModel
from jupiter.schedulers.heft_seed import SeedProblem

_MS_PER_S = 1e3


def to_problem(tgff: Tgff) -> Problem:
    """Return the problem that a file means, in seconds and bytes.

    Costs are tenths of a second and curves milliseconds over Kbit. Nodes are known by their names,
    and a pair without a curve has no link: what was not measured is not taken to be free. Where a
    curve falls below 0 the transfer takes no time.
    """
    tasks = [TaskId(task) for task in tgff.tasks]
    children: dict[TaskId, list[TaskId]] = {task: [] for task in tasks}
    for source, target in tgff.arcs:
        children[TaskId(source)].append(TaskId(target))
    nodes = tuple(NodeId(name) for name in tgff.processors)
    return Problem(
        graph=TaskGraph({task: tuple(found) for task, found in children.items()}),
        nodes=nodes,
        execution_s={
            (TaskId(task), node): cost / COST_PER_SECOND
            for task, costs in tgff.costs.items()
            for node, cost in zip(nodes, costs, strict=True)
        },
        edge_bytes={
            Edge(TaskId(a), TaskId(b)): kbit * BYTES_PER_KBIT for (a, b), kbit in tgff.arcs.items()
        },
        links={
            (NodeId(a), NodeId(b)): QuadraticTransfer(
                curve.c / _MS_PER_S,
                curve.b / BYTES_PER_KBIT / _MS_PER_S,
                curve.a / BYTES_PER_KBIT**2 / _MS_PER_S,
            )
            for (a, b), curve in tgff.curves.items()
            if a in tgff.processors and b in tgff.processors
        },
    )


def from_problem(problem: Problem) -> Tgff:
    """Return a problem as TGFF. A task that cannot run on a node gets the seeds' huge cost."""
    never = 1e14
    curves = {}
    for (source, target), model in problem.links.items():
        if isinstance(model, QuadraticTransfer):
            numbers = model.square, model.linear, model.constant_s
        elif isinstance(model, TransferModel):
            numbers = 0.0, model.seconds_per_byte, model.latency_s
        else:
            numbers = 0.0, model.transfer_s(1e6) / 1e6, 0.0
        curves[str(source), str(target)] = Curve(
            numbers[0] * BYTES_PER_KBIT**2 * _MS_PER_S,
            numbers[1] * BYTES_PER_KBIT * _MS_PER_S,
            numbers[2] * _MS_PER_S,
        )
    return Tgff(
        tasks=tuple(map(str, problem.graph.tasks)),
        arcs={
            (str(e.source), str(e.target)): problem.size_bytes(e) / BYTES_PER_KBIT
            for e in problem.graph.edges
        },
        processors=tuple(map(str, problem.nodes)),
        costs={
            str(task): tuple(
                never
                if (time_s := problem.seconds(task, node)) is None
                else time_s * COST_PER_SECOND
                for node in problem.nodes
            )
            for task in problem.graph.tasks
        },
        curves=curves,
    )


def to_seed_problem(tgff: Tgff) -> SeedProblem:
    """Return the problem as the seeds' reader understood it.

    Of the name of a node only the last digit counts, less one: ``node10`` becomes the last
    processor and ``node12`` overwrites ``node2``. Pairs that are not in the file cost nothing.
    """
    count = len(tgff.processors)
    index = {task: k for k, task in enumerate(tgff.tasks)}
    data = [[-1.0] * len(tgff.tasks) for _ in tgff.tasks]
    for (source, target), kbit in tgff.arcs.items():
        data[index[source]][index[target]] = kbit
    curves = [[(0.0, 0.0, 0.0)] * count for _ in range(count)]
    for (source, target), curve in tgff.curves.items():
        ends = [_last_digit(name) - 1 for name in (source, target)]
        if all(-count <= end < count for end in ends):
            curves[ends[0]][ends[1]] = (curve.a, curve.b, curve.c)
    return SeedProblem([tgff.costs[task] for task in tgff.tasks], data, curves)


def _last_digit(name: str) -> int:
    return int(name[-1]) if name[-1:].isdigit() else 0
