"""An authenticated connection that carries messages with bodies in both directions.

Both sides prove that they know the run's token before anything else is read: the called side
accepts only tiny frames until then. The token itself never crosses the wire.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Literal, Protocol

from jupiter.aio.clock import clock_id, monotonic_s
from jupiter.errors import TransferError
from jupiter.kit import framing
from jupiter.kit.framing import Begin, Chunk, Decoder, End, Frame
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

HANDSHAKE_HEAD_BYTES_MAX = 4096
HANDSHAKE_S_MAX = 10.0
"""A caller that has not proved itself by then is cut off."""


class BodySink(Protocol):
    """Takes a long body in, piece by piece."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """All bytes are there and their digest agrees."""

    def abort(self) -> None:
        """The body will not be completed."""


class Handler(Protocol):
    """What a channel hands its messages to."""

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take a message whose body, if any, is short."""

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Take the head of a message with a long body; return where the body goes."""

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note that nothing more will come; called once, also when this side closed it."""


def proof_of(token: bytes, *words: str) -> str:
    """Return what only somebody with the token can compute from the words."""
    return hmac.new(token, "\0".join(words).encode(), "sha256").hexdigest()


class Channel(asyncio.Protocol):
    """One end of a connection.

    Args:
        handler: Gets the messages that follow the handshake.
        token: Secret of the run, shared by all its agents and home.
        node: Who this side is.
        role: What a caller wants; None on the called side.
    """

    def __init__(
        self,
        handler: Handler,
        token: bytes,
        node: NodeId,
        role: Literal["peer", "control"] | None = None,
    ) -> None:
        self._handler = handler
        self._token = token
        self._node = node
        self._own_role = role
        self._nonce = secrets.token_hex(16)
        self._decoder = Decoder(HANDSHAKE_HEAD_BYTES_MAX, 0)
        self._transport: asyncio.Transport | None = None
        self._sink: BodySink | None = None
        self._hello: msg.Hello | None = None
        self._reason = ""
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._timer: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the handshake is; fails with `TransferError` where it does."""
        self.is_open = False
        """Whether the handshake is done and the connection stands."""
        self.peer = NodeId("")
        """Node of the other side, once known."""
        self.peer_role: Literal["peer", "control"] | None = None
        """What the caller wants; None on the caller's own side."""
        self.clock_offset_s: float | None = None
        """Peer's clock minus ours, measured by the caller; 0 exactly on a shared clock."""
        self._asked_s = 0.0

    # -- writing -------------------------------------------------------------------------------

    def send(self, message: msg.Message, body: Iterable[bytes] = ()) -> None:
        """Write a message; what the socket does not take at once is buffered."""
        if self._transport is not None:
            self._transport.writelines(framing.pack(msg.encode(message), body))

    def write(self, data: bytes) -> None:
        """Write bytes that are already framed."""
        if self._transport is not None:
            self._transport.write(data)

    @property
    def can_write(self) -> bool:
        """Whether the buffer is below its mark."""
        return self._can_write.is_set()

    async def drain(self) -> None:
        """Wait until the buffer is below its mark, or the connection is gone."""
        await self._can_write.wait()

    def close(self, reason: str = "closed by this side") -> None:
        """Close the connection after what was written has gone out."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.close()

    # -- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HANDSHAKE_S_MAX, self._too_late)
        if self._own_role is not None:
            self.send(msg.Hello(msg.PROTOCOL, self._node, self._own_role, self._nonce))

    def data_received(self, data: bytes) -> None:
        """Hand on what the bytes complete."""
        try:
            for piece in self._decoder.feed(data):
                self._take(piece)
                if self._reason:
                    return
        except (TransferError, ValueError) as error:
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
        self._can_write.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._sink is not None:
            self._sink.abort()
            self._sink = None
        was_open, self.is_open = self.is_open, False
        if not self.ready.done():
            self.ready.set_exception(TransferError(reason))
            self.ready.exception()  # whoever waits sees it; nobody has to
        if was_open:
            self._handler.on_closed(self, reason)

    # -- inside --------------------------------------------------------------------------------

    def _take(self, piece: Frame | Begin | Chunk | End) -> None:
        match piece:
            case Frame(head, body):
                message = msg.decode(head)
                if self.is_open:
                    self._handler.on_message(self, message, body)
                else:
                    self._shake_hands(message)
            case Begin(head, size):
                self._sink = self._handler.on_long_message(self, msg.decode(head), size)
            case Chunk(data):
                if self._sink is not None:
                    self._sink.write(data)
            case End():
                sink, self._sink = self._sink, None
                if sink is not None:
                    sink.finish()

    def _shake_hands(self, message: msg.AnyMessage) -> None:
        match message:
            case msg.Refused(reason):
                self._give_up(f"refused: {reason}", tell=False)
            case msg.Hello() if self._own_role is None and self._hello is None:
                self._greet(message)
            case msg.Challenge(node, nonce, proof) if self._own_role is not None:
                if not hmac.compare_digest(proof, self._prove("called", nonce, node)):
                    self._give_up("the agent does not know the token of this run")
                    return
                self.peer = node
                self._asked_s = monotonic_s()
                self.send(msg.Proof(self._prove("caller", nonce, node)))
            case msg.Proof(proof) if self._hello is not None:
                if not hmac.compare_digest(proof, self._prove("caller", self._nonce, self._node)):
                    self._give_up("wrong token")
                    return
                self.peer, self.peer_role = self._hello.node, self._hello.role
                self.send(msg.Welcome(clock_id(), monotonic_s()))
                self._open()
            case msg.Welcome(clock, now) if self._own_role is not None and self.peer:
                middle_s = (self._asked_s + monotonic_s()) / 2
                shared = bool(clock) and clock == clock_id()
                self.clock_offset_s = 0.0 if shared else now - middle_s
                self._open()
            case _:
                self._give_up(f"unexpected {type(message).__name__} in the handshake")

    def _greet(self, hello: msg.Hello) -> None:
        if hello.protocol != msg.PROTOCOL:
            self._give_up(
                f"protocol {hello.protocol} is spoken there, {msg.PROTOCOL} here; "
                "install the same version of Jupiter on both sides"
            )
            return
        self._hello = hello
        proof = self._prove("called", self._nonce, self._node)
        self.send(msg.Challenge(self._node, self._nonce, proof))

    def _prove(self, side: str, nonce_called: str, called: NodeId) -> str:
        """Return the proof of one side; it covers both nonces, both names and the role."""
        if self._hello is not None:
            nonce, caller, role = self._hello.nonce, self._hello.node, self._hello.role
        else:
            nonce, caller, role = self._nonce, self._node, self._own_role or "peer"
        return proof_of(self._token, side, nonce, nonce_called, caller, called, role)

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


async def connect(
    handler: Handler,
    address: tuple[str, int],
    token: bytes,
    node: NodeId,
    role: Literal["peer", "control"],
) -> Channel:
    """Open a channel to an agent and wait for the handshake.

    Raises:
        TransferError: Nobody listens there, or one side does not accept the other.
    """
    loop = asyncio.get_running_loop()
    host, port = address
    try:
        _, channel = await loop.create_connection(
            lambda: Channel(handler, token, node, role), host, port
        )
    except OSError as error:
        raise TransferError(f"cannot connect to {host} port {port}: {error.strerror}") from error
    await channel.ready
    return channel


async def listen(
    new_channel: Callable[[], Channel], host: str = "127.0.0.1", port: int = 0
) -> asyncio.Server:
    """Accept channels; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(new_channel, host, port, backlog=512)
