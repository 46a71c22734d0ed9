"""A run is watched from outside: while it goes, without its command, after its end."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.functional.test_cli import jupiter

from jupiter.agent.identity import read_identity

APP = """
name = "unlucky"
sample_input = ["sample.txt"]
[[task]]
name = "first"
run = "work:first"
children = ["second"]
[[task]]
name = "second"
run = "work:second"
sink = true
retries = 1
"""
CODE = """
import time

def first(inputs, output_dir):
    time.sleep(0.04)
    (output_dir / "first.txt").write_text(inputs[0].read_text())

def second(inputs, output_dir):
    text = inputs[0].read_text()
    if text.strip() in ("3", "7"):
        raise ValueError(f"an unlucky \\x1b[31mnumber")
    (output_dir / "second.txt").write_text(text)
"""
ITEMS = 300
UNLUCKY = 2


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def app(make_app: Callable[..., Path]) -> Path:
    made = make_app(APP, work=CODE)
    (made / "sample.txt").write_text("0")
    return made


@pytest.fixture
def command(app: Path, cluster: Path, tmp_path: Path, out: Path, mark: str) -> Iterator[Any]:
    """Return the command of a run of which some results are there."""
    inputs = tmp_path / "many"
    inputs.mkdir()
    for k in range(ITEMS):
        (inputs / f"in{k}.txt").write_text(f"{k}\n")
    words = ["run", app, "--cluster", cluster, "--repeats", "1", "--orphans", "30", "--input"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupiter", *map(str, words), str(inputs), "--output", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    results = out / "results"
    while not results.is_dir() or len(list(results.iterdir())) < 12:
        assert process.poll() is None, process.communicate()
        psutil.cpu_percent(interval=0.02)  # results are files: there is nothing to wait for
    yield process
    process.kill()
    process.communicate()
    jupiter("stop", out)


def status(out: Path, code: int) -> dict[str, Any]:
    done = jupiter("status", out, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def scrape(out: Path, node: str) -> dict[tuple[str, str], float]:
    """Return the counters of an agent, by name and labels."""
    identity = read_identity(out / ".jupiter" / "nodes" / node)
    assert identity is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{identity.metrics_port}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, str(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        if family.type == "counter"
        for sample in family.samples
    }


def test_a_run_is_seen_from_its_beginning_to_its_end(
    command: subprocess.Popen[str], out: Path, app: Path
) -> None:
    found = status(out, 1)  # two items have failed
    assert (found["phase"], found["run"]) == ("running", "1-heft")
    items = found["items"]
    assert (items["inputs"], items["failed"]) == (ITEMS, UNLUCKY)
    assert items["done"] + items["in_flight"] + items["failed"] == items["accepted"]
    nodes = {each["node"]: each["status"] for each in found["nodes"]}
    assert set(nodes) == {"home", "n1", "n2", "n3"}
    runs = {name: each["runs"][0] for name, each in nodes.items()}
    tasks = [task for run in runs.values() for task in run["tasks"]]
    assert sum(task["failed"] for task in tasks) == 2 * UNLUCKY
    assert {task["task"] for task in tasks if task["is_here"]} == {"first", "second"}
    assert runs["home"]["entry"]["accepted"] == items["accepted"]
    assert runs["home"]["journal_bytes"] > 0
    assert any("ValueError: an unlucky" in line for line in found["wrong"])

    token = json.loads((out / ".jupiter" / "session.json").read_text())["token"]
    before = {node: scrape(out, node) for node in nodes}
    page = jupiter("top", out)  # no terminal: it is shown once
    assert page.returncode == 1
    assert "first" in page.stdout
    assert "items/s" in page.stdout
    after = {node: scrape(out, node) for node in nodes}
    for node, counters in before.items():
        for name, value in counters.items():
            assert after[node][name] >= value, name
    done = ("jupiter_items_ended_total", "[('outcome', 'done'), ('run', '1-heft')]")
    assert after["home"][done] > before["home"][done] >= items["done"]

    alive = jupiter("trace", out, "in3.txt", "--verbose")
    assert alive.returncode == 1
    assert "failed" in alive.stdout
    assert "second attempt 2" in alive.stdout
    assert "Traceback" in alive.stdout
    assert "\x1b" not in alive.stdout
    assert jupiter("trace", out, "4").returncode == 0

    command.kill()
    command.wait()
    assert status(out, 1)["phase"] == "orphaned"
    jupiter("stop", out)
    stopped = status(out, 1)
    assert stopped["phase"] == "interrupted"
    assert {each["problem"].split(" (")[0] for each in stopped["nodes"]} == {
        "its agent is not running"
    }
    resumed = jupiter("resume", out)
    assert resumed.returncode == 1, resumed.stderr
    assert f"jupiter dlq list {out}" in resumed.stdout.replace("\n", "")
    ended = status(out, 1)
    assert ended["phase"] == "ended"
    assert ended["items"]["done"] == ITEMS - UNLUCKY
    assert ended["items"]["failed"] == UNLUCKY
    assert jupiter("trace", out, "4").returncode == 0
    letters = json.loads(jupiter("dlq", "list", out, "--json").stdout)
    assert [(each["item"], each["name"]) for each in letters] == [
        ("3", "in3.txt"),
        ("7", "in7.txt"),
    ]
    _no_secret_in(out, token, resumed)
    _retry(out, app)


def _no_secret_in(out: Path, token: str, *commands: subprocess.CompletedProcess[str]) -> None:
    for path in out.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
    assert all(token not in done.stdout + done.stderr for done in commands)


def _retry(out: Path, app: Path) -> None:
    """Retry what failed: first as it was, then with the fault mended."""
    shown = jupiter("dlq", "show", out, "3")
    assert shown.returncode == 0
    assert "attempt 2 of second" in shown.stdout
    assert "ValueError: an unlucky \\x1b[31mnumber" in shown.stdout.replace("\n", " ")
    again = jupiter("dlq", "retry", out, "in3.txt")
    assert again.returncode == 1, again.stderr
    assert "0 of 1 did well" in again.stdout
    assert "\x1b" not in again.stdout
    code = (app / "work.py").read_text()
    (app / "work.py").write_text(code.replace('("3", "7")', '("7",)'))
    mended = jupiter("dlq", "retry", out, "--all")
    assert mended.returncode == 1, mended.stderr
    assert "1 of 2 did well" in mended.stdout
    assert (out / "retry-2" / "results" / "second.txt").read_text() == "3\n"
    letters = json.loads(jupiter("dlq", "list", out, "--json").stdout)
    assert [each["retried"] for each in letters] == ["retry-2", ""]
    assert status(out / "retry-2", 1)["items"]["done"] == 1


def test_top_on_a_terminal_ends_with_q(command: subprocess.Popen[str], out: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupiter", "top", str(out)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"},
    )
    os.close(slave)
    seen = b""
    while b"q quits" not in seen:
        assert select.select([master], [], [], 30)[0], seen
        seen += os.read(master, 65_536)
    os.write(master, b"q")
    while process.poll() is None:
        if select.select([master], [], [], 0.1)[0]:
            try:
                seen += os.read(master, 65_536)
            except OSError:  # it has closed its end
                break
    assert process.wait(timeout=30) == 1
    os.close(master)
    assert b"\x1b[?1049h" in seen  # a screen of its own,
    assert b"\x1b[?1049l" in seen  # and the user's own again
    assert command.poll() is None


@pytest.mark.parametrize("words", [["status"], ["top"], ["trace", "1"]])
def test_what_is_no_run_is_refused(words: list[str], tmp_path: Path) -> None:
    for folder, reason in ((tmp_path, "of no run"), (tmp_path / "gone", "no such folder")):
        done = jupiter(words[0], folder, *words[1:])
        assert done.returncode == 2
        assert reason in done.stderr
        assert str(folder) in done.stderr
        assert "Traceback" not in done.stderr


def test_a_damaged_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_text('{"event": "run"\n')
    done = jupiter("status", tmp_path)
    assert done.returncode == 2
    assert "trace.jsonl:1" in done.stderr


@pytest.mark.parametrize("address", ["nowhere", "1.2.3.4:", "70000", "localhost:x"])
def test_a_bad_address_for_metrics_is_refused(
    address: str, app: Path, cluster: Path, tmp_path: Path, mark: str
) -> None:
    (tmp_path / "in.txt").write_text("1")
    words = ["run", app, "--cluster", cluster, "--input", tmp_path / "in.txt"]
    done = jupiter(*words, "--output", tmp_path / "out", "--metrics", address)
    assert done.returncode == 2
    assert "--metrics" in done.stderr
    assert not (tmp_path / "out" / ".jupiter").exists()


def test_the_command_answers_for_the_whole_run(
    app: Path, cluster: Path, tmp_path: Path, mark: str
) -> None:
    inputs = tmp_path / "some"
    inputs.mkdir()
    for k in range(40):
        (inputs / f"in{k}.txt").write_text(f"{k}\n")
    words = ["run", app, "--cluster", cluster, "--input", inputs, "--repeats", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupiter", *map(str, words), "--output", str(tmp_path / "out"),
         "--metrics", "0.0.0.0:19464"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    token = tmp_path / "out" / ".jupiter" / "metrics.token"
    url = "http://127.0.0.1:19464/metrics"
    ended = 0.0
    while ended < UNLUCKY:
        assert process.poll() is None, process.communicate()
        psutil.cpu_percent(interval=0.02)
        if not token.is_file():
            continue
        request = urllib.request.Request(
            url, headers={"Authorization": f"Bearer {token.read_text().strip()}"}
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            continue  # it does not listen yet
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        ended = sum(
            sample.value
            for sample in samples
            if sample.name == "jupiter_items_ended_total" and sample.labels["outcome"] == "failed"
        )
    assert token.stat().st_mode & 0o077 == 0
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url)
    attempts = [sample for sample in samples if sample.name == "jupiter_attempts_total"]
    assert {sample.labels["task"] for sample in attempts} == {"first", "second"}
    assert process.wait(timeout=60) == 1
    process.communicate()
    assert not token.exists()
