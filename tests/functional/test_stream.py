"""Streams through real agents on loopback: every item once, nothing lost, nothing left."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.functional.streams import (
    DIAMOND,
    MERGE,
    ONE,
    SPREAD,
    WORK,
    expected_texts,
    mapped,
    stream,
)

from jupiter.engines.local import LocalEngine
from jupiter.errors import InputError, RunError, TaskError
from jupiter.model.graph import TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.model.transfer import TransferModel
from jupiter.orchestrator.inputs import find_inputs
from jupiter.schedulers.check import check_schedule
from jupiter.settings import RunSettings

FAN = """
name = "fan"
[[task]]
name = "load"
run = "work:load"
children = ["left", "right"]
[[task]]
name = "left"
run = "work:left"
children = ["merge"]
[[task]]
name = "right"
run = "work:right"
children = ["merge"]
[[task]]
name = "merge"
run = "merge.py"
sink = true
"""
FAN_WORK = """
def load(inputs, output_dir):
    (output_dir / "loaded.txt").write_text("loaded " + inputs[0].read_text())

def left(inputs, output_dir):
    (output_dir / "left.txt").write_text("left " + inputs[0].read_text())

def right(inputs, output_dir):
    (output_dir / "right.txt").write_text("right " + inputs[0].read_text())
"""


def test_copies_of_a_task_run_where_the_schedule_has_them(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path
) -> None:
    app = make_app(FAN, work=FAN_WORK, merge=MERGE)
    places = [
        ("@in", "home", 0.0),
        ("load", "n1", 1.0),
        ("load", "n2", 1.2),
        ("left", "n1", 2.0),
        ("right", "n2", 2.5),
        ("merge", "n1", 5.0),
        ("@out", "home", 7.0),
    ]
    graph = {
        "@in": "load",
        "load": "left right",
        "left": "merge",
        "right": "merge",
        "merge": "@out",
    }
    names = [NodeId(name) for name in ("home", "n1", "n2", "n3")]
    problem = Problem(
        graph=TaskGraph(
            {
                TaskId(task): tuple(map(TaskId, graph.get(task, "").split()))
                for task in (*graph, "@out")
            }
        ),
        nodes=tuple(names),
        links={(a, b): TransferModel(0.5, 0.0) for a in names for b in names if a != b},
        execution_s={(TaskId(t), n): 0.5 for t in (*graph, "@out") for n in names},
    )
    schedule = Schedule(
        "by-hand",
        tuple(Assignment(TaskId(t), NodeId(n), at, at + 0.5) for t, n, at in places),
        replicas="each",
    )
    assert check_schedule(problem, schedule) == []
    items = find_inputs([inputs])[:5]
    run = stream(app, cluster, items, schedule, tmp_path / "out", problem=problem)
    assert [item.status for item in run.items] == ["done"] * 5
    ran = {(record.task, record.node) for record in run.tasks}
    assert {("load", "n1"), ("load+2", "n2"), ("left", "n1"), ("right", "n2")} <= ran
    sent = {(each.source_task, each.target_task) for each in run.transfers}
    assert ("load", "left") in sent
    assert ("load+2", "right") in sent
    assert ("load", "right") not in sent
    plain = stream(
        app,
        cluster,
        items,
        mapped(load="n1", left="n1", right="n2", merge="n1"),
        tmp_path / "plain",
    )
    assert [item.status for item in plain.items] == ["done"] * 5
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_every_item_gives_its_own_result_once(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    items = find_inputs([inputs])
    run = stream(app, cluster, items, mapped(**SPREAD), tmp_path / "out")
    assert [item.status for item in run.items] == ["done"] * 30
    assert len(list((tmp_path / "out").iterdir())) == 30
    for item, (source,) in zip(run.items, items, strict=True):
        (name,) = item.results
        text = source.read_text()
        expected = f"left first of {text}|{('second of ' + text).upper()}"
        assert (tmp_path / "out" / name).read_text() == expected
    assert len(run.tasks) == 4 * 30
    assert {record.node for record in run.tasks} == {"n1", "n2", "n3"}


def test_plug_in_of_the_first_systems_brings_large_parts(
    make_app: Callable[..., Path], tmp_path: Path
) -> None:
    log = tmp_path / "moved"
    log.touch()
    plug_in = tmp_path / "move.py"
    plug_in.write_text(
        "import shutil\n"
        "def data_transfer(IP, user, pword, source, destination):\n"
        f"    print(user, file=open({str(log)!r}, 'a'))\n"
        "    shutil.copyfile(source, destination)\n"
    )
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(
        f'[transport]\nname = "{plug_in}"\nuser = "me"\n'
        '[defaults]\nbandwidth = "unlimited"\n'
        '[[node]]\nname = "home"\nrole = "home"\n[[node]]\nname = "n1"\n'
    )
    code = """
    def only(inputs, output_dir):
        (output_dir / "copy").write_bytes(inputs[0].read_bytes())
    """
    items = []
    for k in range(3):
        path = tmp_path / f"in{k}"
        path.write_bytes(bytes([k]) * 1_000_000)
        items.append((path,))
    results = tmp_path / "out"
    run = stream(make_app(ONE, work=code), cluster, items, mapped(only="n1"), results)
    for (path,), item in zip(items, run.items, strict=True):
        assert (results / item.results[0]).read_bytes() == path.read_bytes()
    assert log.read_text().split() == ["me"] * 6  # there and back


def test_few_items_in_flight_give_the_same(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    run = stream(
        app,
        cluster,
        find_inputs([inputs])[:10],
        mapped(**SPREAD),
        tmp_path / "out",
        settings=RunSettings(in_flight_max=1),
    )
    assert [item.status for item in run.items] == ["done"] * 10
    for earlier, later in zip(run.items, run.items[1:], strict=False):
        assert earlier.done_s is not None
        assert later.accepted_s >= earlier.done_s


def test_large_parts_arrive_whole(
    make_app: Callable[..., Path], cluster: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    source = tmp_path / "big.txt"
    source.write_text("0123456789abcde\n" * 200_000)
    run = stream(app, cluster, [(source,)], mapped(**SPREAD), tmp_path / "out")
    text = source.read_text()
    expected = f"left first of {text}|{('second of ' + text).upper()}"
    assert (tmp_path / "out" / run.items[0].results[0]).read_text() == expected


BATCH = """
name = "batch"
[[task]]
name = "one"
run = "work:one"
route = "scatter"
children = ["x", "y"]
[[task]]
name = "x"
run = "work:keep"
children = ["join"]
[[task]]
name = "y"
run = "work:keep"
children = ["join"]
[[task]]
name = "join"
run = "work:join"
sink = true
"""
BATCH_WORK = """
def one(inputs, output_dir):
    (output_dir / "one.txt").write_text(inputs[0].read_text())

def keep(inputs, output_dir):
    (output_dir / "kept.txt").write_text(inputs[0].read_text())

def join(inputs, output_dir):
    (output_dir / "pair.txt").write_text("".join(path.read_text() for path in inputs))
"""


def test_scatter_with_too_few_outputs_joins_consecutive_items(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(BATCH, work=BATCH_WORK)
    items = find_inputs([inputs])[:5]
    mapping = mapped(one="n1", x="n2", y="n3", join="n1")
    run = stream(
        app, cluster, items, mapping, tmp_path / "out", settings=RunSettings(in_flight_max=1)
    )
    assert [item.status for item in run.items] == ["done"] * 4 + ["failed"]
    assert "the stream ended before every child of one had an output" in run.items[4].detail
    for pair in (0, 2):
        name = run.items[pair].results[0]
        assert run.items[pair + 1].results == (name,)
        both = items[pair][0].read_text() + items[pair + 1][0].read_text()
        assert (tmp_path / "out" / name).read_text() == both


def test_task_that_fails_is_tried_again_then_told_with_its_reason(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    code = """
    def only(inputs, output_dir):
        if inputs[0].name == "in3.txt":
            raise ValueError("three is not to be had")
        (output_dir / inputs[0].name).write_text("ok")
    """
    app = make_app(ONE, work=code)
    run = stream(app, cluster, find_inputs([inputs])[:6], mapped(only="n1"), tmp_path / "out")
    assert [item.status for item in run.items].count("done") == 5
    (bad,) = (item for item in run.items if item.status == "failed")
    assert bad.name == "in3.txt"
    assert "task only failed in 2 attempts: ValueError: three is not to be had" in bad.detail
    failed = [record for record in run.tasks if record.status == "failed"]
    assert [record.attempt for record in failed] == [1, 2]
    assert "Traceback" in failed[0].detail


def test_worker_that_is_killed_costs_one_attempt_and_no_item(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    code = """
    import os, signal
    from pathlib import Path

    def only(inputs, output_dir):
        once = Path(os.environ["JUPITER_TEST"], "killed")
        if inputs[0].name == "in2.txt" and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        (output_dir / inputs[0].name).write_text("ok")
    """
    needs = 'environment = ["JUPITER_TEST"]\nwrites = ["' + str(tmp_path) + '"]\n'
    app = make_app(needs + ONE, work=code)
    run = stream(app, cluster, find_inputs([inputs])[:6], mapped(only="n1"), tmp_path / "out")
    assert [item.status for item in run.items] == ["done"] * 6
    (failed,) = (record for record in run.tasks if record.status == "failed")
    assert "SIGKILL" in failed.detail


def test_task_without_an_end_is_stopped_at_its_limit(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    code = """
    import threading

    def only(inputs, output_dir):
        threading.Event().wait()
    """
    app = make_app(ONE.replace("retries = 1", 'retries = 0\ntimeout = "200 ms"'), work=code)
    run = stream(app, cluster, find_inputs([inputs])[:2], mapped(only="n1"), tmp_path / "out")
    assert [item.status for item in run.items] == ["failed"] * 2
    assert "no end within the time limit of 0.2 s" in run.items[0].detail


def test_output_outside_its_folder_is_refused(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    code = """
    def only(inputs, output_dir):
        if inputs[0].name == "in0.txt":
            return "/etc/hostname"
        (output_dir / "link").symlink_to("/etc/hostname")
    """
    app = make_app(ONE.replace("retries = 1", "retries = 0"), work=code)
    run = stream(app, cluster, find_inputs([inputs])[:2], mapped(only="n1"), tmp_path / "out")
    assert [item.status for item in run.items] == ["failed"] * 2
    assert "not in its output folder" in run.items[0].detail
    assert "is no regular file" in run.items[1].detail
    assert list((tmp_path / "out").iterdir()) == []


def test_code_that_cannot_be_loaded_ends_the_run_before_the_first_item(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(ONE, work="import no_such_module_at_all")
    with pytest.raises(TaskError, match=r"node n1: the code of task only cannot be loaded") as told:
        stream(app, cluster, find_inputs([inputs]), mapped(only="n1"), tmp_path / "out")
    assert "no_such_module_at_all" in told.value.detail


def test_link_that_is_missing_ends_the_run_with_its_name(
    make_app: Callable[..., Path], inputs: Path, tmp_path: Path, mark: str
) -> None:
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(
        '[[node]]\nname = "home"\nrole = "home"\n[[node]]\nname = "n1"\n'
        '[[link]]\nsource = "home"\ntarget = "n1"\n'
    )
    app = make_app(ONE, work="def only(inputs, output_dir):\n    (output_dir / 'x').touch()\n")
    with pytest.raises(RunError, match="node n1 has no link to node home"):
        stream(app, cluster, find_inputs([inputs]), mapped(only="n1"), tmp_path / "out")


@pytest.mark.parametrize("placement", ["least-loaded", "least-loaded-now"])
def test_items_go_where_there_is_least_to_do(
    make_app: Callable[..., Path],
    cluster: Path,
    inputs: Path,
    tmp_path: Path,
    mark: str,
    placement: str,
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    items = find_inputs([inputs])
    run = stream(
        app,
        cluster,
        items,
        mapped(**SPREAD),
        tmp_path / "out",
        settings=RunSettings(placement=placement),
    )
    assert [item.status for item in run.items] == ["done"] * 30
    names = [name for item in run.items for name in item.results]
    assert [(tmp_path / "out" / name).read_text() for name in names] == expected_texts(items)
    places = {record.node for record in run.tasks if record.task == "merge"}
    assert len(places) > 1
    assert "home" not in places


def test_ordered_results_come_in_the_order_of_the_inputs(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    code = """
    import time

    def only(inputs, output_dir):
        number = int(inputs[0].stem[2:])
        time.sleep(0.1 if number % 5 == 0 else 0.0)
        (output_dir / inputs[0].name).write_text("ok")
    """
    app = make_app(ONE, work=code)
    items = find_inputs([inputs])[:20]

    def run(where: str, *, is_ordered: bool) -> list[float]:
        settings = RunSettings(is_ordered=is_ordered)
        out = tmp_path / where
        record = stream(app, cluster, items, mapped(only="n1"), out, settings=settings)
        assert [item.status for item in record.items] == ["done"] * 20
        return [item.done_s or 0.0 for item in record.items]

    ordered = run("ordered", is_ordered=True)
    assert ordered == sorted(ordered)
    free = run("free", is_ordered=False)
    assert free != sorted(free)


def test_agents_have_folders_of_their_own(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    code = """
    import os

    def only(inputs, output_dir):
        (output_dir / "where.txt").write_text(os.getcwd() + "\\n" + str(inputs[0]))
    """
    app = make_app(ONE, work=code)
    run = stream(app, cluster, find_inputs([inputs])[:1], mapped(only="n2"), tmp_path / "out")
    folder, path = (tmp_path / "out" / run.items[0].results[0]).read_text().splitlines()
    assert folder.startswith(tempfile.gettempdir())
    assert "/n2/" in folder
    # Small files are kept in memory, in a folder of which only this agent's tasks know.
    assert Path(path).name == "in0.txt"
    assert str(cluster.parent / "out") not in path


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such flag")
@pytest.mark.parametrize(("isolation", "flag"), [("best", "1"), ("none", "0")])
def test_isolation_is_what_the_settings_say(
    make_app: Callable[..., Path],
    cluster: Path,
    inputs: Path,
    tmp_path: Path,
    isolation: Any,
    flag: str,
) -> None:
    code = """
    from pathlib import Path

    def only(inputs, output_dir):
        lines = Path("/proc/self/status").read_text().splitlines()
        flag = next(line.split()[1] for line in lines if line.startswith("NoNewPrivs"))
        (output_dir / "flag.txt").write_text(flag)
    """
    settings = RunSettings(isolation=isolation)
    run = stream(
        make_app(ONE, work=code),
        cluster,
        find_inputs([inputs])[:1],
        mapped(only="n1"),
        tmp_path / "out",
        settings=settings,
        engine=LocalEngine(settings=settings),
    )
    assert (tmp_path / "out" / run.items[0].results[0]).read_text() == flag


def test_service_is_refused_before_anything_starts(
    make_app: Callable[..., Path], cluster: Path, tmp_path: Path
) -> None:
    app = make_app(ONE + '[[service]]\nname = "cache"\nrun = ["cache"]\n', work="x = 1")
    with pytest.raises(InputError, match="helper services"):
        stream(app, cluster, [], mapped(only="n1"), tmp_path / "out")
