"""The ten tasks on three processors of Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel
from jupiter.schedulers.bounds import makespan_bound_s
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.cpop import cpop
from jupiter.schedulers.heft import heft
from jupiter.schedulers.heft_duplication import heft_duplication
from jupiter.schedulers.improve import improve
from jupiter.schedulers.ranks import critical_path, downward_ranks, upward_ranks

SHARED = Path(__file__).parents[3] / "shared" / "data" / "heft_canonical" / "topcuoglu.tgff"

COMPUTATION = {
    1: (14, 16, 9),
    2: (13, 19, 18),
    3: (11, 13, 19),
    4: (13, 8, 17),
    5: (12, 13, 10),
    6: (13, 16, 9),
    7: (7, 15, 11),
    8: (5, 11, 14),
    9: (18, 12, 20),
    10: (21, 7, 16),
}
COMMUNICATION = {
    (1, 2): 18,
    (1, 3): 12,
    (1, 4): 9,
    (1, 5): 11,
    (1, 6): 14,
    (2, 8): 19,
    (2, 9): 16,
    (3, 7): 23,
    (4, 8): 27,
    (4, 9): 23,
    (5, 9): 13,
    (6, 8): 15,
    (7, 10): 17,
    (8, 10): 11,
    (9, 10): 13,
}
UPWARD = {
    1: 108.0,
    2: 77.0,
    3: 80.0,
    4: 80.0,
    5: 69.0,
    6: 63.333,
    7: 42.667,
    8: 35.667,
    9: 44.333,
    10: 14.667,
}
DOWNWARD = {1: 0, 2: 31, 3: 25, 4: 22, 5: 24, 6: 27, 7: 62.333, 8: 66.667, 9: 63.667, 10: 93.333}
PLACES = {
    1: (3, 0, 9),
    2: (1, 27, 40),
    3: (3, 9, 28),
    4: (2, 18, 26),
    5: (3, 28, 38),
    6: (2, 26, 42),
    7: (3, 38, 49),
    8: (1, 57, 62),
    9: (2, 56, 68),
    10: (2, 73, 80),
}


def name(number: int) -> TaskId:
    return TaskId(f"n{number}")


def topcuoglu(
    computation: Mapping[int, tuple[int, ...]], communication: Mapping[tuple[int, int], int]
) -> Problem:
    """One unit of data takes one second on every link."""
    nodes = tuple(NodeId(f"P{k}") for k in (1, 2, 3))
    graph = TaskGraph(
        {
            name(task): tuple(name(target) for source, target in communication if source == task)
            for task in computation
        }
    )
    return Problem(
        graph=graph,
        nodes=nodes,
        execution_s={
            (name(task), node): float(seconds)
            for task, row in computation.items()
            for node, seconds in zip(nodes, row, strict=True)
        },
        edge_bytes={
            Edge(name(source), name(target)): float(size)
            for (source, target), size in communication.items()
        },
        links={(a, b): TransferModel(0.0, 1.0) for a in nodes for b in nodes if a != b},
    )


@pytest.fixture
def problem() -> Problem:
    return topcuoglu(COMPUTATION, COMMUNICATION)


def test_upward_ranks_are_the_published_ones(problem: Problem) -> None:
    ranks = upward_ranks(problem)
    assert {k: round(ranks[name(k)], 3) for k in UPWARD} == UPWARD


def test_downward_ranks_are_the_published_ones(problem: Problem) -> None:
    ranks = downward_ranks(problem)
    assert {k: round(ranks[name(k)], 3) for k in DOWNWARD} == DOWNWARD


def test_the_critical_path_is_the_published_one(problem: Problem) -> None:
    assert critical_path(problem) == (name(1), name(2), name(9), name(10))


def test_heft_gives_the_published_schedule(problem: Problem) -> None:
    schedule = heft(problem)
    found = {each.task: (each.node, each.start_s, each.finish_s) for each in schedule.assignments}
    assert found == {name(k): (f"P{node}", start, end) for k, (node, start, end) in PLACES.items()}
    assert schedule.makespan_s == 80
    assert check_schedule(problem, schedule) == []
    assert makespan_bound_s(problem) <= 80


def test_cpop_gives_the_published_schedule(problem: Problem) -> None:
    schedule = cpop(problem)
    assert schedule.makespan_s == 86
    assert {task for task, node in schedule.mapping.items() if node == "P2"} >= {
        name(k) for k in (1, 2, 9, 10)
    }
    assert check_schedule(problem, schedule) == []


def test_the_search_finds_the_shortest_schedule_and_duplication_a_valid_one(
    problem: Problem,
) -> None:
    found = improve(problem)
    assert found.makespan_s == 73
    assert check_schedule(problem, found) == []
    copied = heft_duplication(problem)
    assert copied.makespan_s == 73
    assert copied.replicas == "each"
    assert len(copied.assignments) > 10
    assert check_schedule(problem, copied) == []


def test_heft_decides_in_the_published_order(problem: Problem) -> None:
    order = [each.task for each in heft(problem).assignments]
    ties = {order.index(name(3)), order.index(name(4))}
    assert ties == {1, 2}
    assert [task for task in order if task not in (name(3), name(4))] == [
        name(k) for k in (1, 2, 5, 6, 9, 7, 8, 10)
    ]


def test_the_shared_file_holds_the_same_instance() -> None:
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not on this machine; it is test data kept outside the project")
    text = SHARED.read_text()
    arcs = re.findall(r"FROM t0_(\d+) TO t0_(\d+) \tTYPE (\d+)", text)
    costs = re.findall(r"^ +t0_(\d+) +0\t(.+)$", text, re.MULTILINE)
    assert {(int(a) + 1, int(b) + 1): int(size) for a, b, size in arcs} == COMMUNICATION
    assert {int(k) + 1: tuple(map(int, row.split())) for k, row in costs} == COMPUTATION
