"""A run as a Chrome trace, which opens in Perfetto and ``chrome://tracing``.

A node is a process and each of its cores a track, so slices of a track never overlap. Transfers are
asynchronous slices by link, edges of the graph are flows, items in flight are a counter.
"""

from __future__ import annotations

import json

from jupiter.model.ids import NodeId
from jupiter.model.run import RunRecord, core_lanes

_US_PER_S = 1e6
Event = dict[str, object]


def dumps(run: RunRecord) -> str:
    """Return the trace as JSON; times are microseconds after the first acceptance."""
    pids = {node.name: k for k, node in enumerate(run.network.nodes, start=1)}
    events: list[Event] = []
    for node, pid in pids.items():
        events.append(_meta("process_name", pid, 0, f"node {node}"))
        events.append({**_meta("process_sort_index", pid, 0, ""), "args": {"sort_index": pid}})
    lanes = core_lanes(run.tasks)
    seen: set[tuple[int, int]] = set()
    for record, lane in zip(run.tasks, lanes, strict=True):
        pid = pids[record.node]
        if (pid, lane) not in seen:
            seen.add((pid, lane))
            events.append(_meta("thread_name", pid, lane, f"core {lane}"))
        events.append(
            {
                "name": record.task,
                "cat": record.status,
                "ph": "X",
                "pid": pid,
                "tid": lane,
                "ts": _us(record.execute_s),
                "dur": max(0, _us(record.finish_s) - _us(record.execute_s)),
                "args": {
                    "item": record.item,
                    "attempt": record.attempt,
                    "input": record.input_name,
                    "waited_s": round(record.execute_s - record.enter_s, 6),
                },
            }
        )
    events += _transfers(run, pids)
    events += _flows(run, lanes, pids)
    events += _in_flight(run)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}) + "\n"


def _us(time_s: float) -> int:
    return round(time_s * _US_PER_S)


def _meta(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"name": kind, "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}


def _transfers(run: RunRecord, pids: dict[NodeId, int]) -> list[Event]:
    events: list[Event] = []
    for number, each in enumerate(run.transfers):
        if each.source == each.target:
            continue
        common: Event = {
            "cat": f"link {each.source} to {each.target}",
            "name": f"to {each.target}: {each.source_task} to {each.target_task}",
            "id": number,
            "pid": pids[each.source],
            "tid": 0,
        }
        args = {"item": each.item, "bytes": each.size_bytes}
        events.append({**common, "ph": "b", "ts": _us(each.send_s), "args": args})
        events.append({**common, "ph": "e", "ts": max(_us(each.send_s), _us(each.arrive_s))})
    return events


def _flows(run: RunRecord, lanes: list[int], pids: dict[NodeId, int]) -> list[Event]:
    """Return an arrow for every edge of every item whose both ends were executed."""
    place = {
        (record.task, record.item): (record, lane)
        for record, lane in zip(run.tasks, lanes, strict=True)
        if record.status == "done"
    }
    events: list[Event] = []
    for number, each in enumerate(run.transfers):
        source = place.get((each.source_task, each.item))
        target = place.get((each.target_task, each.item))
        if source is None or target is None:
            continue
        common: Event = {"cat": "edge", "name": f"item {each.item}", "id": number}
        for phase, (record, lane), time_s in (
            ("s", source, max(source[0].execute_s, source[0].finish_s - 1e-6)),
            ("f", target, target[0].execute_s),
        ):
            event = {
                **common,
                "ph": phase,
                "pid": pids[record.node],
                "tid": lane,
                "ts": _us(time_s),
            }
            events.append({**event, "bp": "e"} if phase == "f" else event)
    return events


def _in_flight(run: RunRecord) -> list[Event]:
    changes = [(item.accepted_s, 1) for item in run.items]
    changes += [(item.done_s, -1) for item in run.items if item.done_s is not None]
    count = 0
    events: list[Event] = []
    for time_s, step in sorted(changes):
        count += step
        events.append(
            {
                "name": "items in flight",
                "ph": "C",
                "pid": 0,
                "tid": 0,
                "ts": _us(time_s),
                "args": {"items": count},
            }
        )
    return events
