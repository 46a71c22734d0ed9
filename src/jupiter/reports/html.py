"""One page that shows a whole run; nothing in it is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from html import escape

from jupiter.kit.units import show_bytes, show_bytes_per_s, show_seconds
from jupiter.model.run import Report, RunRecord
from jupiter.reports import figures, metrics
from jupiter.reports.gantt import by_item, by_task, gantt_figure
from jupiter.reports.style import CSS
from jupiter.reports.svg import colour

ITEMS_ZOOMED = 5
ROWS_MAX = 200
"""Rows of a table; the rest is counted."""


def render(report: Report, version: str) -> str:
    """Return the page.

    Args:
        report: What is shown; every text of it is escaped.
        version: Of this program, for the foot of the page.
    """
    run = report.main
    parts = [
        _head(run),
        _tiles(run),
        _comparison(report),
        _placement(run),
        _timeline(run),
        _tables(report),
        _notes(report),
        _failures(run),
        _settings(report, version),
    ]
    title = f"{run.app.name} through {run.schedule.scheduler}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(run: RunRecord) -> str:
    workers = len(run.network.workers)
    return (
        f"<header><h1>{escape(run.app.name)}</h1><p>{len(run.app.tasks)} tasks on "
        f"{workers} node{'s' if workers != 1 else ''} of <b>{escape(run.network.name or '?')}</b>, "
        f"mapped by <b>{escape(run.schedule.scheduler)}</b>"
        f"{', simulated' if run.is_simulated else ''}</p></header>"
    )


def _tiles(run: RunRecord) -> str:
    done = metrics.items_with(run, "done")
    filtered = metrics.items_with(run, "filtered")
    rate = f"{1 / run.period_s:.3g} items/s" if run.period_s else ""
    p99 = show_seconds(metrics.quantile(run.latencies_s, 0.99))
    mood = "good" if done + filtered == len(run.items) else "bad"
    tiles = [
        (
            f"{done} / {len(run.items)}",
            "items done",
            f"{filtered} filtered" if filtered else "",
            mood,
        ),
        (show_seconds(run.makespan_s), "makespan", "first accepted to last result", ""),
        (show_seconds(run.period_s), "period", rate, ""),
        (show_seconds(metrics.latency_p50_s(run)), "latency, median", f"p99 {p99}", ""),
    ]
    inside = "".join(
        f'<div class="tile {mood}"><b>{escape(value)}</b><span>{escape(name)}</span>'
        f"<small>{escape(aside)}</small></div>"
        for value, name, aside, mood in tiles
    )
    return f'<section class="tiles">{inside}</section>'


def _comparison(report: Report) -> str:
    runs = (report.main, *report.others)
    bars = figures.bars_figure(metrics.comparisons(report.main, report.others))
    curves = figures.curves_figure(runs)
    return (
        f'<section class="pair">{_card("Makespan of the same items", bars)}'
        f"{_card('Items done over time', curves)}</section>{_predictions(runs)}"
    )


def _predictions(runs: Sequence[RunRecord]) -> str:
    rows = []
    head: list[str] = []
    for run in runs:
        found = metrics.prediction_figures(run)
        if not found:
            return ""
        head = ["schedule"]
        cells = [escape(run.schedule.scheduler)]
        for each in found:
            head += [f"{each.name}, predicted", "measured", "error"]
            cells += [
                show_seconds(each.predicted_s),
                show_seconds(each.measured_s),
                f"{each.error:+.1%}",
            ]
        rows.append(cells)
    card = _card("Predicted against measured", _table(head, rows, 1))
    return f"<section>{card}</section>"


def _placement(run: RunRecord) -> str:
    colours = figures.node_colours(run)
    graph = _card("Task graph, in the colours of the nodes", figures.graph_figure(run, colours))
    network = _card(
        "Network, lines as thick as what they carried", figures.network_figure(run, colours)
    )
    busy = "".join(map(partial(_busy_row, colours), metrics.node_figures(run)))
    nodes = _card("How busy each node was", f'<ul class="busy">{busy}</ul>')
    return f'<section>{graph}</section><section class="pair">{network}{nodes}</section>'


def _busy_row(colours: figures.Colours, row: metrics.NodeFigures) -> str:
    fill = colours[row.node]
    length = f"{min(1.0, row.busy_fraction):.1%}"
    return (
        f'<li><i style="background:{fill}"></i><span>{escape(row.node)}</span>'
        f'<u><s style="width:{length};background:{fill}"></s></u>'
        f"<b>{row.busy_fraction:.0%}</b></li>"
    )


def _timeline(run: RunRecord) -> str:
    if not run.tasks:
        return ""
    first = {item.item for item in run.items[:ITEMS_ZOOMED]}
    ends = [each.finish_s for each in run.tasks if each.item in first]
    near_s = max(ends, default=0.0) * 1.02
    whole_s = max(each.finish_s for each in run.tasks)
    legend = "".join(
        f'<li><i style="background:{colour(k)}"></i>{escape(task)}</li>'
        for k, task in enumerate(run.app.graph.topological_order[:40])
    )
    parts = []
    if near_s and len(run.items) > ITEMS_ZOOMED:
        zoom = gantt_figure(run, by_item, lambda record: record.task, near_s)
        parts.append(_card(f"The first {ITEMS_ZOOMED} items, one colour an item", zoom))
    whole = gantt_figure(run, by_task(run), lambda record: record.task, whole_s)
    parts.append(
        _card("The whole run, one colour a task", f'{whole}<ul class="legend">{legend}</ul>')
    )
    return f"<section>{''.join(parts)}</section>"


def _tables(report: Report) -> str:
    run = report.main
    tasks = [
        (
            escape(row.task),
            escape(row.node),
            str(row.executions),
            show_seconds(row.wait_s),
            show_seconds(row.run_s),
            show_seconds(row.run_p95_s),
            escape(row.reason),
        )
        for row in metrics.task_figures(run)
    ]
    links = []
    for use in metrics.link_figures(run):
        profile = report.profiles.links.get((use.source, use.target))
        rate = profile.model.seconds_per_byte if profile else 0.0
        links.append(
            (
                escape(use.source),
                escape(use.target),
                show_bytes(use.size_bytes),
                str(use.transfers),
                f"{use.busy_fraction:.0%}",
                show_seconds(use.transfer_s),
                show_seconds(profile.model.latency_s) if profile else "",
                show_bytes_per_s(1 / rate) if rate else "",
            )
        )
    head = ("task", "node", "runs", "waiting", "running", "p95", "chosen because")
    task_table = _table(head, tasks, 2, last_left=True)
    names = (
        *("from", "to", "bytes", "transfers", "busy", "median"),
        *("measured latency", "measured bandwidth"),
    )
    return (
        f"<section>{_card('Tasks', task_table)}"
        f"{_card('Links that were used', _table(names, links, 2))}</section>"
    )


def _failures(run: RunRecord) -> str:
    rows = [
        (escape(item.item), escape(item.name), escape(item.status), escape(item.detail))
        for item in run.items
        if item.status != "done"
    ]
    if not rows:
        return ""
    table = _table(("item", "name", "end", "why"), rows, 4)
    return f"<section>{_card('Items without results', table)}</section>"


def _notes(report: Report) -> str:
    runs = (report.main, *report.others)
    rows = [(escape(run.schedule.scheduler), escape(note)) for run in runs for note in run.notes]
    if not rows:
        return ""
    table = _table(("schedule", "what happened"), rows, 2)
    return f"<section>{_card('What went wrong and was dealt with', table)}</section>"


def _settings(report: Report, version: str) -> str:
    rows = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in report.settings.items()
    )
    links = len(report.main.network.links)
    return (
        f"<footer><details><summary>Settings</summary><dl>{rows}</dl></details>"
        f"<p>{len(report.main.network.nodes)} nodes, {links} links. "
        f"Jupiter {escape(version)}.</p></footer>"
    )


def _card(title: str, inside: str) -> str:
    return f'<div class="card"><h2>{escape(title)}</h2><div class="scroll">{inside}</div></div>'


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int, *, last_left: bool = False
) -> str:
    """Return a table; cells are escaped already, columns from `numbers` on are right-aligned."""
    found = list(rows)

    def kind(k: int) -> str:
        return "" if k < numbers or (last_left and k == len(head) - 1) else ' class="n"'

    top = "".join(f"<th{kind(k)}>{escape(name)}</th>" for k, name in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{kind(k)}>{cell}</td>" for k, cell in enumerate(row)) + "</tr>"
        for row in found[:ROWS_MAX]
    )
    hidden = len(found) - ROWS_MAX
    more = f"<p>… and {hidden} more rows</p>" if hidden > 0 else ""
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{more}"
