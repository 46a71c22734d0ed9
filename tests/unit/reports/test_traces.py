"""Traces that other programs read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

from jupiter.formats import chrome_trace, trace_jsonl
from jupiter.model.run import RunRecord


def test_slices_of_a_track_do_not_overlap(make_run: Callable[..., RunRecord]) -> None:
    events = json.loads(chrome_trace.dumps(make_run(items=30, cores=3)))["traceEvents"]
    ends: dict[tuple[int, int], int] = {}
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == 5 * 30
    for event in sorted(slices, key=lambda event: event["ts"]):
        track = (event["pid"], event["tid"])
        assert event["ts"] >= ends.get(track, 0)
        ends[track] = event["ts"] + event["dur"]


def test_transfers_and_flows_begin_and_end(make_run: Callable[..., RunRecord]) -> None:
    run = make_run(items=10)
    events = json.loads(chrome_trace.dumps(run))["traceEvents"]
    for first, last in (("b", "e"), ("s", "f")):
        begun = {(e["cat"], e["id"]): e["ts"] for e in events if e["ph"] == first}
        ended = {(e["cat"], e["id"]): e["ts"] for e in events if e["ph"] == last}
        assert begun
        assert begun.keys() == ended.keys()
        assert all(begun[key] <= ended[key] for key in begun)


def test_counter_of_items_returns_to_zero(make_run: Callable[..., RunRecord]) -> None:
    events = json.loads(chrome_trace.dumps(make_run(items=10)))["traceEvents"]
    counts = [event["args"]["items"] for event in events if event["ph"] == "C"]
    assert max(counts) > 1
    assert counts[-1] == 0


def test_json_lines_hold_every_event_in_order(make_run: Callable[..., RunRecord]) -> None:
    run = make_run(items=10)
    lines = [json.loads(line) for line in trace_jsonl.dumps(run).splitlines()]
    assert lines[0]["event"] == "run"
    assert lines[-1]["events"] == len(lines) - 2
    times = [line["time_s"] for line in lines[1:-1]]
    assert times == sorted(times)
    kinds = Counter(line["event"] for line in lines[1:-1])
    assert kinds == {
        "accepted": 10,
        "ended": 10,
        "task": len(run.tasks),
        "transfer": len(run.transfers),
    }
