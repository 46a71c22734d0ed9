"""From single measurements to profiles."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import TypeVar

from jupiter.costs.execution import execution_profile
from jupiter.costs.fit import fit_transfer
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId
from jupiter.model.profile import (
    ExecutionSample,
    LinkProfile,
    Profiles,
    ResourceSample,
    TransferSample,
)

K = TypeVar("K")
V = TypeVar("V")


def gather(
    executions: Iterable[ExecutionSample],
    edge_bytes: Iterable[tuple[Edge, int]],
    transfers: Iterable[TransferSample],
    resources: Iterable[ResourceSample] = (),
) -> Profiles:
    """Return what follows from all samples, in the order in which things were first measured.

    Args:
        executions: Timed executions.
        edge_bytes: Bytes that one item sent along an edge, ``@in`` and ``@out`` included.
        transfers: Timed transfers.
        resources: Loads; the newest of a node counts, of equally old ones the last.

    Raises:
        ValueError: A number is not finite, or negative where that cannot be.
    """
    times = _group(((each.task, each.node), each.seconds) for each in executions)
    pairs = _group(
        ((each.source, each.target), (each.size_bytes, each.seconds)) for each in transfers
    )
    newest = sorted(resources, key=lambda each: each.time_s)
    return Profiles(
        executions={key: execution_profile(*key, seconds) for key, seconds in times.items()},
        edge_bytes={edge: float(median(sizes)) for edge, sizes in _group(edge_bytes).items()},
        links={key: _link(*key, samples) for key, samples in pairs.items()},
        resources={each.node: each for each in newest},
    )


def _link(source: NodeId, target: NodeId, samples: list[tuple[int, float]]) -> LinkProfile:
    model, residual = fit_transfer(samples)
    return LinkProfile(source, target, model, residual, len(samples))


def _group(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
