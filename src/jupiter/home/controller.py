"""Home's side of the channels to the agents: orders and answers, facts as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.dial import connect
from jupiter.aio.tls import Tls
from jupiter.errors import AgentError, RunError, TaskError, TransferError
from jupiter.interfaces.engine import AgentHandle
from jupiter.kit.backoff import delay_s
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

A = TypeVar("A", msg.Done, msg.Probed, msg.Sampled, msg.Attached, msg.Took)
Equip = Callable[[NodeId], Awaitable[None]]
"""Gives an agent that was started again what it needs before it is used."""


@dataclass(frozen=True)
class Listener:
    """Who wants to hear of a run.

    Attributes:
        on_facts: Takes what an agent reports; returns whether it is kept, so that the agent may
            forget it.
        on_lost: Told the node whose agent is not there, and the whole sentence.
        on_back: Told that an agent is there again, and who it is.
        on_gone: Told that an agent will not come back, and why.
    """

    on_facts: Callable[[NodeId, msg.Facts], bool]
    on_lost: Callable[[NodeId, str], None]
    on_back: Callable[[NodeId, msg.Attached], None]
    on_gone: Callable[[NodeId, str], None]


class Controller:
    """Channels to all agents of a session.

    Args:
        home: Name of the node that home is.
        token: Secret of the session, hexadecimal.
        tls: Where connections are encrypted.
    """

    def __init__(self, home: NodeId, token: str, tls: Tls | None = None) -> None:
        self._tls = tls
        self.home = home
        self._token = bytes.fromhex(token)
        self._channels: dict[NodeId, Channel] = {}
        self._handles: dict[NodeId, AgentHandle] = {}
        self._answers: dict[int, tuple[NodeId, asyncio.Future[msg.AnyMessage]]] = {}
        self._listeners: dict[str, Listener] = {}
        self._early: dict[str, list[tuple[Channel, msg.Facts]]] = {}
        self._next_id = 0
        self._is_closing = False
        self._gone: dict[NodeId, str] = {}
        self._returning: dict[NodeId, asyncio.Task[None]] = {}
        self._moved: dict[NodeId, asyncio.Event] = {}
        self._equip: Equip | None = None
        self.attached: dict[NodeId, msg.Attached] = {}
        """What every agent said of itself when it was last reached."""

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
        channel = self._channels.get(node)
        return (channel.clock_offset_s or 0.0) if channel is not None else 0.0

    async def connect(self, handles: Mapping[NodeId, AgentHandle], equip: Equip) -> None:
        """Open a channel to every agent, and be home to it.

        Args:
            handles: Where they listen.
            equip: Called for every agent that has come back, before anybody else hears of it.

        Raises:
            TransferError: One cannot be reached, or does not know the token.
        """
        self._handles = dict(handles)
        self._equip = equip
        await asyncio.gather(*map(self._reach, handles))

    def close(self) -> None:
        """Close all channels; agents end by it, at once or after a while."""
        self._is_closing = True
        for returning in self._returning.values():
            returning.cancel()
        for channel in self._channels.values():
            channel.close()

    def listen(self, run: str, listener: Listener) -> None:
        """Hand on the facts of a run, and the fate of all agents."""
        self._listeners[run] = listener
        for channel, facts in self._early.pop(run, ()):
            self._take_facts(run, channel, facts)

    def _take_facts(self, run: str, channel: Channel, facts: msg.Facts) -> None:
        listener = self._listeners.get(run)
        if listener is None:
            # Of a run that goes on while its command was away: it will be listened to soon.
            self._early.setdefault(run, []).append((channel, facts))
        elif listener.on_facts(channel.peer, facts):
            channel.send(msg.FactsTaken(run, facts.number))

    def unlisten(self, run: str) -> None:
        """Stop doing so."""
        self._listeners.pop(run, None)
        self._early.pop(run, None)

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
            channel.send(make(number), b"".join(body))
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
        """Note that an agent is not there; told by the engine, or by the end of its channel."""
        if self._is_closing or node in self._gone:
            return
        text = f"the agent of node {node} is gone: {reason}"
        for of, future in list(self._answers.values()):
            if of == node and not future.done():
                future.set_exception(AgentError(text))
        for listener in list(self._listeners.values()):
            listener.on_lost(node, text)
        if node not in self._returning:
            self._moved[node] = asyncio.Event()
            self._returning[node] = asyncio.ensure_future(self._return(node))

    def back(self, handle: AgentHandle) -> None:
        """Note that the engine has started an agent again."""
        self._handles[handle.node] = handle
        if handle.node in self._moved:
            self._moved[handle.node].set()

    def gone(self, node: NodeId, reason: str) -> None:
        """Note that an agent will not come back."""
        if self._is_closing or node in self._gone:
            return
        self.lost(node, reason)
        self._gone[node] = reason
        returning = self._returning.pop(node, None)
        if returning is not None:
            returning.cancel()
        for listener in list(self._listeners.values()):
            listener.on_gone(node, f"the agent of node {node} is gone for good: {reason}")

    async def returned(self, node: NodeId) -> None:
        """Wait until an agent that was lost is there again.

        Raises:
            AgentError: It will not come back.
        """
        returning = self._returning.get(node)
        if returning is not None:
            await asyncio.wait({returning})
        if self.is_lost(node):
            raise AgentError(f"the agent of node {node} is gone: {self._gone.get(node, 'lost')}")

    async def _reach(self, node: NodeId) -> msg.Attached:
        handle = self._handles[node]
        address = (handle.host, handle.port)
        channel = await connect(
            self, address, self._token, self.home, "control", expected=node, tls=self._tls
        )
        self._channels[node] = channel
        attached = await self.order(node, msg.Attach, msg.Attached)
        self.attached[node] = attached
        return attached

    async def _return(self, node: NodeId) -> None:
        """Find the way to an agent again."""
        attempt = 0
        while True:
            moved = self._moved[node]
            try:
                attached = await self._reach(node)
                if self._equip is not None:
                    await self._equip(node)
                break
            except RunError:
                attempt += 1
                try:
                    async with asyncio.timeout(delay_s(attempt, first_s=0.02, most_s=1.0)):
                        await moved.wait()
                except TimeoutError:
                    continue
                moved.clear()
        del self._returning[node]
        for listener in list(self._listeners.values()):
            listener.on_back(node, attached)

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take an answer or facts."""
        match message:
            case msg.Facts(run=run):
                self._take_facts(run, channel, message)
            case msg.Done(id=number) | msg.Failure(id=number):
                self._answered(number, message)
            case msg.Probed(id=number) | msg.Sampled(id=number):
                self._answered(number, message)
            case msg.Attached(id=number) | msg.Took(id=number):
                self._answered(number, message)
            case _:
                raise TransferError(f"an agent may not say {type(message).__name__}")

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Refuse: agents send home no bodies."""
        raise TransferError(f"{type(message).__name__} has no body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note a lost agent."""
        if self._channels.get(channel.peer) is channel:
            self.lost(channel.peer, reason)

    def _answered(self, number: int, message: msg.AnyMessage) -> None:
        waiting = self._answers.get(number)
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(message)
