"""Problems of well-known shapes with wanted properties; the same for the same seed.

All of them have related machines (work over speed) and links in both directions, so that they can
be given to other tools, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log2

from jupiter.kit.rng import Stream, stream
from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import TransferModel

Edges = list[tuple[int, int]]


def layered(size: int, draw: Stream) -> Edges:
    """Return layers about as wide as there are many; parents are in one of the two before."""
    edges: dict[tuple[int, int], None] = {}
    width = max(1, round(size**0.5))
    starts = [0]
    while starts[-1] < size:
        starts.append(starts[-1] + draw.randint(1, 2 * width - 1))
    for layer in range(1, len(starts) - 1):
        for task in range(starts[layer], min(starts[layer + 1], size)):
            edges[draw.randrange(starts[layer - 1], starts[layer]), task] = None
            for _ in range(draw.randint(0, 4)):
                edges[draw.randrange(starts[max(0, layer - 2)], starts[layer]), task] = None
    return list(edges)


def fork_join(size: int, draw: Stream) -> Edges:
    """Return forks into parallel chains that join again, one after the other."""
    edges: Edges = []
    head, made = 0, 1
    while made < size:
        branches = draw.randint(2, max(2, round(size**0.5)))
        length = draw.randint(1, 3)
        tails = []
        for _ in range(branches):
            last = head
            for _ in range(length):
                edges.append((last, made))
                last = made
                made += 1
            tails.append(last)
        edges += [(tail, made) for tail in tails]
        head = made
        made += 1
    return edges


def out_tree(size: int, draw: Stream) -> Edges:
    """Return a tree that grows from one entry."""
    edges: Edges = []
    made, open_ = 1, [0]
    while made < size:
        parent = open_.pop(0)
        for _ in range(min(draw.randint(1, 4), size - made)):
            edges.append((parent, made))
            open_.append(made)
            made += 1
    return edges


def in_tree(size: int, draw: Stream) -> Edges:
    """Return a tree that shrinks to one exit."""
    edges = out_tree(size, draw)
    return [(size - 1 - child, size - 1 - parent) for parent, child in edges]


def gauss(size: int, draw: Stream) -> Edges:
    """Return Gaussian elimination of a matrix, column by column.

    Source: Topcuoglu, Hariri, Wu 2002, doi:10.1109/71.993206, section 5.3.
    """
    order = 2
    while (order * order + order - 2) // 2 < size:
        order += 1
    number: dict[tuple[int, int], int] = {}
    edges: Edges = []
    for k in range(order - 1):
        number[k, k] = len(number)
        if k:
            edges.append((number[k - 1, k], number[k, k]))
        for column in range(k + 1, order):
            number[k, column] = len(number)
            edges.append((number[k, k], number[k, column]))
            if k:
                edges.append((number[k - 1, column], number[k, column]))
    return edges


def fft(size: int, draw: Stream) -> Edges:
    """Return a fast Fourier transform: a tree of calls, then butterflies.

    Source: as `gauss`.
    """
    points = 2
    while 2 * points - 1 + points * round(log2(points)) < size:
        points *= 2
    edges: Edges = [((task - 1) // 2, task) for task in range(1, 2 * points - 1)]
    row = list(range(points - 1, 2 * points - 1))
    made = 2 * points - 1
    step = 1
    while step < points:
        after = list(range(made, made + points))
        made += points
        for k in range(points):
            edges += [(row[k], after[k]), (row[k], after[k ^ step])]
        row = after
        step *= 2
    return edges


def montage(size: int, draw: Stream) -> Edges:
    """Return an image mosaic: projections, differences of pairs, one fit, corrections, one sum.

    Source: shape of the Montage workflow, Juve et al. 2013, doi:10.1016/j.future.2012.08.015.
    """
    images = max(3, (size - 5) // 4)
    projections = list(range(images))
    made = images
    edges: Edges = []
    differences = []
    for k in range(2 * images - 3):
        first, second = (k % images, (k + 1 + k // images) % images)
        edges += [(projections[first], made), (projections[second], made)]
        differences.append(made)
        made += 1
    concat, model = made, made + 1
    edges += [(each, concat) for each in differences] + [(concat, model)]
    made += 2
    corrections = list(range(made, made + images))
    made += images
    for projection, correction in zip(projections, corrections, strict=True):
        edges += [(projection, correction), (model, correction)]
    table, total, shrink = made, made + 1, made + 2
    edges += [(each, table) for each in corrections]
    return [*edges, (table, total), (total, shrink)]


def blast(size: int, draw: Stream) -> Edges:
    """Return a split, independent searches, and two merges: the shape of BLAST workflows."""
    searches = list(range(1, max(2, size - 2)))
    first, second = len(searches) + 1, len(searches) + 2
    edges = [(0, each) for each in searches]
    return edges + [(each, merge) for each in searches for merge in (first, second)]


def epigenomics(size: int, draw: Stream) -> Edges:
    """Return lanes of split, chains of four, and a merge; the merges join to a tail of three.

    Source: shape of the Epigenomics workflow, as `montage`.
    """
    lanes = 1 if size < 20 else 2 if size < 60 else 4
    chains = max(1, (size - 3 - 2 * lanes) // (4 * lanes))
    edges: Edges = []
    made, merges = 0, []
    for _ in range(lanes):
        split = made
        made += 1
        ends = []
        for _ in range(chains):
            last = split
            for _ in range(4):
                edges.append((last, made))
                last = made
                made += 1
            ends.append(last)
        edges += [(each, made) for each in ends]
        merges.append(made)
        made += 1
    edges += [(each, made) for each in merges]
    return [*edges, (made, made + 1), (made + 1, made + 2)]


def stream_graph(size: int, draw: Stream) -> Edges:
    """Return the shape of streaming detectors: a split, branches with parallel stages, joins."""
    branches = max(1, (size - 2) // 4)
    edges: Edges = []
    joins = []
    made = 1
    for _ in range(branches):
        head = made
        edges.append((0, head))
        detectors = range(made + 1, made + 1 + draw.randint(1, 3))
        made = detectors[-1] + 1
        edges += [(head, each) for each in detectors] + [(each, made) for each in detectors]
        joins.append(made)
        made += 1
    return edges + [(each, made) for each in joins]


FAMILIES: dict[str, Callable[[int, Stream], Edges]] = {
    "layered": layered,
    "fork-join": fork_join,
    "out-tree": out_tree,
    "in-tree": in_tree,
    "gauss": gauss,
    "fft": fft,
    "montage": montage,
    "blast": blast,
    "epigenomics": epigenomics,
    "stream": stream_graph,
}
"""Makers of graphs by name; each takes about how many tasks are wanted, and a random stream."""


@dataclass(frozen=True, slots=True)
class FamilyShape:
    """What a problem of a family is like.

    Attributes:
        family: One of `FAMILIES`.
        tasks: About how many.
        nodes: How many, at least 1.
        ccr: Mean transfer over mean execution time.
        heterogeneity: Speeds of nodes and links are drawn from 1 down to 1 over 1 plus this.
    """

    family: str
    tasks: int
    nodes: int
    ccr: float = 1.0
    heterogeneity: float = 1.0


def family_problem(shape: FamilyShape, seed: int = 0) -> Problem:
    """Return a problem of a family; mean execution times are around 1 s, links have no latency."""
    edges = FAMILIES[shape.family](shape.tasks, stream(seed, "family", shape.family, "graph"))
    count = 1 + max((max(edge) for edge in edges), default=0)
    tasks = [TaskId(f"t{k}") for k in range(count)]
    nodes = [NodeId(f"n{k}") for k in range(shape.nodes)]
    children: list[list[TaskId]] = [[] for _ in tasks]
    for source, target in edges:
        children[source].append(tasks[target])
    draw = stream(seed, "family", shape.family, "costs")

    def slow() -> float:
        return 1.0 / (1.0 + draw.random() * shape.heterogeneity)

    work_s = {task: draw.uniform(0.2, 1.8) for task in tasks}
    sizes = {Edge(tasks[a], tasks[b]): draw.uniform(0.2, 1.8) for a, b in edges}
    speed = {node: slow() for node in nodes}
    mean_s = sum(work_s.values()) / len(work_s) * sum(1 / each for each in speed.values())
    mean_s /= len(nodes)
    links: dict[tuple[NodeId, NodeId], TransferModel] = {}
    rates = {(a, b): slow() for k, a in enumerate(nodes) for b in nodes[k + 1 :]}
    mean_rate = sum(1 / each for each in rates.values()) / max(len(rates), 1)
    mean_size = sum(sizes.values()) / max(len(sizes), 1)
    factor = shape.ccr * mean_s / (mean_rate * mean_size) if rates and sizes else 1.0
    for (a, b), rate in rates.items():
        links[a, b] = links[b, a] = TransferModel(0.0, factor / rate)
    return Problem(
        graph=TaskGraph({task: tuple(found) for task, found in zip(tasks, children, strict=True)}),
        nodes=tuple(nodes),
        links=links,
        work_s=work_s,
        edge_bytes=sizes,
        speed=speed,
    )
