"""Finds flows whose volumes change together (ASTUTE).

Source: Silveira, Diot, Taft, Govindan 2010, doi:10.1145/1851182.1851215, with the departures of the
program that the recorded results come from: the first bin is twice as long, and the confidence term
of every level uses the number of flows of the last one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dnad.packets import BIN_S, Packet

K_LIMIT = 3.0
FLOWS_FIRST = 25
FLOWS_MAX = 100
LOW_PORT = 100
"""Well-known ports below this are never named as an anomaly of their own."""

Key = tuple[str | int, ...]
Volumes = dict[Key, list[int]]
"""Packets and bytes of every flow of one level in one bin."""

LEVELS: tuple[Callable[[Packet], Key], ...] = (
    lambda p: (p.source, p.target, p.source_port, p.target_port, p.protocol),
    lambda p: (p.source, p.target),
    lambda p: (p.source,),
    lambda p: (p.target,),
    lambda p: (p.source_port,),
    lambda p: (p.target_port,),
)
"""From single flows to ports: how packets are put together."""
PORT_LEVELS = (4, 5)


class _Level(NamedTuple):
    """How one level changed from a bin to the next: by flow, with mean, spread and K, by volume."""

    deltas: dict[Key, tuple[int, int]]
    mean: tuple[float, float]
    spread: tuple[float, float]
    k: tuple[float, float]


def anomalies(packets: Iterable[Packet]) -> Iterator[str]:
    """Yield ``flow;start;end`` for every flow that explains an anomalous change."""
    bin_s = 0.0
    current: list[Volumes] = [defaultdict(lambda: [0, 0]) for _ in LEVELS]
    previous: list[Volumes] | None = None
    for packet in packets:
        if packet.time_s > bin_s + BIN_S:
            if not bin_s:
                bin_s = packet.time_s
            else:
                if previous is not None:
                    yield from _evaluate(previous, current, bin_s)
                previous = current
            current = [defaultdict(lambda: [0, 0]) for _ in LEVELS]
            bin_s += BIN_S
        for volumes, key_of in zip(current, LEVELS, strict=True):
            volume = volumes[key_of(packet)]
            volume[0] += 1
            volume[1] += packet.size_bytes


def _evaluate(previous: list[Volumes], current: list[Volumes], bin_s: float) -> Iterator[str]:
    levels = [_change(*pair) for pair in zip(previous, current, strict=True)]
    window = f"{bin_s:.6f};{bin_s + BIN_S:.6f}"
    found: dict[str, None] = {}
    for kind in (0, 1):
        bound = _bound(levels, kind)
        if bound:
            level, flows = _explain(levels, kind, bound)
            for flow in flows:
                found[_describe(level, flow)] = None
    for text in found:
        yield f"{text};{window}"


def _change(previous: Volumes, current: Volumes) -> _Level:
    none = (0, 0)
    deltas = {}
    for key in {**previous, **current}:
        after, before = current.get(key, none), previous.get(key, none)
        deltas[key] = (after[0] - before[0], after[1] - before[1])
    count = len(deltas)
    mean = (
        sum(delta[0] for delta in deltas.values()) / count if count else 0.0,
        sum(delta[1] for delta in deltas.values()) / count if count else 0.0,
    )
    spread = tuple(
        math.sqrt(sum((delta[kind] - mean[kind]) ** 2 for delta in deltas.values()) / count)
        if count
        else 0.0
        for kind in (0, 1)
    )
    k = tuple(_k(mean[kind], spread[kind], count) for kind in (0, 1))
    return _Level(deltas, mean, (spread[0], spread[1]), (k[0], k[1]))


def _k(mean: float, spread: float, count: int) -> float:
    if spread:
        return mean * math.sqrt(count) / spread
    return math.copysign(math.inf, mean) if mean else math.nan


def _bound(levels: list[_Level], kind: int) -> float:
    """Return the change to be explained; 0 where no level is anomalous."""
    bound = 0.0
    root = math.sqrt(len(levels[-1].deltas))
    for level in levels:
        if abs(level.k[kind]) > K_LIMIT:
            term = K_LIMIT * level.spread[kind] * root
            bound = max(level.mean[kind] - term, level.mean[kind] + term, key=abs)
    return bound


def _explain(levels: list[_Level], kind: int, bound: float) -> tuple[int, list[Key]]:
    """Return the first normal level of which few flows make up the change, and those flows."""
    normal = [n for n, level in enumerate(levels) if abs(level.k[kind]) <= K_LIMIT]
    top = FLOWS_FIRST
    totals = dict.fromkeys(normal, 0)
    flows: dict[int, list[Key]] = {n: [] for n in normal}
    left = {n: _ordered(levels[n], kind, bound) for n in normal}
    while top < FLOWS_MAX:
        for n in normal:
            taken = 0
            while abs(totals[n]) < abs(bound) and taken < top and left[n]:
                key = left[n].pop()
                taken += 1
                if n in PORT_LEVELS and isinstance(key[0], int) and key[0] < LOW_PORT:
                    continue
                totals[n] += levels[n].deltas[key][kind]
                flows[n].append(key)
        for n in normal:
            if abs(totals[n]) >= abs(bound):
                return n, flows[n]
        top *= 2
    return 0, []


def _ordered(level: _Level, kind: int, bound: float) -> list[Key]:
    """Return the flows so that the one with the most change in the bound's direction is last."""
    sign = 1 if bound > 0 else -1
    return sorted(
        level.deltas, key=lambda key: (sign * level.deltas[key][kind], tuple(map(str, key)))
    )


def _describe(level: int, key: Key) -> str:
    """Return a flow as ``source:port target:port``, with ``*`` for what the level leaves open."""
    match level:
        case 0:
            source, target, source_port, target_port = key[:4]
            return f"{source}:{source_port or '*'} {target}:{target_port or '*'}"
        case 1:
            return f"{key[0]}:* {key[1]}:*"
        case 2:
            return f"{key[0]}:* *:*"
        case 3:
            return f"*:* {key[0]}:*"
        case 4:
            return f"*:{key[0] or '*'} *:*"
        case _:
            return f"*:* *:{key[0] or '*'}"
