"""``nodes.txt`` in all five variants of the seeds; passwords are dropped while it is read.

The variant is found by rule, in this order:

1. a first line with commas, ``Tag,Node,Region``: ``bare`` where a node is written ``user@IP``
   (a fourth column is the password), else ``service``;
2. no line with more than two words: ``hosts`` (Jupiter 2 to 4);
3. a first line whose node is ``scheduler`` or ``home…``: ``login`` (the first dispatcher);
4. else ``cluster`` (the cluster list of DRUPE on Kubernetes).

`login` and `cluster` have the same columns; only the address of the first is an IP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jupiter.formats.node_rules import check_host, check_secret, hide, is_placeholder
from jupiter.formats.text import (
    Content,
    Faults,
    Line,
    Parsed,
    Word,
    check_distinct,
    check_name,
    parse_with,
    word_lines,
)
from jupiter.kit.names import fold, printable
from jupiter.model.ids import NodeId
from jupiter.model.network import Network, Node, Role

Variant = Literal["login", "bare", "service", "cluster", "hosts"]
HEADER = "Tag,Node,Region"
NODES_MAX = 10_000
_NOTHING = "-"
"""Written where a column is empty; a password column that holds it asks for no password."""


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One computer as it was written.

    Attributes:
        name: Tag.
        host: Address or host name, perhaps with a port.
        user: Login name; empty where there is none.
        secret: A reference, a placeholder, `node_rules.HIDDEN` for a password, or empty.
        region: Free text of the variants with commas.
    """

    name: Word
    host: Word
    user: Word = Word("")
    secret: Word = Word("")
    region: str = ""


@dataclass(frozen=True, slots=True)
class NodesFile:
    """The whole file.

    Attributes:
        variant: See the module.
        nodes: In written order.
    """

    variant: Variant
    nodes: tuple[NodeLine, ...]


def parse(content: Content, file: str = "") -> Parsed[NodesFile]:
    """Return the lines of a ``nodes.txt``; whether they can be used is judged by `check`.

    Raises:
        InputError: A line has too few or too many columns, or a name is none.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> NodesFile:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    if not lines:
        faults.error(
            "the file is empty",
            expected="one node a line",
            remedy="write a first line such as: home 192.0.2.1",
        )
    elif len(lines) > NODES_MAX:
        faults.error("the file has too many nodes", got=str(len(lines)), expected=str(NODES_MAX))
    elif "," in lines[0].text:
        return _read_commas(lines, faults)
    return _read_blanks(lines[:NODES_MAX], faults)


def _read_blanks(lines: Sequence[Line], faults: Faults) -> NodesFile:
    nodes = []
    for line in lines:
        if not 2 <= len(line.words) <= 4:
            _report_columns(line, 4, "name address [user [secret]]", faults)
            continue
        name, host, user, secret = (*line.words, Word(""), Word(""))[:4]
        check_name(name, "node", faults)
        nodes.append(NodeLine(name, host, _optional(user), _secret(secret)))
    widest = max((len(line.words) for line in lines), default=0)
    variant: Variant = "hosts" if widest <= 2 else "cluster"
    if variant == "cluster" and _role(lines[0].words[0]) == "home":
        variant = "login"
    return NodesFile(variant, tuple(nodes))


def _read_commas(lines: Sequence[Line], faults: Faults) -> NodesFile:
    header = lines[0]
    if [cell.strip().lower() for cell in header.text.split(",")][:3] != ["tag", "node", "region"]:
        faults.error(
            "the first line is not the header of a file with commas",
            header.number,
            got=printable(header.text.strip()),
            expected=HEADER,
            remedy=f"write {HEADER} above the nodes, or blanks instead of commas",
        )
    nodes = []
    for line in lines[1:]:
        cells = _cells(line)
        if not 3 <= len(cells) <= 4:
            _report_columns(line, 4, "tag,[user@]address,region[,secret]", faults)
            continue
        name, address, region, secret = (*cells, Word(""))[:4]
        check_name(name, "node", faults)
        before, mark, after = address.rpartition("@")
        user = Word(before, address.line, address.column)
        host = Word(after, address.line, address.column + len(before + mark))
        nodes.append(NodeLine(name, host, user, _secret(secret), str(region)))
    if not nodes and not faults.has_errors:
        faults.error(
            "the file names no node",
            expected=f"lines below {HEADER}",
            remedy="add a line such as: node1,user@192.0.2.1,somewhere",
        )
    return NodesFile("bare" if any(node.user for node in nodes) else "service", tuple(nodes))


def _cells(line: Line) -> list[Word]:
    cells = []
    start = 0
    for cell in line.text.split(","):
        text = cell.strip(" \t")
        cells.append(Word(text, line.number, start + cell.find(text) + 1))
        start += len(cell) + 1
    return cells


def _report_columns(line: Line, most: int, form: str, faults: Faults) -> None:
    # The text of the line is not shown: it may hold a password.
    separator = "," if "," in line.text else " "
    columns = line.text.count(",") + 1 if separator == "," else len(line.words)
    has_many = columns > most
    faults.error(
        f"the line has too {'many' if has_many else 'few'} columns",
        line.words[0],
        got=f"{columns} columns",
        expected=form,
        remedy="the format cannot hold passwords with blanks or commas; write secret:NAME instead"
        if has_many
        else "add what is missing",
    )


def _optional(word: Word) -> Word:
    return Word("", word.line, word.column) if word == _NOTHING else word


def _secret(word: Word) -> Word:
    return Word(hide(word), word.line, word.column)


def dumps(nodes: NodesFile) -> str:
    """Return the text of a ``nodes.txt``; a password that was dropped is written as hidden."""
    if nodes.variant in ("bare", "service"):
        return "\n".join((HEADER, *map(_comma_line, nodes.nodes))) + "\n"
    return "".join(f"{_blank_line(node, nodes.variant)}\n" for node in nodes.nodes)


def _comma_line(node: NodeLine) -> str:
    address = f"{node.user}@{node.host}" if node.user else node.host
    return ",".join((node.name, address, node.region, *([node.secret] if node.secret else [])))


def _blank_line(node: NodeLine, variant: Variant) -> str:
    if variant == "hosts":
        return f"{node.name} {node.host}"
    return f"{node.name} {node.host} {node.user or _NOTHING} {node.secret or _NOTHING}"


def _role(name: str) -> Role:
    if name == "scheduler" or name.startswith("home"):
        return "home"
    return "source" if name.startswith("datasource") else "worker"


def check(nodes: NodesFile, faults: Faults) -> None:
    """Report everything that keeps the nodes from being used."""
    check_distinct([node.name for node in nodes.nodes], "node", faults)
    first: dict[str, Word] = {}
    for node in nodes.nodes:
        placeholders = [
            text
            for what, text in (("host", node.host), ("user", node.user), ("secret", node.secret))
            if is_placeholder(what, text)
        ]
        if placeholders:
            faults.error(
                f"node {printable(node.name)} still has words of the template",
                node.host,
                got=", ".join(f"placeholder {printable(text)}" for text in placeholders),
                expected="an address, a login name, and where the secret is kept",
                remedy=f"fill them in; the secret as agent, key:PATH or secret:{node.name}",
            )
        check_secret(node.secret, node.name, faults)
        if is_placeholder("host", node.host):
            continue
        check_host(node.host, faults)
        other = first.setdefault(fold(node.host), node.name)
        if other is not node.name:
            faults.warn(
                f"nodes {printable(other)} and {printable(node.name)} have the same address",
                node.host,
                got=printable(node.host),
                remedy="check that this is meant",
            )
    if nodes.nodes and not any(_role(node.name) == "home" for node in nodes.nodes):
        faults.error(
            "no line names the home node",
            expected="a node whose name starts with home, or scheduler",
            remedy=f"add a first line, such as: home {nodes.nodes[0].host}",
        )


def to_network(nodes: NodesFile, name: str) -> Network:
    """Return checked nodes as a network without links."""
    return Network(
        name,
        tuple(
            Node(
                NodeId(str(node.name)),
                _role(node.name),
                host=str(node.host),
                user=str(node.user),
                secret=str(node.secret),
                region=node.region,
            )
            for node in nodes.nodes
        ),
    )
