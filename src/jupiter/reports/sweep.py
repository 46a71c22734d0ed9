"""A picture of makespan and period while something becomes faster or slower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jupiter.kit.units import show_seconds
from jupiter.model.run import RunRecord
from jupiter.reports.svg import colour, figure, tag, text, ticks

_LEFT, _TOP, _WIDTH, _HEIGHT, _GAP = 70.0, 30.0, 320.0, 220.0, 90.0


@dataclass(frozen=True, slots=True)
class Point:
    """One stream of a sweep.

    Attributes:
        what: The change, as the user wrote it.
        factor: How many times faster.
        latency_s: Median.
        done: Items that gave results.
    """

    what: str
    factor: float
    scheduler: str
    makespan_s: float
    period_s: float
    latency_s: float
    done: int = 0


def point(what: str, factor: float, run: RunRecord) -> Point:
    """Return the figures of one stream."""
    latencies = run.latencies_s
    return Point(
        what,
        factor,
        run.schedule.scheduler,
        run.makespan_s,
        run.period_s,
        latencies[len(latencies) // 2] if latencies else 0.0,
        len(latencies),
    )


def sweep_figure(points: Sequence[Point]) -> str:
    """Return curves of makespan and period over the steps, a colour for each scheduler."""
    steps = list(dict.fromkeys(each.what for each in points))
    schedulers = list(dict.fromkeys(each.scheduler for each in points))
    parts: list[str] = []
    for k, (title, value) in enumerate((("makespan", "makespan_s"), ("period", "period_s"))):
        left = _LEFT + k * (_WIDTH + _GAP)
        most = max((getattr(each, value) for each in points), default=0.0) or 1.0
        parts.append(text(left, _TOP - 12, title, font_weight="bold", font_size=14))
        parts += _axes(left, most, steps)
        for n, scheduler in enumerate(schedulers):
            mine = [each for each in points if each.scheduler == scheduler]
            places = [
                (_x(left, steps, each.what), _y(getattr(each, value), most), each) for each in mine
            ]
            for (x1, y1, one), (x2, y2, two) in pairwise(places):
                if _subject(one.what) == _subject(two.what):
                    parts.append(
                        tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour(n), stroke_width=2)
                    )
            for x, y, each in places:
                title_text = f"{scheduler}, {each.what}: {show_seconds(getattr(each, value))}"
                parts.append(tag("circle", cx=x, cy=y, r=4, fill=colour(n), title=title_text))
    y = _TOP + _HEIGHT + 66
    for n, scheduler in enumerate(schedulers):
        x = _LEFT + n * 150
        parts.append(tag("circle", cx=x, cy=y - 4, r=5, fill=colour(n)))
        parts.append(text(x + 12, y, scheduler, font_size=13, width=130))
    picture = figure(2 * _WIDTH + _GAP + _LEFT + 40, y + 16, parts, "makespan and period by change")
    return picture.replace(
        "<svg", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"', 1
    )


def _axes(left: float, most: float, steps: Sequence[str]) -> list[str]:
    parts = []
    for mark in ticks(most, 5):
        y = _y(mark, most)
        parts.append(tag("line", x1=left, x2=left + _WIDTH, y1=y, y2=y, stroke="#ddd"))
        label = show_seconds(mark)
        parts.append(text(left - 6, y + 4, label, text_anchor="end", font_size=11))
    for k, step in enumerate(steps):
        # Neighbours stand on two lines, so that they have room.
        y = _TOP + _HEIGHT + 20 + 16 * (k % 2)
        x = _x(left, steps, step)
        width = 2 * _WIDTH / len(steps) + 8
        parts.append(text(x, y, step, text_anchor="middle", font_size=11, width=width))
    return parts


def _subject(what: str) -> str:
    """Return what becomes faster, without the factor."""
    return what.partition("=")[0]


def _x(left: float, steps: Sequence[str], step: str) -> float:
    return left + _WIDTH * (steps.index(step) + 0.5) / len(steps)


def _y(value: float, most: float) -> float:
    return _TOP + _HEIGHT * (1 - min(value / most, 1.0))
