"""What a store of measurements must provide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jupiter.model.graph import Edge
from jupiter.model.profile import ExecutionSample, ResourceSample, TransferSample


@dataclass(frozen=True)
class Samples:
    """All that one session of profiling measured.

    Attributes:
        measured_at: Wall time, seconds since 1970.
        edge_bytes: Sizes that one item sent along each edge.
    """

    measured_at: float
    executions: tuple[ExecutionSample, ...]
    edge_bytes: tuple[tuple[Edge, int], ...]
    transfers: tuple[TransferSample, ...]
    resources: tuple[ResourceSample, ...]


class Store(Protocol):
    """Keeps measurements between runs."""

    def add(self, app: str, bundle: str, network: str, samples: Samples) -> None:
        """Keep the measurements of one session, all or none.

        Args:
            app: Name of the application.
            bundle: Digest of its code.
            network: Digest of the network.
            samples: What was measured.
        """

    def newest(self, app: str, bundle: str, network: str | None = None) -> Samples | None:
        """Return the latest measurements of this code on a network, or on any, if there are."""
        ...
