"""Schedulers side by side: the usual figures of merit, and a picture of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from jupiter.kit.units import show_seconds
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.reports.svg import colour, figure, tag, text
from jupiter.schedulers.bounds import makespan_bound_s
from jupiter.schedulers.loads import period_s

_ROW, _LEFT, _WIDTH, _BAR, _GAP = 22.0, 180.0, 760.0, 14.0, 34.0


@dataclass(frozen=True, slots=True)
class Row:
    """One scheduler on one problem.

    Attributes:
        makespan_s: Of one item.
        period_s: The least seconds between two items of a stream.
        slr: Makespan over the lower bound of the problem (schedule length ratio).
        speed_up: Everything one after the other on the best single node, over the makespan.
        took_s: Time of the scheduler itself.
    """

    problem: str
    scheduler: str
    makespan_s: float
    period_s: float
    slr: float
    speed_up: float
    took_s: float


def compare(name: str, problem: Problem, schedule: Schedule, took_s: float) -> Row:
    """Return the figures of a schedule."""
    bound_s = makespan_bound_s(problem)
    makespan_s = schedule.makespan_s
    serial_s = min((_serial_s(problem, k) for k in range(len(problem.nodes))), default=inf)
    return Row(
        problem=name,
        scheduler=schedule.scheduler,
        makespan_s=makespan_s,
        period_s=period_s(problem, schedule),
        slr=makespan_s / bound_s if bound_s else 1.0,
        speed_up=serial_s / makespan_s if makespan_s else 1.0,
        took_s=took_s,
    )


def _serial_s(problem: Problem, number: int) -> float:
    """Return the seconds of all tasks on one node; pinned ones where they are pinned."""
    node = problem.nodes[number]
    total_s = 0.0
    for task in problem.graph.tasks:
        seconds = problem.seconds(task, problem.pinned.get(task, node))
        total_s += inf if seconds is None else seconds
    return total_s


def comparison_figure(rows: Sequence[Row]) -> str:
    """Return bars of makespan and period for every problem, the shortest makespan first."""
    parts: list[str] = []
    y = 10.0
    schedulers = list(dict.fromkeys(row.scheduler for row in rows))
    for problem in dict.fromkeys(row.problem for row in rows):
        mine = sorted((r for r in rows if r.problem == problem), key=lambda r: r.makespan_s)
        most = max(max(row.makespan_s, row.period_s) for row in mine) or 1.0
        parts.append(text(0, y + 14, problem, font_weight="bold", font_size=14))
        y += 24
        for row in mine:
            fill = colour(schedulers.index(row.scheduler))
            room = _WIDTH - _LEFT - 150
            width = max(room * row.makespan_s / most, 1.0)
            mark = _LEFT + room * row.period_s / most
            title = (
                f"{row.scheduler}: makespan {show_seconds(row.makespan_s)}, "
                f"period {show_seconds(row.period_s)}, SLR {row.slr:.2f}, "
                f"speed-up {row.speed_up:.2f}, decided in {show_seconds(row.took_s)}"
            )
            label = f"{show_seconds(row.makespan_s)} / {show_seconds(row.period_s)}"
            parts += [
                text(_LEFT - 8, y + 12, row.scheduler, text_anchor="end", font_size=13),
                tag("rect", x=_LEFT, y=y, width=width, height=_BAR, fill=fill, title=title),
                tag("line", x1=mark, x2=mark, y1=y - 2, y2=y + _BAR + 2, stroke="#000"),
                text(_LEFT + max(width, mark - _LEFT) + 8, y + 12, label, font_size=12),
            ]
            y += _ROW
        y += _GAP - _ROW
    parts.append(
        text(_LEFT, y + 6, "bar: makespan; line: period of a stream", font_size=12, fill="#555")
    )
    picture = figure(_WIDTH, y + 24, parts, "makespan and period by scheduler")
    return picture.replace(
        "<svg", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"', 1
    )
