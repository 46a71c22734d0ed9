"""A slice of the real campaign: agents in namespaces meet faults; all items end as they must."""

from __future__ import annotations

import pytest
from campaign.real.kinds import KINDS
from campaign.real.naive import CANARIES
from campaign.real.pool import install_missing, play_all, reason_to_skip


@pytest.fixture(autouse=True, scope="module")
def labs() -> None:
    """Labs can be built here."""
    install_missing()
    if reason := reason_to_skip():
        pytest.skip(reason)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", KINDS)
def test_no_promise_is_broken_on_real_processes(fault: str) -> None:
    answers = play_all([(fault, seed) for seed in range(KINDS[fault].slice)], jobs=1)
    assert [(each["seed"], each["why"], each["logs"]) for each in answers if each["kinds"]] == []
    assert len(answers) == KINDS[fault].slice
    void = [each["seed"] for each in answers if each["is_void"]]
    assert len(void) <= len(answers) // 10, f"nothing happened in {void}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", CANARIES)
def test_a_planted_bug_is_found(bug: str) -> None:
    asked = [(CANARIES[bug], seed) for seed in range(24)]
    answers = play_all(asked, jobs=1, bug=bug, until=lambda each: bool(each["kinds"]))
    assert any(each["kinds"] for each in answers)
