"""The oracle: doctored histories, each with one thing wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupiter.model.ids import INGRESS, SINK, TaskId
from jupiter.model.items import TaskPlan
from jupiter.testing.oracle import Effect, History, judge
from jupiter.testing.serial import Expected, expect

A, B = TaskId("a"), TaskId("b")
EXPECTED = Expected(
    effects=((A, (0,), ("x",)), (A, (1,), ("y",)), (A, (2,), ("z",))),
    outcomes={0: "done", 1: "done", 2: "done", 3: "failed"},
)


def effect(origin: int, digest: str, number: int = 1) -> Effect:
    return Effect(A, (origin,), digest, ((("a", origin), number),))


GOOD = History(
    accepted=(0, 1, 2, 3),
    endings=([(0, "done")], [(1, "done")], [(2, "done")], [(3, "failed")]),
    effects=(effect(0, "x"), effect(1, "y"), effect(2, "z")),
    is_ordered=True,
    planned={"crash": 1},
    injected={"crash": 1},
)


def test_good_history_is_good() -> None:
    assert judge(GOOD, EXPECTED).is_good


DOCTORED = {
    "an item without an end is lost": (
        replace(GOOD, endings=[GOOD.endings[0], *GOOD.endings[2:]], effects=GOOD.effects[:1]),
        "lost",
    ),
    "an end without its result is lost": (replace(GOOD, effects=GOOD.effects[:2]), "lost"),
    "a result that is there twice is duplicated": (
        replace(GOOD, effects=(*GOOD.effects, effect(2, "z"))),
        "duplicated",
    ),
    "an item that ends twice is duplicated": (
        replace(GOOD, endings=(*GOOD.endings, [(3, "failed")])),
        "duplicated",
    ),
    "swapped results are wrong": (
        replace(GOOD, effects=(effect(0, "y"), effect(1, "x"), effect(2, "z"))),
        "wrong",
    ),
    "a wrong end is wrong": (
        replace(GOOD, endings=(*GOOD.endings[:3], [(3, "done")])),
        "wrong",
    ),
    "a result of nothing that was accepted is a ghost": (
        replace(GOOD, effects=(*GOOD.effects, effect(9, "w"))),
        "ghost",
    ),
    "an end of nothing that was accepted is a ghost": (
        replace(GOOD, accepted=(0, 1, 2), is_ordered=False),
        "ghost",
    ),
    "two executions in one result are mixed": (
        replace(GOOD, effects=(*GOOD.effects[:2], replace(effect(2, "z"), is_mixed=True))),
        "mixed",
    ),
    "two executions in two results are mixed": (
        replace(
            GOOD,
            effects=(
                *GOOD.effects[:2],
                replace(effect(2, "z"), lineage=((("a", 2), 1), (("a", 0), 7))),
            ),
        ),
        "mixed",
    ),
    "an end before an earlier item's is misordered": (
        replace(GOOD, endings=(GOOD.endings[1], GOOD.endings[0], *GOOD.endings[2:])),
        "misordered",
    ),
    "what has not ended in time is late": (
        replace(GOOD, endings=GOOD.endings[:3], is_late=True),
        "late",
    ),
    "what is left behind is a leak": (replace(GOOD, leaks=("3 files on n1",)), "leaks"),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_doctored_history_is_noticed(name: str) -> None:
    history, kind = DOCTORED[name]
    assert kind in judge(history, EXPECTED).faults


def test_order_matters_only_where_it_was_promised() -> None:
    history, _ = DOCTORED["an end before an earlier item's is misordered"]
    assert judge(replace(history, is_ordered=False), EXPECTED).is_good


def test_run_without_the_planned_faults_is_void() -> None:
    assert judge(replace(GOOD, injected={"crash": 0}), EXPECTED).is_void
    assert not judge(replace(GOOD, planned={}, injected={}), EXPECTED).is_void


def test_serial_run_joins_and_batches() -> None:
    c, d = TaskId("c"), TaskId("d")
    plans = (
        TaskPlan(A, (INGRESS,), (B, c), is_scatter=True, batchers=(A,)),
        TaskPlan(B, (A,), (d,), batchers=(A,)),
        TaskPlan(c, (A,), (d,), batchers=(A,)),
        TaskPlan(d, (B, c), (SINK,), batchers=(A,)),
    )

    def execute(task: TaskId, origins: tuple[int, ...], inputs: list[list[str]]) -> list[str]:
        return [f"{task}({';'.join(','.join(each) for each in inputs)})"]

    found = expect(plans, [["i"], ["j"], ["k"]], execute)
    assert found.effects == ((d, (0, 1), ("d(b(a(i));c(a(j)))",)),)
    assert found.outcomes == {0: "done", 1: "done", 2: "failed"}
