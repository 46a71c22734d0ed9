"""Stands before an agent and does harm to what goes through.

Run in the network of the node as ``python -m campaign.real.proxy PORT KIND SEED TIMES``, where KIND
is ``cut`` or ``flip``. Each harmed connection is harmed at one byte, near a place that matters or
anywhere. It prints a line whenever it has done so.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

from campaign.scenario import between, pick
from jupiter.kit.rng import Stream, stream

ORIGINAL = 80
"""SO_ORIGINAL_DST of the kernel: where a redirected connection wanted to go."""
EARLY = (0, 1, 7, 8, 40, 200)
"""Bytes at which the first heads and the handshake begin and end."""
READ_BYTES = 1 << 16


class Harm:
    """What happens to the bytes of one direction of one connection."""

    def __init__(self, kind: str, place: int, bit: int) -> None:
        self._kind = kind
        self._left = place
        self._bit = bit
        self.is_done = False

    def apply(self, data: bytes) -> tuple[bytes, bool]:
        """Return what is passed on, and whether the connection is cut then."""
        if self.is_done or self._left >= len(data):
            self._left -= len(data)
            return data, False
        self.is_done = True
        sys.stdout.write(f"{self._kind}\n")
        sys.stdout.flush()
        if self._kind == "cut":
            return data[: self._left], True
        changed = bytearray(data)
        changed[self._left] ^= 1 << self._bit
        return bytes(changed), False


class Proxy:
    """All connections to one node.

    Args:
        kind: Of the harm.
        draw: For its places.
        times: Connections that are harmed; all others are left alone.
    """

    def __init__(self, kind: str, draw: Stream, times: int) -> None:
        self._kind = kind
        self._draw = draw
        self._left = times

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one connection carries."""
        raw = writer.get_extra_info("socket").getsockopt(socket.SOL_IP, ORIGINAL, 16)
        port, address = struct.unpack_from("!H4s", raw, 2)
        try:
            there = await asyncio.open_connection(socket.inet_ntoa(address), port)
        except OSError:
            writer.transport.abort()
            return
        ways = ((reader, there[1], self._harm()), (there[0], writer, None))
        jobs = [asyncio.ensure_future(self._pass_on(*way)) for way in ways]
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in jobs:
            job.cancel()
        for end in (there[1], writer):
            end.transport.abort()

    def _harm(self) -> Harm | None:
        if not self._left:
            return None
        self._left -= 1
        far = int(between(self._draw, 1e3, 3e5))
        place = pick(self._draw, EARLY) if self._draw.random() < 0.2 else far
        return Harm(self._kind, place, int(self._draw.random() * 8))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: Harm | None
    ) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                data, is_cut = harm.apply(data) if harm is not None else (data, False)
                writer.write(data)
                await writer.drain()
                if is_cut:
                    return
        except OSError:
            return


async def main() -> None:
    """Serve until killed."""
    port, kind, seed, times = sys.argv[1:]
    proxy = Proxy(kind, stream(int(seed), "proxy"), int(times))
    server = await asyncio.start_server(proxy.serve, "0.0.0.0", int(port))  # noqa: S104
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
