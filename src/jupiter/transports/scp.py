"""Brings files with scp over one SSH connection a host, which is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from jupiter.errors import Fault, InputError, TransferError, TransferRefusedError
from jupiter.interfaces.transport import Place
from jupiter.transports.options import check_options, read_secret

LOGIN_S_MAX = 20.0
KEEP_ALIVE_S = 15.0
_NEVER = (
    asyncssh.PermissionDenied,
    asyncssh.HostKeyNotVerifiable,
    asyncssh.KeyExchangeFailed,
    asyncssh.ProtocolNotSupported,
)
"""What no retry changes."""


class ScpTransport:
    """Logs in with a key or a password; unknown hosts are refused.

    Args:
        options: ``user``; ``known_hosts``, a file with the keys of the hosts; ``key``, a file, or
            ``password``, a reference such as ``file:/path``; ``port``, 22 where none is named;
            ``host`` where it is not the agent's address.

    Raises:
        InputError: An option is missing or wrong.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        known = ("user", "known_hosts", "key", "password", "port", "host")
        check_options("scp", options, known, ("user", "known_hosts"))
        if not options.get("key") and not options.get("password"):
            raise InputError(
                Fault(
                    "transport scp needs a key or a password",
                    remedy='add key = "/path" or password = "file:/path"',
                )
            )
        self._host = options.get("host", "")
        self._words: dict[str, Any] = {
            "username": options["user"],
            "known_hosts": _existing(options["known_hosts"], "known_hosts"),
            "port": _port(options.get("port", "22")),
            "client_keys": [_existing(options["key"], "key")] if options.get("key") else None,
            "agent_path": None,
            "config": None,
            "login_timeout": LOGIN_S_MAX,
            "keepalive_interval": KEEP_ALIVE_S,
        }
        if options.get("password"):
            self._words["password"] = read_secret(options["password"], "password")
        self._connections: dict[str, asyncssh.SSHClientConnection] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def bring(self, files: Sequence[tuple[str, str]], place: Place) -> None:
        """Bring files one after the other; see `interfaces.transport.Transport`."""
        host = self._host or place.host
        connection = await self._connect(host)
        for path, name in files:
            try:
                await asyncssh.scp(path, (connection, f"{place.folder}/{name}"))
            except (asyncssh.Error, OSError) as error:
                raise TransferError(f"scp could not bring {path} to {host}: {error}") from error

    async def close(self) -> None:
        """Close all connections."""
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.close()
            await connection.wait_closed()

    async def _connect(self, host: str) -> asyncssh.SSHClientConnection:
        lock = self._locks.setdefault(host, asyncio.Lock())
        async with lock:
            found = self._connections.get(host)
            if found is not None and not found.is_closed():
                return found
            try:
                connection = await asyncssh.connect(host, **self._words)
            except _NEVER as error:
                raise TransferRefusedError(f"{host} refuses: {error.reason}") from error
            except (asyncssh.Error, OSError) as error:
                raise TransferError(f"cannot reach {host} with SSH: {error}") from error
            self._connections[host] = connection
            return connection


def _existing(path: str, option: str) -> str:
    if not Path(path).is_file():
        raise InputError(
            Fault(
                f"the file of option {option} is not there",
                file=path,
                remedy="name a file that this user can read",
            )
        )
    return path


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise InputError(
            Fault("option port is no port", got=text, expected="1 to 65535", remedy="port = 22")
        )
    return int(text)
