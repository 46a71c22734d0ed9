from __future__ import annotations

from dataclasses import replace

import pytest

from jupiter.model.graph import Edge
from jupiter.schedulers.generate import ProblemShape, random_problem
from jupiter.schedulers.ranks import ccr

SHAPE = ProblemShape(tasks=200, nodes=6)


def test_a_seed_gives_the_same_problem_again() -> None:
    assert random_problem(SHAPE, 5) == random_problem(SHAPE, 5)
    assert random_problem(SHAPE, 5) != random_problem(SHAPE, 6)


@pytest.mark.parametrize("wanted", [0.1, 1.0, 10.0])
def test_the_wanted_ccr_is_met(wanted: float) -> None:
    assert ccr(random_problem(replace(SHAPE, ccr=wanted))) == pytest.approx(wanted)


def test_without_heterogeneity_all_nodes_are_equally_fast() -> None:
    problem = random_problem(replace(SHAPE, heterogeneity=0.0))
    for task in problem.graph.tasks:
        times = {problem.execution_s[task, node] for node in problem.nodes}
        assert len(times) == 1


def test_every_task_but_those_of_the_first_layer_has_a_parent_before_it() -> None:
    graph = random_problem(SHAPE).graph
    place = {task: k for k, task in enumerate(graph.tasks)}
    assert all(place[edge.source] < place[edge.target] for edge in graph.edges)
    assert 0 < len(graph.entries) < 2 * 15
    assert Edge(graph.parents[graph.tasks[-1]][0], graph.tasks[-1]) in graph.edges


def test_large_graphs_have_the_edges_of_our_benchmarks() -> None:
    problem = random_problem(ProblemShape(tasks=5_000, nodes=1))
    assert 2.9 < len(problem.graph.edges) / 5_000 < 3.4


def test_links_runs_cores_and_pins_are_as_wanted() -> None:
    shape = ProblemShape(tasks=100, nodes=10, links=0.5, runs=0.3, cores_max=4, pinned=7)
    problem = random_problem(shape)
    assert 25 < len(problem.links) < 65
    assert 200 < len(problem.execution_s) < 500
    assert max(problem.cores.values()) in (3, 4)
    assert len(problem.pinned) == 7
    assert all(problem.candidates(task) for task in problem.graph.tasks)
