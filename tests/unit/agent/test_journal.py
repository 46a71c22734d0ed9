"""What a journal said is kept is found again, whatever happens to the disk and the process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jupiter.agent import journal as journal_module
from jupiter.agent.journal import Entry, Journal, _payload
from jupiter.kit import entries
from jupiter.model import records as rec
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.view import Numbers

from .conftest import Books, Disk, number_of, started, turns

Open = Callable[..., Books]


def numbers_in(path: Path) -> list[int]:
    """Return what a process that starts now would find; the file is not touched."""
    found = []
    for payload in entries.scan(path.read_bytes()).payloads:
        found.append(number_of(journal_module._read(payload).record))
    return found


async def test_appended_and_synced_records_are_found_in_order(open_books: Open) -> None:
    books = open_books()
    for k in range(20):
        assert books.append(k)
    books.sync(20)
    await books.are_kept(20)
    for k in range(21, 30):
        assert books.append(k)
    books.journal.close()
    assert numbers_in(books.path) == list(range(30))
    again = open_books()
    assert again.found == list(range(30))
    assert again.append(30)
    again.journal.close()
    assert open_books().found == list(range(31))


async def test_synced_records_are_told_in_order_and_share_syncs(open_books: Open) -> None:
    books = open_books()
    for k in range(200):
        books.sync(k)
    await books.are_kept(199)
    assert books.kept == list(range(200))
    assert books.journal.syncs < 20
    assert numbers_in(books.path) == list(range(200))


async def test_any_prefix_of_the_file_gives_a_prefix_of_the_records(
    open_books: Open, tmp_path: Path
) -> None:
    books = open_books()
    for k in range(12):
        books.append(k)
    books.journal.close()
    data = books.path.read_bytes()
    for cut in range(len(data) + 1):
        path = tmp_path / "cut" / "journal"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data[:cut])
        first = open_books(path)
        assert first.found == list(range(len(first.found)))
        assert first.journal.gaps == []
        assert first.journal.tail_bytes == cut - first.journal.size_bytes
        assert first.append(99)
        first.journal.close()
        second = open_books(path)
        assert second.found == [*first.found, 99]
        assert second.journal.tail_bytes == 0
        second.journal.close()


async def test_damage_in_the_middle_is_told(open_books: Open) -> None:
    books = open_books()
    for k in range(10):
        books.append(k)
    books.journal.close()
    data = bytearray(books.path.read_bytes())
    data[len(data) // 2] ^= 1
    books.path.write_bytes(data)
    again = open_books()
    assert len(again.found) == 9
    assert len(again.journal.gaps) == 1


async def test_nothing_is_told_as_kept_before_its_sync(
    open_books: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x")
    may_sync = threading.Event()
    steps: list[str] = []

    def fdatasync(fd: int) -> None:
        assert may_sync.wait(30)
        steps.append("journal")

    def fsync(fd: int) -> None:
        steps.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)

    books = open_books()
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    monkeypatch.setattr(os, "fsync", fsync)
    books.sync(1, files=[str(body)], folders=[str(tmp_path)])
    await turns(lambda: numbers_in(books.path) == [1])  # written, and the kernel has it
    books.sync(2)
    books.append(3)
    for _ in range(50):
        await asyncio.sleep(0)
    assert books.kept == []
    assert steps == ["body", tmp_path.name]
    may_sync.set()
    await books.are_kept(1, 2)
    assert steps == ["body", tmp_path.name, "journal", "journal"]
    assert books.kept == [1, 2]
    assert not books.broken


async def test_files_that_are_gone_need_no_sync(open_books: Open, tmp_path: Path) -> None:
    books = open_books()
    told: list[str] = []
    books.journal.sync_files(
        [str(tmp_path / "gone")], [str(tmp_path / "none")], lambda: told.append("")
    )
    await turns(lambda: bool(told))
    assert not books.broken


@pytest.mark.parametrize("room", [0, 1, 25, 60, 200])
async def test_full_disk_is_waited_for(open_books: Open, disk: Disk, room: int) -> None:
    books = open_books()
    assert books.append(0)
    disk.room = room
    directly = [k for k in range(1, 40) if books.append(k)]
    for k in range(40, 60):
        books.sync(k)
    await turns(lambda: disk.refused > 10 and books.journal.is_full)
    waiting = sorted(set(range(1, 60)) - set(directly))
    assert books.kept == []
    assert numbers_in(books.path) == [0, *directly]  # no half of an entry is left
    disk.room = 1 << 60
    await books.are_kept(*waiting)
    assert not books.journal.is_full
    assert sorted(books.kept) == waiting
    assert sorted(numbers_in(books.path)) == list(range(60))
    assert not books.broken


async def test_room_that_comes_bit_by_bit_is_used(open_books: Open, disk: Disk) -> None:
    books = open_books()
    disk.room = 0
    for k in range(30):
        books.append(k)
    for k in range(30, 60):
        books.sync(k)
    while len(books.kept) < 60:
        disk.room += 50  # less than an entry
        refused = disk.refused
        await turns(lambda refused=refused: disk.refused > refused or len(books.kept) == 60)  # type: ignore[misc]
    assert sorted(numbers_in(books.path)) == list(range(60))
    assert sorted(books.kept) == list(range(60))


async def test_real_disk_that_is_full(open_books: Open, small_disk: Path) -> None:
    filler = small_disk / "filler"
    books = open_books(small_disk / "journal")
    filler.write_bytes(b"f" * 40_000)
    direct = [k for k in range(2000) if books.append(k)]
    for k in range(2000, 2100):
        books.sync(k)
    await turns(lambda: books.journal.is_full)
    assert 0 < len(direct) < 2000
    filler.unlink()
    waiting = [k for k in range(2100) if k not in set(direct)]
    while len(books.kept) < 200:
        await asyncio.sleep(0.001)
    # The journal itself has filled the disk by now, or all is written.
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    await books.are_kept(*waiting)
    assert sorted(numbers_in(books.path)) == list(range(2100))
    assert not books.broken


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
async def test_sync_that_fails_is_the_end(
    open_books: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    body = tmp_path / "body"
    body.write_bytes(b"x")
    books = open_books()
    books.sync(0)
    await books.are_kept(0)
    monkeypatch.setattr(os, call, fails)
    for k in range(1, 5):
        books.sync(k, files=[str(body)])
    await turns(lambda: bool(books.broken))
    monkeypatch.undo()
    books.sync(5)  # nothing that the kernel may have lost is ever told to be safe
    books.journal.compact()
    await asyncio.sleep(0.05)
    assert books.kept == [0]
    assert len(books.broken) == 1
    assert "cannot be written: [Errno 5]" in books.broken[0]


async def test_write_that_fails_otherwise_is_told(
    open_books: Open, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int, data: bytes) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    books = open_books()
    disk.room = 0
    assert not books.append(1)
    monkeypatch.setattr(os, "write", fails)
    await turns(lambda: bool(books.broken))
    with pytest.raises(OSError, match="Input/output"):
        books.journal._stuck.clear()
        books.append(2)
    assert books.kept == []


# -- compaction ------------------------------------------------------------------------------------


def forgotten(k: int) -> rec.Record:
    return rec.Forgotten(Numbers(k))


def records_of(path: Path) -> list[rec.Record]:
    scan = entries.scan(path.read_bytes())
    assert scan.gaps == []
    return [journal_module._read(payload).record for payload in scan.payloads]


async def test_compaction_drops_only_what_is_worth_nothing(open_books: Open) -> None:
    books = open_books()
    for k in range(100):
        books.journal.append(rec.Accepted(k, f"in{k}", ()), lambda: None)
        books.append(k)  # of a task that never took anything
        books.journal.append(forgotten(k), lambda: None)
    before = books.journal.size_bytes
    books.journal.compact()
    books.sync(7)
    await books.are_kept(7)
    assert books.journal.size_bytes < before / 2
    kept = records_of(books.path)
    accepted = [each.seq for each in kept if isinstance(each, rec.Accepted)]
    assert accepted == list(range(100))
    assert [each for each in kept if isinstance(each, rec.Forgotten)] == [forgotten(99)]
    assert books.append(8)
    assert records_of(books.path)[-2:] == [started(7), started(8)]


@pytest.mark.parametrize("piece_bytes", [10, 1000, 1 << 20])
async def test_nothing_is_lost_by_compacting_while_writing(
    open_books: Open, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(journal_module, "PIECE_BYTES", piece_bytes)
    """Every record that is kept is there once, in its order, and the numbers have no gap."""
    books = open_books()
    number = 0
    for _ in range(30):
        books.journal.compact()
        for _ in range(40):
            number += 1
            accepted = rec.Accepted(number, "x" * 50, ())
            if number % 3:
                books.journal.append(accepted, lambda: None)
                books.kept.append(number)
            else:
                books.journal.sync(accepted, lambda k=number: books.kept.append(k))  # type: ignore[misc]
            if not number % 10:
                await asyncio.sleep(0)
    await turns(lambda: len(books.kept) == number)
    books.journal.compact()
    await turns(lambda: not books.journal._is_busy)
    found = [each.seq for each in records_of(books.path) if isinstance(each, rec.Accepted)]
    assert sorted(found) == list(range(1, number + 1))
    appended = [k for k in found if k % 3]
    synced = [k for k in found if not k % 3]
    assert appended == sorted(appended)
    assert synced == sorted(synced)
    assert books.journal.size_bytes == books.path.stat().st_size
    assert not books.broken


async def test_journal_is_compacted_when_it_has_grown(
    open_books: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 1000)
    books = open_books()
    for k in range(2000):
        books.append(k)
        books.sync(k)
        if not k % 20:
            await books.are_kept(k)
    await books.are_kept(1999)
    await turns(lambda: not books.journal._is_busy)
    assert books.path.stat().st_size < 20_000


async def test_journal_that_is_never_synced_is_compacted_too(
    open_books: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is on all nodes but home where only the ends are durable."""
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 1000)
    books = open_books()
    for k in range(2000):
        assert books.append(k)
        if not k % 20:
            await turns(lambda: not books.journal._is_busy)
    await turns(lambda: not books.journal._is_busy)
    assert not books.journal.syncs
    assert books.path.stat().st_size < 20_000


@pytest.mark.parametrize("piece_bytes", [1, 100, 10_000])
def test_entries_are_read_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(journal_module, "PIECE_BYTES", piece_bytes)
    path = tmp_path / "journal"
    bodies = [b"x" * (7 * k) + entries.MARK * (k % 3) for k in range(60)]
    payloads = [_payload(Entry(started(k), f"out/{k}"), [each]) for k, each in enumerate(bodies)]
    path.write_bytes(b"".join([entries.pack(k, each) for k, each in enumerate(payloads)]))
    journal = Journal(path, lambda reason: None)
    journal.open()
    found = [(entry.place, bytes(each)) for entry, each in journal.entries()]
    assert found == [(f"out/{k}", each) for k, each in enumerate(bodies)]
    journal.close()


async def test_disk_that_is_full_during_a_compaction_is_no_end(
    open_books: Open, monkeypatch: pytest.MonkeyPatch, small_disk: Path
) -> None:
    books = open_books(small_disk / "journal")
    accepted = [rec.Accepted(k, "x" * 80, ()) for k in range(320)]
    for each in accepted:
        assert books.journal.append(each, lambda: None)
    assert books.journal.size_bytes > 33_000  # there is no room for it twice
    books.journal.compact()
    await turns(lambda: not books.journal._is_busy)
    assert not books.broken
    assert [path.name for path in small_disk.iterdir()] == ["journal"]
    books.sync(1)
    await books.are_kept(1)
    assert records_of(books.path) == [*accepted, started(1)]


SCRIPT = """
import asyncio, sys
from pathlib import Path
from jupiter.agent.journal import Journal
from jupiter.aio import failpoints
from jupiter.model import records as rec

async def main():
    journal = Journal(Path(sys.argv[1]), print)
    journal.open()
    for k in range(300):
        journal.append(rec.Accepted(k, "x", ()), lambda: None)
        journal.append(rec.Started("t", str(k), (1, k)), lambda: None)
    kept = asyncio.Event()
    failpoints.arm(sys.argv[2])
    journal.compact()
    for k in range(300, 400):
        journal.append(rec.Accepted(k, "x", ()), lambda: None)
        print(k, flush=True)
    journal.sync(rec.Accepted(400, "x", ()), lambda: (print(400, flush=True), kept.set()))
    await kept.wait()
    print("alive")

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "point",
    ["journal.compact", "journal.compacted", "journal.swapped"]
    + [f"journal.{each}" for each in ("append:50", "appended:50", "sync", "files-synced")]
    + [f"journal.{each}" for each in ("written", "synced", "kept")],
)
def test_death_anywhere_leaves_a_journal_that_can_be_read(tmp_path: Path, point: str) -> None:
    path = tmp_path / "run" / "journal"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), point],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    told = [int(line) for line in ended.stdout.split()]
    journal = Journal(path, lambda reason: None)
    found = journal.open().records
    assert journal.gaps == []
    assert not path.with_suffix(".new").exists()
    accepted = [each.seq for each in found if isinstance(each, rec.Accepted)]
    assert accepted == list(range(len(accepted)))
    assert len(accepted) >= 300 + len(told)
    assert journal.append(rec.Closed(1), lambda: None)
    journal.close()
    assert records_of(path) == [*found, rec.Closed(1)]


# -- before it is written to -----------------------------------------------------------------------


async def test_rewritten_journal_has_what_was_left(open_books: Open) -> None:
    books = open_books()
    for k in range(5):
        books.append(k)
    payloads = [_payload(Entry(started(k), "p"), [b"body%d" % k]) for k in (1, 3)]
    books.journal.rewrite(map(memoryview, payloads))
    assert books.append(9)
    assert books.journal.bodies_of("p") == b"body3"
    books.journal.close()
    assert open_books().found == [1, 3, 9]


def test_bodies_are_those_of_the_newest_entry_of_a_folder(tmp_path: Path) -> None:
    """A folder is used again when it is free."""
    path = tmp_path / "journal"
    payloads = [
        _payload(
            Entry(rec.Elected(TaskId("t"), ItemId(str(k)), (1, 1), (), (), "done", ""), place),
            [body],
        )
        for k, (place, body) in enumerate([("out/1", b"a"), ("out/2", b"b"), ("out/1", b"c")])
    ]
    path.write_bytes(b"".join([entries.pack(k, each) for k, each in enumerate(payloads)]))
    journal = Journal(path, lambda reason: None)
    found = journal.open()
    assert [bytes(found.bodies(k)) for k in range(3)] == [b"a", b"b", b"c"]
    assert journal.bodies_of("out/1") == b"c"
    assert journal.bodies_of("out/3") == b""
    journal.close()
