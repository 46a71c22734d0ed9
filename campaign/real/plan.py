"""From a fault and a seed to everything that happens by design: graph, nodes, workload, moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from campaign.real.lab import Disk
from campaign.scenario import between, pick
from jupiter.kit.rng import Stream, stream
from jupiter.model.app import Application, FunctionRun, Task
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Link, Network, Node
from jupiter.model.schedule import Assignment, Schedule

HOME = NodeId("home")
LIMIT_S = 40.0
"""A trial that has not ended by then is late; without faults it takes two seconds or three."""

Level = Literal["none", "ingress", "hop"]
Graph = dict[str, tuple[str, ...]]
"""The parents of every task, in topological order."""


@dataclass(frozen=True, kw_only=True)
class Injection:
    """One thing that goes wrong.

    Attributes:
        kind: What; see `campaign.real.faults`.
        node: Where.
        after_items: It comes when so many items have ended,
        delay_s: and this later.
        length_s: After which it is taken back; 0 where it is not.
        size: How strong, in the unit of its kind.
    """

    kind: str
    node: NodeId = NodeId("")
    after_items: int = 0
    delay_s: float = 0.0
    length_s: float = 0.0
    size: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a fault and a seed mean.

    Attributes:
        fault: Id of the fault.
        seed: Decides the rest.
        shape: Name of the graph.
        parents: Of every task.
        scatter: The task that deals its outputs out, or nothing.
        ways: Of each task; see `campaign.real.tasks`.
        preferred: Where the schedule wants each task.
        cores: Of each worker.
        items: How many are offered.
        interval_s: Between two offers.
        level: As in `RunSettings`.
        placement: As above.
        is_ordered: As above.
        in_flight_max: As above.
        disk: What the nodes' folders are.
        mbit: Rate of every cable; 0 is no limit.
        injections: What goes wrong from outside.
    """

    fault: str
    seed: int
    shape: str
    parents: Graph
    scatter: str
    ways: dict[str, dict[str, Any]]
    preferred: dict[str, NodeId]
    cores: dict[NodeId, int]
    items: int
    interval_s: float
    level: Level = "none"
    placement: str = "static"
    is_ordered: bool = False
    in_flight_max: int = 16
    disk: Disk = "plain"
    mbit: int = 0
    injections: tuple[Injection, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "injections":
                value = "".join(f"\n    {one}" for one in value) or "none"
            elif each.name == "ways":
                value = "".join(f"\n    {task}: {ways}" for task, ways in value.items())
            lines.append(f"  {each.name}: {value}")
        return "\n".join(lines)

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """All nodes, home first."""
        return (HOME, *self.cores)

    def children(self, task: str) -> tuple[TaskId, ...]:
        """Return the children of a task."""
        return tuple(TaskId(c) for c, above in self.parents.items() if task in above)

    def application(self, root: str) -> Application:
        """Return the application whose code lies in a folder."""
        tasks = []
        for name in self.parents:
            children = self.children(name)
            tasks.append(
                Task(
                    TaskId(name),
                    FunctionRun("work", name),
                    children,
                    is_sink=not children,
                    route="scatter" if name == self.scatter else "broadcast",
                    retries=self.ways[name].get("retries", 3),
                    timeout_s=10.0,
                )
            )
        return Application("trial", root, tuple(tasks))

    def network(self) -> Network:
        """Return the nodes, all linked with each other; the limits of cables are real ones."""
        nodes = [Node(HOME, "home"), *(Node(n, cores=c) for n, c in self.cores.items())]
        links = [Link(a, b) for a in self.nodes for b in self.nodes if a != b]
        return Network("trial", tuple(nodes), tuple(links))

    def schedule(self) -> Schedule:
        """Return where the tasks begin."""
        places = [Assignment(TaskId(t), node, 0.0, 0.0) for t, node in self.preferred.items()]
        return Schedule("trial", tuple(places))


def dnad() -> Graph:
    """Return the shape of the detector of network anomalies: 14 tasks."""
    parents: Graph = {"local": ()}
    parents |= {f"aggregate{k}": ("local",) for k in range(3)}
    for k in range(3):
        parents |= {f"simple{k}": (f"aggregate{k}",), f"astute{k}": (f"aggregate{k}",)}
    parents |= {f"fusion{k}": (f"simple{k}", f"astute{k}") for k in range(3)}
    return parents | {"global": ("fusion0", "fusion1", "fusion2")}


CHAIN: Graph = {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}
DIAMOND: Graph = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
FAN: Graph = {"a": (), "b": ("a",), "c": ("b",), "d": ("b",), "e": ("c", "d")}


def _layers(draw: Stream) -> Graph:
    parents: Graph = {}
    for k in range(4 + int(draw.random() * 4)):
        parents[f"t{k}"] = tuple(name for name in list(parents)[-3:] if draw.random() < 0.5)
    return parents


def _base(fault: str, seed: int, draw: Stream) -> dict[str, Any]:
    """Return a workload in which nothing goes wrong yet."""
    shape = pick(draw, ("chain", "diamond", "diamond", "dnad", "scatter", "layers"))
    graphs = {"chain": CHAIN, "diamond": DIAMOND, "dnad": dnad(), "scatter": FAN}
    parents = graphs.get(shape) or _layers(draw)
    scatter = "b" if shape == "scatter" else ""
    is_big = draw.random() < 0.2 and shape != "dnad"
    ways: dict[str, dict[str, Any]] = {}
    for name in parents:
        ways[name] = {"seconds": round(between(draw, 0.002, 0.02), 4)}
        if name == scatter:
            ways[name] |= {"many": 2, "stingy": pick(draw, (0.0, 0.5))}
        elif draw.random() < 0.15:
            ways[name]["many"] = 2
        if is_big:
            ways[name]["padding_bytes"] = int(between(draw, 1e4, 4e5))
    if draw.random() < 0.2 and not scatter:
        ways[pick(draw, list(parents))]["fails"] = 0.1
    if draw.random() < 0.2 and not scatter:
        ways[pick(draw, list(parents))]["stingy"] = 0.2
    nodes = [NodeId(f"n{k}") for k in range(1, 4 + int(draw.random() * 2))]
    items = 20 + int(draw.random() * (20 if shape == "dnad" else 40))
    return {
        "fault": fault,
        "seed": seed,
        "shape": shape,
        "parents": parents,
        "scatter": scatter,
        "ways": ways,
        "preferred": {name: pick(draw, nodes) for name in parents},
        "cores": {node: 1 + int(draw.random() * 3) for node in nodes},
        "items": items,
        "interval_s": pick(draw, (0.0, 0.01, 0.03)),
        "placement": pick(draw, ("static", "static", "least-loaded")),
        "is_ordered": not scatter and draw.random() < 0.25,
        "in_flight_max": pick(draw, (4, 8, 16)),
        "mbit": pick(draw, (100, 400)) if is_big else 0,
    }


def _moment(draw: Stream, base: dict[str, Any], *, until: float = 0.6) -> dict[str, Any]:
    """Return a moment while the stream flows."""
    after = 1 + int(draw.random() * until * base["items"])
    return {"after_items": after, "delay_s": round(0.05 * draw.random(), 4)}


def _busy(draw: Stream, base: dict[str, Any]) -> NodeId:
    """Return a worker that has tasks."""
    busy: list[NodeId] = list(dict.fromkeys(base["preferred"].values()))
    return pick(draw, busy)


def _at_nodes(
    kind: str, times: int, length_s: tuple[float, float] = (0, 0)
) -> Callable[[Stream, dict[str, Any]], None]:
    """Return what adds a fault of a kind at up to so many moments, on busy workers."""

    def add(draw: Stream, base: dict[str, Any]) -> None:
        low, high = length_s
        base["injections"] = tuple(
            Injection(
                kind=kind,
                node=_busy(draw, base),
                length_s=round(between(draw, low, high), 3) if high else 0.0,
                **_moment(draw, base),
            )
            for _ in range(1 + int(draw.random() * times))
        )

    return add


def _kill(draw: Stream, base: dict[str, Any]) -> None:
    _at_nodes("kill", 1)(draw, base)
    base["items"] = max(base["items"], 30)
    base["interval_s"] = max(base["interval_s"], 0.01)


def _task_dies(draw: Stream, base: dict[str, Any]) -> None:
    how = pick(draw, ("SIGKILL", "SIGSEGV", "SIGABRT", "1", "77", "255", "memory"))
    name = pick(draw, list(base["parents"]))
    base["ways"][name] |= {"dies": how, "dies_share": pick(draw, (0.1, 0.5)), "retries": 5}
    if draw.random() < 0.5:
        _at_nodes("kill worker", 3)(draw, base)
        for ways in base["ways"].values():
            ways["retries"] = 8


def _reset(draw: Stream, base: dict[str, Any]) -> None:
    for ways in base["ways"].values():
        ways["padding_bytes"] = int(between(draw, 2e4, 2e5) / len(base["ways"]) * 4)
    base |= {"mbit": pick(draw, (50, 100)), "interval_s": 0.0}
    _at_nodes("reset", 4, (0.02, 0.3))(draw, base)


def _burst(draw: Stream, base: dict[str, Any]) -> None:
    name = pick(draw, list(base["parents"]))
    base["ways"][name]["seconds"] = 0.03
    base |= {
        "interval_s": 0.0,
        "items": 120 if base["shape"] != "dnad" else 60,
        "placement": "static",
    }
    hot = _busy(draw, base)
    base["cores"][hot] = 1
    base["injections"] = (Injection(kind="burst", size=base["items"]),)


def _poison(draw: Stream, base: dict[str, Any]) -> None:
    name = pick(draw, list(base["parents"]))
    base["ways"][name] |= {
        "dies": pick(draw, ("SIGKILL", "SIGSEGV", "9")),
        "dies_share": 0.1,
        "dies_always": True,
        "retries": 2,
    }


@dataclass(frozen=True)
class Kind:
    """One fault of the campaign.

    Attributes:
        what: In words, for the report.
        slice: Trials in every run of the tests.
        change: Changes a workload so that the fault meets it.
    """

    what: str
    slice: int
    change: Callable[[Stream, dict[str, Any]], None]


KINDS: dict[str, Kind] = {
    "F01": Kind("an agent is killed", 30, _kill),
    "F03": Kind("the process of a task dies", 15, _task_dies),
    "F09": Kind("an agent stands still for 0.2 to 3 s", 12, _at_nodes("pause", 2, (0.2, 3.0))),
    "F13": Kind("a node is cut off for 0.1 to 3 s", 10, _at_nodes("unplug", 2, (0.1, 3.0))),
    "F14": Kind("a node is heard no more, or hears no more", 10, _at_nodes("drop", 2, (0.1, 3.0))),
    "F21": Kind("connections are reset while they carry something", 10, _reset),
    "F44": Kind("everything comes at once, and one node is slow", 4, _burst),
    "F46": Kind("an item kills the process of every attempt", 5, _poison),
}


def make(fault: str, seed: int) -> Trial:
    """Return what a fault and a seed mean."""
    draw = stream(seed, "real", fault)
    base = _base(fault, seed, draw)
    KINDS[fault].change(draw, base)
    return Trial(**base)
