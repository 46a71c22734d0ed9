"""Makes seeded packet summaries with known anomalies: the demo and tests need no outside data.

One capture is generated and cut into consecutive items of the same number of packets. Anomalies
are put into it at random times and written down beside it in ``ground_truth.json``.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

START_S = 1_500_000_000.0
SLICE_S = 150.0
"""Length of one item at the usual rate."""
PULSE_S = 12.0
"""Anomalous traffic comes for so long, then pauses as long."""
HEADER = "!IPSummaryDump 1.3\n!data timestamp ip_src sport ip_dst dport ip_len ip_proto tcp_flags\n"
SERVICES = (80, 443, 53, 25, 22, 123, 993, 8080)
KINDS = ("host-scan", "spam", "distributed-flood")


@dataclass(frozen=True)
class Anomaly:
    """Traffic that should be found.

    Attributes:
        kind: ``host-scan`` (one host tries the ports of very many), ``spam`` (one host sends mail
            to very many) or ``distributed-flood`` (very many hosts send to one).
        host: The address that stands out: the sender, or the receiver of a distributed flood.
        start_s: First packet, seconds since 1970.
        end_s: Last packet.
        item: Index of the item that it starts in.
    """

    kind: str
    host: str
    start_s: float
    end_s: float
    item: int


@dataclass(frozen=True)
class Traffic:
    """A capture in items, and what is hidden in it."""

    items: tuple[str, ...]
    anomalies: tuple[Anomaly, ...]


class _Hosts:
    """Addresses of which few are popular (Zipf)."""

    def __init__(self, rng: random.Random, count: int) -> None:
        self.names = sorted({_address(rng) for _ in range(count)}, key=lambda _: rng.random())
        weights = [1 / (rank + 4) for rank in range(len(self.names))]
        self._sums = list(itertools.accumulate(weights))
        self._rng = rng

    def pick(self) -> str:
        at = self._rng.random() * self._sums[-1]
        return self.names[min(bisect.bisect(self._sums, at), len(self.names) - 1)]


def _address(rng: random.Random) -> str:
    return f"10.{rng.randrange(1, 250)}.{rng.randrange(250)}.{rng.randrange(1, 250)}"


def generate(
    seed: int, items: int, packets: int, share: float = 0.5, host_count: int = 60
) -> Traffic:
    """Return traffic; the same arguments give the same bytes on every machine.

    Args:
        seed: Fixes everything.
        items: How many.
        packets: In each item.
        share: Part of the items that an anomaly starts in, 0 to 1.
        host_count: Addresses of the usual traffic.
    """
    rng = random.Random(seed)
    hosts = _Hosts(rng, host_count)
    gap_s = SLICE_S / packets
    lines: list[str] = []
    anomalies = []
    now_s = START_S
    for item in range(items):
        wanted = (item + 1) * packets
        burst: list[tuple[float, str]] = []
        if rng.random() < share:
            start_s = now_s + rng.uniform(0.05, 0.15) * SLICE_S
            kind = KINDS[rng.randrange(len(KINDS))]
            host, burst = _burst(rng, kind, start_s, packets)
            anomalies.append(Anomaly(kind, host, burst[0][0], burst[-1][0], item))
        waiting = iter(burst)
        pending = next(waiting, None)
        while len(lines) < wanted:
            now_s += rng.expovariate(1 / gap_s)
            while pending is not None and pending[0] <= now_s and len(lines) < wanted:
                lines.append(f"{pending[0]:.6f} {pending[1]}\n")
                pending = next(waiting, None)
            if len(lines) < wanted:
                lines.append(f"{now_s:.6f} {_usual(rng, hosts)}\n")
    cut = range(0, items * packets, packets)
    return Traffic(
        tuple(HEADER + "".join(lines[first : first + packets]) for first in cut),
        tuple(anomalies),
    )


def _usual(rng: random.Random, hosts: _Hosts) -> str:
    client, server = hosts.pick(), hosts.pick()
    while server == client:
        server = hosts.pick()
    service = SERVICES[min(int(rng.expovariate(0.7)), len(SERVICES) - 1)]
    port = rng.randrange(1024, 65536)
    if service in (53, 123):
        size, protocol, flags = rng.randrange(60, 200), "U", "-"
    else:
        flags = rng.choice(("S", "SA", "A", "A", "A", "PA", "PA", "FA"))
        size, protocol = (rng.randrange(200, 1500) if flags == "PA" else 40), "T"
    if rng.random() < 0.5:
        return f"{client} {port} {server} {service} {size} {protocol} {flags}"
    return f"{server} {service} {client} {port} {size} {protocol} {flags}"


def _burst(
    rng: random.Random, kind: str, start_s: float, packets: int
) -> tuple[str, list[tuple[float, str]]]:
    """Return the host that stands out and its packets: half of an item, in four pulses."""
    count = packets // 2
    times = sorted(
        start_s + rng.randrange(4) * 2 * PULSE_S + rng.random() * PULSE_S for _ in range(count)
    )
    one = _address(rng)
    texts = []
    for _ in times:
        other, port = _address(rng), rng.randrange(1024, 65536)
        match kind:
            case "host-scan":
                texts.append(f"{one} {port} {other} {rng.choice(SERVICES)} 40 T S")
            case "spam":
                texts.append(f"{one} {port} {other} 25 {rng.randrange(600, 1500)} T PA")
            case _:
                texts.append(f"{other} {port} {one} 80 40 T S")
    return one, list(zip(times, texts, strict=True))


def write(traffic: Traffic, folder: Path) -> Iterator[Path]:
    """Write ``1botnet.ipsum``, ``2botnet.ipsum``, … and ``ground_truth.json``; yield the items."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(traffic.items, start=1):
        path = folder / f"{number}botnet.ipsum"
        path.write_text(text)
        yield path
    truth = [asdict(anomaly) for anomaly in traffic.anomalies]
    (folder / "ground_truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 1,000,000")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 1")
    return number


def main(arguments: list[str] | None = None) -> None:
    """Write traffic to a folder."""
    parser = argparse.ArgumentParser(description="make packet summaries with known anomalies")
    parser.add_argument("--items", type=_count, default=100, help="files to write")
    parser.add_argument("--packets", type=_count, default=1000, help="packets in each")
    parser.add_argument("--anomalies", type=_share, default=0.5, help="share of items with one")
    parser.add_argument("--seed", type=int, default=1, help="fixes everything")
    parser.add_argument("--out", type=Path, required=True, help="folder, made where missing")
    options = parser.parse_args(arguments)
    traffic = generate(options.seed, options.items, options.packets, options.anomalies)
    try:
        count = sum(1 for _ in write(traffic, options.out))
    except OSError as error:
        parser.error(f"cannot write to {options.out}: {error.strerror}")
    print(
        f"{count} items with {len(traffic.anomalies)} anomalies in {options.out}", file=sys.stderr
    )


if __name__ == "__main__":
    main()
