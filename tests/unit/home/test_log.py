"""The log of facts: cut anywhere it is read up to there, and goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jupiter.home.log import FactLog, read_facts
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId


def facts(number: int) -> msg.Facts:
    return msg.Facts("r", (), (), (msg.Noted("n" * number),), 1, number)


def numbers(path: Path) -> list[int]:
    return [each.number for _, each in read_facts(path)]


def test_what_is_added_is_read(tmp_path: Path) -> None:
    log = FactLog(tmp_path / "log")
    assert log.is_empty
    for k in range(1, 6):
        log.add(NodeId(f"n{k}"), facts(k))
    assert list(log.read()) == [(NodeId(f"n{k}"), facts(k)) for k in range(1, 6)]
    assert not log.is_finished
    log.finish()
    log.close()
    again = FactLog(tmp_path / "log")
    assert again.is_finished
    assert not again.is_empty
    assert [each.number for _, each in again.read()] == [1, 2, 3, 4, 5]
    again.close()


def test_log_that_is_cut_anywhere_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = FactLog(path)
    ends = [0]
    for k in range(1, 5):
        log.add(NodeId("n"), facts(k))
        ends.append(path.stat().st_size)
    log.finish()
    log.close()
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        whole = sum(1 for end in ends[1:] if end <= cut)
        assert numbers(path) == list(range(1, whole + 1))
        log = FactLog(path)
        assert log.is_finished == (cut == len(data))
        assert log.is_empty == (whole == 0)
        log.add(NodeId("n"), facts(9))
        log.close()
        after = [9] if cut < len(data) else []  # nothing follows the end
        assert numbers(path) == [*range(1, whole + 1), *after]


def test_half_of_an_entry_never_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full, what comes after can still be read."""
    path = tmp_path / "log"
    log = FactLog(path)
    log.add(NodeId("n"), facts(1))
    size = path.stat().st_size
    write, room = os.write, 7

    def some(fd: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(fd, data[: min(room, 5)])
        room -= written
        return written

    monkeypatch.setattr(os, "write", some)
    with pytest.raises(OSError, match="No space"):
        log.add(NodeId("n"), facts(2))
    assert path.stat().st_size == size
    room = 10_000
    log.add(NodeId("n"), facts(2))
    log.finish()
    assert numbers(path) == [1, 2]
    assert log.is_finished
    log.close()
