"""The life of one item as a waterfall."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jupiter.cli.watch_tables import clean, short_bytes, short_span
from jupiter.kit.units import show_seconds
from jupiter.model.ids import INGRESS, SINK
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord
from jupiter.orchestrator.history import History, life_of

BAR_MIN = 16
OTHERS_WIDTH = 58
"""Columns beside the bar."""
SHOWN_AS = {INGRESS: "input", SINK: "results"}


@dataclass(frozen=True)
class _Span:
    """One row: what happened from one time to another.

    Attributes:
        work_s: From when on the bar is full; before that the item waited.
    """

    start_s: float
    work_s: float
    end_s: float
    what: str
    where: str
    size: str
    style: str
    note: str = ""


def waterfall(history: History, item: ItemRecord, width: int, *, verbose: bool) -> RenderableType:
    """Return the life of an item.

    Args:
        history: All that is written down of the run.
        item: One of it.
        width: Of the terminal.
        verbose: Show tracebacks, and what did not leave its node.
    """
    tasks, transfers = life_of(history, item)
    spans = [_of_task(each, item) for each in tasks]
    spans += [_of_transfer(each) for each in transfers if verbose or each.source != each.target]
    spans.sort(key=lambda span: (span.start_s, span.end_s))
    end_s = max([span.end_s for span in spans] + [item.done_s or item.accepted_s])
    scale = _Scale(item.accepted_s, end_s, max(BAR_MIN, min(width, 140) - OTHERS_WIDTH))
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    made.add_column(justify="right", width=9, no_wrap=True)
    made.add_column(width=24, no_wrap=True, overflow="ellipsis")
    made.add_column(width=13, no_wrap=True, overflow="ellipsis")
    made.add_column(width=scale.width, no_wrap=True)
    made.add_column(width=7, no_wrap=True, justify="right")
    notes: list[Text] = []
    made.add_row(_at(0.0), Text("accepted", style="bold"), "", "", "")
    for span in spans:
        made.add_row(
            _at(span.start_s - item.accepted_s),
            Text(clean(span.what), style=span.style),
            span.where,
            scale.bar(span),
            span.size,
        )
        if span.note:
            notes.append(Text(f"{span.what} on {span.where}: {clean(span.note)}", style="red"))
    if item.done_s is not None:
        word = Text(item.status, style="bold " + ("red" if item.status == "failed" else "green"))
        made.add_row(_at(item.done_s - item.accepted_s), word, "", "", "")
    parts: list[RenderableType] = [_headline(history, item), made]
    parts += notes
    parts += _foot(item, tasks, verbose=verbose)
    return Group(*parts)


class _Scale:
    """From seconds to columns."""

    def __init__(self, start_s: float, end_s: float, width: int) -> None:
        self._start_s = start_s
        self._per_s = width / max(end_s - start_s, 1e-6)
        self.width = width

    def _column(self, at_s: float) -> int:
        return min(self.width, max(0, round((at_s - self._start_s) * self._per_s)))

    def bar(self, span: _Span) -> Text:
        """Return the bar of a row: waiting is light, working is full, and never nothing."""
        start, work, end = map(self._column, (span.start_s, span.work_s, span.end_s))
        start = min(start, self.width - 1)
        work = max(start, min(work, self.width - 1))
        end = min(self.width, max(end, work + 1))
        bar = Text(" " * start)
        bar.append("░" * (work - start), style="dim")
        bar.append("█" * (end - work), style=span.style)
        return bar


def _at(seconds: float) -> str:
    return f"{seconds:.3f} s"


def _of_task(record: TaskRecord, item: ItemRecord) -> _Span:
    what = str(record.task)
    if record.item != item.item:
        what += f" batch {record.item.rpartition('.')[2]}"
    if record.attempt > 1:
        what += f" attempt {record.attempt}"
    is_bad = record.status == "failed"
    note = (record.detail.splitlines() or ["failed"])[0] if is_bad else ""
    took = short_span(record.finish_s - record.execute_s)
    return _Span(
        start_s=record.enter_s,
        work_s=record.execute_s,
        end_s=record.finish_s,
        what=what,
        where=record.node,
        size=took,
        style="red" if is_bad else "green",
        note=note,
    )


def _of_transfer(record: TransferRecord) -> _Span:
    source = SHOWN_AS.get(record.source_task, record.source_task)
    target = SHOWN_AS.get(record.target_task, record.target_task)
    where = f"{record.source}→{record.target}" if record.source != record.target else record.source
    return _Span(
        start_s=record.send_s,
        work_s=record.send_s,
        end_s=record.arrive_s,
        what=f"{source} → {target}",
        where=where,
        size=short_bytes(record.size_bytes) if record.file_names else "nothing",
        style="blue",
    )


def _headline(history: History, item: ItemRecord) -> Text:
    line = Text("item ")
    line.append(item.item, style="bold")
    line.append(f"  {clean(item.name)}  ")
    if item.done_s is not None:
        style = {"done": "green", "failed": "red"}.get(item.status, "yellow")
        line.append(f"{item.status} in {show_seconds(item.done_s - item.accepted_s)}", style=style)
    elif history.is_over:
        line.append("never ended", style="red")
    else:
        line.append("under way", style="cyan")
    line.append(f"  run {history.run}", style="dim")
    return line


def _foot(
    item: ItemRecord, tasks: tuple[TaskRecord, ...], *, verbose: bool
) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if item.detail:
        lines.append(Text(clean(item.detail), style="red" if item.status == "failed" else ""))
    if item.results:
        lines.append(Text(f"results: {', '.join(map(clean, item.results))}"))
    failed = [record for record in tasks if record.status == "failed"]
    if verbose:
        for record in failed:
            title = f"{record.task} on {record.node}, attempt {record.attempt}:"
            lines += [Text(f"\n{title}", style="bold"), Text(clean(record.detail))]
    elif any("\n" in record.detail for record in failed):
        lines.append(Text("--verbose shows what the failed attempts printed", style="dim"))
    return lines
