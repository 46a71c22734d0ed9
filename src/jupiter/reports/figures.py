"""The task graph, the network, and the comparison of schedules, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupiter.kit.units import show_bytes, show_bytes_per_s, show_seconds
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.run import RunRecord
from jupiter.reports import layout, metrics
from jupiter.reports.svg import colour, figure, ink_on, tag, text, ticks

BOX_WIDTH, BOX_HEIGHT = 144.0, 40.0
COLUMN_GAP, ROW_GAP = 52.0, 16.0
LINKS_DRAWN_MAX = 240
"""Links that carried nothing are left out beyond this: they would hide the others."""

Colours = Mapping[NodeId, str]


def node_colours(run: RunRecord) -> dict[NodeId, str]:
    """Return one colour a node, the same in all figures; home is grey."""
    colours = {node.name: colour(k) for k, node in enumerate(run.network.workers)}
    return {node.name: colours.get(node.name, "#8a8f98") for node in run.network.nodes}


def graph_figure(run: RunRecord, colours: Colours) -> str:
    """Return the task graph from left to right, each task in the colour of its node."""
    columns = layout.layers(run.app.graph)
    tallest = max((len(column) for column in columns), default=1)
    height = tallest * (BOX_HEIGHT + ROW_GAP) + ROW_GAP
    width = len(columns) * (BOX_WIDTH + COLUMN_GAP) + COLUMN_GAP
    places: dict[TaskId, tuple[float, float]] = {}
    for k, column in enumerate(columns):
        step = height / max(1, len(column))
        for row, task in enumerate(column):
            x = COLUMN_GAP + k * (BOX_WIDTH + COLUMN_GAP)
            places[task] = (x, (row + 0.5) * step - BOX_HEIGHT / 2)
    edges = [_edge(places[e.source], places[e.target]) for e in run.app.graph.edges]
    times = {row.task: row for row in metrics.task_figures(run)}
    boxes = [_box(*places[task], times[task], colours) for task in run.app.graph.tasks]
    return figure(width, height, [*edges, *boxes], "task graph")


def _edge(source: tuple[float, float], target: tuple[float, float]) -> str:
    x0, y0 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT / 2
    x1, y1 = target[0], target[1] + BOX_HEIGHT / 2
    bend = (x1 - x0) / 2
    path = (
        f"M{x0:.1f} {y0:.1f} C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    )
    return tag("path", d=path, class_="edge")


def _box(x: float, y: float, row: metrics.TaskFigures, colours: Colours) -> str:
    fill = colours.get(row.node, "#8a8f98")
    ink = ink_on(fill)
    because = f"{row.task} on {row.node}: {row.reason}" if row.reason else f"{row.task}"
    return tag(
        "g",
        tag("rect", x=x, y=y, width=BOX_WIDTH, height=BOX_HEIGHT, rx=7, fill=fill),
        text(x + 9, y + 17, row.task, width=BOX_WIDTH - 14, fill=ink, class_="strong"),
        text(
            x + 9,
            y + 32,
            f"{row.node} · {show_seconds(row.run_s)}",
            width=BOX_WIDTH - 14,
            fill=ink,
            class_="small",
        ),
        title=because,
    )


def network_figure(run: RunRecord, colours: Colours) -> str:
    """Return the nodes in a circle; a line is as thick as the bytes that it carried."""
    radius = 150.0 + 4.0 * max(0, len(run.network.nodes) - 12)
    centre = radius + 70
    places = {
        name: (centre + radius * x, centre + radius * y)
        for name, (x, y) in layout.circle(run.network).items()
    }
    used = {(row.source, row.target): row for row in metrics.link_figures(run)}
    most = max((row.size_bytes for row in used.values()), default=1) or 1
    idle = [link for link in run.network.links if (link.source, link.target) not in used]
    lines = []
    if len(idle) <= LINKS_DRAWN_MAX:
        for link in idle:
            lines.append(_line(places[link.source], places[link.target], 0.6, "idle", ""))
    for (source, target), row in used.items():
        found = run.network.by_pair.get((source, target))
        rate = show_bytes_per_s(found.bandwidth_bytes_per_s) if found else "?"
        told = (
            f"{source} to {target}: {show_bytes(row.size_bytes)} in {row.transfers} transfers, "
            f"{row.busy_fraction:.0%} of {rate}"
        )
        width = 1.2 + 6.8 * row.size_bytes / most
        lines.append(_line(places[source], places[target], width, "used", told))
    dots = [_dot(run, name, places[name], colours) for name in places]
    return figure(2 * centre, 2 * centre, [*lines, *dots], "network")


def _line(
    source: tuple[float, float], target: tuple[float, float], width: float, kind: str, told: str
) -> str:
    """Return a line bent to its right, so that the two directions lie side by side."""
    dx, dy = target[0] - source[0], target[1] - source[1]
    mx, my = (source[0] + target[0]) / 2 - 0.09 * dy, (source[1] + target[1]) / 2 + 0.09 * dx
    path = f"M{source[0]:.1f} {source[1]:.1f} Q{mx:.1f} {my:.1f} {target[0]:.1f} {target[1]:.1f}"
    return tag("path", d=path, class_=f"link {kind}", stroke_width=width, title=told)


def _dot(run: RunRecord, name: str, place: tuple[float, float], colours: Colours) -> str:
    node = run.network.by_name[NodeId(name)]
    fill = colours[node.name]
    busy = {row.node: row for row in metrics.node_figures(run)}
    told = f"{name}: speed {node.speed:g}, {node.cores} cores"
    if node.name in busy:
        told += f", busy {busy[node.name].busy_fraction:.0%}"
    x, y = place
    return tag(
        "g",
        tag("circle", cx=x, cy=y, r=25, fill=fill, class_="dot"),
        text(x, y + 4, name, width=48, fill=ink_on(fill), class_="small middle strong"),
        title=told,
    )


def bars_figure(rows: Sequence[metrics.Comparison]) -> str:
    """Return the makespans of several schedules side by side, the main one first."""
    width, left, right, step = 560.0, 110.0, 120.0, 44.0
    most = max((row.makespan_s for row in rows), default=0.0) or 1.0
    parts = []
    for k, row in enumerate(rows):
        y = 8 + k * step
        length = (width - left - right) * row.makespan_s / most
        parts += [
            text(left - 10, y + 20, row.scheduler, width=left - 10, class_="end strong"),
            tag("rect", x=left, y=y, width=max(1.0, length), height=28, rx=4, fill=colour(k)),
            text(left + length + 8, y + 19, show_seconds(row.makespan_s), class_="strong"),
        ]
        if k:
            parts.append(
                text(left + length + 66, y + 19, f"{row.ratio:.2f} x", class_="small faint")
            )
    return figure(width, 8 + len(rows) * step, parts, "makespan of each schedule")


def curves_figure(runs: Sequence[RunRecord]) -> str:
    """Return how many items were done at each moment, one line a schedule."""
    width, height, left, bottom, top, right = 560.0, 260.0, 46.0, 34.0, 12.0, 92.0
    most_s = max((run.makespan_s for run in runs), default=0.0) or 1.0
    most = max((len(run.items) for run in runs), default=1) or 1

    def place(time_s: float, count: float) -> tuple[float, float]:
        x = left + (width - left - right) * time_s / most_s
        return x, height - bottom - (height - bottom - top) * count / most

    parts = []
    for value in ticks(most_s):
        x, y = place(value, 0)
        parts.append(tag("line", x1=x, x2=x, y1=top, y2=y, class_="grid"))
        parts.append(text(x, y + 18, show_seconds(value), class_="small faint middle"))
    for value in ticks(most, 4):
        x, y = place(0, value)
        parts.append(tag("line", x1=x, x2=width - right, y1=y, y2=y, class_="grid"))
        parts.append(text(x - 8, y + 4, f"{value:g}", class_="small faint end"))
    for k, run in enumerate(runs):
        start_s = min((item.accepted_s for item in run.items), default=0.0)
        points = [place(0, 0)]
        points += [place(t - start_s, n) for n, t in enumerate(run.done_s, start=1)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(tag("polyline", points=path, class_="curve", stroke=colour(k)))
        x, y = points[-1]
        parts.append(
            text(
                min(x + 7, width - right + 7),
                y + 4 + 13 * k,
                run.schedule.scheduler,
                fill=colour(k),
                class_="small strong",
            )
        )
    return figure(width, height, parts, "items done over time")
