"""What a run leaves in its output folder while it is under way."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupiter.agent.identity import Home
from jupiter.errors import InputError
from jupiter.model.ids import NodeId
from jupiter.model.schedule import Schedule
from jupiter.orchestrator.state import State, StateFolder


def state(**changes: object) -> State:
    values: dict[str, object] = {
        "token": "00",
        "run": "1-heft",
        "engine": "local",
        "app": "/app",
        "bundle": "b",
        "cluster": "/c",
        "settings": "{}",
        "inputs": tuple([(f"/in/{k}",) for k in range(1000)]),
        "results": "/r",
        "schedule": Schedule("heft", ()),
        "prediction": None,
    }
    return State(**{**values, **changes})  # type: ignore[arg-type]


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert not StateFolder(tmp_path).exists
    folder.save(state())
    assert folder.exists
    assert folder.load() == state()
    assert (tmp_path / ".jupiter").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".jupiter" / "session.json").stat().st_mode & 0o077 == 0


def test_new_run_begins_without_the_facts_of_another(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.save(state())
    log = folder.log()
    log.finish()
    log.close()
    folder.save(state(run="2-heft"))
    log = folder.log()
    assert log.is_empty
    log.close()


def test_folder_of_no_run_and_damaged_state_are_told(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with pytest.raises(InputError, match="there is no run to go on with"):
        folder.load()
    folder.save(state())
    path = tmp_path / ".jupiter" / "session.json"
    data = path.read_bytes()
    for damaged in (b"", data[:-1], data.replace(b'"run"', b'"ran"'), b"[]"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="the state of the run cannot be read"):
            folder.load()


def test_run_that_has_not_ended_is_not_written_over(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.refuse_if_busy(overwrite=False)
    folder.save(state())
    with pytest.raises(InputError, match="holds a run that has not ended") as caught:
        folder.refuse_if_busy(overwrite=False)
    assert "it was interrupted" in str(caught.value)
    assert f"jupiter resume {tmp_path}" in str(caught.value)
    folder.refuse_if_busy(overwrite=True)
    assert not folder.path.exists()


def test_agents_at_work_are_found_and_asked_to_end(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.save(state())
    node = folder.nodes / "n1"
    Home(folder.nodes / "n0").close()  # nobody works there
    (folder.nodes / "n1.log").write_text("")
    script = (
        "import sys; from pathlib import Path; from jupiter.agent.identity import Home\n"
        f"home = Home(Path({str(node)!r})); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert folder.at_work() == {"n1": other.pid}
        with pytest.raises(InputError, match="agents of n1 are at work"):
            folder.refuse_if_busy(overwrite=True)
        assert folder.exists
        assert folder.stop_agents() == (NodeId("n1"),)
        other.wait()
    assert other.returncode == -signal.SIGTERM
    assert folder.at_work() == {}
    assert node.is_dir()
    folder.remove()
    folder.remove()
    assert not folder.exists
