"""From a fault and a seed to everything that happens by design: graph, nodes, workload, moments."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from campaign.real.lab import Disk
from jupiter.kit.rng import Stream
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
        failpoints: By node, where its first agent dies.
        wrap: Names of what is changed in the agents; see `campaign.real.naive`.
        detour: What a proxy before a node does; see `campaign.real.proxy`.
        may_refuse: Data of home are damaged: it may say so and end, but not go on with them.
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
    failpoints: dict[NodeId, str] = field(default_factory=dict)
    wrap: tuple[str, ...] = ()
    detour: tuple[str, ...] = ()
    may_refuse: bool = False

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


def layers(draw: Stream) -> Graph:
    """Return a graph at random."""
    parents: Graph = {}
    for k in range(4 + int(draw.random() * 4)):
        parents[f"t{k}"] = tuple(name for name in list(parents)[-3:] if draw.random() < 0.5)
    return parents
