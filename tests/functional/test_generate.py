"""``jupiter generate app`` as a user calls it; what it writes is checked and run."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from jupiter.formats import communication, configuration

SMALL = ["--tasks", "5", "--comp-mean", "0.01", "--comp-sigma", "0.002", "--ccr", "2000"]


def jupiter(*arguments: object, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupiter", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )


def generate(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return jupiter("generate", "app", folder, *arguments)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_generated_application_runs_to_the_end(tmp_path: Path, cluster: Path, mark: str) -> None:
    app, out = tmp_path / "app", tmp_path / "out"
    made = generate(app, *SMALL, "--seed", 4)
    assert made.returncode == 0, made.stderr
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for k in range(3):
        (inputs / f"{k}botnet.ipsum").write_text("x")

    def run(output: Path) -> dict[str, bytes]:
        words = ("--cluster", cluster, "--input", inputs, "--repeats", 1, "--output", output)
        done = jupiter("run", app, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "3 of 3 items gave results" in done.stdout
        return contents(output / "results")

    results = run(out)
    assert len(results) == 3
    assert len(set(results.values())) == 3
    assert all(1 <= len(each) / 1024 <= 20 for each in results.values())
    assert run(tmp_path / "again") == results
    lines = [json.loads(line) for line in (out / "trace.jsonl").read_text().splitlines()]
    sent = {
        (line["source_task"], line["target_task"]): line["size_bytes"]
        for line in lines
        if line["event"] == "transfer"
    }
    sizes = communication.parse((app / "scripts" / "communication.txt").read_bytes()).value
    edges = {
        (task, child): 1024 * math.ceil(size)
        for task, children in sizes.items()
        for child, size in children.items()
    }
    assert {edge: size for edge, size in sent.items() if edge in edges} == edges
    assert len((out / "runtime_tasks.txt").read_text().splitlines()) == 1 + 7 * 3


@pytest.mark.parametrize("seed", range(5))
def test_generated_applications_pass_the_check(tmp_path: Path, seed: int) -> None:
    app = tmp_path / "app"
    words = ("--depth", 4, "--width-min", seed % 2 + 1, "--width-max", 6, "--tasks", 15 + seed)
    assert generate(app, *words, "--seed", seed).stderr == ""
    done = jupiter("app", "check", app)
    assert done.returncode == 0
    assert done.stderr == ""
    assert f"{17 + seed} tasks" in done.stdout


def test_summary_tells_what_was_made(tmp_path: Path) -> None:
    app = tmp_path / "app"
    done = generate(app, *SMALL)
    words = done.stdout.split()
    lines = configuration.parse((app / "configuration.txt").read_bytes()).value.tasks
    assert words[words.index("tasks") + 1] == "7"
    assert words[words.index("edges") + 1] == str(sum(len(line.others) for line in lines))
    assert "5 tasks do not fit 20 levels of 2 to 4, so depth is not used" in done.stderr


def test_options_win_over_the_file_and_the_folder_can_be_made_again(tmp_path: Path) -> None:
    config = tmp_path / "task_config.yml"
    config.write_text("total_num: 9\ncomp_mu: 0.5\ndeg_mu: 2\n")
    first, second = tmp_path / "first", tmp_path / "second"
    done = generate(first, "--config", config, "--tasks", 6, "--degree-mean", 6, "--seed", 8)
    assert done.returncode == 0, done.stderr
    text = (first / "task_config.yml").read_text()
    assert "total_num: 6\n" in text
    assert "comp_mu: 0.5\n" in text
    assert "deg_mu: 6.0\n" in text
    again = generate(second, "--config", first / "task_config.yml", "--seed", 8)
    assert again.returncode == 0, again.stderr
    assert contents(first) == contents(second)


def test_full_folder_is_left_alone_until_it_may_be_overwritten(tmp_path: Path) -> None:
    app, fresh = tmp_path / "app", tmp_path / "fresh"
    assert generate(app, "--tasks", 9).returncode == 0
    (app / "notes.txt").write_text("mine")
    before = contents(app)
    done = generate(app, *SMALL)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert "--overwrite" in done.stderr
    assert contents(app) == before
    assert generate(app, *SMALL, "--overwrite").returncode == 0
    assert generate(fresh, *SMALL).returncode == 0
    assert contents(app) == {**contents(fresh), "notes.txt": b"mine"}
    (app / "app.toml").write_text("")
    done = generate(app, *SMALL, "--overwrite")
    assert done.returncode == 2
    assert "app.toml: would be taken instead" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--config", "task_confg.yml"], "task_config.yml (did you mean that?)"),
        (["--config", "task_config.yml"], "task_config.yml:1:1: key 'depht' is unknown"),
        (["--width-max", "1"], "width_min is larger than width_max"),
        (["--tasks", "0"], "--tasks"),
        (["--ccr", "-1"], "--ccr"),
        (["--comp-mean", "1e9"], "may become too large"),
        (["--depth", "many"], "--depth"),
    ],
)
def test_bad_usage_gives_exit_code_2_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task_config.yml").write_text("depht: 3\n")
    done = generate(Path("app"), *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "app").exists()


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("")
    done = generate(tmp_path / "app", "--overwrite")
    assert done.returncode == 2
    assert "is no folder" in done.stderr
