"""TLS 1.3 between the parts of a session, each with a certificate in its own name.

The authority lives as long as the session's secret, at home only. Keys go to agents through their
standard input; OpenSSL reads them from memory that has no name.
"""

from __future__ import annotations

import asyncio.sslproto
import hmac
import ipaddress
import os
import ssl
from collections.abc import Callable
from typing import Literal, cast
from urllib.parse import quote

import msgspec

from jupiter.errors import TransferError

Role = Literal["peer", "control"]
BUFFER_BYTES = 1 << 16
"""Of each TLS connection; asyncio's own 256 KiB a side are too many for thousands of them."""


class Identity(msgspec.Struct, frozen=True):
    """What proves who somebody is, as PEM.

    Attributes:
        certificate: In the name of a node.
        key: Private; never written to a file.
        authority: Certificate of whoever signs for this session.
    """

    certificate: str
    key: str
    authority: str

    def __repr__(self) -> str:
        return "<identity>"


def derive(secret: str, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose, from which the secret cannot be computed."""
    return hmac.new(secret.encode(), purpose.encode(), "sha256").digest()


def urn(name: str, role: Role) -> str:
    """Return the name in the certificate of a node's agent, or of home's control."""
    return f"urn:jupiter:{'node' if role == 'peer' else 'control'}:{quote(name, safe='')}"


def is_loopback(host: str) -> bool:
    """Return whether an address never leaves its machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


class Tls:
    """The two contexts of one party.

    Args:
        identity: Who it is.

    Attributes:
        called: For connections that come in.
        calling: For those that go out.
    """

    def __init__(self, identity: Identity) -> None:
        asyncio.sslproto.SSLProtocol.max_size = BUFFER_BYTES
        self.called = _context(identity, ssl.PROTOCOL_TLS_SERVER)
        self.calling = _context(identity, ssl.PROTOCOL_TLS_CLIENT)


def check_plain(*hosts: str) -> None:
    """Refuse a connection without TLS that leaves the machine.

    Raises:
        TransferError: One end is not on loopback.
    """
    for host in hosts:
        if not is_loopback(host):
            raise TransferError(
                f"{host} is no loopback address, and connections beyond this machine need TLS; "
                'do not set tls = "off"'
            )


def check_name(found: ssl.SSLObject, name: str, role: Role) -> None:
    """Refuse a peer that uses the name of another.

    Raises:
        TransferError: Its certificate is in another name.
    """
    certificate = found.getpeercert() or {}
    alternatives = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    names = [value for kind, value in alternatives if kind == "URI"]
    if urn(name, role) not in names:
        shown = ", ".join(names) or "nobody"
        raise TransferError(f"{name} shows the certificate of {shown}")


def _context(identity: Identity, protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # names are checked with the role, by `check_name`
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=identity.authority)
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    _with_memory_file(identity.certificate + identity.key, context.load_cert_chain)
    return context


def _with_memory_file(text: str, use: Callable[[str], None]) -> None:
    """Have a text read from memory, as if it were a file."""
    fd = os.memfd_create("jupiter", os.MFD_CLOEXEC)
    try:
        os.write(fd, text.encode())
        use(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
