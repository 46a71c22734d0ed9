"""``--metrics``: the figures of a whole run, from the command that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from jupiter.agent.identity import write_safely
from jupiter.aio import scrape
from jupiter.aio.log import Secret
from jupiter.aio.tls import is_loopback
from jupiter.errors import Fault, InputError, RunError
from jupiter.home.collector import OnFacts
from jupiter.home.metrics import Totals
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.orchestrator.state import StateFolder

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
TOKEN = "metrics.token"  # noqa: S105 - the name of a file
PORT_MAX = 65_535


def both(*takers: OnFacts) -> OnFacts:
    """Return what hands facts to several."""

    def take(node: NodeId, facts: msg.Facts) -> None:
        for each in takers:
            each(node, facts)

    return take


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of ``PORT`` or ``HOST:PORT``.

    Raises:
        InputError: It is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > PORT_MAX:
        raise InputError(
            Fault(
                "is no address for metrics",
                file="--metrics",
                got=text,
                expected=f"PORT or HOST:PORT, with a port up to {PORT_MAX}",
                remedy="--metrics 9464",
            )
        )
    return host.strip("[]") or LOOPBACK, int(port)


async def with_metrics(
    work: Coroutine[Any, Any, T], address: str, totals: Totals, state: StateFolder
) -> T:
    """Do work, and answer meanwhile who asks for the metrics.

    Args:
        work: The run.
        address: Where to listen; nothing is done where it is empty. Beyond this machine a token is
            asked for, which is in a file of the state folder.
        totals: Of the run.
        state: Of the run.

    Raises:
        InputError: The address is none.
        RunError: It cannot be listened on.
    """
    if not address:
        return await work
    server = None
    try:
        host, port = read_address(address)
        server = await scrape.serve(_render(totals, state), host, port, _token(host, state))
        return await work
    except OSError as error:
        if server is not None:
            raise
        raise RunError(f"cannot listen for metrics on {address}: {error.strerror}") from error
    finally:
        work.close()
        if server is not None:
            server.close()


def _render(totals: Totals, state: StateFolder) -> Callable[[], Coroutine[Any, Any, bytes]]:
    async def render() -> bytes:
        at_work = await asyncio.to_thread(state.at_work)
        return totals.render(map(NodeId, at_work))

    return render


def _token(host: str, state: StateFolder) -> Secret | None:
    """Return what callers from outside must know, after writing it where its owner finds it."""
    if is_loopback(host):
        return None
    token = scrape.new_token()
    state.path.mkdir(parents=True, mode=0o700, exist_ok=True)
    write_safely(state.path / TOKEN, token.reveal().encode() + b"\n")
    return token
