"""Measurements as they would be on a changed network: what if this link were twice as fast?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal, get_args

from jupiter.errors import Fault, InputError
from jupiter.model.ids import NodeId
from jupiter.model.network import Network
from jupiter.model.profile import Profiles
from jupiter.model.transfer import TransferModel

Kind = Literal["link", "latency", "node", "task"]
"""``link``: bandwidth. ``latency``: 2 halves it. ``node``: speed. ``task``: speed of a task on all
nodes. In all of them a larger factor is faster."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that becomes faster.

    Attributes:
        kind: What.
        name: Of the node or task, ``source->target`` of a link; all of them where it is empty.
        factor: How many times faster; below 1 is slower.
    """

    kind: Kind
    name: str
    factor: float

    def __str__(self) -> str:
        what = f"{self.kind}:{self.name}" if self.name else self.kind
        return f"{what}={self.factor:g}"


def read_changes(text: str) -> tuple[Change, ...]:
    """Return what a text such as ``link:a->b=0.5,1,2`` varies, one change a factor.

    Raises:
        InputError: The text has another form.
    """
    what, _, numbers = text.partition("=")
    kind, _, name = what.partition(":")
    factors = []
    for word in numbers.split(","):
        try:
            factors.append(float(word))
        except ValueError:
            factors.append(0.0)
    if kind not in get_args(Kind) or not all(isfinite(f) and f > 0 for f in factors):
        raise InputError(
            Fault(
                "this says not what to vary",
                got=text,
                expected=f"{', '.join(get_args(Kind))}; then :NAME or nothing; then =FACTORS",
                remedy="write link=0.5,1,2 or node:edge1=2 or link:a->b=0.1",
            )
        )
    return tuple(Change(kind, name, factor) for factor in factors)  # type: ignore[arg-type]


def apply(network: Network, profiles: Profiles, change: Change) -> tuple[Network, Profiles]:
    """Return network and measurements with one change.

    Raises:
        InputError: It names nothing that exists.
    """
    f = change.factor
    if change.kind in ("link", "latency"):
        return _links(network, profiles, change)
    if change.kind == "node":
        _check(change, [node.name for node in network.nodes])

        def is_meant(task: str, node: str) -> bool:
            return change.name in ("", node)

        network = replace(
            network,
            nodes=tuple(
                replace(node, speed=node.speed * f) if is_meant("", node.name) else node
                for node in network.nodes
            ),
        )
        return network, _executions(profiles, is_meant, f)
    _check(change, sorted({task for task, _ in profiles.executions}))
    return network, _executions(profiles, lambda task, node: change.name in ("", task), f)


def _executions(profiles: Profiles, is_meant: Callable[[str, str], bool], f: float) -> Profiles:
    return replace(
        profiles,
        executions={
            key: replace(found, median_s=found.median_s / f, stdev_s=found.stdev_s / f)
            if is_meant(*key)
            else found
            for key, found in profiles.executions.items()
        },
    )


def _links(network: Network, profiles: Profiles, change: Change) -> tuple[Network, Profiles]:
    _check(change, [f"{link.source}->{link.target}" for link in network.links])
    f = change.factor

    def is_meant(source: NodeId, target: NodeId) -> bool:
        return change.name in ("", f"{source}->{target}")

    def changed(model: TransferModel) -> TransferModel:
        if change.kind == "latency":
            return TransferModel(model.latency_s / f, model.seconds_per_byte)
        return TransferModel(model.latency_s, model.seconds_per_byte / f)

    links = tuple(
        link
        if not is_meant(link.source, link.target)
        else replace(link, latency_s=link.latency_s / f)
        if change.kind == "latency"
        else replace(link, bandwidth_bytes_per_s=link.bandwidth_bytes_per_s * f)
        for link in network.links
    )
    measured = {
        pair: replace(found, model=changed(found.model)) if is_meant(*pair) else found
        for pair, found in profiles.links.items()
    }
    return replace(network, links=links), replace(profiles, links=measured)


def _check(change: Change, known: list[str]) -> None:
    if change.name and change.name not in known:
        raise InputError(
            Fault(
                f"there is no such {change.kind} to vary",
                got=change.name,
                expected=", ".join(known[:12]),
                remedy="name one of these, or none for all",
            )
        )
