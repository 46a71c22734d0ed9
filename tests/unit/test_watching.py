"""What is shown of a run: counts on a node, rates between two looks, screens that fit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from jupiter.agent.status import Tally, size_of
from jupiter.cli.top import Trend, page
from jupiter.cli.trace_view import waterfall
from jupiter.cli.watch_tables import clean, short_bytes, short_span, short_time, status_page
from jupiter.errors import InputError
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord
from jupiter.model.status import LinkStatus, NodeStatus, RunStatus, TaskStatus
from jupiter.orchestrator.history import History, is_in, life_of
from jupiter.orchestrator.observe import ItemCounts, NodeSight, Sight

N1, N2 = NodeId("a-node-with-a-very-long-name"), NodeId("n2")
T = TaskId("a-task-with-a-very-long-name-indeed")


def drawn(what: object, width: int = 80) -> list[str]:
    console = Console(width=width, height=24, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return capture.get().splitlines()


# -- counts ----------------------------------------------------------------------------------------


def test_a_tally_counts_attempts_and_ends() -> None:
    tally = Tally()
    tally.attempt(T, ItemId("1"), 0.5, "")
    tally.attempt(T, ItemId("2"), 1.5, "bad\nTraceback")
    found = tally.tasks[T]
    assert (found.done, found.failed, found.seconds) == (1, 1, 2.0)
    assert found.last_error == ("2", "bad")
    for k in range(10):
        tally.end("done", 100 + k)
    assert tally.ended == {"done": 10, "filtered": 0, "failed": 0}
    assert tally.per_s(109.0) == 1.0
    assert tally.per_s(200.0) == 0.0


def test_what_ended_before_a_restart_is_counted_once() -> None:
    def ending(seq: int, outcome: str) -> rec.Ending:
        return rec.Ending(seq, outcome, "", ())  # type: ignore[arg-type]

    tally = Tally()
    tally.restore(
        [
            rec.Committed(1, (ending(0, "done"), ending(1, "failed")), ()),
            rec.Published(1),
            rec.Committed(2, (ending(2, "done"),), ()),  # will be shown, and counted then
        ]
    )
    assert tally.ended == {"done": 1, "filtered": 0, "failed": 1}


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 100)
    os.link(tmp_path / "a" / "one", tmp_path / "two")
    (tmp_path / "link").symlink_to("/etc/passwd")
    size, files = size_of([str(tmp_path), str(tmp_path / "gone")])
    assert files == 2
    assert size == 100 + len("/etc/passwd")


@pytest.mark.parametrize(
    ("show", "values", "length"),
    [
        (short_bytes, [0, 99.7, 999, 1000, 99_960, 999_499, 999_500, 123_456_789, 7e11, 5e13], 5),
        (short_span, [0, 1e-7, 0.00099951, 0.01234, 0.9994, 0.9996, 59.9, 998.7, 5000], 6),
        (short_time, [0, 59.4, 61, 3599, 3601, 86_400, 172_800 * 40], 4),
    ],
)
def test_short_forms_are_short(show: object, values: list[float], length: int) -> None:
    texts = [show(value) for value in values]  # type: ignore[operator]
    assert all(0 < len(text) <= length for text in texts), texts


def test_nothing_shown_steers_the_terminal() -> None:
    assert clean("a\x1b[31m\x07b\u202e\x9bc\nd") == "a\\x1b[31m\\x07b\\x202e\\x9bc\nd"


# -- status and top --------------------------------------------------------------------------------


def sight(at_s: float, done: int, received: int, *, tasks: int = 3, nodes: int = 2) -> Sight:
    run = RunStatus(
        "1-heft",
        epoch=12,
        tasks=tuple(
            TaskStatus(TaskId(f"{T}{k}"), True, 3, 1234, 2, done, 5, 9.0, 0.1234, 4)
            for k in range(tasks)
        ),
        spool_bytes=123_456_789,
        journal_bytes=99_999_999,
    )
    links = (LinkStatus(N2, 10, 1000, 7, received, 55, 123_456),)
    status = NodeStatus(
        N1, 1, 1, 123_456.0, at_s, True, 16, 41_000_000, 40, 12, 10**12, links, (run,)
    )
    sights = [
        NodeSight(NodeId(f"{N1}{k}"), replace(status, node=NodeId(f"{N1}{k}")))
        for k in range(nodes - 1)
    ]
    items = ItemCounts(10_000, 10_000, 32, 9_900, 0, 68, 0, 123.4)
    wrong = tuple(f"task {k} \x1b[31m" + "is not as it should be " * 10 for k in range(9))
    gone = NodeSight(N2, None, "its agent is not running")
    return Sight("/some/folder/" * 9, "1-heft", "running", items, (*sights, gone), wrong=wrong)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (100, 30), (200, 60)])
@pytest.mark.parametrize(("tasks", "nodes"), [(0, 1), (3, 2), (40, 6)])
def test_top_fits_the_terminal(width: int, height: int, tasks: int, nodes: int) -> None:
    trend = Trend()
    for k in range(60):
        trend.add(sight(float(k), 10 * k, 1_000_000 * k, tasks=tasks, nodes=nodes))
    last = sight(60.0, 600, 60_000_000, tasks=tasks, nodes=nodes)
    lines = drawn(page(last, trend, width, height), width)
    assert max(len(line) for line in lines) <= width
    assert len(lines) <= height
    assert not any("\x1b" in line for line in lines)


def test_rates_come_from_two_looks() -> None:
    trend = Trend()
    trend.add(sight(10.0, 100, 1_000_000))
    assert all(row.per_s == 0 for row in trend.tasks("1-heft"))
    trend.add(sight(12.0, 150, 5_000_000))
    assert [row.per_s for row in trend.tasks("1-heft")] == [25.0] * 3
    (link,) = [row for row in trend.links() if row.bytes_per_s]
    assert (link.source, link.target, link.bytes_per_s) == ("n2", f"{N1}0", 2e6)
    restarted = sight(1.0, 3, 10)
    status = restarted.nodes[0].status
    assert status is not None
    again = NodeSight(restarted.nodes[0].node, replace(status, pid=2))
    trend.add(replace(restarted, nodes=(again,)))
    assert all(row.per_s == 0 for row in trend.tasks("1-heft"))
    assert all(row.bytes_per_s == 0 for row in trend.links())


def test_status_fits_eighty_columns() -> None:
    short = sight(1.0, 100, 1000)
    status = short.nodes[0].status
    assert status is not None
    nodes = tuple(NodeSight(NodeId(f"node{k}"), status) for k in range(3))
    lines = drawn(status_page(replace(short, nodes=nodes)))
    assert max(len(line) for line in lines) <= 80
    assert not any("…" in line for line in lines)


# -- trace -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "batches"),
    [("0", ["c.0"]), ("2", ["c.0"]), ("3", ["c.3", "d.1"]), ("9", ["c.3", "d.1"])],
)
def test_an_item_is_in_the_last_batch_that_begins_before_it(item: str, batches: list[str]) -> None:
    every = {ItemId("c.0"), ItemId("c.3"), ItemId("d.1")}
    found = {each for each in every if is_in(ItemId(item), each, every)}
    assert found - {"d.1"} == set(batches) - {"d.1"}
    assert ("d.1" in found) == (int(item) >= 1)


def history() -> History:
    def task(item: str, name: str, start: float, **more: object) -> TaskRecord:
        times = (start, start + 0.1, start + 0.3)
        return TaskRecord(ItemId(item), TaskId(name), N1, *times, **more)  # type: ignore[arg-type]

    def sent(item: str, source: TaskId, target: TaskId, at: float) -> TransferRecord:
        return TransferRecord(ItemId(item), source, target, N2, N1, 1234, at, at + 0.1, ("f",))

    item = ItemRecord(ItemId("1"), "b\x1b.txt", 0.0, 0.0, 2.0, "failed", "task two failed")
    other = ItemRecord(ItemId("0"), "a.txt", 0.0, 0.0, None, "lost")
    same = ItemRecord(ItemId("2"), "a.txt", 0.0, 0.0, 1.0, "done", "", ("r.txt",))
    tasks = (
        task("1", "one", 0.1),
        task("0", "one", 0.1),
        task("c.0", "two", 1.0, status="failed", detail="bad \x1b[31m\nTraceback: deep"),
        task("c.0", "two", 1.4, attempt=2, status="failed", detail="worse"),
    )
    transfers = (sent("1", INGRESS, TaskId("one"), 0.0), sent("c.0", TaskId("two"), SINK, 1.8))
    return History("1-heft", (other, item, same), tasks, transfers, is_over=True)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_waterfall_has_every_step_in_order(width: int) -> None:
    found = history()
    item = found.find("1")
    tasks, transfers = life_of(found, item)
    assert (len(tasks), len(transfers)) == (3, 2)
    lines = drawn(waterfall(found, item, width, verbose=True), width)
    text = "\n".join(lines)
    steps = [
        "accepted",
        "input → one",
        "one",
        "two batch 0",
        "attempt 2",
        "two → results",
        "failed",
    ]
    places = [text.index(step) for step in steps]
    assert places[:2] == sorted(places[:2])
    assert "Traceback: deep" in text
    assert "\x1b" not in text
    bars = [line.index("█") for line in lines if "█" in line]
    assert bars == sorted(bars)
    if width >= 80:
        assert max(map(len, lines)) <= width
    assert "Traceback" not in "\n".join(drawn(waterfall(found, item, width, verbose=False), width))


def test_items_are_found_by_id_then_by_name() -> None:
    found = history()
    assert found.find("b\x1b.txt").item == "1"
    with pytest.raises(InputError, match="several items have this name"):
        found.find("a.txt")
    with pytest.raises(InputError, match="did you mean"):
        found.find("a.tx")
