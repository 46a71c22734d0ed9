"""``jupiter top``: a run as it goes, in the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jupiter.cli.watch_tables import (
    clean,
    headline,
    items_line,
    node_state,
    run_of,
    short_bytes,
    short_span,
    short_time,
    status_page,
)
from jupiter.errors import InputError
from jupiter.model.ids import NodeId
from jupiter.model.status import NodeStatus
from jupiter.orchestrator.observe import Observer, Sight

PERIOD_S = 1.0
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 40
BAR_WIDTH = 12
WIDTH_MAX = 100
FIXED_LINES = 9
"""Headlines and the heads of the tables."""
END_LOOKS_MAX = 30
"""Looks at a run that has just ended, until its report is there."""


@dataclass(frozen=True)
class TaskRow:
    """One task on one node, with its rate."""

    task: str
    node: str
    per_s: float
    queued: int
    running: int
    p50_s: float
    done: int
    failed: int


@dataclass(frozen=True)
class LinkRow:
    """One link, with its rate; the receiver tells how much came."""

    source: str
    target: str
    bytes_per_s: float
    words_per_s: float
    queued: int
    queued_bytes: int


class Trend:
    """Rates, from two looks one after the other."""

    def __init__(self) -> None:
        self._before: dict[NodeId, NodeStatus] = {}
        self._now: dict[NodeId, NodeStatus] = {}
        self.per_s: deque[float] = deque(maxlen=SPARK_WIDTH)
        """Items that ended a second, with each look."""
        self._ended: tuple[float, int] | None = None

    def add(self, sight: Sight) -> None:
        """Take a look in."""
        self._before, self._now = (
            self._now,
            {each.node: each.status for each in sight.nodes if each.status is not None},
        )
        entries = [
            status
            for status in self._now.values()
            for run in status.runs
            if run.run == sight.run and run.entry is not None
        ]
        if entries:
            at_s, ended = entries[0].at_s, sight.items.ended
            if self._ended is not None and at_s > self._ended[0]:
                self.per_s.append(max(0.0, (ended - self._ended[1]) / (at_s - self._ended[0])))
            self._ended = at_s, ended

    def tasks(self, name: str) -> list[TaskRow]:
        """Return the tasks that have work, the busiest first."""
        rows = []
        for node, status, before, span_s in self._pairs():
            run = run_of(status, name)
            old = run_of(before, name)
            if run is None:
                continue
            counts = {task.task: task.done + task.failed for task in old.tasks} if old else {}
            for task in run.tasks:
                ended = task.done + task.failed
                if not (task.is_here or ended or task.queued or task.running):
                    continue
                rate = max(0, ended - counts.get(task.task, ended)) / span_s
                figures = (task.queued, task.running, task.p50_s, task.done, task.failed)
                rows.append(TaskRow(task.task, node, rate, *figures))
        return sorted(rows, key=lambda row: (-row.queued - row.running, row.task, row.node))

    def links(self) -> list[LinkRow]:
        """Return the links that files ever went over, the busiest first."""
        rates: dict[tuple[str, str], tuple[float, float]] = {}
        queues: dict[tuple[str, str], tuple[int, int]] = {}
        for node, status, before, span_s in self._pairs():
            old = {link.node: link for link in before.links}
            for link in status.links:
                last = old.get(link.node, link)
                came = max(0, link.received_bytes - last.received_bytes) / span_s
                if link.received:
                    known = rates.get((link.node, node), (0.0, 0.0))
                    rates[link.node, node] = came, known[1]
                said = max(0, link.words - last.words) / span_s
                if link.sent_bytes or link.queued_bytes:
                    known = rates.get((node, link.node), (0.0, 0.0))
                    rates[node, link.node] = known[0], said
                queues[node, link.node] = link.queued, link.queued_bytes
        rows = [
            LinkRow(*pair, *rate, *queues.get(pair, (0, 0))) for pair, rate in sorted(rates.items())
        ]
        return sorted(rows, key=lambda row: (-row.bytes_per_s, -row.queued_bytes))

    def _pairs(self) -> Iterator[tuple[NodeId, NodeStatus, NodeStatus, float]]:
        for node, status in self._now.items():
            before = self._before.get(node, status)
            if before.pid != status.pid:
                before = status
            yield node, status, before, max(status.at_s - before.at_s, 1e-3)


def spark(values: deque[float]) -> Text:
    """Return a line of bars, as high as the values, the newest on the right."""
    top = max(values, default=0.0)
    bars = "".join(
        SPARKS[min(len(SPARKS) - 1, int(value / top * len(SPARKS)))] if top and value else "·"
        for value in values
    )
    return Text(bars.rjust(SPARK_WIDTH), style="cyan")


def page(sight: Sight, trend: Trend, width: int, height: int) -> RenderableType:
    """Return everything that is shown, no larger than the terminal."""
    width = min(width, WIDTH_MAX)
    items = spark(trend.per_s)
    rate = trend.per_s[-1] if trend.per_s else sight.items.per_s
    items.append(f"  {rate:.1f} items/s", style="bold")
    wrong = [Text(f"! {clean(line)}", style="yellow", no_wrap=True, overflow="ellipsis")
             for line in sight.wrong[:3]]  # fmt: skip
    tasks, links = trend.tasks(sight.run), trend.links()
    # Who needs less leaves more to the others.
    left = height - FIXED_LINES - len(wrong)
    for_nodes = min(len(sight.nodes), max(2, left // 3))
    left -= for_nodes
    for_links = min(len(links), max(2, left // 3))
    for_tasks = min(len(tasks), max(2, left - for_links))
    return Group(
        _one_line(headline(sight)),
        _one_line(items_line(sight.items)),
        items,
        _node_table(sight, for_nodes, width),
        _task_table(tasks, for_tasks, width),
        _link_table(links, for_links, width),
        *wrong,
    )


def _one_line(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _table(width: int, *columns: tuple[str, int]) -> Table:
    """Return a table whose columns keep their widths, so that nothing moves; the first grows."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    spare = width - sum(size for _, size in columns) - len(columns) + 1
    for k, (title, size) in enumerate(columns):
        justify: JustifyMethod = "left" if k < 2 else "right"
        made.add_column(
            title,
            justify=justify,
            width=max(8, size + spare) if k == 0 else size,
            no_wrap=True,
            overflow="ellipsis",
        )
    return made


def _fill(made: Table, rows: Sequence[Sequence[str | Text]], room: int) -> Table:
    """Put rows into a table; where there is no room for all, the last line says how many more."""
    shown = rows if len(rows) <= room else rows[: room - 1]
    for row in shown:
        made.add_row(*row)
    if len(shown) < len(rows):
        made.add_row(Text(f"… and {len(rows) - len(shown)} more", style="dim"))
    return made


def _node_table(sight: Sight, room: int, width: int) -> Table:
    columns = [("node", 24), ("state", 8), ("queue", 6), ("run", 5), ("workers", 7)]
    made = _table(width, *columns, ("spool", 6), ("memory", 6), ("up", 5))
    rows = []
    for each in sight.nodes:
        status = each.status
        run = run_of(status, sight.run) if status is not None else None
        row: list[str | Text] = [each.node, Text(*node_state(each, run))]
        if status is not None:
            tasks = run.tasks if run is not None else ()
            row += [
                str(sum(task.queued for task in tasks)),
                f"{sum(task.running for task in tasks)}/{status.cores}",
                str(status.workers),
                short_bytes(run.spool_bytes) if run is not None else "",
                short_bytes(status.rss_bytes),
                short_time(status.uptime_s),
            ]
        rows.append(row)
    return _fill(made, rows, room)


def _task_table(tasks: list[TaskRow], room: int, width: int) -> Table:
    columns = [("task", 22), ("node", 12), ("rate", 8), ("queue", 6), ("run", 4)]
    made = _table(width, *columns, ("p50", 7), ("done", 7), ("fail", 5))
    rows: list[list[str | Text]] = [
        [
            row.task,
            row.node,
            f"{row.per_s:.1f}/s",
            str(row.queued),
            str(row.running),
            short_span(row.p50_s),
            str(row.done),
            Text(str(row.failed), style="red" if row.failed else ""),
        ]
        for row in tasks
    ]
    return _fill(made, rows, room)


def _link_table(links: list[LinkRow], room: int, width: int) -> Table:
    columns = [("link", 25), ("", BAR_WIDTH), ("rate", 11), ("words", 7), ("queue", 6)]
    made = _table(width, *columns, ("waiting", 7))
    most = max((row.bytes_per_s for row in links), default=0.0) or 1.0
    rows: list[list[str | Text]] = [
        [
            f"{row.source} → {row.target}",
            Text("█" * round(row.bytes_per_s / most * BAR_WIDTH), style="blue"),
            f"{row.bytes_per_s / 1e6:.2f} MB/s",
            f"{row.words_per_s:.0f}/s",
            str(row.queued),
            short_bytes(row.queued_bytes),
        ]
        for row in links
    ]
    return _fill(made, rows, room)


async def top(output: Path, console: Console) -> int:
    """Show a run until it ends or somebody presses q; return the exit code."""
    async with Observer(output) as observer:
        trend = Trend()
        sight = await observer.look()
        trend.add(sight)
        if sight.phase != "ended":
            is_screen = console.is_terminal and sys.stdin.isatty()
            if not is_screen:
                await asyncio.sleep(PERIOD_S)  # a rate needs two looks
                sight = await _look(observer)
                trend.add(sight)
                console.print(page(sight, trend, console.width, 1000))
                return 0 if sight.is_well else 1
            sight = await _follow(observer, sight, trend, console)
        console.print(status_page(sight))
    return 0 if sight.is_well else 1


async def _follow(observer: Observer, sight: Sight, trend: Trend, console: Console) -> Sight:
    """Show the run on the whole screen; return the last look."""
    asked = asyncio.Event()
    with _keys(asked), Live(console=console, screen=True, auto_refresh=False) as live:
        while not asked.is_set() and sight.phase != "ended":
            shown = Group(
                page(sight, trend, console.width, console.height - 1),
                Text("q quits", style="dim"),
            )
            live.update(shown, refresh=True)
            try:
                async with asyncio.timeout(PERIOD_S):
                    await asked.wait()
            except TimeoutError:
                sight = await _look(observer)
                trend.add(sight)
    return sight


async def _look(observer: Observer) -> Sight:
    """Look; wait for the report of a run that has just ended.

    Raises:
        InputError: It does not come.
    """
    for _ in range(END_LOOKS_MAX):
        try:
            return await observer.look()
        except InputError:
            await asyncio.sleep(PERIOD_S)
    return await observer.look()


@contextmanager
def _keys(asked: asyncio.Event) -> Iterator[None]:
    """Set the event when q is pressed."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        if os.read(fd, 1024).lower()[:1] in (b"q", b"\x1b", b""):
            asked.set()

    tty.setcbreak(fd)
    loop.add_reader(fd, pressed)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
