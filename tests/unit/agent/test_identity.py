"""Who an agent is, from one process to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupiter.agent import identity as identity_module
from jupiter.agent.identity import Home, is_locked, read_identity, write_safely
from jupiter.errors import AgentError


def test_folder_is_held_by_one_process_and_says_which(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from jupiter.agent.identity import Home\n"
        f"home = Home(Path({str(tmp_path)!r})); print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert is_locked(tmp_path)
        with pytest.raises(AgentError, match=rf"works in {tmp_path}, process {other.pid}; give"):
            Home(tmp_path)
        other.kill()
    assert not is_locked(tmp_path)
    home = Home(tmp_path)  # the lock of a dead process holds nobody up
    assert home.identity.pid == os.getpid()
    assert home.identity.life == 2
    home.close()
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "none")


def test_incarnation_stays_until_it_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Home(tmp_path)
    number = first.identity.incarnation
    assert (first.is_known, first.is_new_boot) == (False, False)
    first.close()
    second = Home(tmp_path)
    assert second.identity.incarnation == number
    assert (second.is_known, second.is_new_boot) == (True, False)
    second.renew()
    assert second.identity.incarnation != number
    second.close()
    monkeypatch.setattr(identity_module, "clock_id", lambda: "after a power cut")
    third = Home(tmp_path)
    assert third.is_new_boot
    assert third.identity.incarnation == second.identity.incarnation
    assert third.identity.life == 3
    third.close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"incarnation": "x"}'])
def test_identity_that_cannot_be_read_is_another(tmp_path: Path, text: str) -> None:
    Home(tmp_path).close()
    (tmp_path / "agent.json").write_text(text)
    assert read_identity(tmp_path) is None
    home = Home(tmp_path)
    assert not home.is_known
    assert read_identity(tmp_path) == home.identity
    home.close()


def test_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    path = tmp_path / "file"
    write_safely(path, b"old")
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    write_safely(path, b"new" * 100)
    assert path.read_bytes() == b"new" * 100

    def fails(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(OSError, match="No space"):
        write_safely(path, b"newer")
    assert path.read_bytes() == b"new" * 100
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
