"""The small files of an application folder: ports, name rules, entry nodes, communication."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.text import (
    Faults,
    Names,
    Parsed,
    Word,
    check_name,
    decode,
    did_you_mean,
    lines_of,
)
from jupiter.kit.names import printable
from jupiter.model.app import NameRule

PORT_SECTIONS = ("DOCKER_PORT", "SVC_PORT")
PORT_MAX = 65535

Ports = Mapping[str, tuple[int, int]]
"""Service port and container port, by name."""


def parse_ports(content: bytes | str, file: str = "app_config.ini") -> Parsed[Ports]:
    """Read ``app_config.ini``: a port of ``SVC_PORT`` leads to the same key of ``DOCKER_PORT``.

    Either section may be empty; both must be there.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    sections: dict[str, dict[str, int]] = {}
    section: dict[str, int] | None = None
    for number, raw in enumerate(decode(content, faults).split("\n"), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and line.endswith("]"):
            section = _section(line[1:-1], number, sections, faults)
        elif section is None:
            faults.add(
                "there is a line before the first section",
                number,
                got=printable(line),
                expected="[DOCKER_PORT] or [SVC_PORT]",
                remedy="put the section's name above it",
            )
        else:
            _port_line(line, number, section, faults)
    for name in PORT_SECTIONS:
        if name not in sections:
            faults.add(
                f"the section [{name}] is missing",
                expected="[DOCKER_PORT] and [SVC_PORT], either of which may be empty",
                remedy=f"add a line: [{name}]",
            )
    return faults.done(_join_ports(sections, faults))


def _section(
    name: str, number: int, sections: dict[str, dict[str, int]], faults: Faults
) -> dict[str, int]:
    if name not in PORT_SECTIONS:
        faults.add(
            "unknown section",
            number,
            got=printable(name),
            expected=" or ".join(PORT_SECTIONS),
            remedy=did_you_mean(name, list(PORT_SECTIONS)),
        )
    elif name in sections:
        faults.add(f"the section [{name}] is there twice", number, remedy="join the two")
    return sections.setdefault(name, {})


def _port_line(line: str, number: int, section: dict[str, int], faults: Faults) -> None:
    key, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not key:
        faults.add(
            "is no port", number, got=printable(line), expected="NAME = number", remedy="add a ="
        )
        return
    if key in section:
        faults.add(f"the key {printable(key)} is there twice", number, remedy="remove one of them")
    if "%(" in value:
        faults.add(
            "refers to another value",
            number,
            got=printable(value),
            expected="a number; references are not followed",
            remedy="write the number itself",
        )
        return
    port = int(value) if value.isdecimal() and len(value) < 7 else 0
    if not 0 < port <= PORT_MAX:
        faults.add(
            f"the port {printable(key)} is out of range",
            number,
            got=printable(value),
            expected=f"a whole number from 1 to {PORT_MAX}",
        )
        return
    section[key] = port


def _join_ports(sections: dict[str, dict[str, int]], faults: Faults) -> Ports:
    docker, service = (sections.get(name, {}) for name in PORT_SECTIONS)
    for key in service:
        if key not in docker and not faults.has_errors:
            faults.add(
                f"the service port {printable(key)} leads nowhere",
                expected="the same key in [DOCKER_PORT]",
                remedy=did_you_mean(key, list(docker)),
            )
    return {key: (port, docker.get(key, port)) for key, port in service.items()}


def dumps_ports(ports: Ports) -> str:
    """Return the text of ``app_config.ini``."""
    docker = "".join(f"    {key} = {pair[1]}\n" for key, pair in ports.items())
    service = "".join(f"    {key} = {pair[0]}\n" for key, pair in ports.items())
    return f"[DOCKER_PORT]\n{docker}[SVC_PORT]\n{service}"


def parse_name_rules(
    content: bytes | str, file: str = "name_convert.txt"
) -> Parsed[Mapping[str, NameRule]]:
    """Read ``name_convert.txt``: ``task output_marker input_marker``, with a row ``input``.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    rules: dict[str, NameRule] = {}
    names = Names("task", faults)
    for row in lines_of(decode(content, faults), faults):
        if len(row) != 3:
            faults.add(
                f"has {len(row)} words",
                row[0].line,
                got=" ".join(word.text for word in row),
                expected="task output_marker input_marker",
            )
            continue
        if names.add(row[0]):
            rules[row[0].text] = NameRule(row[1].text, row[2].text)
    if "input" not in rules:
        faults.add(
            "has no row for input",
            expected="a row: input output_marker input_marker",
            remedy="add it; its input_marker is what the names of input files end with",
        )
    return faults.done(rules)


def dumps_name_rules(rules: Mapping[str, NameRule]) -> str:
    """Return the text of ``name_convert.txt``."""
    return "".join(
        f"{task} {rule.output_marker} {rule.input_marker}\n" for task, rule in rules.items()
    )


def parse_entry_nodes(
    content: bytes | str, file: str = "input_node.txt"
) -> Parsed[Mapping[str, tuple[str, ...]]]:
    """Read ``input_node.txt``: a header, then ``task node [node …]``.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    rows = list(lines_of(decode(content, faults), faults))
    if not rows:
        faults.add(
            "is empty", expected="a line: task node", remedy="write it, then one row an entry task"
        )
    nodes: dict[str, tuple[str, ...]] = {}
    names = Names("task", faults)
    for row in rows[1:]:
        if len(row) < 2:
            faults.add("names no node", row[0], expected="task node [node …]")
            continue
        for word in row[1:]:
            check_name(word, "node", faults)
        if names.add(row[0]):
            nodes[row[0].text] = tuple(word.text for word in row[1:])
    return faults.done(nodes)


def dumps_entry_nodes(nodes: Mapping[str, tuple[str, ...]]) -> str:
    """Return the text of ``input_node.txt``."""
    rows = "".join(f"{task} {' '.join(found)}\n" for task, found in nodes.items())
    return f"task node\n{rows}"


def parse_communication(
    content: bytes | str, file: str = "communication.txt"
) -> Parsed[Mapping[str, Mapping[str, float]]]:
    """Read ``communication.txt`` of generated applications: ``task child-KB …``.

    Returns:
        Kilobytes (of 1,024 bytes, as they are generated) by task and child.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    sizes: dict[str, Mapping[str, float]] = {}
    names = Names("task", faults)
    for row in lines_of(decode(content, faults), faults):
        if names.add(row[0]):
            sizes[row[0].text] = dict(filter(None, (_child(word, faults) for word in row[1:])))
    return faults.done(sizes)


def _child(word: Word, faults: Faults) -> tuple[str, float] | None:
    child, dash, text = word.text.rpartition("-")
    digits = text.replace(".", "", 1)
    if not dash or not child or not digits.isdecimal() or len(digits) > 15:
        faults.add("is no child with its size", word, expected="child-KB, such as task3-6.85")
        return None
    return child, float(text)


def dumps_communication(sizes: Mapping[str, Mapping[str, float]]) -> str:
    """Return the text of ``communication.txt``; sizes have two decimals there."""
    return "".join(
        " ".join((task, *(f"{child}-{size:.2f}" for child, size in children.items()))) + "\n"
        for task, children in sizes.items()
    )
