"""The only place that reads clocks.

Durations and time-outs use `monotonic_s`; wall time is for showing and for file formats.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def monotonic_s() -> float:
    """Return seconds on a clock that never jumps; the same clock as an event loop's ``time()``."""
    return time.monotonic()


def wall_s() -> float:
    """Return seconds since 1970."""
    return time.time()


def wall_text() -> str:
    """Return the local date and time, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def clock_id() -> str:
    """Return an id that is equal for processes that share one monotonic clock.

    Containers with a time namespace of their own do not share it, so the namespace is part of it.
    """
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        namespace = os.readlink("/proc/self/ns/time")  # noqa: PTH115 - the target is no path
    except OSError:
        namespace = ""
    try:
        return f"{boot.read_text().strip()}/{namespace}"
    except OSError:
        return ""
