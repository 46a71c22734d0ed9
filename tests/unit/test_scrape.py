"""``GET /metrics``: who is answered, and what."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jupiter.aio import scrape
from jupiter.aio.log import Secret


async def render() -> bytes:
    figure = scrape.Figure("counter", "items", "Of a test.", ("kind",))
    figure.add(['a"b\n'], 3)
    return scrape.text_of([figure])


async def ask(head: str, host: str = "127.0.0.1", token: Secret | None = None) -> tuple[int, str]:
    server = await scrape.serve(render, host, 0, token)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode())
        writer.write_eof()
        answer = (await reader.read()).decode()
        writer.close()
    if not answer:
        return 0, ""
    top, _, body = answer.partition("\r\n\r\n")
    return int(top.split()[1]), body


async def test_figures_are_what_prometheus_reads() -> None:
    status, body = await ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 200
    (family,) = text_string_to_metric_families(body)
    assert (family.name, family.type) == ("jupiter_items", "counter")
    (sample,) = family.samples
    assert sample.name == "jupiter_items_total"
    assert sample.labels == {"kind": 'a"b\n'}
    assert sample.value == 3


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\n\r\n", 404),
        ("GET /metrics?a=b HTTP/1.0\r\n\r\n", 200),
        ("nonsense\r\n\r\n", 400),
        ("GET /metrics SMTP\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\n", 0),
        ("GET /metrics HTTP/1.1\r\nLong: " + "x" * 70_000 + "\r\n\r\n", 0),
    ],
)
async def test_nothing_else_is_answered(head: str, status: int) -> None:
    assert (await ask(head))[0] == status


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Basic right\r\n", 401),
        ("authorization:Bearer right\r\n", 200),
    ],
)
async def test_beyond_this_machine_a_token_is_asked_for(field: str, status: int) -> None:
    head = f"GET /metrics HTTP/1.1\r\n{field}\r\n"
    assert (await ask(head, "0.0.0.0", Secret("right")))[0] == status  # noqa: S104


async def test_beyond_this_machine_nothing_is_served_without_a_token() -> None:
    with pytest.raises(ValueError, match="token"):
        await scrape.serve(render, "0.0.0.0", 0, None)  # noqa: S104


def test_the_token_of_a_session_does_not_tell_its_secret() -> None:
    session = "ab" * 32
    token = scrape.token_for(session).reveal()
    assert session not in token
    assert token == scrape.token_for(session).reveal()
    assert token != scrape.token_for("cd" * 32).reveal()
