from __future__ import annotations

import pytest

from jupiter.costs.what_if import Change, apply, read_changes
from jupiter.errors import InputError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Link, Network, Node
from jupiter.model.profile import ExecutionProfile, LinkProfile, Profiles
from jupiter.model.transfer import TransferModel

A, B, T, U = NodeId("a"), NodeId("b"), TaskId("t"), TaskId("u")
NETWORK = Network("n", (Node(A), Node(B)), (Link(A, B, 100.0, 0.5), Link(B, A, 100.0, 0.5)))
PROFILES = Profiles(
    executions={(t, n): ExecutionProfile(t, n, 2.0, 0.2, 3) for t in (T, U) for n in (A, B)},
    edge_bytes={},
    links={pair: LinkProfile(*pair, TransferModel(0.4, 0.02), 0.0, 3) for pair in ((A, B), (B, A))},
)


def test_a_text_says_what_and_by_how_much() -> None:
    assert read_changes("link:a->b=0.5,2") == (
        Change("link", "a->b", 0.5),
        Change("link", "a->b", 2.0),
    )
    assert str(read_changes("node=4")[0]) == "node=4"


@pytest.mark.parametrize("text", ["", "link", "link=", "link=x", "link=0", "wire=2", "node:a=-1"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="what to vary"):
        read_changes(text)


def test_a_link_gets_faster_in_one_direction_only() -> None:
    network, profiles = apply(NETWORK, PROFILES, Change("link", "a->b", 2.0))
    assert network.by_pair[A, B].bandwidth_bytes_per_s == 200
    assert network.by_pair[B, A].bandwidth_bytes_per_s == 100
    assert profiles.links[A, B].model == TransferModel(0.4, 0.01)
    assert profiles.links[B, A] == PROFILES.links[B, A]


def test_latency_is_divided() -> None:
    network, profiles = apply(NETWORK, PROFILES, Change("latency", "", 5.0))
    assert [link.latency_s for link in network.links] == [0.1, 0.1]
    assert profiles.links[A, B].model.latency_s == pytest.approx(0.08)


def test_nodes_and_tasks_get_faster() -> None:
    network, profiles = apply(NETWORK, PROFILES, Change("node", "a", 4.0))
    assert network.by_name[A].speed == 4
    assert profiles.executions[T, A].median_s == 0.5
    assert profiles.executions[T, B].median_s == 2.0
    _, profiles = apply(NETWORK, PROFILES, Change("task", "u", 0.5))
    assert profiles.executions[U, B].median_s == 4.0
    assert profiles.executions[T, B].median_s == 2.0


@pytest.mark.parametrize(
    "change", [Change("link", "a->c", 2.0), Change("node", "c", 2.0), Change("task", "v", 2.0)]
)
def test_what_does_not_exist_is_named(change: Change) -> None:
    with pytest.raises(InputError, match="there is no such"):
        apply(NETWORK, PROFILES, change)
