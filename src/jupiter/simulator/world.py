"""Virtual time: what happens when, and what the network makes of it.

Events come from one heap, in the order of their times; what happens by chance is drawn from one
recorded seed. So the same world gives the same history, to the last event.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupiter.control.config import NodeConfig
from jupiter.kit.rng import Stream
from jupiter.model import actions as act
from jupiter.model import words
from jupiter.model.events import Connected
from jupiter.model.ids import NodeId
from jupiter.simulator.contents import Content
from jupiter.simulator.network import Links
from jupiter.simulator.recorded import Recorded
from jupiter.simulator.tasks import TaskModel

if TYPE_CHECKING:
    from jupiter.simulator.host import Host

SENDING_MAX = 1000
"""Words whose end of sending is remembered, before old ones are looked for."""

Heap = list[tuple[float, int, Callable[..., None], tuple[Any, ...]]]


class World:
    """Time, network and hosts.

    Args:
        links: The network.
        tasks: How executions go.
        draw: For what happens by chance; None where nothing does.
        is_watched: Contents of files are modelled.
    """

    def __init__(
        self,
        links: Links,
        tasks: TaskModel,
        draw: Stream | None = None,
        *,
        is_watched: bool = False,
    ) -> None:
        self.now = 0.0
        self.links = links
        self.tasks = tasks
        self.draw = draw
        self.is_watched = is_watched
        self.hosts: dict[NodeId, Host] = {}
        self.recorded = Recorded()
        self.events = 0
        self.trace: Callable[[str], None] | None = None
        self._heap: Heap = []
        self._counter = 0
        self._sending: dict[tuple[NodeId, NodeId, int], float] = {}
        """When words will have left their sender; one that has not is not sent again."""

    def add(self, kind: Callable[..., Host], config: NodeConfig, **kinds: Any) -> Host:
        """Put a host into the world; it starts when it is told.

        Args:
            kind: `Host`, or what else makes one of this world, the config and the rest.
            config: Of its node.
            kinds: How it is; see `Host`.
        """
        host = kind(self, config, **kinds)
        self.hosts[config.node] = host
        return host

    def at(self, time_s: float, do: Callable[..., None], *args: Any) -> None:
        """Do something at a time that is not past."""
        self._counter += 1
        heapq.heappush(self._heap, (time_s, self._counter, do, args))

    def run(self, until_s: float = float("inf"), is_over: Callable[[], bool] | None = None) -> None:
        """Go on to a time, or until nothing more can happen or nothing more is asked for."""
        heap = self._heap
        pop = heapq.heappop
        while heap and heap[0][0] <= until_s:
            self.now, _, do, args = pop(heap)
            self.events += 1
            do(*args)
            if is_over is not None and is_over():
                return

    def ask_again(self, asker: NodeId, sender: NodeId) -> None:
        """Have a host say again what it was saying to another, if the network lets it know."""
        host = self.hosts[sender]
        for arrive_s in self.links.arrivals(asker, sender, 0.0, self.now):
            self.at(arrive_s, host.tell, Connected(asker))

    def transmit(self, sender: Host, send: act.Transmit) -> None:
        """Bring a word to another host, as far as the network lets it."""
        word = send.word
        target = self.hosts.get(send.node)
        if target is None:
            return
        size = 0.0
        body: tuple[Content, ...] = ()
        if type(word) is words.Deliver:
            size = self.tasks.size_bytes(word.delivery)
            if self.is_watched:
                body = sender.files.outputs(send.refs)
        args = (sender.name, send.number, word, body, size, self.now)
        if self.draw is None:
            arrive_s = self.links.arrival(sender.name, send.node, size, self.now)
            self._counter += 1
            heapq.heappush(self._heap, (arrive_s, self._counter, target.receive, args))
            return
        key = sender.name, send.node, send.number
        if size and self._sending.get(key, 0.0) > self.now:
            return
        for arrive_s in self.links.arrivals(sender.name, send.node, size, self.now):
            self.at(arrive_s, target.receive, *args)
        if size:
            if len(self._sending) > SENDING_MAX:
                self._sending = {k: end for k, end in self._sending.items() if end > self.now}
            self._sending[key] = self.links.free_s(sender.name, send.node)
