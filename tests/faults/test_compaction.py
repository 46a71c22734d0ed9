"""Journals of simulated streams: what is left out of them makes no difference."""

from __future__ import annotations

from functools import cache

import pytest
from campaign.checks import CheckedHost, compacted, state_from
from campaign.planted import with_bug
from campaign.play import play
from campaign.scenario import make
from hypothesis import given, settings
from hypothesis import strategies as st

from jupiter.control.config import NodeConfig
from jupiter.control.node import Node
from jupiter.model.records import Record

Journal = tuple[NodeConfig, list[Record]]


@cache
def journals(seed: int) -> tuple[Journal, ...]:
    """Return what every host of a seed had written down at its end."""
    hosts: list[CheckedHost] = []

    class Seen(CheckedHost):
        def __init__(self, *args: object, **kinds: object) -> None:
            super().__init__(*args, **kinds)
            hosts.append(self)

    play(make(seed), host=Seen)
    return tuple((host.config, list(host.disk.image.records)) for host in hosts)


def is_same(config: NodeConfig, records: list[Record]) -> bool:
    """Return whether a node goes on in the same way from a journal and from what is left of it."""
    after = state_from(Node(config), compacted(records), records)
    return after == state_from(Node(config), records, records)


@settings(max_examples=300)
@given(seed=st.integers(0, 100_000), where=st.floats(0, 1), who=st.floats(0, 1, exclude_max=True))
def test_node_restored_from_a_compacted_journal_goes_on_in_the_same_way(
    seed: int, where: float, who: float
) -> None:
    found = journals(seed)
    config, records = found[int(who * len(found))]
    records = records[: round(where * len(records))]
    assert is_same(config, records)
    assert compacted(compacted(records)) == compacted(records)


@pytest.mark.parametrize("seed", range(8))
def test_every_prefix_of_a_journal_can_be_compacted(seed: int) -> None:
    for config, records in journals(seed):
        assert all(is_same(config, records[:end]) for end in range(len(records) + 1))


def test_most_of_a_finished_journal_is_left_out() -> None:
    lengths = [(len(records), len(compacted(records))) for _, records in journals(0)]
    assert sum(kept for _, kept in lengths) < sum(written for written, _ in lengths) / 2


@pytest.mark.parametrize("bug", ["elections-not-kept", "places-not-kept", "losses-not-kept"])
def test_record_that_is_missing_makes_a_difference(bug: str) -> None:
    with with_bug(bug):
        assert not all(
            is_same(config, records[:end])
            for seed in range(8)
            for config, records in journals(seed)
            for end in range(len(records) + 1)
        )
