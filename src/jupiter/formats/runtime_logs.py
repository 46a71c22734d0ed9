"""``runtime_tasks.txt`` and ``runtime_transfer_sender.txt``: a run as the seeds' home logged it."""

from __future__ import annotations

from jupiter.model.run import RunRecord

TASK_COLUMNS = (
    "Task_name",
    "local_input_file",
    "Enter_time",
    "Execute_time",
    "Finish_time",
    "Elapse_time",
    "Duration_time",
    "Waiting_time",
)
TRANSFER_COLUMNS = ("Node_name", "Transfer_Type", "File_Path", "Time_stamp")
TRANSFER_TYPE = "tcp"
WIDTH = 10


def tasks(run: RunRecord) -> str:
    """Return a row for every execution, in the order of their starts; times since 1970."""
    rows = [_row(TASK_COLUMNS)]
    for each in run.tasks:
        if each.status != "done":
            continue
        times = (each.enter_s, each.execute_s, each.finish_s)
        spans = (
            each.finish_s - each.enter_s,
            each.finish_s - each.execute_s,
            each.execute_s - each.enter_s,
        )
        name = each.input_name.partition("_")[0].partition(".")[0] or each.item
        rows.append(
            _row(
                (
                    each.task,
                    name,
                    *(f"{run.started_at + time_s:.4f}" for time_s in times),
                    *(f"{span_s:.4f}" for span_s in spans),
                )
            )
        )
    return "".join(rows)


def transfers(run: RunRecord) -> str:
    """Return a row for every file that left a node, in the order of sending."""
    rows = [_row(TRANSFER_COLUMNS)]
    for each in run.transfers:
        if each.source != each.target:
            stamp = f"{run.started_at + each.send_s:.4f}"
            for name in each.file_names:
                path = f"{each.source_task}/{name}"
                rows.append(_row((each.source, TRANSFER_TYPE, path, stamp)))
    return "".join(rows)


def _row(cells: tuple[str, ...]) -> str:
    return " ".join(f"{cell:<{WIDTH}}" for cell in cells).rstrip() + "\n"
