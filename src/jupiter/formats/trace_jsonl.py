"""A run as JSON lines: a head, every event in the order of time, a foot that counts them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from jupiter.model.run import RunRecord

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
