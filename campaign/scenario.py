"""From a seed to everything that happens by design: graph, nodes, workload, faults.

Every seed leaves some kinds of fault out, so that their combinations differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from jupiter.control.config import Level
from jupiter.control.plan import with_batchers
from jupiter.kit.rng import Stream, stream
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.simulator.faults import InjectedFault

HOME = NodeId("home")
RAGE_S = 4.0
"""Faults begin within this time."""
HEAL_S = 8.0
"""By then all of them have ended."""
DEADLINE_S = 128.0
"""By then every accepted item must have ended, and nothing may be left behind."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a seed means.

    Attributes:
        seed: It came from this one.
        plans: Of the tasks, in topological order.
        preferred: Where the schedule wants them.
        cores: By node; home is not among them, and has one.
        late: Nodes that only come later.
        level: As for `NodeConfig`.
        placement: As for `NodeConfig`.
        is_ordered: As for `NodeConfig`.
        in_flight_max: As for `NodeConfig`.
        items: How many enter.
        interval_s: Between two of them.
        latency_s: Of all links.
        bandwidth_bytes_per_s: Of all links.
        sync_s: Of all disks.
        rates: How fast the clock of each node goes.
        durations_s: Of each task.
        flaky: Attempts at each task that fail before one does not.
        poisonous: Tasks that fail for good, for some items.
        stingy: Tasks that give no output, for some items, or too few where they scatter.
        hanging: Tasks whose first attempt never ends.
        memory_bytes_max: As for `NodeConfig`.
        credit_max: As for `NodeConfig`.
        failed_starts: As for `Host`, by node.
        faults: What goes wrong.
        flooding: Tasks whose outputs keep a link busy for a second.
        refused: As for `Injector`.
        is_compacting: As for `Host`.
    """

    seed: int
    plans: tuple[TaskPlan, ...]
    preferred: dict[TaskId, NodeId]
    cores: dict[NodeId, int]
    late: tuple[NodeId, ...]
    level: Level
    placement: str
    is_ordered: bool
    in_flight_max: int
    items: int
    interval_s: float
    latency_s: float
    bandwidth_bytes_per_s: float
    sync_s: float
    rates: dict[NodeId, float]
    durations_s: dict[TaskId, float]
    flaky: dict[TaskId, int]
    poisonous: tuple[TaskId, ...]
    stingy: tuple[TaskId, ...]
    hanging: tuple[TaskId, ...]
    memory_bytes_max: int
    credit_max: int
    failed_starts: dict[NodeId, int]
    faults: tuple[InjectedFault, ...]
    flooding: tuple[TaskId, ...]
    refused: float
    is_compacting: bool

    def __str__(self) -> str:
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "plans":
                value = "; ".join(
                    f"{p.name}({','.join(p.parents)}){'*' if p.is_scatter else ''}" for p in value
                )
            elif field.name == "faults":
                value = "".join(f"\n    {fault}" for fault in value) or "none"
            lines.append(f"  {field.name}: {value}")
        return "\n".join(lines)


def pick(draw: Stream, values: Sequence[T]) -> T:
    """Return one of several; the same on every version of Python."""
    return values[int(draw.random() * len(values))]


def between(draw: Stream, low: float, high: float) -> float:
    """Return a number from a range, small ones as likely as large ones in their order."""
    return float(low * (high / low) ** draw.random())


def make(seed: int) -> Scenario:
    """Return what a seed means."""
    draw = stream(seed, "campaign")
    nodes = [NodeId(f"n{k}") for k in range(2 + int(draw.random() * 4))]
    late = tuple(nodes[-1:]) if len(nodes) > 2 and draw.random() < 0.15 else ()
    first = [node for node in nodes if node not in late]
    plans = _graph(draw, nodes, stream(seed, "scatters"))
    level: Level = pick(draw, ("hop", "hop", "ingress", "ingress", "none"))
    names = [plan.name for plan in plans]
    items = 3 + int(draw.random() * 6)
    interval_s = pick(draw, (0.0, 0.05, 0.3))
    durations_s = {name: between(draw, 0.005, 0.4) for name in names}
    # Faults should meet a stream that flows: about as long as the longest chain of work takes.
    rage_s = min(RAGE_S, 0.2 + items * max(interval_s, 0.5 * max(durations_s.values())))
    return Scenario(
        seed=seed,
        plans=plans,
        preferred={
            plan.name: pick(draw, [n for n in (HOME, *first) if n in plan.nodes]) for plan in plans
        },
        cores={node: 1 + int(draw.random() * 3) for node in nodes},
        late=late,
        level=level,
        placement=pick(draw, ("static", "static", "static", "least-loaded", "least-loaded-now")),
        is_ordered=draw.random() < 0.25,
        in_flight_max=1 + int(draw.random() * 6),
        items=items,
        interval_s=interval_s,
        latency_s=between(draw, 0.0002, 0.05),
        bandwidth_bytes_per_s=between(draw, 1e4, 1e8),
        sync_s=between(draw, 0.0002, 0.05),
        rates={node: 1 + 0.1 * (draw.random() - 0.5) for node in (HOME, *nodes)},
        durations_s=durations_s,
        flaky={name: 1 + int(draw.random() * 2) for name in names if draw.random() < 0.1},
        poisonous=tuple(name for name in names if draw.random() < 0.04),
        stingy=tuple(p.name for p in plans if draw.random() < (0.8 if p.is_scatter else 0.04)),
        hanging=tuple(name for name in names if draw.random() < 0.03),
        memory_bytes_max=pick(draw, (0, 0, 300)),
        credit_max=pick(draw, (1, 3, 64)),
        failed_starts={node: 1 + int(draw.random() * 3) for node in nodes if draw.random() < 0.05},
        faults=_faults(draw, nodes, late, level, rage_s),
        flooding=tuple(name for name in names if draw.random() < 0.04),
        refused=pick(draw, (0.0, 0.5, 1.0)),
        is_compacting=draw.random() < 0.5,
    )


def _graph(draw: Stream, nodes: list[NodeId], scatters: Stream) -> tuple[TaskPlan, ...]:
    """Return a chain, a diamond, fan-outs that scatter, two sinks, or layers at random."""
    kinds = ("chain", "diamond", "diamond", "scatter", "wide scatter", "two sinks", "layers")
    kind = pick(draw, kinds)
    parents: dict[str, tuple[str, ...]]
    if kind == "chain":
        parents = {"a": (), "b": ("a",), "c": ("b",)}
    elif kind == "diamond":
        parents = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    elif kind == "scatter":
        parents = {"a": (), "b": ("a",), "c": ("b",), "d": ("b",), "e": ("c", "d")}
        if draw.random() < 0.3:
            parents["e"] = ("c", "a")
    elif kind == "wide scatter":  # batches, single items and results of both meet at the sink
        parents = {"a": (), "b": ("a",), "c": ("b",), "d": ("b",), "e": ("a",)}
        if draw.random() < 0.4:
            parents |= {"f": ("c",), "g": ("e", "f")}
    elif kind == "two sinks":
        parents = {"a": (), "b": ("a",), "c": ("a",), "d": ("c",)}
    else:
        parents = {}
        for k in range(4 + int(draw.random() * 5)):
            before = list(parents)[-4:]
            parents[f"t{k}"] = tuple(n for n in before if draw.random() < 0.5)
    scattering = {"b"} if "scatter" in kind else set()
    if scatters.random() < 0.1:  # two that scatter, one behind the other or side by side
        parents = {"a": (), "b": ("a",), "c": ("b",), "d": ("b",), "e": ("a",)}
        if scatters.random() < 0.5:
            parents |= {"f": ("c",), "g": ("c",), "h": ("f", "g")}
            scattering = {"b", "c"}
        else:
            parents |= {"f": ("e",), "g": ("e",)}
            scattering = {"b", "e"}
    children = {name: [c for c, ps in parents.items() if name in ps] for name in parents}
    plans = []
    for rank, (name, above) in enumerate(parents.items()):
        is_narrow = draw.random() < 0.2
        plans.append(
            TaskPlan(
                name=TaskId(name),
                parents=tuple(map(TaskId, above)) or (INGRESS,),
                children=tuple(map(TaskId, children[name])) or (SINK,),
                is_scatter=name in scattering,
                rank=rank,
                cores=1 + int(draw.random() * 1.2),
                retries=3,
                timeout_s=6.0,
                nodes=(
                    *((HOME,) if draw.random() < 0.1 else ()),
                    *(nodes if not is_narrow else nodes[:-1] or nodes),
                ),
            )
        )
    return with_batchers(plans)


def _faults(
    draw: Stream, nodes: list[NodeId], late: tuple[NodeId, ...], level: Level, rage_s: float
) -> tuple[InjectedFault, ...]:
    """Return what goes wrong: a few kinds, each at a few moments."""
    kinds = ["crash", "pause", "isolate", "cut", "clog", "slow", "weather", "full"]
    if level != "none":
        kinds += ["power", "home crash", "rot"]
    kinds = [kind for kind in kinds if draw.random() < 0.4] or ["crash"]
    faults = [InjectedFault("join", rage_s * draw.random(), node=node) for node in late]
    there = [node for node in nodes if node not in late]
    for _ in range(1 + int(draw.random() * 6)):
        kind = pick(draw, kinds)
        node = pick(draw, there)
        peer = pick(draw, [n for n in (HOME, *there) if n != node])
        start_s = rage_s * draw.random()
        length_s = between(draw, 0.02, HEAL_S - RAGE_S)
        faults += _some(draw, kind, node, peer, (start_s, length_s))
    if draw.random() < 0.25:  # all but the first may go for good, and that one can run every task
        share = draw.random()
        for node in there[1:]:
            if draw.random() < share:
                faults.append(InjectedFault("vanish", rage_s * draw.random(), node=node))
    return tuple(sorted(faults, key=lambda fault: fault.start_s))


def _some(
    draw: Stream, kind: str, node: NodeId, peer: NodeId, times: tuple[float, float]
) -> list[InjectedFault]:
    """Return what goes wrong at a node, on a link to a peer, or at home instead."""
    start_s, length_s = times
    match kind:
        case "home crash":
            sort = "power" if draw.random() < 0.5 else "crash"
            return [InjectedFault(sort, start_s, length_s, HOME)]  # type: ignore[arg-type]
        case "cut" | "clog":
            if draw.random() < 0.5:
                node, peer = peer, node
            return [InjectedFault(kind, start_s, length_s, node, peer)]
        case "slow":
            return [InjectedFault("slow", start_s, length_s, node, size=between(draw, 2, 20))]
        case "weather":
            return [InjectedFault("weather", start_s, length_s, size=between(draw, 0.02, 0.3))]
        case "pause" | "rot" | "full":
            who = HOME if draw.random() < (0.4 if kind == "rot" else 0.2) else node
            size = float(kind == "full" and draw.random() < 0.5)
            faults = [InjectedFault(kind, start_s, length_s, who, size=size)]
            if kind == "full" and who != HOME and draw.random() < 0.5:
                # Somebody makes room, and starts it again, in this order or the other.
                then_s = max(start_s, start_s + length_s + draw.random() - 0.5)
                faults.append(InjectedFault("crash", min(then_s, HEAL_S - 0.2), 0.1, who))
            return faults
        case _:
            return [InjectedFault(kind, start_s, length_s, node)]  # type: ignore[arg-type]
