"""Home's side of the channels to the agents: orders and answers, facts as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from jupiter.aio.channel import BodySink, Channel, connect
from jupiter.errors import AgentError, RunError, TaskError, TransferError
from jupiter.interfaces.engine import AgentHandle
from jupiter.kit import framing
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

A = TypeVar("A", msg.Done, msg.Probed, msg.Sampled)
OnFacts = Callable[[NodeId, msg.Facts], None]
OnLost = Callable[[NodeId, str], None]
"""Told the node whose agent is gone, and the whole sentence."""


class Controller:
    """Channels to all agents of a session.

    Args:
        home: Name of the node that home is.
        token: Secret of the session, hexadecimal.
    """

    def __init__(self, home: NodeId, token: str) -> None:
        self.home = home
        self._token = bytes.fromhex(token)
        self._channels: dict[NodeId, Channel] = {}
        self._handles: Mapping[NodeId, AgentHandle] = {}
        self._answers: dict[int, tuple[NodeId, asyncio.Future[msg.AnyMessage]]] = {}
        self._listeners: dict[str, tuple[OnFacts, OnLost]] = {}
        self._next_id = 0
        self._is_closing = False

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """The nodes with an agent."""
        return tuple(self._channels)

    def is_lost(self, node: NodeId) -> bool:
        """Return whether the agent of a node is gone."""
        channel = self._channels.get(node)
        return channel is None or not channel.is_open

    def handle(self, node: NodeId) -> AgentHandle:
        """Return where the agent of a node listens."""
        return self._handles[node]

    def clock_offset_s(self, node: NodeId) -> float:
        """Return the agent's clock minus home's, in seconds."""
        return self._channels[node].clock_offset_s or 0.0

    async def connect(self, handles: Mapping[NodeId, AgentHandle]) -> None:
        """Open a channel to every agent.

        Raises:
            TransferError: One cannot be reached, or does not know the token.
        """
        self._handles = handles
        channels = await asyncio.gather(
            *(
                connect(self, (handle.host, handle.port), self._token, self.home, "control")
                for handle in handles.values()
            )
        )
        self._channels = dict(zip(handles, channels, strict=True))

    def close(self) -> None:
        """Close all channels; the agents end by it."""
        self._is_closing = True
        for channel in self._channels.values():
            channel.close()

    def listen(self, run: str, on_facts: OnFacts, on_lost: OnLost) -> None:
        """Hand on the facts of a run, and the loss of any agent."""
        self._listeners[run] = (on_facts, on_lost)

    def unlisten(self, run: str) -> None:
        """Stop doing so."""
        self._listeners.pop(run, None)

    async def order(
        self,
        node: NodeId,
        make: Callable[[int], msg.Order],
        answer: type[A],
        body: Iterable[bytes] = (),
    ) -> A:
        """Give an order and return the answer.

        Args:
            node: Whose agent.
            make: Makes the order from its number.
            answer: Kind of answer that is due.
            body: Goes with the order.

        Raises:
            TaskError: The code of a task cannot be loaded there.
            RunError: The order could not be carried out.
            AgentError: The agent is gone.
        """
        if self.is_lost(node):
            raise AgentError(f"the agent of node {node} is gone")
        channel = self._channels[node]
        self._next_id += 1
        number = self._next_id
        future: asyncio.Future[msg.AnyMessage] = asyncio.get_running_loop().create_future()
        self._answers[number] = (node, future)
        try:
            for piece in framing.pack(msg.encode(make(number)), body):
                channel.write(piece)
            await channel.drain()
            reply = await future
        finally:
            self._answers.pop(number, None)
        if isinstance(reply, msg.Failure):
            if reply.detail:
                raise TaskError(f"node {node}: {reply.reason}", reply.detail)
            raise RunError(f"node {node}: {reply.reason}")
        if not isinstance(reply, answer):
            raise AgentError(f"node {node} answered with {type(reply).__name__}")
        return reply

    def lost(self, node: NodeId, reason: str) -> None:
        """Note that an agent is gone; called by the engine and by its channel."""
        if self._is_closing:
            return
        text = f"the agent of node {node} is gone: {reason}"
        for of, future in list(self._answers.values()):
            if of == node and not future.done():
                future.set_exception(AgentError(text))
        for _, on_lost in list(self._listeners.values()):
            on_lost(node, text)

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take an answer or facts."""
        match message:
            case msg.Facts(run=run):
                listener = self._listeners.get(run)
                if listener is not None:
                    listener[0](channel.peer, message)
            case msg.Done(id=number) | msg.Failure(id=number):
                self._answered(number, message)
            case msg.Probed(id=number) | msg.Sampled(id=number):
                self._answered(number, message)
            case _:
                raise TransferError(f"an agent may not say {type(message).__name__}")

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Refuse: agents send home no bodies."""
        raise TransferError(f"{type(message).__name__} has no body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note a lost agent."""
        self.lost(channel.peer, reason)

    def _answered(self, number: int, message: msg.AnyMessage) -> None:
        waiting = self._answers.get(number)
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(message)
