"""Fits transfer times to a model that can never be negative, whatever was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

from jupiter.model.transfer import TransferModel

LATENCY_EQUIVALENT_BYTES = 25_000
"""Bytes that a common link (10 Mbit/s, 20 ms) sends during its latency; see `fit_transfer`."""
_MS_PER_S = 1000.0
_KBIT_PER_BYTE = 8.0 / 1024.0
"""The seeds fit over probe sizes, which count 1,024 bytes as one KB and 8 Kbit for each."""
_SEED_PROBES_BYTES = tuple(1024 * 10**k for k in range(5))
_SINGULAR = 1e-12
_CLOCK_S = 1e-9


def fit_transfer(samples: Iterable[tuple[int, float]]) -> tuple[TransferModel, float]:
    """Return the latency and seconds per byte that explain timed transfers best.

    Of each size the median time is taken, so one outlier among three moves nothing. The fit
    minimises the sum of squared *relative* errors (weights 1/t²), so a slow outlier among the
    medians counts little too. Both parameters are non-negative: with two of them the optimum is
    the free line where that is allowed, else the better of the two with one parameter 0.

    Args:
        samples: Pairs of size in bytes and seconds; at least one. Sizes whose median time is below
            1 ns were faster than the clock can tell and are left out; where nothing is left,
            transfers are free. A single size s gives no slope: of its time the share
            s / (s + 25,000 B) is put down to the bytes and the rest to the latency, so a short
            probe tells of the latency and a long one of the bandwidth. Equal times at all sizes
            are all latency.

    Returns:
        The model, and the median relative error of the medians.

    Raises:
        ValueError: There is no sample, or a size is negative, or a number is not finite.
    """
    points = _medians(samples)
    if not points:
        return TransferModel(0.0, 0.0), 0.0
    if len(points) == 1:
        size, seconds = points[0]
        share_s = seconds / (size + LATENCY_EQUIVALENT_BYTES)
        return TransferModel(share_s * LATENCY_EQUIVALENT_BYTES, share_s), 0.0
    candidates = [(_only_latency(points), 0.0), (0.0, _only_rate(points)), _line(points)]
    allowed = [pair for pair in candidates if pair[0] >= 0 and pair[1] >= 0]
    latency_s, seconds_per_byte = min(allowed, key=lambda pair: _error(points, pair))
    model = TransferModel(latency_s, seconds_per_byte)
    return model, median(abs(model.transfer_s(x) - y) / y for x, y in points)


def seed_parameters(model: TransferModel) -> tuple[float, float, float]:
    """Return a, b, c of the seeds' ``ms = a x² + b x + c``, x in Kbit; a is 0.

    One Kbit is 1,024 bits here, as in the fits of the seeds.
    """
    return 0.0, model.seconds_per_byte * _MS_PER_S / _KBIT_PER_BYTE, model.latency_s * _MS_PER_S


def as_seed_parameters(model: TransferModel) -> str:
    """Return `seed_parameters` as the seeds write them: ``a b c``.

    Reading it back gives the same model but for rounding in the last digit.
    """
    return " ".join(map(repr, seed_parameters(model)))


def from_seed_parameters(text: str) -> TransferModel:
    """Return the model of a link that the seeds describe by a quadratic.

    Without a quadratic or negative part it is taken as it is. Otherwise it is read at the sizes
    that the seeds probe (1 KB to 10 MB) and fitted anew; where the curve falls, a larger transfer
    is taken to need as long as the slowest smaller one, so nonsense never makes a link look fast.

    Args:
        text: Three numbers, separated by blanks.

    Raises:
        ValueError: There are not three finite numbers, or they give no positive time at any
            probed size.
    """
    words = text.split()
    if len(words) != 3:
        raise ValueError(f"a link needs three parameters a b c; {len(words)} given")
    a, b, c = map(float, words)
    if not all(map(math.isfinite, (a, b, c))):
        raise ValueError("the parameters of a link must be finite")
    if a == 0 and b >= 0 and c >= 0:
        return TransferModel(c / _MS_PER_S, b * _KBIT_PER_BYTE / _MS_PER_S)
    times: list[tuple[int, float]] = []
    slowest_s = 0.0
    for size in _SEED_PROBES_BYTES:
        kbit = size * _KBIT_PER_BYTE
        slowest_s = max(slowest_s, (a * kbit * kbit + b * kbit + c) / _MS_PER_S)
        times.append((size, slowest_s))
    if slowest_s == 0:
        raise ValueError(f"the parameters {text.strip()!r} give no positive time at any size")
    return fit_transfer(times)[0]


def _medians(samples: Iterable[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the median time of each size, ascending by size, where the clock can tell it."""
    by_size: dict[int, list[float]] = {}
    for size, seconds in samples:
        if size < 0 or not math.isfinite(seconds):
            raise ValueError(f"not a timed transfer: {size} bytes in {seconds} s")
        by_size.setdefault(size, []).append(seconds)
    if not by_size:
        raise ValueError("no timed transfer to fit")
    points = [(float(size), median(times)) for size, times in sorted(by_size.items())]
    return [(size, seconds) for size, seconds in points if seconds >= _CLOCK_S]


def _error(points: Sequence[tuple[float, float]], pair: tuple[float, float]) -> float:
    return sum(((pair[0] + pair[1] * x - y) / y) ** 2 for x, y in points)


def _only_latency(points: Sequence[tuple[float, float]]) -> float:
    return sum(1 / y for _, y in points) / sum(1 / y**2 for _, y in points)


def _only_rate(points: Sequence[tuple[float, float]]) -> float:
    return sum(x / y for x, y in points) / sum((x / y) ** 2 for x, y in points)


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the weighted least-squares line; a negative one where it is not determined."""
    w = sum(1 / y**2 for _, y in points)
    wx = sum(x / y**2 for x, y in points)
    wy = sum(1 / y for _, y in points)
    wxx = sum((x / y) ** 2 for x, y in points)
    wxy = sum(x / y for x, y in points)
    determinant = w * wxx - wx * wx
    if determinant <= _SINGULAR * w * wxx:
        return -1.0, -1.0
    return (wxx * wy - wx * wxy) / determinant, (w * wxy - wx * wy) / determinant
