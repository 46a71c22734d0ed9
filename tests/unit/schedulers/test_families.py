from __future__ import annotations

import pytest

from jupiter.schedulers.families import FAMILIES, FamilyShape, family_problem
from jupiter.schedulers.ranks import ccr


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [4, 12, 40])
def test_every_family_gives_a_connected_graph_of_about_the_size(family: str, size: int) -> None:
    problem = family_problem(FamilyShape(family, size, 4), seed=size)
    graph = problem.graph
    assert size / 2 <= len(graph.tasks) <= 2.5 * size + 6
    if family != "layered":
        assert len(graph.entries) == 1 or family in ("in-tree", "montage", "epigenomics")
    isolated = [t for t in graph.tasks if not graph.children[t] and not graph.parents[t]]
    assert len(isolated) <= (2 if family == "layered" else 0)
    assert family_problem(FamilyShape(family, size, 4), seed=size) == problem


@pytest.mark.parametrize("wanted", [0.1, 1.0, 10.0])
def test_the_wanted_ratio_of_communication_is_met(wanted: float) -> None:
    problem = family_problem(FamilyShape("fft", 40, 5, ccr=wanted), seed=1)
    assert ccr(problem) == pytest.approx(wanted, rel=1e-6)


def test_without_heterogeneity_all_nodes_and_links_are_alike() -> None:
    problem = family_problem(FamilyShape("gauss", 20, 4, heterogeneity=0.0), seed=1)
    assert set(problem.speed.values()) == {1.0}
    assert len(set(problem.links.values())) == 1
