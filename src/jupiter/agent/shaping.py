"""Makes a connection as slow as the link that it stands for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from jupiter.agent.outgoing import Outgoing
from jupiter.aio.channel import Channel
from jupiter.aio.clock import monotonic_s
from jupiter.kit import framing
from jupiter.model import messages as msg

SHAPED_CHUNK_BYTES = 1 << 14
"""Pieces of a shaped link: small, so that its rate is even."""
TICK_S = 0.0005
"""A shaped sender that is less than this ahead of its line does not wait: timers are no finer."""


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


class Line:
    """A line of a bandwidth and a latency: one byte after the other.

    Args:
        bandwidth_bytes_per_s: 0 is as fast as the connection.
        latency_s: After which each byte comes out.
    """

    def __init__(self, bandwidth_bytes_per_s: float, latency_s: float) -> None:
        self._rate = bandwidth_bytes_per_s
        self._latency_s = latency_s
        self._free_s = 0.0
        self._delay = DelayLine()

    def begin(self) -> None:
        """Note that the line may have stood still until now."""
        self._free_s = max(monotonic_s(), self._free_s)

    async def send(self, channel: Channel, piece: bytes) -> bool:
        """Return when the line is free for the next piece; False where the connection is gone."""
        for start in range(0, len(piece), SHAPED_CHUNK_BYTES):
            part = piece[start : start + SHAPED_CHUNK_BYTES]
            # Not from now on: a timer that came late does not make the line slower.
            self._free_s += len(part) / self._rate if self._rate else 0.0
            self._delay.put(self._free_s + self._latency_s, channel, part)
            ahead_s = self._free_s - monotonic_s()
            if ahead_s > TICK_S:
                await asyncio.sleep(ahead_s)
            if not channel.is_open:
                return False
        return True

    async def send_body(
        self,
        channel: Channel,
        out: Outgoing,
        paths: Sequence[str],
        is_asking: Callable[[Outgoing], bool],
    ) -> bool:
        """Send a message with its body, without what the other side has of it.

        Args:
            channel: Where it goes.
            out: The message.
            paths: Its files.
            is_asking: Whether the other side may have some of a long body.

        Returns:
            Whether it went out; else the connection is gone.

        Raises:
            TransferError: A file is not what it was.
            OSError: It cannot be read.
        """
        head = msg.encode(out.message)
        if out.is_small:
            frame = framing.word(head, out.body(paths), has_digest=not out.is_checked)
            return await self.send(channel, frame)
        number = channel.next_number()
        asked = channel.asked(number) if is_asking(out) else None
        flags = {"has_digest": not out.is_checked, "is_asking": asked is not None}
        await self.send(channel, framing.opening(head, out.size_bytes, **flags))
        have = 0
        if asked is not None:
            have = await asked
            self.begin()
        for piece in out.slices(paths, number, have):
            if not await self.send(channel, piece):
                return False
        return True

    def close(self) -> None:
        """Drop what is on its way."""
        self._delay.close()
