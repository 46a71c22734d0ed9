"""How a transport is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from jupiter.interfaces.transport import Transport, TransportFactory
from jupiter.kit.registry import Registry

NATIVE = "native"
"""The framed stream between agents: no transport at all."""
TRANSPORTS = Registry(
    kind="transport",
    group="jupiter.transports",
    built_in={"scp": "jupiter.transports.scp:ScpTransport"},
)
"""All others; an installed package adds one by an entry point in ``jupiter.transports``."""


def make_transport(name: str, options: Mapping[str, str]) -> Transport | None:
    """Return a new transport; None for the stream between agents.

    Args:
        name: ``native``, a registered name, or the path of a Python file with a function
            ``data_transfer``.
        options: Its own.

    Raises:
        InputError: There is none of this name, or an option is wrong.
    """
    if name == NATIVE:
        return None
    if "/" in name or name.endswith(".py"):
        from jupiter.transports.plugin import PluginTransport  # noqa: PLC0415  (needed by few)

        return PluginTransport({**options, "path": name})
    return cast("TransportFactory", TRANSPORTS.find(name))(options)
