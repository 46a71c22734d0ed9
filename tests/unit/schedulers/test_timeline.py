from __future__ import annotations

import random

import pytest

from jupiter.schedulers.timeline import Timeline


def busy(cores: int, *intervals: tuple[float, float]) -> Timeline:
    timeline = Timeline(cores)
    for start_s, finish_s in intervals:
        timeline.occupy(start_s, finish_s - start_s)
    return timeline


@pytest.mark.parametrize(
    ("ready_s", "duration_s", "start_s"),
    [
        (0, 2, 0),
        (0, 3, 8),
        (1, 1, 1),
        (1, 2, 5),
        (5, 2, 5),
        (6, 2, 8),
        (9, 100, 9),
        (3, 0, 3),
    ],
)
def test_the_first_gap_that_fits_is_found(
    ready_s: float, duration_s: float, start_s: float
) -> None:
    timeline = busy(1, (2, 5), (7, 8))
    assert timeline.earliest_start_s(ready_s, duration_s) == start_s
    assert timeline.tail_s == 8


def test_a_second_core_takes_what_overlaps() -> None:
    timeline = busy(2, (0, 4), (1, 3))
    assert timeline.earliest_start_s(0, 1) == 0
    assert timeline.earliest_start_s(0, 2) == 3
    assert timeline.earliest_start_s(3, 5) == 3


def test_intervals_that_touch_leave_no_gap() -> None:
    timeline = busy(1, (0, 1), (1, 2))
    assert timeline.earliest_start_s(0, 0.5) == 2


def test_more_executions_than_cores_are_refused() -> None:
    timeline = busy(2, (0, 4), (1, 3))
    with pytest.raises(ValueError, match="no core is free"):
        timeline.occupy(2, 1)


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_random_fillings_are_as_early_as_a_search_over_all_points_says(cores: int) -> None:
    draw = random.Random(cores)
    for _ in range(60):
        timeline = Timeline(cores)
        taken: list[tuple[int, int]] = []
        for _ in range(25):
            ready, duration = draw.randint(0, 20), draw.randint(0, 4)
            start = timeline.earliest_start_s(ready, duration)
            assert start == _slow_start(taken, cores, ready, duration)
            timeline.occupy(start, duration)
            taken.append((int(start), int(start) + duration))


def _slow_start(taken: list[tuple[int, int]], cores: int, ready: int, duration: int) -> int:
    """Times are whole, so busy seconds can be counted one by one."""
    start = ready
    while any(
        sum(first <= second < last for first, last in taken) >= cores
        for second in range(start, start + duration)
    ):
        start += 1
    return start
