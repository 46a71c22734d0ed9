"""What was measured: single samples, and what was concluded from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.transfer import TransferModel


@dataclass(frozen=True, slots=True)
class ExecutionSample:
    """One execution of a task on a node.

    Attributes:
        seconds: From the moment its inputs and a core were there to its last output.
        input_bytes: Sum of its input files.
        output_bytes: Sum of its output files.
    """

    task: TaskId
    node: NodeId
    seconds: float
    input_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class TransferSample:
    """One timed transfer over a link, through the path that items take.

    Attributes:
        seconds: From the call to the complete arrival, on the receiver's side of the clock.
    """

    source: NodeId
    target: NodeId
    size_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ResourceSample:
    """Load of a node at one moment.

    Attributes:
        time_s: Wall time, seconds since 1970.
        cpu_fraction: Busy share of all processors, 0 to 1.
        memory_fraction: Used share of the memory, 0 to 1.
        memory_bytes: All memory of the node.
        cores: Processors that the operating system shows.
    """

    node: NodeId
    time_s: float
    cpu_fraction: float
    memory_fraction: float
    memory_bytes: int
    cores: int


@dataclass(frozen=True, slots=True)
class ExecutionProfile:
    """Run time of a task on a node.

    Attributes:
        median_s: The middle of the samples: one slow outlier does not move it.
        stdev_s: Sample standard deviation; 0 for a single sample.
        samples: How many there were.
    """

    task: TaskId
    node: NodeId
    median_s: float
    stdev_s: float
    samples: int


@dataclass(frozen=True, slots=True)
class LinkProfile:
    """What was measured of a link.

    Attributes:
        model: Best non-negative fit of the samples.
        residual: Median of the relative errors of the fit, 0 to 1 and more.
        samples: How many there were.
    """

    source: NodeId
    target: NodeId
    model: TransferModel
    residual: float
    samples: int


@dataclass(frozen=True)
class Profiles:
    """Everything measured about an application on a network.

    Attributes:
        executions: By (task, node); a missing pair was not measured.
        edge_bytes: Median bytes that one item sends along each edge; edges from ``@in`` and to
            ``@out`` included.
        links: By (source, target); a missing pair has no link or was not measured.
        resources: Newest sample by node.
    """

    executions: Mapping[tuple[TaskId, NodeId], ExecutionProfile]
    edge_bytes: Mapping[Edge, float]
    links: Mapping[tuple[NodeId, NodeId], LinkProfile]
    resources: Mapping[NodeId, ResourceSample] = field(default_factory=dict)
