"""What goes wrong in a simulated world, and when."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from jupiter.errors import Fault, InputError
from jupiter.kit.rng import Stream
from jupiter.model.events import Connected, Gone
from jupiter.model.ids import NodeId
from jupiter.simulator.host import Host
from jupiter.simulator.network import Weather
from jupiter.simulator.world import World

FaultKind = Literal[
    "crash",
    "power",
    "vanish",
    "pause",
    "isolate",
    "cut",
    "clog",
    "slow",
    "weather",
    "join",
    "rot",
    "full",
]
"""``crash``: the agent dies and is started again. ``power``: the computer does, and loses what was
not synced. ``vanish``: it never comes back. ``pause``: the agent stands still. ``isolate``: nothing
goes in or out. ``cut``: nothing goes from one node to another. ``clog``: it comes later. ``slow``:
executions take longer. ``weather``: messages are lost, doubled and late everywhere. ``join``: a
node comes that was not there before. ``rot``: one file on a disk cannot be read any more, as soon
as there is one in the time. ``full``: a disk takes nothing, or with a size: only records."""


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One thing that goes wrong.

    Attributes:
        kind: See `FaultKind`.
        start_s: When.
        length_s: How long.
        node: Where; the sender of a link.
        peer: The receiver of a link.
        size: How bad, for ``slow`` (times) and ``weather`` (share of messages).
    """

    kind: FaultKind
    start_s: float
    length_s: float = 0.0
    node: NodeId = NodeId("")
    peer: NodeId = NodeId("")
    size: float = 0.0

    def __str__(self) -> str:
        where = f" {self.node}{'->' + self.peer if self.peer else ''}" if self.node else ""
        size = f" x{self.size:.3g}" if self.size else ""
        return f"{self.start_s:.3f} s +{self.length_s:.3f} s {self.kind}{where}{size}"


ROT_S = 0.02
"""After so long a disk without a file is looked at again for one that can rot."""

_FORM = re.compile(
    r"(?P<kind>[a-z]+)(:(?P<node>[^@+>]+?)(->(?P<peer>[^@+]+?))?)?"
    r"@(?P<start>[0-9.]+)(\+(?P<length>[0-9.]+))?(x(?P<size>[0-9.]+))?"
)
_NEEDS = {"cut": "link", "clog": "link", "weather": "size", "slow": "size"}


def read_fault(text: str, nodes: Collection[NodeId]) -> InjectedFault:
    """Return the fault in a text such as ``crash:edge1@2+1.5`` or ``weather@0+10x0.05``.

    Args:
        text: ``KIND:NODE@START+LENGTH`` or ``KIND:A->B@START+LENGTH``, with ``xSIZE`` behind it for
            ``slow`` and ``weather``; all times in seconds.
        nodes: That exist.

    Raises:
        InputError: It has another form, or names no such node.
    """
    match = _FORM.fullmatch(text)
    kinds = get_args(FaultKind)
    try:
        if match is None or match["kind"] not in kinds:
            raise ValueError("this says not what goes wrong")
        kind, node, peer = match["kind"], match["node"] or "", match["peer"] or ""
        times = {name: float(match[name] or 0) for name in ("start", "length", "size")}
        if (kind in ("cut", "clog")) != bool(peer) or (kind == "weather") == bool(node):
            raise ValueError(f"{kind} needs {_NEEDS.get(kind, 'a node')}")
        if kind in ("slow", "weather") and not times["size"]:
            raise ValueError(f"{kind} needs a size")
        if kind == "weather" and times["size"] >= 1:
            raise ValueError("weather is a share of the messages, below 1")
        unknown = [name for name in (node, peer) if name and name not in nodes]
        if unknown:
            raise ValueError(f"there is no node {unknown[0]}")
    except ValueError as error:
        raise InputError(
            Fault(
                str(error),
                got=text,
                expected=f"KIND:NODE@START+LENGTH; kinds are {', '.join(kinds)}",
                remedy="write crash:n1@2+1, cut:n1->n2@0+5, weather@0+10x0.05 or slow:n1@1+5x3",
            )
        ) from None
    return InjectedFault(
        kind,  # type: ignore[arg-type]
        times["start"],
        times["length"],
        NodeId(node),
        NodeId(peer),
        times["size"],
    )


def random_faults(
    count: int, nodes: Sequence[NodeId], within_s: float, draw: Stream
) -> tuple[InjectedFault, ...]:
    """Return faults that hit a stream at random, each for about a tenth of its time."""
    kinds: tuple[FaultKind, ...] = (
        *("crash", "power", "pause", "isolate", "slow", "weather", "rot", "full"),
    )
    faults = []
    for _ in range(count):
        kind = kinds[int(draw.random() * len(kinds))]
        node = nodes[int(draw.random() * len(nodes))]
        size = {"slow": 4.0, "weather": 0.05}.get(kind, 0.0)
        start_s = within_s * draw.random()
        length_s = within_s * 0.2 * draw.random()
        where = NodeId("") if kind == "weather" else node
        faults.append(InjectedFault(kind, start_s, length_s, where, size=size))
    return tuple(sorted(faults, key=lambda fault: fault.start_s))


class Injector:
    """Makes faults happen in a world, and counts those that did.

    Args:
        world: With a random stream to draw from.
        refused: Share of the crashed agents whose death home learns of at once, as their computers
            still answer.
    """

    def __init__(self, world: World, refused: float = 1.0) -> None:
        self._world = world
        self._refused = refused
        self.done: dict[str, int] = dict.fromkeys(get_args(FaultKind), 0)
        self.slowness: dict[NodeId, float] = {}
        """How many times longer executions take, by node."""

    def plan(self, faults: Iterable[InjectedFault]) -> None:
        """Let faults happen at their times."""
        for fault in faults:
            self._world.at(fault.start_s, self._begin, fault)

    def _begin(self, fault: InjectedFault) -> None:
        host = self._world.hosts.get(fault.node)
        end_s = self._world.now + fault.length_s
        if fault.kind == "rot" and host is not None:
            self._rot(host, end_s)
        elif (host is not None and self._hit(host, fault, end_s)) or self._disturb(fault, end_s):
            self.done[fault.kind] += 1

    def _hit(self, host: Host, fault: InjectedFault, end_s: float) -> bool:
        """Let a fault of one host begin; return whether it is one, and did."""
        world = self._world
        match fault.kind:
            case "crash" | "power" if host.is_up:
                host.crash(is_power_cut=fault.kind == "power")
                world.at(end_s, host.restart)
                if fault.kind == "crash":
                    self._refuse(host)
            case "vanish" if host.is_up:
                host.vanish()
            case "pause" if host.is_up:
                host.pause(fault.length_s)
            case "join" if not host.is_up:
                host.start()
            case "full" if not host.is_gone:
                host.fill(fault.length_s, has_room_for_records=bool(fault.size))
            case _:
                return False
        return True

    def _disturb(self, fault: InjectedFault, end_s: float) -> bool:
        """Let a fault of links or tasks begin; return whether it is one."""
        world = self._world
        match fault.kind:
            case "isolate":
                for other in world.hosts:
                    if other != fault.node:
                        self._cut(fault.node, other, end_s)
                        self._cut(other, fault.node, end_s)
            case "cut":
                self._cut(fault.node, fault.peer, end_s)
            case "clog":
                world.links.clogged_s[fault.node, fault.peer] = end_s
            case "slow":
                self.slowness[fault.node] = fault.size
                world.at(end_s, self._quicken, fault.node)
            case "weather":
                world.links.weather = Weather(fault.size, fault.size, fault.size)
                world.at(end_s, self._clear)
            case _:
                return False
        return True

    def _refuse(self, host: Host) -> None:
        """Let home find out soon that nobody listens there."""
        world = self._world
        home = world.hosts[host.config.home]
        draw = world.draw
        if host is home or draw is None or draw.random() >= self._refused:
            return
        world.at(world.now + 0.001 + 0.02 * draw.random(), self._tell_gone, host, home)

    def _tell_gone(self, host: Host, home: Host) -> None:
        cut = self._world.links.cut
        is_heard = not (cut.get((home.name, host.name)) or cut.get((host.name, home.name)))
        if is_heard and not host.is_up and not host.is_gone and not home.is_paused:
            home.tell(Gone(host.name))

    def _rot(self, host: Host, end_s: float) -> None:
        world = self._world
        if host.rot():
            self.done["rot"] += 1
        elif world.now < end_s:
            world.at(world.now + ROT_S, self._rot, host, end_s)

    def _cut(self, source: NodeId, target: NodeId, end_s: float) -> None:
        cut = self._world.links.cut
        cut[source, target] = cut.get((source, target), 0) + 1
        self._world.at(end_s, self._mend, source, target)

    def _mend(self, source: NodeId, target: NodeId) -> None:
        cut = self._world.links.cut
        cut[source, target] -= 1
        host = self._world.hosts.get(source)
        if not cut[source, target] and host is not None:
            host.tell(Connected(target))

    def _quicken(self, node: NodeId) -> None:
        self.slowness.pop(node, None)

    def _clear(self) -> None:
        self._world.links.weather = replace(
            self._world.links.weather, loss=0, doubled=0, jitter_s=0
        )
