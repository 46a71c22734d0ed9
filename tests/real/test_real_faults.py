"""A slice of the real campaign: agents in namespaces meet faults; all items end as they must."""

from __future__ import annotations

import pytest
from campaign.real.canaries import CANARIES, fitting
from campaign.real.kinds import KINDS
from campaign.real.pool import install_missing, play_all, reason_to_skip

ROUNDS_MAX = 6
"""Trials in which nothing happened are replaced so often, each by one of another seed."""


@pytest.fixture(autouse=True, scope="module")
def labs() -> None:
    """Labs can be built here."""
    install_missing()
    if reason := reason_to_skip():
        pytest.skip(reason)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", KINDS)
def test_no_promise_is_broken_on_real_processes(fault: str) -> None:
    count = KINDS[fault].slice
    seeds = list(range(count))
    for _ in range(ROUNDS_MAX):
        answers = play_all([(fault, seed) for seed in seeds], jobs=1)
        assert [
            (each["seed"], each["why"], each["logs"]) for each in answers if each["kinds"]
        ] == []
        assert len(answers) == len(seeds)
        seeds = [each["seed"] + count for each in answers if each["is_void"]]
        if not seeds:
            return
    pytest.fail(f"nothing happened in {seeds}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", CANARIES)
def test_a_planted_bug_is_found(bug: str) -> None:
    answers = play_all(fitting(bug, 24), jobs=1, bug=bug, until=lambda each: bool(each["kinds"]))
    assert any(each["kinds"] for each in answers)
