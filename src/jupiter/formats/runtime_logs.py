"""``runtime_tasks.txt`` and ``runtime_transfer_sender.txt``: a run as the seeds' home logged it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jupiter.formats.text import Content, Faults, Line, Parsed, parse_with, read_number, word_lines
from jupiter.kit.names import printable
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
FAILED = -1.0
"""Time stamp of a transfer that failed."""
WIDTH = 10
_UNSAFE = re.compile(r"[^!-$&-~]")
_ESCAPED = re.compile(r"(?:%[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One execution; times are seconds since 1970.

    Attributes:
        task: Name.
        input_file: What the frame is known by.
        enter_s: The first input arrived.
        execute_s: The execution began.
        finish_s: The last output was written.
    """

    task: str
    input_file: str
    enter_s: float
    execute_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One file that was sent.

    Attributes:
        node: The sender.
        kind: Of the transfer, such as ``scp``.
        path: Of the file.
        time_s: Seconds since 1970; `FAILED` where it did not arrive.
    """

    node: str
    kind: str
    path: str
    time_s: float


def tasks(run: RunRecord) -> str:
    """Return a row for every execution that succeeded, in the order of the record."""
    return dumps_tasks(
        TaskRow(
            each.task,
            each.input_name.partition("_")[0].partition(".")[0] or each.item,
            *(run.started_at + time_s for time_s in (each.enter_s, each.execute_s, each.finish_s)),
        )
        for each in run.tasks
        if each.status == "done"
    )


def transfers(run: RunRecord) -> str:
    """Return a row for every file that left a node, in the order of the record."""
    return dumps_transfers(
        TransferRow(
            each.source, TRANSFER_TYPE, f"{each.source_task}/{name}", run.started_at + each.send_s
        )
        for each in run.transfers
        if each.source != each.target
        for name in each.file_names
    )


def dumps_tasks(rows: Iterable[TaskRow]) -> str:
    """Return the text of a ``runtime_tasks.txt``; times have four decimals."""
    lines = [_line(TASK_COLUMNS)]
    for row in rows:
        times = (row.enter_s, row.execute_s, row.finish_s)
        spans = (
            row.finish_s - row.enter_s,
            row.finish_s - row.execute_s,
            row.execute_s - row.enter_s,
        )
        cells = (_escape(row.task), _escape(row.input_file))
        lines.append(_line((*cells, *(f"{time_s:.4f}" for time_s in (*times, *spans)))))
    return "".join(lines)


def dumps_transfers(rows: Iterable[TransferRow]) -> str:
    """Return the text of a ``runtime_transfer_sender.txt``."""
    lines = [_line(TRANSFER_COLUMNS)]
    for row in rows:
        stamp = "-1" if row.time_s == FAILED else f"{row.time_s:.4f}"
        cells = map(_escape, (row.node, row.kind, row.path))
        lines.append(_line((*cells, stamp)))
    return "".join(lines)


def parse_tasks(content: Content, file: str = "") -> Parsed[tuple[TaskRow, ...]]:
    """Return the rows of a ``runtime_tasks.txt``.

    Raises:
        InputError: The header is missing, or a row has other columns.
    """
    return parse_with(read_tasks, content, file)


def parse_transfers(content: Content, file: str = "") -> Parsed[tuple[TransferRow, ...]]:
    """Return the rows of a ``runtime_transfer_sender.txt``.

    Raises:
        InputError: The header is missing, or a row has other columns.
    """
    return parse_with(read_transfers, content, file)


def read_tasks(content: Content, faults: Faults) -> tuple[TaskRow, ...]:
    """Return the executions that can be understood; the rest is reported."""
    rows = []
    for line in _body(content, TASK_COLUMNS, faults):
        times = [read_number(word, faults, "a time") for word in line.words[2:]]
        enter, execute, finish = times[:3]
        if enter is not None and execute is not None and finish is not None:
            names = (_restore(line.words[0]), _restore(line.words[1]))
            rows.append(TaskRow(*names, enter, execute, finish))
    return tuple(rows)


def read_transfers(content: Content, faults: Faults) -> tuple[TransferRow, ...]:
    """Return the transfers that can be understood; the rest is reported."""
    rows = []
    for line in _body(content, TRANSFER_COLUMNS, faults):
        node, kind, path, stamp = line.words
        time_s = read_number(stamp, faults, "a time", low=FAILED)
        if time_s is not None:
            rows.append(TransferRow(_restore(node), _restore(kind), _restore(path), time_s))
    return tuple(rows)


def _body(content: Content, columns: tuple[str, ...], faults: Faults) -> list[Line]:
    """Return the rows below the header that have all columns."""
    # Columns are padded with blanks in this format, which is not worth a note.
    quiet = Faults(faults.file)
    lines = word_lines(content, quiet)
    for fault in quiet.errors:
        faults.add(fault)
    if not lines or lines[0].words != columns:
        faults.error(
            "the first line is not the header",
            lines[0].number if lines else 0,
            got=printable(lines[0].text.strip()) if lines else "nothing",
            expected=" ".join(columns),
            remedy="add it above the rows",
        )
    rows = []
    for line in lines[1:]:
        if len(line.words) == len(columns):
            rows.append(line)
            continue
        faults.error(
            "a row has the wrong number of columns",
            line.words[0],
            got=str(len(line.words)),
            expected=str(len(columns)),
            remedy="delete the row",
        )
    return rows


def _line(cells: Iterable[str]) -> str:
    return " ".join(f"{cell:<{WIDTH}}" for cell in cells).rstrip() + "\n"


def _escape(text: str) -> str:
    """Return a name as one word of ASCII; the seeds' names stay as they are."""
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)


def _restore(text: str) -> str:
    return _ESCAPED.sub(
        lambda match: bytes.fromhex(match[0].replace("%", "")).decode(errors="replace"), text
    )
