"""The way from this agent to one peer: connects again and again, shaped where asked.

What must not be lost is kept by the node that said it, so a link forgets: when a connection breaks,
everything on it is dropped, and the owner is told when the way works again.

There are two connections. Words without a body, signs of life among them, and small bodies of
links that are not shaped go over the first; the others go over the second, so that no word waits
for a large body. There large bodies take turns, slice by slice. A shaped link sends one byte of its
bodies after the other at its bandwidth and delivers each its latency later; what waits, waits at
the sender, as on a real line.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TypeVar

from jupiter.agent.carrying import Carrier
from jupiter.agent.outgoing import Outgoing, Sending
from jupiter.agent.owner import Owner
from jupiter.agent.shaping import DelayLine, Line
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.clock import monotonic_s
from jupiter.aio.dial import connect
from jupiter.aio.log import get_log
from jupiter.aio.tls import Tls
from jupiter.errors import TransferError
from jupiter.kit import framing
from jupiter.kit.backoff import delay_s
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.transports.base import make_transport

SLICE_BYTES = 1 << 22
"""Of one large body, before the next one has its turn: 4 ms at 1 GB/s."""
ASK_BYTES_MIN = 1 << 22
"""From this size on the other side is always asked what it has: a round trip costs less."""
SHORT_S = 1.0
"""Of a connection that breaks sooner the next one waits, so that two sides that cannot agree do not
spend all their time on it."""
FIRST_WAIT_S = 0.01
MOST_WAIT_S = 0.5
"""Before connecting again."""
SPOILT_MAX = 16
"""Refusals of one body, whose files are right here, before somebody must look at the machines."""
MEMORY_MAX = 1024
"""Words of which something is remembered."""

Key = tuple[str, int]
V = TypeVar("V")


class PeerLink:
    """Sends to one peer what it can.

    Args:
        peer: Its address, and how the link is shaped.
        node: Who sends.
        token: Secret of the run.
        owner: Who hears of it.
        tls: Where connections are encrypted.

    Raises:
        InputError: The transport that its address names cannot be used.
    """

    def __init__(
        self,
        peer: msg.PeerAddress,
        node: NodeId,
        token: bytes,
        owner: Owner,
        tls: Tls | None = None,
    ) -> None:
        self._tls = tls
        self.is_data = peer.is_data
        self.peer = peer
        """Where it leads, and how it is shaped."""
        self._node = node
        self._token = token
        self._owner = owner
        self._is_shaped = bool(peer.bandwidth_bytes_per_s or peer.latency_s)
        self._early: deque[Outgoing] = deque()  # what waits for the first connection
        self._words: Channel | None = None
        self._bodies: Channel | None = None
        self._is_lost = False
        self._is_gone = False
        self._opened_s = 0.0
        self._short_lives = 0  # connections in a row that broke at once
        self._queue: deque[Outgoing] = deque()
        self._queued: set[Key] = set()
        self._begun: dict[Key, None] = {}  # long bodies that were sent before, in part or whole
        self._spoilt: dict[Key, int] = {}  # how often bodies were refused
        self._word_line = DelayLine()
        self._line = Line(peer.bandwidth_bytes_per_s, peer.latency_s)
        self._wake = asyncio.Event()
        self._jobs: set[asyncio.Task[None]] = set()
        self._pump: asyncio.Task[None] | None = None
        transport = make_transport(peer.transport, peer.options)
        self._carrier: Carrier | None = None
        if transport is not None and not self._is_shaped:
            self._carrier = Carrier(transport, peer.host, self._say, self._failed, peer.bodies_max)

    def post(self, out: Outgoing) -> None:
        """Send a message as soon as the link allows, if it allows at all."""
        words = self._words
        if words is not None:
            self._post(words, out)
        elif not self._is_lost:
            self._early.append(out)
            if not self._jobs:
                self._begin(self._connect_words())

    def spoilt(self, message: msg.Spoilt) -> None:
        """Note that a body came to the peer as something else: look at its files, send it again."""
        key = (message.run, message.number)
        count = self._spoilt.pop(key, 0) + 1
        if count > SPOILT_MAX:
            self._failed(f"{message.reason}, {count} times, though it is right here")
            return
        _remember(self._spoilt, key, count)
        self._begin(self._say_again(delay_s(count, first_s=FIRST_WAIT_S, most_s=MOST_WAIT_S)))

    def there(self, message: msg.There) -> None:
        """Note where the transport may bring a body to."""
        if self._carrier is not None:
            self._carrier.there(message)

    async def close(self) -> None:
        """Stop sending and drop everything."""
        if self._carrier is not None:
            await self._carrier.close()
        words, self._words, self._bodies = self._words, None, None
        jobs = [*self._jobs, *([self._pump] if self._pump is not None else [])]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        if words is not None:
            words.close()
        self._forget()

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Hand on what comes back."""
        self._owner.on_message(channel, message, body)

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Refuse: nothing long comes back on a link."""
        raise TransferError("an answer has no body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Drop what was under way and find the way again."""
        if channel is self._words or channel is self._bodies:
            self._lose()

    # -- connections ---------------------------------------------------------------------------

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _lose(self) -> None:
        if not self._is_lost:
            get_log().warning("link.lost", peer=self.peer.node)
        words, self._words, self._bodies = self._words, None, None
        self._is_lost = True
        is_short = monotonic_s() - self._opened_s < SHORT_S
        self._short_lives = self._short_lives + 1 if is_short else 0
        pump, self._pump = self._pump, None
        if pump is not None and pump is not asyncio.current_task():
            pump.cancel()  # it closes its connection itself: it may be using the socket
        if words is not None:
            words.close()
        self._forget()
        self._begin(self._connect_words())

    def _forget(self) -> None:
        if self._carrier is not None:
            self._carrier.forget()
        self._early.clear()
        self._queue.clear()
        self._queued.clear()
        self._word_line.close()
        self._line.close()

    async def _connect_words(self) -> None:
        if self._short_lives:
            await asyncio.sleep(_wait_s(self._short_lives))
        channel = await self._connect()
        self._opened_s = monotonic_s()
        if not channel.is_open:
            self._lose()
            return
        self._words = channel
        was_lost, self._is_lost, self._is_gone = self._is_lost, False, False
        early, self._early = self._early, deque()
        for out in early:
            self._post(channel, out)
        if was_lost:
            self._owner.on_connected(self.peer.node)

    async def _connect(self) -> Channel:
        address = (self.peer.host, self.peer.port)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await connect(
                    self,
                    address,
                    self._token,
                    self._node,
                    "peer",
                    expected=self.peer.node,
                    tls=self._tls,
                )
            except TransferError as error:
                was_open = self._opened_s > 0
                is_refused = isinstance(error.__cause__, ConnectionRefusedError)
                if is_refused and was_open and not self._is_gone:
                    self._is_gone = True
                    self._owner.on_gone(self.peer.node)
                self._is_lost = True
                self._early.clear()
                await asyncio.sleep(_wait_s(attempt))

    async def _say_again(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        if self._words is not None:
            self._owner.on_connected(self.peer.node)

    # -- sending -------------------------------------------------------------------------------

    def _post(self, words: Channel, out: Outgoing) -> None:
        if not out.size_bytes:
            if self._is_shaped:
                frame = framing.word(msg.encode(out.message))
                self._word_line.put(monotonic_s() + self.peer.latency_s, words, frame)
            else:
                words.send(out.message)
            return
        key = out.key
        if key in self._queued:
            return
        if self._carrier is not None and self._carrier.takes(out) and key not in self._spoilt:
            self._carrier.post(out)
            return
        if out.is_small and not self._is_shaped and words.can_write and key not in self._spoilt:
            self._send_whole(words, out)
            return
        if key is not None:
            self._queued.add(key)
        self._queue.append(out)
        self._wake.set()
        if self._pump is None:
            self._pump = asyncio.ensure_future(self._run())

    def _say(self, message: msg.Message) -> None:
        if self._words is not None:
            self._words.send(message)

    def _send_whole(self, channel: Channel, out: Outgoing) -> None:
        paths = out.paths()
        if paths is None:
            return
        try:
            channel.send(out.message, out.body(paths), has_digest=not out.is_checked)
        except (OSError, TransferError) as error:
            self._unreadable(out, error)

    def _unreadable(self, out: Outgoing, error: Exception) -> None:
        key = out.key
        if out.paths() is None:
            return  # it was dropped meanwhile
        if key is not None and out.is_checked:
            self._owner.on_damaged(*key, str(error))
        else:
            self._failed(error)

    def _failed(self, error: object) -> None:
        self._owner.on_broken(f"cannot send to {self.peer.node}: {error}")

    async def _run(self) -> None:
        """Send the bodies that wait, over a connection of their own."""
        bodies = await self._connect()
        try:
            if self._words is None or not bodies.is_open:
                return  # the way was lost meanwhile, and the queue with it
            self._bodies = bodies
            if self._is_shaped:
                self._line.begin()
                await self._follow(bodies)
            else:
                await self._take_turns(bodies)
        finally:
            bodies.close()
            if self._pump is asyncio.current_task():
                self._pump = None

    async def _next(self) -> tuple[Outgoing, Sequence[str]] | None:
        """Return the next message that waits, and the files of its body; None where none can go."""
        out = self._queue.popleft()
        paths = out.paths()
        if paths is not None and out.key in self._spoilt:
            loop = asyncio.get_running_loop()
            fault = await loop.run_in_executor(None, out.fault, paths)
            if fault and out.key is not None:
                self._done(out)
                self._owner.on_damaged(*out.key, fault)
                return None
        if paths is None:
            self._done(out)
            return None
        return out, paths

    def _done(self, out: Outgoing) -> None:
        if out.key is not None:
            self._queued.discard(out.key)

    def _is_asking(self, out: Outgoing) -> bool:
        """Return whether the other side may have something of a long body that is sent now."""
        is_again = out.key in self._begun
        if out.key is not None:
            _remember(self._begun, out.key, None)
        is_large = bool(out.parts) and out.size_bytes >= ASK_BYTES_MIN
        return is_again or (is_large and not self._is_shaped)

    async def _take_turns(self, channel: Channel) -> None:
        """Send small bodies at once, and of large ones a slice each."""
        turns: deque[Sending] = deque()
        try:
            while channel is self._bodies:
                while self._queue and (
                    len(turns) < self.peer.bodies_max or self._queue[0].is_small
                ):
                    found = await self._next()
                    if found is not None:
                        await self._admit(channel, turns, *found)
                await self._turn(channel, turns)
        finally:
            for sending in turns:
                sending.close()

    async def _admit(
        self, channel: Channel, turns: deque[Sending], out: Outgoing, paths: Sequence[str]
    ) -> None:
        if out.is_small:
            self._send_whole(channel, out)
            self._done(out)
            await channel.drain()
            return
        turns.append(Sending(out, paths, channel, is_asking=self._is_asking(out)))

    async def _turn(self, channel: Channel, turns: deque[Sending]) -> None:
        sending = next((each for each in turns if not each.is_waiting), None)
        if sending is None:
            self._wake.clear()
            for each in turns:
                if each.asked is not None:
                    each.asked.add_done_callback(lambda _: self._wake.set())
            await self._wake.wait()
            return
        turns.remove(sending)
        is_done = False
        try:
            if sending.out.paths() is None:
                sending.drop()
                is_done = True
            else:
                is_done = await sending.step(SLICE_BYTES)
        except (OSError, TransferError) as error:
            self._break_off(channel, sending.out, error)
        finally:
            if not is_done:
                turns.append(sending)
        if is_done:
            sending.close()
            self._done(sending.out)

    def _break_off(self, channel: Channel, out: Outgoing, error: Exception) -> None:
        """Give the connection up: half a slice is on it."""
        is_own_fault = channel.is_open and not isinstance(error, ConnectionError)
        channel.close()
        if channel is self._bodies:
            self._lose()
        if is_own_fault:
            self._unreadable(out, error)

    async def _follow(self, channel: Channel) -> None:
        """Send one body after the other at the rate of the link."""
        while channel is self._bodies:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                self._line.begin()
                continue
            found = await self._next()
            if found is None:
                continue
            out, paths = found
            try:
                if await self._line.send_body(channel, out, paths, self._is_asking):
                    self._done(out)
            except (OSError, TransferError) as error:
                self._break_off(channel, out, error)


def _remember(memory: dict[Key, V], key: Key, value: V) -> None:
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MEMORY_MAX:
        del memory[next(iter(memory))]


def _wait_s(attempt: int) -> float:
    return delay_s(attempt, first_s=FIRST_WAIT_S, most_s=MOST_WAIT_S)
