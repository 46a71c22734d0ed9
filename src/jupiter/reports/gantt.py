"""What every core did, moment by moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jupiter.kit.units import show_seconds
from jupiter.model.ids import NodeId
from jupiter.model.run import RunRecord, TaskRecord, core_lanes
from jupiter.reports.svg import colour, figure, ink_on, tag, text, ticks

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1120.0, 96.0, 14.0, 6.0, 28.0
LANE_HEIGHT, LANE_GAP = 20.0, 4.0
LABEL_WIDTH_MIN = 42.0
BARS_MAX = 6000
"""Beyond this, bars that touch on the screen are drawn as one grey bar."""


@dataclass(slots=True)
class _Bar:
    """What is drawn: one execution, or several that cannot be told apart at this scale."""

    lane: int
    start_x: float
    end_x: float
    fill: str
    title: str
    label: str


def gantt_figure(
    run: RunRecord,
    fill: Callable[[TaskRecord], str],
    label: Callable[[TaskRecord], str],
    until_s: float,
) -> str:
    """Return the executions from the start to a moment, one row a core.

    Args:
        run: What is shown.
        fill: Colour of an execution.
        label: Text on it, where there is room.
        until_s: Right end of the picture.
    """
    lanes = core_lanes(run.tasks)
    rows = _rows(run, lanes)
    span_s = until_s or 1.0
    scale = (WIDTH - LEFT - RIGHT) / span_s
    shown = [
        (record, rows[record.node, lane])
        for record, lane in zip(run.tasks, lanes, strict=True)
        if record.execute_s < until_s
    ]
    bars = []
    for record, row in shown:
        start_x = LEFT + max(0.0, record.execute_s) * scale
        end_x = LEFT + min(until_s, record.finish_s) * scale
        told = (
            f"{record.task}, item {record.item} on {record.node}\n"
            f"from {show_seconds(record.execute_s)}, "
            f"{show_seconds(record.finish_s - record.execute_s)}"
        )
        if record.status == "failed":
            told += f"\nattempt {record.attempt} failed"
        bars.append(_Bar(row, start_x, end_x, fill(record), told, label(record)))
    merged = _merge(bars) if len(bars) > BARS_MAX else bars
    height = TOP + len(rows) * (LANE_HEIGHT + LANE_GAP) + BOTTOM
    parts = [*_axis(span_s, scale, height), *_names(rows), *map(_draw, merged)]
    return figure(WIDTH, height, parts, "timeline")


def by_task(run: RunRecord) -> Callable[[TaskRecord], str]:
    """Return a colouring with one colour a task."""
    index = {task: k for k, task in enumerate(run.app.graph.topological_order)}
    return lambda record: "#d00000" if record.status == "failed" else colour(index[record.task])


def by_item(record: TaskRecord) -> str:
    """Return one colour an item; neighbours differ."""
    digits = "".join(char for char in record.item if char.isdecimal()) or "0"
    return "#d00000" if record.status == "failed" else colour(int(digits))


def _rows(run: RunRecord, lanes: list[int]) -> dict[tuple[NodeId, int], int]:
    """Return the row of every core: all of each worker's, and what was used beyond."""
    cores = {node.name: node.cores for node in run.network.workers}
    for record, lane in zip(run.tasks, lanes, strict=True):
        cores[record.node] = max(cores.get(record.node, 0), lane + 1)
    used = {record.node for record in run.tasks}
    rows: dict[tuple[NodeId, int], int] = {}
    for node, count in cores.items():
        for lane in range(count if node in used else 1):
            rows[node, lane] = len(rows)
    return rows


def _y(row: int) -> float:
    return TOP + row * (LANE_HEIGHT + LANE_GAP)


def _axis(span_s: float, scale: float, height: float) -> list[str]:
    parts = []
    for value in ticks(span_s, 10):
        x = LEFT + value * scale
        parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=height - BOTTOM, class_="grid"))
        parts.append(text(x, height - 9, show_seconds(value), class_="small faint middle"))
    return parts


def _names(rows: dict[tuple[NodeId, int], int]) -> list[str]:
    parts = []
    for (node, lane), row in rows.items():
        y = _y(row)
        parts.append(
            tag("rect", x=LEFT, y=y, width=WIDTH - LEFT - RIGHT, height=LANE_HEIGHT, class_="lane")
        )
        if lane == 0:
            parts.append(text(LEFT - 9, y + 14.5, node, width=LEFT - 12, class_="end"))
    return parts


def _draw(bar: _Bar) -> str:
    width = max(0.4, bar.end_x - bar.start_x)
    y = _y(bar.lane)
    rect = tag(
        "rect",
        x=bar.start_x,
        y=y,
        width=width,
        height=LANE_HEIGHT,
        fill=bar.fill,
        rx=min(3.0, width / 3),
        title=bar.title,
    )
    if width < LABEL_WIDTH_MIN or not bar.label:
        return rect
    label = text(
        bar.start_x + 5, y + 14, bar.label, width=width - 8, fill=ink_on(bar.fill), class_="small"
    )
    return rect + label


def _merge(bars: list[_Bar]) -> list[_Bar]:
    """Join bars of a row that touch on the screen and are too small to be told apart."""
    merged: list[_Bar] = []
    last: dict[int, _Bar] = {}
    for bar in bars:
        before = last.get(bar.lane)
        if (
            before is not None
            and bar.start_x - before.end_x < 0.4
            and bar.end_x - bar.start_x < 1.5
        ):
            before.end_x = max(before.end_x, bar.end_x)
            before.fill, before.label = "#8a8f98", ""
            before.title = "many executions"
        else:
            last[bar.lane] = bar
            merged.append(bar)
    return merged
