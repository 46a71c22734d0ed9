"""The 14 tasks of DNAD against recorded results, and against traffic with known anomalies."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DNAD = ROOT / "examples" / "dnad"
SHARED = ROOT.parent / "shared" / "data" / "ipsum"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the recorded captures are not here ({SHARED})"
)


@pytest.fixture(scope="module")
def steps() -> Iterator[ModuleType]:
    folder = str(DNAD / "scripts")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("dnad.steps")
    finally:
        sys.path.remove(folder)
        for name in [name for name in sys.modules if name.split(".")[0] == "dnad"]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def traffic() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dnad_traffic", DNAD / "traffic.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["dnad_traffic"] = module
    spec.loader.exec_module(module)
    return module


def run(steps: ModuleType, source: Path, work: Path) -> dict[str, Counter[str]]:
    """Return the lines of every file that the tasks wrote, counted."""
    done: dict[str, list[Path]] = steps.run_serial(source, work)
    return {
        path.name: Counter(path.read_text().splitlines())
        for paths in done.values()
        for path in paths
    }


@needs_shared
@pytest.mark.parametrize("number", [1, 2])
def test_recorded_outputs_come_out_again(steps: ModuleType, tmp_path: Path, number: int) -> None:
    found = run(steps, SHARED / f"{number}botnet.ipsum", tmp_path)
    compared = 0
    for path in sorted((SHARED / "expected").glob(f"{number}*")):
        if "astute" not in path.name:
            assert found[path.name] == Counter(path.read_text().splitlines()), path.name
            compared += 1
    assert compared == 10


@needs_shared
@pytest.mark.parametrize("number", [1, 2])
def test_astute_outputs_agree_up_to_flows_of_equal_change(
    steps: ModuleType, tmp_path: Path, number: int
) -> None:
    """The recorded program chose by hash order among flows that changed by the same volume."""
    found = run(steps, SHARED / f"{number}botnet.ipsum", tmp_path)
    for k in range(3):
        name = f"{number}anomalies_astute{k}.log"
        expected = Counter((SHARED / "expected" / name).read_text().splitlines())
        ours, theirs = found[name] - expected, expected - found[name]
        changes = [
            Counter(
                change_of(tmp_path / f"{number}merged_file{k}.ipsum", line)
                for line in lines.elements()
            )
            for lines in (ours, theirs)
        ]
        assert changes[0] == changes[1]


def change_of(merged: Path, line: str) -> tuple[str, int, int]:
    """Return the window of a line, and how packets and bytes of its flow changed in it."""
    flow, start, end = line.split(";")
    width = float(end) - float(start)
    change = [0, 0]
    for packet in merged.read_text().splitlines():
        fields = packet.split()
        if flow == f"{fields[1]}:{fields[2]} {fields[3]}:{fields[4]}":
            # The window of a line is the bin before the packet that closed it.
            age = (float(fields[0]) - float(start)) / width
            sign = 1 if 0 < age <= 1 else -1 if -1 < age <= 0 else 0
            change[0] += sign
            change[1] += sign * int(fields[5])
    return f"{start};{end}", change[0], change[1]


@needs_shared
def test_every_astute_window_of_the_recording_is_found(steps: ModuleType, tmp_path: Path) -> None:
    found = run(steps, SHARED / "1botnet.ipsum", tmp_path)
    counts = [sum(found[f"1anomalies_astute{k}.log"].values()) for k in range(3)]
    assert counts == [9, 7, 9]


@pytest.mark.parametrize(
    ("address", "share"),
    [
        ("147.32.84.165", 0),
        ("147.32.80.9", 1),
        ("195.88.191.59", 2),
        ("174.133.57.141", 0),
        ("94.63.150.20", 0),
    ],
)
def test_addresses_go_to_the_published_shares(steps: ModuleType, address: str, share: int) -> None:
    assert steps.bucket(address) == share


def test_malformed_packet_is_named_with_file_and_line(steps: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "5botnet.ipsum").write_text("!comment\n1.0 a b\n")
    with pytest.raises(ValueError, match=r"5botnet\.ipsum:2: no packet: '1\.0 a b'"):
        steps.split("5botnet.ipsum", str(tmp_path), str(tmp_path))


def test_quiet_capture_gives_an_empty_result(steps: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "item007botnet.ipsum").write_text("1.5 10.0.0.1 1 10.0.0.2 2 40 T A\n")
    done = steps.run_serial(tmp_path / "item007botnet.ipsum", tmp_path)
    (result,) = done["global_fusion"]
    assert result.name == "item007global_anomalies.log"
    assert result.read_text() == ""


@pytest.mark.parametrize("task", ["local_pro", "astute_detector1", "global_fusion"])
def test_main_runs_a_task_on_the_shipped_sample(task: str) -> None:
    code = f"import {task}; print(*{task}.main(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DNAD / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert paths
    assert all(path.is_file() for path in paths)


def test_same_seed_gives_the_same_bytes(traffic: ModuleType) -> None:
    one, two = traffic.generate(3, 4, 200), traffic.generate(3, 4, 200)
    assert one == two
    assert one != traffic.generate(4, 4, 200)
    assert [text.count("\n") for text in one.items] == [202] * 4


def test_most_hidden_anomalies_are_found_and_quiet_traffic_gives_few(
    steps: ModuleType, traffic: ModuleType, tmp_path: Path
) -> None:
    def results(share: float) -> tuple[int, int, int]:
        made = traffic.generate(5, 40, 1000, share)
        hits = lines = 0
        for k, text in enumerate(made.items):
            work = tmp_path / f"{share}-{k}"
            work.mkdir()
            source = work / f"{k}botnet.ipsum"
            source.write_text(text)
            (result,) = steps.run_serial(source, work)["global_fusion"]
            found = result.read_text()
            lines += found.count("\n")
            hits += sum(a.host in found for a in made.anomalies if a.item == k)
        return hits, len(made.anomalies), lines

    hits, hidden, _ = results(0.5)
    assert hidden >= 10
    assert hits >= 0.8 * hidden
    assert results(0.0)[2] <= 0.5 * 40


def test_traffic_command_writes_items_and_truth(tmp_path: Path) -> None:
    script = str(DNAD / "traffic.py")
    subprocess.run(
        [sys.executable, script, "--items", "3", "--packets", "50", "--out", str(tmp_path)],
        check=True,
        capture_output=True,
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["1botnet.ipsum", "2botnet.ipsum", "3botnet.ipsum", "ground_truth.json"]
    assert isinstance(json.loads((tmp_path / "ground_truth.json").read_text()), list)


def test_bad_argument_of_the_traffic_command_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DNAD / "traffic.py"), "--items", "0", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "0 is not between 1 and 1,000,000" in done.stderr
    assert "Traceback" not in done.stderr
