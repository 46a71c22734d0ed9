"""The fault campaign: a slice of it, the bugs that it must find, and its repeatability."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from campaign import planted
from campaign.checks import CheckedHost
from campaign.planted import BUGS, with_bug
from campaign.planted.bug import Bug
from campaign.play import play
from campaign.scenario import HOME, RAGE_S, make
from campaign.shrink import shrink

from jupiter.model import events as ev
from jupiter.model import words
from jupiter.model.ids import NodeId

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "campaign" / "results.jsonl"
SEEDS = 20_000
SLICE = 250
ONCE_BAD = (26_722, 172_963)
"""Seeds beyond those that showed a bug: a batch that ended before an item in front of it, and the
rest that makes no batch before an item behind it."""


def found_by() -> dict[str, int]:
    """Return the seed that found each planted bug, from the newest recorded search."""
    entries = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    newest = [entry for entry in entries if entry["kind"] == "planted"][-1]
    return {name: each["seed"] for name, each in newest["bugs"].items()}


@pytest.mark.parametrize("first", range(0, SEEDS, SLICE))
def test_no_promise_is_broken_under_faults(first: int) -> None:
    bad = {}
    for seed in range(first, first + SLICE):
        played = play(make(seed))
        if not played.is_good:
            bad[seed] = played.why
    assert bad == {}


@pytest.mark.parametrize("seed", ONCE_BAD)
def test_seed_that_showed_a_bug_is_good(seed: int) -> None:
    assert play(make(seed)).why == ""


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_is_found_by_the_seed_that_found_it_before(name: str) -> None:
    seed = found_by()[name]
    assert seed is not None
    with with_bug(name):
        assert not play(make(seed)).is_good
    assert play(make(seed)).is_good


class Nervous(CheckedHost):
    """Home takes nodes for dead of which it has just heard."""

    def receive(self, sender: NodeId, number: int, word: words.Word, *rest: Any) -> None:
        super().receive(sender, number, word, *rest)
        draw, is_early = self.world.draw, self.world.now < RAGE_S
        assert draw is not None
        if self.name == HOME and isinstance(word, words.Beat) and is_early and draw.random() < 0.1:
            self.tell(ev.Gone(sender))


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_wrong_news_of_a_death_costs_work_and_no_result(first: int) -> None:
    played = [play(make(seed), host=Nervous) for seed in range(first, first + 50)]
    assert [each.why for each in played if not each.is_good] == []


def test_every_bug_of_the_rooms_is_in_the_list_once() -> None:
    rooms = [
        import_module(f"campaign.planted.{each.name}") for each in iter_modules(planted.__path__)
    ]
    bugs = [each for room in rooms for each in vars(room).values() if isinstance(each, Bug)]
    assert sorted(bug.name for bug in bugs) == sorted(BUGS)


def test_at_least_thirty_bugs_are_planted_and_half_of_them_are_found_within_100_seeds() -> None:
    seeds = sorted(found_by().values())
    assert len(seeds) >= 30
    assert seeds[len(seeds) // 2] < 100
    assert seeds[-1] < 10_000


def test_failing_scenario_shrinks_to_one_that_still_fails() -> None:
    with with_bug("never-resent"):
        scenario = make(found_by()["never-resent"])
        small = shrink(scenario, lambda one: not play(one).is_good)
        assert not play(small).is_good
    assert len(small.faults) <= len(scenario.faults)
    assert small.items <= scenario.items
    assert len(str(small)) < len(str(scenario))


def trace(python: str, seed: int, path: str, hash_seed: str) -> str:
    """Return every event of a seed, as another process saw them."""
    code = (
        "import sys\n"
        "from campaign.play import play\n"
        "from campaign.scenario import make\n"
        f"lines = []\nplayed = play(make({seed}), trace=lines.append)\n"
        "sys.stdout.write('\\n'.join([*lines, played.why, str(played.events)]))\n"
    )
    done = subprocess.run(
        [python, "-c", code],
        env={"PYTHONPATH": path, "PYTHONHASHSEED": hash_seed, "PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", [0, 7, 1234])
def test_seed_gives_the_same_trace_whatever_the_hash_seed(seed: int) -> None:
    path = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    first = trace(sys.executable, seed, path, "1")
    assert first == trace(sys.executable, seed, path, "2")
    assert len(first.splitlines()) > 50


def other_pythons() -> list[str]:
    """Return interpreters of other supported versions on this machine."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {}
    folders = [Path(each) for each in os.environ["PATH"].split(os.pathsep)]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    for minor in range(11, 20):
        for folder in folders:
            path = folder / f"python3.{minor}"
            if f"3.{minor}" != ours and path.exists() and "shims" not in path.parts:
                found[minor] = str(path)
    return list(found.values())


@pytest.mark.timeout(300)
def test_seed_gives_the_same_trace_on_another_version_of_python(tmp_path: Path) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("this machine has only one version of Python from 3.11 on")
    path = f"{ROOT}{os.pathsep}{ROOT / 'src'}{os.pathsep}{tmp_path}"
    for python in pythons[-1:]:
        install = [python, "-m", "pip", "install", "--quiet", "--target", str(tmp_path), "msgspec"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ours = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
        for seed in range(3):
            assert trace(sys.executable, seed, ours, "0") == trace(python, seed, path, "0")


@pytest.mark.timeout(900)
def test_simulated_streams_take_95_percent_of_the_branches_of_control(tmp_path: Path) -> None:
    data, report = tmp_path / "data", tmp_path / "report.json"
    path = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    environment = {**os.environ, "PYTHONPATH": path, "COVERAGE_FILE": str(data)}
    source = ROOT / "src" / "jupiter" / "control"
    script = ROOT / "tests" / "faults" / "streams.py"
    coverage = [sys.executable, "-m", "coverage"]
    # Those that found planted bugs go where few others go.
    seeds = [str(each) for each in sorted({*found_by().values(), *ONCE_BAD}) if each >= 1500]
    run = [*coverage, "run", "--branch", f"--source={source}", str(script), "1500", *seeds]
    done = subprocess.run(
        run, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    subprocess.run(
        [*coverage, "json", "-q", "-o", str(report)], env=environment, cwd=ROOT, check=True
    )
    totals = json.loads(report.read_text())["totals"]
    assert totals["covered_branches"] >= 0.95 * totals["num_branches"]
