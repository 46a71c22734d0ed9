"""Tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from jupiter.formats.generated import Generated
from jupiter.kit.units import show_bytes, show_bytes_per_s, show_seconds
from jupiter.model.app import Application
from jupiter.model.ids import INGRESS, SINK
from jupiter.model.network import Network
from jupiter.model.profile import Profiles
from jupiter.model.run import Report, RunRecord
from jupiter.model.schedule import Schedule
from jupiter.reports import metrics
from jupiter.schedulers.base import SCHEDULERS, find_scheduler

BAR_WIDTH = 16
MATRIX_NODES_MAX = 8
LINKS_LISTED_MAX = 20
FAILURES_SHOWN = 10


def table(title: str, *columns: str, numbers: int = 0) -> Table:
    """Return an empty table; columns from `numbers` on are right-aligned."""
    made = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for k, column in enumerate(columns):
        made.add_column(column, justify="right" if k >= numbers else "left", no_wrap=k == 0)
        made.columns[-1].overflow = "ellipsis" if k == 0 else "fold"
    return made


def bar(share: float, width: int = BAR_WIDTH, style: str = "cyan") -> Text:
    """Return a bar of full blocks for a share of 1."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return Text("█" * full, style=style) + Text("░" * (width - full), style="dim")


def app_table(app: Application) -> RenderableType:
    """Return the tasks of an application with what they run and where their outputs go."""
    made = table(f"Application {app.name}", "task", "runs", "route", "children", numbers=9)
    for task in app.tasks:
        children = [*task.children, *(["home"] if task.is_sink else [])]
        made.add_row(
            task.name, _run_text(app, task.name), task.route, ", ".join(children) or "home"
        )
    facts = f"{len(app.tasks)} tasks, {len(app.graph.edges)} edges"
    facts += f"; entries: {', '.join(app.graph.entries)}"
    facts += f"; results from: {', '.join(app.sinks or app.graph.exits)}"
    if app.services:
        facts += f"; {len(app.services)} helper services: "
        facts += ", ".join(service.name for service in app.services)
    return Group(made, Text(facts))


def _run_text(app: Application, name: str) -> str:
    run = next(task.run for task in app.tasks if task.name == name)
    words = [str(getattr(run, key, "")) for key in ("path", "module", "function", "image")]
    return ":".join(word for word in words if word) or " ".join(getattr(run, "argv", ()))


def generated_table(app: Generated) -> RenderableType:
    """Return what was generated, in figures."""
    made = table("Generated application", "", "", numbers=1)
    made.show_header = False
    widths = [len(level) for level in app.levels[1:-1]]
    levels = f"{len(widths)} of {min(widths)} to {max(widths)} tasks"
    for name, value in (
        ("tasks", str(len(app.sizes))),
        ("edges", str(app.edges)),
        ("levels between entry and exit", levels),
        ("computation for one item", show_seconds(app.total_s)),
        ("data between tasks for one item", show_bytes(app.total_bytes)),
        ("seed", str(app.seed)),
    ):
        made.add_row(name, value)
    return made


def network_table(network: Network) -> RenderableType:
    """Return the nodes and links of a network."""
    nodes = table(f"Network {network.name}", "node", "role", "cores", "speed", "host", numbers=2)
    for node in network.nodes:
        nodes.add_row(node.name, node.role, str(node.cores), f"{node.speed:g}", node.host or "here")
    links = table("Links", "from", "to", "bandwidth", "latency", numbers=2)
    for link in network.links:
        rate = show_bytes_per_s(link.bandwidth_bytes_per_s)
        links.add_row(link.source, link.target, rate, show_seconds(link.latency_s))
    return Group(nodes, links) if network.links else nodes


def profile_tables(app: Application, network: Network, profiles: Profiles) -> RenderableType:
    """Return run times by task and node, and the links as measured."""
    nodes = [node.name for node in network.workers]
    times = table("Run time of each task on each node", "task", *nodes, numbers=1)
    for task in app.graph.topological_order:
        row = []
        for node in nodes:
            found = profiles.executions.get((task, node))
            row.append(f"{show_seconds(found.median_s)}" if found else "n/a")
        times.add_row(task, *row)
    load = table("Nodes now", "node", "cores", "memory", "used", "busy", numbers=1)
    for node, sample in profiles.resources.items():
        load.add_row(
            node,
            str(sample.cores),
            show_bytes(sample.memory_bytes),
            f"{sample.memory_fraction:.0%}",
            f"{sample.cpu_fraction:.0%}",
        )
    return Group(times, _measured_links(network, profiles), load)


def _measured_links(network: Network, profiles: Profiles) -> RenderableType:
    """Return a matrix of the links, or a list where the network is too large for one."""
    names = [node.name for node in network.nodes]
    if len(names) > MATRIX_NODES_MAX:
        rows = table("Links as measured", "from", "to", "latency", "bandwidth", numbers=2)
        for (source, target), link in list(profiles.links.items())[:LINKS_LISTED_MAX]:
            rate = show_bytes_per_s(_bandwidth(link.model.seconds_per_byte))
            rows.add_row(source, target, show_seconds(link.model.latency_s), rate)
        hidden = len(profiles.links) - LINKS_LISTED_MAX
        return Group(rows, Text(f"… and {hidden} more links")) if hidden > 0 else rows
    made = table("Links as measured: latency in ms/bandwidth in Mbit/s", "from", *names, numbers=1)
    for source in names:
        cells = []
        for target in names:
            found = profiles.links.get((source, target))
            if found is None:
                cells.append("·" if source == target else "none")
                continue
            mbit_per_s = _bandwidth(found.model.seconds_per_byte) * 8e-6
            cells.append(f"{found.model.latency_s * 1e3:.1f}/{mbit_per_s:.3g}")
        made.add_row(source, *cells)
    return made


def _bandwidth(seconds_per_byte: float) -> float:
    return 1 / seconds_per_byte if seconds_per_byte else math.inf


def mapping_table(schedules: Sequence[Schedule]) -> RenderableType:
    """Return who goes where: the first schedule with its reasons, the others beside it."""
    first, *others = schedules
    made = table("Mapping", "task", first.scheduler, "because", *(s.scheduler for s in others))
    for column in made.columns:
        column.justify = "left"
    for each in first.assignments:
        if each.task not in (INGRESS, SINK):
            rest = [schedule.mapping[each.task] for schedule in others]
            made.add_row(each.task, Text(each.node, style="bold"), each.reason, *rest)
    spans = ", ".join(f"{s.scheduler} {show_seconds(s.makespan_s)}" for s in schedules)
    return Group(made, Text(f"Planned makespan of one item: {spans}"))


def scheduler_table() -> RenderableType:
    """Return all schedulers with what they do, by the first sentence of their documentation."""
    made = table("Schedulers", "name", "returns", numbers=9)
    for name in SCHEDULERS.names():
        lines = (find_scheduler(name).__doc__ or "").strip().splitlines()
        first = lines[0] if lines else ""
        made.add_row(name, first.removeprefix("Return ").rstrip("."))
    return made


def task_table(run: RunRecord) -> Table:
    """Return enter, execute and finish of every task, as medians."""
    made = table("Tasks", "task", "node", "runs", "waiting", "running", "p95", "failed", numbers=2)
    for row in metrics.task_figures(run):
        made.add_row(
            row.task,
            row.node,
            str(row.executions),
            show_seconds(row.wait_s),
            show_seconds(row.run_s),
            show_seconds(row.run_p95_s),
            Text(str(row.failures), style="red") if row.failures else "0",
        )
    return made


def node_table(run: RunRecord) -> Table:
    """Return how busy every node was."""
    made = table("Nodes", "node", "busy", "", "tasks", "runs", numbers=2)
    for row in metrics.node_figures(run):
        made.add_row(
            row.node,
            bar(row.busy_fraction),
            f"{row.busy_fraction:.0%}",
            str(row.tasks),
            str(row.executions),
        )
    return made


def link_table(run: RunRecord, most: int = 12) -> RenderableType:
    """Return the links that were used, the busiest first."""
    rows = metrics.link_figures(run)
    made = table("Links", "from", "to", "busy", "", "bytes", "transfers", "median", numbers=3)
    for row in rows[:most]:
        made.add_row(
            row.source,
            row.target,
            bar(row.busy_fraction, 12),
            f"{row.busy_fraction:.0%}",
            show_bytes(row.size_bytes),
            str(row.transfers),
            show_seconds(row.transfer_s),
        )
    hidden = len(rows) - most
    return Group(made, Text(f"… and {hidden} more links, less busy")) if hidden > 0 else made


def prediction_table(run: RunRecord) -> Table:
    """Return predicted values beside measured ones."""
    made = table("Predicted against measured", "", "predicted", "measured", "error", numbers=1)
    for row in metrics.prediction_figures(run):
        style = "green" if abs(row.error) <= 0.25 else "yellow"
        made.add_row(
            row.name,
            show_seconds(row.predicted_s),
            show_seconds(row.measured_s),
            Text(f"{row.error:+.1%}", style=style),
        )
    return made


def comparison_table(report: Report) -> Table:
    """Return all runs side by side."""
    rows = metrics.comparisons(report.main, report.others)
    longest = max((row.makespan_s for row in rows), default=0.0) or 1.0
    made = table(
        "The same items through other schedules",
        *("schedule", "", "makespan", "ratio", "period", "latency", "done"),
        numbers=2,
    )
    for k, row in enumerate(rows):
        made.add_row(
            row.scheduler,
            bar(row.makespan_s / longest, style="green" if k == 0 else "yellow"),
            show_seconds(row.makespan_s),
            f"{row.ratio:.2f} x",
            show_seconds(row.period_s),
            show_seconds(row.latency_s),
            str(row.done),
        )
    return made


def failures(run: RunRecord) -> RenderableType | None:
    """Return the items without results and why, or None where there are none."""
    bad = [item for item in run.items if item.status in ("failed", "lost")]
    if not bad:
        return None
    made = table(f"{len(bad)} items failed", "item", "name", "why", numbers=9)
    for item in bad[:FAILURES_SHOWN]:
        made.add_row(item.item, item.name, Text(item.detail))
    hidden = len(bad) - FAILURES_SHOWN
    return Group(made, Text(f"… and {hidden} more")) if hidden > 0 else made


def summary(run: RunRecord) -> Panel:
    """Return the figures that matter most."""
    done = metrics.items_with(run, "done")
    filtered = metrics.items_with(run, "filtered")
    rate = 1 / run.period_s if run.period_s else 0.0
    text = Text.assemble(
        (f"{done}", "bold green" if done == len(run.items) else "bold yellow"),
        f" of {len(run.items)} items gave results",
        f", {filtered} were filtered" if filtered else "",
        "   makespan ",
        (show_seconds(run.makespan_s), "bold"),
        "   period ",
        (show_seconds(run.period_s), "bold"),
        f" ({rate:.3g} items/s)" if rate else "",
        "   latency p50 ",
        (show_seconds(metrics.latency_p50_s(run)), "bold"),
        ", p99 ",
        (show_seconds(metrics.quantile(run.latencies_s, 0.99)), "bold"),
    )
    title = f"{run.app.name} through {run.schedule.scheduler}"
    title += ", simulated" if run.is_simulated else ""
    return Panel(text, title=title, expand=False)


def report(whole: Report) -> RenderableType:
    """Return everything that is shown at the end of a run."""
    parts: list[RenderableType | None] = [
        task_table(whole.main),
        node_table(whole.main),
        link_table(whole.main),
        prediction_table(whole.main) if whole.main.prediction else None,
        comparison_table(whole) if whole.others else None,
        failures(whole.main),
        summary(whole.main),
    ]
    return Group(*(part for part in parts if part is not None))
