"""Inputs on their way to the ingress."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from jupiter.agent import inlet as inlet_module
from jupiter.agent.inlet import AHEAD_MAX, Inlet
from jupiter.agent.spool import Spool
from jupiter.errors import TransferError
from jupiter.model import events as ev
from jupiter.model.ids import INGRESS, item_id
from jupiter.model.items import PartRef

from .conftest import turns


class Mouth:
    """An inlet, and an ingress that takes nothing by itself."""

    def __init__(self, root: Path, *, is_copied: bool = True, count: int = 0) -> None:
        self.events: list[ev.Event] = []
        self.broken: list[str] = []
        self.spool = Spool(root)
        self.inlet = Inlet(
            self.spool,
            is_copied=is_copied,
            count=count,
            tell=self.events.append,
            on_broken=self.broken.append,
        )

    @property
    def offered(self) -> list[ev.Offered]:
        return [each for each in self.events if isinstance(each, ev.Offered)]

    def paths(self, seq: int) -> list[str]:
        """Return where the files of an accepted input are."""
        parts = self.offered[seq].parts
        refs = [PartRef(item_id(seq), INGRESS, each) for each in parts]
        return self.spool.paths_of(refs) or []

    async def accept_all(self, count: int) -> None:
        for seq in range(count):
            await turns(lambda seq=seq: len(self.offered) > seq)  # type: ignore[misc]
            self.inlet.accepted(seq)
            self.inlet.feed()


@pytest.fixture
def inputs(tmp_path: Path) -> Callable[..., list[tuple[str]]]:
    def make(count: int, size: int = 5) -> list[tuple[str]]:
        (tmp_path / "inputs").mkdir(exist_ok=True)
        paths = [tmp_path / "inputs" / f"in{k}" for k in range(count)]
        for k, path in enumerate(paths):
            path.write_bytes(b"%05d" % k * (size // 5))
        return [(str(path),) for path in paths]

    return make


@pytest.mark.parametrize("size", [5, inlet_module.SMALL_BYTES + 5])
async def test_copies_do_not_depend_on_the_users_files(
    tmp_path: Path, inputs: Callable[..., list[tuple[str]]], size: int
) -> None:
    mouth = Mouth(tmp_path / "spool")
    mouth.inlet.offer(0, given := inputs(3, size))
    await mouth.accept_all(3)
    bodies = [Path(path).read_bytes() for (path,) in given]
    for (path,) in given:
        Path(path).write_bytes(b"changed")
    assert [Path(mouth.paths(seq)[0]).read_bytes() for seq in range(3)] == bodies
    digests = [each.parts[0].digest for each in mouth.offered]
    assert digests == [sha256(body).hexdigest() for body in bodies]
    mouth.spool.drop_outputs(INGRESS, item_id(0))
    assert Path(given[0][0]).exists()
    mouth.inlet.stop()


async def test_files_that_are_not_copied_are_read_where_they_are(
    tmp_path: Path, inputs: Callable[..., list[tuple[str]]]
) -> None:
    mouth = Mouth(tmp_path / "spool", is_copied=False)
    mouth.inlet.offer(0, given := inputs(2))
    await mouth.accept_all(2)
    assert [tuple(mouth.paths(seq)) for seq in range(2)] == given
    mouth.spool.drop_outputs(INGRESS, item_id(0))
    assert Path(given[0][0]).exists()


async def test_few_are_ready_ahead_and_all_come_in_order(
    tmp_path: Path, inputs: Callable[..., list[tuple[str]]]
) -> None:
    mouth = Mouth(tmp_path / "spool")
    mouth.inlet.offer(0, inputs(AHEAD_MAX * 3))
    assert len(mouth.offered) == AHEAD_MAX
    assert len(list((tmp_path / "spool" / "given").iterdir())) == AHEAD_MAX
    mouth.inlet.close()
    assert ev.InputClosed() not in mouth.events
    await mouth.accept_all(AHEAD_MAX * 3)
    assert [each.name for each in mouth.offered] == [f"in{k}" for k in range(AHEAD_MAX * 3)]
    assert mouth.events[-1] == ev.InputClosed()
    assert mouth.events.count(ev.InputClosed()) == 1
    mouth.inlet.feed()
    mouth.inlet.close()
    assert mouth.events.count(ev.InputClosed()) == 1
    assert mouth.inlet.waiting == 0


async def test_large_and_small_inputs_keep_their_order(
    tmp_path: Path, inputs: Callable[..., list[tuple[str]]]
) -> None:
    given = inputs(6)
    for path in (given[1][0], given[2][0], given[5][0]):
        Path(path).write_bytes(os.urandom(inlet_module.SMALL_BYTES * 2))
    mouth = Mouth(tmp_path / "spool")
    mouth.inlet.offer(0, given)
    mouth.inlet.close()
    await turns(lambda: len(mouth.events) == 7)
    assert [each.name for each in mouth.offered] == [f"in{k}" for k in range(6)]
    await mouth.accept_all(6)
    for seq, (path,) in enumerate(given):
        assert Path(mouth.paths(seq)[0]).read_bytes() == Path(path).read_bytes()


async def test_inputs_that_are_offered_again_are_taken_once(
    tmp_path: Path, inputs: Callable[..., list[tuple[str]]]
) -> None:
    given = inputs(8)
    mouth = Mouth(tmp_path / "spool", count=2)  # accepted before a restart
    mouth.inlet.offer(0, given[:4])
    mouth.inlet.offer(2, given[2:6])
    mouth.inlet.offer(0, given[:1])
    assert mouth.inlet.count == 6
    with pytest.raises(TransferError, match="inputs 6 to 6 were never offered"):
        mouth.inlet.offer(7, given[7:])
    mouth.inlet.offer(6, given[6:])
    assert [each.name for each in mouth.offered] == [f"in{k}" for k in range(2, 8)]


async def test_input_that_cannot_be_read_is_told(
    tmp_path: Path, inputs: Callable[..., list[tuple[str]]]
) -> None:
    given = inputs(3)
    Path(given[1][0]).unlink()
    mouth = Mouth(tmp_path / "spool")
    mouth.inlet.offer(0, given)
    assert [each.name for each in mouth.offered] == ["in0"]
    assert mouth.broken == [f"input {given[1][0]} cannot be read: No such file or directory"]
    folder = tmp_path / "folder"
    folder.mkdir()
    other = Mouth(tmp_path / "spool2")
    other.inlet.offer(0, [(str(folder),)])
    assert "cannot be read: Is a directory" in other.broken[0]


@pytest.mark.parametrize("size", [1000, inlet_module.SMALL_BYTES + 1000])
async def test_full_disk_is_waited_for(
    small_disk: Path, inputs: Callable[..., list[tuple[str]]], size: int
) -> None:
    if size > 64 << 10:
        filler, count = None, 2  # one of them alone is too large
    else:
        filler, count = small_disk / "filler", 12
        filler.write_bytes(b"f" * 45_000)
    mouth = Mouth(small_disk / "spool")
    calls: list[float] = []
    failed = mouth.inlet._failed
    mouth.inlet._failed = lambda *args: (calls.append(0), failed(*args))[1]  # type: ignore[method-assign, func-returns-value]
    mouth.inlet.offer(0, given := inputs(count, size))
    await turns(lambda: len(calls) > 3)
    first = len(mouth.offered)
    assert first < count
    if filler is not None:
        filler.unlink()
    else:
        os.system(f"mount -o remount,size=2m {small_disk}")  # noqa: S605
    await mouth.accept_all(count)
    assert not mouth.broken
    for seq, (path,) in enumerate(given):
        assert Path(mouth.paths(seq)[0]).read_bytes() == Path(path).read_bytes()


async def test_one_try_at_a_time_is_made_on_a_full_disk(
    small_disk: Path, inputs: Callable[..., list[tuple[str]]]
) -> None:
    """However often it is asked to go on meanwhile."""
    (small_disk / "filler").write_bytes(b"f" * 64 * 1024)
    mouth = Mouth.__new__(Mouth)
    os.truncate(small_disk / "filler", 48 * 1024)
    mouth.__init__(small_disk / "spool")  # type: ignore[misc]
    os.truncate(small_disk / "filler", 60 * 1024)
    tries = 0
    prepare = mouth.inlet._prepare

    def count(paths: tuple[str, ...]) -> object:
        nonlocal tries
        tries += 1
        return prepare(paths)

    mouth.inlet._prepare = count  # type: ignore[assignment]
    mouth.inlet.offer(0, inputs(3, 30_000))
    for _ in range(100):
        mouth.inlet.feed()
    loop = asyncio.get_running_loop()
    waiting = [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
    assert len(waiting) <= 1
    mouth.inlet.stop()


async def test_million_names_are_small(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"1")
    mouth = Mouth(tmp_path / "spool")
    for first in range(0, 1_000_000, 1000):
        mouth.inlet.offer(first, [(str(path),)] * 1000)
    assert mouth.inlet.waiting == 1_000_000
    assert len(mouth.offered) == AHEAD_MAX
    held = sum(len(each) + 41 for each in mouth.inlet._backlog)
    assert held < 150e6
