"""What every scheduler offers, and how one is found by its name."""

from __future__ import annotations

from typing import Protocol, cast

from jupiter.kit.registry import Registry
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule


class Scheduler(Protocol):
    """An algorithm from a problem to a schedule: no I/O, no clock, all chance from the seed.

    Its name is the one it is registered by, and the `Schedule.scheduler` of what it returns.
    """

    def __call__(self, problem: Problem, *, seed: int = 0) -> Schedule:
        """Return a schedule.

        Args:
            problem: What is to be placed.
            seed: Where the algorithm draws at random; others ignore it.

        Raises:
            SchedulingError: No schedule exists, or none was found; the text names the task.
        """
        ...


SCHEDULERS = Registry(
    kind="scheduler",
    group="jupiter.schedulers",
    built_in={
        "heft": "jupiter.schedulers.heft:heft",
        "heft-duplication": "jupiter.schedulers.heft_duplication:heft_duplication",
        "heft-balanced": "jupiter.schedulers.heft_balanced:heft_balanced",
        "cpop": "jupiter.schedulers.cpop:cpop",
        "peft": "jupiter.schedulers.peft:peft",
        "look-ahead": "jupiter.schedulers.look_ahead:look_ahead",
        "etf": "jupiter.schedulers.ready_rules:etf",
        "min-min": "jupiter.schedulers.ready_rules:min_min",
        "max-min": "jupiter.schedulers.ready_rules:max_min",
        "sufferage": "jupiter.schedulers.ready_rules:sufferage",
        "dls": "jupiter.schedulers.ready_rules:dls",
        "gdl": "jupiter.schedulers.ready_rules:gdl",
        "bil": "jupiter.schedulers.bil:bil",
        "flb": "jupiter.schedulers.flb:flb",
        "mct": "jupiter.schedulers.arrival_rules:mct",
        "met": "jupiter.schedulers.arrival_rules:met",
        "olb": "jupiter.schedulers.arrival_rules:olb",
        "random": "jupiter.schedulers.random_mapping:random_mapping",
        "wave-random": "jupiter.schedulers.wave:wave_random",
        "wave-greedy": "jupiter.schedulers.wave:wave_greedy",
        "wave-greedy-seed": "jupiter.schedulers.wave:wave_greedy_seed",
        "single-node": "jupiter.schedulers.single_node:single_node",
        "fastest-node": "jupiter.schedulers.fastest_node:fastest_node",
        "exhaustive": "jupiter.schedulers.exhaustive:exhaustive",
        "improve": "jupiter.schedulers.improve:improve",
        "throughput": "jupiter.schedulers.throughput:throughput",
        "cp-sat": "jupiter.schedulers.cp_sat:cp_sat",
    },
)
"""All schedulers; an installed package adds one by an entry point in ``jupiter.schedulers``."""

SLOW = ("exhaustive", "cp-sat")
"""Schedulers for tiny problems; a comparison of all leaves them out."""


def find_scheduler(name: str) -> Scheduler:
    """Return the scheduler with a name.

    Raises:
        InputError: There is none, or it cannot be imported.
    """
    return cast("Scheduler", SCHEDULERS.find(name))
