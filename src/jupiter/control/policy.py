"""Which node runs a task of an item: one question, and the policies that answer it.

A policy is asked by the node that the view names for the task. It gets what is known of the loads
of the nodes; a policy that wants to know more names the nodes that are to be asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import msgspec

from jupiter.kit.registry import Registry
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.view import Load


class Question(msgspec.Struct, frozen=True):
    """Where shall this run?

    Attributes:
        candidates: Members of the view that may run the task, in the order of the view.
        own: The node that the view names for the task; one of the candidates.
    """

    task: TaskId
    item: ItemId
    candidates: tuple[NodeId, ...]
    own: NodeId


class PlacementPolicy(Protocol):
    """Answers where a task of an item runs."""

    is_static: bool
    """Always the node that the view names, so nobody needs to ask."""
    asks_first: bool
    """The candidates are asked for their loads before each choice, with a deadline; else the loads
    that nodes push of their own accord are good enough."""

    def choose(self, question: Question, loads: Mapping[NodeId, Load]) -> NodeId:
        """Return one of the candidates.

        Args:
            question: What is to be placed.
            loads: The newest known load of each candidate, what was placed there since included;
                idle where nothing is known.
        """
        ...


class StaticPlacement:
    """The schedule's mapping, the same for every item."""

    is_static = True
    asks_first = False

    def choose(self, question: Question, loads: Mapping[NodeId, Load]) -> NodeId:
        """Return the node that the view names."""
        return question.own


class LeastLoaded:
    """The node with the fewest executions a core; the view's own where it is as good as any."""

    is_static = False
    asks_first = False

    def choose(self, question: Question, loads: Mapping[NodeId, Load]) -> NodeId:
        """Return the least loaded candidate."""

        def key(node: NodeId) -> tuple[float, bool]:
            load = loads.get(node, Load())
            return (load.queued + load.running) / load.cores, node != question.own

        return min(question.candidates, key=key)


class LeastLoadedNow(LeastLoaded):
    """As `LeastLoaded`, but every candidate is asked when an item comes."""

    asks_first = True


POLICIES = Registry(
    kind="placement policy",
    group="jupiter.policies",
    built_in={
        "static": "jupiter.control.policy:StaticPlacement",
        "least-loaded": "jupiter.control.policy:LeastLoaded",
        "least-loaded-now": "jupiter.control.policy:LeastLoadedNow",
    },
)


def make_policy(name: str) -> PlacementPolicy:
    """Return a new policy.

    Raises:
        InputError: None has this name, or it cannot be imported.
    """
    return cast("type[PlacementPolicy]", POLICIES.find(name))()
