"""Derives independent, named random streams from one recorded seed."""

from __future__ import annotations

import hashlib
import random

Stream = random.Random
"""The type of a random stream, for rooms that must not draw from a hidden one."""


def stream(seed: int, *names: str) -> Stream:
    """Return the random stream of a purpose.

    The same seed and names give the same numbers on every machine and Python version, and
    asking for one stream never changes another.

    Args:
        seed: Recorded with the run.
        names: What the numbers are for, from wide to narrow.
    """
    text = "\0".join((str(seed), *names)).encode()
    return random.Random(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))  # noqa: S311
