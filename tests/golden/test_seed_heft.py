"""The seeds' HEFT, quirks included, against what the original programs gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupiter.formats import tgff, tgff_problem
from jupiter.formats.tgff import Tgff
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.heft import heft
from jupiter.schedulers.heft_seed import Interval, SeedSchedule, heft_seed

SHARED = Path(__file__).parents[3] / "shared" / "data"
TEXTBOOK = SHARED / "heft_canonical" / "topcuoglu.tgff"
SHIPPED = SHARED / "ipsum" / "input_0.tgff"


def load(path: Path) -> Tgff:
    if not path.exists():
        pytest.skip(f"{path} is not on this machine; it is test data kept outside the project")
    return tgff.parse(path.read_bytes(), str(path)).value


def places(file: Tgff, intervals: list[list[Interval]]) -> dict[str, list[tuple[object, ...]]]:
    return {
        file.processors[p]: [
            (file.tasks[i.task], i.start, i.finish, *(["copy"] if i.is_copy else [])) for i in found
        ]
        for p, found in enumerate(intervals)
        if found
    }


def ranks(file: Tgff, found: SeedSchedule) -> list[tuple[str, float]]:
    return [(file.tasks[k], round(found.ranks[k], 4)) for k in found.order]


def test_the_textbook_instance() -> None:
    file = load(TEXTBOOK)
    found = heft_seed(tgff_problem.to_seed_problem(file))
    assert [name for name, _ in ranks(file, found)] == [
        f"n{k}" for k in (1, 4, 3, 2, 5, 6, 9, 7, 8, 10)
    ]
    assert found.makespan == 80
    assert places(file, found.first) == {
        "node1": [("n2", 27, 40), ("n8", 57, 62)],
        "node2": [("n4", 18, 26), ("n6", 26, 42), ("n9", 56, 68), ("n10", 73, 80)],
        "node3": [("n1", 0, 9), ("n3", 9, 28), ("n5", 28, 38), ("n7", 38, 49)],
    }
    assert found.estimate == 75
    assert places(file, found.intervals) == {
        "node1": [
            ("n1", 0, 14, "copy"),
            ("n6", 14, 27, "copy"),
            ("n2", 27, 40),
            ("n8", 51, 56),
        ],
        "node2": [
            ("n1", 0, 16, "copy"),
            ("n4", 16, 24),
            ("n6", 24, 40),
            ("n9", 56, 68),
            ("n10", 68, 75),
        ],
        "node3": [("n1", 0, 9), ("n3", 9, 28), ("n5", 28, 38), ("n7", 38, 49)],
    }


def test_the_shipped_instance() -> None:
    file = load(SHIPPED)
    found = heft_seed(tgff_problem.to_seed_problem(file))
    assert ranks(file, found) == [
        ("local_pro", 4651.2618),
        ("aggregate0", 3624.2965),
        ("aggregate2", 3585.8389),
        ("aggregate1", 3583.1940),
        ("astute_detector2", 2283.2968),
        ("astute_detector0", 2282.9397),
        ("astute_detector1", 2282.8683),
        ("simple_detector0", 1982.2363),
        ("simple_detector2", 1982.2363),
        ("simple_detector1", 1981.7858),
        ("fusion_center1", 990.9305),
        ("fusion_center0", 990.8553),
        ("fusion_center2", 990.8553),
        ("global_fusion", 0.0),
    ]
    assert found.makespan == 601
    where = {name: [row[0] for row in rows] for name, rows in places(file, found.first).items()}
    assert where["node10"] == ["aggregate2"]
    assert where["node11"] == ["aggregate1", "astute_detector1"]
    assert where["node12"] == ["astute_detector0"]
    assert set(where) == {"node1", "node10", "node11", "node12"}
    assert ("aggregate0", 0, 300, "copy") in places(file, found.intervals)["node12"]


@pytest.mark.parametrize("path", [TEXTBOOK, SHIPPED])
def test_without_quirks_the_schedule_is_sane(path: Path) -> None:
    """Units agree, names are whole, and what was not measured is no link."""
    file = load(path)
    problem = tgff_problem.to_problem(file)
    found = heft(problem)
    assert check_schedule(problem, found) == []
    assert tgff_problem.to_problem(tgff_problem.from_problem(problem)).nodes == problem.nodes
    used = {*found.mapping.values()}
    measured = {end for pair in problem.links for end in pair}
    assert len(used) == 1 or used <= measured
