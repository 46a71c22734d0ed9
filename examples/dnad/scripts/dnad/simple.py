"""Finds hosts that send or get far more packets than the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import fmean, pstdev

from dnad.packets import BIN_S, Packet


def anomalies(packets: Iterable[Packet]) -> Iterator[str]:
    """Yield ``flow;start;end`` for busy hosts, looking at one packet a time bin.

    A host is busy when its packets, sent and received, exceed the mean over all hosts by two
    population standard deviations. The bin moves by one width for each packet looked at, so after
    a quiet time several packets in a row are looked at until it has caught up.
    """
    seen = list(packets)
    counts = Counter(packet.source for packet in seen)
    counts.update(packet.target for packet in seen)
    if not counts:
        return
    limit = fmean(counts.values()) + 2 * pstdev(counts.values())
    bin_s = 0.0
    for packet in seen:
        if packet.time_s <= bin_s + BIN_S:
            continue
        bin_s = bin_s or packet.time_s
        window = f"{bin_s:.6f};{bin_s + BIN_S:.6f}"
        if counts[packet.source] > limit:
            yield f"{packet.source}:* *:*;{window}"
        if counts[packet.target] > limit:
            yield f"*:* {packet.target}:*;{window}"
        bin_s += BIN_S
