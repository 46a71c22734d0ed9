"""The way from this agent to one peer: connects again and again, shaped where asked.

What must not be lost is kept by the node that said it, so a link forgets: when a connection breaks,
everything on it is dropped, and the owner is told when the way works again.

There are two connections. Words without a body, signs of life among them, and small bodies of
links that are not shaped go over the first; the others follow each other on the second, so that
no word waits for a large body. A shaped link sends one byte of its bodies after the other at its
bandwidth and delivers each its latency later; what waits, waits at the sender, as on a real line.
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
SHORT_S = 1.0
"""Of a connection that breaks sooner the next one waits, so that two sides that cannot agree do not
spend all their time on it."""

OnMessage = Callable[[Channel, msg.AnyMessage, bytes], None]
Paths = Callable[[], Sequence[str] | None]


def _no_paths() -> Sequence[str]:
    return ()


class Outgoing:
    """A message under way.

    Attributes:
        message: What is said.
        size_bytes: Length of the body.
        paths: Returns the files that are its body, one after the other; None where they are gone
            because nobody needs them any more.
        data: Body that is no file; only probes have one.
    """

    __slots__ = ("data", "message", "paths", "size_bytes")

    def __init__(
        self,
        message: msg.Say | msg.Again | msg.Probe,
        size_bytes: int = 0,
        paths: Paths = _no_paths,
        data: bytes = b"",
    ) -> None:
        self.message = message
        self.size_bytes = size_bytes
        self.paths = paths
        self.data = data

    @property
    def key(self) -> tuple[str, int] | None:
        """Run and number, where it has one."""
        message = self.message
        if isinstance(message, msg.Say) and message.number:
            return message.run, message.number
        return None

    def body(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Yield the body in pieces.

        Raises:
            TransferError: A file is not as long as it was when its task ended.
        """
        if self.data:
            yield self.data
        left = self.size_bytes - len(self.data)
        for path in paths:
            with Path(path).open("rb", buffering=0) as file:
                while piece := file.read(min(CHUNK_BYTES, left)):
                    left -= len(piece)
                    yield piece
        if left:
            names = ", ".join(Path(path).name for path in paths)
            raise TransferError(f"{names} changed while being sent: {left} bytes are missing")

    def frame(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Yield the whole frame in pieces, its body read as it goes."""
        yield framing.head_frame(msg.encode(self.message), self.size_bytes)
        digest = hashlib.sha256()
        for piece in self.body(paths):
            digest.update(piece)
            yield piece
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
            self._timer = None

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
    """Sends to one peer what it can.

    Args:
        peer: Its address, and how the link is shaped.
        node: Who sends.
        token: Secret of the run.
        on_message: Gets what the peer says on these connections.
        on_connected: Called when the way works again after a loss.
        on_broken: Called with a reason when something can never be sent.
    """

    def __init__(
        self,
        peer: msg.PeerAddress,
        node: NodeId,
        token: bytes,
        *,
        on_message: OnMessage,
        on_connected: Callable[[NodeId], None],
        on_broken: Callable[[str], None],
    ) -> None:
        self.is_data = peer.is_data
        self.peer = peer
        """Where it leads, and how it is shaped."""
        self._peer = peer
        self._node = node
        self._token = token
        self._on_message = on_message
        self._on_connected = on_connected
        self._on_broken = on_broken
        self._is_shaped = bool(peer.bandwidth_bytes_per_s or peer.latency_s)
        self._early: deque[Outgoing] = deque()  # what waits for the first connection
        self._words: Channel | None = None
        self._bodies: Channel | None = None
        self._is_lost = False
        self._opened_s = 0.0
        self._short_lives = 0  # connections in a row that broke at once
        self._queue: deque[Outgoing] = deque()
        self._queued: set[tuple[str, int]] = set()
        self._free_s = 0.0
        self._word_line = DelayLine()
        self._body_line = DelayLine()
        self._wake = asyncio.Event()
        self._jobs: list[asyncio.Task[None]] = []
        self._has_pump = False

    def post(self, out: Outgoing) -> None:
        """Send a message as soon as the link allows, if it allows at all."""
        words = self._words
        if words is not None:
            self._post(words, out)
        elif not self._is_lost:
            self._early.append(out)
            if not self._jobs:
                self._jobs.append(asyncio.ensure_future(self._connect_words()))

    async def close(self) -> None:
        """Stop sending and drop everything."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        words, bodies = self._words, self._bodies
        self._words = self._bodies = None
        for channel in (words, bodies):
            if channel is not None:
                channel.close()
        self._forget()

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Hand on what comes back."""
        self._on_message(channel, message, body)

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Refuse: nothing long comes back on a link."""
        raise TransferError("an answer has no body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Drop what was under way and find the way again."""
        if channel is self._words or channel is self._bodies:
            self._lose()

    # -- connections ---------------------------------------------------------------------------

    def _lose(self) -> None:
        words, bodies = self._words, self._bodies
        self._words = self._bodies = None
        self._is_lost = True
        is_short = monotonic_s() - self._opened_s < SHORT_S
        self._short_lives = self._short_lives + 1 if is_short else 0
        for channel in (words, bodies):
            if channel is not None:
                channel.close()
        self._forget()
        self._jobs = [job for job in self._jobs if not job.done()]
        self._jobs.append(asyncio.ensure_future(self._connect_words()))

    def _forget(self) -> None:
        self._early.clear()
        self._queue.clear()
        self._queued.clear()
        self._word_line.close()
        self._body_line.close()

    async def _connect_words(self) -> None:
        if self._short_lives:
            await asyncio.sleep(delay_s(self._short_lives))
        channel = await self._connect()
        self._opened_s = monotonic_s()
        if not channel.is_open:
            self._lose()
            return
        self._words = channel
        was_lost, self._is_lost = self._is_lost, False
        early, self._early = self._early, deque()
        for out in early:
            self._post(channel, out)
        if was_lost:
            self._on_connected(self._peer.node)

    async def _connect(self) -> Channel:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await connect(
                    self, (self._peer.host, self._peer.port), self._token, self._node, "peer"
                )
            except TransferError:
                self._is_lost = True
                self._early.clear()
                await asyncio.sleep(delay_s(attempt))

    # -- sending -------------------------------------------------------------------------------

    def _post(self, words: Channel, out: Outgoing) -> None:
        if not out.size_bytes:
            if self._is_shaped:
                frame = framing.head_frame(msg.encode(out.message), 0)
                self._word_line.put(monotonic_s() + self._peer.latency_s, words, frame)
            else:
                words.send(out.message)
            return
        key = out.key
        if key in self._queued:
            return
        if not self._is_shaped and words.can_write and out.size_bytes <= framing.WHOLE_BYTES_MAX:
            self._send_now(words, out)
            return
        if key is not None:
            self._queued.add(key)
        self._queue.append(out)
        self._wake.set()
        if not self._has_pump:
            self._has_pump = True
            self._jobs.append(asyncio.ensure_future(self._run()))

    def _send_now(self, words: Channel, out: Outgoing) -> None:
        paths = out.paths()
        if paths is None:
            return
        try:
            words.send(out.message, out.body(paths))
        except (OSError, TransferError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._on_broken(f"cannot send to {self._peer.node}: {error}")

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                bodies = self._bodies
                if bodies is None:
                    bodies = await self._connect()
                    if self._words is None or not bodies.is_open:
                        bodies.close()  # the way was lost meanwhile, and the queue with it
                        continue
                    self._bodies = bodies
                    continue
                out = self._queue[0]
                await self._transmit(bodies, out)
                if self._queue and self._queue[0] is out:
                    self._queue.popleft()
                    self._queued.discard(out.key or ("", 0))

    async def _transmit(self, channel: Channel, out: Outgoing) -> None:
        paths = out.paths()
        if paths is None:
            return
        try:
            if self._is_shaped:
                await self._transmit_shaped(channel, out, paths)
            else:
                await self._transmit_plain(channel, out, paths)
        except (OSError, TransferError) as error:
            is_needed = out.paths() is not None
            if channel is self._bodies:
                self._lose()  # half a frame is on the line
            if is_needed:
                self._failed(error)

    async def _transmit_plain(self, channel: Channel, out: Outgoing, paths: Sequence[str]) -> None:
        for piece in out.frame(paths):
            channel.write(piece)
            if not channel.can_write:
                await channel.drain()
            if not channel.is_open:
                return

    async def _transmit_shaped(self, channel: Channel, out: Outgoing, paths: Sequence[str]) -> None:
        rate = self._peer.bandwidth_bytes_per_s
        for piece in out.frame(paths):
            for start in range(0, len(piece), SHAPED_CHUNK_BYTES):
                part = piece[start : start + SHAPED_CHUNK_BYTES]
                begin_s = max(monotonic_s(), self._free_s)
                self._free_s = begin_s + (len(part) / rate if rate else 0.0)
                self._body_line.put(self._free_s + self._peer.latency_s, channel, part)
                ahead_s = self._free_s - monotonic_s()
                if ahead_s > TICK_S:
                    await asyncio.sleep(ahead_s)
                if not channel.is_open:
                    return
