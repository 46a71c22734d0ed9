"""``cluster.toml``: nodes with cores and speed, directed links with bandwidth and latency."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from jupiter.formats.text import Faults, Names, Parsed, Word, decode, did_you_mean
from jupiter.formats.toml_text import Places, load
from jupiter.kit.names import name_fault, printable
from jupiter.kit.units import read_bytes, read_bytes_per_s, read_seconds
from jupiter.model.ids import NodeId
from jupiter.model.network import Link, Network, Node


def quantity(value: object, example: str) -> str:
    """Return a quantity's text; refuse a bare number, as its unit would be a guess."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; write a text with one, such as {example!r}")
    if not isinstance(value, str):
        raise ValueError(f"is no quantity; write a text with a unit, such as {example!r}")
    return value


Seconds = Annotated[float, BeforeValidator(lambda v: read_seconds(quantity(v, "5 ms")))]
Bytes = Annotated[int, BeforeValidator(lambda v: read_bytes(quantity(v, "256 MiB")))]


def _rate(value: object) -> float:
    if value == "unlimited":
        return math.inf
    rate = read_bytes_per_s(quantity(value, "50 Mbit/s"))
    if rate <= 0:
        raise ValueError("a bandwidth must be more than 0; leave the link out to cut it")
    return rate


Rate = Annotated[float, BeforeValidator(_rate)]


def _name(value: object) -> str:
    fault = name_fault(value) if isinstance(value, str) else "is no text"
    if fault:
        raise ValueError(f"the name {fault}")
    return str(value)


Name = Annotated[str, BeforeValidator(_name)]


class Closed(BaseModel):
    """A table in which unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Defaults(Closed):
    bandwidth: Rate = math.inf
    latency: Seconds = 0.0


class _Node(Closed):
    name: Name
    role: Literal["worker", "home", "source"] = "worker"
    cores: int = Field(default=1, ge=1, le=4096)
    speed: float = Field(default=1.0, gt=0, le=1e6, allow_inf_nan=False, strict=False)
    memory: Bytes | None = None
    host: str = ""
    user: str = ""
    secret: str = ""
    region: str = ""


class _Link(Closed):
    source: str
    target: str
    bandwidth: Rate | None = None
    latency: Seconds | None = None
    both: bool = False


class _Cluster(Closed):
    name: str = ""
    defaults: _Defaults | None = None
    node: list[_Node] = []
    link: list[_Link] = []


def parse(content: bytes | str, file: str = "cluster.toml") -> Parsed[Network]:
    """Read a file.

    With a table ``[defaults]`` every ordered pair of nodes is joined by a link with its values;
    ``[[link]]`` tables change or, without it, make up the network.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    text = decode(content, faults)
    cluster = load(text, _Cluster, faults)
    places = Places(text)
    names = Names("node", faults)
    for k, node in enumerate(cluster.node):
        at = places.find(("node", k, "name"))
        names.add(_word(node.name, at))
    if not cluster.node:
        faults.add(
            "names no node", expected="at least one table [[node]]", remedy="add one with a name"
        )
    links = _links(cluster, places, faults)
    faults.check()
    return faults.done(
        Network(
            cluster.name,
            tuple(
                Node(
                    name=NodeId(node.name),
                    role=node.role,
                    cores=node.cores,
                    speed=node.speed,
                    memory_bytes=node.memory,
                    host=node.host,
                    user=node.user,
                    secret=node.secret,
                    region=node.region,
                )
                for node in cluster.node
            ),
            links,
        )
    )


def _word(text: str, at: Word | int) -> Word:
    return Word(text, at.line, at.column) if isinstance(at, Word) else Word(text, at, 0)


def _links(cluster: _Cluster, places: Places, faults: Faults) -> tuple[Link, ...]:
    known = [node.name for node in cluster.node]
    defaults = cluster.defaults or _Defaults()
    links: dict[tuple[str, str], Link] = {}
    if cluster.defaults is not None:
        for source in known:
            for target in known:
                if source != target:
                    links[source, target] = _link(source, target, defaults, None)
    given: set[tuple[str, str]] = set()
    for k, link in enumerate(cluster.link):
        ends_known = True
        for end, name in (("source", link.source), ("target", link.target)):
            if name not in known:
                ends_known = False
                faults.add(
                    f"the {end} of a link is no node",
                    places.find(("link", k, end)),
                    got=printable(name),
                    expected="the name of a node",
                    remedy=did_you_mean(name, known),
                )
        at = places.find(("link", k))
        if link.source == link.target:
            faults.add("a link leads to its own source", at, got=printable(link.source))
            continue
        pairs = [(link.source, link.target), (link.target, link.source)][: 1 + link.both]
        for pair in pairs if ends_known else ():
            if pair in given:
                faults.add(
                    "the link is there twice",
                    at,
                    got=f"{pair[0]} -> {pair[1]}",
                    remedy="remove one of them",
                )
            given.add(pair)
            links[pair] = _link(*pair, defaults, link)
    return tuple(links.values())


def _link(source: str, target: str, defaults: _Defaults, link: _Link | None) -> Link:
    bandwidth, latency = defaults.bandwidth, defaults.latency
    if link is not None:
        bandwidth = bandwidth if link.bandwidth is None else link.bandwidth
        latency = latency if link.latency is None else link.latency
    return Link(NodeId(source), NodeId(target), bandwidth, latency)


def dumps(network: Network) -> str:
    """Return the text of a file that gives the same network."""
    rows = [f"name = {quoted(network.name)}"]
    for node in network.nodes:
        rows += ["", "[[node]]", f"name = {quoted(node.name)}"]
        if node.role != "worker":
            rows.append(f'role = "{node.role}"')
        rows += [f"cores = {node.cores}", f"speed = {node.speed!r}"]
        if node.memory_bytes is not None:
            rows.append(f'memory = "{node.memory_bytes} B"')
        for key in ("host", "user", "secret", "region"):
            value = getattr(node, key)
            if value:
                rows.append(f"{key} = {quoted(value)}")
    for link in network.links:
        rate = link.bandwidth_bytes_per_s
        rows += [
            "",
            "[[link]]",
            f"source = {quoted(link.source)}",
            f"target = {quoted(link.target)}",
            f'bandwidth = "{"unlimited" if math.isinf(rate) else f"{rate!r} B/s"}"',
            f'latency = "{link.latency_s!r} s"',
        ]
    return "\n".join(rows) + "\n"


def quoted(text: str) -> str:
    """Return a text as a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"'
        + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped)
        + '"'
    )
