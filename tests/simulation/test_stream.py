"""The control code in virtual time: known pipelines take exactly the time they must."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupiter.errors import SchedulingError
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.transfer import TransferModel
from jupiter.simulator.stream import Scenario, Simulated, simulate

HOME, X, Y = NodeId("home"), NodeId("x"), NodeId("y")
A, B = TaskId("a"), TaskId("b")
CHAIN = (TaskPlan(A, (INGRESS,), (B,), rank=0), TaskPlan(B, (A,), (SINK,), rank=1))
FREE = {(s, t): TransferModel(0.0, 0.0) for s in (HOME, X, Y) for t in (HOME, X, Y) if s != t}


def chain(*, items: int, in_flight: int = 100, a_s: float = 1.0, b_s: float = 2.0) -> Simulated:
    return simulate(
        Scenario(
            CHAIN,
            {A: X, B: Y},
            HOME,
            {(A, X): a_s, (B, Y): b_s},
            {},
            FREE,
            items,
            in_flight_max=in_flight,
        )
    )


def test_one_item_takes_the_sum_of_its_tasks() -> None:
    assert chain(items=1).prediction.makespan_s == 3.0


def test_stream_runs_at_the_pace_of_its_slowest_task() -> None:
    found = chain(items=50)
    assert found.prediction.period_s == pytest.approx(2.0)
    assert found.prediction.makespan_s == pytest.approx(1 + 50 * 2)


def test_one_item_in_flight_gives_no_overlap() -> None:
    assert chain(items=5, in_flight=1).prediction.makespan_s == pytest.approx(15)


def test_node_with_two_cores_runs_two_at_once() -> None:
    scenario = Scenario(
        CHAIN, {A: X, B: X}, HOME, {(A, X): 1.0, (B, X): 1.0}, {}, FREE, 20, cores={X: 2}
    )
    assert simulate(scenario).prediction.makespan_s == pytest.approx(20)


def test_transfers_on_a_link_wait_for_each_other() -> None:
    links = {**FREE, (X, Y): TransferModel(0.5, 1e-3)}
    sizes = {Edge(A, B): 1000.0}
    scenario = Scenario(
        CHAIN, {A: X, B: Y}, HOME, {(A, X): 0.1, (B, Y): 0.1}, sizes, links, items=3
    )
    assert simulate(scenario).prediction.makespan_s == pytest.approx(0.1 + 3 * 1.0 + 0.5 + 0.1)


def test_missing_link_is_told() -> None:
    links = {pair: model for pair, model in FREE.items() if pair != (X, Y)}
    scenario = Scenario(CHAIN, {A: X, B: Y}, HOME, {(A, X): 1, (B, Y): 1}, {}, links, 1)
    with pytest.raises(SchedulingError, match="no link leads from node x to node y"):
        simulate(scenario)


@settings(max_examples=60)
@given(
    items=st.integers(0, 30),
    in_flight=st.integers(1, 10),
    seconds=st.lists(st.floats(0.001, 5), min_size=5, max_size=5),
    nodes=st.lists(st.sampled_from([X, Y]), min_size=5, max_size=5),
    scatter=st.booleans(),
)
def test_every_item_ends_once_whatever_the_mapping(
    items: int, in_flight: int, seconds: list[float], nodes: list[NodeId], scatter: bool
) -> None:
    names = [TaskId(name) for name in ("s", "l", "r", "m", "e")]
    s, left, r, m, e = names
    plans = (
        TaskPlan(s, (INGRESS,), (left, r), scatter, 0),
        TaskPlan(left, (s,), (m,), False, 1),
        TaskPlan(r, (s,), (m, e), False, 2),
        TaskPlan(m, (left, r), (e,), False, 3),
        TaskPlan(e, (r, m), (SINK,), False, 4),
    )
    found = simulate(
        Scenario(
            plans,
            dict(zip(names, nodes, strict=True)),
            HOME,
            {(t, n): x for t, x in zip(names, seconds, strict=True) for n in (X, Y)},
            {},
            FREE,
            items,
            in_flight_max=in_flight,
        )
    )
    assert sorted(int(item.item) for item in found.items) == list(range(items))
    assert len(found.tasks) == 5 * items
    busiest = max(
        sum(x for x, n in zip(seconds, nodes, strict=True) if n == node) for node in (X, Y)
    )
    assert found.prediction.makespan_s >= items * busiest - 1e-6
    for each in found.tasks:
        assert each.enter_s <= each.execute_s <= each.finish_s
