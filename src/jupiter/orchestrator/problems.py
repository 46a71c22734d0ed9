"""Reads and writes scheduling problems in every format; which one, the file itself tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.formats import (
    dot,
    graphml,
    ncsim_yaml,
    problem_json,
    saga_json,
    tgff,
    tgff_problem,
    wfformat,
)
from jupiter.formats.problem_parts import GraphParts
from jupiter.model.ids import NodeId
from jupiter.model.network import Network
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel
from jupiter.orchestrator.loading import load_network, missing

SUFFIXES = {
    ".tgff": "tgff",
    ".yaml": "ncsim",
    ".yml": "ncsim",
    ".dot": "dot",
    ".gv": "dot",
    ".graphml": "graphml",
}
FORMATS = ("problem", "saga", "wfformat", "ncsim", "tgff", "dot", "graphml")
"""All of them; ``problem`` is our own JSON, which can say everything."""
GRAPHS_ONLY = ("dot", "graphml")
"""Formats of graphs without nodes: a cluster file must come along."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A problem and where it is from.

    Attributes:
        notes: What its author should know.
        tgff: The file as it is, where it is TGFF.
    """

    name: str
    problem: Problem
    notes: tuple[Fault, ...] = ()
    tgff: tgff.Tgff | None = None


def load_problem(
    paths: Sequence[Path], format_name: str | None = None, cluster: Path | None = None
) -> Loaded:
    """Return the problem of a file, or of two files with the parts of SAGA.

    Args:
        paths: One file, or SAGA's network and task graph in either order.
        format_name: One of `FORMATS`; told from the file where it is None.
        cluster: Nodes and links for formats that have none; replaces those of others.

    Raises:
        InputError: A file cannot be read, or has faults; all of them.
    """
    contents = [_read(path) for path in paths]
    files = [str(path) for path in paths]
    if len(paths) == 2:
        first, second = (0, 1) if _keys(contents[0]) & {"nodes", "edges"} else (1, 0)
        parsed = saga_json.parse_parts(
            contents[first], contents[second], (files[first], files[second])
        )
        return Loaded(paths[0].stem, parsed.value, parsed.notes)
    if len(paths) != 1:
        raise InputError(
            Fault(
                "a problem is one file, or two with SAGA's parts",
                got=f"{len(paths)} files",
                remedy="map them one by one; compare takes many",
            )
        )
    kind = format_name or _kind(paths[0], contents[0])
    loaded = _load(kind, contents[0], files[0], cluster)
    if cluster is not None and kind not in GRAPHS_ONLY:
        network, notes = load_network(cluster)
        problem = _on_network(loaded.problem, network)
        return replace(loaded, problem=problem, notes=(*loaded.notes, *notes))
    return loaded


def _load(kind: str, content: bytes, file: str, cluster: Path | None) -> Loaded:
    name = Path(file).stem
    if kind == "tgff":
        found = tgff.parse(content, file)
        return Loaded(name, tgff_problem.to_problem(found.value), found.notes, found.value)
    if kind in GRAPHS_ONLY:
        graph = (dot if kind == "dot" else graphml).parse(content, file)
        if cluster is None:
            raise InputError(
                Fault(
                    "this format has tasks and edges, but no nodes and links",
                    file=file,
                    remedy="name a file that has them: --cluster cluster.toml",
                )
            )
        network, notes = load_network(cluster)
        return Loaded(name, _problem(graph.value, network), (*graph.notes, *notes))
    readers = {
        "problem": problem_json.parse,
        "saga": saga_json.parse,
        "wfformat": wfformat.parse,
        "ncsim": ncsim_yaml.parse,
    }
    if kind not in readers:
        raise InputError(Fault("unknown format", got=kind, expected=", ".join(FORMATS)))
    parsed = readers[kind](content, file)
    return Loaded(name, parsed.value, parsed.notes)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(missing(path, "file")) from None
    except OSError as error:
        raise InputError(
            Fault(f"cannot be read: {error.strerror}", file=str(path), remedy="name a file")
        ) from error


def _kind(path: Path, content: bytes) -> str:
    """Return the format that a file seems to have."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    keys = _keys(content)
    if "workflow" in keys:
        return "wfformat"
    if keys & {"network", "task_graph"}:
        return "saga"
    if content.lstrip()[:1] == b"{":
        return "problem"
    if content.lstrip().startswith(b"@"):
        return "tgff"
    raise InputError(
        Fault(
            "the format of the file cannot be told",
            file=str(path),
            expected=", ".join(FORMATS),
            remedy="say it with --from",
        )
    )


def _keys(content: bytes) -> set[str]:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return set()
    return set(values) if isinstance(values, dict) else set()


def _problem(parts: GraphParts, network: Network) -> Problem:
    nodes = network.workers or network.nodes
    empty = Problem(
        graph=parts.graph(),
        nodes=tuple(node.name for node in nodes),
        links={},
        work_s=parts.work_s,
        edge_bytes=parts.edge_bytes,
    )
    return _on_network(empty, network)


def _on_network(problem: Problem, network: Network) -> Problem:
    """Return a problem on other nodes and links; needs times by work."""
    nodes = network.workers or network.nodes
    names = tuple(node.name for node in nodes)
    if problem.execution_s or any(t not in problem.work_s for t in problem.graph.tasks):
        raise InputError(
            Fault(
                "times by task and node hold for the nodes of the file only",
                remedy="leave --cluster out",
            )
        )
    known: set[NodeId] = set(names)
    return replace(
        problem,
        nodes=names,
        speed={node.name: node.speed for node in nodes},
        cores={node.name: node.cores for node in nodes},
        links={
            (link.source, link.target): TransferModel(
                link.latency_s, 1 / link.bandwidth_bytes_per_s
            )
            for link in network.links
            if {link.source, link.target} <= known
        },
        pinned={},
        forbidden={},
        tasks_max={},
        node_memory_bytes={},
    )


WRITERS: dict[str, Callable[[Problem], str]] = {
    "problem": problem_json.dumps,
    "saga": saga_json.dumps,
    "wfformat": wfformat.dumps,
    "ncsim": ncsim_yaml.dumps,
    "tgff": lambda problem: tgff.dumps(tgff_problem.from_problem(problem)),
    "dot": dot.dumps,
    "graphml": graphml.dumps,
}


def format_of(path: Path) -> str:
    """Return the format that the name of a file asks for; our own JSON for any other name."""
    stem = path.name.lower()
    for name in ("saga", "wfformat"):
        if stem.endswith(f"{name}.json"):
            return name
    return SUFFIXES.get(path.suffix.lower(), "problem")
