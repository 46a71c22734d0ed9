"""``cluster.toml``: our own description of nodes and links."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from pydantic import BaseModel, ConfigDict, Field

from jupiter.formats.node_rules import check_host, check_secret
from jupiter.formats.text import (
    Content,
    Faults,
    Parsed,
    Places,
    Word,
    check_distinct,
    check_name,
    parse_with,
)
from jupiter.formats.toml_source import (
    Bytes,
    Closed,
    Rate,
    Seconds,
    read_toml,
    toml_pairs,
    validate,
)
from jupiter.kit.names import printable
from jupiter.model.ids import NodeId
from jupiter.model.network import Link, Network, Node, Role, TransportChoice

NODES_MAX = 10_000
DEFAULT_LINK_NODES_MAX = 1_000
"""Nodes that a default link may join pairwise; a million links is a description no more."""
DEFAULT_NAME = "cluster"


class _Defaults(Closed):
    bandwidth: Rate | None = None
    latency: Seconds = 0.0


class _Transport(BaseModel):
    """Its other keys are options of the transport, which alone knows them."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, str]

    name: str = "native"
    bodies: int = Field(default=4, ge=1, le=64)


class _File(Closed):
    name: str = DEFAULT_NAME
    transport: dict[str, object] | None = None
    defaults: dict[str, object] | None = None
    node: list[dict[str, object]] = Field(default_factory=list)
    link: list[dict[str, object]] = Field(default_factory=list)


class _Node(Closed):
    name: str
    role: Role = "worker"
    cores: int = Field(default=1, ge=1, le=100_000)
    speed: float = Field(default=1.0, gt=0, allow_inf_nan=False)
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


def parse(content: Content, file: str = "") -> Parsed[Network]:
    """Return the nodes and links of a ``cluster.toml``.

    Raises:
        InputError: It is no TOML, a key is unknown or has a wrong value, or names do not fit.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Network:
    """Return the network; an empty one where anything is wrong."""
    nothing = Network(DEFAULT_NAME, ())
    found = read_toml(content, faults)
    if found is None:
        return nothing
    values, places = found
    top = validate(_File, values, (), places, faults)
    if top is None:
        return nothing
    nodes = _read_nodes(top, places, faults)
    names = [str(name) for table in top.node if isinstance(name := table.get("name"), str)]
    links = _read_links(top, names, places, faults)
    transport = _read_transport(top, places, faults)
    if faults.has_errors:
        return nothing
    return Network(top.name, tuple(nodes.values()), tuple(links.values()), transport)


def dumps(network: Network) -> str:
    """Return the text of a ``cluster.toml`` with every link written out."""
    lines = toml_pairs({"name": network.name})
    if network.transport != TransportChoice():
        transport = network.transport
        pairs = {"name": transport.name, "bodies": transport.bodies_max, **transport.options}
        lines += ["", "[transport]", *toml_pairs(pairs)]
    for node in network.nodes:
        lines += ["", "[[node]]", *toml_pairs(_node_pairs(node))]
    for link in network.links:
        bandwidth = link.bandwidth_bytes_per_s
        pairs = {
            "source": str(link.source),
            "target": str(link.target),
            "bandwidth": f"{bandwidth!r} B/s" if math.isfinite(bandwidth) else "unlimited",
            "latency": f"{link.latency_s!r} s" if link.latency_s else None,
        }
        lines += ["", "[[link]]", *toml_pairs(pairs)]
    return "\n".join(lines) + "\n"


def _node_pairs(node: Node) -> dict[str, object]:
    memory = node.memory_bytes
    return {
        "name": str(node.name),
        "role": node.role if node.role != "worker" else None,
        "cores": node.cores if node.cores != 1 else None,
        "speed": node.speed if node.speed != 1 else None,
        "memory": f"{memory} B" if memory is not None else None,
        "host": node.host or None,
        "user": node.user or None,
        "secret": node.secret or None,
        "region": node.region or None,
    }


def _read_nodes(top: _File, places: Places, faults: Faults) -> dict[str, Node]:
    names = [
        places.word(name, "node", k, "name")
        for k, table in enumerate(top.node)
        if isinstance(name := table.get("name"), str)
    ]
    for name in names:
        check_name(name, "node", faults)
    check_distinct(names, "node", faults)
    if not 1 <= len(top.node) <= NODES_MAX:
        faults.error(
            "the file has no node" if not top.node else "the file has too many nodes",
            got=str(len(top.node)),
            expected=f"1 to {NODES_MAX} nodes",
            remedy='write [[node]] and below it name = "home" and role = "home"',
        )
    nodes = {}
    for k, table in enumerate(top.node):
        node = validate(_Node, table, ("node", k), places, faults)
        if node is not None:
            place = places.word(node.host, "node", k, "host")
            if place:
                check_host(place, faults)
            check_secret(places.word(node.secret, "node", k, "secret"), node.name, faults)
            nodes[node.name] = Node(
                NodeId(node.name),
                role=node.role,
                cores=node.cores,
                speed=node.speed,
                memory_bytes=node.memory,
                host=node.host,
                user=node.user,
                secret=node.secret,
                region=node.region,
            )
    if top.node and not any(node.role == "home" for node in nodes.values()):
        faults.warn(
            "no node is the home, so no stream can be run",
            names[0] if names else 0,
            remedy='give one node role = "home"',
        )
    return nodes


def _read_transport(top: _File, places: Places, faults: Faults) -> TransportChoice:
    if top.transport is None:
        return TransportChoice()
    found = validate(_Transport, top.transport, ("transport",), places, faults)
    if found is None:
        return TransportChoice()
    if ("/" in found.name or found.name.endswith(".py")) and not found.name.startswith("/"):
        faults.error(
            "the path of a transport is not absolute",
            places.word(found.name, "transport", "name"),
            expected="a path that begins with /, the same on every node",
            remedy="write the whole path",
        )
    return TransportChoice(found.name, found.__pydantic_extra__, found.bodies)


def _read_links(
    top: _File, nodes: Sequence[str], places: Places, faults: Faults
) -> dict[tuple[str, str], Link]:
    defaults = None
    if top.defaults is not None:
        defaults = validate(_Defaults, top.defaults, ("defaults",), places, faults)
        _refuse_zero(defaults, places.at("defaults", "bandwidth"), faults)
    known = frozenset(nodes)
    links: dict[tuple[str, str], Link] = {}
    first: dict[tuple[str, str], Word] = {}
    for k, table in enumerate(top.link):
        link = validate(_Link, table, ("link", k), places, faults)
        at = places.at("link", k)
        if link is None or not _check_ends(link, k, known, places, faults):
            continue
        _refuse_zero(link, places.at("link", k, "bandwidth"), faults)
        pairs = [(link.source, link.target), (link.target, link.source)]
        for pair in pairs if link.both else pairs[:1]:
            if pair in links:
                faults.error(
                    f"the link {pair[0]} -> {pair[1]} is written twice",
                    at,
                    got=f"the first is on line {first[pair].line}",
                    expected="one link from a node to another",
                    remedy="delete one of them, or both = true of the other",
                )
                continue
            first[pair] = at
            links[pair] = _link(*pair, link, defaults)
    if defaults is not None and _is_mesh_small(nodes, places, faults):
        for source in nodes:
            for target in nodes:
                if source != target and (source, target) not in links:
                    links[source, target] = _link(source, target, defaults, None)
    return links


def _link(source: str, target: str, given: _Link | _Defaults, defaults: _Defaults | None) -> Link:
    bandwidth, latency = given.bandwidth, given.latency
    if defaults is not None:
        bandwidth = defaults.bandwidth if bandwidth is None else bandwidth
        latency = defaults.latency if latency is None else latency
    # A zero was reported; the link is only a stand-in until the faults are raised.
    return Link(NodeId(source), NodeId(target), bandwidth or math.inf, latency or 0.0)


def _refuse_zero(given: _Link | _Defaults | None, at: Word, faults: Faults) -> None:
    if given is not None and given.bandwidth == 0:
        faults.error(
            "a bandwidth of zero lets nothing through",
            at,
            got="0",
            expected="more than 0",
            remedy="leave the link out, or give it a bandwidth",
        )


def _check_ends(
    link: _Link, k: int, nodes: Collection[str], places: Places, faults: Faults
) -> bool:
    is_right = True
    for side, name in (("source", link.source), ("target", link.target)):
        if name not in nodes:
            is_right = False
            faults.error(
                f"the {side} of a link is no node",
                places.word(name, "link", k, side),
                expected="the name of a [[node]]",
                remedy=faults.suggestion(name, nodes, "add the node"),
            )
    if link.source == link.target:
        is_right = False
        faults.error(
            f"a link joins {printable(link.source)} to itself",
            places.at("link", k),
            got="",
            expected="two nodes; within a node transfers are free",
            remedy="delete the link",
        )
    return is_right


def _is_mesh_small(nodes: Sequence[str], places: Places, faults: Faults) -> bool:
    if len(nodes) <= DEFAULT_LINK_NODES_MAX:
        return True
    faults.error(
        "default links would join too many nodes",
        places.at("defaults"),
        got=f"{len(nodes)} nodes",
        expected=f"at most {DEFAULT_LINK_NODES_MAX} nodes",
        remedy="write the links that there are",
    )
    return False
