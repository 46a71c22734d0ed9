"""Seconds of a transfer as a function of its size, in three forms."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol


class Transfer(Protocol):
    """How long an idle link needs; every form is never negative."""

    def transfer_s(self, size_bytes: float) -> float:
        """Return the seconds from the first byte sent to the last byte received."""
        ...

    def busy_s(self, size_bytes: float) -> float:
        """Return the seconds for which the link can send nothing else: all but the latency."""
        ...


@dataclass(frozen=True, slots=True)
class TransferModel:
    """The usual form: ``latency + size * rate``.

    Attributes:
        latency_s: Seconds of an empty transfer.
        seconds_per_byte: 0 where no limit was seen.
    """

    latency_s: float
    seconds_per_byte: float

    def __post_init__(self) -> None:
        if not (self.latency_s >= 0 and self.seconds_per_byte >= 0):
            raise ValueError("a transfer model must not be negative")

    def transfer_s(self, size_bytes: float) -> float:
        """Return the seconds that so many bytes need on an idle link."""
        return self.latency_s + size_bytes * self.seconds_per_byte

    def busy_s(self, size_bytes: float) -> float:
        """Return the seconds for which the link can send nothing else."""
        return size_bytes * self.seconds_per_byte


@dataclass(frozen=True, slots=True)
class QuadraticTransfer:
    """The seeds' regression: ``constant + linear * size + square * size²``, 0 where negative.

    Attributes:
        constant_s: Seconds of an empty transfer.
        linear: Seconds a byte.
        square: Seconds a square byte; fits of noisy probes make it negative at times.
    """

    constant_s: float
    linear: float
    square: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.constant_s, self.linear, self.square))):
            raise ValueError("a transfer model must be finite")

    def transfer_s(self, size_bytes: float) -> float:
        """Return the seconds that so many bytes need on an idle link."""
        found_s = self.constant_s + size_bytes * (self.linear + size_bytes * self.square)
        return max(found_s, 0.0)

    def busy_s(self, size_bytes: float) -> float:
        """Return the seconds for which the link can send nothing else."""
        return max(self.transfer_s(size_bytes) - max(self.constant_s, 0.0), 0.0)


@dataclass(frozen=True, slots=True)
class TableTransfer:
    """Measured points, joined by straight lines.

    Below the first point its seconds count; above the last the last slope goes on, but does not
    fall.

    Attributes:
        points: (bytes, seconds) by rising bytes, at least one.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        sizes = [size for size, _ in self.points]
        if not sizes or sizes != sorted(set(sizes)):
            raise ValueError("a transfer table needs points of rising size")
        if not all(math.isfinite(s) and math.isfinite(t) and t >= 0 for s, t in self.points):
            raise ValueError("a transfer table must be finite and not negative")

    def transfer_s(self, size_bytes: float) -> float:
        """Return the seconds that so many bytes need on an idle link."""
        after = bisect_right(self.points, size_bytes, key=lambda point: point[0])
        if after == 0 or len(self.points) == 1:
            return self.points[0][1]
        (low, low_s), (high, high_s) = self.points[min(after, len(self.points) - 1) - 1 :][:2]
        slope = (high_s - low_s) / (high - low)
        if after == len(self.points):
            return high_s + (size_bytes - high) * max(slope, 0.0)
        return low_s + (size_bytes - low) * slope

    def busy_s(self, size_bytes: float) -> float:
        """Return the seconds for which the link can send nothing else."""
        return max(self.transfer_s(size_bytes) - self.points[0][1], 0.0)
