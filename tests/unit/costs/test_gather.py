from __future__ import annotations

import pytest

from jupiter.costs.execution import execution_profile, predicted_execution
from jupiter.costs.gather import gather
from jupiter.model.graph import Edge
from jupiter.model.ids import INGRESS, NodeId, TaskId
from jupiter.model.network import Network, Node
from jupiter.model.profile import ExecutionSample, Profiles, ResourceSample, TransferSample

T = TaskId("t")
A, B, C, D = (NodeId(name) for name in "abcd")


def executions(node: NodeId, *seconds: float) -> list[ExecutionSample]:
    return [ExecutionSample(T, node, each, 10, 20) for each in seconds]


def test_the_middle_and_the_spread_of_executions_are_kept() -> None:
    profile = gather(executions(A, 1.0, 9.0, 2.0), [], []).executions[T, A]
    assert (profile.median_s, profile.samples) == (2.0, 3)
    assert profile.stdev_s == pytest.approx(4.359, abs=1e-3)


def test_a_single_execution_has_no_spread() -> None:
    assert execution_profile(T, A, [3.0]).stdev_s == 0


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_an_impossible_execution_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="execution time"):
        execution_profile(T, A, [1.0, seconds])


def test_edges_have_their_median_bytes() -> None:
    edge = Edge(INGRESS, T)
    assert gather([], [(edge, 1), (edge, 100), (edge, 5)], []).edge_bytes == {edge: 5.0}


def test_every_directed_link_is_fitted_for_itself() -> None:
    samples = [TransferSample(A, B, size, size * 1e-6 + 0.1) for size in (1_000, 100_000)]
    samples += [TransferSample(B, A, size, 0.2) for size in (1_000, 100_000)]
    links = gather([], [], samples).links
    assert links[A, B].model.seconds_per_byte == pytest.approx(1e-6)
    assert links[B, A].model.latency_s == pytest.approx(0.2)
    assert links[A, B].samples == 2


def test_the_newest_load_of_a_node_counts() -> None:
    loads = [ResourceSample(A, time_s, time_s / 10, 0.5, 1, 1) for time_s in (3.0, 5.0, 4.0)]
    assert gather([], [], [], loads).resources[A].time_s == 5.0


def network(**speeds: float) -> Network:
    return Network("net", tuple(Node(NodeId(name), speed=speed) for name, speed in speeds.items()))


def profiles(samples: list[ExecutionSample]) -> Profiles:
    return gather(samples, [], [])


def test_a_measured_time_is_taken_as_it_is() -> None:
    found = predicted_execution(T, A, network(a=1, b=2), profiles(executions(A, 4.0)))
    assert found is not None
    assert (found.median_s, found.samples) == (4.0, 1)


def test_an_unmeasured_time_is_scaled_by_speed_and_marked() -> None:
    found = predicted_execution(T, B, network(a=1, b=2), profiles(executions(A, 4.0, 6.0)))
    assert found is not None
    assert (found.median_s, found.samples) == (2.5, 0)
    assert found.node == B
    assert found.stdev_s == pytest.approx(2**0.5 / 2)


def test_the_node_of_the_nearest_speed_is_scaled_from() -> None:
    measured = profiles([*executions(A, 100.0), *executions(B, 7.0), *executions(C, 100.0)])
    found = predicted_execution(T, D, network(a=1, b=3.8, c=16, d=4), measured)
    assert found is not None
    assert found.median_s == pytest.approx(7.0 * 3.8 / 4)


def test_of_equally_near_nodes_the_first_is_scaled_from() -> None:
    measured = profiles([*executions(B, 3.0), *executions(A, 1.0)])
    found = predicted_execution(T, C, network(a=1, b=1, c=1), measured)
    assert found is not None
    assert found.median_s == 1.0


def test_a_task_that_was_never_measured_has_no_time() -> None:
    assert predicted_execution(T, A, network(a=1), profiles([])) is None
