"""Runs whose command is killed: the stream goes on, and another command takes it up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.functional.conftest import our_processes
from tests.functional.streams import DIAMOND, MERGE, expected_texts

from jupiter.agent.identity import read_identity
from jupiter.orchestrator.inputs import find_inputs

JUPITER = [sys.executable, "-m", "jupiter"]
SLOW = """
import time

def split(inputs, output_dir):
    time.sleep(0.05)
    text = inputs[0].read_text()
    first, second = output_dir / "a.txt", output_dir / "b.txt"
    first.write_text("first of " + text)
    second.write_text("second of " + text)
    return [first, second]

def left(inputs, output_dir):
    (output_dir / "left.txt").write_text("left " + inputs[0].read_text())
"""
ITEMS = 120


@pytest.fixture
def app(make_app: Callable[..., Path]) -> Path:
    return make_app(DIAMOND, work=SLOW, merge=MERGE)


@pytest.fixture
def many_inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for k in range(ITEMS):
        (folder / f"in{k}.txt").write_text(f"{k}\n" * (k % 7 + 1))
    return folder


@pytest.fixture
def under_way(
    app: Path, cluster: Path, many_inputs: Path, tmp_path: Path, mark: str
) -> Iterator[subprocess.Popen[str]]:
    """Return the command of a run of which some results are there."""
    out = tmp_path / "out"
    words = ["run", str(app), "--cluster", str(cluster), "--repeats", "1", "--orphans", "20"]
    process = subprocess.Popen(
        [*JUPITER, *words, "--input", str(many_inputs), "--output", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while count(out) < 10 and process.poll() is None:
        psutil.cpu_percent(interval=0.02)  # results are files: there is nothing to wait for
    assert process.poll() is None, process.communicate()
    yield process
    process.kill()
    process.communicate()
    subprocess.run([*JUPITER, "stop", str(out)], capture_output=True, check=False)


def count(out: Path) -> int:
    results = out / "results"
    return len(list(results.iterdir())) if results.is_dir() else 0


def resume(out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*JUPITER, "resume", str(out)], capture_output=True, text=True, timeout=60, check=False
    )


def check(out: Path, many_inputs: Path) -> None:
    """Every item took effect once, and nothing of the run is left."""
    texts = [path.read_text() for path in (out / "results").iterdir()]
    assert sorted(texts) == sorted(expected_texts(find_inputs([many_inputs])))
    assert not (out / ".jupiter").exists()
    assert (out / "report.html").exists()
    events = [json.loads(line) for line in (out / "trace.jsonl").read_text().splitlines()]
    done = Counter(each["time_s"] for each in events if each["event"] == "ended")
    assert done.total() == ITEMS
    # Those that ended without a command keep their times, not that at which the next one heard.
    assert max(done.values()) < 10


def test_stream_goes_on_without_its_command_and_another_takes_it_up(
    under_way: subprocess.Popen[str], tmp_path: Path, many_inputs: Path
) -> None:
    out = tmp_path / "out"
    under_way.kill()
    under_way.wait()
    before = count(out)
    while count(out) < before + 20:
        psutil.cpu_percent(interval=0.02)
    ended = resume(out)
    assert ended.returncode == 0, ended.stderr
    check(out, many_inputs)


def test_run_whose_processes_were_all_killed_goes_on(
    under_way: subprocess.Popen[str], tmp_path: Path, mark: str, many_inputs: Path
) -> None:
    out = tmp_path / "out"
    for process in [psutil.Process(under_way.pid), *our_processes(mark)]:
        process.kill()
    under_way.wait()
    assert count(out) < ITEMS
    ended = resume(out)
    assert ended.returncode == 0, ended.stderr
    check(out, many_inputs)


def test_run_that_was_interrupted_says_how_to_go_on(
    under_way: subprocess.Popen[str], tmp_path: Path, mark: str, many_inputs: Path
) -> None:
    out = tmp_path / "out"
    under_way.terminate()
    _, errors = under_way.communicate(timeout=30)
    assert under_way.returncode == 1
    assert f"go on with: jupiter resume {out}" in errors.replace("\n", " ")
    assert our_processes(mark) == []
    again = subprocess.run(
        [*JUPITER, "run", "x", "--cluster", "y", "--input", "z", "--output", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 2
    ended = resume(out)
    assert ended.returncode == 0, ended.stderr
    check(out, many_inputs)


def test_folder_of_a_run_under_way_is_refused(
    under_way: subprocess.Popen[str],
    tmp_path: Path,
    app: Path,
    cluster: Path,
    many_inputs: Path,
) -> None:
    out = tmp_path / "out"
    words = ["run", str(app), "--cluster", str(cluster), "--input", str(many_inputs)]
    other = subprocess.run(
        [*JUPITER, *words, "--output", str(out), "--overwrite"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 2
    assert "holds a run that has not ended" in other.stderr


def test_two_agents_cannot_work_in_one_folder(
    under_way: subprocess.Popen[str], tmp_path: Path
) -> None:
    folder = tmp_path / "out" / ".jupiter" / "nodes" / "n1"
    identity = read_identity(folder)
    assert identity is not None
    config = f'{{"node":"n1","data_dir":"{folder}","token":"00"}}\n'
    second = subprocess.run(
        [sys.executable, "-P", "-m", "jupiter.agent"],
        input=config,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"another agent works in {folder}, process {identity.pid}" in second.stderr


def test_folder_without_a_run_is_no_run_to_go_on_with(tmp_path: Path) -> None:
    ended = resume(tmp_path)
    assert ended.returncode == 2
    assert "there is no run to go on with" in ended.stderr
