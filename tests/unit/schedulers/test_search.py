"""The search: never worse than where it starts, proven on tiny problems, true to its budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from jupiter.schedulers import improve as room
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.exhaustive import exhaustive
from jupiter.schedulers.families import FAMILIES, FamilyShape, family_problem
from jupiter.schedulers.generate import ProblemShape, random_problem
from jupiter.schedulers.improve import ALWAYS, Budget, improve
from jupiter.schedulers.loads import objective_s, period_s


@pytest.fixture(autouse=True)
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STEPS", 400)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_never_worse_than_where_it_starts(family: str) -> None:
    problem = family_problem(FamilyShape(family, 20, 3, ccr=2.0), seed=1)
    found = improve(problem)
    assert check_schedule(problem, found) == []
    starts = [find_scheduler(name)(problem).makespan_s for name in ALWAYS]
    assert found.makespan_s <= min(starts) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_called_optimal_is(seed: int) -> None:
    shape = ProblemShape(5, 3, ccr=(0.3, 3.0)[seed % 2], cores_max=1 + seed % 2)
    problem = random_problem(shape, seed)
    found = improve(problem)
    if found.facts.get("optimal"):
        assert found.makespan_s == pytest.approx(exhaustive(problem).makespan_s)
    assert seed or found.facts.get("optimal") == 1


def test_limits_are_kept() -> None:
    problem = random_problem(ProblemShape(9, 3, ccr=5.0), 4)
    limited = replace(problem, tasks_max=dict.fromkeys(problem.nodes, 3))
    found = improve(limited)
    assert check_schedule(limited, found) == []
    assert sorted(list(found.mapping.values()).count(node) for node in problem.nodes) == [3, 3, 3]


@pytest.mark.parametrize("objective", ["period", "both"])
def test_other_objectives_are_made_small(objective: str) -> None:
    problem = family_problem(FamilyShape("stream", 14, 4, ccr=0.5), seed=3)
    wanted = replace(problem, objective=objective)  # type: ignore[arg-type]
    found = improve(wanted)
    assert check_schedule(wanted, found) == []
    for name in ALWAYS:
        other = find_scheduler(name)(problem)
        assert objective_s(wanted, found) <= objective_s(wanted, other) * (1 + 1e-9)


def test_a_budget_ends_the_search_by_the_clock_it_is_given() -> None:
    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            now += 0.01
            yield now

    clock = ticks()
    asked = []

    def read() -> float:
        asked.append(1)
        return next(clock)

    problem = family_problem(FamilyShape("layered", 30, 4), seed=2)
    found = improve(problem, budget=Budget(1.0, read, 0.0))
    assert check_schedule(problem, found) == []
    assert 90 < len(asked) < 110
    assert found.options["budget_s"] == 1.0
    assert found.facts["steps"]


def test_replicas_shorten_the_period_of_a_stream_that_one_task_holds_up() -> None:
    problem = family_problem(FamilyShape("stream", 6, 4, ccr=0.01, heterogeneity=0.0), seed=1)
    slow = problem.graph.entries[0]
    problem = replace(problem, work_s={**problem.work_s, slow: 20.0})
    found = find_scheduler("throughput")(problem)
    assert check_schedule(problem, found) == []
    assert found.replicas == "shared"
    assert len(found.nodes_of[slow]) > 1
    assert period_s(problem, found) < 0.6 * 20.0
    assert found.facts["period_s"] == period_s(problem, found)
    pinned = replace(problem, pinned={slow: problem.nodes[0]})
    assert find_scheduler("throughput")(pinned).nodes_of[slow] == (problem.nodes[0],)
