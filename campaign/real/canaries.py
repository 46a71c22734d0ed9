"""Bugs that trials must find: where none is found, a campaign without failures means nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from campaign.planted import BUGS
from campaign.real.kinds import make
from campaign.real.naive import CHANGES
from campaign.real.plan import HOME, Trial


@dataclass(frozen=True)
class Canary:
    """A bug that trials must find.

    Attributes:
        fault: The one that shows it.
        fits: Whether a trial of it can.
    """

    fault: str
    fits: Callable[[Trial], bool] = lambda trial: True


def _half_made(trial: Trial) -> bool:
    """Return whether one parent of a join, and what both were made from, are lost for good."""
    places, victim = trial.preferred, trial.injections[0].node
    return (
        trial.shape == "diamond"
        and trial.placement == "static"
        and trial.injections[0].kind == "leave"
        and places["a"] == victim
        and (places["b"] == victim) != (places["c"] == victim)
    )


CANARIES: dict[str, Canary] = {
    "join-by-arrival": Canary("F13", lambda trial: trial.shape in ("diamond", "dnad")),
    "delete-on-send": Canary("F26"),
    "no-retry": Canary("F03"),
    "endless-retry": Canary("F46"),
    "lease-for-ever": Canary("F01", lambda trial: trial.injections[0].kind == "leave"),
    "names-collide": Canary("F44"),
    "window-ignored": Canary("F44", lambda trial: not trial.is_ordered and not trial.scatter),
    "order-ignored": Canary("F13", lambda trial: trial.is_ordered),
    "lineage-ignored": Canary("F01", _half_made),
    "no-sync": Canary("F32", lambda trial: any(each.node == HOME for each in trial.injections)),
    "no-journal": Canary("F05"),
    "no-new-epoch": Canary("F05"),
    "sink-forgets": Canary("F06", lambda trial: trial.is_ordered),
    "accept-before-sync": Canary("F36", lambda trial: bool(trial.failpoints)),
}

WHAT = {name: BUGS[name].what if name in BUGS else CHANGES[name][0] for name in CANARIES}


def fitting(bug: str, trials: int) -> list[tuple[str, int]]:
    """Return the first trials that can show a bug, as faults and seeds."""
    canary = CANARIES[bug]
    seeds = (seed for seed in itertools.count() if canary.fits(make(canary.fault, seed)))
    return [(canary.fault, seed) for seed in itertools.islice(seeds, trials)]
