"""A mapping that the user gives, such as the seeds' ``static_assignment.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest, printable
from jupiter.model.ids import NodeId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.evaluate import evaluate


def static_mapping(problem: Problem, mapping: Mapping[str, str]) -> Schedule:
    """Return the schedule of a given mapping.

    Args:
        problem: What is placed.
        mapping: Node by task; pinned tasks, so also the fixed ends, may be left out.

    Raises:
        InputError: A task or node is unknown, a task is missing or not where it is pinned, a node
            cannot run its task, or an edge has no link; all that is wrong is told.
    """
    given = (*mapping.items(), *problem.pinned.items())
    chosen = {str(task): str(node) for task, node in given}
    faults = [*_unknown(problem, mapping), *_unfit(problem, mapping), *_unlinked(problem, chosen)]
    if faults:
        raise InputError(faults)
    full = {task: NodeId(chosen[task]) for task in problem.graph.tasks}
    return evaluate(problem, full, scheduler="static", reason="given by the user")


def _unknown(problem: Problem, mapping: Mapping[str, str]) -> Iterable[Fault]:
    known = problem.graph.children
    for task, node in mapping.items():
        if task not in known:
            yield _not_known("task", task, problem.graph.tasks)
        if node not in problem.nodes:
            yield _not_known("node", node, problem.nodes)


def _not_known(kind: str, name: str, known: Iterable[str]) -> Fault:
    near = nearest(name, known)
    return Fault(
        f"the mapping names an unknown {kind}",
        got=printable(name),
        remedy=f"did you mean {near}?" if near else f"name a {kind} that exists",
    )


def _unfit(problem: Problem, mapping: Mapping[str, str]) -> Iterable[Fault]:
    for task in problem.graph.tasks:
        pin = problem.pinned.get(task)
        if task not in mapping:
            if pin is None:
                yield Fault(f"the mapping has no node for task {task}", remedy="add one")
            continue
        node = NodeId(mapping[task])
        if pin is not None and node != pin:
            yield Fault(f"task {task} is fixed to a node", got=printable(node), expected=pin)
        elif node in problem.nodes and problem.seconds(task, node) is None:
            able = problem.candidates(task)
            yield Fault(
                f"task {task} cannot run on the node that the mapping gives it",
                got=node,
                expected=", ".join(able) or "no node can run it",
            )


def _unlinked(problem: Problem, chosen: Mapping[str, str]) -> Iterable[Fault]:
    for edge in problem.graph.edges:
        if edge.source not in chosen or edge.target not in chosen:
            continue
        source, target = NodeId(chosen[edge.source]), NodeId(chosen[edge.target])
        if source not in problem.nodes or target not in problem.nodes:
            continue
        if problem.transfer_s(edge, source, target) is None:
            yield Fault(
                f"no link leads from node {source} to node {target}",
                expected=f"one for the data of task {edge.source} that task {edge.target} needs",
                remedy="put the two tasks on nodes that a link joins",
            )
