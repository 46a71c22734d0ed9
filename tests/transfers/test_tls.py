"""Connections are encrypted, and nobody can use another's name."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from jupiter.aio.authority import Authority
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.dial import connect, listen
from jupiter.aio.tls import Tls, derive, is_loopback
from jupiter.errors import TransferError
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

from .conftest import Proxy, Receiver, Sender

TOKEN = b"t" * 32


class Nobody:
    """A handler that nothing is said to."""

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        raise TransferError("nothing is expected")

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        raise TransferError("nothing is expected")

    def on_closed(self, channel: Channel, reason: str) -> None:
        pass


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("secret")


async def call(
    server: Tls | None, client: Tls | None, name: str = "n1", role: str = "peer", **more: str
) -> Channel:
    listening = await listen(lambda: Channel(Nobody(), TOKEN, NodeId("n2")), tls=server)
    port = listening.sockets[0].getsockname()[1]
    try:
        channel = await connect(
            Nobody(),
            ("127.0.0.1", port),
            TOKEN,
            NodeId(name),
            role,  # type: ignore[arg-type]
            expected=more.get("expected", "n2"),
            tls=client,
        )
        channel.abort()
        return channel
    finally:
        listening.close()


async def test_both_sides_prove_their_names(authority: Authority) -> None:
    channel = await call(Tls(authority.issue("n2")), Tls(authority.issue("n1")))
    assert channel.peer == "n2"


async def test_control_has_a_certificate_of_its_own(authority: Authority) -> None:
    server = Tls(authority.issue("n2"))
    await call(server, Tls(authority.issue("home", "control")), "home", "control")
    with pytest.raises(TransferError, match="certificate of urn:jupiter:node:home"):
        await call(server, Tls(authority.issue("home")), "home", "control")


async def test_name_of_another_is_refused(authority: Authority) -> None:
    with pytest.raises(TransferError, match="n3 shows the certificate of urn:jupiter:node:n1"):
        await call(Tls(authority.issue("n2")), Tls(authority.issue("n1")), "n3")
    with pytest.raises(TransferError, match="n2 shows the certificate of urn:jupiter:node:n4"):
        await call(Tls(authority.issue("n4")), Tls(authority.issue("n1")))


async def test_node_that_is_not_the_expected_one_is_refused(authority: Authority) -> None:
    with pytest.raises(TransferError, match="n2 answers there, not n5"):
        await call(Tls(authority.issue("n2")), Tls(authority.issue("n1")), expected="n5")


async def test_certificate_of_another_session_is_refused(authority: Authority) -> None:
    other = Authority("another secret")
    with pytest.raises(TransferError):
        await call(Tls(authority.issue("n2")), Tls(other.issue("n1")))
    with pytest.raises(TransferError):
        await call(Tls(other.issue("n2")), Tls(authority.issue("n1")))


async def test_same_secret_is_the_same_authority(authority: Authority) -> None:
    await call(Tls(authority.issue("n2")), Tls(Authority("secret").issue("n1")))


async def test_plain_and_encrypted_do_not_meet(authority: Authority) -> None:
    with pytest.raises(TransferError):
        await call(None, Tls(authority.issue("n1")))
    with pytest.raises(TransferError):
        await call(Tls(authority.issue("n2")), None)


async def test_older_protocol_is_refused(authority: Authority) -> None:
    client = Tls(authority.issue("n1"))
    client.calling.minimum_version = ssl.TLSVersion.TLSv1_2
    client.calling.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(TransferError):
        await call(Tls(authority.issue("n2")), client)


async def test_plain_is_for_loopback_only() -> None:
    with pytest.raises(TransferError, match="no loopback address"):
        await listen(lambda: Channel(Nobody(), TOKEN, NodeId("n2")), "0.0.0.0")  # noqa: S104
    with pytest.raises(TransferError, match="no loopback address"):
        await connect(Nobody(), ("192.0.2.1", 9), TOKEN, NodeId("n1"), "peer")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("10.0.0.1", False), ("::", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_key_is_never_shown(authority: Authority) -> None:
    identity = authority.issue("n1")
    assert identity.key not in repr(identity)
    assert derive("a", "b") != derive("a", "c")


async def test_bodies_go_over_tls(tmp_path: Path, authority: Authority) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    receiver = Receiver(folder)
    await receiver.start(tls=Tls(authority.issue("there")))
    proxy = Proxy(receiver.port)
    await proxy.start()
    proxy.plan[1] = (3_000_000, "close")
    sender = Sender(proxy.port, tls=Tls(authority.issue("here")))
    data = bytes(range(256)) * 40_000
    (tmp_path / "f").write_bytes(data)
    (tmp_path / "g").write_bytes(b"small")
    for number in range(1, 4):
        sender.say(number, [tmp_path / "f", tmp_path / "g"], has_digests=number != 2)
    sender.say(9, [tmp_path / "g"])
    await asyncio.wait_for(sender.all_told(), 60)
    assert receiver.got == {9: [b"small"]} | {k: [data, b"small"] for k in range(1, 4)}
    await sender.link.close()
    await proxy.stop()
    await receiver.stop()
    receiver.partials.close()
