"""``jupiter run`` as a user calls it: outputs, exit codes, signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

JUPITER = [sys.executable, "-m", "jupiter"]

WORDS = """
name = "words"
sample_input = ["sample.txt"]
[[task]]
name = "count"
run = "words:count"
children = ["total"]
[[task]]
name = "total"
run = "words:total"
sink = true
retries = 0
"""
CODE = """
def count(inputs, output_dir):
    words = inputs[0].read_text().split()
    (output_dir / "count.txt").write_text(str(len(words)))

def total(inputs, output_dir):
    number = int(inputs[0].read_text())
    if number == 13:
        raise ValueError("thirteen words")
    (output_dir / "total.txt").write_text(f"{number} words")
"""


@pytest.fixture
def words(make_app: Callable[..., Path]) -> Path:
    app = make_app(WORDS, words=CODE)
    (app / "sample.txt").write_text("a few words to start with")
    return app


def jupiter(*arguments: object, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*JUPITER, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )


def test_run_leaves_results_logs_traces_profiles_and_a_page(
    words: Path, cluster: Path, tmp_path: Path, mark: str
) -> None:
    folder = tmp_path / "some inputs"
    folder.mkdir()
    for k in range(8):
        (folder / f"in{k}.txt").write_text("word " * (k + 1))
    out = tmp_path / "the output"
    done = jupiter(
        "run",
        words,
        "--cluster",
        cluster,
        "--input",
        folder,
        "--output",
        out,
        "--compare",
        "random",
        "--compare",
        "single-node",
        "--repeats",
        1,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Report:  {out / 'report.html'}"
    assert "8 of 8 items gave results" in done.stdout
    results = sorted(path.read_text() for path in (out / "results").iterdir())
    assert results == sorted(f"{k + 1} words" for k in range(8))
    assert len((out / "runtime_tasks.txt").read_text().splitlines()) == 1 + 2 * 8
    header = (out / "runtime_transfer_sender.txt").read_text().split("\n")[0]
    assert header == "Node_name  Transfer_Type File_Path  Time_stamp"
    lines = [json.loads(line) for line in (out / "trace.jsonl").read_text().splitlines()]
    assert lines[0]["event"] == "run"
    assert lines[-1] == {**lines[-1], "event": "end", "events": len(lines) - 2}
    assert json.loads((out / "trace.json").read_text())["traceEvents"]
    assert set(json.loads((out / "mapping.json").read_text())) == {"count", "total"}
    assert (out / "profiles" / "profiler_n1.txt").read_text().startswith("task,time(sec),")
    page = (out / "report.html").read_text()
    assert "<h1>words</h1>" in page
    assert "http" not in page.replace("http://www.w3.org", "")

    again = jupiter("run", words, "--cluster", cluster, "--input", folder, "--output", out)
    assert again.returncode == 2
    assert "holds the results of an earlier run" in again.stderr
    assert "--overwrite" in again.stderr

    mapped = jupiter("map", words, "--cluster", cluster, "--output", out, "--reuse-profiles")
    assert mapped.returncode == 0, mapped.stderr
    assert "Profiling" not in mapped.stderr
    assert "Planned makespan of one item: heft" in mapped.stdout


def test_items_can_be_placed_one_by_one_and_given_out_in_order(
    words: Path, cluster: Path, tmp_path: Path, mark: str
) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for k in range(8):
        (folder / f"in{k}.txt").write_text("word " * (k + 1))
    out = tmp_path / "out"
    common = ("run", words, "--cluster", cluster, "--input", folder, "--output", out)
    wrong = jupiter(*common, "--placement", "least-load")
    assert wrong.returncode == 2
    assert "unknown placement policy (got least-load" in wrong.stderr
    assert "did you mean least-loaded?" in wrong.stderr
    assert not out.exists()
    done = jupiter(*common, "--placement", "least-loaded", "--ordered", "--repeats", 1)
    assert done.returncode == 0, done.stderr
    assert "8 of 8 items gave results" in done.stdout
    results = sorted(path.read_text() for path in (out / "results").iterdir())
    assert results == sorted(f"{k + 1} words" for k in range(8))


def test_failed_item_gives_exit_code_1_and_its_reason(
    words: Path, cluster: Path, tmp_path: Path, mark: str
) -> None:
    (tmp_path / "good.txt").write_text("one two")
    (tmp_path / "bad.txt").write_text("x " * 13)
    done = jupiter(
        "run",
        words,
        "--cluster",
        cluster,
        "--output",
        tmp_path / "out",
        "--repeats",
        1,
        "--input",
        tmp_path / "good.txt",
        "--input",
        tmp_path / "bad.txt",
    )
    assert done.returncode == 1
    assert "1 of 2 items gave results" in done.stdout
    assert "thirteen words" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--cluster": "clutser.toml"}, "did you mean"),
        ({"--scheduler": "hefd"}, "did you mean heft"),
        ({"--compare": "rnadom"}, "did you mean random"),
        ({"--input": "nothing-here"}, "does not exist"),
        ({"--engine": "lokal"}, "did you mean local"),
        ({"--in-flight": "0"}, "--in-flight"),
        ({"--repeats": "many"}, "--repeats"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_usage_gives_exit_code_2_and_a_remedy(
    words: Path, cluster: Path, inputs: Path, tmp_path: Path, change: dict[str, str], told: str
) -> None:
    options = {
        "--cluster": str(cluster),
        "--input": str(inputs),
        "--output": str(tmp_path / "out"),
    }
    for key, value in change.items():
        options[key] = str(tmp_path / value) if key in ("--cluster", "--input") else value
    done = jupiter("run", words, *(word for pair in options.items() for word in pair))
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def endless(make_app: Callable[..., Path], tmp_path: Path) -> Path:
    needs = f'environment = ["JUPITER_TEST"]\nwrites = ["{tmp_path}"]\n'
    app = make_app(needs + WORDS, words="import threading\n" + CODE)
    (app / "words.py").write_text(
        (app / "words.py")
        .read_text()
        .replace(
            "    words = inputs",
            "    if inputs[0].stat().st_size > 100:\n"
            "        (output_dir / 'x').touch()\n"
            "        import os, pathlib\n"
            "        pathlib.Path(os.environ['JUPITER_TEST'], 'reached').touch()\n"
            "        threading.Event().wait()\n    words = inputs",
        )
    )
    (app / "sample.txt").write_text("short")
    (tmp_path / "long.txt").write_text("long " * 100)
    return app


@pytest.fixture
def running(
    endless: Path, cluster: Path, tmp_path: Path, mark: str
) -> Iterator[subprocess.Popen[str]]:
    """Return a run that has reached a task which never ends."""
    process = subprocess.Popen(
        [
            *JUPITER,
            "run",
            str(endless),
            "--cluster",
            str(cluster),
            "--repeats",
            "1",
            "--input",
            str(tmp_path / "long.txt"),
            "--output",
            str(tmp_path / "out"),
            "--orphans",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reached = tmp_path / "reached"
    while not reached.exists() and process.poll() is None:
        # The file is written by a task on a node: there is nothing that could be waited for here.
        psutil.cpu_percent(interval=0.05)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_and_leaves_nothing(
    running: subprocess.Popen[str], number: signal.Signals
) -> None:
    running.send_signal(number)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 1
    assert f"stopped by {number.name}; no process of the run is left" in errors
    assert "Traceback" not in errors


def test_killed_run_leaves_no_process(running: subprocess.Popen[str], tmp_path: Path) -> None:
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 6
    running.kill()
    running.wait()
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []


def test_version_is_shown() -> None:
    done = jupiter("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("jupiter 0.")


PAIR = {
    "nodes": [{"name": "near"}, {"name": "far", "speed": 4}],
    "links": [
        {"source": "near", "target": "far", "latency_s": 0.1},
        {"source": "far", "target": "near", "latency_s": 0.1},
    ],
    "tasks": [{"name": "a", "work_s": 1, "pinned": "near"}, {"name": "b", "work_s": 2}],
    "edges": [{"source": "a", "target": "b", "bytes": 10}],
}


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    path = tmp_path / "pair.json"
    path.write_text(json.dumps(PAIR))
    return path


def test_a_problem_is_mapped_explained_and_printed_as_json(pair: Path) -> None:
    found = jupiter("map", pair, "--scheduler", "heft", "--json")
    assert found.returncode == 0, found.stderr
    values = json.loads(found.stdout)
    assert values["makespan_s"] == pytest.approx(1.6)
    assert [(each["task"], each["node"]) for each in values["assignments"]] == [
        ("a", "near"),
        ("b", "far"),
    ]
    assert values["scheduler"] == "heft"
    assert len(values["problem"]) == 64
    told = jupiter("map", pair, "--explain", "b")
    assert "b on far: starts at 1.1 s" in told.stdout
    assert "1.4 s later" in told.stdout
    best = jupiter("map", pair, "--budget", "0.05")
    assert "proven to be the shortest" in best.stdout


def test_schedulers_are_compared_in_a_table_and_a_picture(pair: Path) -> None:
    picture = pair.with_name("compare.svg")
    found = jupiter("compare", pair, "--schedulers", "all", "-o", picture)
    assert found.returncode == 0, found.stderr
    for name in ("heft", "cpop", "improve", "throughput", "wave-greedy"):
        assert name in found.stdout
    assert picture.read_text().startswith("<svg xmlns")
    rows = json.loads(jupiter("compare", pair, "--schedulers", "heft,random", "--json").stdout)
    assert [row["scheduler"] for row in rows] == ["heft", "random"]


def test_a_problem_goes_through_every_format(pair: Path) -> None:
    folder = pair.parent
    for name in ("other.json", "x.tgff", "x.dot", "x.graphml", "x.wfformat.json"):
        done = jupiter("convert", pair, "-o", folder / name)
        assert done.returncode == 0, done.stderr
    refused = jupiter("convert", pair, "--to", "saga")
    assert refused.returncode == 2
    assert "SAGA's format cannot say" in refused.stderr
    again = json.loads(jupiter("map", folder / "other.json", "--json").stdout)
    assert again["makespan_s"] == pytest.approx(1.6)
    unknown = jupiter("map", folder / "x.dot")
    assert unknown.returncode == 2
    assert "--cluster" in unknown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("map", "nope.json"),
        ("map", "{pair}", "--scheduler", "hefft"),
        ("map", "{pair}", "--explain", "zebra"),
        ("map", "{pair}", "--quirks"),
        ("map", "{pair}", "--budget", "1", "--scheduler", "heft"),
        ("compare", "{pair}", "--schedulers", "nothing"),
        ("convert", "{pair}", "--to", "word"),
        ("map", "{pair}", "{pair}", "{pair}"),
    ],
)
def test_bad_requests_end_with_2_and_one_text(pair: Path, arguments: tuple[str, ...]) -> None:
    done = jupiter(*(each.format(pair=pair) for each in arguments))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Try:" in done.stderr or "expected" in done.stderr


def test_a_stream_is_simulated_from_what_a_map_measured(
    words: Path, cluster: Path, tmp_path: Path
) -> None:
    out = tmp_path / "measured"
    mapped = jupiter("map", words, "--cluster", cluster, "--output", out, "--repeats", "2")
    assert mapped.returncode == 0, mapped.stderr
    arguments = ("simulate", words, "--cluster", cluster, "--profiles", out, "--items", "40")
    pages = tmp_path / "pages"
    done = jupiter(*arguments, "--compare", "random", "--output", pages)
    assert done.returncode == 0, done.stderr
    assert "40 of 40 items gave results" in done.stdout
    assert "simulated" in (pages / "report.html").read_text()
    assert (pages / "trace.json").exists()
    swept = jupiter(*arguments, "--vary", "link=0.1,1,10", "--output", pages, "--json")
    values = json.loads(swept.stdout)
    assert [each["what"] for each in values] == ["link=0.1", "link=1", "link=10"]
    assert values[0]["makespan_s"] >= values[1]["makespan_s"] >= values[2]["makespan_s"]
    assert (pages / "sweep.svg").read_text().startswith("<svg")
    plain = json.loads(jupiter(*arguments, "--json").stdout)
    assert plain[0]["makespan_s"] == values[1]["makespan_s"]
    slower = json.loads(jupiter(*arguments, "--set", "task=0.01", "--json").stdout)
    assert slower[0]["makespan_s"] > plain[0]["makespan_s"]
    # Edited code was not measured.
    (words / "words.py").write_text((words / "words.py").read_text() + "\n# edited\n")
    stale = jupiter(*arguments)
    assert stale.returncode == 2
    assert "holds no measurements of this application's code" in stale.stderr


def test_a_simulation_without_costs_says_what_it_needs(words: Path, cluster: Path) -> None:
    done = jupiter("simulate", words, "--cluster", cluster)
    assert done.returncode == 2
    assert "--costs" in done.stderr
