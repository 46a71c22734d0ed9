"""Opens and accepts channels, encrypted wherever they leave the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupiter.aio.channel import HANDSHAKE_S_MAX, Channel, Handler
from jupiter.aio.handshake import Role
from jupiter.aio.tls import Tls, check_plain
from jupiter.errors import TransferError
from jupiter.model.ids import NodeId


async def connect(
    handler: Handler,
    address: tuple[str, int],
    token: bytes,
    node: NodeId,
    role: Role,
    *,
    expected: str = "",
    tls: Tls | None = None,
) -> Channel:
    """Open a channel to an agent and wait for the handshake.

    Args:
        handler: Gets the messages.
        address: Host and port.
        token: Secret of the run.
        node: Who calls.
        role: What for.
        expected: Node that must answer.
        tls: Needed unless the address is on loopback.

    Raises:
        TransferError: Nobody listens there, or one side does not accept the other.
    """
    loop = asyncio.get_running_loop()
    host, port = address
    if tls is None:
        check_plain(host)
    try:
        _, channel = await loop.create_connection(
            lambda: Channel(handler, token, node, role, expected),
            host,
            port,
            ssl=tls.calling if tls is not None else None,
            ssl_handshake_timeout=HANDSHAKE_S_MAX if tls is not None else None,
        )
    except OSError as error:
        reason = error.strerror or error
        raise TransferError(f"cannot connect to {host} port {port}: {reason}") from error
    try:
        await channel.ready
    except BaseException:
        channel.abort()
        raise
    return channel


async def listen(
    new_channel: Callable[[], Channel],
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
) -> asyncio.Server:
    """Accept channels; port 0 takes a free one.

    Raises:
        TransferError: The address is beyond loopback, and there is no TLS.
        OSError: It cannot be listened on.
    """
    if tls is None:
        check_plain(host)
    return await asyncio.get_running_loop().create_server(
        new_channel,
        host,
        port,
        backlog=512,
        ssl=tls.called if tls is not None else None,
        ssl_handshake_timeout=HANDSHAKE_S_MAX if tls is not None else None,
    )
