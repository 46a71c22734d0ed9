"""From an application, a network and its profiles to what a scheduler may see."""

from __future__ import annotations

from jupiter.costs.execution import predicted_execution
from jupiter.errors import Fault, InputError
from jupiter.model.app import Application
from jupiter.model.graph import TaskGraph
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.network import Network
from jupiter.model.problem import Problem
from jupiter.model.profile import Profiles
from jupiter.model.transfer import TransferModel


def build_problem(app: Application, network: Network, profiles: Profiles) -> Problem:
    """Return the problem of placing one item's tasks.

    The way in and the way out are tasks of their own, ``@in`` and ``@out``, pinned to home and
    without work, so that the transfers from and to home count. Only workers run tasks.

    Args:
        app: What is to be placed.
        network: Where. A link that was not measured counts as the network says; a pair without a
            link cannot be crossed, whatever was measured once.
        profiles: What was measured. An execution that was not is estimated as
            `costs.execution.predicted_execution` says; bytes of an edge that were not are 0.

    Raises:
        InputError: The network has not exactly one home.
    """
    home = _home(network)
    graph = _with_ends(app)
    execution_s: dict[tuple[TaskId, NodeId], float] = {(INGRESS, home): 0.0, (SINK, home): 0.0}
    for task in app.tasks:
        for node in network.workers:
            found = predicted_execution(task.name, node.name, network, profiles)
            if found is not None:
                execution_s[task.name, node.name] = found.median_s
    nodes = (home, *(node.name for node in network.workers))
    return Problem(
        graph=graph,
        nodes=nodes,
        execution_s=execution_s,
        edge_bytes={edge: profiles.edge_bytes.get(edge, 0.0) for edge in graph.edges},
        links=_links(nodes, network, profiles),
        cores={node: network.by_name[node].cores for node in nodes},
        pinned={INGRESS: home, SINK: home},
        unique=_unique(app),
        cpu_used={node: sample.cpu_fraction for node, sample in profiles.resources.items()},
        memory_used={node: sample.memory_fraction for node, sample in profiles.resources.items()},
        memory_bytes={
            task.name: float(task.memory_bytes)
            for task in app.tasks
            if task.memory_bytes is not None
        },
        node_memory_bytes={
            node.name: float(node.memory_bytes)
            for node in network.workers
            if node.memory_bytes is not None
        },
    )


def _home(network: Network) -> NodeId:
    if len(network.homes) != 1:
        raise InputError(
            Fault(
                "items must enter and leave at exactly one home node",
                file=network.name,
                got=", ".join(node.name for node in network.homes) or "none",
                expected="one node with the role home",
                remedy="give one node the role home",
            )
        )
    return network.homes[0].name


def _unique(app: Application) -> frozenset[TaskId]:
    """Return the tasks that must not be replicated.

    The k-th output of a scattering task is for its k-th child, so neither may be several.
    """
    scattering = [task for task in app.tasks if task.route == "scatter"]
    return frozenset(
        name for task in scattering for name in (task.name, *task.children) if name in app.by_name
    )


def _with_ends(app: Application) -> TaskGraph:
    """Return the task graph with ``@in`` before its entries and ``@out`` after its sinks."""
    graph = app.graph
    children: dict[TaskId, tuple[TaskId, ...]] = {INGRESS: graph.entries}
    for task in graph.tasks:
        found = graph.children[task]
        is_sink = app.by_name[task].is_sink or not found
        children[task] = (*found, SINK) if is_sink else found
    children[SINK] = ()
    return TaskGraph(children)


def _links(
    nodes: tuple[NodeId, ...], network: Network, profiles: Profiles
) -> dict[tuple[NodeId, NodeId], TransferModel]:
    """Return the model of every link between nodes: measured, else as the network says."""
    models = {}
    known = frozenset(nodes)
    for link in network.links:
        pair = (link.source, link.target)
        if not known.issuperset(pair):
            continue
        measured = profiles.links.get(pair)
        nominal = TransferModel(link.latency_s, 1 / link.bandwidth_bytes_per_s)
        models[pair] = measured.model if measured is not None else nominal
    return models
