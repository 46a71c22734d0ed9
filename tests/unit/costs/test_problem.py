from __future__ import annotations

import math

import pytest

from jupiter.costs.gather import gather
from jupiter.costs.problem import build_problem
from jupiter.errors import InputError
from jupiter.model.app import Application, CommandRun, Task
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.network import Link, Network, Node, Role
from jupiter.model.problem import Problem
from jupiter.model.profile import ExecutionSample, Profiles, TransferSample
from jupiter.model.transfer import Transfer, TransferModel

SPLIT, LEFT, RIGHT, JOIN = (TaskId(name) for name in ("split", "left", "right", "join"))
HOME, A, B = NodeId("home"), NodeId("a"), NodeId("b")
RUN = CommandRun(("true",))


def app(memory_bytes: int | None = None, left_is_sink: bool = False) -> Application:
    return Application(
        "diamond",
        "/app",
        (
            Task(SPLIT, RUN, (LEFT, RIGHT), memory_bytes=memory_bytes),
            Task(LEFT, RUN, (JOIN,), is_sink=left_is_sink),
            Task(RIGHT, RUN, (JOIN,)),
            Task(JOIN, RUN, is_sink=True),
        ),
    )


def network(*links: Link, memory_bytes: int | None = None) -> Network:
    return Network(
        "net",
        (
            Node(NodeId("camera"), "source"),
            Node(HOME, "home", cores=8),
            Node(A, cores=2, memory_bytes=memory_bytes),
            Node(B, speed=2.0),
        ),
        links,
    )


def measured(*transfers: TransferSample) -> Profiles:
    return gather(
        [ExecutionSample(task, A, 4.0, 0, 0) for task in (SPLIT, LEFT, RIGHT, JOIN)],
        [(Edge(INGRESS, SPLIT), 100), (Edge(JOIN, SINK), 7), (Edge(SPLIT, LEFT), 50)],
        transfers,
    )


def test_the_fixed_ends_are_at_home_and_without_work() -> None:
    problem = build_problem(app(), network(), measured())
    assert problem.graph.children[INGRESS] == (SPLIT,)
    assert problem.graph.children[JOIN] == (SINK,)
    assert problem.pinned == {INGRESS: HOME, SINK: HOME}
    assert problem.execution_s[INGRESS, HOME] == problem.execution_s[SINK, HOME] == 0


def test_a_sink_with_children_sends_home_too() -> None:
    problem = build_problem(app(left_is_sink=True), network(), measured())
    assert problem.graph.children[LEFT] == (JOIN, SINK)


def test_bytes_of_every_edge_are_there() -> None:
    problem = build_problem(app(), network(), measured())
    assert problem.edge_bytes[Edge(INGRESS, SPLIT)] == 100
    assert problem.edge_bytes[Edge(JOIN, SINK)] == 7
    assert problem.edge_bytes[Edge(RIGHT, JOIN)] == 0
    assert set(problem.edge_bytes) == set(problem.graph.edges)


def test_only_workers_run_tasks() -> None:
    problem = build_problem(app(), network(), measured())
    assert problem.nodes == (HOME, A, B)
    assert problem.candidates(SPLIT) == (A, B)
    assert problem.candidates(INGRESS) == (HOME,)
    assert problem.cores == {HOME: 8, A: 2, B: 1}


def test_an_unmeasured_node_is_estimated_by_its_speed() -> None:
    assert build_problem(app(), network(), measured()).execution_s[SPLIT, B] == 2.0


def test_a_task_that_was_measured_nowhere_has_no_candidate() -> None:
    problem = build_problem(app(), network(), gather([], [], []))
    assert problem.candidates(SPLIT) == ()


def test_a_node_without_enough_memory_is_no_candidate() -> None:
    problem = build_problem(app(memory_bytes=2), network(memory_bytes=1), measured())
    assert problem.candidates(SPLIT) == (B,)
    assert problem.candidates(LEFT) == (A, B)


def links(problem: Problem) -> dict[tuple[NodeId, NodeId], Transfer]:
    return dict(problem.links)


def test_a_measured_link_counts_as_measured_and_another_as_the_network_says() -> None:
    sample = TransferSample(HOME, A, 1_000, 0.5)
    net = network(Link(HOME, A, 1e6, 0.1), Link(A, B, 1e6, 0.1), Link(B, A, math.inf, 0.0))
    found = links(build_problem(app(), net, measured(sample)))
    assert found[HOME, A].transfer_s(1_000) == pytest.approx(0.5)
    assert found[A, B] == TransferModel(0.1, 1e-6)
    assert found[B, A] == TransferModel(0.0, 0.0)


def test_a_pair_without_a_link_cannot_be_crossed_even_if_it_was_measured_once() -> None:
    sample = TransferSample(A, B, 1_000, 0.5)
    assert links(build_problem(app(), network(), measured(sample))) == {}


def test_links_of_other_nodes_are_left_out() -> None:
    net = network(Link(NodeId("camera"), A))
    assert links(build_problem(app(), net, measured())) == {}


@pytest.mark.parametrize("roles", [(), ("home", "home")], ids=["none", "two"])
def test_a_network_without_exactly_one_home_is_refused(roles: tuple[Role, ...]) -> None:
    nodes = tuple(Node(NodeId(f"n{k}"), role) for k, role in enumerate(roles))
    with pytest.raises(InputError, match="exactly one home"):
        build_problem(app(), Network("net", nodes), measured())
