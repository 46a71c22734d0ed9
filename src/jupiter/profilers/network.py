"""Times transfers of several sizes over every link, through the path that items take (DRUPE)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from jupiter.costs.fit import fit_transfer
from jupiter.errors import RunError
from jupiter.home.controller import Controller
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.network import Network
from jupiter.model.profile import TransferSample

SIZES_BYTES = (1_000, 16_000, 64_000, 256_000)
"""Small ones show the latency, large ones the bandwidth; the largest still leaves a slow link
free for other traffic after a moment."""
REPEATS = 3
PROBE_S_MAX = 0.5
"""Sizes that a link would need longer for are left out, as the smaller ones tell enough."""


def rounds(network: Network) -> Iterator[list[tuple[NodeId, NodeId]]]:
    """Yield the links in rounds in which no node sends twice or receives twice.

    So the probes of a round run at the same time without meeting on a node's own line.
    """
    names = [node.name for node in network.nodes]
    for shift in range(1, len(names)):
        pairs = [(name, names[(k + shift) % len(names)]) for k, name in enumerate(names)]
        yield [pair for pair in pairs if pair in network.by_pair]


async def measure_links(
    controller: Controller,
    network: Network,
    *,
    repeats: int = REPEATS,
    on_link: Callable[[], None] = lambda: None,
) -> list[TransferSample]:
    """Return timed transfers over every link of a network.

    Args:
        controller: Connected to all nodes.
        network: Its links are probed.
        repeats: Transfers of each size.
        on_link: Called for every link that is done.

    Raises:
        RunError: A link does not work.
    """

    async def measure(source: NodeId, target: NodeId) -> list[TransferSample]:
        samples: list[TransferSample] = []
        for size in SIZES_BYTES:
            if samples and _expected_s(samples, size) > PROBE_S_MAX:
                break
            try:
                probed = await controller.order(
                    source,
                    lambda n, size=size: msg.ProbeLink(n, target, (size,) * repeats),  # type: ignore[misc]
                    msg.Probed,
                )
            except RunError as error:
                raise RunError(f"link {source} -> {target} cannot be measured: {error}") from error
            samples += _samples(controller, source, target, probed)
        on_link()
        return samples

    found: list[TransferSample] = []
    for pairs in rounds(network):
        for samples in await asyncio.gather(*(measure(*pair) for pair in pairs)):
            found += samples
    return found


def _expected_s(samples: list[TransferSample], size_bytes: int) -> float:
    """Return how long a larger transfer will take, from what was measured so far."""
    model, _ = fit_transfer((each.size_bytes, each.seconds) for each in samples)
    return model.transfer_s(size_bytes)


def _samples(
    controller: Controller, source: NodeId, target: NodeId, probed: msg.Probed
) -> list[TransferSample]:
    shift_s = controller.clock_offset_s(source) - controller.clock_offset_s(target)
    return [
        TransferSample(source, target, size, max(0.0, arrived_s - sent_s + shift_s))
        for size, sent_s, arrived_s, _ in probed.times
    ]
