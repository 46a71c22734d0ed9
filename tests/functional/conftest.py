"""Small applications and networks for runs with real processes and sockets."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

MakeApp = Callable[..., Path]


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """Return a function that writes an application folder from its toml and its scripts."""

    def make(toml: str, **scripts: str) -> Path:
        folder = tmp_path / "app"
        folder.mkdir(exist_ok=True)
        (folder / "app.toml").write_text(textwrap.dedent(toml))
        for name, code in scripts.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(code))
        return folder

    return make


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """Return a network of home and three equal nodes with short links."""
    path = tmp_path / "cluster.toml"
    path.write_text(
        textwrap.dedent(
            """
            name = "small"
            [defaults]
            latency = "1 ms"
            bandwidth = "1 Gbit/s"
            [[node]]
            name = "home"
            role = "home"
            [[node]]
            name = "n1"
            cores = 2
            [[node]]
            name = "n2"
            [[node]]
            name = "n3"
            speed = 0.5
            """
        )
    )
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Return a folder with 30 inputs of different content."""
    folder = tmp_path / "input"
    folder.mkdir()
    for k in range(30):
        (folder / f"in{k}.txt").write_text(f"{k}\n" * (k + 1))
    return folder


def our_processes(mark: str) -> list[psutil.Process]:
    """Return the agents and workers whose environment carries a mark; a worker's in its folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            is_ours = "jupiter.agent" in words or "worker_main.py" in words
            if is_ours and any(value.startswith(mark) for value in process.environ().values()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark all processes of a test; fail it where any is left at its end."""
    monkeypatch.setenv("JUPITER_TEST", str(tmp_path))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    yield str(tmp_path)
    left = our_processes(str(tmp_path))
    psutil.wait_procs(left, timeout=10)
    assert our_processes(str(tmp_path)) == []
    assert list(scratch.iterdir()) == [], "temporary folders are left"
