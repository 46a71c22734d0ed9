from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jupiter.errors import InputError
from jupiter.formats import communication, configuration, task_config
from jupiter.formats.application import load_application
from jupiter.formats.generated import Generated, files, generate
from jupiter.formats.task_config import TaskConfig
from jupiter.formats.text import Parsed
from jupiter.model.app import Application

SMALL = TaskConfig(total_num=12, comp_mu=0.02, comp_sigma=0.01)


@st.composite
def configs(draw: st.DrawFn) -> TaskConfig:
    low = draw(st.integers(1, 4))
    return TaskConfig(
        depth=draw(st.integers(1, 12)),
        width_min=low,
        width_max=low + draw(st.integers(0, 4)),
        total_num=draw(st.integers(1, 60)),
        ccr=draw(st.floats(0, 1000)),
        comp_mu=draw(st.floats(0, 10)),
        comp_sigma=draw(st.floats(0, 5)),
        link_comm_sigma=draw(st.floats(0, 1)),
        deg_mu=draw(st.floats(0, 50)),
        deg_sigma=draw(st.floats(0, 10)),
    )


def load(app: Generated) -> Parsed[Application]:
    return load_application({path: text.encode() for path, text in files(app).items()}, "", "made")


def level_of(app: Generated) -> dict[str, int]:
    return {task: level for level, tasks in enumerate(app.levels) for task in tasks}


@given(config=configs(), seed=st.integers(0, 2**40))
@settings(max_examples=150, deadline=None)
def test_levels_and_edges_keep_the_rules(config: TaskConfig, seed: int) -> None:
    app = generate(config, seed)
    first, *inner, last = map(len, app.levels)
    assert (first, last) == (1, 1)
    assert sum(inner) == config.total_num
    assert max(inner) <= config.width_max
    if config.depth * config.width_min <= config.total_num <= config.depth * config.width_max:
        assert len(inner) == config.depth
        assert min(inner) >= config.width_min
    else:
        assert all(width >= config.width_min for width in inner[:-1])

    levels = level_of(app)
    assert list(app.sizes) == [f"task{k}" for k in range(config.total_num + 2)]
    parents = Counter(child for children in app.sizes.values() for child in children)
    for task, children in app.sizes.items():
        assert all(1 <= levels[child] - levels[task] <= 2 for child in children)
        assert bool(children) == (levels[task] < len(app.levels) - 1)
        assert bool(parents[task]) == (levels[task] > 0)


@given(config=configs(), seed=st.integers(0, 2**40))
@settings(max_examples=100, deadline=None)
def test_amounts_stay_within_their_limits(config: TaskConfig, seed: int) -> None:
    app = generate(config, seed)
    mean = config.comp_mu * config.ccr
    most_s = max(0.01, config.comp_mu + 10 * config.comp_sigma)
    most_kb = max(0.01, mean + 10 * mean * config.link_comm_sigma)
    assert all(0.01 <= each <= most_s + 0.001 for each in app.seconds.values())
    sizes = [size for children in app.sizes.values() for size in children.values()]
    assert all(0.01 <= size <= most_kb + 0.01 for size in sizes)
    assert app.edges == len(sizes)
    assert app.total_bytes % 1024 == 0


@given(config=configs(), seed=st.integers(0, 2**40), seed_quirks=st.booleans())
@settings(max_examples=80, deadline=None)
def test_folder_loads_without_a_word_and_is_what_was_drawn(
    config: TaskConfig, seed: int, seed_quirks: bool
) -> None:
    try:
        app = generate(config, seed, seed_quirks=seed_quirks)
    except InputError as error:
        assert seed_quirks
        assert "would not end" in str(error)
        assume(False)
    found, notes = load(app).value, load(app).notes
    assert notes == ()
    assert {task.name: task.children for task in found.tasks} == {
        name: tuple(children) for name, children in app.sizes.items()
    }
    assert {task.route for task in found.tasks} == {"scatter"}
    assert found.graph.entries == ("task0",)
    assert found.sinks == (app.levels[-1][0],)
    assert found.sample_input == ("sample_input/1botnet.ipsum",)
    written = files(app)
    sizes = communication.parse(written["scripts/communication.txt"]).value
    assert sizes == app.sizes
    assert [list(each) for each in sizes.values()] == [list(each) for each in app.sizes.values()]


def test_same_seed_gives_the_same_and_another_another() -> None:
    assert files(generate(SMALL, 5)) == files(generate(SMALL, 5))
    shapes = {files(generate(SMALL, seed))["configuration.txt"] for seed in range(20)}
    assert len(shapes) > 15


def test_written_settings_give_the_same_application_again() -> None:
    app = generate(replace(SMALL, comp_sigma=1e-05), 5)
    text = files(app)["task_config.yml"]
    assert text.startswith("# jupiter generate app FOLDER --config task_config.yml --seed 5\n")
    again = task_config.parse(text)
    assert again.notes == ()
    assert generate(again.value, 5) == app


def test_other_amounts_leave_the_graph_and_another_ratio_leaves_the_times() -> None:
    one = generate(SMALL, 1)
    slow = generate(replace(SMALL, comp_mu=3.0), 1)
    large = generate(replace(SMALL, ccr=100.0), 1)
    assert slow.levels == large.levels == one.levels
    edges = [[list(children) for children in app.sizes.values()] for app in (one, slow, large)]
    assert edges[0] == edges[1] == edges[2]
    assert slow.seconds != one.seconds == large.seconds
    assert large.total_bytes > one.total_bytes


def test_degrees_times_and_sizes_follow_their_means() -> None:
    config = TaskConfig(depth=100, width_min=8, width_max=12, total_num=1000, deg_mu=8.0)
    app = generate(config, 7)
    # A degree of 8 is 3 or 4 edges down and as many up, some of them the same.
    assert 5.5 < app.edges / len(app.sizes) < 8
    assert app.total_s / len(app.sizes) == pytest.approx(2.0, rel=0.03)
    assert app.total_bytes / 1024 / app.edges == pytest.approx(40.5, rel=0.03)


def test_default_is_the_seeds_small_application() -> None:
    app = generate(TaskConfig(), 0)
    assert len(app.sizes) == 7
    assert not app.has_depth


def test_quirks_ignore_widths_and_round_times() -> None:
    config = TaskConfig(depth=5, width_min=1, width_max=9, total_num=18)
    app = generate(config, 3, seed_quirks=True)
    widths = [len(level) for level in app.levels[1:-1]]
    assert len(widths) == 5
    assert all(2 <= width <= 4 for width in widths)
    assert all(round(each, 1) == each for each in app.seconds.values())
    with pytest.raises(InputError, match="would not end"):
        generate(replace(config, total_num=21), 3, seed_quirks=True)
    assert sum(map(len, generate(replace(config, total_num=21), 3).levels)) == 23


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"total_num": 0}, "total_num is out of range"),
        ({"total_num": 9_999}, "expected 1 to 9998"),
        ({"width_min": 5}, "width_min is larger than width_max"),
        ({"deg_mu": float("nan")}, "deg_mu is out of range"),
        ({"ccr": float("inf")}, "ccr is out of range"),
        ({"comp_sigma": -1.0}, "comp_sigma is out of range"),
        ({"comp_mu": 1e6}, "the seconds of a task may become too large"),
        ({"ccr": 1e9}, "the KB of an edge may become too large"),
        ({"ccr": 1e308, "comp_mu": 1e308}, "the KB of an edge may become too large"),
        ({"total_num": 9_998, "width_max": 50, "deg_mu": 100.0}, "too many edges"),
        ({"total_num": 4_000, "width_min": 2_000, "width_max": 2_000}, "too many children"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        generate(replace(TaskConfig(), **changes), 0)  # type: ignore[arg-type]


RUN_ALL = """
import importlib, os, sys
sys.path.insert(0, sys.argv[1])
names = {name: [] for name in sys.argv[3:]}
first = next(iter(names))
names[first] = ["7in.txt"]
for name in names:
    files = sorted(names[name])
    files = files[0] if len(files) == 1 else files
    for path in importlib.import_module(name).task(files, sys.argv[2], sys.argv[2]):
        child = path.rpartition("_")[2]
        if child in names:
            names[child].append(os.path.basename(path))
"""


def write(app: Generated, folder: Path) -> None:
    for path, text in files(app).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def run_all(app: Generated, folder: Path, out: Path) -> dict[str, bytes]:
    """Run all tasks with nothing but the standard library; return what they wrote."""
    write(app, folder)
    out.mkdir()
    words = [str(folder / "scripts"), str(out), *app.sizes]
    subprocess.run([sys.executable, "-I", "-c", RUN_ALL, *words], check=True, timeout=60)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_scripts_write_a_file_of_the_right_size_for_each_child(tmp_path: Path) -> None:
    app = generate(SMALL, 2)
    done = run_all(app, tmp_path / "app", tmp_path / "one")
    (last,) = app.levels[-1]
    result = done.pop(f"7in_{last}_home")
    assert len(result) % 1024 == 0
    assert 1 <= len(result) // 1024 <= 20
    expected = {
        f"7in_{task}_{child}": 1024 * math.ceil(size)
        for task, children in app.sizes.items()
        for child, size in children.items()
    }
    assert {name: len(content) for name, content in done.items()} == expected
    assert len(set(done.values())) == len(done)
    assert sum(expected.values()) == app.total_bytes


def test_scripts_write_the_same_every_time(tmp_path: Path) -> None:
    app = generate(SMALL, 2)
    assert run_all(app, tmp_path / "app", tmp_path / "one") == run_all(
        app, tmp_path / "app", tmp_path / "two"
    )


def test_scripts_compute_for_their_seconds_and_run_alone(tmp_path: Path) -> None:
    app = generate(replace(SMALL, comp_mu=0.3, comp_sigma=0.0), 2)
    write(app, tmp_path / "app")
    code = (
        "import sys, time, os; sys.path.insert(0, sys.argv[1]); import task3\n"
        "start = time.process_time(); paths = task3.main(); used = time.process_time() - start\n"
        "assert 0.3 <= used < 0.4, used\n"
        "assert all(map(os.path.getsize, paths))\n"
        "assert [path.rpartition('_')[2] for path in paths] == sys.argv[2:]\n"
    )
    words = [str(tmp_path / "app" / "scripts"), *app.sizes["task3"]]
    environment = {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code, *words], check=True, env=environment, timeout=60)


def test_numbers_of_inputs_are_right() -> None:
    app = generate(SMALL, 9)
    lines = configuration.parse(files(app)["configuration.txt"]).value.tasks
    parents = Counter(child for line in lines for child in line.others)
    assert [line.inputs for line in lines] == [max(1, parents[line.name]) for line in lines]
