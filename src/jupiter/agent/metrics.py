"""The figures of an agent in the text format of Prometheus, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from jupiter.aio.scrape import Figure, Kind, text_of
from jupiter.model.status import NodeStatus, RunStatus

Rows = tuple[tuple[Kind, str, str, str], ...]
"""Kind, name, meaning, and the field that it is."""


def render(status: NodeStatus) -> bytes:
    """Return all figures of a node."""
    return text_of([*_of_node(status), *_of_links(status), *_of_tasks(status), *_of_runs(status)])


def _of_node(status: NodeStatus) -> Iterator[Figure]:
    node = str(status.node)
    for name, text, value in (
        ("agent_uptime_seconds", "Since the agent's process started.", status.uptime_s),
        ("agent_has_home", "Whether the command is connected.", float(status.has_home)),
        ("agent_resident_bytes", "Memory of the agent's process.", status.rss_bytes),
        ("agent_open_fds", "Files that the agent has open.", status.fds),
        ("agent_workers", "Processes of tasks.", status.workers),
        ("agent_cores", "Executions of one core each that can run at once.", status.cores),
        ("agent_disk_free_bytes", "That the agent's disk has left.", status.free_bytes),
    ):
        figure = Figure("gauge", name, text, ("node",))
        figure.add([node], value)
        yield figure


def _of_links(status: NodeStatus) -> Iterator[Figure]:
    rows: Rows = (
        ("counter", "link_words", "Words given to the link.", "words"),
        ("counter", "link_sent_bytes", "Bytes of bodies given to the link.", "sent_bytes"),
        ("counter", "link_received", "Bodies that came from the peer.", "received"),
        ("counter", "link_received_bytes", "Bytes of these bodies.", "received_bytes"),
        ("counter", "link_reconnects", "Times that the way worked again.", "reconnects"),
        ("gauge", "link_queued", "Words that the peer has not acknowledged.", "queued"),
        ("gauge", "link_queued_bytes", "Bytes of their bodies.", "queued_bytes"),
    )
    for kind, name, text, field in rows:
        figure = Figure(kind, name, text, ("node", "peer"))
        for link in status.links:
            figure.add([status.node, link.node], getattr(link, field))
        yield figure


def _of_tasks(status: NodeStatus) -> Iterator[Figure]:
    rows: Rows = (
        ("gauge", "task_waiting", "Items that miss an input.", "waiting"),
        ("gauge", "task_queued", "Executions that wait for a core.", "queued"),
        ("gauge", "task_running", "Attempts under way.", "running"),
        ("gauge", "task_workers", "Processes of the task.", "workers"),
        ("gauge", "task_median_seconds", "Median of the last attempts.", "p50_s"),
        ("counter", "task_done", "Attempts that gave outputs.", "done"),
        ("counter", "task_failed", "Attempts that gave none.", "failed"),
        ("counter", "task_seconds", "Time of all attempts.", "seconds"),
    )
    for kind, name, text, field in rows:
        figure = Figure(kind, name, text, ("node", "run", "task"))
        for run in status.runs:
            for task in run.tasks:
                figure.add([status.node, run.run, task.task], getattr(task, field))
        yield figure


def _of_runs(status: NodeStatus) -> Iterator[Figure]:
    rows: Rows = (
        ("gauge", "run_epoch", "Number of the view.", "epoch"),
        ("gauge", "run_open", "Entries about items that have not ended.", "open"),
        ("gauge", "spool_bytes", "Bytes of the files that are kept.", "spool_bytes"),
        ("gauge", "spool_files", "Files that are kept.", "spool_files"),
        ("gauge", "journal_bytes", "Length of the journal.", "journal_bytes"),
        ("counter", "journal_syncs", "Times that the journal was synced.", "syncs"),
        ("gauge", "disk_full", "Whether the disk takes no more now.", "is_full"),
        ("gauge", "facts_unreported", "Records that home does not have yet.", "unreported"),
    )
    for kind, name, text, field in rows:
        figure = Figure(kind, name, text, ("node", "run"))
        for run in status.runs:
            figure.add([status.node, run.run], float(getattr(run, field)))
        yield figure
    yield from _of_entries([run for run in status.runs if run.entry is not None])


def _of_entries(runs: list[RunStatus]) -> Iterator[Figure]:
    if not runs:
        return
    rows: Rows = (
        ("gauge", "inputs_waiting", "Inputs that are no items yet.", "waiting"),
        ("gauge", "items_in_flight", "Items that count against the limit.", "in_flight"),
        ("counter", "items_accepted", "Inputs that became items.", "accepted"),
    )
    for kind, name, text, field in rows:
        figure = Figure(kind, name, text, ("run",))
        for run in runs:
            figure.add([run.run], getattr(run.entry, field))
        yield figure
    figure = Figure("counter", "items_ended", "Items by outcome.", ("run", "outcome"))
    for run in runs:
        if run.entry is not None:
            for outcome, count in run.entry.ended.items():
                figure.add([run.run, outcome], count)
    yield figure
