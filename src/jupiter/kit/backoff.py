"""Turns the number of a failed attempt into the wait before the next."""

from __future__ import annotations


def delay_s(
    attempt: int, *, first_s: float = 0.05, factor: float = 2.0, most_s: float = 5.0
) -> float:
    """Return the seconds to wait after a failed attempt.

    Args:
        attempt: 1 after the first failure.
        first_s: Wait after the first failure.
        factor: Growth from one wait to the next.
        most_s: No wait is longer.
    """
    return float(min(most_s, first_s * factor ** min(attempt - 1, 64)))
