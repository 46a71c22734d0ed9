"""The other nodes, as this one reaches them: a link to each, and what they called us on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from jupiter.agent.identity import PEERS, write_safely
from jupiter.agent.link import PeerLink
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.owner import Owner
from jupiter.agent.status import Traffic
from jupiter.aio.channel import Channel
from jupiter.aio.clock import monotonic_s
from jupiter.aio.tls import Tls
from jupiter.errors import TransferError
from jupiter.model import messages as msg
from jupiter.model import words
from jupiter.model.ids import NodeId

PROBE_S_MAX = 60.0
"""A probe that is not acknowledged by then has failed."""
_ANSWERS = (words.Ack, words.Status, words.Placed, words.Quote)
"""These go back the way that the other node's words come in on, where there is one: it is not
shaped, and there even where the network has no link in this direction."""


class Peers:
    """All ways that lead away from this node.

    Args:
        node: This one.
        token: Secret of the run.
        tls: Where connections are encrypted.
        folder: Of the agent; the addresses are kept in it for its next life.
        traffic: Counts what goes where.
        owner: What links tell.
    """

    def __init__(
        self,
        node: NodeId,
        token: bytes,
        tls: Tls | None,
        folder: Path,
        traffic: Mapping[NodeId, Traffic],
        owner: Owner,
    ) -> None:
        self._node = node
        self._token = token
        self._tls = tls
        self._folder = folder
        self._traffic = traffic
        self._owner = owner
        self._links: dict[NodeId, PeerLink] = {}
        self._callers: dict[NodeId, Channel] = {}
        self._probes: dict[int, asyncio.Future[float]] = {}
        self._probe_number = 0

    def restore(self) -> None:
        """Go on with the addresses that an earlier process was told."""
        with suppress(OSError, msgspec.MsgspecError):
            peers = msgspec.json.decode((self._folder / PEERS).read_bytes(), type=msg.SetPeers)
            self._links = self._links_to(peers)

    async def set(self, order: msg.SetPeers) -> None:
        """Take other addresses; links about which nothing has changed stay."""
        write_safely(self._folder / PEERS, msgspec.json.encode(order))
        old, self._links = self._links, self._links_to(order)
        for node, link in old.items():
            if self._links.get(node) is not link:
                await link.close()

    async def close(self) -> None:
        """Close all links."""
        for link in self._links.values():
            await link.close()

    def called(self, channel: Channel) -> None:
        """Note that a peer speaks to us on a channel."""
        self._callers[channel.peer] = channel

    def hung_up(self, channel: Channel) -> None:
        """Note that a channel is closed."""
        if self._callers.get(channel.peer) is channel:
            del self._callers[channel.peer]

    def post(self, node: NodeId, out: Outgoing) -> None:
        """Send a message to another node, as far as the way to it works."""
        message = out.message
        if isinstance(message, msg.Again | msg.Spoilt) or (
            isinstance(message, msg.Say) and isinstance(message.word, _ANSWERS)
        ):
            caller = self._callers.get(node)
            if caller is not None and caller.is_open:
                caller.send(message)
                return
        link = self._links.get(node)
        is_delivery = isinstance(message, msg.Say) and isinstance(message.word, words.Deliver)
        if link is None or (is_delivery and not link.is_data):
            self._owner.on_broken(f"node {self._node} has no link to node {node}")
            return
        self._traffic[node].send(out.size_bytes)
        link.post(out)

    def hear(self, node: NodeId, message: msg.Got | msg.Spoilt | msg.There) -> None:
        """Take what a peer says of something that was sent to it."""
        match message:
            case msg.Got(number=number, at_s=at_s):
                arrival = self._probes.get(number)
                if arrival is not None and not arrival.done():
                    arrival.set_result(at_s)
            case msg.There() if node in self._links:
                self._links[node].there(message)
            case msg.Spoilt() if node in self._links:
                self._links[node].spoilt(message)

    async def probe(self, order: msg.ProbeLink) -> msg.Probed:
        """Measure how long bodies of some sizes take to a peer.

        Raises:
            TransferError: There is no such link, or nobody answers.
        """
        link = self._links.get(order.target)
        if link is None or not link.is_data:
            raise TransferError(f"node {self._node} has no link to node {order.target}")
        times = []
        for size in order.sizes:
            self._probe_number += 1
            number = self._probe_number
            arrival = self._probes[number] = asyncio.get_running_loop().create_future()
            sent_s = monotonic_s()
            try:
                link.post(Outgoing(msg.Probe(number, sent_s), size, data=os.urandom(size)))
                arrived_s = await asyncio.wait_for(arrival, PROBE_S_MAX)
            except TimeoutError:
                raise TransferError(f"node {order.target} cannot be reached") from None
            finally:
                del self._probes[number]
            times.append((size, sent_s, arrived_s, monotonic_s()))
        return msg.Probed(order.id, tuple(times))

    def _links_to(self, order: msg.SetPeers) -> dict[NodeId, PeerLink]:
        """Return links to all peers: those that there are, where nothing about them has changed."""
        same = {
            peer.node: self._links[peer.node]
            for peer in order.peers
            if peer.node in self._links and self._links[peer.node].peer == peer
        }
        return same | {
            peer.node: PeerLink(peer, self._node, self._token, self._owner, self._tls)
            for peer in order.peers
            if peer.node not in same
        }
