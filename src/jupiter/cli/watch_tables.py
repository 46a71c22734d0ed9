"""A run seen from outside, as tables for the terminal."""

from __future__ import annotations

import unicodedata

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jupiter.model.status import NodeStatus, RunStatus
from jupiter.orchestrator.observe import ItemCounts, NodeSight, Sight

PHASE_STYLES = {
    "starting": "cyan",
    "running": "green",
    "orphaned": "yellow",
    "interrupted": "red",
    "ended": "bold",
}


def clean(text: str) -> str:
    """Return a text without anything that could steer a terminal; line breaks stay."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char)[0] != "C" else f"\\x{ord(char):02x}"
        for char in text
    )


def narrow_table(*columns: str) -> Table:
    """Return an empty table that wastes no column; the first two are words, the others numbers."""
    gap = 0 if len(columns) > 8 else 1
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    made.add_column(columns[0], no_wrap=True, overflow="ellipsis", min_width=8)
    made.add_column(columns[1], no_wrap=True, overflow="ellipsis")
    for column in columns[2:]:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def short_bytes(size: float) -> str:
    """Return a size in at most five characters."""
    for unit in ("B", "k", "M", "G"):
        if size < 999.5:
            return f"{size:.0f}{unit}" if size >= 99.5 or unit == "B" else f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.3g}T"


def short_span(seconds: float) -> str:
    """Return the time that something takes in at most six characters."""
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if 0 < seconds * factor < 999.5:
            return f"{seconds * factor:.3g}{unit}"
    return f"{seconds:.3g}s" if seconds < 999.5 else short_time(seconds)


def short_time(seconds: float) -> str:
    """Return a duration in at most four characters, roughly."""
    for unit, length in (("s", 60), ("m", 60), ("h", 48)):
        if seconds < length:
            return f"{seconds:.0f}{unit}"
        seconds /= length if unit != "h" else 24
    return f"{seconds:.0f}d"


def status_page(sight: Sight) -> RenderableType:
    """Return everything that ``jupiter status`` shows."""
    parts: list[RenderableType] = [headline(sight), items_line(sight.items)]
    if sight.nodes:
        parts.append(_node_table(sight))
    if sight.tasks:
        parts.append(_task_table(sight))
    parts += [Text(f"! {clean(line)}", style="yellow") for line in sight.wrong]
    return Group(*parts)


def headline(sight: Sight) -> Text:
    """Return which run it is and where it stands."""
    line = Text("run ")
    line.append(sight.run or "(none yet)", style="bold")
    line.append("  ")
    line.append(sight.phase, style=PHASE_STYLES[sight.phase])
    line.append(f"  {clean(sight.output)}", style="dim")
    return line


def items_line(items: ItemCounts) -> Text:
    """Return what became of the items, in one line."""
    line = Text("items ")
    words = [
        (f"{items.accepted} of {items.inputs} accepted", ""),
        (f"{items.in_flight} in flight", "cyan" if items.in_flight else ""),
        (f"{items.done} done", "green" if items.done else ""),
    ]
    if items.filtered:
        words.append((f"{items.filtered} filtered", ""))
    words.append((f"{items.failed} failed", "red" if items.failed else ""))
    if items.lost:
        words.append((f"{items.lost} lost", "red"))
    words.append((f"{items.per_s:.1f}/s", "bold"))
    for k, (word, style) in enumerate(words):
        line.append(" · " if k else "", style="dim")
        line.append(word, style=style)
    return line


def run_of(status: NodeStatus, name: str) -> RunStatus | None:
    """Return how the main run stands on a node, if that node works on it."""
    return next((run for run in status.runs if run.run == name), None)


def node_state(sight: NodeSight, run: RunStatus | None) -> tuple[str, str]:
    """Return a word for the state of a node, and its style."""
    if sight.status is None:
        return ("gone", "red") if sight.problem else ("unknown", "dim")
    if run is None:
        return "idle", "dim"
    if run.problem:
        return "broken", "red"
    if run.is_full:
        return "full", "yellow"
    return ("work", "green") if run.is_member else ("apart", "yellow")


def _node_table(sight: Sight) -> Table:
    columns = ("node", "state", "epoch", "tasks", "queue", "run", "done", "fail")
    made = narrow_table(*columns, "spool", "jrnl", "mem", "up")
    for each in sight.nodes:
        made.add_row(*_node_row(each, sight.run))
    return made


def _node_row(sight: NodeSight, name: str) -> list[str | Text]:
    status = sight.status
    run = run_of(status, name) if status is not None else None
    row: list[str | Text] = [sight.node, Text(*node_state(sight, run))]
    if status is None:
        return row
    if run is None:
        row += [""] * 8
    else:
        tasks = run.tasks
        row += [
            str(run.epoch),
            str(sum(task.is_here for task in tasks)),
            str(sum(task.queued for task in tasks)),
            str(sum(task.running for task in tasks)),
            str(sum(task.done for task in tasks)),
            _count(sum(task.failed for task in tasks)),
            short_bytes(run.spool_bytes),
            short_bytes(run.journal_bytes),
        ]
    row += [short_bytes(status.rss_bytes), short_time(status.uptime_s)]
    return row


def _count(number: int) -> Text:
    return Text(str(number), style="red" if number else "")


def _task_table(sight: Sight) -> Table:
    made = narrow_table("task", "node", "done", "failed", "mean")
    for task in sight.tasks:
        mean_s = task.seconds / max(1, task.done + task.failed)
        row: list[str | Text] = [task.task, task.node, str(task.done), _count(task.failed)]
        made.add_row(*row, short_span(mean_s))
    return made
