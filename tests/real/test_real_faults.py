"""A slice of the real campaign: agents in namespaces meet faults; all items end as they must."""

from __future__ import annotations

import json

import pytest
from campaign.real.canaries import CANARIES, fitting
from campaign.real.kinds import KINDS
from campaign.real.pool import install_missing, play_all, reason_to_skip

ROUNDS_MAX = 6
"""Trials in which nothing happened are replaced so often, each by one of another seed."""
PART = 8
"""Trials of one test, so that processes share them evenly."""
PARTS = [
    (fault, first, min(first + PART, kind.slice))
    for fault, kind in KINDS.items()
    for first in range(0, kind.slice, PART)
]


@pytest.fixture(autouse=True, scope="module")
def labs() -> None:
    """Labs can be built here."""
    install_missing()
    if reason := reason_to_skip():
        pytest.skip(reason)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("fault", "first", "end"), PARTS)
def test_no_promise_is_broken_on_real_processes(fault: str, first: int, end: int) -> None:
    seeds = list(range(first, end))
    for _ in range(ROUNDS_MAX):
        answers = play_all([(fault, seed) for seed in seeds], jobs=1)
        bad = [each for each in answers if each["kinds"]]
        assert not bad, "\n".join(json.dumps(each, indent=1) for each in bad)
        assert len(answers) == len(seeds)
        seeds = [each["seed"] + KINDS[fault].slice for each in answers if each["is_void"]]
        if not seeds:
            return
    pytest.fail(f"nothing happened in {seeds}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", CANARIES)
def test_a_planted_bug_is_found(bug: str) -> None:
    answers = play_all(fitting(bug, 24), jobs=1, bug=bug, until=lambda each: bool(each["kinds"]))
    assert any(each["kinds"] for each in answers)
