from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pytest

from jupiter.model.graph import TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel


class MakeProblem(Protocol):
    """Builds a problem whose edges carry 1 byte each and whose links need 1 s for it."""

    def __call__(
        self,
        children: Mapping[str, Sequence[str]],
        rows: Mapping[str, Sequence[float | None]],
        *,
        transfer_s: float = 1.0,
        links: Sequence[tuple[int, int]] | None = None,
        cores: Sequence[int] = (),
        pinned: Mapping[str, int] | None = None,
    ) -> Problem: ...


@pytest.fixture
def make_problem() -> MakeProblem:
    """Rows hold seconds on node n0, n1, …; None where the task cannot run; links join all."""

    def make(
        children: Mapping[str, Sequence[str]],
        rows: Mapping[str, Sequence[float | None]],
        *,
        transfer_s: float = 1.0,
        links: Sequence[tuple[int, int]] | None = None,
        cores: Sequence[int] = (),
        pinned: Mapping[str, int] | None = None,
    ) -> Problem:
        count = max(len(row) for row in rows.values())
        nodes = tuple(NodeId(f"n{k}") for k in range(count))
        if links is None:
            links = [(a, b) for a in range(count) for b in range(count) if a != b]
        graph = TaskGraph(
            {
                TaskId(task): tuple(TaskId(child) for child in children.get(task, ()))
                for task in rows
            }
        )
        return Problem(
            graph=graph,
            nodes=nodes,
            execution_s={
                (TaskId(task), node): seconds
                for task, row in rows.items()
                for node, seconds in zip(nodes, row, strict=True)
                if seconds is not None
            },
            edge_bytes=dict.fromkeys(graph.edges, 1.0),
            links={(nodes[a], nodes[b]): TransferModel(0.0, transfer_s) for a, b in links},
            cores=dict(zip(nodes, cores, strict=False)),
            pinned={TaskId(task): nodes[n] for task, n in (pinned or {}).items()},
        )

    return make
