from __future__ import annotations

import pytest

from jupiter.errors import InputError
from jupiter.schedulers.base import SCHEDULERS, find_scheduler
from jupiter.schedulers.generate import ProblemShape, random_problem


def test_every_shipped_scheduler_is_found_and_records_its_name_and_seed() -> None:
    problem = random_problem(ProblemShape(tasks=5, nodes=2))
    for name in SCHEDULERS.built_in:
        schedule = find_scheduler(name)(problem, seed=3)
        assert schedule.scheduler == name
        assert schedule.options["seed"] == 3


def test_a_mistyped_name_is_corrected() -> None:
    with pytest.raises(InputError, match="did you mean heft"):
        find_scheduler("hefft")
