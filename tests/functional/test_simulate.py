"""``jupiter simulate`` with faults and of recorded runs, as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

APP = """
name = "pipe"
[[task]]
name = "shrink"
run = "steps:shrink"
children = ["detect"]
[[task]]
name = "detect"
run = "steps:detect"
sink = true
"""
CODE = """
def shrink(inputs, output_dir):
    (output_dir / "small").write_bytes(inputs[0].read_bytes()[:20000])

def detect(inputs, output_dir):
    (output_dir / inputs[0].name).write_text(str(sum(inputs[0].read_bytes())))
"""
COSTS = {
    "nodes": [{"name": "any"}],
    "tasks": [{"name": "shrink", "work_s": 0.05}, {"name": "detect", "work_s": 0.1}],
    "edges": [{"source": "shrink", "target": "detect", "bytes": 20000}],
}


def jupiter(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupiter", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "pipe"
    folder.mkdir()
    (folder / "app.toml").write_text(APP)
    (folder / "steps.py").write_text(CODE)
    (folder / "sample.bin").write_bytes(bytes(range(200)) * 200)
    return folder


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(COSTS))
    return path


def figures(*words: str | Path) -> dict[str, Any]:
    done = jupiter("simulate", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found[0]


def test_faults_cost_time_and_no_item(app: Path, cluster: Path, costs: Path) -> None:
    base = (app, "--cluster", cluster, "--costs", costs, "--items", "40")
    calm = figures(*base)
    bad = figures(
        *base,
        *("--faults", "crash:n1@0.4+0.5", "--faults", "power:home@0.8+0.2"),
        *("--faults", "weather@0+3x0.1", "--faults", "slow:n2@0+2x3", "--faults", "vanish:n3@1"),
        *("--faults", "cut:n1->home@1+1", "--faults", "pause:n2@0.5+2", "--durability", "hop"),
    )
    assert calm["done"] == bad["done"] == 40
    assert bad["makespan_s"] > calm["makespan_s"]


def test_same_seed_gives_the_same_report(app: Path, cluster: Path, costs: Path) -> None:
    words = (app, "--cluster", cluster, "--costs", costs, "--faults", "random:6", "--seed", "3")
    first = jupiter("simulate", *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout == jupiter("simulate", *words).stdout
    assert first.stdout.count("fault:") == 6


def test_items_that_can_never_end_are_told(app: Path, cluster: Path, costs: Path) -> None:
    words = (app, "--cluster", cluster, "--costs", costs, "--items", "9")
    gone = [part for n in ("n1", "n2", "n3") for part in ("--faults", f"vanish:{n}@0.2")]
    done = jupiter("simulate", *words, *gone)
    assert done.returncode == 0, done.stderr
    assert "had not ended" in done.stdout


def test_placement_moves_items_to_idle_nodes(app: Path, cluster: Path, costs: Path) -> None:
    base = (app, "--cluster", cluster, "--costs", costs, "--items", "60")
    still = figures(*base, "--scheduler", "single-node")
    moved = figures(*base, "--scheduler", "single-node", "--placement", "least-loaded-now")
    assert moved["makespan_s"] < 0.9 * still["makespan_s"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("boom:n1@1", "says not what goes wrong"),
        ("crash:n1", "says not what goes wrong"),
        ("crash:n9@1", "there is no node n9"),
        ("crash@1", "needs a node"),
        ("cut:n1@1+1", "needs link"),
        ("weather@0+1", "needs a size"),
        ("weather@0+1x1.5", "below 1"),
        ("slow:n1@0+1", "needs a size"),
        ("crash:n1@1.2.3", "could not convert"),
        ("random:", "how many"),
        ("random:-1", "how many"),
        ("random:99999", "how many"),
    ],
)
def test_fault_that_is_none_is_refused_with_the_form(
    app: Path, cluster: Path, costs: Path, text: str, fault: str
) -> None:
    done = jupiter("simulate", app, "--cluster", cluster, "--costs", costs, "--faults", text)
    assert done.returncode == 2
    assert fault in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_recorded_run_is_repeated_as_it_was_and_as_it_could_be(
    app: Path, cluster: Path, inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    base = (app, "--cluster", cluster)
    ran = jupiter("run", *base, "--input", inputs, "--output", out, "--repeats", "2")
    assert ran.returncode == 0, ran.stderr
    head = json.loads((out / "trace.jsonl").read_text().splitlines()[-1])
    again = figures(*base, "--replay", out)
    assert again["scheduler"] == "heft (recorded)"
    assert again["done"] == 30
    # Other work on the machine was in the way of the run, and is not in that of its repetition.
    assert again["makespan_s"] < 1.5 * head["makespan_s"] + 0.1
    slow = figures(*base, "--replay", out, "--set", "latency=0.01")
    assert slow["makespan_s"] > again["makespan_s"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "holds no recorded run"),
        ("", "the first line does not say so"),
        ("[1]\n", "is no trace of a run"),
        ('{"event": "run", "version": 99, "scheduler": "x", "mapping": {}}\n', "first line"),
        ('{"event": "run", "version": 1, "scheduler": "x", "mapping": {}}\n', "last line"),
    ],
)
def test_trace_that_is_none_is_refused(
    app: Path, cluster: Path, costs: Path, tmp_path: Path, content: str | None, fault: str
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    if content is not None:
        (folder / "trace.jsonl").write_text(content)
    words = (app, "--cluster", cluster, "--costs", costs, "--replay", folder)
    done = jupiter("simulate", *words)
    assert done.returncode == 2
    assert fault in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
