"""Two ends of a link with real sockets and files, and a proxy between them that does harm."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from jupiter.agent.carrying import Arrivals
from jupiter.agent.link import PeerLink
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.owner import Owner
from jupiter.agent.partials import Partials
from jupiter.agent.receiving import BodyFiles, Discard, body_fault
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.dial import listen
from jupiter.aio.tls import Tls
from jupiter.model import messages as msg
from jupiter.model import words
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import Delivery, Part

TOKEN = b"t" * 32
RUN = "1-test"


class Receiver:
    """Takes deliveries, as an agent does, and acknowledges them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folders = 0
        self.partials = Partials(self._new_folder, self._discard, is_durable=False)
        self.arrivals = Arrivals(self._new_folder, self._discard)
        self._jobs: list[asyncio.Task[None]] = []
        self.placed = 0
        self.got: dict[int, list[bytes]] = {}
        self.order: list[int] = []
        self.spoilt: list[str] = []
        self.channels: set[Channel] = set()
        self.wants: Callable[[int], bool] = lambda number: True
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, tls: Tls | None = None) -> None:
        self._server = await listen(self._new_channel, port=port, tls=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for channel in list(self.channels):
            channel.abort()
        for _ in range(3):  # connections are lost in the next turn of the loop
            await asyncio.sleep(0)

    def _new_channel(self) -> Channel:
        channel = Channel(self, TOKEN, NodeId("there"))
        self.channels.add(channel)
        return channel

    def _new_folder(self) -> str:
        self._folders += 1
        path = self._folder / str(self._folders)
        path.mkdir()
        return str(path)

    def _discard(self, folder: str) -> None:
        for path in Path(folder).iterdir():
            path.unlink()
        Path(folder).rmdir()

    @property
    def folders(self) -> list[Path]:
        return list(self._folder.iterdir())

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        if isinstance(message, msg.Where):
            folder = self.arrivals.open(channel.peer, message.number)
            channel.send(msg.There(message.run, message.number, folder))
            return
        assert isinstance(message, msg.Say)
        if message.placed:
            self._jobs.append(asyncio.ensure_future(self._take(channel, message)))
            return
        delivery = message.word.delivery  # type: ignore[union-attr]
        fault = body_fault(delivery.parts, body)
        if fault:
            self._refuse(channel, message, fault)
            return
        start, parts = 0, []
        for part in delivery.parts:
            parts.append(body[start : start + part.size_bytes])
            start += part.size_bytes
        self._done(channel, message, parts)

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        assert isinstance(message, msg.Say)
        delivery = message.word.delivery  # type: ignore[union-attr]
        assert delivery.size_bytes == size
        if message.number in self.got or not self.wants(message.number):
            return Discard(lambda: self._done(channel, message, None), size)

        def finish(folder: str, paths: list[str]) -> None:
            self._done(channel, message, [Path(path).read_bytes() for path in paths])
            self._discard(folder)

        return BodyFiles(
            self.partials,
            delivery,
            on_finish=finish,
            on_spoilt=lambda fault: self._refuse(channel, message, fault),
            on_error=lambda error: self.spoilt.append(str(error)),
        )

    async def _take(self, channel: Channel, message: msg.Say) -> None:
        delivery = message.word.delivery  # type: ignore[union-attr]
        arrived = await self.arrivals.take(
            channel.peer, message.number, message.placed, delivery.parts
        )
        if arrived is None:
            self._refuse(channel, message, "nothing was brought")
            return
        parts = [Path(path).read_bytes() for path in arrived.paths if not arrived.fault]
        self._discard(arrived.folder)
        if arrived.fault:
            self._refuse(channel, message, arrived.fault)
        else:
            self.placed += 1
            self._done(channel, message, parts)

    def on_closed(self, channel: Channel, reason: str) -> None:
        self.channels.discard(channel)

    def _refuse(self, channel: Channel, message: msg.Say, fault: str) -> None:
        self.spoilt.append(fault)
        channel.send(msg.Spoilt(RUN, message.number, fault))

    def _done(self, channel: Channel, message: msg.Say, parts: list[bytes] | None) -> None:
        if message.number not in self.got and parts is not None:
            self.got[message.number] = parts
        self.order.append(message.number)
        channel.send(msg.Say(0, RUN, 0.0, words.Ack(message.number, 64)))


class Sender:
    """Says words until they are acknowledged, as a node does."""

    def __init__(
        self,
        port: int,
        *,
        shape: Mapping[str, float] | None = None,
        tls: Tls | None = None,
        transport: str = "native",
        options: Mapping[str, str] | None = None,
    ) -> None:
        shape = shape or {}
        self.open: dict[int, Outgoing] = {}
        self.broken: list[str] = []
        self.damaged: list[tuple[int, str]] = []
        self.gone: list[NodeId] = []
        self.changed = asyncio.Event()
        owner = Owner(
            self._hear, self._connected, self._broken, self._damaged, lambda n: self._gone(n)
        )
        address = msg.PeerAddress(
            NodeId("there"),
            "127.0.0.1",
            port,
            shape.get("bandwidth_bytes_per_s", 0.0),
            shape.get("latency_s", 0.0),
            transport=transport,
            options=dict(options or {}),
        )
        self.link = PeerLink(address, NodeId("here"), TOKEN, owner, tls)

    def say(
        self,
        number: int,
        paths: Sequence[Path],
        *,
        has_digests: bool = True,
        parts: Sequence[Part] = (),
    ) -> None:
        parts = tuple(parts or [part_of(path, has_digest=has_digests) for path in paths])
        delivery = Delivery("", number, (number,), TaskId("a"), TaskId("b"), parts)
        size = delivery.size_bytes
        message = msg.Say(number, RUN, 0.0, words.Deliver(delivery))
        out = self.open[number] = Outgoing(message, size, lambda: [str(path) for path in paths])
        self.link.post(out)

    async def until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 30)

    async def all_told(self) -> None:
        await self.until(lambda: not self.open)

    def _hear(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        if isinstance(message, msg.Spoilt):
            self.link.spoilt(message)
        elif isinstance(message, msg.There):
            self.link.there(message)
        elif isinstance(message, msg.Say) and isinstance(message.word, words.Ack):
            self.open.pop(message.word.number, None)
            self.changed.set()

    def _connected(self, node: NodeId) -> None:
        for out in list(self.open.values()):
            self.link.post(out)

    def _broken(self, reason: str) -> None:
        self.broken.append(reason)
        self.changed.set()

    def _damaged(self, run: str, number: int, reason: str) -> None:
        assert run == RUN
        self.damaged.append((number, reason))
        del self.open[number]
        self.changed.set()

    def _gone(self, node: NodeId) -> None:
        self.gone.append(node)
        self.changed.set()


class Proxy:
    """Forwards connections, and harms what the caller sends after the handshake.

    `plan` says what happens to the k-th connection: (byte, "close" | "reset" | "flip").
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.plan: dict[int, tuple[int, str]] = {}
        self.count = 0
        self.passed: list[int] = []
        self._server: asyncio.Server | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._answers: dict[int, int] = {}
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        job = asyncio.current_task()
        assert job is not None
        self._jobs.add(job)
        index = self.count
        self.count += 1
        self.passed.append(0)
        there = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [
            asyncio.ensure_future(self._back(there[0], writer, index)),
            asyncio.ensure_future(self._forth(reader, there[1], index)),
        ]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        is_reset = self.plan.get(index, (0, ""))[1] == "reset"
        for each in (writer, there[1]):
            if is_reset:
                raw = each.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.transport.abort()
            else:
                each.close()
        self._jobs.discard(job)

    async def _back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, index: int
    ) -> None:
        while data := await reader.read(1 << 16):
            self._answers[index] = self._answers.get(index, 0) + 1
            writer.write(data)
            await writer.drain()

    async def _forth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, index: int
    ) -> None:
        self._answers[index] = 0
        at, kind = self.plan.get(index, (-1, ""))
        while True:
            if kind in ("close", "reset") and self._answers[index] >= 2:
                if self.passed[index] >= at:
                    return
                data = await reader.read(min(1 << 16, at - self.passed[index]))
            else:
                data = await reader.read(1 << 16)
            if not data:
                return
            if self._answers[index] >= 2:  # Challenge and Welcome have come back
                start = self.passed[index]
                self.passed[index] += len(data)
                if kind == "flip" and start <= at < start + len(data):
                    changed = bytearray(data)
                    changed[at - start] ^= 4
                    data = bytes(changed)
            writer.write(data)
            await writer.drain()


def part_of(path: Path, *, has_digest: bool = True) -> Part:
    data = path.read_bytes()
    return Part(path.name, len(data), hashlib.sha256(data).hexdigest() if has_digest else "")


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    folder = tmp_path / "there"
    folder.mkdir()
    receiver = Receiver(folder)
    await receiver.start()
    yield receiver
    await receiver.stop()
    receiver.partials.close()


@pytest.fixture
async def proxy(receiver: Receiver) -> AsyncIterator[Proxy]:
    proxy = Proxy(receiver.port)
    await proxy.start()
    yield proxy
    await proxy.stop()
