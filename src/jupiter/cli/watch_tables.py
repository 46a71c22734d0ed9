"""A run seen from outside, as tables for the terminal."""

from __future__ import annotations

import unicodedata

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jupiter.cli.render import table
from jupiter.kit.units import show_bytes, show_seconds
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
        (f"{items.inputs} inputs", ""),
        (f"{items.accepted} accepted", ""),
        (f"{items.in_flight} in flight", "cyan" if items.in_flight else ""),
        (f"{items.done} done", "green" if items.done else ""),
        (f"{items.filtered} filtered", ""),
        (f"{items.failed} failed", "red" if items.failed else ""),
    ]
    if items.lost:
        words.append((f"{items.lost} lost", "red"))
    words.append((f"{items.per_s:.1f}/s", "bold"))
    for k, (word, style) in enumerate(words):
        line.append(" · " if k else " ", style="dim")
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
    return ("at work", "green") if run.is_member else ("apart", "yellow")


def _node_table(sight: Sight) -> Table:
    columns = ("node", "state", "epoch", "tasks", "queue", "run", "done", "fail")
    made = table("", *columns, "spool", "journal", "memory", "up", numbers=2)
    made.title = None
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
            show_bytes(run.spool_bytes),
            show_bytes(run.journal_bytes),
        ]
    row += [show_bytes(status.rss_bytes), show_seconds(status.uptime_s)]
    return row


def _count(number: int) -> Text:
    return Text(str(number), style="red" if number else "")


def _task_table(sight: Sight) -> Table:
    made = table("", "task", "node", "done", "failed", "mean", numbers=2)
    made.title = None
    for task in sight.tasks:
        mean_s = task.seconds / max(1, task.done + task.failed)
        row: list[str | Text] = [task.task, task.node, str(task.done), _count(task.failed)]
        made.add_row(*row, show_seconds(mean_s))
    return made
