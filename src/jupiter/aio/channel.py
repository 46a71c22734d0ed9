"""An authenticated connection that carries messages with bodies in both directions.

Both sides prove that they know the run's token before anything else is read: the called side
accepts only tiny frames until then (`aio.handshake`).

What is said within one turn of the event loop goes out in one write, and long bodies are received
straight into the buffers of whoever takes them: this is where every byte and every word passes.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, BinaryIO, Protocol

from jupiter.aio.bodies import BodySink
from jupiter.aio.handshake import Handshake, Role
from jupiter.aio.tls import check_name, check_plain
from jupiter.errors import TransferError
from jupiter.kit import framing
from jupiter.kit.framing import Decoder
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

HANDSHAKE_HEAD_BYTES_MAX = 4096
HANDSHAKE_S_MAX = 10.0
"""A caller that has not proved itself by then is cut off."""
WRITE_BYTES_MAX = 1 << 20
"""What may wait to be sent before the sender is told to wait."""


class Handler(Protocol):
    """What a channel hands its messages to."""

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take a message whose body, if any, is short."""

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Take the head of a message with a long body; return where the body goes."""

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note that nothing more will come; called once, also when this side closed it."""


class _Incoming:
    """A body that is being received."""

    __slots__ = ("left", "sink")

    def __init__(self, sink: BodySink, left: int) -> None:
        self.sink = sink
        self.left = left


class Channel(asyncio.BufferedProtocol):
    """One end of a connection.

    Args:
        handler: Gets the messages that follow the handshake.
        token: Secret of the run, shared by all its agents and home.
        node: Who this side is.
        role: What a caller wants; None on the called side.
        expected: Who must be there; anybody of the run where it is empty.
    """

    def __init__(
        self,
        handler: Handler,
        token: bytes,
        node: NodeId,
        role: Role | None = None,
        expected: str = "",
    ) -> None:
        self._expected = expected
        self._handler = handler
        self._handshake = Handshake(token, node, role)
        self._decoder = Decoder(HANDSHAKE_HEAD_BYTES_MAX, 0)
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()
        self._direct: _Incoming | None = None  # whose buffer is being received into
        self._incoming: dict[int, _Incoming] = {}
        self._opened_there = 0
        self._opened_here = 0
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._reason = ""
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._timer: asyncio.TimerHandle | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Done when the handshake is; fails with `TransferError` where it does."""
        self.is_open = False
        """Whether the handshake is done and the connection stands."""

    @property
    def peer(self) -> NodeId:
        """Node of the other side, once known."""
        return self._handshake.peer

    @property
    def peer_role(self) -> Role | None:
        """What the caller wants; None on the caller's own side."""
        return self._handshake.peer_role

    @property
    def clock_offset_s(self) -> float | None:
        """Peer's clock minus ours, measured by the caller; 0 exactly on a shared clock."""
        return self._handshake.clock_offset_s

    # -- writing -------------------------------------------------------------------------------

    def send(self, message: msg.Message, body: bytes = b"", *, has_digest: bool = True) -> None:
        """Say something at the end of this turn of the loop, with all else that is said in it.

        Args:
            message: What.
            body: Of any length.
            has_digest: Whether the digest of the body goes with it.
        """
        if self._transport is None or self._reason:
            return
        out = self._out
        if not out:
            self._loop.call_soon(self.flush)
        start = len(out)
        out += framing.SPACE
        msg.encode_into(message, out)
        if not body:
            framing.fill(out, start, framing.WORD, 0)
            return
        flag = framing.DIGEST if has_digest else 0
        digest = hashlib.sha256(body).digest() if has_digest else b""
        if len(body) <= framing.WHOLE_BYTES_MAX:
            framing.fill(out, start, framing.WORD | flag, len(body))
            out += body
            out += digest
        else:
            framing.fill(out, start, framing.OPEN | flag, len(body))
            number = self.next_number()
            out += framing.header(framing.SLICE, number, len(body))
            out += body
            out += framing.header(framing.END, number, len(digest)) + digest
        if len(out) > WRITE_BYTES_MAX:
            self.flush()

    def write(self, data: bytes) -> None:
        """Write bytes that are already framed."""
        self.flush()
        if self._transport is not None:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what was said in this turn of the loop."""
        if self._out:
            out, self._out = self._out, bytearray()
            if self._transport is not None:
                self._transport.write(out)

    def next_number(self) -> int:
        """Return the number of the body that this side opens next."""
        self._opened_here += 1
        return self._opened_here

    def asked(self, number: int) -> asyncio.Future[int]:
        """Return what will tell how much of a body the other side has.

        It fails with `TransferError` where the connection breaks.
        """
        future = self._asked[number] = self._loop.create_future()
        return future

    async def send_file(self, file: BinaryIO, offset: int, size: int) -> None:
        """Send bytes of a file without reading them; nothing else may be written meanwhile.

        Raises:
            TransferError: The file ends before that.
            OSError: It cannot be read, or the connection is gone.
        """
        self.flush()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        sent = await self._loop.sendfile(self._transport, file, offset, size, fallback=False)
        if sent != size:
            raise TransferError(f"a file ended {size - sent} bytes early while it was being sent")

    @property
    def can_send_files(self) -> bool:
        """Whether `send_file` works; TLS must see the bytes."""
        return not self._is_tls

    @property
    def can_write(self) -> bool:
        """Whether the buffer is below its mark."""
        return self._can_write.is_set()

    async def drain(self) -> None:
        """Wait until the buffer is below its mark, or the connection is gone."""
        self.flush()
        await self._can_write.wait()

    def close(self, reason: str = "closed by this side") -> None:
        """Close the connection after what was written has gone out."""
        self._reason = self._reason or reason
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str = "given up by this side") -> None:
        """Close the connection now."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.BufferedProtocol --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        if not self._is_tls:
            ends = [transport.get_extra_info(end) for end in ("sockname", "peername")]
            try:
                check_plain(*[end[0] for end in ends if end])
            except TransferError as error:
                self._give_up(str(error))
                return
        self._timer = self._loop.call_later(HANDSHAKE_S_MAX, self._too_late)
        first = self._handshake.begin()
        if first is not None:
            self.send(first)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to receive to: a sink's own buffer where its bytes are what comes next."""
        self._direct = None
        number, left = self._decoder.direct
        if left:
            incoming = self._incoming.get(number)
            room = incoming.sink.room() if incoming is not None else None
            if room is not None:
                self._direct = incoming
                return room[:left]
        return self._decoder.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what the bytes complete."""
        try:
            direct = self._direct
            if direct is not None:
                self._decoder.passed(nbytes)
                direct.left -= nbytes
                direct.sink.filled(nbytes)
                self._hold_back(direct.sink)
                return
            for kind, number, size, data, extra in self._decoder.received(nbytes):
                if kind == framing.WORD:
                    message = msg.decode(data)
                    if self.is_open:
                        self._handler.on_message(self, message, extra)
                    else:
                        self._shake_hands(message)
                else:
                    self._take(kind, number, size, data, extra)
                if self._reason:
                    return
        except (TransferError, ValueError, OSError) as error:
            self._give_up(str(error))

    def pause_writing(self) -> None:
        """Note that the buffer is above its mark."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """Note that the buffer is below its mark again."""
        self._can_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the handler, once."""
        reason = self._reason or (str(exc) if exc else "the other side closed the connection")
        self._transport = None
        self._out.clear()
        self._can_write.set()
        if self._timer is not None:
            self._timer.cancel()
        incoming, self._incoming = self._incoming, {}
        for each in incoming.values():
            each.sink.resume = None
            each.sink.abort()
        was_open, self.is_open = self.is_open, False
        _fail(self.ready, reason)
        for future in self._asked.values():
            _fail(future, reason)
        if was_open:
            self._handler.on_closed(self, reason)

    # -- inside --------------------------------------------------------------------------------

    @property
    def _is_tls(self) -> bool:
        transport = self._transport
        return transport is not None and transport.get_extra_info("ssl_object") is not None

    def _take(
        self, kind: int, number: int, size: int, data: memoryview | bytes, digest: bytes
    ) -> None:
        if not self.is_open:
            raise TransferError("a body came before the handshake was done")
        if kind == framing.HAVE:
            future = self._asked.pop(number, None)
            if future is not None and not future.done():
                future.set_result(size)
            return
        if kind == framing.OPEN:
            self._open_body(number, size, msg.decode(data))
            return
        incoming = self._incoming.get(number)
        if incoming is None:
            raise TransferError(f"there is no open body {number}")
        if kind == framing.SLICE:
            if size > incoming.left:
                raise TransferError(f"a body is {size - incoming.left} bytes longer than announced")
        elif kind == framing.DATA:
            incoming.left -= size
            incoming.sink.write(memoryview(data))
            self._hold_back(incoming.sink)
        else:
            del self._incoming[number]
            incoming.sink.resume = None
            if kind == framing.DROP:
                incoming.sink.abort()
            elif incoming.left:
                incoming.sink.abort()
                raise TransferError(f"a body ended {incoming.left} bytes early")
            else:
                incoming.sink.finish(digest)

    def _open_body(self, flags: int, size: int, message: msg.AnyMessage) -> None:
        self._opened_there += 1
        number = self._opened_there
        sink = self._handler.on_long_message(self, message, size)
        have = sink.begin(can_skip=bool(flags & framing.ASK))
        self._incoming[number] = _Incoming(sink, size - have)
        if flags & framing.ASK:
            self.write(framing.header(framing.HAVE, number, have))

    def _hold_back(self, sink: BodySink) -> None:
        """Receive nothing more until a sink has room again."""
        transport = self._transport
        if sink.is_full and transport is not None and transport.is_reading():
            sink.resume = self._go_on
            transport.pause_reading()

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _shake_hands(self, message: msg.AnyMessage) -> None:
        if isinstance(message, msg.Refused):
            self._give_up(f"refused: {message.reason}", tell=False)
            return
        answer = self._handshake.answer(message)
        if self.peer:
            if self._expected and self.peer != self._expected:
                raise TransferError(f"{self.peer} answers there, not {self._expected}")
            if self._is_tls and self._transport is not None:
                found = self._transport.get_extra_info("ssl_object")
                check_name(found, self.peer, self.peer_role or "peer")
        if answer is not None:
            self.send(answer)
        if self._handshake.is_done:
            self._open()

    def _open(self) -> None:
        self._decoder.head_bytes_max = framing.HEAD_BYTES_MAX
        self._decoder.body_bytes_max = framing.BODY_BYTES_MAX
        if self._timer is not None:
            self._timer.cancel()
        self.is_open = True
        if not self.ready.done():
            self.ready.set_result(None)

    def _give_up(self, reason: str, *, tell: bool = True) -> None:
        if tell:
            self.send(msg.Refused(reason))
        self.close(reason)

    def _too_late(self) -> None:
        self._give_up("the handshake took too long")


def _fail(future: asyncio.Future[Any], reason: str) -> None:
    if not future.done():
        future.set_exception(TransferError(reason))
        future.exception()  # whoever waits sees it; nobody has to
