"""Fits transfer times to a model that can never be negative, whatever was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from jupiter.model.profile import TransferModel

_MS_PER_S = 1000.0
_KBIT_PER_BYTE = 8.0 / 1024.0
"""The seeds' probes count 1,024 bytes as one KB, and 8 Kbit for each."""


def fit_transfer(samples: Iterable[tuple[int, float]]) -> tuple[TransferModel, float]:
    """Return the latency and seconds per byte that explain timed transfers best.

    Of each size the median time is taken, so one outlier moves nothing. The fit minimises the sum
    of squared relative errors with both parameters non-negative; with two parameters the optimum
    is the free one, or one of the two where a parameter is 0.

    Args:
        samples: Pairs of size in bytes and seconds. A single size gives no slope: all of its time
            is then latency. No sample at all gives a free transfer.

    Returns:
        The model, and the median relative error of the medians.
    """
    by_size: dict[int, list[float]] = {}
    for size, seconds in samples:
        by_size.setdefault(size, []).append(seconds)
    points = [(float(size), median(times)) for size, times in sorted(by_size.items())]
    points = [(size, seconds) for size, seconds in points if seconds > 0]
    if not points:
        return TransferModel(0.0, 0.0), 0.0
    candidates = [(_only_latency(points), 0.0), (0.0, _only_rate(points)), _free(points)]
    allowed = [pair for pair in candidates if pair[0] >= 0 and pair[1] >= 0]
    latency, rate = min(allowed, key=lambda pair: _error(points, pair))
    model = TransferModel(latency, rate)
    return model, median(abs(model.transfer_s(x) - y) / y for x, y in points)


def _error(points: Sequence[tuple[float, float]], pair: tuple[float, float]) -> float:
    return sum(((pair[0] + pair[1] * x - y) / y) ** 2 for x, y in points)


def _only_latency(points: Sequence[tuple[float, float]]) -> float:
    return sum(1 / y for _, y in points) / sum(1 / y**2 for _, y in points)


def _only_rate(points: Sequence[tuple[float, float]]) -> float:
    weight = sum((x / y) ** 2 for x, y in points)
    return sum(x / y for x, y in points) / weight if weight else 0.0


def _free(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the weighted least-squares line; a negative one where it does not exist."""
    w = sum(1 / y**2 for _, y in points)
    wx = sum(x / y**2 for x, y in points)
    wy = sum(1 / y for _, y in points)
    wxx = sum((x / y) ** 2 for x, y in points)
    wxy = sum(x / y for x, y in points)
    determinant = w * wxx - wx * wx
    if determinant <= 1e-12 * w * wxx:
        return -1.0, -1.0
    return (wxx * wy - wx * wxy) / determinant, (w * wxy - wx * wy) / determinant


def seed_parameters(model: TransferModel) -> tuple[float, float, float]:
    """Return a model as the seeds write it: a, b, c of ``ms = a x² + b x + c``, x in Kbit."""
    return 0.0, model.seconds_per_byte * _MS_PER_S / _KBIT_PER_BYTE, model.latency_s * _MS_PER_S


def from_seed_parameters(a: float, b: float, c: float) -> TransferModel:
    """Return the model of a link that the seeds described by a quadratic.

    The quadratic is read at the sizes the seeds probed (1 KB to 10 MB) and fitted anew, so that
    curves which fall, or predict negative times, become a sane line.
    """
    sizes = [1024 * 10**k for k in range(5)]
    times = [
        (size, (a * (size * _KBIT_PER_BYTE) ** 2 + b * size * _KBIT_PER_BYTE + c) / _MS_PER_S)
        for size in sizes
    ]
    return fit_transfer(times)[0]
