"""Records and the files that they speak of, after a restart and after a power cut."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from jupiter.agent import journal as journal_module
from jupiter.agent.journal import Journal
from jupiter.agent.keeper import INLINE_BYTES, Keeper, Recovered
from jupiter.agent.spool import Memory, Spool
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, ItemId, TaskId, item_id
from jupiter.model.items import Delivery, Part, PartRef
from jupiter.model.view import Numbers

from .conftest import turns

T, U = TaskId("t"), TaskId("u")
ONE = ItemId("1")
SMALL = b"small"
LARGE = b"large" * (INLINE_BYTES // 4)


def part(name: str, body: bytes) -> Part:
    return Part(name, len(body), sha256(body).hexdigest())


class Life:
    """One process: a spool and a keeper on the files of a run."""

    def __init__(self, folder: Path, cache: Path | None) -> None:
        self.results = folder.parent / "results"
        self.results.mkdir(exist_ok=True)
        self.told: list[ev.Event] = []
        self.broken: list[str] = []
        self.spool = Spool(folder / "spool", Memory(cache, 1 << 20) if cache else None)
        self.journal = Journal(folder / "journal", self.broken.append)
        self.keeper = Keeper(self.journal, self.spool, self.told.append)
        self.recovered: Recovered = self.keeper.recover(self.results)
        self.spool.sweep(lambda task, item: True, lambda task, item: True)

    async def persist(self, *records: rec.Record) -> None:
        for record in records:
            assert not self.keeper.persist(act.Persist(record, is_synced=True))
        await turns(lambda: len(self.told) >= len(records))

    def taken(self, body: bytes, seq: int = 1, target: TaskId = T) -> rec.Taken:
        given = Delivery("", seq, (seq,), U, target, (part("x", body),), epoch=1, attempt=(1, 1))
        for path in self.spool.open_inputs(given):
            Path(path).write_bytes(body)
        return rec.Taken(given)

    def elected(self, body: bytes) -> rec.Elected:
        folder = self.spool.new_folder("out", len(body))
        Path(folder, "o").write_bytes(body)
        parts = self.spool.keep_outputs(T, ONE, folder, (part("o", body),))
        return rec.Elected(T, ONE, (1, 1), ((1, 1),), parts, "done", "")

    def accepted(self, body: bytes, seq: int = 0) -> rec.Accepted:
        folder = self.spool.new_folder("given", len(body))
        Path(folder, "i").write_bytes(body)
        self.spool.own(INGRESS, item_id(seq), folder)
        return rec.Accepted(seq, "i", (part("i", body),))

    def committed(self, number: int, *bodies: bytes) -> rec.Committed:
        results = []
        for k, body in enumerate(bodies):
            given = self.taken(body, number * 10 + k, SINK).delivery
            results.append((given, (f"r{number}-{k}",)))
        endings = (rec.Ending(number, "done", "", ()),)
        return rec.Committed(number, endings, tuple(results))

    def folder_of(self, record: rec.Record) -> Path:
        return Path(self.keeper._files_of(record).paths[0]).parent


@pytest.fixture(params=["disk", "memory"])
def live(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Life]]:
    """Return what begins the next process."""
    lives: list[Life] = []
    cache = tmp_path / "memory" if request.param == "memory" else None

    def begin() -> Life:
        if lives:
            lives[-1].keeper.close()
        lives.append(Life(tmp_path / "run", cache))
        return lives[-1]

    yield begin
    lives[-1].keeper.close()


def cut_power(life: Life, tmp_path: Path) -> None:
    """Take all files but the journal, as if none of them had reached the disk."""
    life.keeper.close()
    for kind in ("in", "out", "given"):
        for root in (tmp_path / "run" / "spool", tmp_path / "memory"):
            shutil.rmtree(root / kind, ignore_errors=True)


async def test_files_are_found_again(live: Callable[[], Life]) -> None:
    life = live()
    records: list[rec.Record] = [
        life.taken(SMALL),
        life.taken(LARGE, 2),
        life.elected(SMALL),
        life.accepted(LARGE),
        life.accepted(b"", 1),
    ]
    await life.persist(*records)
    folders = [life.folder_of(each) for each in records]
    assert life.told == [ev.Kept(each) for each in records]
    again = live()
    assert again.recovered.records == records
    assert again.recovered.notes == []
    assert [again.folder_of(each) for each in records] == folders
    for folder, body in zip(folders, [SMALL, LARGE, SMALL, LARGE, b""], strict=True):
        assert [path.read_bytes() for path in folder.iterdir()] == [body]


async def test_power_cut_takes_no_small_file(live: Callable[[], Life], tmp_path: Path) -> None:
    life = live()
    records: list[rec.Record] = [
        life.taken(SMALL),
        life.elected(b"12"),
        life.accepted(b"345"),
        life.accepted(b"", 5),
    ]
    records.append(life.committed(2, b"", b""))
    await life.persist(*records, life.committed(1, b"r", b"", b"ss"))
    cut_power(life, tmp_path)
    again = live()
    assert again.recovered.records[:-1] == records
    assert again.recovered.notes == []
    for record, body in zip(records[:-1], [SMALL, b"12", b"345", b""], strict=True):
        files = again.keeper._files_of(record)
        assert [Path(path).read_bytes() for path in files.paths] == [body]
        folder = str(again.folder_of(record))
        stored = [(Path(files.paths[0]).name, files.parts[0])]
        assert again.keeper.repair(folder, stored) == ""
    commit = again.recovered.records[-1]
    assert isinstance(commit, rec.Committed)
    for given, names in commit.results:
        again.spool.move_results(given, again.results, names)
    shown = {path.name: path.read_bytes() for path in again.results.iterdir()}
    assert shown == {"r1-0": b"r", "r1-1": b"", "r1-2": b"ss"}


@pytest.mark.parametrize("harm", ["gone", "short", "damaged"])
async def test_harmed_file_is_mended_from_the_journal(
    live: Callable[[], Life], tmp_path: Path, harm: str
) -> None:
    life = live()
    record = life.elected(SMALL)
    await life.persist(life.taken(b""), record)
    path = life.folder_of(record) / "o"
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(SMALL[:-1] if harm == "short" else b"SMALL")
    again = live()
    folder = again.spool.output_folder(T, ONE)
    assert again.keeper.repair(folder, [("o", record.outputs[0])]) == ""
    assert path.read_bytes() == SMALL
    assert str(path.parent) == folder
    assert folder not in again.spool._unchecked


async def test_harmed_large_file_cannot_be_mended(tmp_path: Path) -> None:
    life = Life(tmp_path / "run", None)
    record = life.elected(LARGE)
    await life.persist(life.taken(b""), record)
    path = life.folder_of(record) / "o"
    path.write_bytes(LARGE[:-1] + b"?")
    life.keeper.close()
    again = Life(tmp_path / "run", None)
    folder = again.spool.output_folder(T, ONE)
    fault = again.keeper.repair(folder, [("o", record.outputs[0])])
    assert fault == "o is not what was written"
    assert folder in again.spool._unchecked
    again.keeper.close()


@pytest.mark.parametrize("harm", ["gone", "damaged"])
async def test_large_results_that_are_damaged_are_left_out(tmp_path: Path, harm: str) -> None:
    """They are made again, of the inputs; the record must not come back at any later restart."""
    life = Life(tmp_path / "run", None)
    accepted = life.accepted(LARGE, 2)
    sound, bad = life.committed(1, LARGE), life.committed(2, LARGE, LARGE)
    other = life.taken(SMALL, 99)
    await life.persist(accepted, sound, bad, other)
    (path,) = life.spool.input_paths(bad.results[1][0])
    if harm == "gone":
        Path(path).unlink()
    else:
        Path(path).write_bytes(LARGE[:-1] + b"?")
    life.keeper.close()
    again = Life(tmp_path / "run", None)
    assert again.recovered.records == [accepted, sound, other]
    assert len(again.recovered.notes) == 1
    assert not again.recovered.is_damaged
    (path,) = again.spool.paths_of([PartRef(item_id(2), INGRESS, accepted.parts[0])]) or ("",)
    assert Path(path).read_bytes() == LARGE
    assert Path(again.spool.input_paths(other.delivery)[0]).read_bytes() == SMALL
    again.keeper.close()
    third = Life(tmp_path / "run", None)
    assert third.recovered.records == [accepted, sound, other]
    assert third.recovered.notes == []
    third.keeper.close()


@pytest.mark.parametrize("body", [SMALL, LARGE])
async def test_results_that_are_shown_already_are_not_missed(tmp_path: Path, body: bytes) -> None:
    life = Life(tmp_path / "run", None)
    commit = life.committed(1, body, body)
    await life.persist(commit)
    given, names = commit.results[0]
    life.spool.move_results(given, life.results, names)
    life.keeper.close()
    again = Life(tmp_path / "run", None)
    assert again.recovered.records == [commit]
    for given, names in commit.results:
        again.spool.move_results(given, again.results, names)
    assert {path.name for path in again.results.iterdir()} == {"r1-0", "r1-1"}
    assert {path.read_bytes() for path in again.results.iterdir()} == {body}
    again.keeper.close()


async def test_damage_and_cut_tail_are_told_apart(live: Callable[[], Life]) -> None:
    life = live()
    await life.persist(life.taken(b"1"), life.taken(b"2", 2), life.taken(b"3", 3))
    life.keeper.close()
    path = life.journal._path
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    cut = live()
    assert len(cut.recovered.records) == 2
    assert not cut.recovered.is_damaged
    assert "were cut short" in cut.recovered.notes[0]
    cut.keeper.close()
    path.write_bytes(data[:60] + b"!" + data[61:])
    damaged = live()
    assert damaged.recovered.is_damaged
    assert "the journal is damaged at byte 0: entries 0 to 0 are missing" in damaged.recovered.notes


async def test_record_that_need_not_be_synced_is_written_at_once(live: Callable[[], Life]) -> None:
    life = live()
    first, record = life.taken(b""), life.elected(SMALL)
    for each in (first, record):
        assert life.keeper.persist(act.Persist(each, is_synced=False))
    again = live()
    assert again.recovered.records == [first, record]
    assert (again.folder_of(record) / "o").read_bytes() == SMALL


async def test_journal_is_compacted_in_spite_of_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its growth counts from what is worth keeping, not from what a restart finds."""
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 10_000)
    sizes = []
    for round_ in range(12):
        life = Life(tmp_path / "run", None)
        settled = [rec.Forgotten(Numbers(100 * round_ + k)) for k in range(100)]
        await life.persist(*settled)
        await turns(lambda life=life: not life.journal._is_busy)  # type: ignore[misc]
        sizes.append(life.journal.size_bytes)
        life.keeper.close()
    assert max(sizes) < 25_000


async def test_room_in_memory_is_counted_after_a_restart(tmp_path: Path) -> None:
    folder, cache = tmp_path / "run", tmp_path / "memory"
    life = Life(folder, cache)
    await life.persist(life.taken(b"1" * 1000), life.elected(b"2" * 500))
    life.keeper.close()
    again = Life(folder, cache)
    assert again.spool.memory_bytes == 1500
    again.spool.drop_outputs(T, ONE)
    again.spool.drop_inputs(T, ONE, 1)
    assert again.spool.memory_bytes == 0
    again.keeper.close()
