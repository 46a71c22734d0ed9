"""Reads quantities such as ``10 Mbit/s`` into SI numbers, and prints SI numbers for people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_DECIMAL = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_BYTES = {
    **{f"{prefix}B": factor for prefix, factor in {**_DECIMAL, **_BINARY}.items()},
    **{f"{prefix}bit": factor / 8 for prefix, factor in {**_DECIMAL, **_BINARY}.items()},
}
_RATES = {f"{unit}/s": factor for unit, factor in _BYTES.items()}
_QUANTITY = re.compile(r"\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?)\s*([^\s\d]*)\s*")


def _read(text: str, units: Mapping[str, float], what: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise ValueError(f"not {what}; write a number and a unit, such as {example!r}")
    number, unit = match.groups()
    if unit not in units:
        known = ", ".join(units)
        missing = "has no unit" if not unit else f"unknown unit {unit!r}"
        raise ValueError(f"{missing}; write {what} such as {example!r} (units: {known})")
    value = float(number) * units[unit]
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{what} must be finite and not negative")
    return value


def read_seconds(text: str) -> float:
    """Return a duration such as ``"5 ms"`` in seconds.

    Raises:
        ValueError: The text has no unit, an unknown one, or is negative; the message says which.
    """
    return _read(text, _SECONDS, "a duration", "5 ms")


def read_bytes(text: str) -> int:
    """Return a size such as ``"10 MiB"`` or ``"8 Mbit"`` in whole bytes.

    Raises:
        ValueError: As `read_seconds`.
    """
    return round(_read(text, _BYTES, "a size", "10 MiB"))


def read_bytes_per_s(text: str) -> float:
    """Return a rate such as ``"50 Mbit/s"`` or ``"6 MB/s"`` in bytes per second.

    Raises:
        ValueError: As `read_seconds`.
    """
    return _read(text, _RATES, "a rate", "50 Mbit/s")


def show_seconds(value_s: float) -> str:
    """Return a duration with three figures and a fitting unit."""
    if not math.isfinite(value_s):
        return "∞" if value_s > 0 else "n/a"
    size = abs(value_s)
    if size >= 120:
        return f"{value_s / 60:.1f} min"
    if size >= 1:
        return f"{value_s:.3g} s" if size < 100 else f"{value_s:.0f} s"
    if size >= 1e-3:
        return f"{value_s * 1e3:.3g} ms"
    return f"{value_s * 1e6:.3g} µs" if size else "0 s"


def _show_scaled(value: float, unit: str) -> str:
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def show_bytes(value_bytes: float) -> str:
    """Return a size with three figures and a decimal unit."""
    return _show_scaled(value_bytes, "B")


def show_bytes_per_s(value_bytes_per_s: float) -> str:
    """Return a rate in bits per second, as links are sold."""
    if math.isinf(value_bytes_per_s):
        return "unlimited"
    return _show_scaled(value_bytes_per_s * 8, "bit/s")
