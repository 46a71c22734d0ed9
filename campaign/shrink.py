"""Makes a failing scenario small: drops what is not needed for the failure, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from campaign.scenario import Scenario


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Return a smaller scenario that still fails.

    Args:
        scenario: One that fails.
        fails: Whether one does.
    """
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _smaller(scenario):
            if fails(candidate):
                scenario = candidate
                is_smaller = True
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios with one thing less, the largest things first."""
    faults = scenario.faults
    for k in range(len(faults)):
        yield replace(scenario, faults=faults[:k] + faults[k + 1 :])
    for items in range(1, scenario.items):
        yield replace(scenario, items=items)
    nothing: dict[str, Any] = {"flaky": {}, "failed_starts": {}}
    nothing |= dict.fromkeys(("poisonous", "stingy", "hanging", "flooding"), ())
    for name, value in nothing.items():
        if getattr(scenario, name):
            yield replace(scenario, **{name: value})
    if scenario.memory_bytes_max:
        yield replace(scenario, memory_bytes_max=0)
    if scenario.is_ordered:
        yield replace(scenario, is_ordered=False)
    if scenario.placement != "static":
        yield replace(scenario, placement="static")
    if scenario.credit_max != 64:
        yield replace(scenario, credit_max=64)
    if any(rate != 1.0 for rate in scenario.rates.values()):
        yield replace(scenario, rates=dict.fromkeys(scenario.rates, 1.0))
