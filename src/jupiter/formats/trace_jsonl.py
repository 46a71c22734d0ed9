"""A run as JSON lines: a head, every event in the order of time, a foot that counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from jupiter.errors import Fault, InputError
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.recording import Recording, Tried
from jupiter.model.run import ItemRecord, RunRecord, TaskRecord, TransferRecord

VERSION = 1


def dumps(run: RunRecord) -> str:
    """Return the trace; times are seconds after the first acceptance."""
    events: list[tuple[float, str, object]] = []
    for item in run.items:
        events.append((item.accepted_s, "accepted", {"item": item.item, "name": item.name}))
        if item.done_s is not None:
            events.append((item.done_s, "ended", item))
    events += [(each.finish_s, "task", each) for each in run.tasks]
    events += [(each.arrive_s, "transfer", each) for each in run.transfers]
    events.sort(key=lambda event: (event[0], event[1]))
    head = {
        "event": "run",
        "version": VERSION,
        "run": run.run,
        "app": run.app.name,
        "scheduler": run.schedule.scheduler,
        "mapping": run.schedule.mapping,
        "started_at": run.started_at,
        "prediction": run.prediction,
    }
    lines = [_line(head)]
    lines += [_line({"event": kind, "time_s": time_s, **_fields(o)}) for time_s, kind, o in events]
    lines.append(_line({"event": "end", "events": len(events), "makespan_s": run.makespan_s}))
    return "".join(lines)


def _fields(value: object) -> Mapping[str, object]:
    fields: Mapping[str, object] = msgspec.to_builtins(value)
    return fields


def _line(value: object) -> str:
    return msgspec.json.encode(value).decode() + "\n"


class _Head(msgspec.Struct):
    version: int
    scheduler: str
    mapping: dict[TaskId, NodeId]
    run: str = ""
    started_at: float = 0.0


class _Accepted(msgspec.Struct):
    item: ItemId
    name: str
    time_s: float


_KINDS: dict[str, type[Any]] = {
    "run": _Head,
    "accepted": _Accepted,
    "ended": ItemRecord,
    "task": TaskRecord,
    "transfer": TransferRecord,
}


class Trace(msgspec.Struct, frozen=True):
    """What a trace holds, record by record.

    Attributes:
        run: Id of the run.
        started_at: Wall time of the first acceptance, seconds since 1970.
        scheduler: That made the mapping.
        mapping: Node of every task.
        items: In the order of their numbers, those that never ended, too.
    """

    run: str
    started_at: float
    scheduler: str
    mapping: dict[TaskId, NodeId]
    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]


def read(text: str, file: str) -> Trace:
    """Return all that a trace holds.

    Args:
        text: As `dumps` writes it.
        file: Its name, for errors.

    Raises:
        InputError: It is no such trace, or its end is missing.
    """
    found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    last = ""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            fields = msgspec.json.decode(line, type=dict[str, Any])
            last = fields.get("event", "")
            if last in _KINDS:
                found[last].append(msgspec.convert(fields, _KINDS[last]))
        except msgspec.MsgspecError as error:
            raise _not_ours(file, number, str(error)) from None
    if len(found["run"]) != 1 or found["run"][0].version != VERSION:
        raise _not_ours(file, 1, "the first line does not say so")
    if last != "end":
        raise _not_ours(file, len(text.splitlines()), "the last line is missing")
    lost = {
        each.item: ItemRecord(each.item, each.name, each.time_s, each.time_s, None, "lost")
        for each in found["accepted"]
    }
    items = lost | {item.item: item for item in found["ended"]}
    head = found["run"][0]
    return Trace(
        run=head.run,
        started_at=head.started_at,
        scheduler=head.scheduler,
        mapping=head.mapping,
        items=tuple(sorted(items.values(), key=lambda item: int(item.item))),
        tasks=tuple(found["task"]),
        transfers=tuple(found["transfer"]),
    )


def loads(text: str, file: str) -> Recording:
    """Return what a trace tells of a run, in the form in which it can be run again.

    Args:
        text: As `dumps` writes it.
        file: Its name, for errors.

    Raises:
        InputError: It is no such trace, or its end is missing.
    """
    trace = read(text, file)
    items = [item for item in trace.items if item.done_s is not None]
    first_s = min((item.offered_s for item in items), default=0.0)
    attempts: dict[tuple[TaskId, ItemId], list[TaskRecord]] = {}
    for each in trace.tasks:
        attempts.setdefault((each.task, each.item), []).append(each)
    return Recording(
        scheduler=trace.scheduler,
        mapping={task: node for task, node in trace.mapping.items() if not task.startswith("@")},
        names=tuple(item.name for item in items),
        offered_s=tuple(item.offered_s - first_s for item in items),
        attempts={
            key: tuple(
                Tried(
                    each.node,
                    each.finish_s - each.execute_s,
                    (each.detail.splitlines() or ["failed"])[0] if each.status == "failed" else "",
                )
                for each in sorted(tried, key=lambda one: one.finish_s)
            )
            for key, tried in attempts.items()
        },
        size_bytes={
            (each.source_task, each.target_task, each.item): each.size_bytes
            for each in trace.transfers
        },
    )


def _not_ours(file: str, line: int, why: str) -> InputError:
    return InputError(
        Fault(
            f"is no trace of a run: {why}",
            file=file,
            line=line,
            expected="trace.jsonl, as jupiter run writes it",
            remedy="name the output folder of a run that came to its end",
        )
    )
