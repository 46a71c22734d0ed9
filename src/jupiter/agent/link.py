"""The way from this agent to one peer: in order, resent until acknowledged, shaped where asked.

A shaped link sends one byte after the other at its bandwidth and delivers each its latency later;
what waits, waits at the sender, as on a real line.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jupiter.aio.channel import BodySink, Channel, connect
from jupiter.aio.clock import monotonic_s
from jupiter.errors import TransferError
from jupiter.kit import framing
from jupiter.kit.backoff import delay_s
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

CHUNK_BYTES = 1 << 18
SHAPED_CHUNK_BYTES = 1 << 14
"""Pieces of a shaped link: small, so that its rate is even."""
TICK_S = 0.0005
"""A shaped sender that is less than this ahead of its line does not wait: timers are no finer."""

Numbered = msg.Deliver | msg.EdgeEnd | msg.HeldBack | msg.Probe


class Outgoing:
    """A message under way.

    Attributes:
        paths: Files that are its body, one after the other.
        data: Body that is no file; only probes have one.
        size_bytes: Length of the body.
        on_got: Called with the receiver's time when it is acknowledged.
    """

    __slots__ = ("data", "message", "on_got", "paths", "size_bytes")

    def __init__(
        self,
        message: Numbered,
        paths: Sequence[str],
        data: bytes,
        size_bytes: int,
        on_got: Callable[[float], None],
    ) -> None:
        self.message = message
        self.paths = paths
        self.data = data
        self.size_bytes = size_bytes
        self.on_got = on_got

    def body(self) -> Iterator[bytes]:
        """Yield the body in pieces.

        Raises:
            TransferError: A file is not as long as it was when its task ended.
        """
        if self.data:
            yield self.data
        left = self.size_bytes - len(self.data)
        for path in self.paths:
            with Path(path).open("rb", buffering=0) as file:
                while piece := file.read(min(CHUNK_BYTES, left)):
                    left -= len(piece)
                    yield piece
        if left:
            raise TransferError(f"{self.paths} changed while being sent: {left} bytes are missing")

    def frame(self) -> Iterator[bytes]:
        """Yield the whole frame in pieces, its body read as it goes."""
        yield framing.head_frame(msg.encode(self.message), self.size_bytes)
        digest = hashlib.sha256()
        for piece in self.body():
            digest.update(piece)
            yield piece
        if self.size_bytes:
            yield digest.digest()


class DelayLine:
    """Bytes that are on their way: each piece comes out at its time, in the order it went in."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, Channel, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, due_s: float, channel: Channel, piece: bytes) -> None:
        """Put a piece in; `due_s` never falls from one call to the next."""
        self._pieces.append((due_s, channel, piece))
        if self._timer is None:
            self._set_timer()

    def close(self) -> None:
        """Drop what has not come out."""
        self._pieces.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._pieces[0][0], self._flush)

    def _flush(self) -> None:
        self._timer = None
        now = monotonic_s()
        while self._pieces and self._pieces[0][0] <= now:
            _, channel, piece = self._pieces.popleft()
            channel.write(piece)
        if self._pieces:
            self._set_timer()


class PeerLink:
    """Sends numbered messages to one peer.

    Args:
        peer: Its address, and how the link is shaped.
        node: Who sends.
        token: Secret of the run.
        on_broken: Called with a reason when the link can never work.
    """

    def __init__(
        self,
        peer: msg.PeerAddress,
        node: NodeId,
        token: bytes,
        on_broken: Callable[[str], None],
    ) -> None:
        self._peer = peer
        self._node = node
        self._token = token
        self._on_broken = on_broken
        self._number = 0
        self._queue: deque[Outgoing] = deque()
        self._sent: dict[int, Outgoing] = {}
        self._wake = asyncio.Event()
        self._channel: Channel | None = None
        self._free_s = 0.0
        self._line = DelayLine()
        self._is_shaped = bool(peer.bandwidth_bytes_per_s or peer.latency_s)
        self._pump = asyncio.ensure_future(self._run())

    @property
    def waiting(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._queue) + len(self._sent)

    def next_number(self) -> int:
        """Return the number for the next message."""
        self._number += 1
        return self._number

    def post(self, out: Outgoing) -> None:
        """Send a message as soon as the link allows."""
        channel = self._channel
        if (
            channel is not None
            and channel.is_open
            and not self._queue
            and not self._is_shaped
            and channel.can_write
            and out.size_bytes <= framing.WHOLE_BYTES_MAX
        ):
            self._sent[out.message.number] = out
            channel.send(out.message, out.body())
            return
        self._queue.append(out)
        self._wake.set()

    async def close(self) -> None:
        """Stop sending; what is not acknowledged is dropped."""
        self._pump.cancel()
        self._line.close()
        await asyncio.gather(self._pump, return_exceptions=True)
        if self._channel is not None:
            self._channel.close()

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take an acknowledgement."""
        if isinstance(message, msg.Got):
            out = self._sent.pop(message.number, None)
            if out is not None:
                out.on_got(message.at_s)

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Refuse: nothing long comes back on a link."""
        raise TransferError("an acknowledgement has no body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Send again what was not acknowledged, over a new connection."""
        if channel is self._channel:
            self._channel = None
            self._queue.extendleft(reversed(self._sent.values()))
            self._sent.clear()
            self._wake.set()

    # -- sending -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                channel = self._channel or await self._connect()
                out = self._queue.popleft()
                self._sent[out.message.number] = out
                try:
                    await self._transmit(channel, out)
                except (OSError, TransferError) as error:
                    self._on_broken(f"cannot send to {self._peer.node}: {error}")
                    return

    async def _connect(self) -> Channel:
        attempt = 0
        while True:
            attempt += 1
            try:
                self._channel = await connect(
                    self, (self._peer.host, self._peer.port), self._token, self._node, "peer"
                )
                return self._channel
            except TransferError:
                await asyncio.sleep(delay_s(attempt))

    async def _transmit(self, channel: Channel, out: Outgoing) -> None:
        if self._is_shaped:
            await self._transmit_shaped(channel, out)
            return
        for piece in out.frame():
            channel.write(piece)
            if not channel.can_write:
                await channel.drain()
            if not channel.is_open:
                return

    async def _transmit_shaped(self, channel: Channel, out: Outgoing) -> None:
        rate = self._peer.bandwidth_bytes_per_s
        for piece in out.frame():
            for start in range(0, len(piece), SHAPED_CHUNK_BYTES):
                part = piece[start : start + SHAPED_CHUNK_BYTES]
                begin_s = max(monotonic_s(), self._free_s)
                self._free_s = begin_s + (len(part) / rate if rate else 0.0)
                self._line.put(self._free_s + self._peer.latency_s, channel, part)
                ahead_s = self._free_s - monotonic_s()
                if ahead_s > TICK_S:
                    await asyncio.sleep(ahead_s)
            if not channel.is_open:
                return
