from __future__ import annotations

import pytest

from jupiter.errors import InputError
from jupiter.formats import (
    communication,
    jupiter_config,
    link_parameters,
    network_log,
    profiler_txt,
    runtime_logs,
    static_assignment,
    task_config,
    tgff,
)
from jupiter.formats.link_parameters import Curve
from jupiter.formats.profiler_txt import ProfileRow
from jupiter.model.app import Application, CommandRun, Task
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.network import Network
from jupiter.model.run import RunRecord, TaskRecord, TransferRecord
from jupiter.model.schedule import Schedule


def test_curve_counts_kbit_and_milliseconds() -> None:
    curve = link_parameters.parse("0.0 2.0 500").value
    assert curve == Curve(0.0, 2.0, 500.0)
    assert curve.transfer_s(125_000) == pytest.approx(2.5)


def test_curve_that_turns_negative_is_a_warning_and_is_cut() -> None:
    parsed = link_parameters.parse("-1e-4 0.7 3301")
    assert "warning" in str(next(note for note in parsed.notes if note.level == "warning"))
    assert parsed.value.transfer_s(1e9) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "task,time(sec),output_data (Kbit)\naggregate0,15,701.9\n",
        "task             time (sec)      output_data (Kbit)\naggregate0       15.0   701.9\n",
    ],
    ids=["commas", "columns"],
)
def test_both_layouts_of_profiles_are_read(text: str) -> None:
    assert profiler_txt.parse(text).value == (ProfileRow("aggregate0", 15.0, 87738),)


@pytest.mark.parametrize("row", ["a,1", "a,-1,2", "a,nan,2", "a,1,2\na,1,2", "../a,1,2"])
def test_bad_profiles_are_refused(row: str) -> None:
    with pytest.raises(InputError):
        profiler_txt.parse(f"task,time(sec),output_data (Kbit)\n{row}\n")


def test_network_log_is_read() -> None:
    text = '"node1","10.0.0.1","node2","10.0.0.2","0.0 1.0 2.0"\n'
    assert network_log.parse(text).value[0].curve == Curve(0.0, 1.0, 2.0)
    assert network_log.dumps(network_log.parse(text).value) == text


@pytest.mark.parametrize("text", ['"a', "a,b\n", 'a,b,c,d,"1 2"\n', 'a"b,c,d,e,f"\n'])
def test_bad_network_log_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        network_log.parse(text)


def test_parameters_need_their_header() -> None:
    with pytest.raises(InputError, match="not the header"):
        network_log.parse_parameters("1,2,3,4,5,1 2 3\n")


@pytest.mark.parametrize("text", ["a b", "a b-x", "a b-1 b-2", "a b-1\na b-1", "../a b-1"])
def test_bad_communication_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        communication.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "depth: 0",
        "depth: 1.5",
        "depth: !!python/object:os.system x",
        "depth: &a 1",
        "deepth: 3",
        "depth: 1\ndepth: 2",
        "width_min: 5\nwidth_max: 4",
        "ccr: -1",
        "- depth",
        "depth:3",
    ],
)
def test_bad_task_config_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        task_config.parse(text)


def test_task_config_takes_comments_and_defaults() -> None:
    found = task_config.parse("# x\n\ndepth:  30   # y\nccr: 2.5\n").value
    assert (found.depth, found.ccr, found.width_min) == (30, 2.5, 2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("@quadratic 0 {", "@quadratic 1 {", "section @quadratic does not open as expected"),
        ("TYPE 1\n", "TYPE 5\n", "task 'b' is out of order"),
        ("TYPE 18", "TYPE -18", "the size of an arc"),
        ("FROM t0_0 TO t0_1", "FROM t0_0 t0_1", "another form than its section"),
        ("FROM t0_0 TO t0_1", "FROM t0_0 TO t0_0", "the arcs run in a circle"),
        ("# type version n1 n2", "n1 n2", "the costs have no header"),
        ("n1 n2\n", "n1 n1\n", "processor 'n1' is written twice"),
        ("  t0_1    0\t13 19\n", "", "task 'b' has no costs"),
        ("0.0 1.0 0.0", "0.0 1.0", "link parameters are not three numbers"),
        ("  n1\tn2\t0.0", "  n1\tn1\t0.0", "another form than its section"),
        ("}\n@computation", "}\nstray\n@computation", "the line stands in no section"),
        ("@quadratic 0 {", "", "section @quadratic is missing"),
    ],
)
def test_departure_from_the_dialect_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        tgff.parse(TGFF.replace(old, new, 1))
    assert says in str(refused.value)


TGFF = (
    "@TASK_GRAPH 0 {\n\tAPERIODIC\n\n\tTASK a\tTYPE 0\n\tTASK b\tTYPE 1\n\n"
    "\tARC a0_0 \tFROM t0_0 TO t0_1 \tTYPE 18\n\n}\n@computation_cost 0 {\n"
    "# type version n1 n2\n  t0_0    0\t14 16\n  t0_1    0\t13 19\n}\n\n\n\n\n@quadratic 0 {\n"
    "# Source Destination a b c\n  n1\tn2\t0.0 1.0 0.0\n}\n"
)


def test_tgff_is_written_as_the_seeds_write_it() -> None:
    found = tgff.parse(TGFF).value
    assert tgff.dumps(found) == TGFF
    assert found.execution_s("b", "n2") == pytest.approx(1.9)


def test_both_flavours_of_hosts_are_read() -> None:
    text = (
        "dag = ['a', {'a': ['1', 'true', 'home']}, {'a': 'node1'}]\n"
        "schedule = ['a', {'a': [1, True, 'home']}, {'a': ['a', 'host-a'], 'home': ['home', 'h']}]"
    )
    found = static_assignment.parse(text).value
    assert found.dag.hosts == {"a": "node1"}
    assert found.schedule.hosts == {"a": "host-a", "home": "h"}
    assert found.dag.tasks == found.schedule.tasks


@pytest.mark.parametrize(
    "text",
    [
        "dag = []",
        "import os",
        "dag = ['a', {}, {}]\nschedule = ['a', {}, {}]",
        "dag = ['a', {'a': ['0', 'true']}, {}]\nschedule = 1",
        "dag = ['a', {'a': ['1', 'ordered']}, {}]\nschedule = 1",
        "dag = ['a', {'a': ['1', 'true', 'b']}, {}]\nschedule = 1",
    ],
)
def test_bad_static_assignment_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        static_assignment.parse(text)


def test_jupiter_config_is_read_and_its_password_is_not() -> None:
    parsed = jupiter_config.parse(
        "[CONFIG]\n    STATIC_MAPPING = 0\n    SCHEDULER = 1\n[AUTH]\n    PASSWORD = hunter2\n"
        "[OTHER]\n    MAX_LOG = 10\n    TASK_QUEUE_SIZE = -1\n[SCHEDULER_LIST]\n    HEFT = 0\n"
        "    WAVE_RANDOM = 1\n"
    )
    assert parsed.value.choices == {"SCHEDULER": "WAVE_RANDOM"}
    assert parsed.value.switches == {"STATIC_MAPPING": False}
    assert parsed.value.counts == {"MAX_LOG": 10, "TASK_QUEUE_SIZE": None}
    assert "hunter2" not in repr(parsed)


def run_record() -> RunRecord:
    a, b = TaskId("a"), TaskId("b")
    first, second = NodeId("node1"), NodeId("node2")
    item = ItemId("0")
    return RunRecord(
        run="1-heft",
        started_at=1_545_000_010.0,
        app=Application("app", "", (Task(a, CommandRun(("cat",))),)),
        network=Network("n", ()),
        schedule=Schedule("heft", ()),
        items=(),
        tasks=(
            TaskRecord(item, a, first, 0.1, 0.2, 15.4, input_name="1split_0"),
            TaskRecord(item, b, first, 0.1, 0.2, 15.4, status="failed"),
        ),
        transfers=(
            TransferRecord(item, a, b, first, second, 9, 16.77, 17.0, ("1split 0", "x")),
            TransferRecord(item, a, b, first, first, 9, 16.0, 16.0, ("x",)),
        ),
    )


def test_run_is_logged_as_the_seeds_did() -> None:
    text = runtime_logs.tasks(run_record())
    assert text.splitlines() == [
        "Task_name  local_input_file Enter_time Execute_time Finish_time Elapse_time Duration_time "
        "Waiting_time",
        "a          1split     1545000010.1000 1545000010.2000 1545000025.4000 15.3000    15.2000"
        "    0.1000",
    ]
    row = runtime_logs.parse_tasks(text).value[0]
    assert (row.task, row.input_file, row.finish_s) == ("a", "1split", 1_545_000_025.4)


def test_names_with_blanks_stay_one_column() -> None:
    text = runtime_logs.transfers(run_record())
    rows = runtime_logs.parse_transfers(text).value
    assert [(row.node, row.path) for row in rows] == [("node1", "a/1split 0"), ("node1", "a/x")]


def test_log_without_header_is_refused() -> None:
    with pytest.raises(InputError, match="not the header"):
        runtime_logs.parse_tasks("a b\n")
