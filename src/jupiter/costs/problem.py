"""From an application, a network and its profiles to what a scheduler may see."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.model.app import Application
from jupiter.model.graph import TaskGraph
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.network import Network, Node
from jupiter.model.problem import Problem
from jupiter.model.profile import Profiles, TransferModel


def build_problem(app: Application, network: Network, profiles: Profiles) -> Problem:
    """Return the problem of placing one item's tasks.

    The way in and the way out are tasks of their own, ``@in`` and ``@out``, pinned to home and
    without work, so that the transfers from and to home count. Only workers run tasks.

    A task that was not measured on a node is taken to need as long as on the measured node most
    like it, times the ratio of their speeds. A link that was not measured counts as the network
    file says. A pair without a link cannot be crossed.
    """
    home = network.homes[0].name
    graph = graph_with_ends(app)
    workers = network.workers
    execution_s: dict[tuple[TaskId, NodeId], float] = {(INGRESS, home): 0.0, (SINK, home): 0.0}
    for task in app.graph.tasks:
        for node in workers:
            seconds = execution_seconds(task, node, network, profiles)
            if seconds is not None:
                execution_s[task, node.name] = seconds
    return Problem(
        graph=graph,
        nodes=(home, *(node.name for node in workers)),
        execution_s=execution_s,
        edge_bytes={edge: profiles.edge_bytes.get(edge, 0.0) for edge in graph.edges},
        links=transfer_models(network, profiles),
        cores={node.name: node.cores for node in network.nodes},
        pinned={INGRESS: home, SINK: home},
    )


def graph_with_ends(app: Application) -> TaskGraph:
    """Return the task graph with ``@in`` before its entries and ``@out`` after its sinks."""
    graph = app.graph
    children: dict[TaskId, tuple[TaskId, ...]] = {INGRESS: graph.entries}
    for task in graph.tasks:
        found = graph.children[task]
        is_sink = app.by_name[task].is_sink or not found
        children[task] = (*found, SINK) if is_sink else found
    children[SINK] = ()
    return TaskGraph(children)


def execution_seconds(
    task: TaskId, node: Node, network: Network, profiles: Profiles
) -> float | None:
    """Return the seconds of a task on a node: measured, else scaled from another node, else None.

    Of several measured nodes the one with the nearest speed is taken; ties go to the first.
    """
    measured = profiles.executions.get((task, node.name))
    if measured is not None:
        return measured.median_s
    others = [other for other in network.nodes if (task, other.name) in profiles.executions]
    if not others:
        return None
    like = min(others, key=lambda other: abs(other.speed - node.speed))
    return profiles.executions[task, like.name].median_s * like.speed / node.speed


def transfer_models(
    network: Network, profiles: Profiles
) -> Mapping[tuple[NodeId, NodeId], TransferModel]:
    """Return the model of every link: measured, else as the network file says."""
    models = {}
    for link in network.links:
        pair = (link.source, link.target)
        measured = profiles.links.get(pair)
        if measured is not None:
            models[pair] = measured.model
        else:
            models[pair] = TransferModel(link.latency_s, 1 / link.bandwidth_bytes_per_s)
    return models
