"""Rules for addresses and secrets in files: a secret is a reference, never the secret itself."""

from __future__ import annotations

import ipaddress
import re

from jupiter.formats.text import Faults, Word
from jupiter.kit.names import printable

HIDDEN = "<hidden>"
"""Stands for a clear-text password, which is forgotten as soon as it is recognised."""
PORT_MAX = 65_535

_REFERENCE = re.compile(r"agent|(?:key|secret|env|file):[^ \t]+")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"[0-9.]+")
_PLACEHOLDERS = {
    "host": re.compile(r"(?:ip|ip_?address|hostname|host)[0-9]*", re.IGNORECASE),
    "user": re.compile(r"user(?:name)?[0-9]*", re.IGNORECASE),
    "secret": re.compile(r"password[0-9]*|<pw>|<password>", re.IGNORECASE),
}


def is_reference(secret: str) -> bool:
    """Return whether a text says where a secret is kept."""
    return _REFERENCE.fullmatch(secret) is not None


def is_placeholder(what: str, text: str) -> bool:
    """Return whether a text is a word of a template.

    Args:
        what: ``host``, ``user`` or ``secret``.
        text: As written.
    """
    return _PLACEHOLDERS[what].fullmatch(text) is not None


def hide(secret: str) -> str:
    """Return a secret column without the secret: references and placeholders stay."""
    if secret in ("", "-"):
        return ""
    return secret if is_reference(secret) or is_placeholder("secret", secret) else HIDDEN


def check_secret(secret: Word, node: str, faults: Faults) -> None:
    """Report a password in clear text, without showing it."""
    if not secret or is_reference(secret) or is_placeholder("secret", secret):
        return
    faults.error(
        f"clear-text password for node {printable(node)} (value not shown)",
        secret,
        got="",
        expected="agent, key:PATH, secret:NAME, env:NAME or file:PATH",
        remedy=f"keep it elsewhere, write secret:{node} here, and change it: copies may be about",
    )


def check_host(host: Word, faults: Faults) -> None:
    """Report an address that no engine could use."""
    problem = _host_fault(host)
    if problem:
        faults.error(
            f"the address {problem}",
            host,
            expected="a host name, an IPv4 address or an IPv6 address in [ ]; then perhaps :port",
            remedy="correct the address",
        )


def _host_fault(host: str) -> str | None:
    if host.startswith("["):
        address, mark, port = host[1:].partition("]")
        if not mark or (port and not port.startswith(":")):
            return "has brackets that do not fit"
        return _ip_fault(address, 6) or (_port_fault(port[1:]) if port else None)
    if host.count(":") > 1:
        return "is IPv6 without brackets"
    name, mark, port = host.partition(":")
    fault = _ip_fault(name, 4) if _NUMERIC.fullmatch(name) else _name_fault(name)
    return fault or (_port_fault(port) if mark else None)


def _ip_fault(text: str, version: int) -> str | None:
    try:
        found = ipaddress.ip_address(text).version
    except ValueError:
        return f"is no IPv{version} address"
    return None if found == version else f"is no IPv{version} address"


def _name_fault(name: str) -> str | None:
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return "is no host name"
    return None


def _port_fault(port: str) -> str | None:
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5
    if is_port and 1 <= int(port) <= PORT_MAX:
        return None
    return f"has a port that is not from 1 to {PORT_MAX}"
