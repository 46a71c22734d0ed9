"""``app_config.ini``: the service port and the container port of every extra port."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.ini import read_sections, require_section
from jupiter.formats.text import Content, Faults, Parsed, parse_with, read_integer

PORT_MAX = 65_535
_SECTIONS = ("DOCKER_PORT", "SVC_PORT")


def parse(content: Content, file: str = "") -> Parsed[dict[str, tuple[int, int]]]:
    """Return (service port, container port) by name.

    Raises:
        InputError: A section is missing, a key is written twice, a port is out of range, or a
            service port has no container port.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> dict[str, tuple[int, int]]:
    """Return what can be understood; the rest is reported."""
    sections = read_sections(content, faults)
    for name in sections:
        if name not in _SECTIONS:
            faults.error(
                f"section [{name}] is unknown",
                name,
                expected=" or ".join(f"[{each}]" for each in _SECTIONS),
                remedy=faults.suggestion(name, _SECTIONS, "delete it"),
            )
    container_ports, service_ports = (
        {
            key: read_integer(value, faults, f"port {key}", low=1, high=PORT_MAX)
            for key, value in require_section(name, sections, faults).items()
        }
        for name in _SECTIONS
    )
    ports = {}
    for key, port in service_ports.items():
        if key not in container_ports:
            faults.error(
                f"service port {key} has no container port",
                key,
                expected=f"the key {key} in [DOCKER_PORT] too",
                remedy=faults.suggestion(key, container_ports, "add it"),
            )
            continue
        inner = container_ports[key]
        if port is not None and inner is not None:
            ports[str(key)] = (port, inner)
    for key in container_ports:
        if key not in service_ports:
            faults.warn(f"container port {key} has no service port, so nothing reaches it", key)
    return ports


def dumps(ports: Mapping[str, tuple[int, int]]) -> str:
    """Return the text of an ``app_config.ini``."""
    lines = []
    for section, side in (("DOCKER_PORT", 1), ("SVC_PORT", 0)):
        lines.append(f"[{section}]")
        lines += [f"    {name} = {pair[side]}" for name, pair in ports.items()]
    return "\n".join(lines) + "\n"
