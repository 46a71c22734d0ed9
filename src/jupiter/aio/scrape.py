"""Answers ``GET /metrics``, and nothing else, over HTTP.

Whoever is on this machine may ask; where others could, only those who know a token.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jupiter.aio.log import Secret
from jupiter.aio.tls import is_loopback

if TYPE_CHECKING:
    from prometheus_client.core import Metric

HEAD_BYTES_MAX = 16_384
ASK_S_MAX = 10.0
"""A request that is not complete by then is not answered."""
CALLERS_MAX = 16
"""Requests at once; more are turned away."""
CONTENT = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "jupiter_"
Kind = Literal["counter", "gauge"]
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@dataclass
class Figure:
    """One figure, for each combination of its labels.

    Attributes:
        kind: A counter never falls as long as its process lives.
        name: Without what all our names begin with, and without ``_total``.
        text: What it means.
        labels: Their names.
        values: Values of the labels, and the figure.
    """

    kind: Kind
    name: str
    text: str
    labels: tuple[str, ...]
    values: list[tuple[list[str], float]] = field(default_factory=list)

    def add(self, labels: Sequence[str], value: float) -> None:
        """Add one value."""
        self.values.append((list(labels), float(value)))


def text_of(figures: Iterable[Figure]) -> bytes:
    """Return figures in the text format of Prometheus."""
    # Loaded at the first question: most processes are never asked.
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    class Now:
        def collect(self) -> Iterator[Metric]:
            for figure in figures:
                make = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
                family = make(PREFIX + figure.name, figure.text, labels=figure.labels)
                for labels, value in figure.values:
                    family.add_metric(labels, value)
                yield family

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Now())
    return bytes(generate_latest(registry))


def new_token() -> Secret:
    """Return a token that nobody knows."""
    return Secret(secrets.token_hex(32))


def token_for(session_token: str) -> Secret:
    """Return the token for metrics of a session: who has it cannot give orders with it."""
    digest = hmac.new(bytes.fromhex(session_token), b"metrics", "sha256")
    return Secret(digest.hexdigest())


async def serve(
    render: Callable[[], Awaitable[bytes]], host: str, port: int, token: Secret | None
) -> asyncio.Server:
    """Serve the metrics.

    Args:
        render: Returns them, in the text format of Prometheus.
        host: Address to listen on.
        port: 0 takes a free one.
        token: Asked for where the address is not a loopback one.

    Raises:
        OSError: The address cannot be listened on.
        ValueError: Others could reach it, and there is no token.
    """
    wanted = None if is_loopback(host) else token
    if wanted is None and not is_loopback(host):
        raise ValueError(f"{host} can be reached from outside, so a token is needed")
    callers = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal callers
        callers += 1
        try:
            if callers <= CALLERS_MAX:
                async with asyncio.timeout(ASK_S_MAX):
                    head = await reader.readuntil(b"\r\n\r\n")
                    status = _status_of(head, wanted)
                    body = await render() if status == 200 else b""
                    writer.write(_reply(status, body))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the caller is gone, or says nothing that can be answered
        finally:
            callers -= 1
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=HEAD_BYTES_MAX)


def _status_of(head: bytes, token: Secret | None) -> int:
    """Return the status that a request deserves."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return 400
    if token is not None:
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        given = next(
            (text.strip() for name, text in fields.items() if name.lower() == "authorization"), ""
        )
        if not hmac.compare_digest(given.encode(), f"Bearer {token.reveal()}".encode()):
            return 401
    is_known = words[0] == "GET" and words[1].split("?")[0] == "/metrics"
    return 200 if is_known else 404


def _reply(status: int, body: bytes) -> bytes:
    head = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {CONTENT}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if status == 401:
        head.append("WWW-Authenticate: Bearer")
    return "\r\n".join([*head, "", ""]).encode() + body
